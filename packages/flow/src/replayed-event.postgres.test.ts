import { claimsMigrations, registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore, type EffectPlan, effectsMigrations } from '@bridge/effects';
import { createInbox, type EventSource, inboxMigrations } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import { z } from 'zod';
import { type BoundFlow, type Decision, defineFlow, type EventOrder, type FlowEvent } from './define-flow';
import { isAsShown, planDigest, type ShownPlan } from './plan-digest';
import { createRoad, type OrderedEvent } from './road';

let database: Database;
let worker: WorkerRegistration;
let end: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, inboxMigrations, effectsMigrations]);
  database = createDatabase({ url: created.url, poolMax: 4, applicationName: 'replayed-event-test' });
  await database.executor.execute(sql`create schema test_flow`);
  await database.executor.execute(sql`create table test_flow.locks (name text primary key, note text)`);
  worker = await registerWorker(database, { app: 'test' });
  end = async () => {
    await worker.stop();
    await database.close();
    await created.drop();
  };
});
beforeEach(() =>
  database.executor.execute(sql`truncate inbox.events, effects.attempts, effects.effects, test_flow.locks`),
);
afterAll(() => end());

const plan = (rest: Partial<EffectPlan> = {}): EffectPlan => ({
  kind: 'test',
  flow: 'one',
  key: 'paid:1',
  lane: 'invoice:1',
  title: 'Mark invoice 1 paid',
  target: { layout: 'l', script: 's' },
  body: JSON.stringify({ invoice_id: '1', quantity: '1', receipt_url: 'https://a' }),
  subject: { invoiceId: '1' },
  origin: 'operator',
  checkFirst: true,
  ...rest,
});
type Write = { note: string };
interface Seen {
  before: boolean;
}
/** A flow that locks and inserts while it loads, as invoices does, and knows what it has seen before. */
function flow(script: {
  decide: (event: FlowEvent, state: Seen) => Decision<Write>[];
  before?: boolean;
  asked?: (afresh: boolean) => void;
}): BoundFlow {
  return defineFlow<object, object, undefined, Seen, Write>({
    name: 'one',
    title: 'one',
    wants: ['checkout.session.completed'],
    settings: z.object({}),
    facts: {},
    migrations: { owner: 'one', directory: '' },
    onEvent: {
      gather: async (_event, { afresh }) => void script.asked?.(afresh === true),
      load: async (tx) => {
        await tx.execute(
          sql`insert into test_flow.locks (name) values ('1') on conflict (name) do update set name = excluded.name`,
        );
        return { before: script.before ?? false };
      },
      decide: ({ event, state }) => script.decide(event, state),
      write: async (tx, { note }) => void (await tx.execute(sql`update test_flow.locks set note = ${note}`)),
      afresh: () => ({ before: false }),
    },
    reconcile: { passes: [] },
    records: { find: async () => [], succeededBetween: async function* () {}, writtenBetween: async function* () {} },
    replay: { volatile: ['receipt_url'], find: async () => undefined, succeededBetween: async function* () {} },
  }).bind({}, {});
}
const effect = (rest: Partial<EffectPlan> = {}): Decision<Write> => ({ kind: 'effect', plan: plan(rest) });
const write: Decision<Write> = { kind: 'write', write: { note: 'decided' } };
const locks = async () => (await database.executor.execute(sql`select name, note from test_flow.locks`)).rows;
const stored = async () =>
  (
    await database.executor.execute(
      sql`select key, convert_from(body, 'UTF8') as body, subject ->> 'replayPlan' as plan from effects.effects`,
    )
  ).rows;
const eventOf = (rest: Partial<FlowEvent> = {}): FlowEvent => ({
  inboxId: '1',
  eventId: 'replay_1_1',
  type: 'checkout.session.completed',
  source: 'operator',
  livemode: false,
  apiVersion: null,
  createdAt: null,
  receivedAt: new Date(),
  object: { id: 'cs_1' },
  ...rest,
});

