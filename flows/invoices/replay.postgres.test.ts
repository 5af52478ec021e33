import { claimsMigrations } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { effectsMigrations } from '@bridge/effects';
import type { EventOrder, FlowEvent, FlowPreview } from '@bridge/flow';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { invoices } from './flow';
import { writePayment } from './ledger';
import type { InvoicesPeers, SessionSnapshot } from './ports';

const SETTINGS = {
  invoiceIdKeys: ['metadata.invoice_id'],
  instalments: 'park',
  payload: { fields: 'full', unit_price: 'unit', shipping_item: { code: '', catalog_number: '' } },
};

let database: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, effectsMigrations, invoices.migrations]);
  database = createDatabase({ url: created.url, poolMax: 3, applicationName: 'invoices-replay-test' });
  drop = created.drop;
});
beforeEach(() =>
  database.executor.execute(sql`truncate flow_invoices.payments, flow_invoices.invoices, flow_invoices.reversals`),
);
afterAll(async () => {
  await database.close();
  await drop();
});

function snapshot(id: string, metadata: Record<string, string>, quantity = 1): SessionSnapshot {
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
      metadata,
    },
    lineItems: [
      {
        id: 'li_1',
        object: 'item',
        description: 'Kit',
        quantity,
        currency: 'usd',
        amount_subtotal: 18_000,
        amount_total: 18_000,
        amount_discount: 0,
        amount_tax: 0,
        price: { id: 'price_1', unit_amount: 18_000 / quantity, currency: 'usd', product: 'prod_1' },
      },
    ],
    products: { prod_1: { id: 'prod_1', name: 'Kit', metadata: { billing_code: 'L2999' } } },
    charge: { id: `ch_${id}`, paid: true, captured: true, created: 1_700_000_100, amount_refunded: 0, disputed: false },
    paymentIntent: { id: `pi_${id}`, status: 'succeeded' },
  };
}

function peersOf(rest: Partial<InvoicesPeers['stripe']> = {}): InvoicesPeers {
  const stripe: InvoicesPeers['stripe'] = {
    retrievePaidSession: async (id) => snapshot(id, {}),
    findSessionOfPaymentIntent: async (id) => (id === 'pi_known' ? 'cs_of_intent' : undefined),
    findSessionOfCharge: async (id) => (id === 'ch_known' ? 'cs_of_charge' : undefined),
    retrieveRefund: async (id) => ({
      id,
      object: 'refund',
      created: 1_700_000_000,
      charge: 'ch_cs_1',
      amount: 100,
      currency: 'usd',
      status: 'succeeded',
      payment_intent: 'pi_cs_1',
    }),
    retrieveDispute: async () => ({}),
    listSessions: async function* () {},
    ...rest,
  };
  return {
    stripe,
    scripts: { target: (fact) => ({ kind: 'script', target: { script: fact } }) },
    livemode: false,
  } as InvoicesPeers;
}

async function recorded(id: string, invoiceId: string, paidAt = new Date('2026-11-20T10:00:00Z')): Promise<void> {
  await writePayment(database.executor, {
    checkoutSessionId: id,
    paymentIntentId: `pi_${id}`,
    chargeId: `ch_${id}`,
    invoiceId,
    amountTotal: 18_000,
    currency: 'usd',
    livemode: false,
    status: 'paid',
    parkedCode: undefined,
    parkedEvent: undefined,
    effectKey: `invoice-paid:${id}`,
    paidAt,
    sessionCreatedAt: paidAt,
  });
}

const eventOf = (id: string, order?: EventOrder, type = 'checkout.session.completed'): FlowEvent => ({
  inboxId: '0',
  eventId: 'replay_1_1',
  type,
  source: 'operator',
  livemode: false,
  apiVersion: null,
  createdAt: null,
  receivedAt: new Date(),
  object: { id },
  ...(order === undefined ? {} : { order }),
});

