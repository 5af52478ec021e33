import fc from 'fast-check';
import { buildInvoicePayload, type InvoicePayload } from './invoice-payload';
import type { PaidSession } from './paid-session';
import { defaultProfile } from './payload-profile';

// A sale as money, before any API version gave it a shape.
interface Line {
  unit: number;
  quantity: number;
  discount: number;
  tax: number;
  inclusive: boolean;
  product: 'listed' | 'expanded' | 'deleted' | 'missing';
}
interface Sale {
  currency: string;
  lines: Line[];
  shipping: { amount: number; tax: number; inclusive: boolean } | null;
  address: { name: string; city: string } | null;
  paidThrough: 'charge' | 'nothing due';
}
type Shape = 'today' | 'before 2025-03-31' | 'before 2022-08-01';

const taxOf = (base: number, permille: number, inclusive: boolean) =>
  inclusive ? base - Math.round((base * 1000) / (1000 + permille)) : Math.round((base * permille) / 1000);
const taxRate = fc.constantFrom(0, 55, 81, 190, 200);

const lineArbitrary: fc.Arbitrary<Line> = fc
  .record({
    unit: fc.integer({ min: 0, max: 500_000 }),
    quantity: fc.integer({ min: 1, max: 400 }),
    discountPercent: fc.constantFrom(0, 0, 10, 33, 100),
    permille: taxRate,
    inclusive: fc.boolean(),
    product: fc.constantFrom('listed', 'expanded', 'deleted', 'missing'),
  })
  .map(({ unit, quantity, discountPercent, permille, inclusive, product }) => {
    const discount = Math.round((unit * quantity * discountPercent) / 100);
    const tax = taxOf(unit * quantity - discount, permille, inclusive);
    return { unit, quantity, discount, tax, inclusive, product };
  });

const saleArbitrary = (shippingTaxed: boolean): fc.Arbitrary<Sale> =>
  fc.record({
    currency: fc.constantFrom('usd', 'eur', 'gbp', 'jpy', 'krw', 'kwd', 'bhd', 'isk'),
    lines: fc.array(lineArbitrary, { minLength: 1, maxLength: 30 }),
    shipping: fc.option(
      fc
        .record({ amount: fc.integer({ min: 0, max: 50_000 }), permille: taxRate, inclusive: fc.boolean() })
        .map(({ amount, permille, inclusive }) => ({
          amount,
          inclusive,
          tax: shippingTaxed ? taxOf(amount, permille, inclusive) : 0,
        })),
    ),
    address: fc.option(fc.record({ name: fc.string({ unit: 'grapheme' }), city: fc.string({ unit: 'grapheme' }) })),
    paidThrough: fc.constantFrom('charge', 'nothing due'),
  });

const lineTotal = (line: Line) => line.unit * line.quantity - line.discount + (line.inclusive ? 0 : line.tax);
const shippingTotal = ({ shipping }: Sale) =>
  shipping ? shipping.amount + (shipping.inclusive ? 0 : shipping.tax) : 0;
const sum = (amounts: number[]) => amounts.reduce((all, amount) => all + amount, 0);

