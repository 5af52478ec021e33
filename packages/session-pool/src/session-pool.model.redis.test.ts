import fc from 'fast-check';
import { type PoolServices, startPoolServices } from '../tests/pool-services';
import { PoolError } from './pool-error';
import type { Lease, SessionPool } from './session-pool';

// Random histories against real Redis and PostgreSQL; FileMaker's own book of live sessions is the oracle, and a small
// model of who holds what tells which answers are right. RUNS in the environment makes it longer.
const RUNS = Number(process.env.RUNS ?? 12);
const CAP = 2;
const MINUTE = 60_000;
/** Past every margin: whatever may have been alive at FileMaker is dead, and the pool may believe so. */
const OUTLIVED_MS = 19 * MINUTE;

let services: PoolServices;
beforeAll(async () => {
  services = await startPoolServices();
});
afterAll(() => services.close());

/** What the test knows of a lease it was given. */
interface HeldLease {
  lease: Lease;
  pool: SessionPool;
  endCall: (() => void) | undefined;
  /** Something may have taken it: from then on only "no" and "yes" are allowed, and no giving back counts on it. */
  doubtful: boolean;
}

interface Worker {
  name: string;
  pool: SessionPool;
}

class World {
  held: HeldLease[] = [];
  workers: Worker[] = [];
  deadPools: SessionPool[] = [];
  #born = 0;

  async hire(at: number): Promise<void> {
    this.#born += 1;
    const name = `worker-${this.#born}`;
    const pool = await services.pool(name, { cap: CAP, redisTimeoutMs: 2_000 });
    this.workers[at] = { name, pool };
  }

  worker(at: number): Worker {
    const worker = this.workers[at % this.workers.length];
    if (worker === undefined) throw new Error('No worker');
    return worker;
  }

  /** The guarantees that hold at every moment. */
  check(): void {
    const { fileMaker } = services;
    expect(fileMaker.mostLive).toBeLessThanOrEqual(CAP);
    expect(fileMaker.overlaps).toBe(0);
    expect(fileMaker.unsafeCloses).toBe(0);
    const sure = this.held.filter((held) => !held.doubtful).map((held) => held.lease.sessionId);
    expect(new Set(sure).size).toBe(sure.length);
  }
}

type Step = { readonly title: string; run(world: World): Promise<void> };

const step = (title: string, run: (world: World) => Promise<void>): Step => ({ title, run });

const lease = fc.tuple(fc.nat(9), fc.boolean()).map(([at, sends]) =>
  step(`lease ${at}${sends ? ' and send' : ''}`, async (world) => {
    const { pool } = world.worker(at);
    try {
      const granted = await pool.lease({ waitMs: 60 });
      const held: HeldLease = { lease: granted, pool, endCall: undefined, doubtful: false };
      world.held.push(held);
      if (!sends) return;
      expect(await pool.stillMine(granted)).toBe(true);
      held.endCall = services.fileMaker.begin(granted.token);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      expect(error.code).toMatch(/^POOL_(BUSY|CAPACITY|UNAVAILABLE|HALTED)$/);
    }
  }),
);

const send = fc.nat(9).map((at) =>
  step(`send ${at}`, async (world) => {
    const held = world.held[at % Math.max(1, world.held.length)];
    if (held === undefined || held.endCall !== undefined) return;
    const mine = await held.pool.stillMine(held.lease);
    if (!held.doubtful) expect(mine).toBe(true);
    // The promise of stillMine: whoever got "yes" is alone on the token.
    if (mine) held.endCall = services.fileMaker.begin(held.lease.token);
  }),
);

const giveBack = fc.tuple(fc.nat(9), fc.boolean()).map(([at, heard]) =>
  step(`give back ${at} ${heard ? 'heard' : 'unheard'}`, async (world) => {
    const [held] = world.held.splice(at % Math.max(1, world.held.length), 1);
    if (held === undefined) return;
    if (heard) held.endCall?.();
    const done = await held.pool.giveBack(held.lease, heard ? 'idle' : 'quarantine');
    if (!held.doubtful) expect(done).toBe(true);
    // The script goes on a while; it ends before anybody may take the session as free.
    if (!heard) running.push(held.endCall);
  }),
);

/** Calls whose caller has gone. */
const running: ((() => void) | undefined)[] = [];
const endCalls = fc.constant(
  step('calls end', async () => {
    for (const end of running.splice(0)) end?.();
  }),
);

const crash = fc.nat(1).map((at) =>
  step(`crash ${at}`, async (world) => {
    const { name, pool } = world.worker(at);
    services.alive.delete(name);
    world.deadPools.push(pool);
    for (const held of world.held.filter((each) => each.pool === pool)) running.push(held.endCall);
    world.held = world.held.filter((each) => each.pool !== pool);
    await world.hire(at);
  }),
);

