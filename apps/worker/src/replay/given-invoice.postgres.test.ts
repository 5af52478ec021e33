// A number that was mistyped can be corrected, and whatever happens beside it, FileMaker runs one script for one payment.
import { registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import {
  type ClaimedEffect,
  createEffectEngine,
  createEffectStore,
  type EffectEngine,
  type EffectStore,
  type Outcome,
  type Performer,
} from '@bridge/effects';
import { type BoundFlow, createRoad, type EventOrder, type OrderedEvent, planDigest, type Road } from '@bridge/flow';
import { flowMigrations, flows } from '@bridge/flows';
import { createInbox, type Inbox } from '@bridge/inbox';
import { allMigrations, resolveEffect } from '@bridge/operations';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';

const TARGET = {
  layout: 'web_invoices',
  script: 'PAID',
  contract: 'kit',
  transport: 'get',
  handoffLayout: null,
  probe: null,
  log: { layout: 'bridge_log', keyField: 'idempotency_key', stateField: 'state', resultField: 'result' },
};
const SETTINGS = {
  invoiceIdKeys: ['metadata.invoice_id'],
  instalments: 'park',
  payload: { fields: 'full', unit_price: 'unit', shipping_item: { code: '', catalog_number: '' } },
};

function snapshot(id: string, names: string | undefined) {
  return {
    session: {
      id,
      object: 'checkout.session',
      mode: 'payment',
      status: 'complete',
      payment_status: 'paid',
      amount_subtotal: 18_000,
      amount_total: 18_000,
      currency: 'usd',
      livemode: false,
      created: 1_700_000_000,
      payment_intent: `pi_${id}`,
      metadata: names === undefined ? {} : { invoice_id: names },
    },
    lineItems: [
      {
        id: 'li_1',
        object: 'item',
        description: 'Kit',
        quantity: 1,
        currency: 'usd',
        amount_subtotal: 18_000,
        amount_total: 18_000,
        amount_discount: 0,
        amount_tax: 0,
        price: { id: 'price_1', unit_amount: 18_000, currency: 'usd', product: 'prod_1' },
      },
    ],
    products: { prod_1: { id: 'prod_1', name: 'Kit', metadata: { billing_code: 'L2999' } } },
    charge: { id: `ch_${id}`, paid: true, captured: true, created: 1_700_000_100, amount_refunded: 0, disputed: false },
    paymentIntent: { id: `pi_${id}`, status: 'succeeded' },
  };
}

let database: Database;
let drop: () => Promise<void>;
let worker: WorkerRegistration;
let inbox: Inbox;
let store: EffectStore;
beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations(flowMigrations));
  database = createDatabase({ url: created.url, poolMax: 10, applicationName: 'given-invoice-test' });
  worker = await registerWorker(database, { app: 'worker' });
  inbox = createInbox(database);
  store = createEffectStore(database);
  drop = created.drop;
}, 120_000);
afterAll(async () => {
  await worker?.stop();
  await database?.close();
  await drop?.();
}, 120_000);

type Answer = 'done' | 'refused' | 'locked' | 'lost-after' | 'lost-before';

