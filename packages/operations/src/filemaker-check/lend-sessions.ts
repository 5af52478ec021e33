import { registerWorker } from '@bridge/claims';
import type { FilemakerConfig, RedisConfig } from '@bridge/config';
import type { Database } from '@bridge/database';
import { type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import { connectForCommands, disconnect, queuePrefix } from '@bridge/jobs';
import { createSessionPool, type Lease, type PoolCensus, PoolError, type PoolEvent } from '@bridge/session-pool';
import { createSessionOpener, sessionTokenKeys } from '../filemaker-sessions/session-opener';
import { readProcesses } from '../tables/read-processes';

/** How long one question waits for a session; the workers wait as long. */
const LEASE_WAIT_MS = 5_000;
/** Longest wait of all sessions together: at five logins a second, for the largest cap and some. */
const ALL_WAIT_MS_LEAST = 10_000;
const ALL_WAIT_MS_MOST = 60_000;
const LOGIN_MS = 300;
/** Added to the client's patience and the longest wait: a lease must outlive its calls. */
const LEASE_MARGIN_MS = 15_000;
const REDIS_COMMAND_MS = 1_500;
const REDIS_READY_MS = 3_000;

/** Redis cannot be asked, so no session can be lent. */
export class RedisAwayError extends Error {
  override readonly name = 'RedisAwayError';
}

export interface LentSessions {
  /** One question on a session of the pool, which is given back before this answers. A forgotten session is replaced once. */
  ask<T>(question: (token: string) => Promise<T>): Promise<T>;
  /** Leases as many sessions as the cap allows at the same moment, and gives all of them back. */
  leaseAll(): Promise<{ lent: number; census: PoolCensus; noRoom: boolean }>;
  /** Logins made for this check, in the order they ended. */
  readonly logins: readonly { outcome: string; durationMs: number }[];
  /** What FileMaker said to the last login that failed. */
  lastLoginError(): FileMakerError | undefined;
  /** Sessions that this process could not unseal. */
  readonly unreadable: ReadonlySet<string>;
  /** Gives everything back. Where no worker lives to use them, open sessions are logged out. */
  close(): Promise<void>;
}

export interface LendSessionsOptions {
  database: Database;
  filemaker: FilemakerConfig;
  redis: RedisConfig;
  installationId: string;
  client: FileMakerClient;
}

/**
 * Takes part in the workers' session pool for the time of a check, so that check and workers together never pass the cap.
 * A refused login stops nobody: only a worker may halt the workers, since this command may have been started with other
 * settings. Rejects with RedisAwayError.
 */
export async function lendSessions(options: LendSessionsOptions): Promise<LentSessions> {
  const { database, filemaker, installationId, client } = options;
  const redis = connectForCommands(options.redis.url, { commandTimeoutMs: REDIS_COMMAND_MS, onError: () => undefined });
  try {
    await readyWithin(redis, REDIS_READY_MS);
  } catch (error) {
    await disconnect(redis);
    throw error;
  }
  const registration = await registerWorker(database, { app: 'cli' });
  const logins: { outcome: string; durationMs: number }[] = [];
  const unreadable = new Set<string>();
  const listeners = new Set<(event: PoolEvent) => void>();
  let loginError: FileMakerError | undefined;
  const opener = createSessionOpener(client);
  const allWaitMs = Math.min(ALL_WAIT_MS_MOST, ALL_WAIT_MS_LEAST + filemaker.maxSessions * LOGIN_MS);
  const pool = createSessionPool({
    database,
    redis,
    keyPrefix: `${queuePrefix(options.redis.prefix, installationId)}:filemaker`,
    opener: {
      ...opener,
      open: async () => {
        try {
          return await opener.open();
        } catch (error) {
          if (error instanceof FileMakerError) loginError = error;
          throw error;
        }
      },
    },
    cap: filemaker.maxSessions,
    scriptMaxMs: filemaker.scriptMaxSeconds * 1_000,
    leaseMs: filemaker.timeoutSeconds * 1_000 + allWaitMs + LEASE_MARGIN_MS,
    tokenKeys: sessionTokenKeys(filemaker),
    owner: registration.id,
    isOwnerAlive: (owners) => registration.notDead(owners),
    halts: { isHalted: async () => undefined, halt: async () => undefined },
    onEvent: (event) => {
      if (event.kind === 'login') logins.push({ outcome: event.outcome, durationMs: event.durationMs });
      if (event.kind === 'unreadable-token') unreadable.add(event.sessionId);
      for (const listener of listeners) listener(event);
    },
  });
  await pool.start();

  async function askOnce<T>(question: (token: string) => Promise<T>): Promise<T> {
    const lease = await pool.lease({ waitMs: LEASE_WAIT_MS });
    let after: 'idle' | 'quarantine' | 'gone' = 'idle';
    try {
      if (!(await pool.stillMine(lease)))
        throw new PoolError('POOL_BUSY', 'The session was taken back before it was used');
      return await question(lease.token);
    } catch (error) {
      after = sessionAfter(error);
      // One forgotten session is often a restart that made FileMaker forget all; the workers do the same.
      if (after === 'gone') await pool.flushEpoch(lease.epoch).catch(() => undefined);
      throw error;
    } finally {
      await pool.giveBack(lease, after);
    }
  }

  async function leaseAll(): Promise<{ lent: number; census: PoolCensus; noRoom: boolean }> {
    const full = new AbortController();
    const stopWhenFull = (event: PoolEvent): void => {
      if (event.kind === 'login' && event.outcome === 'capacity') full.abort();
    };
    listeners.add(stopWhenFull);
    const held: Lease[] = [];
    try {
      const settled = await Promise.allSettled(
        Array.from({ length: filemaker.maxSessions }, () => pool.lease({ waitMs: allWaitMs, signal: full.signal })),
      );
      for (const one of settled) if (one.status === 'fulfilled') held.push(one.value);
      return { lent: held.length, census: await pool.census(), noRoom: full.signal.aborted };
    } finally {
      listeners.delete(stopWhenFull);
      for (const lease of held) await pool.giveBack(lease, 'idle');
    }
  }

  return {
    ask: async (question) => {
      try {
        return await askOnce(question);
      } catch (error) {
        if (!(error instanceof FileMakerError && error.code === 'FILEMAKER_INVALID_TOKEN')) throw error;
        return askOnce(question);
      }
    },
    leaseAll,
    logins,
    lastLoginError: () => loginError,
    unreadable,
    close: async () => {
      try {
        // In doubt they stay: a living worker uses them, and FileMaker ends them after a quarter of an hour.
        const living = await readProcesses(database).then(
          (processes) => processes.living,
          () => undefined,
        );
        await pool.stop({ closeIdle: living?.every(({ app }) => app !== 'worker') ?? false });
        await registration.stop();
      } finally {
        await disconnect(redis);
      }
    },
  };
}

function sessionAfter(error: unknown): 'idle' | 'quarantine' | 'gone' {
  if (error instanceof PoolError) return 'idle';
  if (!(error instanceof FileMakerError)) return 'quarantine';
  return ({ keep: 'idle', drop: 'gone', quarantine: 'quarantine' } as const)[error.session];
}

async function readyWithin(redis: ReturnType<typeof connectForCommands>, ms: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const ready = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      redis.off('ready', ready);
      reject(new RedisAwayError(`no answer within ${ms} ms`));
    }, ms);
    redis.once('ready', ready);
  });
}
