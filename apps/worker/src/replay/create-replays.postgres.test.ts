import { registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { type BoundFlow, createRoad, type Decision, defineFlow, type PeerFailure } from '@bridge/flow';
import { createInbox } from '@bridge/inbox';
import type { NewJob } from '@bridge/jobs';
import {
  allMigrations,
  askReplay,
  findReplayPlan,
  type LogWord,
  listReplayItems,
  type ReplayArgs,
  type ReplayItem,
  readReplayProgress,
  sendReplay,
} from '@bridge/operations';
import { StripeCallError, type StripeObject } from '@bridge/stripe-client';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { createReplays, type Replays, type ReplaysOptions } from './create-replays';
import { createOrderOf } from './order-of';

let database: Database;
let drop: () => Promise<void>;
let worker: WorkerRegistration;
let started: Replays[];

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations([]));
  database = createDatabase({ url: created.url, poolMax: 8, applicationName: 'replays-test' });
  worker = await registerWorker(database, { app: 'worker' });
  drop = created.drop;
});
beforeEach(() => {
  started = [];
  return database.executor.execute(
    sql`truncate operations.replay_items, operations.replay_plans, inbox.events, effects.attempts, effects.effects, claims.duties`,
  );
});
afterEach(() => Promise.all(started.map((replays) => replays.stop())));
afterAll(async () => {
  await worker.stop();
  await database.close();
  await drop();
});

const asked = { by: 'cli:ada', why: 'lost webhooks' };
const away: PeerFailure = { kind: 'wait', afterMs: 100, code: 'STRIPE_UNAVAILABLE', message: 'HTTP 503' };

/** Stripe as a map of payments, what is asked of it, and what goes wrong. */
interface FakeStripe {
  payments: Map<string, { quantity: string }>;
  asked: string[];
  pagesAsked: number;
  fail(about: string): void;
}
const stripeOf = (count: number): FakeStripe => ({
  payments: new Map(Array.from({ length: count }, (_, at) => [`cs_${at + 1}`, { quantity: '1' }])),
  asked: [],
  pagesAsked: 0,
  fail: () => undefined,
});

const PAGE = 10;
function flowOf(stripe: FakeStripe): BoundFlow {
  const event = (objectId: string) => ({
    objectId,
    eventType: 'checkout.session.completed',
    object: { id: objectId },
    livemode: false,
    createdAt: null,
  });
  return defineFlow<object, object, { id: string; quantity: string }, undefined, never>({
    name: 'invoices',
    title: 'payments',
    wants: ['checkout.session.completed'],
    settings: z.object({}),
    facts: {},
    migrations: { owner: 'invoices', directory: '' },
    onEvent: {
      gather: async ({ object }) => {
        const id = String(object.id);
        stripe.asked.push(id);
        stripe.fail(id);
        const payment = stripe.payments.get(id);
        if (payment === undefined) throw new StripeCallError('STRIPE_NOT_FOUND', 'refused', { endpoint: 'sessions' });
        return { id, ...payment };
      },
      load: async () => undefined,
      decide: ({ event: { eventId, order }, gathered: { id, quantity } }): Decision<never>[] => {
        stripe.fail(`decide ${id}`);
        return [
          {
            kind: 'effect',
            plan: {
              kind: 'filemaker-script',
              flow: 'invoices',
              key: `invoice-paid:${id}`,
              lane: `invoice:${order?.invoice ?? id}`,
              title: `Mark invoice ${id} paid`,
              target: { script: 'PAID' },
              body: JSON.stringify({ invoice_id: order?.invoice ?? id, quantity, event_id: eventId }),
              subject: { invoiceId: order?.invoice ?? id, amount: 18_000, currency: 'usd' },
              origin: 'operator',
              checkFirst: true,
            },
          },
        ];
      },
      write: async () => undefined,
    },
    reconcile: { passes: [] },
    records: { find: async () => [], succeededBetween: async function* () {}, writtenBetween: async function* () {} },
    replay: {
      volatile: [],
      find: async (word) => (word.startsWith('cs_') ? [event(word)] : word === 'nobody' ? [] : undefined),
      succeededBetween: async function* (_window, { cursor }) {
        const ids = [...stripe.payments.keys()];
        for (let from = Number(cursor ?? 0); from < ids.length; from += PAGE) {
          stripe.pagesAsked += 1;
          stripe.fail(`page ${from}`);
          yield { events: ids.slice(from, from + PAGE).map(event), cursor: from + PAGE };
        }
      },
    },
  }).bind({}, {});
}