async function preview(peers: InvoicesPeers, event: FlowEvent): Promise<FlowPreview> {
  const decide = await invoices.bind(SETTINGS, peers).preview(event, database.executor);
  return database.transaction((tx) => decide(tx, new Date()));
}

test('the invoice that a person gave reaches payload, lane and records; without it the payment waits for one', async () => {
  const peers = peersOf();
  expect(await preview(peers, eventOf('cs_1'))).toMatchObject({ parked: { reasonCode: 'NO_INVOICE_ID' }, plans: [] });
  const order = { plan: '1', invoice: '18637' };
  const { plans } = await preview(peers, eventOf('cs_1', order));
  expect(plans).toMatchObject([{ lane: 'invoice:18637', checkFirst: true, subject: { invoiceId: '18637' } }]);
  expect(JSON.parse(plans[0]?.body ?? '')).toMatchObject({ invoice_id: '18637', checkout_session_id: 'cs_1' });
  const commit = await invoices.bind(SETTINGS, peers).prepare(eventOf('cs_1', order), database.executor);
  await database.transaction(async (tx) => (await commit(tx, new Date())).write());
  const { rows } = await database.executor.execute(sql`select invoice_id, status from flow_invoices.payments`);
  expect(rows).toEqual([{ invoice_id: '18637', status: 'paid' }]);
  expect(JSON.stringify((await preview(peers, eventOf('cs_1', order))).plans)).toBe('[]');
});

test('a payment that names another invoice is refused, unless the person says that this is meant', async () => {
  const peers = peersOf({ retrievePaidSession: async (id) => snapshot(id, { invoice_id: '18638' }) });
  const refused = await preview(peers, eventOf('cs_1', { plan: '1', invoice: '18637' }));
  expect(refused).toMatchObject({ ignored: { reasonCode: 'NAMES_ANOTHER_INVOICE' }, plans: [] });
  expect(refused.about).toMatchObject({ namedInvoice: '18638' });
  const meant = await preview(peers, eventOf('cs_1', { plan: '1', invoice: '18637', override: true }));
  expect(meant.plans).toMatchObject([{ lane: 'invoice:18637' }]);
  const same = await preview(peers, eventOf('cs_1', { plan: '1', invoice: '18638' }));
  expect(same.plans).toMatchObject([{ lane: 'invoice:18638' }]);
});

test("a preview writes nothing: neither a payment nor the invoice's lock row", async () => {
  const peers = peersOf({ retrievePaidSession: async (id) => snapshot(id, { invoice_id: '18637' }) });
  expect((await preview(peers, eventOf('cs_1'))).plans).toHaveLength(1);
  const { rows } = await database.executor.execute(
    sql`select (select count(*) from flow_invoices.invoices)::int as locks, (select count(*) from flow_invoices.payments)::int as payments`,
  );
  expect(rows).toEqual([{ locks: 0, payments: 0 }]);
});

test('of a payment that is recorded a preview tells what would be sent today', async () => {
  await recorded('cs_1', '18637');
  const peers = peersOf({ retrievePaidSession: async (id) => snapshot(id, { invoice_id: '18637' }, 2) });
  const { plans, ignored, afresh } = await preview(peers, eventOf('cs_1'));
  expect({ plans, ignored }).toMatchObject({ plans: [], ignored: { reasonCode: 'PAID_BEFORE' } });
  expect(JSON.parse(afresh.plans[0]?.body ?? '')).toMatchObject({ items: [{ quantity: '2' }] });
});

test('a refund of a payment whose invoice a person gave belongs to that invoice', async () => {
  await recorded('cs_1', '18637');
  const { plans } = await preview(peersOf(), eventOf('re_1', undefined, 'refund.updated'));
  expect(plans).toMatchObject([{ key: 'invoice-refunded:re_1', lane: 'invoice:18637' }]);
});