/** The whole of it but Stripe, FileMaker and the queue. FileMaker keeps a log and runs whatever it is sent, twice too. */
async function setup(names: string | undefined) {
  await database.executor.execute(
    sql`truncate inbox.events, effects.attempts, effects.effects, flow_invoices.payments, flow_invoices.invoices, flow_invoices.reversals`,
  );
  /** By key, the invoices that a script has run for. */
  const ran = new Map<string, string[]>();
  const run = ({ key, body }: ClaimedEffect): void => {
    ran.set(key, [...(ran.get(key) ?? []), String((JSON.parse(body) as { invoice_id: string }).invoice_id)]);
  };
  const script = { answer: 'done' as Answer };
  const outcomes: Record<Answer, (effect: ClaimedEffect) => Outcome> = {
    done: (effect) => {
      run(effect);
      return { kind: 'done', verified: true, result: null };
    },
    refused: () => ({ kind: 'refused', code: 'SCRIPT_REFUSED_101', message: 'no such invoice', again: false }),
    locked: () => ({ kind: 'refused', code: 'FILEMAKER_RECORD_LOCKED', message: 'locked', again: true, afterMs: 1 }),
    'lost-after': (effect) => {
      run(effect);
      return { kind: 'unknown', code: 'LOST', message: 'cut' };
    },
    'lost-before': () => ({ kind: 'unknown', code: 'LOST', message: 'cut' }),
  };
  const performer: Performer = {
    kind: 'filemaker-script',
    scopes: () => [],
    recheck: async () => ({ kind: 'fine' }),
    prepare: async (effect) => ({
      kind: 'ready',
      sessionId: null,
      send: async () => outcomes[script.answer](effect),
      release: async () => undefined,
    }),
    crossCheck: async ({ key }) => (ran.has(key) ? { kind: 'there', result: null } : { kind: 'not-there' }),
  };
  const engine: EffectEngine = createEffectEngine({
    store,
    worker: worker.id,
    performers: [performer],
    closedBecause: async () => undefined,
  });
  const bound = flows
    .find(({ name }) => name === 'invoices')
    ?.bind(SETTINGS, {
      stripe: {
        retrievePaidSession: async (id) => snapshot(id, names),
        findSessionOfPaymentIntent: async () => undefined,
        findSessionOfCharge: async () => undefined,
        retrieveRefund: async () => ({}),
        retrieveDispute: async () => ({}),
        listSessions: async function* () {},
      },
      scripts: { target: () => ({ kind: 'script', target: TARGET }) },
      livemode: false,
    });
  if (bound === undefined) throw new Error('the flow invoices is not there');
  const flow: BoundFlow = bound;
  const orders = new Map<string, OrderedEvent>();
  const road: Road = createRoad({
    database,
    inbox,
    effects: store,
    worker: worker.id,
    flows: [flow],
    judgeFailure: async () => undefined,
    observe: false,
    orderOf: async (_executor, eventId) => orders.get(eventId),
  });
  let events = 0;
  const nextEvent = (): string => {
    events += 1;
    return `evt_${events}`;
  };
  async function travel(
    session: string,
    source: 'webhook' | 'operator',
    ordered?: OrderedEvent,
    eventId = nextEvent(),
  ): Promise<void> {
    if (ordered !== undefined) orders.set(eventId, ordered);
    const eventType = 'checkout.session.completed';
    const body = { id: eventId, object: 'event', type: eventType, data: { object: { id: session } } };
    const [stored] = await inbox.record([
      {
        source,
        peer: 'stripe',
        eventId,
        eventType,
        account: null,
        livemode: false,
        apiVersion: null,
        objectId: session,
        eventCreatedAt: null,
        body: Buffer.from(JSON.stringify(body)),
        ignoredBecause: null,
      },
    ]);
    try {
      await road.turn(stored?.id ?? '');
    } catch (error) {
      // Two events of one payment in the same moment: the later one is read again, later than this test looks.
      if ((error as { code?: string }).code !== 'PAYMENT_RACED') throw error;
    }
  }
  /** As a replay: what would come of it is looked at, and exactly that is sent. Returns why not, or the reason's code. */
  async function order(session: string, order: EventOrder): Promise<string | undefined> {
    const event = {
      inboxId: '0',
      eventId: nextEvent(),
      type: 'checkout.session.completed',
      source: 'operator',
      livemode: false,
      apiVersion: null,
      createdAt: null,
      receivedAt: new Date(),
      object: { id: session },
      order,
    } as const;
    const look = await flow.preview(event, database.executor);
    const { plans, ignored, byHand } = await database.transaction((tx) => look(tx, new Date()));
    if (plans.length === 0 && byHand === undefined) return ignored?.reasonCode;
    const shown = plans.map((plan) => ({
      key: plan.key,
      digest: planDigest(plan, flow.replay?.volatile ?? []),
      body: plan.body,
    }));
    await travel(session, 'operator', { order, shown }, event.eventId);
    return byHand?.reasonCode;
  }
  async function effectOf(session: string): Promise<{ id: string; state: string; invoice: string } | undefined> {
    const [row] = await rows<{ id: string; state: string; invoice: string }>(
      database.executor,
      sql`select id, state, subject ->> 'invoiceId' as invoice from effects.effects where key = ${`invoice-paid:${session}`}`,
    );
    return row;
  }
  async function invoiceOf(session: string): Promise<string | null | undefined> {
    const [row] = await rows<{ invoice_id: string | null }>(
      database.executor,
      sql`select invoice_id from flow_invoices.payments where checkout_session_id = ${session}`,
    );
    return row?.invoice_id;
  }
  /** Due at once, whatever it waits for. */
  const turn = async (session: string, answer: Answer): Promise<void> => {
    const effect = await effectOf(session);
    if (effect === undefined) return;
    await database.executor.execute(sql`update effects.effects set due_at = clock_timestamp() where id = ${effect.id}`);
    script.answer = answer;
    await engine.turn(effect.id);
  };
  const resolve = async (session: string, as: 'again' | 'cancelled' | 'done'): Promise<void> => {
    const effect = await effectOf(session);
    if (effect !== undefined) await resolveEffect(database, effect.id, { as, by: 'cli:ada', why: 'test' });
  };
  const runsOf = (session: string): string[] => ran.get(`invoice-paid:${session}`) ?? [];
  return { travel, order, turn, resolve, effectOf, invoiceOf, runsOf, run };
}