interface Bench {
  replays: Replays;
  stripe: FakeStripe;
  flow: BoundFlow;
  jobs: NewJob[];
  questions: string[][];
}
function benchOf(stripe: FakeStripe, rest: Partial<ReplaysOptions> = {}): Bench {
  const flow = flowOf(stripe);
  const jobs: NewJob[] = [];
  const questions: string[][] = [];
  const replays = createReplays({
    database,
    inbox: createInbox(database),
    effects: createEffectStore(database),
    registration: worker,
    flows: [flow],
    retrieveEvent: async (id): Promise<StripeObject> => {
      if (id === 'evt_kept')
        return {
          id,
          object: 'event',
          type: 'checkout.session.completed',
          livemode: false,
          created: 1_700_000_000,
          data: { object: { id: 'cs_1', object: 'checkout.session' } },
        };
      throw new StripeCallError('STRIPE_NOT_FOUND', 'refused', { endpoint: 'events' });
    },
    findingEvent: async (id) =>
      id === '12'
        ? {
            objectId: 'cs_2',
            eventType: 'checkout.session.completed',
            object: { id: 'cs_2' },
            livemode: false,
            createdAt: null,
          }
        : id === '13'
          ? null
          : undefined,
    askLog: async (asking) => {
      questions.push(asking.map(({ key }) => key));
      return new Map(asking.map(({ key }): [string, LogWord] => [key, 'not-there']));
    },
    judgeFailure: async (error) => {
      if (!(error instanceof StripeCallError)) return undefined;
      return error.code === 'STRIPE_NOT_FOUND'
        ? { kind: 'park', code: error.code, message: error.message }
        : { ...away, code: error.code };
    },
    recoverFrom: () => new Date(0),
    closedBecause: async () => undefined,
    underWayMax: 2,
    turnMs: 0,
    performs: true,
    idsOf: async (id) => [id],
    enqueue: async (some) => void jobs.push(...some),
    onEnded: () => undefined,
    onError: () => undefined,
    ...rest,
  });
  started.push(replays);
  return { replays, stripe, flow, jobs, questions };
}

const TURNS_MAX = 2_000;
/** Turns as the queue would give them, until the plan leaves these states; a turn that throws is given again. */
async function turns(
  { replays }: Pick<Bench, 'replays'>,
  id: string,
  whileIn: readonly string[],
  between: () => Promise<void> = async () => undefined,
): Promise<number> {
  let thrown = 0;
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    const plan = await findReplayPlan(database.executor, id);
    if (plan === undefined || !whileIn.includes(plan.state)) return thrown;
    await replays.turn(id).catch(() => {
      thrown += 1;
    });
    await between();
  }
  throw new Error(`no end after ${TURNS_MAX} turns`);
}
const plan = (bench: Pick<Bench, 'replays'>, id: string): Promise<number> => turns(bench, id, ['wanted', 'planning']);
const items = (id: string): Promise<ReplayItem[]> => listReplayItems(database.executor, id, { limit: 10_000 });
const ask = (args: Partial<ReplayArgs>): Promise<string> => askReplay(database, { words: [], ...args }, asked);
const RANGE = { since: '2026-11-22T08:00:00Z', until: '2026-11-22T09:00:00Z' };

/** The rest of the bridge: events go their road, planned effects are done once. Returns how often each was done. */
function bridgeOf(flow: BoundFlow) {
  const inbox = createInbox(database);
  const road = createRoad({
    database,
    inbox,
    effects: createEffectStore(database),
    worker: worker.id,
    flows: [flow],
    judgeFailure: async () => undefined,
    observe: false,
    orderOf: createOrderOf(),
  });
  const done = new Map<string, { times: number; body: string }>();
  /** Events are decided, and nothing is sent yet. */
  const decide = async (): Promise<void> => {
    for (const { id } of await inbox.due(100, 0)) await road.turn(id);
  };
  return {
    done,
    decide,
    work: async (): Promise<void> => {
      await decide();
      const planned = await rows<{ key: string; body: string }>(
        database.executor,
        sql`update effects.effects e set state = 'done', attempts = 1, verified = true, settled_at = clock_timestamp(), first_sent_at = clock_timestamp()
            where state = 'planned' and not exists (select 1 from effects.effects o where o.lane = e.lane and o.state = 'unknown') returning key, convert_from(body, 'UTF8') as body`,
      );
      for (const { key, body } of planned) done.set(key, { times: (done.get(key)?.times ?? 0) + 1, body });
    },
  };
}