test.each<[string, string[] | undefined]>([
  ['cs_any', ['cs_any']],
  ['pi_cs_1', ['cs_1']],
  ['ch_cs_1', ['cs_1']],
  ['pi_known', ['cs_of_intent']],
  ['ch_known', ['cs_of_charge']],
  ['pi_nowhere', []],
  ['18637', ['cs_1']],
  ['99999', []],
  ['re_1', ['re_1']],
  ['dp_1', ['dp_1']],
  ['cus_1', undefined],
  ['evt_1', undefined],
])('%s names the payments it should', async (word, objects) => {
  await recorded('cs_1', '18637');
  const found = await invoices.bind(SETTINGS, peersOf()).replay?.find(word, { records: database.executor });
  expect(found?.map(({ objectId }) => objectId)).toEqual(objects);
});

const SINCE = new Date('2026-11-20T10:00:00Z');
const UNTIL = new Date('2026-11-20T11:00:00Z');
const seconds = (text: string): number => new Date(text).getTime() / 1_000;
/** As Stripe lists it: payment and charge inside. */
const listed = (id: string, created: string, paid: string, rest: object = {}) => ({
  ...(snapshot(id, {}).session as object),
  created: seconds(created),
  payment_intent: {
    id: `pi_${id}`,
    status: 'succeeded',
    latest_charge: { id: `ch_${id}`, created: seconds(paid), captured: true },
  },
  ...rest,
});

test('a range is of the moment the money succeeded, from both books, and can be gone on with at any page', async () => {
  const asked: { since: string; until: string }[] = [];
  const sessions = [
    listed('cs_late', '2026-11-20T10:59:00Z', '2026-11-20T11:00:00Z'),
    listed('cs_in', '2026-11-20T10:30:00Z', '2026-11-20T10:31:00Z'),
    listed('cs_unpaid', '2026-11-20T10:20:00Z', '2026-11-20T10:21:00Z', { payment_status: 'unpaid' }),
    listed('cs_born_before', '2026-11-19T12:00:00Z', '2026-11-20T10:00:00Z'),
    listed('cs_early', '2026-11-19T11:00:00Z', '2026-11-20T09:59:59Z'),
  ];
  const peers = peersOf({
    listSessions: async function* ({ since, until }) {
      asked.push({ since: since.toISOString(), until: until.toISOString() });
      for (const session of sessions)
        if (session.created >= since.getTime() / 1_000 && session.created < until.getTime() / 1_000) yield [session];
    },
  });
  await recorded('cs_ours', '1', new Date('2026-11-20T10:15:00Z'));
  await recorded('cs_in', '2', new Date('2026-11-20T10:31:00Z'));
  await recorded('cs_other_day', '3', new Date('2026-11-19T10:15:00Z'));
  const bound = invoices.bind(SETTINGS, peers).replay;
  const read = async (cursor: unknown): Promise<{ ids: string[]; cursors: unknown[] }> => {
    const ids: string[] = [];
    const cursors: unknown[] = [];
    for await (const page of bound?.succeededBetween(
      { since: SINCE, until: UNTIL },
      { records: database.executor, cursor },
    ) ?? []) {
      ids.push(...page.events.map(({ objectId }) => objectId));
      cursors.push(page.cursor);
    }
    return { ids, cursors };
  };
  const whole = await read(undefined);
  expect(new Set(whole.ids)).toEqual(new Set(['cs_in', 'cs_born_before', 'cs_ours']));
  expect(asked).toEqual([{ since: '2026-11-19T08:00:00.000Z', until: UNTIL.toISOString() }]);
  for (const [at, cursor] of whole.cursors.entries()) {
    const before = new Set<string>();
    let pages = 0;
    for await (const page of bound?.succeededBetween(
      { since: SINCE, until: UNTIL },
      { records: database.executor, cursor: undefined },
    ) ?? []) {
      for (const { objectId } of page.events) before.add(objectId);
      pages += 1;
      if (pages > at) break;
    }
    const rest = await read(JSON.parse(JSON.stringify(cursor)));
    expect(new Set([...before, ...rest.ids])).toEqual(new Set(whole.ids));
  }
});
