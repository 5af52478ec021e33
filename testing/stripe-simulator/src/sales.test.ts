import fc from 'fast-check';
import { createStripeSimulator, type GivenSaleOrder, type StripeSimulator } from './index';
import type { JsonObject } from './json';

let simulator: StripeSimulator;
let get: (path: string) => Promise<JsonObject>;

beforeEach(async () => {
  simulator = createStripeSimulator();
  const { url } = await simulator.listen();
  get = async (path) =>
    (await (await fetch(url + path, { headers: { Authorization: 'Bearer sk_test_simulator' } })).json()) as JsonObject;
});
afterEach(() => simulator.close());

interface Sums {
  amount_total: number;
  amount_subtotal: number;
  shipping_cost: { amount_total: number; amount_tax: number } | null;
  total_details: { amount_discount: number; amount_tax: number; amount_shipping: number };
  line_items: {
    data: { amount_total: number; amount_subtotal: number; amount_discount: number; amount_tax: number }[];
  };
}

const line = fc.record({
  name: fc.constantFrom('Kit', 'Strap', 'Liner'),
  quantity: fc.integer({ min: 1, max: 40 }),
  unitAmount: fc.integer({ min: 0, max: 500_000 }),
  discount: fc.integer({ min: 0, max: 5_000 }),
  tax: fc.integer({ min: 0, max: 5_000 }),
  taxBehavior: fc.constantFrom('exclusive' as const, 'inclusive' as const, 'unspecified' as const),
});
const shipping = fc.record({
  amount: fc.option(fc.integer({ min: 0, max: 9_000 })),
  tax: fc.integer({ min: 0, max: 900 }),
  taxBehavior: fc.constantFrom('exclusive' as const, 'inclusive' as const),
});

it('the lines and the shipping cost always add up to what was paid', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 10 }),
      fc.option(shipping),
      async (lines, withShipping) => {
        const sale = simulator.control.createSale({ lines, shipping: withShipping });
        const session = (await get(`/v1/checkout/sessions/${sale.sessionId}?expand[]=line_items`)) as unknown as Sums;
        const sum = (pick: (item: Sums['line_items']['data'][number]) => number) =>
          session.line_items.data.reduce((total, item) => total + pick(item), 0);
        expect(sum((item) => item.amount_total) + (session.shipping_cost?.amount_total ?? 0)).toBe(
          session.amount_total,
        );
        expect(sum((item) => item.amount_subtotal)).toBe(session.amount_subtotal);
        expect(sum((item) => item.amount_discount)).toBe(session.total_details.amount_discount);
        expect(sum((item) => item.amount_tax) + (session.shipping_cost?.amount_tax ?? 0)).toBe(
          session.total_details.amount_tax,
        );
        expect(sale.amountTotal).toBe(session.amount_total);
      },
    ),
    { numRuns: 60 },
  );
});

it('a tax on top is added, a tax inside is only told, a discount comes off before both', async () => {
  const terms = { name: 'Kit', quantity: 2, unitAmount: 1_000, discount: 100, tax: 190 };
  const { sessionId } = simulator.control.createSale({
    lines: [
      { ...terms, taxBehavior: 'exclusive' },
      { ...terms, taxBehavior: 'inclusive' },
    ],
    shipping: { amount: 500, tax: 40, taxBehavior: 'exclusive' },
  });
  expect(await get(`/v1/checkout/sessions/${sessionId}?expand[]=line_items`)).toMatchObject({
    amount_subtotal: 4_000,
    amount_total: 2_090 + 1_900 + 540,
    total_details: { amount_discount: 200, amount_tax: 420, amount_shipping: 500 },
    shipping_cost: { amount_subtotal: 500, amount_tax: 40, amount_total: 540 },
    line_items: {
      data: [
        {
          amount_subtotal: 2_000,
          amount_discount: 100,
          amount_tax: 190,
          amount_total: 2_090,
          price: { unit_amount: 1_000 },
        },
        { amount_subtotal: 2_000, amount_discount: 100, amount_tax: 190, amount_total: 1_900 },
      ],
    },
  });
});

it('prices with a fraction, and prices the buyer chooses, name no unit amount', async () => {
  const { sessionId, amountTotal } = simulator.control.createSale({
    lines: [
      { name: 'Screw', quantity: 1_000, unitAmount: 0, unitAmountDecimal: '1.25' },
      { name: 'Donation', unitAmount: 2_500, customUnitAmount: true },
    ],
  });
  expect(amountTotal).toBe(3_750);
  const prices = ((await get(`/v1/checkout/sessions/${sessionId}/line_items`)).data as JsonObject[]).map(
    ({ price }) => price,
  );
  expect(prices).toMatchObject([
    { unit_amount: null, unit_amount_decimal: '1.25', custom_unit_amount: null },
    { unit_amount: null, unit_amount_decimal: null, custom_unit_amount: { preset: null } },
  ]);
});

it('bulk sales with one seed are the same orders again, in several currencies, with their books', () => {
  const order = { count: 150, seed: 42, missingInvoiceFraction: 0.1 };
  simulator.control.createBulkSales(order);
  const first = simulator.control.books().paidSessions;
  simulator.control.reset();
  simulator.control.createBulkSales(order);
  const second = simulator.control.books().paidSessions;
  const facts = (sessions: typeof first) =>
    sessions.map(({ invoiceId, amountTotal, currency }) => ({ invoiceId, amountTotal, currency }));
  expect(facts(second)).toEqual(facts(first));
  expect(new Set(first.map(({ currency }) => currency))).toEqual(new Set(['usd', 'eur', 'gbp', 'jpy', 'kwd']));
  expect(first.filter(({ currency, amountTotal }) => currency === 'kwd' && amountTotal % 10 !== 0)).toEqual([]);
  expect(first.filter(({ invoiceId }) => invoiceId === null).length).toBeGreaterThan(3);
  expect(second.some(({ sessionId }, index) => sessionId === first[index]?.sessionId)).toBe(false);
});

