import Stripe from 'stripe';
import { createStripeSimulator, type StripeSimulator } from './index';

// The real stripe package against the simulator: what it asks for is what the simulator must answer.

let simulator: StripeSimulator;
let url: URL;

function client(key = 'sk_test_simulator', account?: string): Stripe {
  return new Stripe(key, {
    host: url.hostname,
    port: url.port,
    protocol: 'http',
    telemetry: false,
    maxNetworkRetries: 0,
    ...(account === undefined ? {} : { stripeAccount: account }),
  });
}

/** The fault a call ends with, as the stripe package tells it. */
async function fault(call: Promise<unknown>): Promise<Partial<InstanceType<typeof Stripe.errors.StripeError>>> {
  return call.then(
    () => ({ message: 'no fault' }),
    (error: InstanceType<typeof Stripe.errors.StripeError>) => error,
  );
}

beforeEach(async () => {
  simulator = createStripeSimulator({ restrictedKeys: { rk_test_reader: ['checkout_sessions:read'] } });
  url = new URL((await simulator.listen()).url);
});
afterEach(() => simulator.close());

describe('Checkout Sessions', () => {
  it('a sale is retrieved with its lines, products and receipt in one call', async () => {
    const sale = simulator.control.createSale({ invoiceId: '18637', shipping: { amount: 3_000 } });
    const session = await client().checkout.sessions.retrieve(sale.sessionId, {
      expand: ['line_items.data.price.product', 'payment_intent.latest_charge'],
    });
    expect(session).toMatchObject({
      amount_total: 18_000,
      metadata: { invoice_id: '18637' },
      payment_status: 'paid',
      collected_information: { shipping_details: { name: 'Rhonda Hensley' } },
      payment_intent: {
        status: 'succeeded',
        latest_charge: { paid: true, receipt_url: expect.stringMatching(/^https:/) },
      },
      line_items: { data: [{ price: { product: { metadata: { billing_code: 'L2999' } } } }], has_more: false },
    });
  });

  it('an expanded list of lines holds ten and says that there are more; the endpoint pages through all', async () => {
    const lines = Array.from({ length: 27 }, (_, index) => ({ name: `Part ${index}`, unitAmount: 100 + index }));
    const { sessionId } = simulator.control.createSale({ lines });
    const session = await client().checkout.sessions.retrieve(sessionId, { expand: ['line_items'] });
    expect(session.line_items?.data).toHaveLength(10);
    expect(session.line_items?.has_more).toBe(true);
    const names: (string | null)[] = [];
    for await (const line of client().checkout.sessions.listLineItems(sessionId, { limit: 10 }))
      names.push(line.description);
    expect(names).toEqual(lines.map(({ name }) => name));
  });

  it('filters by status, payment intent, payment link, customer and email', async () => {
    const plain = simulator.control.createSale({ email: 'a@shop.example' });
    const linked = simulator.control.createSale({
      paymentLink: 'plink_1shop',
      customer: 'cus_1shop',
      email: 'b@shop.example',
    });
    const open = simulator.control.createSale({ open: true });
    const ids = async (params: Stripe.Checkout.SessionListParams) =>
      (await client().checkout.sessions.list(params)).data.map(({ id }) => id);
    expect(await ids({ status: 'open' })).toEqual([open.sessionId]);
    expect(await ids({ payment_intent: plain.paymentIntentId ?? '' })).toEqual([plain.sessionId]);
    expect(await ids({ payment_link: 'plink_1shop' })).toEqual([linked.sessionId]);
    expect(await ids({ customer: 'cus_1shop' })).toEqual([linked.sessionId]);
    expect(await ids({ customer_details: { email: 'a@shop.example' } })).toEqual([plain.sessionId]);
  });

  it('no_payment_required, subscription and setup Sessions carry no PaymentIntent', async () => {
    const free = simulator.control.createSale({ lines: [{ name: 'Gift', unitAmount: 500, discount: 500 }] });
    const subscription = simulator.control.createSale({ mode: 'subscription' });
    const setup = simulator.control.createSale({ mode: 'setup' });
    const get = (id: string) => client().checkout.sessions.retrieve(id);
    expect(await get(free.sessionId)).toMatchObject({
      payment_status: 'no_payment_required',
      payment_intent: null,
      amount_total: 0,
    });
    expect(await get(subscription.sessionId)).toMatchObject({
      payment_intent: null,
      subscription: expect.stringMatching(/^sub_/),
    });
    expect(await get(setup.sessionId)).toMatchObject({
      payment_intent: null,
      amount_total: null,
      payment_status: 'no_payment_required',
    });
  });
});

