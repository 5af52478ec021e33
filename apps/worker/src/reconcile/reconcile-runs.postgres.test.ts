import { claimsMigrations, registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import type { BoundFlow, Finding, ReconcileContext, ReconcilePage, ReconcileWindow } from '@bridge/flow';
import { FileMakerNotAskedError } from '@bridge/flows';
import { createInbox, inboxMigrations } from '@bridge/inbox';
import { createRuns, type Run, reconciliationMigrations } from '@bridge/reconciliation';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { createReconcileRuns, type ReconcileRunsOptions } from './reconcile-runs';

let database: Database;
let end: () => Promise<void>;
const workers: WorkerRegistration[] = [];
beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, inboxMigrations, reconciliationMigrations]);
  database = createDatabase({ url: created.url, poolMax: 6, applicationName: 'reconcile-runs-test' });
  end = async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await database.close();
    await created.drop();
  };
});
beforeEach(() => database.executor.execute(sql`truncate reconciliation.runs, reconciliation.findings, inbox.events`));
afterAll(() => end());

const FLOW_PASS = { flow: 'invoices', pass: 'recent' };
const finding = (n: number): Finding => ({
  class: 'paid-not-recorded',
  objectId: `cs_${n}`,
  stripeValue: 'paid',
  recordedValue: null,
  filemakerValue: null,
  amount: 100,
  currency: 'usd',
  message: 'missed',
  replay: {
    eventId: `found.cs_${n}`,
    eventType: 'checkout.session.completed',
    object: { id: `cs_${n}` },
    livemode: false,
    createdAt: new Date(),
  },
});
const page = (n: number): ReconcilePage => ({
  listed: 10,
  checked: 9,
  unasked: 1,
  cursor: n,
  findings: [finding(n)],
  compared: [],
  share: n / 3,
});

interface Stage {
  /** Called before each page; what it throws is the pass's failure. */
  before?: (n: number) => Promise<void> | void;
  options?: Partial<ReconcileRunsOptions>;
  pages?: number;
}

async function setup({ before, options, pages = 3 }: Stage = {}) {
  const worker = await registerWorker(database, { app: 'worker' });
  workers.push(worker);
  const told: { ended: string; because?: string; run: Run }[] = [];
  const successes: string[] = [];
  const enqueued: string[] = [];
  const begun: { cursor: unknown; window: ReconcileWindow }[] = [];
  const lookedAgain: (readonly string[] | undefined)[] = [];
  const pass = {
    name: 'recent',
    title: 'test',
    schedule: { everyMs: 1_000 },
    lookBackMs: 3_600_000,
    run: async function* (window: ReconcileWindow, context: ReconcileContext) {
      begun.push({ cursor: context.cursor, window });
      lookedAgain.push(await context.openObjects?.(10));
      for (let n = Number(context.cursor ?? 0) + 1; n <= pages; n += 1) {
        await before?.(n);
        yield page(n);
      }
    },
  };
  const flow = { name: 'invoices', passes: [pass] } as unknown as BoundFlow;
  const runs = createRuns(database);
  const reconcile = createReconcileRuns({
    database,
    runs,
    inbox: createInbox(database),
    flows: [flow],
    worker: worker.id,
    recoverFrom: () => new Date(0),
    observing: false,
    closedBecause: async () => undefined,
    judgeStripe: async () => undefined,
    restBecause: async () => undefined,
    enqueueEvents: async (events) => void enqueued.push(...events.map(({ eventId }) => eventId)),
    onScheduleSuccess: async (schedule) => void successes.push(schedule),
    onRun: (ending) => void told.push(ending),
    ...options,
  });
  const only = async (): Promise<Run> => {
    const [run, ...others] = await runs.list({ limit: 10 });
    if (run === undefined || others.length > 0) throw new Error(`${others.length + 1} runs`);
    return run;
  };
  const dueNow = () => database.executor.execute(sql`update reconciliation.runs set due_at = clock_timestamp()`);
  return { worker, runs, reconcile, told, successes, enqueued, begun, lookedAgain, only, dueNow };
}