test('a range is planned page by page, through faults at any page and any payment, each payment looked at once', async () => {
  const stripe = stripeOf(500);
  let asks = 0;
  stripe.fail = () => {
    asks += 1;
    if (asks % 37 === 0) throw new Error('the process died here');
  };
  const bench = benchOf(stripe);
  const id = await ask(RANGE);
  const thrown = await plan(bench, id);
  expect(thrown).toBeGreaterThan(5);
  const found = await items(id);
  expect(found.map(({ objectId }) => objectId)).toEqual([...stripe.payments.keys()]);
  expect(new Set(found.map(({ verdict }) => verdict))).toEqual(new Set(['would-apply']));
  // A fault costs the question that met it, no more.
  expect(stripe.asked.length).toBeLessThanOrEqual(500 + asks / 37);
  expect(stripe.pagesAsked).toBeLessThanOrEqual(50 + thrown);
  expect(Math.max(...bench.questions.map((keys) => keys.length))).toBeLessThanOrEqual(50);
  expect(bench.questions.length).toBeLessThanOrEqual(10 + thrown);
}, 180_000);

test('a plan is sent piece by piece, by several workers at once, never more than its share under way, each once', async () => {
  const stripe = stripeOf(60);
  const bench = benchOf(stripe);
  const id = await ask(RANGE);
  await plan(bench, id);
  await sendReplay(database, id, asked);
  const bridge = bridgeOf(bench.flow);
  const others = await Promise.all([
    registerWorker(database, { app: 'worker' }),
    registerWorker(database, { app: 'worker' }),
  ]);
  const workers = [bench, ...others.map((registration) => benchOf(stripe, { registration }))];
  const underWay: number[] = [];
  let round = 0;
  await turns(bench, id, ['sending'], async () => {
    await Promise.all(workers.map(({ replays }) => replays.turn(id)));
    const [row] = await rows<{ n: number }>(
      database.executor,
      sql`select count(*)::int as n from operations.replay_items where sent_at is not null and settled_at is null`,
    );
    underWay.push(row?.n ?? 0);
    round += 1;
    // The rest of the bridge is slower than replays ask.
    if (round % 2 === 0) await bridge.work();
  });
  await Promise.all(others.map((registration) => registration.stop()));
  expect(Math.max(...underWay)).toBe(2);
  expect([...bridge.done.values()].filter(({ times }) => times !== 1)).toEqual([]);
  expect(bridge.done.size).toBe(60);
  expect(await readReplayProgress(database.executor, id)).toMatchObject({
    acting: 60,
    sent: 60,
    byOutcome: { applied: 60 },
  });
  // Said again, the same plan changes nothing.
  await sendReplay(database, id, asked);
  await bench.replays.turn(id);
  await bridge.work();
  expect([...bridge.done.values()].filter(({ times }) => times !== 1)).toEqual([]);
}, 180_000);

test('payments whose invoices are held by another effect free their places after a while: the others go, and the plan comes to its end', async () => {
  const bench = benchOf(stripeOf(6));
  const id = await ask(RANGE);
  await plan(bench, id);
  await sendReplay(database, id, asked);
  const bridge = bridgeOf(bench.flow);
  for (const invoice of ['cs_1', 'cs_2', 'cs_3'])
    await database.executor.execute(
      sql`insert into effects.effects (kind, flow, key, lane, title, target, subject, origin, state, unknown_since, attempts, reason_code)
          values ('filemaker-script', 'invoices', ${`other:${invoice}`}, ${`invoice:${invoice}`}, 'Another one', '{}', '{}', 'webhook', 'unknown', clock_timestamp(), 1, 'TIMEOUT')`,
    );
  await turns(bench, id, ['sending'], async () => {
    await bridge.work();
    // As if half a minute had passed since each was sent.
    await database.executor.execute(
      sql`update operations.replay_items set sent_at = sent_at - interval '30 seconds' where settled_at is null and sent_at is not null`,
    );
  });
  const ended = (await items(id)).map(({ objectId, outcome, outcomeCode }) => [objectId, outcome, outcomeCode]);
  expect(ended).toEqual([
    ...['1', '2', '3'].map((n) => [`cs_${n}`, 'on-its-way', 'BEHIND_IN_LANE']),
    ...['4', '5', '6'].map((n) => [`cs_${n}`, 'applied', null]),
  ]);
});

