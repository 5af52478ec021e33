import { asStripeList, asStripeObject, type StripeObject } from './stripe-object';

/** Everything about a sale that a payload needs, read at one time. Nothing is expanded twice; ids stand where objects were. */
export interface PaidSessionSnapshot {
  /** The Checkout Session, without its lines; `payment_intent` is an id or null. */
  session: StripeObject;
  /** Every line, in order; `price.product` is an id. */
  lineItems: StripeObject[];
  /** Every product of the lines by id; one that is gone is `{ id, object: 'product', deleted: true }`. */
  products: Record<string, StripeObject>;
  /** The PaymentIntent; `latest_charge` is an id or null. Null when nothing was due. */
  paymentIntent: StripeObject | null;
  /** The PaymentIntent's latest charge, which may be a failed one: look at `paid`. */
  charge: StripeObject | null;
  /** What that charge has already given back. */
  reversal: {
    /** Minor units. */
    amountRefunded: number;
    fullyRefunded: boolean;
    disputed: boolean;
  };
}

/** What one retrieve with {@link sessionExpand} brings; `null` when the answer is not of that shape. */
export interface UnfoldedSession {
  session: StripeObject;
  lines: { items: StripeObject[]; hasMore: boolean };
  paymentIntent: StripeObject | null;
  charge: StripeObject | null;
}

/** One call brings the sale with its first lines and their products; four levels are what Stripe allows. */
export const sessionExpand = [
  'line_items.data.price.product',
  'payment_intent.latest_charge',
  'shipping_cost.shipping_rate',
];

export function unfoldSession(answer: unknown): UnfoldedSession | null {
  const whole = asStripeObject(answer, 'checkout.session');
  if (whole === null) return null;
  const { line_items, ...rest } = whole;
  const lines = asStripeList(line_items);
  if (lines === null) return null;
  if (rest.payment_intent === null || rest.payment_intent === undefined) {
    return { session: { ...rest, id: whole.id, object: whole.object }, lines, paymentIntent: null, charge: null };
  }
  const intent = asStripeObject(rest.payment_intent, 'payment_intent');
  if (intent === null) return null;
  const charge = asStripeObject(intent.latest_charge, 'charge');
  if (charge === null && intent.latest_charge !== null && intent.latest_charge !== undefined) return null;
  return {
    session: { ...rest, id: whole.id, object: whole.object, payment_intent: intent.id },
    lines,
    paymentIntent: { ...intent, latest_charge: charge?.id ?? null },
    charge,
  };
}

/** Takes the products out of the lines, and says which lines name one that did not come along. */
export function foldProducts(lines: StripeObject[]): {
  lineItems: StripeObject[];
  products: Record<string, StripeObject>;
  missing: string[];
} {
  const products = new Map<string, StripeObject>();
  const named = new Set<string>();
  const lineItems = lines.map((line) => {
    const { price } = line;
    if (typeof price !== 'object' || price === null || !('product' in price)) return line;
    if (typeof price.product === 'string') {
      named.add(price.product);
      return line;
    }
    const product = asStripeObject(price.product, 'product');
    if (product === null) return line;
    products.set(product.id, product);
    return { ...line, price: { ...price, product: product.id } };
  });
  return {
    lineItems,
    products: Object.fromEntries(products),
    missing: [...named].filter((id) => !products.has(id)),
  };
}

export function reversalOf(charge: StripeObject | null): PaidSessionSnapshot['reversal'] {
  return {
    amountRefunded: typeof charge?.amount_refunded === 'number' ? charge.amount_refunded : 0,
    fullyRefunded: charge?.refunded === true,
    disputed: charge?.disputed === true,
  };
}
