import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createTestDatabase, type RedisService, startRedis } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { type ChainableCommander, Redis } from 'ioredis';
import { sessionPoolMigrations } from '../src/migrations';
import type { PoolEvent } from '../src/pool-event';
import type { SessionPoolOptions } from '../src/pool-options';
import { redisKeys } from '../src/redis-keys';
import type { LoginHalts } from '../src/session-opener';
import { createSessionPool, type SessionPool } from '../src/session-pool';
import { FakeFileMaker } from './fake-filemaker';

export const KEY_PREFIX = '{bridge:test}:filemaker';
export const KEYS = redisKeys(KEY_PREFIX);

/** Long enough that a machine which stands still for seconds ends no quarantine and no belief; `pass` does. */
export const QUARANTINE_MS = 20_000;
/** Just longer than a process believes Redis without asking again. */
export const BELIEVED_MS = QUARANTINE_MS / 4 + 1;
/** Just longer than a lease of 90 s that was confirmed a moment ago. */
export const LEASE_OVER_MS = 90_000 + BELIEVED_MS;
/** No store is slower than this, however busy the machine. */
const STORE_MS = 30_000;
const UNTIL_MS = 30_000;

/** Waits until it holds. Bounded by time and not by looks: the other side may be slow while this one is quick. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + UNTIL_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Not true within ${UNTIL_MS / 1_000} s: ${String(holds)}`);
    await delay(5);
  }
}

export interface RedisSnapshot {
  entries: readonly (readonly [string, Buffer])[];
  /** How much time had passed by then, as `pass` counts it. */
  passedMs: number;
}

export interface TestPool extends SessionPool {
  events: PoolEvent[];
  /** Resolves when this pool has heard whatever was told in Redis before, and has looked again because of it. */
  heard(): Promise<void>;
}

export interface PoolServices {
  database: Database;
  databaseUrl: string;
  redis: Redis;
  redisService: RedisService;
  fileMaker: FakeFileMaker;
  alive: Set<string>;
  halts: LoginHalts & { halted: { cause: string; since: Date } | undefined; told: string[] };
  tokenKeys: Buffer[];
  /**
   * A pool as one process would have it; the event list is its own. Its local clock moves by `pass` alone, so that what
   * it believes does not hang on how fast the test runs.
   */
  pool(owner: string, options?: Partial<SessionPoolOptions>): Promise<TestPool>;
  /** Everything stored grows older by so much, at FileMaker too, and the clocks of all processes go on. */
  pass(ms: number): Promise<void>;
  /** The leases that Redis knows. */
  leaseIds(): Promise<string[]>;
  /** Redis forgets everything; the leases that it knew. */
  flush(): Promise<string[]>;
  /** What Redis holds now, for a failover that goes back to it. */
  redisSnapshot(): Promise<RedisSnapshot>;
  restoreRedis(saved: RedisSnapshot): Promise<void>;
  /** A fresh FileMaker, empty tables and an empty Redis; pools made so far are stopped. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** A private PostgreSQL database, a private Redis and a FileMaker that only keeps books. */
export async function startPoolServices(): Promise<PoolServices> {
  const testDatabase = await createTestDatabase();
  await migrate(testDatabase.url, [sessionPoolMigrations]);
  const database = createDatabase({ url: testDatabase.url, poolMax: 8, applicationName: 'session-pool-test' });
  const redisService = await startRedis();
  const redis = new Redis(redisService.url, {
    commandTimeout: STORE_MS,
    maxRetriesPerRequest: 1,
    retryStrategy: () => 50,
  });
  redis.on('error', () => undefined);
  let pools: SessionPool[] = [];
  let passedMs = 0;
  const services: PoolServices = {
    database,
    databaseUrl: testDatabase.url,
    redis,
    redisService,
    fileMaker: new FakeFileMaker(),
    alive: new Set(),
    halts: {
      halted: undefined,
      told: [],
      isHalted: async () => services.halts.halted,
      halt: async (cause) => {
        services.halts.told.push(cause);
        services.halts.halted = { cause, since: new Date() };
      },
    },
    tokenKeys: [randomBytes(32)],
    async pool(owner, options = {}) {
      const events: PoolEvent[] = [];
      services.alive.add(owner);
      const pool = createSessionPool({
        database,
        redis,
        keyPrefix: KEY_PREFIX,
        opener: services.fileMaker,
        cap: 3,
        scriptMaxMs: 120_000,
        leaseMs: 90_000,
        quarantineMs: QUARANTINE_MS,
        redisTimeoutMs: STORE_MS,
        lookTimeoutMs: STORE_MS,
        tokenKeys: services.tokenKeys,
        owner,
        isOwnerAlive: async (owners) => new Set(owners.filter((other) => services.alive.has(other))),
        halts: services.halts,
        onEvent: (event) => events.push(event),
        loginsPerSecond: 1_000,
        clock: { monotonicMs: () => passedMs, wallMs: () => WALL_BEGAN_MS + passedMs },
        // Tests run the keeper themselves; a background round would blur what caused what.
        keepEveryMs: 3_600_000,
        ...options,
      });
      pools.push(pool);
      const connection = options.redis ?? redis;
      const listener = await listenerOf(connection, () => pool.start());
      // Answered in order: from here the pool hears what is told.
      await listener.ping();
      // The first round of the keeper runs by itself.
      await pool.keep();
      const heard = async (): Promise<void> => {
        await listener.ping();
        // A look that was under way, and the one that follows it.
        for (let look = 0; look < 3; look += 1) {
          await connection.ping();
          await new Promise(setImmediate);
        }
      };
      return Object.assign(pool, { events, heard });
    },
    async pass(ms) {
      passedMs += ms;
      services.fileMaker.pass(ms);
      for (const [table, columns] of AGING) {
        const older = columns.map((column) => `${column} = ${column} - ${ms} * interval '1 millisecond'`).join(', ');
        // The whole table at once: row by row, it and a pool's statement over several rows can wait for each other.
        await database.transaction(async (tx) => {
          await tx.execute(sql.raw(`lock table session_pool.${table} in exclusive mode`));
          await tx.execute(sql.raw(`update session_pool.${table} set ${older}`));
        });
      }
      const change = redis.multi();
      ageRedis(change, ms);
      await change.exec();
    },
    async leaseIds() {
      return leaseIdsOf(await redis.hgetall(KEYS.holders));
    },
    async flush() {
      const [[, holders] = []] = (await redis.multi().hgetall(KEYS.holders).flushall().exec()) ?? [];
      return leaseIdsOf(holders as Record<string, string>);
    },
    async redisSnapshot() {
      const keys = await redis.keys('*');
      const entries = await Promise.all(keys.map(async (key) => [key, await redis.dumpBuffer(key)] as const));
      return { entries, passedMs };
    },
    async restoreRedis(saved) {
      const change = redis.multi().flushall();
      for (const [key, dump] of saved.entries) change.restore(key, 0, dump);
      ageRedis(change, passedMs - saved.passedMs);
      await change.exec();
    },
    async reset() {
      await Promise.all(pools.map((pool) => pool.stop()));
      pools = [];
      services.fileMaker = new FakeFileMaker();
      services.alive.clear();
      services.halts.halted = undefined;
      services.halts.told = [];
      await redisService.flush();
      // Cheaper than truncating: the long run of the model does it ten thousand times.
      await database.executor.execute(sql`delete from session_pool.sessions`);
      await database.executor.execute(sql`delete from session_pool.pool`);
      await database.executor.execute(sql`insert into session_pool.pool default values`);
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.stop()));
      redis.disconnect();
      await redisService.stop();
      await database.close();
      await testDatabase.drop();
    },
  };
  return services;
}