test('a preview decides like the road and leaves nothing behind, neither row nor lock, though its transaction commits', async () => {
  const seeing = flow({ decide: () => [effect(), write] });
  const decide = await seeing.preview(eventOf(), database.executor);
  await database.transaction(async (tx) => {
    expect((await decide(tx, new Date())).plans).toEqual([plan()]);
    // Locks of a preview would make payments wait for a person who looks: another connection takes the row at once.
    await database.transaction(async (other) => {
      await other.execute(sql`set local lock_timeout = '500ms'`);
      await other.execute(sql`insert into test_flow.locks (name, note) values ('1', 'other')`);
    });
  });
  expect(await locks()).toEqual([{ name: '1', note: 'other' }]);
  expect(await stored()).toEqual([]);
  const commit = await seeing.prepare(eventOf(), database.executor);
  expect((await database.transaction((tx) => commit(tx, new Date()))).plans).toEqual([plan()]);
});

test('a preview also tells what the event would mean to somebody who sees it for the first time', async () => {
  const asked: boolean[] = [];
  const seeing = flow({
    before: true,
    asked: (afresh) => asked.push(afresh),
    decide: (_event, { before }) =>
      before ? [{ kind: 'ignore', reasonCode: 'PAID_BEFORE', reason: 'recorded' }] : [effect()],
  });
  const decide = await seeing.preview(eventOf(), database.executor);
  const preview = await database.transaction((tx) => decide(tx, new Date()));
  expect(preview).toMatchObject({ ignored: { reasonCode: 'PAID_BEFORE' }, plans: [], afresh: { plans: [plan()] } });
  await seeing.prepare(eventOf(), database.executor);
  expect(asked).toEqual([true, false]);
});

test('a preview whose tables cannot be read fails and leaves the transaction as it was', async () => {
  const broken = defineBroken();
  const decide = await broken.preview(eventOf(), database.executor);
  await database.transaction(async (tx) => {
    await expect(decide(tx, new Date())).rejects.toThrow();
    expect((await tx.execute(sql`select 1 as one`)).rows).toEqual([{ one: 1 }]);
  });
});

function defineBroken(): BoundFlow {
  return defineFlow<object, object, undefined, undefined, never>({
    name: 'broken',
    title: 'broken',
    wants: ['checkout.session.completed'],
    settings: z.object({}),
    facts: {},
    migrations: { owner: 'broken', directory: '' },
    onEvent: {
      gather: async () => undefined,
      load: async (tx) => void (await tx.execute(sql`select * from test_flow.nowhere`)),
      decide: () => [],
      write: async () => undefined,
    },
    reconcile: { passes: [] },
    records: { find: async () => [], succeededBetween: async function* () {}, writtenBetween: async function* () {} },
  }).bind({}, {});
}

let sequence = 0;
async function turn(
  bound: BoundFlow,
  ordered: OrderedEvent | 'gone' | undefined,
  source: EventSource = 'operator',
): Promise<{ ending: unknown; asked: string[] }> {
  const inbox = createInbox(database);
  sequence += 1;
  const eventId = `replay_1_${sequence}`;
  const body = {
    object: 'event',
    type: 'checkout.session.completed',
    // What a webhook says about itself gives it no order.
    bridge: { invoice: '666' },
    data: { object: { id: 'cs_1', order: { invoice: '666' } } },
  };
  const [row] = await inbox.record([
    {
      source,
      peer: 'bridge',
      eventId,
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: 'cs_1',
      eventCreatedAt: null,
      body: Buffer.from(JSON.stringify(body)),
      ignoredBecause: null,
    },
  ]);
  const asked: string[] = [];
  const road = createRoad({
    database,
    inbox,
    effects: createEffectStore(database),
    worker: worker.id,
    flows: [bound],
    judgeFailure: async () => undefined,
    observe: false,
    orderOf: async (_executor, id) => {
      asked.push(id);
      return ordered;
    },
  });
  return { ending: await road.turn(row?.id ?? ''), asked };
}
const order: EventOrder = { plan: '7', invoice: '18637' };
const shownOf = (one: EffectPlan): ShownPlan => ({
  key: one.key,
  digest: planDigest(one, ['receipt_url']),
  body: one.body,
});
const shown = shownOf(plan());

test('exactly the bytes that were shown are frozen, marked with the replay they belong to', async () => {
  const today = JSON.stringify({ invoice_id: '1', quantity: '1', receipt_url: 'https://another' });
  const { ending } = await turn(flow({ decide: () => [effect({ body: today }), write] }), { order, shown: [shown] });
  expect(ending).toMatchObject({ kind: 'processed', planned: [{ run: 0 }] });
  expect(await stored()).toEqual([{ key: 'paid:1', body: plan().body, plan: '7' }]);
});