describe('paging and filters', () => {
  function manySales(): string[] {
    return Array.from(
      { length: 25 },
      (_, index) => simulator.control.createSale({ created: 1_700_000_000 + index }).sessionId,
    );
  }

  it('a list is newest first, ten long by default, and walks to the end by cursor', async () => {
    const made = manySales();
    const first = await client().checkout.sessions.list();
    expect(first.data.map(({ id }) => id)).toEqual(made.toReversed().slice(0, 10));
    expect(first.has_more).toBe(true);
    const last = await client().checkout.sessions.list({ starting_after: made[5] ?? '', limit: 10 });
    expect(last.data.map(({ id }) => id)).toEqual(made.slice(0, 5).toReversed());
    expect(last.has_more).toBe(false);
  });

  it('ending_before gives the page just before the cursor; the package turns it into oldest first', async () => {
    const made = manySales();
    const before = await client().checkout.sessions.list({ ending_before: made[5] ?? '', limit: 3 });
    expect(before.data.map(({ id }) => id)).toEqual([made[8], made[7], made[6]]);
    expect(before.has_more).toBe(true);
    const walked: string[] = [];
    for await (const { id } of client().checkout.sessions.list({ ending_before: made[5] ?? '', limit: 4 }))
      walked.push(id);
    expect(walked).toEqual(made.slice(6));
  });

  it('created ranges keep their bounds', async () => {
    manySales();
    const count = async (created: Stripe.RangeQueryParam | number) =>
      (await client().checkout.sessions.list({ created, limit: 100 })).data.length;
    expect(await count({ gte: 1_700_000_020 })).toBe(5);
    expect(await count({ gt: 1_700_000_020 })).toBe(4);
    expect(await count({ lt: 1_700_000_003 })).toBe(3);
    expect(await count({ gt: 1_700_000_001, lte: 1_700_000_003 })).toBe(2);
    expect(await count(1_700_000_007)).toBe(1);
  });

  it('limits outside 1 to 100, strange cursors and strange parameters are refused', async () => {
    const list = (params: object) => fault(client().checkout.sessions.list(params));
    expect(await list({ limit: 0 })).toMatchObject({ statusCode: 400, param: 'limit' });
    expect(await list({ limit: 101 })).toMatchObject({ statusCode: 400, param: 'limit' });
    expect(await list({ starting_after: 'cs_test_none' })).toMatchObject({ statusCode: 400, code: 'resource_missing' });
    expect(await list({ payment_status: 'paid' })).toMatchObject({ statusCode: 400, code: 'parameter_unknown' });
    expect(await list({ status: 'finished' })).toMatchObject({ statusCode: 400, param: 'status' });
  });
});

describe('expand', () => {
  it('goes four levels deep; data. counts on lists', async () => {
    const { sessionId } = simulator.control.createSale();
    const { sessions } = client().checkout;
    const deep = await sessions.retrieve(sessionId, { expand: ['line_items.data.price.product'] });
    expect(deep.line_items?.data[0]?.price?.product).toMatchObject({ object: 'product' });
    const listed = await sessions.list({ expand: ['data.payment_intent.latest_charge'] });
    expect(listed.data[0]?.payment_intent).toMatchObject({ latest_charge: { object: 'charge' } });
    expect(await fault(sessions.list({ expand: ['data.line_items.data.price.product'] }))).toMatchObject({
      statusCode: 400,
      code: 'property_expansion_max_depth',
    });
  });

  it('unknown names are refused, on empty lists too', async () => {
    const { sessions } = client().checkout;
    for (const expand of ['data.payments', 'payment_intent', 'data.metadata', 'data.constructor']) {
      expect(await fault(sessions.list({ expand: [expand] }))).toMatchObject({
        statusCode: 400,
        message: `This property cannot be expanded (${expand}).`,
      });
    }
  });
});

