import { createDatabase, type Database, migrate } from '@bridge/database';
import type { FlowEvent } from '@bridge/flow';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { invoices } from './flow';
import { writePayment } from './ledger';
import type { InvoicesPeers } from './ports';

const SETTINGS = {
  invoiceIdKeys: ['metadata.invoice_id'],
  instalments: 'park',
  payload: { fields: 'full', unit_price: 'unit', shipping_item: { code: '', catalog_number: '' } },
};

let created: Awaited<ReturnType<typeof createTestDatabase>>;
let database: Database;
beforeAll(async () => {
  created = await createTestDatabase();
  await migrate(created.url, [invoices.migrations]);
  database = createDatabase({ url: created.url, poolMax: 2, applicationName: 'invoices-test' });
});
afterAll(async () => {
  await database.close();
  await created.drop();
});

/** Stripe as a list of what it was asked; every answer about a Session fails, so that nothing goes on from there. */
function askedStripe(): { asked: string[]; peers: InvoicesPeers } {
  const asked: string[] = [];
  const stripe: InvoicesPeers['stripe'] = {
    retrievePaidSession: async (id) => {
      asked.push(`Session ${id}`);
      throw new Error('not here');
    },
    findSessionOfPaymentIntent: async (id) => {
      asked.push(`Session of ${id}`);
      return undefined;
    },
    findSessionOfCharge: async () => undefined,
    retrieveRefund: async (id) => {
      asked.push(`refund ${id}`);
      return { id, amount: 100, currency: 'usd', status: 'succeeded', payment_intent: 'pi_of_refund' };
    },
    retrieveDispute: async () => ({}),
    listSessions: async function* () {},
  };
  return { asked, peers: { stripe, scripts: { target: () => undefined }, livemode: false } };
}

async function recorded(id: string, status: 'paid' | 'pending', paymentIntentId = `pi_${id}`): Promise<void> {
  await writePayment(database.executor, {
    checkoutSessionId: `cs_${id}`,
    paymentIntentId,
    chargeId: undefined,
    invoiceId: id,
    amountTotal: 18_000,
    currency: 'usd',
    livemode: false,
    status,
    parkedCode: undefined,
    parkedEvent: undefined,
    effectKey: status === 'paid' ? `invoice-paid:cs_${id}` : undefined,
    paidAt: undefined,
    sessionCreatedAt: new Date(),
  });
}

const eventOf = (type: string, id: string): FlowEvent => ({
  inboxId: '1',
  eventId: 'evt_1',
  type,
  source: 'webhook',
  livemode: false,
  apiVersion: null,
  createdAt: null,
  receivedAt: new Date(),
  object: { id },
});

test.each([
  ['checkout.session.completed', 'cs_18637'],
  ['checkout.session.async_payment_succeeded', 'cs_18637'],
  ['checkout.session.expired', 'cs_18637'],
  ['payment_intent.succeeded', 'pi_18637'],
])('a payment that is recorded as paid costs Stripe no question when %s announces it again', async (type, id) => {
  await recorded('18637', 'paid');
  const { asked, peers } = askedStripe();
  const commit = await invoices.bind(SETTINGS, peers).prepare(eventOf(type, id), database.executor);
  const ending = await database.transaction((tx) => commit(tx, new Date()));
  expect(ending).toMatchObject({ ignored: { reasonCode: 'PAID_BEFORE' }, plans: [] });
  expect(asked).toEqual([]);
});

test('a Session that is recorded but not paid is read anew at Stripe, without asking whose payment it is', async () => {
  await recorded('18638', 'pending');
  const { asked, peers } = askedStripe();
  const { prepare } = invoices.bind(SETTINGS, peers);
  await expect(prepare(eventOf('payment_intent.succeeded', 'pi_18638'), database.executor)).rejects.toThrow('not here');
  expect(asked).toEqual(['Session cs_18638']);
});

test('a payment that is not recorded is looked for at Stripe', async () => {
  const { asked, peers } = askedStripe();
  const commit = await invoices
    .bind(SETTINGS, peers)
    .prepare(eventOf('payment_intent.succeeded', 'pi_new'), database.executor);
  expect(await database.transaction((tx) => commit(tx, new Date()))).toMatchObject({
    ignored: { reasonCode: 'NO_CHECKOUT_SESSION' },
  });
  expect(asked).toEqual(['Session of pi_new']);
});

test('a refund of a recorded payment reads the Session as it is now, also when it was paid', async () => {
  await recorded('18639', 'paid', 'pi_of_refund');
  const { asked, peers } = askedStripe();
  const { prepare } = invoices.bind(SETTINGS, peers);
  await expect(prepare(eventOf('refund.created', 're_1'), database.executor)).rejects.toThrow('not here');
  expect(asked).toEqual(['refund re_1', 'Session cs_18639']);
});

test('two events of one Session that names no invoice, processed at the same moment, park it once', async () => {
  const session = {
    id: 'cs_unnamed',
    object: 'checkout.session',
    mode: 'payment',
    status: 'complete',
    payment_status: 'paid',
    amount_subtotal: 100,
    amount_total: 100,
    currency: 'usd',
    livemode: false,
    created: 1_700_000_000,
    payment_intent: 'pi_unnamed',
    metadata: {},
  };
  const charge = {
    id: 'ch_1',
    paid: true,
    captured: true,
    created: 1_700_000_100,
    amount_refunded: 0,
    disputed: false,
  };
  const { peers } = askedStripe();
  const stripe = {
    ...peers.stripe,
    retrievePaidSession: async () => ({ session, lineItems: [], products: {}, charge }),
  };
  const { prepare } = invoices.bind(SETTINGS, { ...peers, stripe });
  const announced = ['evt_completed', 'evt_succeeded'].map((eventId) =>
    prepare({ ...eventOf('checkout.session.completed', 'cs_unnamed'), eventId }, database.executor),
  );
  const [first, second] = await Promise.all(announced);
  if (first === undefined || second === undefined) throw new Error('two were prepared');
  let later: ReturnType<typeof second> | undefined;
  const parked = await database.transaction(async (tx) => {
    const ending = await first(tx, new Date());
    await ending.write();
    // Begun while the first is not yet committed.
    later = database.transaction((other) => second(other, new Date()));
    await tx.execute(sql`select pg_sleep_for('100 ms')`);
    return ending;
  });
  expect(parked).toMatchObject({ parked: { reasonCode: 'NO_INVOICE_ID' } });
  expect(await later).toMatchObject({ ignored: {} });
});
