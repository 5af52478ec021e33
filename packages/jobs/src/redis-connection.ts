import { Redis } from 'ioredis';
import { tellCommands } from './redis-calls';

/** Longest pause between two tries to reach Redis: work resumes so soon after its return. */
const RECONNECT_MS_MAX = 1_000;
const retryStrategy = (times: number): number => Math.min(50 * 2 ** Math.min(times, 6), RECONNECT_MS_MAX);
// After a failover the old primary answers READONLY until the connection is made anew.
const reconnectOnError = (error: Error): boolean => error.message.startsWith('READONLY');

/**
 * For adding and asking: fails at once when Redis is away, and after `commandTimeoutMs` when it hangs. Not with ioredis's automatic
 * pipelines: each makes an object that holds all of BullMQ's scripts, which costs more than the command, and waits for the loop's
 * next turn.
 */
export function connectForCommands(
  url: string,
  options: { commandTimeoutMs: number; onError: (error: Error) => void },
): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: options.commandTimeoutMs,
    connectTimeout: 5_000,
    retryStrategy,
    reconnectOnError,
  });
  redis.on('error', options.onError);
  return tellCommands(redis);
}

/** For BullMQ's workers, whose blocking reads wait for ever by design. */
export function connectForWorkers(url: string, options: { onError: (error: Error) => void }): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: null, connectTimeout: 5_000, retryStrategy, reconnectOnError });
  redis.on('error', options.onError);
  return tellCommands(redis);
}

const QUIT_MS = 500;

/** Ends a connection without waiting for a Redis that is away or hangs. */
export async function disconnect(redis: Redis): Promise<void> {
  if (redis.status === 'ready') {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, QUIT_MS);
    });
    await Promise.race([redis.quit().catch(() => undefined), late]);
    clearTimeout(timer);
  }
  redis.disconnect();
}