describe('products, prices, customers, links, account', () => {
  it('a deleted product is a stub by id and missing from lists; an inactive one is listed', async () => {
    const { sessionId } = simulator.control.createSale({
      lines: [
        { name: 'Gone', unitAmount: 100, deletedProduct: true },
        { name: 'Retired', unitAmount: 100, inactiveProduct: true },
      ],
    });
    const lines = await client().checkout.sessions.listLineItems(sessionId, { expand: ['data.price.product'] });
    const [gone, retired] = lines.data.map(({ price }) => price?.product as Stripe.Product | Stripe.DeletedProduct);
    expect(gone).toEqual({ id: gone?.id, object: 'product', deleted: true });
    const ids = [gone?.id ?? '', retired?.id ?? ''];
    expect((await client().products.list({ ids })).data).toMatchObject([{ id: retired?.id, active: false }]);
    expect(await client().products.retrieve(gone?.id ?? '')).toMatchObject({ deleted: true });
  });

  it('the catalogue with its billing codes is there from the start', async () => {
    const products = await client().products.list({ limit: 100 });
    expect(products.data.map(({ metadata }) => metadata.billing_code)).toEqual(
      expect.arrayContaining(['L2999', 'E1399']),
    );
    const prices = await client().prices.list({ product: products.data[0]?.id ?? '', active: true });
    expect(String(prices.data[0]?.unit_amount_decimal)).toBe(String(prices.data[0]?.unit_amount));
  });

  it('customers, payment links, webhook endpoints and the account answer', async () => {
    const stripe = client();
    simulator.control.createSale({ customer: true, paymentLink: true, invoiceId: '7' });
    const customer = await stripe.customers.create({ email: 'new@shop.example', metadata: { tier: 'gold' } });
    expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ metadata: { tier: 'gold' } });
    expect((await stripe.paymentLinks.list()).data).toMatchObject([{ metadata: { invoice_id: '7' } }]);
    const endpoint = await stripe.webhookEndpoints.create({
      url: 'https://shop.example/hooks',
      enabled_events: ['checkout.session.completed'],
      api_version: '2022-08-01',
    });
    expect(endpoint.secret).toMatch(/^whsec_/);
    const [listed] = (await stripe.webhookEndpoints.list()).data;
    expect(listed).toMatchObject({ id: endpoint.id, api_version: '2022-08-01', status: 'enabled' });
    expect(listed?.secret).toBeUndefined();
    expect(await stripe.webhookEndpoints.update(endpoint.id, { disabled: true })).toMatchObject({ status: 'disabled' });
    expect(await stripe.webhookEndpoints.del(endpoint.id)).toMatchObject({ deleted: true });
    expect(await stripe.accounts.retrieveCurrent()).toMatchObject({ object: 'account', charges_enabled: true });
  });
});

