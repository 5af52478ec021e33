import { buildInvoicePayload } from './invoice-payload';
import { defaultProfile, type PayloadProfile } from './payload-profile';

const context = { invoiceId: '18637', idempotencyKey: 'invoice-paid:cs_live_1', eventId: 'evt_1' };

function setup() {
  const line = {
    id: 'li_1',
    currency: 'usd',
    description: 'Kit',
    quantity: 2,
    amount_subtotal: 3000,
    amount_total: 3000,
    price: { id: 'price_1', unit_amount: 1500, currency: 'usd', product: 'prod_1' },
  };
  const session = {
    id: 'cs_live_1',
    object: 'checkout.session',
    payment_status: 'paid',
    mode: 'payment',
    currency: 'usd',
    amount_subtotal: 3000,
    amount_total: 3000,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    payment_intent: 'pi_1',
  };
  const charge = { id: 'ch_1', paid: true, receipt_url: 'https://receipts.example/1', currency: 'usd' };
  return { session, line, charge, products: {} };
}

function build(
  change: {
    session?: object;
    line?: object;
    charge?: unknown;
    products?: Record<string, unknown>;
    paymentIntent?: unknown;
  },
  profile: Partial<PayloadProfile> = {},
) {
  const base = setup();
  return buildInvoicePayload(
    {
      session: { ...base.session, ...change.session },
      lineItems: [{ ...base.line, ...change.line }],
      products: change.products ?? {},
      charge: 'charge' in change ? change.charge : base.charge,
      paymentIntent: change.paymentIntent,
    },
    context,
    { ...defaultProfile, ...profile },
  );
}

function payloadOf(...given: Parameters<typeof build>) {
  const result = build(...given);
  if (result.kind === 'refused') throw new Error(`${result.code}: ${result.message}`);
  return result.payload;
}

describe('what is refused, and by which code', () => {
  test.each([
    ['an unpaid Session', { session: { payment_status: 'unpaid' } }, 'NOT_PAID'],
    ['a subscription', { session: { mode: 'subscription' } }, 'MODE_NOT_PAYMENT'],
    ['a set-up', { session: { mode: 'setup' } }, 'MODE_NOT_PAYMENT'],
    ['another object', { session: { object: 'payment_intent' } }, 'SESSION_UNREADABLE'],
    ['a total of null', { session: { amount_total: null } }, 'AMOUNT_MISSING'],
    ['a total in fractions', { session: { amount_total: 3000.5 } }, 'AMOUNT_NOT_INTEGER'],
    ['a total as text', { session: { amount_total: '3000' } }, 'AMOUNT_NOT_INTEGER'],
    ['a total beyond exactness', { session: { amount_total: 2 ** 53 } }, 'AMOUNT_NOT_INTEGER'],
    ['a line without total', { line: { amount_total: undefined } }, 'AMOUNT_MISSING'],
    ['a line without subtotal', { line: { amount_subtotal: null } }, 'AMOUNT_MISSING'],
    ['a line in another currency', { line: { currency: 'eur' } }, 'CURRENCY_MIXED'],
    ['no currency anywhere', { session: { currency: null }, line: { currency: null } }, 'CURRENCY_MISSING'],
    ['half a piece', { line: { quantity: 0.5 } }, 'LINE_UNREADABLE'],
    ['minus one piece', { line: { quantity: -1 } }, 'LINE_UNREADABLE'],
    ['no pieces that cost something', { line: { quantity: 0 } }, 'LINE_UNREADABLE'],
    ['shipping without total', { session: { shipping_cost: { amount_subtotal: 5 } } }, 'AMOUNT_MISSING'],
    ['a total that is too small', { session: { amount_total: 2999 } }, 'SUMS_DIFFER'],
  ])('%s', (_what, change, code) => {
    expect(build(change)).toMatchObject({ kind: 'refused', code, details: { sessionId: 'cs_live_1' } });
  });

  test('sums that no JSON number holds exactly are refused, not rounded', () => {
    const base = setup();
    const large = { ...base.line, amount_total: Number.MAX_SAFE_INTEGER };
    const result = buildInvoicePayload(
      {
        session: { ...base.session, amount_total: Number.MAX_SAFE_INTEGER },
        lineItems: [large, large],
        products: {},
        charge: null,
      },
      context,
      defaultProfile,
    );
    expect(result).toMatchObject({ kind: 'refused', code: 'AMOUNT_NOT_INTEGER' });
  });

  test('a sale without invoice id', () => {
    const { session, line, charge, products } = setup();
    expect(
      buildInvoicePayload(
        { session, lineItems: [line], products, charge },
        { ...context, invoiceId: ' ' },
        defaultProfile,
      ),
    ).toMatchObject({ kind: 'refused', code: 'INVOICE_ID_MISSING' });
  });

  test('the sums say which line had which amount', () => {
    expect(build({ line: { amount_total: 2500 } })).toMatchObject({
      code: 'SUMS_DIFFER',
      details: {
        sums: { total: 3000, lines: 2500, shipping: 0, difference: -500, perLine: [{ lineId: 'li_1', amount: 2500 }] },
      },
    });
  });

  test('a refusal never repeats what the customer wrote', () => {
    const result = build({
      session: { shipping_details: { name: { first: 'Rhonda' } }, customer_email: 'r@h.example' },
    });
    expect(result).toMatchObject({ code: 'SESSION_UNREADABLE', details: { field: 'session.shipping_details.name' } });
    expect(JSON.stringify(result)).not.toMatch(/Rhonda|r@h/);
  });

  test('a missing code is refused only where the profile wants that', () => {
    expect(build({}, { missingCode: 'refuse' })).toMatchObject({
      kind: 'refused',
      code: 'CODE_MISSING',
      details: { lineId: 'li_1', productId: 'prod_1' },
    });
    expect(build({ line: { metadata: { billing_code: 'X' } } }, { missingCode: 'refuse' }).kind).toBe('built');
  });
});