test('a tick of the clock is carried out page by page to its end, counted as a success, and its events get jobs', async () => {
  const { reconcile, told, successes, enqueued, only } = await setup();
  expect(await reconcile.handle(FLOW_PASS)).toEqual({ kind: 'finished' });
  expect(await only()).toMatchObject({
    state: 'finished',
    pages: 3,
    listed: 30,
    checked: 27,
    unasked: 3,
    found: 3,
    acted: 3,
  });
  expect(successes).toEqual(['reconcile-invoices-recent']);
  expect(enqueued.map((id) => id.replace(/\.\d+$/, ''))).toEqual(['found.cs_1', 'found.cs_2', 'found.cs_3']);
  expect(told.map(({ ended }) => ended)).toEqual(['finished']);
});

test('a run of the clock is told what else is open, the run of a person who has said which time is not', async () => {
  const { reconcile, runs, lookedAgain } = await setup({ pages: 0 });
  await database.executor.execute(
    sql`insert into reconciliation.findings (flow, class, object_id, amount, currency, message, first_run, last_run)
        values ('invoices', 'amount-differs', 'cs_old', 1, 'usd', 'differs', 0, 0)`,
  );
  await reconcile.handle({ flow: 'invoices', pass: 'recent' });
  const person = { flow: 'invoices', pass: 'recent', askedBy: 'cli:ada', mode: 'act' } as const;
  const { id } = await runs.want({ ...person, since: new Date(0), until: new Date(1) });
  await reconcile.handle({ runId: id });
  expect(lookedAgain).toEqual([['cs_old'], undefined]);
});

test('case O: a storm of 429s costs a run its time, never its place', async () => {
  let storm = 3;
  const { reconcile, begun, only, dueNow, successes } = await setup({
    before: (n) => {
      if (n !== 2 || storm === 0) return;
      storm -= 1;
      throw new Error('429');
    },
    options: {
      judgeStripe: async () => ({ kind: 'wait', afterMs: 20_000, code: 'STRIPE_RATE_LIMITED', message: 'busy' }),
    },
  });
  for (let tick = 0; tick < 3; tick += 1) {
    expect(await reconcile.handle(FLOW_PASS)).toEqual({ kind: 'finished' });
    const waiting = await only();
    expect(waiting).toMatchObject({ state: 'wanted', pages: 1, reasonCode: 'STRIPE_RATE_LIMITED' });
    // Not due: another tick of the clock does nothing.
    await reconcile.handle(FLOW_PASS);
    expect(begun).toHaveLength(tick + 1);
    expect(successes).toEqual([]);
    await dueNow();
  }
  await reconcile.handle(FLOW_PASS);
  expect(begun.map(({ cursor }) => cursor)).toEqual([undefined, 1, 1, 1]);
  expect(await only()).toMatchObject({ state: 'finished', pages: 3, listed: 30, found: 3, acted: 3 });
});

test('case K: a failed run is not a finished one: the next begins where the last finished one ended', async () => {
  let refuse = true;
  const { reconcile, runs, told, successes, begun } = await setup({
    before: () => {
      if (refuse) throw new Error('refused');
    },
    options: {
      judgeStripe: async () => ({ kind: 'park', code: 'STRIPE_REQUEST_INVALID', message: 'refused for good' }),
    },
  });
  expect(await reconcile.handle(FLOW_PASS)).toEqual({
    kind: 'failed',
    reason: 'STRIPE_REQUEST_INVALID: refused for good',
  });
  expect([told.map(({ ended }) => ended), successes]).toEqual([['failed'], []]);
  await database.executor.execute(
    sql`update reconciliation.runs set until = until - interval '2 days', since = since - interval '2 days'`,
  );
  refuse = false;
  await reconcile.handle(FLOW_PASS);
  // Nothing has ever finished: the look-back alone counts, and the failed run moves no window.
  const [, second] = begun;
  expect((second?.window.until.getTime() ?? 0) - (second?.window.since.getTime() ?? 0)).toBe(3_600_000);
  expect((await runs.list({ limit: 10 })).map(({ state }) => state)).toEqual(['finished', 'failed']);
});

test('a fault of ours is tried again from the same place, five times in a row at most', async () => {
  const { reconcile, only, dueNow, begun } = await setup({
    before: (n) => {
      if (n === 2) throw new TypeError('a fault of ours');
    },
  });
  for (let tries = 1; tries <= 5; tries += 1) {
    await expect(reconcile.handle(FLOW_PASS)).rejects.toThrow('a fault of ours');
    expect(await only()).toMatchObject({
      state: tries === 5 ? 'failed' : 'wanted',
      reasonCode: 'RECONCILE_FAILED',
      pages: 1,
    });
    await dueNow();
  }
  expect(begun.map(({ cursor }) => cursor)).toEqual([undefined, 1, 1, 1, 1]);
});

