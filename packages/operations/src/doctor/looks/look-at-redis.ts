import type { Config } from '@bridge/config';
import type { Installation } from '@bridge/installation';
import { createProducer, type Producer, queuePrefix } from '@bridge/jobs';
import { collectRedis, judgeRedis, type RedisFacts, type RedisToAsk } from '../redis';
import type { Looked } from '../report';

const REDIS_MS = 3_000;

/** One connection for all looks that need Redis. */
export interface RedisLook {
  producer: Producer;
  /** What was seen, also when it cannot be reached. Never rejects. */
  facts: Promise<RedisFacts>;
}

/** Connects at once; undefined where REDIS_URL is not set. Whoever opens it closes `producer`. */
export function openRedis({ redis }: Config, installation: Installation | undefined): RedisLook | undefined {
  if (redis === undefined) return undefined;
  let lastError: Error | undefined;
  const prefix = queuePrefix(redis.prefix, installation?.id ?? 'unknown');
  const producer = createProducer({
    redisUrl: redis.url,
    prefix,
    onError: (error) => {
      lastError = error;
    },
  });
  const ask = async (): Promise<RedisFacts> => {
    const ready = await isReady(producer, REDIS_MS, () => refusedBy(lastError));
    if (!ready) return { reached: false, refused: refusedBy(lastError), because: reasonOf(lastError, REDIS_MS) };
    try {
      return await collectRedis(producer.redis as unknown as RedisToAsk, `${prefix}:doctor`);
    } catch (error) {
      const named = error instanceof Error ? error : undefined;
      return { reached: false, refused: refusedBy(named), because: reasonOf(named, REDIS_MS) };
    }
  };
  return { producer, facts: ask() };
}

/** Version, what it forgets, whether it may drop keys. */
export async function lookAtRedis(redis: RedisLook | undefined): Promise<Looked> {
  return redis === undefined ? { notChecked: 'REDIS_URL is not set here' } : judgeRedis(await redis.facts);
}

const refusedBy = (error: Error | undefined): boolean =>
  /^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH|ERR invalid password)/.test(error?.message ?? '');

function reasonOf(error: Error | undefined, withinMs: number): string {
  const code: unknown = error === undefined ? undefined : Reflect.get(error, 'code');
  if (typeof code === 'string') return code;
  return refusedBy(error) ? (error?.message.split(' ')[0] ?? '') : `no answer within ${withinMs / 1_000} s`;
}

/** Whether Redis takes commands within the time; at once false when it refuses us. */
async function isReady(producer: Producer, withinMs: number, refused: () => boolean): Promise<boolean> {
  if (producer.ready()) return true;
  return new Promise<boolean>((resolve) => {
    const end = (value: boolean): void => {
      clearTimeout(timer);
      producer.redis.off('ready', onReady);
      producer.redis.off('error', onError);
      resolve(value);
    };
    const onReady = (): void => end(true);
    const onError = (): void => {
      if (refused()) end(false);
    };
    const timer = setTimeout(() => end(false), withinMs);
    producer.redis.on('ready', onReady);
    producer.redis.on('error', onError);
  });
}