const given = (invoice: string, rest: Partial<EventOrder> = {}): EventOrder => ({ plan: '1', invoice, ...rest });
const SESSION = 'cs_mine';

test('the number of a payment whose effect was not sent can be changed with a reason, and runs once, for the new one', async () => {
  const { travel, order, turn, effectOf, invoiceOf, runsOf } = await setup(undefined);
  await travel(SESSION, 'webhook');
  await order(SESSION, given('81637'));
  const before = await effectOf(SESSION);
  expect(await order(SESSION, given('18637'))).toBe('RECORDED_FOR_ANOTHER');
  expect(await order(SESSION, given('18637', { byHand: true, reasoned: true }))).toBe('NOTHING_TO_RECORD');
  await order(SESSION, given('18637', { reasoned: true }));
  expect(await effectOf(SESSION)).toEqual({ id: before?.id, state: 'planned', invoice: '18637' });
  await turn(SESSION, 'done');
  expect([runsOf(SESSION), await invoiceOf(SESSION)]).toEqual([['18637'], '18637']);
}, 120_000);

test('after FileMaker has refused the number (there is no such invoice), the right one can be given', async () => {
  const { order, turn, effectOf, runsOf } = await setup(undefined);
  await order(SESSION, given('81637'));
  await turn(SESSION, 'refused');
  expect(await effectOf(SESSION)).toMatchObject({ state: 'parked' });
  await order(SESSION, given('18637', { reasoned: true }));
  await turn(SESSION, 'done');
  expect(runsOf(SESSION)).toEqual(['18637']);
}, 120_000);

test.each<[Answer, string]>([
  ['done', 'APPLIED_TO_ANOTHER'],
  ['lost-after', 'ON_ITS_WAY_TO_ANOTHER'],
  ['lost-before', 'ON_ITS_WAY_TO_ANOTHER'],
])(
  'once it was sent and the answer was %s, no other number is sent: %s',
  async (answer, code) => {
    const { order, turn, runsOf, invoiceOf } = await setup(undefined);
    await order(SESSION, given('81637'));
    await turn(SESSION, answer);
    expect(await order(SESSION, given('18637', { reasoned: true, override: true }))).toBe(code);
    expect(await invoiceOf(SESSION)).toBe('81637');
    await turn(SESSION, 'done');
    expect(runsOf(SESSION)).toEqual(['81637']);
  },
  120_000,
);

test('what was put right in FileMaker by hand is recorded, and sends nothing', async () => {
  const { order, turn, effectOf, invoiceOf, runsOf } = await setup(undefined);
  await order(SESSION, given('81637'));
  await turn(SESSION, 'done');
  expect(await order(SESSION, given('18637', { reasoned: true, byHand: true }))).toBe('BY_HAND');
  expect(await invoiceOf(SESSION)).toBe('18637');
  // The effect stays what it was: a proof of what was sent.
  expect(await effectOf(SESSION)).toMatchObject({ state: 'done', invoice: '81637' });
  await turn(SESSION, 'done');
  expect(runsOf(SESSION)).toEqual(['81637']);
}, 120_000);

test('an invoice that another payment has settled takes the given money only with override, and then waits for a person', async () => {
  const { order, turn, effectOf, runsOf, invoiceOf } = await setup(undefined);
  await order('cs_other', given('18637'));
  await turn('cs_other', 'done');
  expect(await order(SESSION, given('18637', { reasoned: true }))).toBe('SECOND_PAYMENT_OF_INVOICE');
  expect(await invoiceOf(SESSION)).toBe(undefined);
  await order(SESSION, given('18637', { reasoned: true, override: true }));
  expect(await effectOf(SESSION)).toMatchObject({ state: 'parked', invoice: '18637' });
  // It was a typing error after all.
  await order(SESSION, given('18638', { reasoned: true }));
  await turn(SESSION, 'done');
  expect([runsOf(SESSION), runsOf('cs_other')]).toEqual([['18638'], ['18637']]);
}, 120_000);

test('a worker that was taken for dead and wakes up sends nothing of the number that was changed meanwhile', async () => {
  const { order, effectOf, turn, run, runsOf } = await setup(undefined);
  await order(SESSION, given('81637'));
  const { id = '' } = (await effectOf(SESSION)) ?? {};
  const claimed = await store.claim(id, 'worker-that-freezes');
  if (claimed.kind !== 'claimed') throw new Error(`not claimed: ${claimed.kind}`);
  expect(await order(SESSION, given('18637', { reasoned: true }))).toBe('ON_ITS_WAY_TO_ANOTHER');
  await store.recoverDead(worker.id);
  await order(SESSION, given('18637', { reasoned: true }));
  // It is awake again, with the old bytes in hand.
  const begun = await store.begin(claimed.effect, 'worker-that-freezes', null).then(
    () => run(claimed.effect),
    (error: { code?: string }) => error.code,
  );
  expect(begun).toBe('EFFECT_CLAIM_LOST');
  expect(await store.park(claimed.effect, { code: 'OLD', message: 'about the old number' })).toBe(false);
  await turn(SESSION, 'done');
  expect(runsOf(SESSION)).toEqual(['18637']);
}, 120_000);