describe('where a value comes from', () => {
  test('the receipt is only that of a paid charge', () => {
    expect(payloadOf({}).receipt_url).toBe('https://receipts.example/1');
    expect(payloadOf({ charge: { ...setup().charge, paid: false } }).receipt_url).toBe('');
    expect(payloadOf({ charge: { ...setup().charge, receipt_url: null } }).receipt_url).toBe('');
    expect(payloadOf({ charge: null }).receipt_url).toBe('');
    expect(payloadOf({ charge: 'ch_1' }).receipt_url).toBe('');
    expect(
      payloadOf({ charge: null, session: { payment_intent: { id: 'pi_1', latest_charge: setup().charge } } })
        .receipt_url,
    ).toBe('https://receipts.example/1');
  });

  test('a charge that does not say whether it is paid counts as paid under a PaymentIntent that succeeded', () => {
    const { paid, ...silent } = { ...setup().charge, amount_captured: 2999 };
    const under = (status: string | undefined, charge: object) => ({
      charge: 'ch_1',
      paymentIntent: { id: 'pi_1', ...(status === undefined ? {} : { status }), latest_charge: charge },
    });
    for (const change of [
      under('succeeded', silent),
      under(undefined, silent),
      { charge: { ...silent, paid: null } },
    ]) {
      expect(payloadOf(change).receipt_url).toBe('https://receipts.example/1');
      expect(build(change)).toMatchObject({ notices: expect.arrayContaining(['CAPTURED_LESS']) });
    }
    const failed = [
      under('succeeded', { ...silent, paid: false }),
      under('succeeded', { ...silent, status: 'failed' }),
      under('requires_payment_method', silent),
    ];
    for (const change of failed) expect(payloadOf(change).receipt_url).toBe('');
    const sure = { ...silent, paid: true, receipt_url: 'https://receipts.example/sure' };
    expect(payloadOf({ ...under('succeeded', sure), charge: silent }).receipt_url).toBe(
      'https://receipts.example/sure',
    );
  });

  test('the shipping item has a name, whatever is left out: the configured one, the rate’s own, or Shipping', () => {
    const nameOf = (shipping_rate: unknown, name: string) => {
      const shipping_cost = { amount_subtotal: 500, amount_tax: 0, amount_total: 500, shipping_rate };
      const session = {
        amount_total: 3500,
        shipping_cost,
        total_details: { amount_discount: 0, amount_shipping: 500, amount_tax: 0 },
      };
      const { items } = payloadOf({ session }, { shippingItem: { code: '', catalogNumber: '', name } });
      return [items.at(-1)?.name, items.at(-1)?.description];
    };
    const rate = { id: 'shr_1', display_name: 'By air' };
    expect(nameOf(rate, 'Freight')).toEqual(['Freight', 'By air']);
    expect(nameOf(rate, '')).toEqual(['By air', 'By air']);
    expect(nameOf('shr_1', ' ')).toEqual(['Shipping', 'Shipping']);
    expect(nameOf({ id: 'shr_1', display_name: null }, '')).toEqual(['Shipping', 'Shipping']);
    expect(nameOf(null, '')).toEqual(['Shipping', 'Shipping']);
  });

  test('the shipping address is looked for newest place first', () => {
    const at = (name: string) => ({ name, address: null });
    const places = {
      collected_information: { shipping_details: at('collected') },
      shipping_details: at('details'),
      shipping: at('shipping'),
      payment_intent: { id: 'pi_1', shipping: at('intent') },
    };
    const { collected_information, ...second } = places;
    const { shipping_details, ...third } = second;
    const { shipping, ...fourth } = third;
    expect(
      [places, { ...second, collected_information: null }, third, fourth].map(
        (session) => payloadOf({ session }).shipping.name,
      ),
    ).toEqual(['collected', 'details', 'shipping', 'intent']);
    expect(payloadOf({ paymentIntent: { id: 'pi_1', shipping: at('apart') } }).shipping.name).toBe('apart');
    expect(payloadOf({}).shipping).toEqual({ name: '', address: null });
  });

  test('the e-mail address is the customer’s, then what the Session was opened with, then the receipt’s', () => {
    expect(payloadOf({ session: { customer_details: { email: 'a@x' }, customer_email: 'b@x' } }).email).toBe('a@x');
    expect(payloadOf({ session: { customer_details: { email: null }, customer_email: 'b@x' } }).email).toBe('b@x');
    expect(payloadOf({ paymentIntent: { id: 'pi_1', receipt_email: 'c@x' } }).email).toBe('c@x');
    expect(payloadOf({ charge: { ...setup().charge, billing_details: { email: 'd@x' } } }).email).toBe('d@x');
    expect(payloadOf({}).email).toBe('');
  });

  test('live or test is read from the Session, or else from its id', () => {
    expect(payloadOf({})).toMatchObject({ livemode: true });
    expect(payloadOf({ session: { livemode: false } })).toMatchObject({ livemode: false });
  });

  test('shipping that cost nothing is no item, and without a shipping item its cost stays in the amounts', () => {
    const shipping_cost = { amount_subtotal: 500, amount_tax: 0, amount_total: 500 };
    const session = {
      amount_total: 3500,
      shipping_cost,
      total_details: { amount_discount: 0, amount_shipping: 500, amount_tax: 0 },
    };
    expect(payloadOf({ session }).items.map((item) => item.name)).toEqual(['Kit', 'Shipping']);
    const without = payloadOf({ session }, { shippingItem: null });
    expect(without.items.map((item) => item.name)).toEqual(['Kit']);
    expect(without).toMatchObject({ invoicetotal_cents: 3500, amounts: { shipping: 500, total: 3500 } });
    const free = { shipping_cost: { amount_subtotal: 0, amount_tax: 0, amount_total: 0 } };
    expect(payloadOf({ session: free }).items.map((item) => item.name)).toEqual(['Kit']);
  });

  test('a product called like a property of every object is not found by accident', () => {
    const line = { price: { id: 'price_1', unit_amount: 1500, currency: 'usd', product: '__proto__' } };
    expect(build({ line })).toMatchObject({ kind: 'built', notices: ['PRODUCT_MISSING', 'CODE_MISSING'] });
  });

  test('a deleted product counts as missing, whatever is left of it', () => {
    const products = { prod_1: { id: 'prod_1', deleted: true, name: 'Ghost', metadata: { billing_code: 'G' } } };
    expect(build({ products })).toMatchObject({ notices: ['PRODUCT_MISSING', 'CODE_MISSING'] });
    expect(payloadOf({ products }).items[0]).toMatchObject({ code: '', name: 'Kit' });
  });

  test('a breakdown that contradicts itself is told, but the lines decide', () => {
    const off = { total_details: { amount_discount: 100, amount_shipping: 0, amount_tax: 0 } };
    expect(build({ session: off })).toMatchObject({
      kind: 'built',
      notices: expect.arrayContaining(['BREAKDOWN_DIFFERS']),
    });
    expect(build({})).toMatchObject({ notices: expect.not.arrayContaining(['BREAKDOWN_DIFFERS']) });
  });

  test('a charge that took less than the total is told', () => {
    const charge = { ...setup().charge, amount_captured: 2999 };
    expect(build({ charge })).toMatchObject({ kind: 'built', notices: expect.arrayContaining(['CAPTURED_LESS']) });
  });

  test('the breakdown is added up from the lines where the Session lacks it', () => {
    const session = { amount_subtotal: null, total_details: null, amount_total: 3030 };
    const line = { amount_discount: 200, amount_tax: 230, amount_total: 3030 };
    expect(payloadOf({ session, line })).toMatchObject({
      amounts: { subtotal: 3000, discount: 200, tax: 230, shipping: 0, total: 3030 },
    });
  });
});
