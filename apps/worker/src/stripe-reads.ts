import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterQueue } from 'rate-limiter-flexible';

/** `live`: an event or a person waits for the answer. `recovery`: it has hours. */
export type ReadUrgency = 'live' | 'recovery';

export interface StripeReads {
  /** Resolves when one read may be sent. What asks first goes first within one process and urgency. */
  gate(urgency: ReadUrgency): () => Promise<void>;
  /** Reads that were let through since the last call, for a count that is kept elsewhere. */
  takeCount(): number;
  /** Nobody waits any more: all are let through. For the end of the process. */
  stop(): void;
}

/** More than so many waiting in one process is a flood; what comes then is refused and tried again later. */
const WAITING_MAX = 10_000;
/** Without Redis nobody knows what live work leaves. */
const AWAY_MS = 1_000;

const text = readFileSync(join(__dirname, '..', 'src', 'scripts', 'take-read-1.lua'), 'utf8');
const sha1 = createHash('sha1').update(text).digest('hex');

/** More reads wait than any budget will serve in time. */
export class TooManyReadsError extends Error {
  readonly code = 'STRIPE_READS_WAITING';
  constructor() {
    super(`${WAITING_MAX} reads at Stripe wait in this process`);
    this.name = 'TooManyReadsError';
  }
}

/**
 * One budget of reads a second for all workers, kept in Redis: recovery takes what live work leaves, at most half. While
 * Redis is away each worker keeps its live reads to a quarter by itself, since Stripe's own limit has room for that, and
 * recovery waits.
 */
export function createStripeReads(redis: Redis, options: { keyPrefix: string; readsPerSecond: number }): StripeReads {
  const { readsPerSecond } = options;
  const key = `${options.keyPrefix}:stripe-reads`;
  const alone = new RateLimiterQueue(
    new RateLimiterMemory({ points: Math.max(1, Math.floor(readsPerSecond / 4)), duration: 1 }),
    { maxQueueSize: WAITING_MAX },
  );
  const wakes = new Set<() => void>();
  let stopped = false;
  let count = 0;

  /** Milliseconds to wait; 0: taken. Undefined: Redis is away. */
  async function take(urgency: ReadUrgency): Promise<number | undefined> {
    const argv = [readsPerSecond, urgency];
    try {
      return Number(await redis.evalsha(sha1, 1, key, ...argv));
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) return undefined;
    }
    try {
      return Number(await redis.eval(text, 1, key, ...argv));
    } catch {
      // The fallback of the caller is the answer to a Redis that is away.
      return undefined;
    }
  }

  function sleep(ms: number): Promise<void> {
    if (stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        wakes.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      wakes.add(wake);
    });
  }

  async function takeOne(urgency: ReadUrgency): Promise<void> {
    while (!stopped) {
      const waitMs = await take(urgency);
      if (waitMs === 0) return;
      if (waitMs === undefined && urgency === 'live') {
        await alone.removeTokens(1);
        return;
      }
      await sleep(waitMs ?? AWAY_MS);
    }
  }

  function gate(urgency: ReadUrgency): () => Promise<void> {
    let line: Promise<void> = Promise.resolve();
    let waiting = 0;
    return async () => {
      if (waiting >= WAITING_MAX) throw new TooManyReadsError();
      waiting += 1;
      const turn = line.then(() => takeOne(urgency));
      line = turn.catch(() => undefined);
      try {
        await turn;
        count += 1;
      } finally {
        waiting -= 1;
      }
    };
  }

  return {
    gate,
    takeCount: () => {
      const taken = count;
      count = 0;
      return taken;
    },
    stop: () => {
      stopped = true;
      for (const wake of [...wakes]) wake();
    },
  };
}
