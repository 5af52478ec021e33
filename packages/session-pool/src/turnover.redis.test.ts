import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  BELIEVED_MS,
  KEYS,
  type PoolServices,
  QUARANTINE_MS,
  startPoolServices,
  type TestPool,
  until,
} from '../tests/pool-services';
import type { Lease } from './lease';

// What a session costs between two callers: a caller's script is a tenth of a second, and every millisecond between two
// scripts is a hundredth of all that a FileMaker with few sessions can do.

let services: PoolServices;
beforeAll(async () => {
  services = await startPoolServices();
});
afterEach(() => services.reset());
afterAll(() => services.close());

const WAIT = { waitMs: 40_000 };
/** Nobody looks by himself while a test counts what is asked. */
const ALONE = { cap: 1, safetyPollMs: 3_600_000 };
const LOOK_EVERY_MS = 500;

/**
 * Commands to Redis and statements to PostgreSQL while `work` runs, apart from the look whether one more session may be
 * opened: it comes each half second while somebody waits in vain, and the slower the machine the more of them.
 */
async function roundTrips(
  work: () => Promise<unknown>,
): Promise<{ redis: number; postgres: number; looksInTime: boolean }> {
  const redis = jest.spyOn(services.redis, 'sendCommand');
  const postgres = jest.spyOn(services.database.pool, 'query');
  const began = performance.now();
  try {
    await work();
    const lookMost = 1 + Math.ceil((performance.now() - began) / LOOK_EVERY_MS);
    const texts = postgres.mock.calls.map(([query]) => textOf(query));
    const looks = texts.filter((text) => text.includes('next_login_in_ms') && text.includes('as sessions')).length;
    // The first time a script is sent as a whole, after its name was refused: that is no round trip of the turnover.
    return {
      redis: redis.mock.calls.filter(([command]) => command.name !== 'eval').length,
      postgres: texts.length - looks,
      looksInTime: looks <= lookMost,
    };
  } finally {
    redis.mockRestore();
    postgres.mockRestore();
  }
}

const textOf = (query: unknown): string =>
  typeof query === 'object' && query !== null && 'text' in query ? String(query.text) : String(query);

/** A caller has the session, another one waits here and has been told that nothing is idle. */
async function heldAndWaiting(pool: TestPool): Promise<{ held: Lease; next: Promise<Lease> }> {
  const held = await pool.lease(WAIT);
  const next = pool.lease(WAIT);
  await until(async () => (await services.redis.zcard(KEYS.line)) === 1);
  await pool.heard();
  return { held, next };
}

test('a session goes from one caller to the next with no call to Redis and none to PostgreSQL', async () => {
  const pool = await services.pool('a', ALONE);
  const { held, next } = await heldAndWaiting(pool);
  const used = await roundTrips(async () => {
    expect(await pool.giveBack(held, 'idle')).toBe(true);
    const lease = await next;
    expect(lease.sessionId).toBe(held.sessionId);
    expect(BigInt(lease.fence)).toBeGreaterThan(BigInt(held.fence));
    expect(await pool.stillMine(lease)).toBe(true);
    expect(await pool.stillMine(held)).toBe(false);
  });
  expect(used).toEqual({ redis: 0, postgres: 0, looksInTime: true });
});

test('after a call of more than half a second, or with callers waiting elsewhere, it is one call to Redis', async () => {
  const pool = await services.pool('a', ALONE);
  const { held, next: second } = await heldAndWaiting(pool);
  const third = pool.lease(WAIT);
  await services.pass(BELIEVED_MS);
  await pool.giveBack(held, 'idle');
  await services.pass(BELIEVED_MS);
  const used = await roundTrips(async () => {
    await pool.giveBack(await second, 'idle');
    expect(await pool.stillMine(await third)).toBe(true);
  });
  expect(used).toEqual({ redis: 1, postgres: 0, looksInTime: true });

  const connection = services.redis.duplicate();
  const other = await services.pool('b', { cap: 1, redis: connection });
  const elsewhere = other.lease(WAIT);
  const here = pool.lease({ ...WAIT, waitedMs: 10_000 });
  await until(async () => (await services.redis.zcard(KEYS.line)) === 2);
  await pool.heard();
  const lease = await third;
  const usedThen = await roundTrips(async () => {
    await pool.giveBack(lease, 'idle');
    expect(await pool.stillMine(await here)).toBe(true);
  });
  expect(usedThen).toEqual({ redis: 1, postgres: 0, looksInTime: true });
  await pool.giveBack(await here, 'idle');
  expect((await elsewhere).sessionId).toBe(held.sessionId);
  await other.stop();
  connection.disconnect();
});