it('two simulators with one seed give the same ids', () => {
  const make = () => createStripeSimulator({ seed: 5 }).control.createSale();
  expect(make()).toEqual(make());
});

describe('how a payment goes', () => {
  const typesOf = () => Object.keys(simulator.control.books().events.byType).sort();
  const status = async (sessionId: string) => {
    const session = await get(`/v1/checkout/sessions/${sessionId}?expand[]=payment_intent.latest_charge`);
    const intent = session.payment_intent as JsonObject | null;
    const charge = intent?.latest_charge as JsonObject | null;
    return [session.status, session.payment_status, intent?.status, charge?.status];
  };

  it('card: paid at once', async () => {
    const { sessionId } = simulator.control.createSale();
    expect(await status(sessionId)).toEqual(['complete', 'paid', 'succeeded', 'succeeded']);
    expect(typesOf()).toEqual([
      'charge.succeeded',
      'checkout.session.completed',
      'payment_intent.created',
      'payment_intent.succeeded',
    ]);
  });

  it('delayed and settled: unpaid until the money comes', async () => {
    const { sessionId } = simulator.control.createSale({ delayed: true });
    expect(await status(sessionId)).toEqual(['complete', 'unpaid', 'processing', 'pending']);
    expect(simulator.control.books().paidSessions).toEqual([]);
    simulator.control.settleSale(sessionId);
    expect(await status(sessionId)).toEqual(['complete', 'paid', 'succeeded', 'succeeded']);
    expect(simulator.control.books().paidSessions).toMatchObject([{ sessionId }]);
    expect(typesOf()).toContain('checkout.session.async_payment_succeeded');
    expect(() => simulator.control.settleSale(sessionId)).toThrow('is succeeded, not processing');
  });

  it('delayed and failed: never paid', async () => {
    const { sessionId } = simulator.control.createSale({ delayed: true });
    simulator.control.failSale(sessionId);
    expect(await status(sessionId)).toEqual(['complete', 'unpaid', 'requires_payment_method', 'failed']);
    expect(typesOf()).toEqual(
      expect.arrayContaining(['checkout.session.async_payment_failed', 'payment_intent.payment_failed']),
    );
    expect(simulator.control.books().paidSessions).toEqual([]);
  });

  it('manual capture: no Checkout event tells of the money', async () => {
    const { sessionId } = simulator.control.createSale({ manualCapture: true });
    expect(await status(sessionId)).toEqual(['complete', 'unpaid', 'requires_capture', 'succeeded']);
    simulator.control.captureSale(sessionId);
    expect(await status(sessionId)).toEqual(['complete', 'paid', 'succeeded', 'succeeded']);
    expect(typesOf().filter((type) => type.startsWith('checkout'))).toEqual(['checkout.session.completed']);
  });

  it('open, then expired or completed', async () => {
    const expired = simulator.control.createSale({ open: true });
    simulator.control.expireSale(expired.sessionId);
    expect(await status(expired.sessionId)).toEqual(['expired', 'unpaid', undefined, undefined]);
    const open = simulator.control.createSale({ open: true });
    expect(open.eventIds).toEqual([]);
    simulator.control.completeSale(open.sessionId);
    expect(await status(open.sessionId)).toEqual(['complete', 'paid', 'succeeded', 'succeeded']);
    expect(() => simulator.control.expireSale(open.sessionId)).toThrow('not open');
  });

  it('a refund that fails gives the charge its money back', () => {
    const { sessionId } = simulator.control.createSale();
    const { refundId } = simulator.control.refundSale(sessionId, { amount: 4_000, status: 'pending' });
    expect(simulator.control.books().paidSessions).toMatchObject([{ amountRefunded: 4_000 }]);
    simulator.control.updateRefund(refundId, { status: 'succeeded' });
    simulator.control.failRefund(refundId);
    expect(simulator.control.books().paidSessions).toMatchObject([{ amountRefunded: 0 }]);
    expect(typesOf()).toEqual(
      expect.arrayContaining(['charge.refunded', 'refund.created', 'refund.failed', 'refund.updated']),
    );
  });

  it('a dispute is opened and closed', () => {
    const { sessionId } = simulator.control.createSale();
    simulator.control.disputeSale(sessionId);
    simulator.control.closeDispute(sessionId, { status: 'won' });
    expect(simulator.control.books().paidSessions).toMatchObject([{ disputed: true }]);
    expect(typesOf().filter((type) => type.startsWith('charge.dispute'))).toEqual([
      'charge.dispute.closed',
      'charge.dispute.created',
      'charge.dispute.funds_reinstated',
      'charge.dispute.funds_withdrawn',
    ]);
  });
});

describe('settings of chance', () => {
  const make = (
    delivery: NonNullable<Parameters<typeof createStripeSimulator>[0]>['delivery'],
    order: GivenSaleOrder = {},
  ) => {
    const other = createStripeSimulator({ ...(delivery === undefined ? {} : { delivery }) });
    other.control.createSale(order);
    return other.control.books();
  };

  it('events that are never generated are not listed, and the payment is there all the same', () => {
    const books = make({ typesNeverGenerated: ['checkout.session.completed'] });
    expect(books.events.byType['checkout.session.completed']).toBeUndefined();
    expect(books.paidSessions).toHaveLength(1);
  });

  it('twins are two events for one change', () => {
    expect(make({ twinFraction: 1 }).events.byType).toMatchObject({
      'checkout.session.completed': 2,
      'payment_intent.succeeded': 2,
    });
  });
});