test('several payments of one invoice wait for each other however slow the first is, and none is told to stand still', async () => {
  const bench = benchOf(stripeOf(3));
  const id = await ask({ words: ['cs_1', 'cs_2', 'cs_3'], invoice: '18637' });
  await plan(bench, id);
  await sendReplay(database, id, asked);
  const bridge = bridgeOf(bench.flow);
  await turns(bench, id, ['sending'], async () => {
    await bridge.decide();
    // As if half a minute had passed since, with the one in front on its way all the time.
    await database.executor.execute(
      sql`update operations.replay_items set sent_at = sent_at - interval '30 seconds' where settled_at is null and sent_at is not null`,
    );
    await bench.replays.turn(id);
    await bridge.work();
  });
  expect((await items(id)).map(({ objectId, outcome }) => [objectId, outcome])).toEqual(
    ['cs_1', 'cs_2', 'cs_3'].map((one) => [one, 'applied']),
  );
});

test('exactly what was shown is sent: of payments that changed at Stripe in between, none; the others go', async () => {
  const bench = benchOf(stripeOf(4));
  const id = await ask({ words: ['cs_1', 'cs_2', 'cs_3'], invoice: '18637' });
  await plan(bench, id);
  bench.stripe.payments.set('cs_2', { quantity: '2' });
  await sendReplay(database, id, asked);
  const bridge = bridgeOf(bench.flow);
  await turns(bench, id, ['sending'], bridge.work);
  expect((await items(id)).map(({ objectId, outcome, outcomeCode }) => [objectId, outcome, outcomeCode])).toEqual([
    ['cs_1', 'applied', null],
    ['cs_2', 'changed-since', 'CHANGED_SINCE'],
    ['cs_3', 'applied', null],
  ]);
  expect([...bridge.done.keys()].sort()).toEqual(['invoice-paid:cs_1', 'invoice-paid:cs_3']);
  expect(JSON.parse(bridge.done.get('invoice-paid:cs_1')?.body ?? '')).toMatchObject({
    invoice_id: '18637',
    quantity: '1',
  });
  // Planned anew it is shown with what differs from what was sent before.
  bench.stripe.payments.set('cs_1', { quantity: '3' });
  const again = await ask({ words: ['cs_1', 'cs_2'], invoice: '18637' });
  await plan(bench, again);
  expect(await items(again)).toMatchObject([
    { verdict: 'already-applied', difference: ['quantity'] },
    { verdict: 'would-apply', difference: [] },
  ]);
});

test('every kind of word is understood, and one that names nothing is told', async () => {
  const bench = benchOf(stripeOf(2));
  await createInbox(database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId: 'evt_ours',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: 'cs_2',
      eventCreatedAt: null,
      body: Buffer.from('{}'),
      ignoredBecause: null,
    },
  ]);
  const words = [
    'evt_ours',
    'evt_kept',
    'evt_gone',
    'finding:12',
    'finding:13',
    'finding:14',
    'cs_9',
    'nobody',
    'cus_1',
  ];
  const id = await ask({ words });
  await plan(bench, id);
  const byWord = new Map((await items(id)).map((item) => [item.word, item]));
  const told = (word: string) => [byWord.get(word)?.objectId, byWord.get(word)?.verdict];
  expect(told('evt_ours')).toEqual(['cs_2', 'would-apply']);
  expect(told('evt_kept')).toEqual(['cs_1', 'would-apply']);
  // The same payment as the first word's: one row.
  expect(told('finding:12')).toEqual([undefined, undefined]);
  for (const word of ['evt_gone', 'finding:13', 'finding:14', 'nobody', 'cus_1'])
    expect(told(word)).toEqual([word, 'not-found']);
  expect(told('cs_9')).toEqual(['cs_9', 'not-found']);
});

test('a payment that Stripe cannot serve holds up no other, and is told after a few looks', async () => {
  const bench = benchOf(stripeOf(3));
  bench.stripe.fail = (about) => {
    if (about === 'cs_2') throw new StripeCallError('STRIPE_UNAVAILABLE', 'unheard', { endpoint: 'sessions' });
  };
  const id = await ask({ words: ['cs_1', 'cs_2', 'cs_3'] });
  await plan(bench, id);
  expect((await items(id)).map(({ verdict, reasonCode }) => [verdict, reasonCode])).toEqual([
    ['would-apply', null],
    ['parked', 'STRIPE_UNAVAILABLE'],
    ['would-apply', null],
  ]);
  expect(bench.stripe.asked.filter((about) => about === 'cs_1')).toHaveLength(1);
});

