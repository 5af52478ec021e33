/** What a process needs for a duty that is done at Redis. */
export interface DutyParts {
  redisReady(): boolean;
  dropDuty(): Promise<void>;
  /** Told when the duty could not be laid down; the next round tries again. */
  onError(error: Error): void;
}

/**
 * A round that begins where Redis can be reached; the keepers in it take the duty. Who cannot reach Redis, or fails at
 * it, lays the duty down: nobody may keep it from a process that can do it. What the round throws is thrown on.
 */
export function underDuty(round: () => Promise<void>, { redisReady, dropDuty, onError }: DutyParts) {
  return async (): Promise<void> => {
    if (!redisReady()) return dropDuty();
    try {
      await round();
    } catch (error) {
      await dropDuty().catch(onError);
      throw error;
    }
  };
}