test('a worker that is stopped lets its run go at the next page, and another goes on from there', async () => {
  const { reconcile, only } = await setup({
    before: (n) => {
      if (n === 2) reconcile.stop();
    },
  });
  await reconcile.handle(FLOW_PASS);
  const left = await only();
  expect(left).toMatchObject({ state: 'wanted', pages: 2, reasonCode: 'WORKER_STOPS' });
  const heir = await setup();
  expect(await heir.reconcile.handle({ runId: left.id })).toEqual({ kind: 'finished' });
  expect(heir.begun.map(({ cursor }) => cursor)).toEqual([2]);
  expect(await heir.only()).toMatchObject({ state: 'finished', pages: 3, acted: 3 });
});

test('while Stripe is closed a run waits and asks nothing; closed in the middle, it waits with its place', async () => {
  let closed = true;
  const { reconcile, begun, only, dueNow } = await setup({
    before: (n) => {
      closed = n === 2;
    },
    options: {
      closedBecause: async () => (closed ? { cause: 'circuit', detail: 'Stripe is away', afterMs: 1_000 } : undefined),
    },
  });
  await reconcile.handle(FLOW_PASS);
  expect(begun).toEqual([]);
  expect(await only()).toMatchObject({ state: 'wanted', reasonCode: 'circuit', reason: 'Stripe is away' });
  closed = false;
  await dueNow();
  await reconcile.handle(FLOW_PASS);
  expect(await only()).toMatchObject({ state: 'wanted', pages: 2 });
});

test('while FileMaker cannot be asked a thorough run waits as long as it says', async () => {
  const { reconcile, only } = await setup({
    before: () => {
      throw new FileMakerNotAskedError('FILEMAKER_UNAVAILABLE', 'FileMaker is away', 30_000);
    },
  });
  await reconcile.handle(FLOW_PASS);
  expect(await only()).toMatchObject({ state: 'wanted', reasonCode: 'FILEMAKER_UNAVAILABLE' });
});

test('near Stripe’s allowance the clock’s runs rest and say why; a person’s run goes on', async () => {
  const { reconcile, runs, begun, only } = await setup({ options: { restBecause: async () => '9000 of 10000 used' } });
  await reconcile.handle(FLOW_PASS);
  expect([begun, await only()]).toMatchObject([
    [],
    { state: 'wanted', reasonCode: 'STRIPE_ALLOWANCE', reason: '9000 of 10000 used' },
  ]);
  await database.executor.execute(sql`delete from reconciliation.runs`);
  const until = new Date();
  const order = {
    ...FLOW_PASS,
    mode: 'act',
    askedBy: 'cli:ada',
    since: new Date(until.getTime() - 1_000),
    until,
  } as const;
  const { id } = await runs.want(order);
  await reconcile.handle({ runId: id });
  expect(await only()).toMatchObject({ state: 'finished' });
});

test('a run that another worker has in hand is left to it, and its own worker’s second job does nothing', async () => {
  const other = await setup();
  const { run } = await other.runs.wantScheduled({ ...FLOW_PASS, lookBackMs: 1_000, leaveMs: 0 });
  await other.runs.claim(run.id, other.worker.id);
  const { reconcile, begun } = await setup();
  expect(await reconcile.handle({ runId: run.id })).toEqual({ kind: 'finished' });
  expect(await reconcile.handle(FLOW_PASS)).toEqual({ kind: 'finished' });
  expect(begun).toEqual([]);
});

test('a pass that is off is no failure of the clock; a person’s run of it fails and says so', async () => {
  const { reconcile, runs } = await setup();
  expect(await reconcile.handle({ flow: 'bookings', pass: 'recent' })).toEqual({ kind: 'finished' });
  expect(await runs.list({ limit: 10 })).toEqual([]);
  const until = new Date();
  const { id } = await runs.want({
    flow: 'bookings',
    pass: 'x',
    mode: 'act',
    askedBy: 'cli:ada',
    since: new Date(0),
    until,
  });
  expect(await reconcile.handle({ runId: id })).toMatchObject({ kind: 'failed' });
  expect(await runs.find(id)).toMatchObject({ state: 'failed', reasonCode: 'PASS_NOT_HERE' });
});