test.each([
  ['read', 'cs_2'],
  ['decide about', 'decide cs_2'],
])('a payment that a fault of ours cannot %s is told as such, and holds up no other', async (_what, where) => {
  const bench = benchOf(stripeOf(3));
  bench.stripe.fail = (about) => {
    if (about === where) throw new TypeError('with a@b.example inside');
  };
  const id = await ask({ words: ['cs_1', 'cs_2', 'cs_3'] });
  await plan(bench, id);
  const found = await items(id);
  expect(found.map(({ verdict }) => verdict)).toEqual(['would-apply', 'parked', 'would-apply']);
  expect(found[1]).toMatchObject({ reasonCode: 'PREVIEW_FAILED', reason: 'It cannot be looked at: TypeError' });
});

test('while Stripe is away nothing is given up, and the plan says what it waits for', async () => {
  let stripeAway = true;
  const closure = { code: 'STRIPE_UNAVAILABLE', message: 'Stripe is away' };
  const bench = benchOf(stripeOf(1), {
    closedBecause: async (scope) => (stripeAway && scope === 'stripe' ? closure : undefined),
  });
  const id = await ask({ words: ['cs_1'] });
  for (let turn = 0; turn < 10; turn += 1) expect(await bench.replays.turn(id)).toMatchObject({ kind: 'later' });
  expect(await findReplayPlan(database.executor, id)).toMatchObject({ state: 'wanted', reason: 'Stripe is away' });
  expect(bench.stripe.asked).toEqual([]);
  stripeAway = false;
  await plan(bench, id);
  expect(await findReplayPlan(database.executor, id)).toMatchObject({ state: 'ready', reason: null });
});

test('a key that may not read fails the plan with the reason', async () => {
  const bench = benchOf(stripeOf(1), {
    judgeFailure: async () => ({ kind: 'park', code: 'STRIPE_PERMISSION', message: 'may not list' }),
  });
  bench.stripe.fail = () => {
    throw new StripeCallError('STRIPE_PERMISSION', 'refused', { endpoint: 'sessions' });
  };
  const id = await ask(RANGE);
  expect(await bench.replays.turn(id)).toMatchObject({ kind: 'failed' });
  expect(await findReplayPlan(database.executor, id)).toMatchObject({
    state: 'failed',
    reasonCode: 'STRIPE_PERMISSION',
  });
});

test('while FileMaker is closed nothing more is sent', async () => {
  let closed = false;
  const closure = { code: 'PAUSED', message: 'server update' };
  const bench = benchOf(stripeOf(2), {
    closedBecause: async (scope) => (closed && scope === 'filemaker' ? closure : undefined),
  });
  const id = await ask({ words: ['cs_1', 'cs_2'] });
  await plan(bench, id);
  await sendReplay(database, id, asked);
  closed = true;
  await bench.replays.turn(id);
  expect((await createInbox(database).counts()).received).toBe(0);
  expect(await findReplayPlan(database.executor, id)).toMatchObject({ state: 'sending', reasonCode: 'PAUSED' });
});

test('a plan that a living worker has in hand is left to it, and taken over when that one is gone', async () => {
  const bench = benchOf(stripeOf(1));
  const id = await ask({ words: ['cs_1'] });
  const other = await registerWorker(database, { app: 'worker' });
  expect(await other.takeDuty(`replay:${id}`)).toBe(true);
  expect(await bench.replays.turn(id)).toEqual({ kind: 'finished' });
  expect([bench.stripe.asked, (await findReplayPlan(database.executor, id))?.state]).toEqual([[], 'wanted']);
  await other.stop();
  await plan(bench, id);
  expect((await findReplayPlan(database.executor, id))?.state).toBe('ready');
});

test('a plan is found without any job for it, by one worker, and is not looked for again while somebody has it', async () => {
  let enqueued: (jobs: readonly NewJob[]) => void = () => undefined;
  const first = new Promise<readonly NewJob[]>((resolve) => {
    enqueued = resolve;
  });
  const id = await ask({ words: ['cs_1'] });
  benchOf(stripeOf(1), { enqueue: async (jobs) => enqueued(jobs) });
  expect(await first).toEqual([{ queue: 'replays', id: `replay-${id}.1`, data: { planId: id } }]);
});
