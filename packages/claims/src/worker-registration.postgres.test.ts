import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createTestDatabase, eventually } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { claimsMigrations } from './migrations';
import { HEARTBEAT_MS, registerWorker, type WorkerRegistration } from './worker-registration';

let database: Database;
let end: () => Promise<void>;
const registered: WorkerRegistration[] = [];

// Hearts beat when a test lets them: one that beats by itself brings back, now and then, whom a test has just silenced.
beforeEach(() => {
  jest.useFakeTimers({
    doNotFake: [
      'Date',
      'hrtime',
      'nextTick',
      'performance',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setTimeout',
      'clearTimeout',
    ],
  });
});

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations]);
  database = createDatabase({ url: created.url, poolMax: 8, applicationName: 'claims-test' });
  end = async () => {
    await database.close();
    await created.drop();
  };
});
afterEach(async () => {
  await Promise.all(registered.splice(0).map((worker) => worker.stop()));
  jest.useRealTimers();
});
afterAll(() => end());

/** Heard an hour in the future: it lives until a test says otherwise, however slowly that runs. */
async function register(): Promise<WorkerRegistration> {
  const worker = await registerWorker(database, { app: 'test' });
  registered.push(worker);
  await silent(worker.id, -3_600);
  return worker;
}
/** As if the last heartbeat had come so long ago, by PostgreSQL's clock. */
const silent = (id: string, seconds: number) =>
  database.executor.execute(
    sql`update claims.workers set heartbeat_at = clock_timestamp() - make_interval(secs => ${seconds}::float8) where id = ${id}`,
  );
