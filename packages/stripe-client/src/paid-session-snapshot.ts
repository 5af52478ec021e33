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

/** What one retrieve with {@link sessionExpand} brings, and what did not come along and has to be asked for apart. */
export interface UnfoldedSession {
  session: StripeObject;
  /** Null when the server left the lines out. */
  lines: { items: StripeObject[]; hasMore: boolean } | null;
  payment: UnfoldedPayment;
}

export interface UnfoldedPayment {
  paymentIntent: StripeObject | null;
  charge: StripeObject | null;
  /** What stands there only as an id; undefined when nothing is missing. */
  missing?: { kind: 'payment_intent' | 'charge'; id: string };
}

/** One call brings the sale with its first lines and their products; four levels are what Stripe allows. */
export const sessionExpand = ['line_items.data.price.product', 'payment_intent.latest_charge'];
/** Only for the name of the shipping, so that a key which may not read shipping rates loses nothing else. */
export const shippingRateExpand = 'shipping_cost.shipping_rate';

/** Null when the answer is no Checkout Session. A server that ignores `expand` is read as far as its answer goes. */
export function unfoldSession(answer: unknown): UnfoldedSession | null {
  const whole = asStripeObject(answer, 'checkout.session');
  if (whole === null) return null;
  const { line_items, ...rest } = whole;
  const payment = unfoldPayment(rest.payment_intent);
  if (payment === null) return null;
  const intentId = payment.paymentIntent?.id ?? payment.missing?.id;
  return {
    session: {
      ...rest,
      id: whole.id,
      object: whole.object,
      ...(intentId === undefined ? {} : { payment_intent: intentId }),
    },
    lines: asStripeList(line_items),
    payment,
  };
}

/** Null when what stands there is neither a PaymentIntent, its id nor nothing. */
export function unfoldPayment(value: unknown): UnfoldedPayment | null {
  if (value === null || value === undefined) return { paymentIntent: null, charge: null };
  if (typeof value === 'string') {
    return { paymentIntent: null, charge: null, missing: { kind: 'payment_intent', id: value } };
  }
  const intent = asStripeObject(value, 'payment_intent');
  if (intent === null) return null;
  const latest = intent.latest_charge;
  if (typeof latest === 'string') {
    return { paymentIntent: intent, charge: null, missing: { kind: 'charge', id: latest } };
  }
  const charge = asStripeObject(latest, 'charge');
  if (charge === null && latest !== null && latest !== undefined) return null;
  return { paymentIntent: { ...intent, latest_charge: charge?.id ?? null }, charge };
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
