import { z } from 'zod';
import { PayloadRefusal, type PayloadRefusalCode, type RefusalDetails } from './payload-refusal';

/** What Stripe knows about a sale, as plain JSON of any API version since 2020. */
export interface PaidSession {
  /** The Checkout Session; `payment_intent` may be an id or expanded. */
  session: unknown;
  /** All lines, in order; `price.product` may be an id or expanded. */
  lineItems: readonly unknown[];
  /** Products by id; some may be missing or deleted. */
  products: Readonly<Record<string, unknown>>;
  /** The charge that took the money (`latest_charge`), when there is one. */
  charge: unknown;
  /** The PaymentIntent, when it stands apart from the Session: last resort for the shipping address. */
  paymentIntent?: unknown;
}

// Read later, with the field's name in the refusal; zod takes z.unknown() for a required key.
const amount = z.unknown().optional();
const text = z.string().nullish();
const metadata = z.record(z.string(), z.string()).nullish();
const address = z
  .object({ city: text, country: text, line1: text, line2: text, postal_code: text, state: text })
  .nullish();
const shippingDetails = z.object({ name: text, address }).nullish();

const chargeSchema = z.object({
  id: z.string(),
  paid: z.boolean().nullish(),
  status: text,
  receipt_url: text,
  currency: text,
  amount_captured: z.number().nullish(),
  billing_details: z.object({ email: text }).nullish(),
});
const paymentIntentSchema = z.object({
  id: z.string(),
  status: text,
  shipping: shippingDetails,
  receipt_email: text,
  latest_charge: z.union([z.string(), chargeSchema]).nullish(),
  // Until 2022-08-01 the charges stood inside, newest first.
  charges: z.object({ data: z.array(chargeSchema) }).nullish(),
});
const sessionSchema = z.object({
  id: z.string().min(1),
  object: z.literal('checkout.session'),
  livemode: z.boolean().nullish(),
  mode: text,
  payment_status: text,
  currency: text,
  amount_subtotal: amount,
  amount_total: amount,
  total_details: z.object({ amount_discount: amount, amount_shipping: amount, amount_tax: amount }).nullish(),
  shipping_cost: z
    .object({
      amount_subtotal: amount,
      amount_tax: amount,
      amount_total: amount,
      shipping_rate: z.union([z.string(), z.object({ display_name: text })]).nullish(),
    })
    .nullish(),
  customer_details: z.object({ email: text }).nullish(),
  customer_email: text,
  collected_information: z.object({ shipping_details: shippingDetails }).nullish(),
  // 2022-08-01 until 2025-03-31, and before that.
  shipping_details: shippingDetails,
  shipping: shippingDetails,
  payment_intent: z.union([z.string(), paymentIntentSchema]).nullish(),
});
const productSchema = z.object({
  id: z.string().nullish(),
  name: text,
  metadata,
  deleted: z.boolean().nullish(),
});
const lineSchema = z.object({
  id: z.string(),
  description: text,
  quantity: z.number().int().nonnegative().nullish(),
  currency: text,
  amount_subtotal: amount,
  amount_total: amount,
  amount_discount: amount,
  amount_tax: amount,
  metadata,
  price: z
    .object({
      id: text,
      currency: text,
      nickname: text,
      unit_amount: z.number().nullish(),
      unit_amount_decimal: z.union([z.string(), z.number()]).nullish(),
      metadata,
      product: z.union([z.string(), productSchema]).nullish(),
    })
    .nullish(),
});

export type SessionFacts = z.infer<typeof sessionSchema>;
export type LineFacts = z.infer<typeof lineSchema>;
export type ProductFacts = z.infer<typeof productSchema>;
export type ChargeFacts = z.infer<typeof chargeSchema>;
export type PaymentIntentFacts = z.infer<typeof paymentIntentSchema>;
export type ShippingDetails = NonNullable<z.infer<typeof shippingDetails>>;

export function readSession(value: unknown): SessionFacts {
  return read(sessionSchema, value, 'SESSION_UNREADABLE', 'session');
}

export function readLine(value: unknown, position: number): LineFacts {
  return read(lineSchema, value, 'LINE_UNREADABLE', `line_items[${position}]`);
}

/** The PaymentIntent as an object, from where it stands, or `null` when only its id is known. */
export function readPaymentIntent(paid: PaidSession, session: SessionFacts): PaymentIntentFacts | null {
  if (paid.paymentIntent !== null && paid.paymentIntent !== undefined && typeof paid.paymentIntent !== 'string') {
    return read(paymentIntentSchema, paid.paymentIntent, 'SESSION_UNREADABLE', 'payment_intent');
  }
  const inside = session.payment_intent;
  return typeof inside === 'object' && inside !== null ? inside : null;
}

/**
 * The charge that took the money: only a paid one, since `latest_charge` may also be the last failed attempt. One that does
 * not say whether it is paid counts as paid unless the PaymentIntent or its own status says otherwise: the Session is paid.
 */
export function readPaidCharge(paid: PaidSession, paymentIntent: PaymentIntentFacts | null): ChargeFacts | null {
  const known: ChargeFacts[] = [];
  if (typeof paid.charge === 'object' && paid.charge !== null) {
    known.push(read(chargeSchema, paid.charge, 'SESSION_UNREADABLE', 'charge'));
  }
  if (typeof paymentIntent?.latest_charge === 'object' && paymentIntent.latest_charge !== null) {
    known.push(paymentIntent.latest_charge);
  }
  known.push(...(paymentIntent?.charges?.data ?? []));
  const intentStatus = paymentIntent?.status ?? 'succeeded';
  const tookTheMoney = (charge: ChargeFacts) =>
    intentStatus === 'succeeded' && charge.paid !== false && (charge.status ?? 'succeeded') === 'succeeded';
  return known.find((charge) => charge.paid === true) ?? known.find(tookTheMoney) ?? null;
}

/**
 * The product of a line. An expanded one that still has a name counts; otherwise the product list is asked. A deleted
 * product, or one nobody could fetch, is `null`: the line's own text then stands in for it.
 */
export function readProduct(line: LineFacts, products: PaidSession['products']): ProductFacts | null {
  const inside = line.price?.product;
  if (inside === null || inside === undefined) return null;
  if (typeof inside === 'object' && inside.deleted !== true && typeof inside.name === 'string') return inside;
  const id = typeof inside === 'string' ? inside : inside.id;
  if (id === null || id === undefined || !Object.hasOwn(products, id)) return null;
  const listed = productSchema.safeParse(products[id]);
  return listed.success && listed.data.deleted !== true ? listed.data : null;
}

/** Newest place first: where a Session of any API version may carry the address. */
export function readShipping(session: SessionFacts, paymentIntent: PaymentIntentFacts | null): ShippingDetails | null {
  return (
    session.collected_information?.shipping_details ??
    session.shipping_details ??
    session.shipping ??
    paymentIntent?.shipping ??
    null
  );
}

/** Names the fields at fault and never their values, which belong to a customer. */
export function read<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: PayloadRefusalCode,
  name: string,
  details: RefusalDetails = {},
): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => [name, ...issue.path.map(String)].join('.'));
  const field = fields[0] ?? name;
  throw new PayloadRefusal(code, `Not as Stripe documents it: ${[...new Set(fields)].slice(0, 5).join(', ')}`, {
    ...details,
    field,
  });
}
