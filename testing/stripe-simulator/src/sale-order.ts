import { z } from 'zod';

const minorUnits = z.number().int().nonnegative();
const metadata = z.record(z.string(), z.string());
/** Seconds since 1970, or an ISO date and time. */
const instant = z
  .union([z.number().int(), z.iso.datetime({ offset: true })])
  .transform((value) => (typeof value === 'number' ? value : Math.floor(Date.parse(value) / 1000)));

const address = z.strictObject({
  line1: z.string().nullable().default(null),
  line2: z.string().nullable().default(null),
  city: z.string().nullable().default(null),
  state: z.string().nullable().default(null),
  postal_code: z.string().nullable().default(null),
  country: z.string().nullable().default(null),
});

const line = z.strictObject({
  name: z.string(),
  quantity: z.number().int().positive().default(1),
  /** Minor units; for `customUnitAmount` what the buyer chose to pay. */
  unitAmount: minorUnits,
  /** A price with a fraction of a minor unit, for example "12.5": `unit_amount` is then null. */
  unitAmountDecimal: z.string().optional(),
  /** The product's metadata: billing_code, catalog_number. */
  metadata: metadata.default({}),
  priceMetadata: metadata.default({}),
  lineMetadata: metadata.default({}),
  /** The product's description; the line's own description is `name`. */
  description: z.string().nullable().default(null),
  /** Minor units off the whole line. */
  discount: minorUnits.default(0),
  /** Minor units of tax in (inclusive) or on top of (exclusive) the whole line. */
  tax: minorUnits.default(0),
  taxBehavior: z.enum(['exclusive', 'inclusive', 'unspecified']).default('unspecified'),
  deletedProduct: z.boolean().default(false),
  inactiveProduct: z.boolean().default(false),
  /** Pay what you want: the price names no amount. */
  customUnitAmount: z.boolean().default(false),
});

const shipping = z.strictObject({
  name: z.string().default('Rhonda Hensley'),
  address: address.prefault({
    line1: '1330 West University Ave',
    city: 'Georgetown',
    state: 'TX',
    postal_code: '78628',
    country: 'US',
  }),
  /** Shipping cost in minor units; null ships without a cost. */
  amount: minorUnits.nullable().default(null),
  tax: minorUnits.default(0),
  taxBehavior: z.enum(['exclusive', 'inclusive']).default('exclusive'),
  displayName: z.string().default('Ground'),
});

/** What to sell, and how the payment goes. Everything has a default; amounts are minor units of the currency. */
export const saleOrderSchema = z.strictObject({
  mode: z.enum(['payment', 'subscription', 'setup']).default('payment'),
  /** Goes to the Session's metadata.invoice_id. */
  invoiceId: z.string().nullable().default(null),
  metadata: metadata.default({}),
  /** Stripe does not copy the Session's metadata to the PaymentIntent; this is what the shop put there itself. */
  paymentIntentMetadata: metadata.default({}),
  clientReferenceId: z.string().nullable().default(null),
  currency: z.string().length(3).toLowerCase().default('usd'),
  lines: z
    .array(line)
    .max(100)
    .prefault([
      {
        name: 'Adult TripleFlex Kit',
        unitAmount: 15_000,
        metadata: { billing_code: 'L2999', catalog_number: '200-27' },
      },
    ]),
  shipping: shipping.nullable().default(null),
  email: z.string().nullable().default('customer@email.com'),
  /** True makes a customer; a text uses (or makes) the customer of that id; otherwise the buyer stays a guest. */
  customer: z.union([z.boolean(), z.string()]).default(false),
  paymentStatus: z.enum(['paid', 'unpaid', 'no_payment_required']).optional(),
  /** A method that settles days later (bank debit): completes unpaid, then settle or fail. */
  delayed: z.boolean().default(false),
  manualCapture: z.boolean().default(false),
  /** True makes a Payment Link; a text uses (or makes) the link of that id. Its metadata is the Session's. */
  paymentLink: z.union([z.boolean(), z.string()]).default(false),
  /** A connected account's id: objects and events belong to it. */
  account: z.string().nullable().default(null),
  livemode: z.boolean().default(false),
  created: instant.optional(),
  /** Stop before the payment: the Session stays open, to be completed or expired. */
  open: z.boolean().default(false),
  /** Overrides whether the events are sent at once. */
  deliver: z.boolean().optional(),
});

/** As it is POSTed to `/_simulator/sales`; everything has a default, amounts are minor units. */
export type GivenSaleOrder = z.input<typeof saleOrderSchema>;
export type SaleOrder = z.output<typeof saleOrderSchema>;
export type OrderLine = SaleOrder['lines'][number];
