import { sql } from 'drizzle-orm';
import { type PoolServices, startPoolServices, until } from '../tests/pool-services';
import type { Lease } from './lease';
import { PoolError } from './pool-error';
import type { SessionOpener } from './session-opener';
import type { SessionPool } from './session-pool';

let services: PoolServices;
beforeAll(async () => {
  services = await startPoolServices();
});
afterEach(() => services.reset());
afterAll(() => services.close());

const WAIT = { waitMs: 40_000 };

const leaseAll = (pool: SessionPool, count: number): Promise<Lease[]> =>
  Promise.all(Array.from({ length: count }, () => pool.lease(WAIT)));

async function codeOfRefusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof PoolError) return error.code;
    throw error;
  }
  throw new Error('Nothing was refused');
}

/** A login that waits until it is let in. */
function gate(): { open: () => void } {
  let open: () => void = () => undefined;
  services.fileMaker.loginGate = new Promise((resolve) => {
    open = resolve;
  });
  return { open };
}

test('a calm pool opens one session to try the ground, then as many at once as callers wait for, up to the cap', async () => {
  const pool = await services.pool('a', { cap: 6, loginsPerSecond: 5 });
  const first = gate();
  const leases = leaseAll(pool, 6);
  await until(() => services.fileMaker.logins === 1);
  const others = gate();
  first.open();
  await until(() => services.fileMaker.logins === 6);
  others.open();
  expect(new Set((await leases).map(({ sessionId }) => sessionId)).size).toBe(6);
  expect(services.fileMaker.mostLoginsAtOnce).toBe(5);
  for (const lease of await leases) await pool.giveBack(lease, 'idle');
});

// A FileMaker that drops every session as soon as it is open: what a restart, or a file that closes again and again,
// looks like from here.
test('in a storm of 952 all processes together log in no more often than one burst and the even pace', async () => {
  const { executor } = services.database;
  // Each login's moment is when its right was written: on its way to FileMaker a slow machine may hold it up.
  await executor.execute(sql`create table login_moments (at timestamptz not null)`);
  await executor.execute(sql`create function note_login() returns trigger language plpgsql as
    'begin insert into public.login_moments values (clock_timestamp()); return null; end'`);
  await executor.execute(sql`create trigger note_login after insert on session_pool.sessions
    for each row execute function note_login()`);
  const BURST = 4;
  const PER_SECOND = 20;
  const options = { cap: BURST, loginsPerSecond: PER_SECOND };
  const pools = [await services.pool('a', options), await services.pool('b', options)];
  const LOGINS = 30;
  const endAt = performance.now() + 40_000;
  const caller = async (pool: SessionPool): Promise<void> => {
    while (services.fileMaker.logins < LOGINS && performance.now() < endAt) {
      try {
        const lease = await pool.lease({ waitMs: 200 });
        services.fileMaker.restart();
        await pool.giveBack(lease, 'gone');
      } catch (error) {
        if (!(error instanceof PoolError)) throw error;
      }
    }
  };
  await Promise.all(pools.flatMap((pool) => Array.from({ length: 6 }, () => caller(pool))));
  await Promise.all(pools.map((pool) => pool.stop()));
  const { rows } = await executor.execute<{ ms: number }>(
    sql`select (extract(epoch from at) * 1000)::float8 as ms from login_moments order by at`,
  );
  await executor.execute(sql`drop trigger note_login on session_pool.sessions`);
  expect(rows.length).toBeGreaterThanOrEqual(LOGINS);
  for (const [from, start] of rows.entries()) {
    for (const [to, end] of rows.entries()) {
      if (to < from) continue;
      // The rounding of a clock that is told in microseconds.
      const allowed = BURST + ((end.ms - start.ms) * PER_SECOND) / 1_000 + 0.001;
      expect(to - from + 1).toBeLessThanOrEqual(allowed);
    }
  }
});

