/** What starting, stopping and freezing means for a program and for a container. */
export interface RedisHost {
  readonly isRunning: boolean;
  stop(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
}