test('a session that nobody waits for costs one call to Redis to give back, and two and one statement to lend', async () => {
  const pool = await services.pool('a', ALONE);
  const held = await pool.lease(WAIT);
  expect(await roundTrips(() => pool.giveBack(held, 'idle'))).toMatchObject({ redis: 1, postgres: 0 });
  const lent = await roundTrips(async () => {
    expect(await pool.stillMine(await pool.lease(WAIT))).toBe(true);
  });
  expect(lent).toEqual({ redis: 1, postgres: 1, looksInTime: true });
});

test('callers behind others who wait in vain ask nobody', async () => {
  const pool = await services.pool('a', ALONE);
  const { held, next } = await heldAndWaiting(pool);
  const used = await roundTrips(async () => {
    const more = Array.from({ length: 50 }, () => pool.lease(WAIT));
    await nextTurn();
    for (const each of [held]) await pool.giveBack(each, 'idle');
    await pool.giveBack(await next, 'idle');
    for (const each of more) await pool.giveBack(await each, 'idle');
  });
  // The last one gives its session back, for want of a next.
  expect(used).toEqual({ redis: 1, postgres: 0, looksInTime: true });
});

test('a full pool costs each process one statement in half a second, however many wait', async () => {
  const pool = await services.pool('a', ALONE);
  const { held, next } = await heldAndWaiting(pool);
  const more = Array.from({ length: 20 }, () => pool.lease(WAIT));
  const used = await roundTrips(async () => {
    for (let turn = 0; turn < 100; turn += 1) await nextTurn();
  });
  expect(used).toEqual({ redis: 0, postgres: 0, looksInTime: true });
  await pool.giveBack(held, 'idle');
  for (const each of [next, ...more]) await pool.giveBack(await each, 'idle');
});

test('fences of a session that is handed on grow past the end of a block, from process to process', async () => {
  const [a, b] = [await services.pool('a', { cap: 1 }), await services.pool('b', { cap: 1 })];
  let last = 0n;
  let lease = await a.lease(WAIT);
  for (let at = 0; at < 2_500; at += 1) {
    expect(BigInt(lease.fence)).toBeGreaterThan(last);
    last = BigInt(lease.fence);
    const next = a.lease(WAIT);
    await a.giveBack(lease, 'idle');
    lease = await next;
  }
  const next = b.lease(WAIT);
  await a.giveBack(lease, 'idle');
  expect(BigInt((await next).fence)).toBeGreaterThan(last);
  expect(services.fileMaker.logins).toBe(1);
});

test('an earlier caller of a session that was handed on is free, here at once and elsewhere after a round of the keeper', async () => {
  const [a, b] = [await services.pool('a', { cap: 1 }), await services.pool('b', { cap: 1 })];
  const { held, next } = await heldAndWaiting(a);
  await a.giveBack(held, 'idle');
  const lease = await next;
  services.fileMaker.begin(lease.token);
  expect(await a.ask(held.sessionId, held.fence)).toBe('free');
  expect(await a.ask(lease.sessionId, lease.fence)).toBe('busy');
  expect(await b.ask(held.sessionId, held.fence)).toBe('busy');
  await a.keep();
  expect(await b.ask(held.sessionId, held.fence)).toBe('free');
  expect(await b.ask(lease.sessionId, lease.fence)).toBe('busy');
});

/** One caller after the other has the session for a minute each; answers the last one's lease. */
async function inUse(pool: TestPool, minutes: number): Promise<{ lease: Lease; next: Promise<Lease> }> {
  let { held: lease, next } = await heldAndWaiting(pool);
  for (let minute = 0; minute < minutes; minute += 1) {
    const end = services.fileMaker.begin(lease.token);
    await services.pass(60_000);
    end?.();
    await pool.giveBack(lease, 'idle');
    lease = await next;
    next = pool.lease(WAIT);
    expect(await pool.stillMine(lease)).toBe(true);
  }
  return { lease, next };
}

test('a session in use all the time does not grow old: after a flush it is lent again, not logged out', async () => {
  const pool = await services.pool('a', { cap: 1 });
  const { lease, next } = await inUse(pool, 20);
  await pool.keep();
  await services.redisService.flush();
  await pool.keep();
  await services.pass(QUARANTINE_MS);
  expect(await pool.keep()).toMatchObject({ released: 1, closed: 0 });
  expect((await next).sessionId).toBe(lease.sessionId);
  expect(services.fileMaker.logins).toBe(1);
});

