import type { Redis } from 'ioredis';

export interface WakeChannelOptions {
  /** The pool's connection; a subscriber is duplicated from it. */
  redis: Redis;
  channel: string;
  onMessage: (message: string) => void;
  /** The pool's own connection was cut. */
  onConnectionLost: () => void;
  onFailure: (error: unknown) => void;
}

/** What the processes tell each other through Redis. A message may be lost: everybody looks by himself now and then. */
export class WakeChannel {
  readonly #options: WakeChannelOptions;
  #subscriber: Redis | undefined;

  constructor(options: WakeChannelOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { redis, channel, onMessage, onConnectionLost, onFailure } = this.#options;
    redis.on('close', onConnectionLost);
    const subscriber = redis.duplicate({ maxRetriesPerRequest: null, enableOfflineQueue: true });
    this.#subscriber = subscriber;
    subscriber.on('error', onFailure);
    subscriber.on('message', (_channel, message) => onMessage(message));
    await subscriber.subscribe(channel);
  }

  close(): void {
    this.#options.redis.off('close', this.#options.onConnectionLost);
    this.#subscriber?.disconnect();
  }
}