test('when the shown bytes are erased, those of today go if they mean the same', async () => {
  const today = JSON.stringify({ invoice_id: '1', quantity: '1', receipt_url: 'https://another' });
  await turn(flow({ decide: () => [effect({ body: today })] }), { order, shown: [{ ...shown, body: null }] });
  expect(await stored()).toMatchObject([{ body: today }]);
});

test.each<[string, Decision<Write>[]]>([
  [
    'other bytes',
    [effect({ body: JSON.stringify({ invoice_id: '1', quantity: '2', receipt_url: 'https://a' }) }), write],
  ],
  ['another place', [effect({ target: { layout: 'l', script: 'other' } }), write]],
  ['another invoice', [effect({ lane: 'invoice:2' }), write]],
  ['money that is gone by now', [effect({ parked: { reasonCode: 'payment-refunded', reason: 'gone' } }), write]],
  ['one effect more', [effect(), effect({ key: 'paid:2' }), write]],
  ['no effect at all', [write]],
  ['an event that a person has to look at', [write, { kind: 'park', reasonCode: 'NO_INVOICE_ID', reason: 'none' }]],
])('%s: nothing is stored, and the event says that it changed since it was shown', async (_case, decisions) => {
  const { ending } = await turn(flow({ decide: () => decisions }), { order, shown: [shown] });
  expect(ending).toEqual({ kind: 'ignored', reasonCode: 'CHANGED_SINCE' });
  expect([await stored(), await locks()]).toEqual([[], []]);
  const { rows } = await database.executor.execute(sql`select state, reason_code, starts from inbox.events`);
  expect(rows).toEqual([{ state: 'ignored', reason_code: 'CHANGED_SINCE', starts: 1 }]);
});

test('what the webhook has settled in the meantime is no change: there is nothing left to do', async () => {
  const ignore: Decision<Write> = { kind: 'ignore', reasonCode: 'PAID_BEFORE', reason: 'recorded' };
  const { ending } = await turn(flow({ decide: () => [ignore] }), { order, shown: [shown] });
  expect(ending).toEqual({ kind: 'ignored', reasonCode: 'PAID_BEFORE' });
});

test('an event whose order is gone is refused by name: it never travels as if nobody had been shown anything', async () => {
  const { ending } = await turn(flow({ decide: () => [effect(), write] }), 'gone');
  expect(ending).toEqual({ kind: 'ignored', reasonCode: 'REPLAY_ORDER_GONE' });
  expect([await stored(), await locks()]).toEqual([[], []]);
});

test("no event but an operator's is asked for an order, and none gets one by what its body says", async () => {
  const orders: unknown[] = [];
  const seeing = flow({
    decide: (event) => {
      orders.push(event.order);
      return [effect()];
    },
  });
  for (const source of ['webhook', 'pull', 'reconciliation'] as const) {
    const { asked } = await turn(seeing, { order, shown: [shown] }, source);
    expect(asked).toEqual([]);
  }
  const { asked } = await turn(seeing, undefined);
  expect(asked).toHaveLength(1);
  expect(orders).toEqual([undefined, undefined, undefined, undefined]);
  await turn(seeing, { order, shown: [shown] });
  expect(orders.at(-1)).toEqual(order);
});

test('a digest is the same for the same plan, read back from PostgreSQL or not, and another for any other', () => {
  const anyPlan = fc.record({
    key: fc.constantFrom('a', 'b'),
    lane: fc.constantFrom(null, 'l'),
    target: fc.jsonValue({ maxDepth: 2 }),
    body: fc.oneof(
      fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
      fc.string(),
    ),
    parked: fc.constantFrom(undefined, 'x', 'y'),
  });
  fc.assert(
    fc.property(anyPlan, anyPlan, (one, other) => {
      const made = ({ parked, ...rest }: typeof one): EffectPlan =>
        plan({ ...rest, ...(parked === undefined ? {} : { parked: { reasonCode: parked, reason: '' } }) });
      const turned = (value: unknown): unknown =>
        typeof value === 'object' && value !== null && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).reverse())
          : value;
      expect(planDigest(made({ ...one, target: turned(one.target) as typeof one.target }), [])).toBe(
        planDigest(made(one), []),
      );
      const equal =
        one.key === other.key && one.lane === other.lane && one.body === other.body && one.parked === other.parked;
      if (!equal) expect(isAsShown([made(other)], [shownOf(made(one))], ['receipt_url'])).toBe(false);
    }),
  );
});
