import { z } from 'zod';
import { address, text } from './parsers';
import { variable } from './variable';

export const redisVariables = z.object({
  REDIS_URL: variable(address('redis:', 'rediss:'), {
    default: 'none, required except by the cli',
    meaning:
      'Redis 7 or newer, or Valkey 8 or newer, with maxmemory-policy noeviction. May be flushed or lost at any moment: work goes on from PostgreSQL.',
    secret: true,
  }),
  QUEUE_PREFIX: variable(
    text.refine((value) => /^[A-Za-z0-9_-]{1,40}$/.test(value), {
      message: 'must be 1 to 40 letters, digits, - or _',
    }),
    {
      default: 'bridge',
      accepts: '1 to 40 letters, digits, `-`, `_`',
      meaning: 'Beginning of every key in Redis. Give two bridges on one Redis different prefixes.',
    },
  ),
});

/** `REDIS_URL` and `QUEUE_PREFIX`. */
export interface RedisConfig {
  /** Secret. */
  readonly url: string;
  readonly prefix: string;
}