function render(sale: Sale, shape: Shape) {
  const total = sum(sale.lines.map(lineTotal)) + shippingTotal(sale);
  const shippingDetails = sale.address
    ? { name: sale.address.name, address: { city: sale.address.city, country: 'US', line1: null, state: 'TX' } }
    : null;
  const charge = {
    id: 'ch_1',
    paid: true,
    currency: sale.currency,
    amount_captured: total,
    receipt_url: 'https://receipts.example/1',
  };
  const failed = { id: 'ch_0', paid: false, receipt_url: 'https://receipts.example/failed' };
  const paidByCharge = sale.paidThrough === 'charge';
  const old = shape === 'before 2022-08-01';
  const paymentIntent = old ? { id: 'pi_1', charges: { data: [failed, charge] } } : 'pi_1';
  const products: Record<string, unknown> = {};
  const lineItems = sale.lines.map((line, index) => {
    const product = { id: `prod_${index}`, name: `Product ${index}`, metadata: { billing_code: `B${index}` } };
    if (line.product === 'listed') products[product.id] = product;
    if (line.product === 'deleted') products[product.id] = { id: product.id, deleted: true };
    return {
      id: `li_${index}`,
      object: 'item',
      currency: sale.currency,
      description: `Line ${index}`,
      quantity: line.quantity,
      amount_subtotal: line.unit * line.quantity,
      amount_total: lineTotal(line),
      ...(old ? {} : { amount_discount: line.discount, amount_tax: line.tax }),
      price: {
        id: `price_${index}`,
        currency: sale.currency,
        unit_amount: line.unit,
        product: line.product === 'expanded' ? product : product.id,
      },
    };
  });
  const session = {
    id: 'cs_test_1',
    object: 'checkout.session',
    livemode: false,
    mode: 'payment',
    payment_status: paidByCharge ? 'paid' : 'no_payment_required',
    currency: sale.currency,
    amount_subtotal: sum(sale.lines.map((line) => line.unit * line.quantity)),
    amount_total: total,
    total_details: {
      amount_discount: sum(sale.lines.map((line) => line.discount)),
      amount_shipping: sale.shipping?.amount ?? 0,
      amount_tax: sum(sale.lines.map((line) => line.tax)) + (sale.shipping?.tax ?? 0),
    },
    customer_details: { email: 'a@b.example' },
    payment_intent: paidByCharge ? paymentIntent : null,
    ...(old
      ? {}
      : {
          shipping_cost: sale.shipping && {
            amount_subtotal: sale.shipping.amount,
            amount_tax: sale.shipping.tax,
            amount_total: shippingTotal(sale),
          },
        }),
    ...(shape === 'today' ? { collected_information: { shipping_details: shippingDetails } } : {}),
    ...(shape === 'before 2025-03-31' ? { shipping_details: shippingDetails } : {}),
    ...(old ? { shipping: shippingDetails } : {}),
  };
  return { session, lineItems, products, charge: paidByCharge && !old ? charge : null };
}

const context = { invoiceId: '18637', idempotencyKey: 'invoice-paid:cs_test_1', eventId: 'evt_1' };

function built(paid: PaidSession) {
  const result = buildInvoicePayload(paid, context, defaultProfile);
  if (result.kind === 'refused') throw new Error(`${result.code}: ${result.message}`);
  return result;
}

const itemsMake = (items: InvoicePayload['items']) =>
  sum(items.map((item) => Number(item.quantity) * Number(item.unit_price_cents)));