test('a burst that meets a full server finds out how much room there is, and does not stand still for it', async () => {
  // Three open, and then three are refused.
  let begun = 0;
  let refuse: () => void = () => undefined;
  const refusing = new Promise<void>((resolve) => {
    refuse = resolve;
  });
  const opener: SessionOpener = {
    open: async () => {
      begun += 1;
      if (begun > 3 && begun <= 6) await refusing;
      return services.fileMaker.open();
    },
    close: (token) => services.fileMaker.close(token),
    validate: (token) => services.fileMaker.validate(token),
    classify: (error) => services.fileMaker.classify(error),
  };
  services.fileMaker.next('open', 'open', 'open', 'capacity', 'capacity', 'capacity');
  const pool = await services.pool('a', { cap: 6, opener });
  const first = await Promise.race(Array.from({ length: 6 }, () => pool.lease(WAIT)));
  await until(async () => begun === 6 && (await pool.census()).opening === 3);
  refuse();
  await until(async () => (await pool.census()).effectiveCap === 3);
  expect(await pool.census()).toMatchObject({ opening: 0, cap: 6, effectiveCap: 3 });
  // Refusals that came together are one failure: the next try may be in a second, not in many.
  const { rows } = await services.database.executor.execute(sql`select failures from session_pool.pool`);
  expect(rows).toEqual([{ failures: 1 }]);
  await services.pass(3 * 60_000);
  await pool.keep();
  await until(() => services.fileMaker.logins === 7);
  expect(services.fileMaker.mostLive).toBeLessThanOrEqual(4);
  await pool.giveBack(first, 'idle');
});

test('after a refusal one login at a time tries the ground, and the first that goes well opens the door for the rest', async () => {
  const pool = await services.pool('a', { cap: 5 });
  services.fileMaker.next('other');
  expect(await codeOfRefusal(pool.lease(WAIT))).toBe('POOL_UNAVAILABLE');
  await services.pass(30_000);
  await pool.keep();
  services.fileMaker.mostLoginsAtOnce = 0;
  const door = gate();
  const all = leaseAll(pool, 5);
  await until(() => services.fileMaker.logins === 2);
  await pool.keep();
  expect(services.fileMaker.mostLoginsAtOnce).toBe(1);
  door.open();
  await all;
  expect(services.fileMaker.logins).toBe(6);
});

// A server that has just restarted may take the connection and never answer; each such login costs a place for a
// quarter of an hour.
test('after a restart of FileMaker a login without an answer costs one place, not the whole cap', async () => {
  const pool = await services.pool('a', { cap: 5 });
  const leases = await leaseAll(pool, 5);
  services.fileMaker.restart();
  for (const lease of leases) await pool.giveBack(lease, 'gone');
  await pool.flushEpoch(leases[0]?.epoch);
  services.fileMaker.mode = 'lost-answer';
  const all = Array.from({ length: 5 }, () => codeOfRefusal(pool.lease(WAIT)));
  expect(new Set(await Promise.all(all))).toEqual(new Set(['POOL_UNAVAILABLE']));
  expect(await pool.census()).toMatchObject({ opening: 1 });
});

test('whoever waits looks by himself no more than twice a second, and one process no more often than one caller', async () => {
  const pool = await services.pool('a', { cap: 1 });
  const held = await pool.lease(WAIT);
  const asked = jest.spyOn(services.redis, 'sendCommand');
  const began = performance.now();
  const waiting = Array.from({ length: 40 }, () => codeOfRefusal(pool.lease({ waitMs: 1_200 })));
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['POOL_BUSY']));
  const seconds = (performance.now() - began) / 1_000;
  // The first look, and then one each half second.
  expect(asked.mock.calls.length).toBeLessThanOrEqual(1 + Math.ceil(seconds * 2));
  asked.mockRestore();
  await pool.giveBack(held, 'idle');
});

test('a session whose quarantine ends is looked at in that moment, not at the next round of the keeper', async () => {
  const lonely = { cap: 1, quarantineMs: 1_000, safetyPollMs: 3_600_000 };
  const pool = await services.pool('a', lonely);
  const lease = await pool.lease(WAIT);
  await pool.giveBack(lease, 'quarantine');
  // Its first round finds the session in quarantine; the second would come in a quarter of an hour at the earliest.
  const other = await services.pool('b', { ...lonely, keepEveryMs: 3_600_000 });
  expect((await other.lease(WAIT)).sessionId).toBe(lease.sessionId);
});