const keep = fc.nat(9).map((at) => step(`keep ${at}`, async (world) => void (await world.worker(at).pool.keep())));

const flush = fc.constant(
  step('FLUSHALL', async (world) => {
    await services.redisService.flush();
    for (const held of world.held) held.doubtful = true;
  }),
);

const pass = fc
  .constantFrom(1_000, 3_000, 3_000, 10_000, 30_000, 100_000, 6 * MINUTE, 14 * MINUTE, OUTLIVED_MS)
  .map((ms) =>
    step(`${ms} ms pass`, async (world) => {
      await services.pass(ms);
      if (ms >= 90_000) for (const held of world.held) held.doubtful = true;
    }),
  );

const restart = fc.boolean().map((told) =>
  step(`FileMaker restarts${told ? ', told' : ''}`, async (world) => {
    services.fileMaker.restart();
    running.splice(0);
    for (const held of world.held) {
      held.doubtful = true;
      held.endCall = undefined;
    }
    if (told) await world.worker(0).pool.flushEpoch();
  }),
);

const loginTrouble = fc
  .constantFrom('lost-answer', 'capacity', 'other', 'unavailable', 'unheard')
  .map((mode) => step(`next login: ${mode}`, async () => services.fileMaker.next(mode as 'capacity')));

/** Both workers want everything at once. */
const rush = fc.constant(
  step('rush', async (world) => {
    const all = await Promise.allSettled(
      Array.from({ length: 6 }, (_, at) => {
        const { pool } = world.worker(at);
        return pool.lease({ waitMs: 60 }).then((granted) => ({ granted, pool }));
      }),
    );
    for (const each of all) {
      if (each.status === 'fulfilled') await each.value.pool.giveBack(each.value.granted, 'idle');
    }
  }),
);

/** The road most likely to put two calls on one token: an answer is lost, time passes, and others want the session. */
const takeover = fc.tuple(lease, giveBack, keep, lease).map(([first, back, look, second]) =>
  step(`takeover: ${first.title}, ${back.title}, 3000 ms pass, ${look.title}, ${second.title}`, async (world) => {
    await first.run(world);
    await back.run(world);
    await services.pass(3_000);
    await look.run(world);
    await second.run(world);
  }),
);

const history = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: lease },
    { weight: 5, arbitrary: send },
    { weight: 6, arbitrary: giveBack },
    { weight: 5, arbitrary: keep },
    { weight: 3, arbitrary: pass },
    { weight: 1, arbitrary: endCalls },
    { weight: 2, arbitrary: rush },
    { weight: 3, arbitrary: takeover },
    { weight: 1, arbitrary: crash },
    { weight: 1, arbitrary: flush },
    { weight: 1, arbitrary: restart },
    { weight: 2, arbitrary: loginTrouble },
  ),
  { minLength: 25, maxLength: 60, size: 'max' },
);

/** However it went: once calls have ended and time has passed, the whole cap can be lent again and nothing is left over. */
async function recover(world: World): Promise<void> {
  for (const held of world.held) {
    held.endCall?.();
    await held.pool.giveBack(held.lease, 'idle');
  }
  for (const end of running.splice(0)) end?.();
  services.fileMaker.behave();
  const { pool } = world.worker(0);
  for (let round = 0; round < 4; round += 1) {
    await services.pass(round === 0 ? 100_000 : OUTLIVED_MS);
    await pool.keep();
    world.check();
  }
  const all = await Promise.all(Array.from({ length: CAP }, () => pool.lease({ waitMs: 10_000 })));
  world.check();
  expect(await pool.census()).toMatchObject({ opening: 0, idle: 0, leased: CAP, quarantined: 0, closing: 0 });
  expect(services.fileMaker.live()).toBe(CAP);
  await Promise.all(all.map((each) => pool.giveBack(each, 'idle')));
}

test(
  'in every history of leases, crashes, lost answers, flushes, restarts and clock steps the cap holds and no session is lost for good',
  async () => {
    await fc.assert(
      fc
        .asyncProperty(history, async (steps) => {
          const world = new World();
          await world.hire(0);
          await world.hire(1);
          for (const each of steps) {
            await each.run(world);
            world.check();
          }
          await recover(world);
        })
        .afterEach(async () => {
          running.splice(0);
          await services.reset();
        }),
      {
        numRuns: RUNS,
        ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED), path: process.env.RUN_PATH ?? '' }),
        reporter: (run) => {
          if (!run.failed) return;
          const steps = run.counterexample?.[0].map((each) => each.title).join('\n') ?? '';
          throw new Error(`seed ${run.seed}, path ${run.counterexamplePath}:\n${steps}\n${String(run.errorInstance)}`);
        },
      },
    );
  },
  60_000 + RUNS * 5_000,
);