describe('a customer is deleted', () => {
  it('and stays readable as a stub, alone and expanded; no list has it, and no second time deletes it', async () => {
    const stripe = client();
    const { sessionId } = simulator.control.createSale({ customer: 'cus_1leaves', email: 'leaves@shop.example' });
    simulator.control.createSale({ customer: 'cus_1stays' });
    expect(await stripe.customers.del('cus_1leaves')).toMatchObject({
      id: 'cus_1leaves',
      object: 'customer',
      deleted: true,
    });
    const stub = await stripe.customers.retrieve('cus_1leaves');
    expect(Object.keys(stub).filter((name) => name !== 'lastResponse')).toEqual(['id', 'object', 'deleted']);
    expect((await stripe.customers.list()).data.map(({ id }) => id)).toEqual(['cus_1stays']);
    const expanded = await stripe.checkout.sessions.retrieve(sessionId, { expand: ['customer'] });
    expect(expanded.customer).toEqual({ id: 'cus_1leaves', object: 'customer', deleted: true });
    // What was sold stays as it was sold.
    expect(expanded.customer_details?.email).toBe('leaves@shop.example');
    expect(await fault(stripe.customers.del('cus_1leaves'))).toMatchObject({
      statusCode: 404,
      code: 'resource_missing',
      message: "No such customer: 'cus_1leaves'",
    });
    expect(await fault(stripe.customers.del('cus_1never'))).toMatchObject({ statusCode: 404 });
    expect(() => simulator.control.createSale({ customer: 'cus_1leaves' })).toThrow(/deleted/);
  });

  it('and customer.deleted tells it once, with the customer as it was and the request that did it', async () => {
    const stripe = client();
    const customer = await stripe.customers.create({ email: 'new@shop.example' });
    await stripe.customers.del(customer.id);
    await fault(stripe.customers.del(customer.id));
    const events = (await stripe.events.list({ type: 'customer.deleted' })).data;
    expect(events).toMatchObject([
      {
        data: { object: { id: customer.id, email: 'new@shop.example', object: 'customer' } },
        // Of DELETE requests the package sends no Idempotency-Key.
        request: { id: expect.stringMatching(/^req_/), idempotency_key: null },
      },
    ]);
  });

  it('only by a key that may write customers, in its own mode', async () => {
    simulator.control.createSale({ customer: 'cus_1shop' });
    expect(await fault(client('rk_test_reader').customers.del('cus_1shop'))).toMatchObject({ statusCode: 403 });
    expect((await client().customers.list()).data).toHaveLength(1);
  });
});

describe('refunds and disputes', () => {
  it('a refund lowers what is left, and never below zero', async () => {
    const stripe = client();
    const { paymentIntentId, chargeId } = simulator.control.createSale();
    const payment_intent = paymentIntentId ?? '';
    expect(await stripe.refunds.create({ payment_intent, amount: 5_000 })).toMatchObject({
      status: 'succeeded',
      amount: 5_000,
    });
    expect(await stripe.charges.retrieve(chargeId ?? '')).toMatchObject({ amount_refunded: 5_000, refunded: false });
    expect(await fault(stripe.refunds.create({ payment_intent, amount: 10_001 }))).toMatchObject({ statusCode: 400 });
    expect(await stripe.refunds.create({ payment_intent })).toMatchObject({ amount: 10_000 });
    expect(await fault(stripe.refunds.create({ payment_intent }))).toMatchObject({ code: 'charge_already_refunded' });
    expect((await stripe.refunds.list({ payment_intent })).data.map(({ amount }) => amount)).toEqual([10_000, 5_000]);
  });

  it('the same Idempotency-Key gives the same refund; with other parameters it is an error', async () => {
    const stripe = client();
    const payment_intent = simulator.control.createSale().paymentIntentId ?? '';
    const idempotencyKey = 'refund-18637';
    const first = await stripe.refunds.create({ payment_intent, amount: 100 }, { idempotencyKey });
    const again = await stripe.refunds.create({ payment_intent, amount: 100 }, { idempotencyKey });
    expect(again.id).toBe(first.id);
    const other = await fault(stripe.refunds.create({ payment_intent, amount: 200 }, { idempotencyKey }));
    expect(other).toMatchObject({ statusCode: 400, type: 'StripeIdempotencyError' });
    expect((await stripe.refunds.list({ payment_intent })).data).toHaveLength(1);
    simulator.control.changeClock({ advanceMs: 25 * 3_600_000 });
    const nextDay = await stripe.refunds.create({ payment_intent, amount: 100 }, { idempotencyKey });
    expect(nextDay.id).not.toBe(first.id);
  });

  it('disputes are listed by charge', async () => {
    const { sessionId, chargeId } = simulator.control.createSale();
    simulator.control.disputeSale(sessionId);
    const disputes = await client().disputes.list({ charge: chargeId ?? '', expand: ['data.charge'] });
    expect(disputes.data).toMatchObject([{ status: 'needs_response', charge: { disputed: true } }]);
  });
});