test('what ran before a restore from a backup is no proof for the number that was given since: a person looks', async () => {
  const { order, effectOf, turn, run, runsOf, resolve } = await setup(undefined);
  await order(SESSION, given('81637'));
  const { id = '' } = (await effectOf(SESSION)) ?? {};
  const claimed = await store.claim(id, worker.id);
  if (claimed.kind !== 'claimed') throw new Error(`not claimed: ${claimed.kind}`);
  // It ran, and the database that knew of it is gone: the one from before knows of no sending.
  run(claimed.effect);
  await store.release(claimed.effect, { afterMs: 0, code: 'X', message: 'x' });
  await order(SESSION, given('18637', { reasoned: true }));
  await turn(SESSION, 'done');
  expect(await effectOf(SESSION)).toMatchObject({ state: 'parked' });
  await resolve(SESSION, 'again');
  await turn(SESSION, 'done');
  expect([runsOf(SESSION), (await effectOf(SESSION))?.state]).toEqual([['81637'], 'parked']);
}, 120_000);

const NUMBERS = ['18637', '18638', '18639'] as const;
const number = fc.constantFrom(...NUMBERS);
const mostly = (value: boolean): fc.Arbitrary<boolean> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: fc.constant(!value) });
const order = fc.record({
  do: fc.constant('order' as const),
  invoice: number,
  override: mostly(true),
  reasoned: mostly(true),
  byHand: mostly(false),
});
const act = fc.oneof(
  { weight: 3, arbitrary: order },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('turn' as const),
      answer: fc.constantFrom<Answer>('done', 'refused', 'refused', 'locked', 'lost-after', 'lost-before'),
    }),
  },
  fc.record({
    do: fc.constant('resolve' as const),
    as: fc.constantFrom('again' as const, 'again' as const, 'cancelled' as const),
  }),
  fc.record({ do: fc.constant('webhook' as const) }),
  fc.record({ do: fc.constant('recover' as const) }),
);
const RUNS = 30;
type Act = typeof act extends fc.Arbitrary<infer Value> ? Value : never;

test('whatever is ordered, corrected, sent, lost, refused and decided at once, one payment never runs twice, and the books name the invoice that ran', async () => {
  const seen = { ran: 0, changed: 0, byHand: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.option(number, { nil: undefined }),
      fc.array(fc.array(act, { minLength: 1, maxLength: 3 }), { minLength: 4, maxLength: 10 }),
      async (names, batches) => {
        const bench = await setup(names);
        let byHand = false;
        const perform = async (one: Act): Promise<void> => {
          if (one.do === 'turn') await bench.turn(SESSION, one.answer);
          else if (one.do === 'resolve') await bench.resolve(SESSION, one.as);
          else if (one.do === 'webhook') await bench.travel(SESSION, 'webhook');
          else if (one.do === 'recover') await store.recoverDead(worker.id);
          else {
            const { invoice, ...rest } = one;
            byHand ||= (await bench.order(SESSION, given(invoice, rest))) === 'BY_HAND';
          }
          numbers.add((await bench.effectOf(SESSION))?.invoice);
        };
        const numbers = new Set<string | undefined>();
        for (const batch of batches) {
          await Promise.all(batch.map(perform));
          expect(bench.runsOf(SESSION).length).toBeLessThanOrEqual(1);
        }
        // To its end: what may still run runs, and a second time if it could.
        for (let turns = 0; turns < 3; turns += 1) await bench.turn(SESSION, 'done');
        const effect = await bench.effectOf(SESSION);
        const ran = bench.runsOf(SESSION);
        const recorded = await bench.invoiceOf(SESSION);
        expect(ran.length).toBeLessThanOrEqual(1);
        seen.ran += ran.length;
        seen.changed += numbers.size > 2 ? 1 : 0;
        seen.byHand += byHand ? 1 : 0;
        if (effect === undefined) return expect(ran).toEqual([]);
        if (ran.length > 0) expect(effect.invoice).toBe(ran[0]);
        if (!byHand) expect(recorded).toBe(effect.invoice);
      },
    ),
    { numRuns: RUNS, endOnFailure: true },
  );
  // The cases that matter came up: a test that never gets there proves nothing.
  expect(Math.min(seen.ran, seen.changed)).toBeGreaterThan(0);
}, 300_000);