const isAlive = async (asker: WorkerRegistration, id: string): Promise<boolean> => (await asker.alive([id])).has(id);
/** Resolves when a query of this kind waits for a lock. */
const waitsForLock = (text: string): Promise<true | undefined> =>
  eventually(`a query of ${text} waits for a lock`, async () => {
    const { rows } = await database.executor.execute(
      sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like ${`%${text}%`} and pid <> pg_backend_pid()`,
    );
    return rows.length > 0;
  });

test('a worker unheard for five seconds is dead, one unheard for four is alive', async () => {
  const [asker, worker] = [await register(), await register()];
  // Asked more than a second later it may be dead by right: once more then.
  await eventually('alive after four seconds of silence', async () => {
    await silent(worker.id, 4);
    return isAlive(asker, worker.id);
  });
  await silent(worker.id, 5.1);
  expect(await isAlive(asker, worker.id)).toBe(false);
});

test('a heartbeat brings a worker back that was silent for too long', async () => {
  const [asker, worker] = [await register(), await register()];
  await silent(worker.id, 60);
  expect(await isAlive(asker, worker.id)).toBe(false);
  const before = performance.now();
  jest.advanceTimersByTime(HEARTBEAT_MS);
  await eventually('alive again', () => isAlive(asker, worker.id));
  await eventually(
    'silent since this heartbeat and no longer',
    async () => worker.silentMs() < performance.now() - before,
  );
});

test('of several workers exactly the living are named, and unknown ones are dead', async () => {
  const [asker, other, dead] = [await register(), await register(), await register()];
  await silent(dead.id, 6);
  expect(await asker.alive([asker.id, other.id, dead.id, 'never-was'])).toEqual(new Set([asker.id, other.id]));
  expect(await asker.alive([])).toEqual(new Set());
});

test('a worker that stops is dead at once, and stopping twice is stopping once', async () => {
  const [asker, worker] = [await register(), await register()];
  await Promise.all([worker.stop(), worker.stop()]);
  expect(await isAlive(asker, worker.id)).toBe(false);
});

test('one of many contenders gets a duty, keeps it, and no other gets it while that one lives', async () => {
  const contenders = await Promise.all(Array.from({ length: 5 }, register));
  const taken = await Promise.all(contenders.map((worker) => worker.takeDuty('sweep')));
  expect(taken.filter((took) => took)).toHaveLength(1);
  expect(await Promise.all(contenders.map((worker) => worker.takeDuty('sweep')))).toEqual(taken);
});

test('a duty changes hands when it is laid down, when its holder stops, and when its holder dies', async () => {
  const [first, second] = [await register(), await register()];
  expect(await first.takeDuty('mirror')).toBe(true);
  await second.dropDuty('mirror'); // not its own: nothing happens
  expect(await second.takeDuty('mirror')).toBe(false);
  await first.dropDuty('mirror');
  expect(await second.takeDuty('mirror')).toBe(true);
  await second.stop();
  expect(await first.takeDuty('mirror')).toBe(true);
  const third = await register();
  expect(await third.takeDuty('mirror')).toBe(false);
  await silent(first.id, 6);
  expect(await third.takeDuty('mirror')).toBe(true);
});

test('whoever had to wait for a lock judges the holder by its heartbeat of now, not of before the wait', async () => {
  const [holder, other] = [await register(), await register()];
  await holder.takeDuty('slow');
  await silent(holder.id, 60);
  const claim = await database.transaction(async (tx) => {
    await tx.execute(sql`select 1 from claims.duties where name = 'slow' for update`);
    const waiting = other.takeDuty('slow');
    await waitsForLock('claims.duties');
    // It begins to beat again while the other one waits.
    await silent(holder.id, -3_600);
    return { waiting };
  });
  expect(await claim.waiting).toBe(false);
});

test('a worker that was gone for a week is forgotten, unless a duty still names it', async () => {
  const [gone, named] = [await register(), await register()];
  await named.takeDuty('archive');
  await gone.stop();
  await named.stop();
  await silent(gone.id, 8 * 86_400);
  await silent(named.id, 8 * 86_400);
  await register();
  const { rows } = await database.executor.execute(
    sql`select id from claims.workers where id in (${gone.id}, ${named.id})`,
  );
  expect(rows).toEqual([{ id: named.id }]);
});

test('a PostgreSQL that cannot be reached is told as a failed heartbeat and does not end the process', async () => {
  const own = createDatabase({ url: database.pool.options.connectionString ?? '', poolMax: 2, applicationName: 'own' });
  let worker: WorkerRegistration | undefined;
  const failure = await new Promise<Error>((resolve, reject) => {
    registerWorker(own, { app: 'test', onHeartbeatFailure: resolve }).then(async (one) => {
      worker = one;
      await own.close();
      jest.advanceTimersByTime(HEARTBEAT_MS);
    }, reject);
  });
  expect(failure.message).toContain('Failed query');
  await expect(worker?.stop()).rejects.toThrow();
});

describe('a process that was killed and started again in the same place', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  async function childPid(): Promise<number> {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    if (child.pid === undefined) throw new Error('the child has no number');
    return child.pid;
  }
  async function killed(): Promise<number> {
    const pid = await childPid();
    const child = children.at(-1);
    if (child === undefined) throw new Error('no child');
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    return pid;
  }
  /** As if the worker were that process. */
  const runsAs = (id: string, pid: number, place?: string) =>
    database.executor.execute(
      sql`update claims.workers set pid = ${pid}, place = coalesce(${place ?? null}, place) where id = ${id}`,
    );
  const hasEnded = async (id: string): Promise<boolean> => {
    const { rows } = await database.executor.execute(sql`select claims.has_ended(${id}) as ended`);
    return rows[0]?.ended === true;
  };

  test('finds the claims of its former life free at once, though that was heard a moment ago', async () => {
    const worker = await register();
    await runsAs(worker.id, await killed());
    const asker = await register();
    expect(await isAlive(asker, worker.id)).toBe(false);
    expect(await hasEnded(worker.id)).toBe(true);
  });

  test('leaves a living neighbour alone, and whoever runs in another place under any number', async () => {
    const [neighbour, elsewhere] = [await register(), await register()];
    await runsAs(neighbour.id, await childPid());
    await runsAs(elsewhere.id, await killed(), 'another machine');
    const asker = await register();
    expect(await asker.alive([neighbour.id, elsewhere.id])).toEqual(new Set([neighbour.id, elsewhere.id]));
    expect(await hasEnded(neighbour.id)).toBe(false);
  });

  test('a silent worker is dead and yet not known to have ended; one that stopped or never was has ended', async () => {
    const [silentOne, stopped] = [await register(), await register()];
    await runsAs(silentOne.id, await childPid());
    await silent(silentOne.id, 60);
    await stopped.stop();
    expect([await hasEnded(stopped.id), await hasEnded('never-was')]).toEqual([true, true]);
    expect(await hasEnded(silentOne.id)).toBe(false);
  });
});

test('a worker whose row a failover has lost is registered again by its next heartbeat', async () => {
  const [asker, worker] = [await register(), await register()];
  await database.executor.execute(sql`delete from claims.workers where id = ${worker.id}`);
  expect(await isAlive(asker, worker.id)).toBe(false);
  jest.advanceTimersByTime(HEARTBEAT_MS);
  await eventually('alive again', () => isAlive(asker, worker.id));
  await silent(worker.id, -3_600);
  expect(await worker.takeDuty('after the failover')).toBe(true);
});

test('a heartbeat that comes late does not bring back a worker that has stopped', async () => {
  const [asker, worker] = [await register(), await register()];
  await silent(worker.id, 60);
  await database.transaction(async (tx) => {
    await tx.execute(sql`update claims.workers set stopped_at = clock_timestamp() where id = ${worker.id}`);
    jest.advanceTimersByTime(HEARTBEAT_MS);
    await waitsForLock('claims.workers');
  });
  await eventually('the heartbeat has come', async () => {
    const { rows } = await database.executor.execute(
      sql`select 1 from claims.workers where id = ${worker.id} and heartbeat_at > clock_timestamp() - interval '55 seconds'`,
    );
    return rows.length > 0;
  });
  expect(await isAlive(asker, worker.id)).toBe(false);
});

describe('who counts as not dead', () => {
  const seconds = (count: number) => jest.spyOn(performance, 'now').mockReturnValue(count * 1_000);
  afterEach(() => jest.restoreAllMocks());
  /** All hearts beat, at so many seconds of this machine's clock. */
  async function beat(workers: readonly WorkerRegistration[], at: number): Promise<void> {
    seconds(at);
    jest.advanceTimersByTime(HEARTBEAT_MS);
    await eventually('the heartbeats are known', () => workers.every((worker) => worker.silentMs() === 0), {
      everyMs: 5,
    });
    for (const worker of workers) await silent(worker.id, -3_600);
  }

  test('a silent worker, for one that has not beaten long enough itself to judge; one that stopped is dead all the same', async () => {
    seconds(0);
    const [judge, silentOne, stopped] = [await register(), await register(), await register()];
    await stopped.stop();
    for (let second = 1; second <= 4; second += 1) await beat([judge, silentOne], second);
    await silent(silentOne.id, 60);
    expect(await judge.notDead([judge.id, silentOne.id, stopped.id])).toEqual(new Set([judge.id, silentOne.id]));
    await beat([judge, silentOne], 5);
    await silent(silentOne.id, 60);
    expect(await judge.notDead([judge.id, silentOne.id, stopped.id])).toEqual(new Set([judge.id]));
    expect(await judge.notDead([])).toEqual(new Set());
  });

  test('a living worker, after a stall of PostgreSQL that began while the question was in hand', async () => {
    seconds(0);
    const [judge, other] = [await register(), await register()];
    for (let second = 1; second <= 5; second += 1) await beat([judge, other], second);
    expect(judge.mayJudge()).toBe(true);
    const told = await database.transaction(async (tx) => {
      await tx.execute(sql`lock table claims.workers in access exclusive mode`);
      const asking = judge.notDead([other.id]);
      await waitsForLock('is_alive');
      // Six seconds later everybody's heartbeat is late.
      seconds(11);
      await tx.execute(
        sql`update claims.workers set heartbeat_at = clock_timestamp() - interval '6 seconds' where id = ${other.id}`,
      );
      return { asking };
    });
    expect(await told.asking).toEqual(new Set([other.id]));
  });
});