describe('events', () => {
  it('newest first, by exact types, by wildcard, never both', async () => {
    const stripe = client();
    simulator.control.createSale();
    const all = await stripe.events.list();
    expect(all.data.map(({ type }) => type)).toEqual([
      'checkout.session.completed',
      'payment_intent.succeeded',
      'charge.succeeded',
      'payment_intent.created',
    ]);
    const types = (await stripe.events.list({ types: ['charge.succeeded', 'payment_intent.created'] })).data;
    expect(types.map(({ type }) => type)).toEqual(['charge.succeeded', 'payment_intent.created']);
    expect((await stripe.events.list({ type: 'payment_intent.*' })).data).toHaveLength(2);
    expect(await fault(stripe.events.list({ type: 'charge.*', types: ['charge.succeeded'] }))).toMatchObject({
      statusCode: 400,
    });
    expect(await stripe.events.retrieve(all.data[0]?.id ?? '')).toMatchObject({ api_version: Stripe.API_VERSION });
  });

  it('are gone after 30 days, the objects stay', async () => {
    const { eventIds, sessionId } = simulator.control.createSale();
    simulator.control.changeClock({ advanceMs: 31 * 86_400_000 });
    expect((await client().events.list()).data).toEqual([]);
    expect(await fault(client().events.retrieve(eventIds[0] ?? ''))).toMatchObject({ code: 'resource_missing' });
    expect(await client().checkout.sessions.retrieve(sessionId)).toMatchObject({ id: sessionId });
  });

  it('an event tells what was true when it was made, whatever happens later', async () => {
    const { eventIds, sessionId } = simulator.control.createSale();
    simulator.control.refundSale(sessionId);
    const events = await Promise.all(eventIds.map((id) => client().events.retrieve(id)));
    const charge = events.find(({ type }) => type === 'charge.succeeded')?.data.object as Stripe.Charge;
    expect(charge.amount_refunded).toBe(0);
  });
});

describe('who may ask', () => {
  it('a wrong key is 401, a missing permission 403, a missing object 404', async () => {
    const { sessionId } = simulator.control.createSale();
    expect(await fault(client('sk_test_wrong').events.list())).toMatchObject({
      statusCode: 401,
      type: 'StripeAuthenticationError',
    });
    const reader = client('rk_test_reader');
    expect(await reader.checkout.sessions.retrieve(sessionId)).toMatchObject({ id: sessionId });
    expect(await fault(reader.events.list())).toMatchObject({ statusCode: 403, type: 'StripePermissionError' });
    expect(await fault(reader.checkout.sessions.expire(sessionId))).toMatchObject({ statusCode: 403 });
    const missing = await fault(client().checkout.sessions.retrieve('cs_test_none'));
    expect(missing).toMatchObject({
      statusCode: 404,
      code: 'resource_missing',
      requestId: expect.stringMatching(/^req_/),
    });
  });

  it('objects of another account or mode are not there', async () => {
    const connected = simulator.control.createSale({ account: 'acct_1Connected' });
    const live = simulator.control.createSale({ livemode: true });
    expect(live.sessionId).toMatch(/^cs_live_/);
    const get = (stripe: Stripe, id: string) => stripe.checkout.sessions.retrieve(id);
    expect(await fault(get(client(), connected.sessionId))).toMatchObject({ statusCode: 404 });
    expect(await get(client('sk_test_simulator', 'acct_1Connected'), connected.sessionId)).toMatchObject({
      object: 'checkout.session',
    });
    expect(await fault(get(client(), live.sessionId))).toMatchObject({
      message: expect.stringContaining('exists in live mode'),
    });
    expect((await client().checkout.sessions.list()).data).toEqual([]);
  });
});