test('a session of a dead worker that was in use for longer than a session lives is lent again, not logged out', async () => {
  const [a, b] = [await services.pool('a', { cap: 1 }), await services.pool('b', { cap: 1 })];
  const { lease, next } = await inUse(a, 20);
  next.catch(() => undefined);
  services.alive.delete('a');
  expect(await b.keep()).toMatchObject({ ownerDead: 1 });
  await services.pass(QUARANTINE_MS / 2);
  expect(await b.keep()).toMatchObject({ released: 1, closed: 0 });
  expect((await b.lease({ ...WAIT, waitedMs: 60_000 })).sessionId).toBe(lease.sessionId);
});

describe('what Redis said a moment ago', () => {
  test('is not believed after the machine was suspended or its time was set', async () => {
    let monotonicMs = 0;
    let wallMs = 1_000_000;
    const clock = { monotonicMs: () => monotonicMs, wallMs: () => wallMs };
    const pool = await services.pool('a', { cap: 1, clock });
    const lease = await pool.lease(WAIT);
    const asks = () => roundTrips(() => pool.stillMine(lease));
    expect(await asks()).toMatchObject({ redis: 0 });
    wallMs += BELIEVED_MS; // suspended: the monotonic clock stood still
    expect(await asks()).toMatchObject({ redis: 1 });
    wallMs -= 1; // set back
    expect(await asks()).toMatchObject({ redis: 1 });
    monotonicMs += BELIEVED_MS;
    wallMs += BELIEVED_MS;
    expect(await asks()).toMatchObject({ redis: 1 });
    expect(await asks()).toMatchObject({ redis: 0 });
  });

  test('is not believed after the connection was cut: another server may answer from now on', async () => {
    const pool = await services.pool('a', { cap: 1 });
    const lease = await pool.lease(WAIT);
    await services.redisService.kill();
    await until(async () => services.redis.status !== 'ready');
    await expect(pool.stillMine(lease)).rejects.toMatchObject({ code: 'POOL_REDIS_DOWN' });
    await services.redisService.start();
    await until(async () => services.redis.status === 'ready');
    expect(await pool.stillMine(lease)).toBe(false);
  });

  test('is not believed for longer than its time: a session that Redis has lost is not handed on then', async () => {
    const pool = await services.pool('a', { cap: 1 });
    const { held, next } = await heldAndWaiting(pool);
    await services.redisService.flush();
    await services.pass(BELIEVED_MS);
    expect(await pool.giveBack(held, 'idle')).toBe(false);
    await pool.keep();
    expect(await pool.census()).toMatchObject({ leased: 0, quarantined: 1 });
    await services.pass(QUARANTINE_MS);
    await pool.keep();
    expect((await next).sessionId).toBe(held.sessionId);
    expect(services.fileMaker.logins).toBe(1);
  });

  test('is not believed after an epoch flush of this process', async () => {
    const pool = await services.pool('a', { cap: 1 });
    const lease = await pool.lease(WAIT);
    await pool.flushEpoch(lease.epoch);
    expect(await pool.stillMine(lease)).toBe(false);
    expect(await pool.giveBack(lease, 'idle')).toBe(false);
  });

  // Found on paper: a failover to a Redis from before the quarantine's end, and a look in the half second in which the
  // holder believes its lease without asking.
  test('a quarantine that a failover brought back does not end before the later lease has been held off', async () => {
    const [a, b] = [await services.pool('a', { cap: 1 }), await services.pool('b', { cap: 1 })];
    await a.giveBack(await a.lease(WAIT), 'quarantine');
    await services.pass(QUARANTINE_MS);
    const saved = await services.redisSnapshot();
    await a.keep();
    const lease = await a.lease(WAIT);
    await services.restoreRedis(saved);
    expect(await b.keep()).toMatchObject({ released: 0, waiting: 1 });
    await expect(b.lease({ waitMs: 50 })).rejects.toMatchObject({ code: 'POOL_BUSY' });
    const end = services.fileMaker.begin(lease.token);
    await services.pass(QUARANTINE_MS);
    expect(await b.keep()).toMatchObject({ released: 0, waiting: 1 });
    end?.();
    await services.pass(QUARANTINE_MS);
    expect(await b.keep()).toMatchObject({ released: 1 });
    await b.lease(WAIT);
    expect(services.fileMaker.overlaps).toBe(0);
  });
});
