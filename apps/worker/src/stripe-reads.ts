import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterQueue, RateLimiterRedis } from 'rate-limiter-flexible';

const WAITING_MAX = 10_000;

/**
 * One budget of reads a second for all workers, kept in Redis. While Redis is away each worker keeps to a quarter by
 * itself: Stripe's own limit has room for that.
 */
export function createStripeReadGate(
  redis: Redis,
  options: { keyPrefix: string; readsPerSecond: number },
): () => Promise<void> {
  const limiter = new RateLimiterRedis({
    storeClient: redis,
    keyPrefix: `${options.keyPrefix}:stripe-reads`,
    points: options.readsPerSecond,
    duration: 1,
    insuranceLimiter: new RateLimiterMemory({
      points: Math.max(1, Math.floor(options.readsPerSecond / 4)),
      duration: 1,
    }),
  });
  const queue = new RateLimiterQueue(limiter, { maxQueueSize: WAITING_MAX });
  return async () => {
    await queue.removeTokens(1);
  };
}
