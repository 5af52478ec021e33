import { buildInvoicePayload, defaultProfile } from '@bridge/payload-builder';
import { createStripeSimulator } from '@bridge/stripe-simulator';
import fc from 'fast-check';
import { createStripeClient, type StripeClient } from './stripe-client';

const apiKey = 'sk_test_simulator';
const context = { invoiceId: '18637', idempotencyKey: 'invoice-paid:x', eventId: 'evt_1' };
const running: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});

async function setup() {
  const simulator = createStripeSimulator({ apiKey, seed: 7 });
  const { url } = await simulator.listen();
  const client = createStripeClient({ apiKey, apiBase: url, timeoutMs: 20_000 });
  running.push(async () => {
    await client.close();
    await simulator.close();
  });

  /** Asks as a program of another year would. */
  async function readAs(apiVersion: string, path: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${url}${path}`, {
      headers: { authorization: `Bearer ${apiKey}`, 'stripe-version': apiVersion },
    });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return (await response.json()) as Record<string, unknown>;
  }
  return { control: simulator.control, client, readAs };
}

async function buildFrom(client: StripeClient, sessionId: string) {
  const snapshot = await client.retrievePaidSession(sessionId);
  const result = buildInvoicePayload(snapshot, context, defaultProfile);
  if (result.kind === 'refused') throw new Error(`${result.code}: ${result.message}`);
  return { snapshot, ...result };
}

const line = (index: number) => ({
  name: `Part ${index}`,
  quantity: (index % 4) + 1,
  unitAmount: 100 + index,
  metadata: { billing_code: `B${index}`, catalog_number: `C-${index}` },
});

describe('a sale read from a stateful Stripe', () => {
  test('a sale of 30 lines comes whole and in order, with charge, shipping and products', async () => {
    const { control, client } = await setup();
    const lines = Array.from({ length: 30 }, (_, index) => line(index));
    const sale = control.createSale({ invoiceId: '18637', lines, shipping: { name: 'Rhonda Hensley', amount: 3000 } });
    const { snapshot, payload } = await buildFrom(client, sale.sessionId);
    expect(snapshot.lineItems.map((item) => item.description)).toEqual(lines.map(({ name }) => name));
    expect(Object.keys(snapshot.products)).toHaveLength(30);
    expect(snapshot.charge).toMatchObject({ id: sale.chargeId, paid: true });
    expect(snapshot.paymentIntent).toMatchObject({ id: sale.paymentIntentId, latest_charge: sale.chargeId });
    expect(payload.items).toHaveLength(31);
    expect(payload.items[29]).toMatchObject({
      code: 'B29',
      catalog_number: 'C-29',
      quantity: '2',
      unit_price_cents: '129',
    });
    expect(payload.items[30]).toMatchObject({ name: 'Shipping', unit_price_cents: '3000' });
    expect(payload.invoicetotal_cents).toBe(sale.amountTotal);
    expect(payload.receipt_url).toBe(snapshot.charge?.receipt_url);
    expect(payload.shipping.name).toBe('Rhonda Hensley');
  });

  test('a deleted product is seen as deleted, and the line’s own text stands in', async () => {
    const { control, client } = await setup();
    const sale = control.createSale({ lines: [{ ...line(1), deletedProduct: true }, line(2)] });
    const { snapshot, payload, notices } = await buildFrom(client, sale.sessionId);
    expect(Object.values(snapshot.products).filter((product) => product.deleted === true)).toHaveLength(1);
    expect(payload.items.map(({ code, name }) => [code, name])).toEqual([
      ['', 'Part 1'],
      ['B2', 'Part 2'],
    ]);
    expect(notices).toEqual(['PRODUCT_MISSING', 'CODE_MISSING']);
  });

  test('pay-what-you-want and prices in fractions of a cent say what was paid', async () => {
    const { control, client } = await setup();
    const sale = control.createSale({
      lines: [
        { name: 'Donation', unitAmount: 2750, customUnitAmount: true },
        { name: 'Pad', unitAmount: 1, unitAmountDecimal: '0.75', quantity: 1001 },
      ],
    });
    const { payload } = await buildFrom(client, sale.sessionId);
    expect(payload.items.map((item) => item.unit_price_cents)).toEqual(['2750', '0.75']);
  });

  test.each([['2020-08-27'], ['2022-08-01'], ['2024-06-20'], ['2025-03-31.basil']])(
    'the sale as API version %s tells it makes the payload that ours makes',
    async (apiVersion) => {
      const { control, client, readAs } = await setup();
      const sale = control.createSale({
        invoiceId: '18637',
        lines: [{ ...line(3), discount: 50 }, line(4)],
        shipping: { name: 'Zoë O’Neill', amount: 995, address: { line1: '1 Main St', city: 'Austin', country: 'US' } },
      });
      const ours = await buildFrom(client, sale.sessionId);
      const path = `/v1/checkout/sessions/${sale.sessionId}`;
      const expand = [
        apiVersion < '2022-11-15' ? 'payment_intent' : 'payment_intent.latest_charge',
        ...(apiVersion < '2022-08-01' ? [] : ['shipping_cost.shipping_rate']),
      ];
      const session = await readAs(apiVersion, `${path}?${expand.map((field) => `expand[]=${field}`).join('&')}`);
      const { data } = await readAs(apiVersion, `${path}/line_items?limit=100&expand[]=data.price.product`);
      const theirs = buildInvoicePayload(
        { session, lineItems: Array.isArray(data) ? data : [], products: {}, charge: null },
        context,
        defaultProfile,
      );
      if (theirs.kind === 'refused') throw new Error(`${theirs.code}: ${theirs.message}`);
      // Before 2022-08-01 the rate behind the shipping cost was only an id, so its name cannot be told.
      const comparable = (payload: typeof theirs.payload) => ({
        ...payload,
        items: payload.items.map((item) => (item.price_id === '' ? { ...item, description: '' } : item)),
      });
      expect(comparable(theirs.payload)).toEqual(comparable(ours.payload));
      expect(theirs.payload.receipt_url).toMatch(/^https:/);
      expect(theirs.payload.shipping.name).toBe('Zoë O’Neill');
    },
  );

  test('refunds and disputes show in what was read', async () => {
    const { control, client } = await setup();
    const partly = control.createSale({ lines: [{ name: 'Kit', unitAmount: 1000 }] });
    control.refundSale(partly.sessionId, { amount: 400 });
    expect((await client.retrievePaidSession(partly.sessionId)).reversal).toEqual({
      amountRefunded: 400,
      fullyRefunded: false,
      disputed: false,
    });
    const disputed = control.createSale({ lines: [{ name: 'Kit', unitAmount: 1000 }] });
    control.refundSale(disputed.sessionId);
    control.disputeSale(disputed.sessionId);
    expect((await client.retrievePaidSession(disputed.sessionId)).reversal).toEqual({
      amountRefunded: 1000,
      fullyRefunded: true,
      disputed: true,
    });
  });

  test('the Session of a payment is found from either end', async () => {
    const { control, client } = await setup();
    const sale = control.createSale();
    control.createSale();
    expect(await client.findSessionOfPaymentIntent(sale.paymentIntentId ?? '')).toBe(sale.sessionId);
    expect(await client.findSessionOfCharge(sale.chargeId ?? '')).toBe(sale.sessionId);
    expect(await client.findSessionOfPaymentIntent('pi_unknown')).toBeUndefined();
  });

  test('what is not there, not allowed or not well is told by its code', async () => {
    const { control, client } = await setup();
    const sale = control.createSale();
    await expect(client.retrievePaidSession('cs_test_unknown')).rejects.toMatchObject({
      code: 'STRIPE_NOT_FOUND',
      stripeCode: 'resource_missing',
    });
    for (const [kind, code] of [
      ['unauthorized', 'STRIPE_KEY_REFUSED'],
      ['forbidden', 'STRIPE_PERMISSION'],
      ['rate-limit', 'STRIPE_RATE_LIMITED'],
      ['lock-timeout', 'STRIPE_RATE_LIMITED'],
      ['server-error', 'STRIPE_UNAVAILABLE'],
      ['truncated', 'STRIPE_UNAVAILABLE'],
    ] as const) {
      control.addTrouble({ kind, next: 1 });
      await expect(client.retrievePaidSession(sale.sessionId)).rejects.toMatchObject({ code });
    }
    await expect(client.retrievePaidSession(sale.sessionId)).resolves.toMatchObject({
      session: { id: sale.sessionId },
    });
  });

  test('walking the events both ways meets the same ones, each once', async () => {
    const { control, client } = await setup();
    control.createBulkSales({ count: 60, seed: 3 });
    const backwards: string[] = [];
    for await (const { items } of client.listEvents({ pageSize: 50 })) backwards.push(...items.map(({ id }) => id));
    const oldest = backwards.at(-1) ?? '';
    const forwards = [oldest];
    for await (const { items } of client.listEvents({ newerThan: oldest })) forwards.push(...items.map(({ id }) => id));
    expect(forwards).toEqual(backwards.toReversed());
    expect(new Set(forwards).size).toBe(control.books().events.total);
  });
});

describe('the books agree', () => {
  test('every paid Session of a varied shop makes a payload whose total is the one in Stripe’s books', async () => {
    const { control, client } = await setup();
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        control.reset();
        control.createBulkSales({ count: 12, seed, missingMetadataFraction: 0.2, deletedProductFraction: 0.2 });
        const { paidSessions } = control.books();
        expect(paidSessions).toHaveLength(12);
        for (const paid of paidSessions) {
          const { payload, snapshot, sums, notices } = await buildFrom(client, paid.sessionId);
          expect(payload).toMatchObject({
            invoicetotal_cents: paid.amountTotal,
            currency: paid.currency,
            checkout_session_id: paid.sessionId,
            payment_intent_id: paid.paymentIntentId ?? '',
          });
          expect(sums.lines + sums.shipping).toBe(paid.amountTotal);
          expect(payload.items.length).toBeGreaterThanOrEqual(snapshot.lineItems.length);
          expect(notices).not.toContain('BREAKDOWN_DIFFERS');
          expect(notices).not.toContain('LINE_SPLIT');
        }
      }),
      { numRuns: 12 },
    );
  }, 240_000);
});
