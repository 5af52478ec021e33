import type { InvoicesConfig } from '@bridge/config';
import { buildInvoicePayload, type PaidSession, type PayloadProfile } from '@bridge/payload-builder';

/** Claris asks to keep URLs within 2,000 characters (Data API guide, url-data-format-notes). */
export const SCRIPT_URL_CHARACTERS_MAX = 2_000;
/** A cart that fits with so many lines is not measured any further. */
export const CART_LINES_MEASURED_MAX = 200;

export interface CartLines {
  /** Lines of the largest cart whose script URL is within `SCRIPT_URL_CHARACTERS_MAX`; at most CART_LINES_MEASURED_MAX. */
  fit: number;
  /** Characters of the URL with that cart; with one line when none fits. */
  urlCharacters: number;
}

/** Ids as long as Stripe's live ones, names and an address of usual length. */
const ID = (prefix: string, length: number): string => `${prefix}_${'a1B2c3D4e5F6g7H8i9J0'.repeat(5).slice(0, length)}`;

const line = (index: number): unknown => ({
  id: ID('li', 24),
  object: 'item',
  description: 'Knee brace, adult, size M',
  quantity: 2,
  currency: 'usd',
  amount_subtotal: 30_000,
  amount_total: 30_000,
  price: {
    id: ID('price', 24),
    currency: 'usd',
    unit_amount: 15_000,
    unit_amount_decimal: '15000',
    metadata: { billing_code: `L${1_000 + index}`, catalog_number: `200-${100 + index}` },
    product: { id: ID('prod', 14), name: 'Knee brace, adult', metadata: {} },
  },
});

/** A sale as a shop sees it every day, with this many lines and paid shipping. */
function typicalSale(lines: number): PaidSession {
  const shipping = 1_500;
  return {
    session: {
      id: ID('cs_live', 58),
      object: 'checkout.session',
      livemode: true,
      mode: 'payment',
      payment_status: 'paid',
      currency: 'usd',
      amount_subtotal: 30_000 * lines,
      amount_total: 30_000 * lines + shipping,
      total_details: { amount_discount: 0, amount_shipping: shipping, amount_tax: 0 },
      customer_details: { email: 'rhonda.hensley@example.com' },
      collected_information: {
        shipping_details: {
          name: 'Rhonda Hensley',
          address: {
            city: 'Georgetown',
            country: 'US',
            line1: '1330 West University Ave',
            line2: null,
            postal_code: '78628',
            state: 'TX',
          },
        },
      },
      shipping_cost: {
        amount_subtotal: shipping,
        amount_tax: 0,
        amount_total: shipping,
        shipping_rate: { display_name: 'Overnight Shipping' },
      },
      payment_intent: ID('pi', 24),
    },
    lineItems: Array.from({ length: lines }, (_, index) => line(index)),
    products: {},
    charge: {
      id: ID('ch', 24),
      paid: true,
      currency: 'usd',
      receipt_url: `https://pay.stripe.com/receipts/payment/${ID('CAcaFwoVYWNjdF8', 90)}`,
    },
  };
}

/** The profile that the invoices flow makes of the same settings; a test compares the two. */
export const payloadProfileOf = ({ fields, unit_price, shipping_item }: InvoicesConfig['payload']): PayloadProfile => ({
  fields,
  unitPrice: unit_price,
  shippingItem: {
    code: shipping_item.code,
    catalogNumber: shipping_item.catalog_number,
    name: shipping_item.name ?? '',
  },
  missingCode: 'empty',
});

/**
 * How many lines of a usual cart fit into the URL of a script call with this payload profile. Pure. `urlLength` is the
 * client's count for a parameter.
 */
export function measureCartLines(profile: PayloadProfile, urlLength: (parameter: string) => number): CartLines {
  const lengthWith = (lines: number): number => {
    const built = buildInvoicePayload(
      typicalSale(lines),
      { invoiceId: '18637', idempotencyKey: `invoice-paid:${ID('cs_live', 58)}`, eventId: ID('evt', 24) },
      profile,
    );
    if (built.kind !== 'built') throw new Error(`The sample cart is refused: ${built.code}`);
    return urlLength(built.bytes);
  };
  let fit = 0;
  let urlCharacters = lengthWith(1);
  for (let lines = 1; lines <= CART_LINES_MEASURED_MAX; lines += 1) {
    const length = lengthWith(lines);
    if (length > SCRIPT_URL_CHARACTERS_MAX) break;
    fit = lines;
    urlCharacters = length;
  }
  return { fit, urlCharacters };
}