describe('payloads of generated sales', () => {
  test('a Session whose sums are right is always built, complete, and proved', () => {
    fc.assert(
      fc.property(saleArbitrary(true), fc.constantFrom<Shape>('today', 'before 2025-03-31'), (sale, shape) => {
        const paid = render(sale, shape);
        const { payload, sums, notices, bytes } = built(paid);
        expect(payload.invoicetotal_cents).toBe(paid.session.amount_total);
        expect(sums.difference).toBe(0);
        expect(sums.lines + sums.shipping).toBe(sums.total);
        expect(itemsMake(payload.items)).toBe(paid.session.amount_subtotal + (sale.shipping?.amount ?? 0));
        expect(sum(payload.items.map((item) => Number(item.quantity)))).toBe(
          sum(sale.lines.map((line) => line.quantity)) + (sale.shipping && sale.shipping.amount > 0 ? 1 : 0),
        );
        expect(notices).not.toContain('BREAKDOWN_DIFFERS');
        expect(notices).not.toContain('CAPTURED_LESS');
        expect(payload.receipt_url).toBe(sale.paidThrough === 'charge' ? 'https://receipts.example/1' : '');
        expect(JSON.parse(bytes)).toEqual(payload);
      }),
    );
  });

  test('one amount off by anything is refused with the sums', () => {
    const place = fc.oneof(
      fc.constant('total' as const),
      fc.constant('shipping' as const),
      fc.nat().map((line) => ({ line })),
    );
    fc.assert(
      fc.property(
        saleArbitrary(true),
        place,
        fc.integer({ min: -1_000_000, max: 1_000_000 }).filter((delta) => delta !== 0),
        (sale, where, delta) => {
          const paid = render(sale, 'today');
          const cost = paid.session.shipping_cost;
          if (where === 'total') paid.session.amount_total += delta;
          else if (where === 'shipping') {
            if (cost) cost.amount_total += delta;
            else paid.session.total_details.amount_shipping += delta;
          } else {
            const line = paid.lineItems[where.line % paid.lineItems.length];
            if (line === undefined) throw new Error('no line');
            line.amount_total += delta;
          }
          const result = buildInvoicePayload(paid, context, defaultProfile);
          expect(result).toMatchObject({ kind: 'refused', code: 'SUMS_DIFFER', details: { sessionId: 'cs_test_1' } });
          if (result.kind === 'built') throw new Error('built');
          const wrongTotal = where === 'total';
          expect(result.details.sums?.difference).toBe(wrongTotal ? -delta : delta);
        },
      ),
    );
  });

  test('a line that is missing or doubled is refused, unless it cost nothing', () => {
    fc.assert(
      fc.property(saleArbitrary(true), fc.nat(), fc.boolean(), (sale, pick, doubled) => {
        const paid = render(sale, 'today');
        const index = pick % paid.lineItems.length;
        const line = paid.lineItems[index];
        if (line === undefined) throw new Error('no line');
        fc.pre(line.amount_total !== 0);
        const lineItems = doubled ? [...paid.lineItems, line] : paid.lineItems.toSpliced(index, 1);
        expect(buildInvoicePayload({ ...paid, lineItems }, context, defaultProfile)).toMatchObject({
          kind: 'refused',
          code: 'SUMS_DIFFER',
        });
      }),
    );
  });

  test('every API shape of one sale gives the same bytes', () => {
    fc.assert(
      fc.property(saleArbitrary(false), (sale) => {
        const today = built(render(sale, 'today'));
        expect(built(render(sale, 'before 2025-03-31')).bytes).toBe(today.bytes);
        // Lines of old had no discount and tax of their own; the Session's totals say them all the same.
        expect(built(render(sale, 'before 2022-08-01')).bytes).toBe(today.bytes);
      }),
    );
  });

  test('the same input gives the same bytes, and is left as it was', () => {
    fc.assert(
      fc.property(saleArbitrary(true), (sale) => {
        const paid = render(sale, 'today');
        const before = structuredClone(paid);
        const first = built(paid).bytes;
        expect(paid).toEqual(before);
        expect(built(structuredClone(paid)).bytes).toBe(first);
      }),
    );
  });

  test('whatever stands in the place of an object, the answer is a refusal and never an exception', () => {
    const junk = fc.jsonValue();
    fc.assert(
      fc.property(
        saleArbitrary(true),
        junk,
        fc.constantFrom('session', 'line', 'lineItems', 'price', 'charge', 'amount_total', 'shipping_cost', 'currency'),
        (sale, value, where) => {
          const paid = render(sale, 'today');
          const spoiled: PaidSession = {
            ...paid,
            ...(where === 'session' ? { session: value } : {}),
            ...(where === 'lineItems' ? { lineItems: [value] } : {}),
            ...(where === 'line' ? { lineItems: [...paid.lineItems, value] } : {}),
            ...(where === 'price' ? { lineItems: paid.lineItems.map((line) => ({ ...line, price: value })) } : {}),
            ...(where === 'charge' ? { charge: value } : {}),
            ...(where.includes('_') || where === 'currency' ? { session: { ...paid.session, [where]: value } } : {}),
          };
          const result = buildInvoicePayload(spoiled, context, defaultProfile);
          if (result.kind === 'built') expect(result.sums.difference).toBe(0);
          else expect(result.code).toMatch(/^[A-Z_]+$/);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('any text, even half a surrogate pair, becomes bytes that UTF-8 carries unharmed', () => {
    const anyUnits = fc
      .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff })), { maxLength: 20 })
      .map((units) => String.fromCharCode(...units));
    fc.assert(
      fc.property(anyUnits, fc.string({ unit: 'binary' }), (broken, whole) => {
        const paid = render(
          {
            currency: 'usd',
            lines: [{ unit: 1, quantity: 1, discount: 0, tax: 0, inclusive: false, product: 'missing' }],
            shipping: null,
            address: { name: broken, city: whole },
            paidThrough: 'charge',
          },
          'today',
        );
        const { payload, bytes } = built(paid);
        expect(Buffer.from(bytes, 'utf8').toString('utf8')).toBe(bytes);
        expect(JSON.parse(bytes)).toEqual(payload);
        expect(bytes).not.toMatch(/\\ud[89a-f]/i);
        expect(payload.shipping.address?.city).toBe(whole);
        expect(payload.shipping.name).toHaveLength(broken.length);
      }),
      { numRuns: 300 },
    );
  });
});