/** The connection on which a pool that is being started listens. */
async function listenerOf(connection: Redis, start: () => Promise<void>): Promise<Redis> {
  const own = connection.duplicate;
  let listener: Redis | undefined;
  connection.duplicate = (...given) => {
    listener = own.apply(connection, given);
    return listener;
  };
  try {
    await start();
  } finally {
    connection.duplicate = own;
  }
  if (listener === undefined) throw new Error('The pool listens nowhere');
  return listener;
}

const WALL_BEGAN_MS = Date.UTC(2026, 10, 23);

const AGING: [string, string[]][] = [
  ['sessions', ['opened_at', 'unheard_at', 'answered_at', 'touched_at', 'leased_at', 'closing_at']],
  ['pool', ['next_login_at', 'held_until', 'shrunk_at', 'failed_at', 'credentials_refused_at']],
];

/** A holder is `lease id|owner`. */
const leaseIdsOf = (holders: Record<string, string>): string[] =>
  Object.values(holders).map((holder) => holder.slice(0, holder.indexOf('|')));

function ageRedis(change: ChainableCommander, ms: number): void {
  change.eval(AGE_REDIS, 5, KEYS.idle, KEYS.leases, KEYS.quarantine, KEYS.answered, KEYS.cases, ms);
}

const AGE_REDIS = `
for at = 1, 3 do
  for _, id in ipairs(redis.call('ZRANGE', KEYS[at], 0, -1)) do redis.call('ZINCRBY', KEYS[at], -ARGV[1], id) end
end
for _, id in ipairs(redis.call('HKEYS', KEYS[4])) do
  redis.call('HSET', KEYS[4], id, redis.call('HGET', KEYS[4], id) - ARGV[1])
end
for _, id in ipairs(redis.call('HKEYS', KEYS[5])) do
  local since, looks, before, open, reason = string.match(redis.call('HGET', KEYS[5], id), '^(%d+)|(%d+)|(%d+)|(%d)|(.*)$')
  redis.call('HSET', KEYS[5], id, (since - ARGV[1]) .. '|' .. looks .. '|' .. (before - ARGV[1]) .. '|' .. open .. '|' .. reason)
end
return 1`;
