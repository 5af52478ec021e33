import { z } from 'zod';
import { ARTICLES, articleMetadata } from './catalogue';
import { Random } from './random';
import type { GivenSaleOrder } from './sale-order';
import { createSale, type SaleResult } from './sales';
import type { World } from './world';

/** Minor units for one US cent, by currency: JPY has no decimals, KWD three of which the last stays 0. */
const CURRENCIES: readonly [[string, number], ...[string, number][]] = [
  ['usd', 1],
  ['usd', 1],
  ['usd', 1],
  ['eur', 1],
  ['gbp', 1],
  ['jpy', 1],
  ['kwd', 10],
];

const fraction = z.number().min(0).max(1);

export const bulkOrderSchema = z.strictObject({
  count: z.number().int().positive().max(20_000),
  /** The same seed gives the same orders (ids come from the simulator's own seed). */
  seed: z.number().int().nonnegative().default(1),
  /** The first sale's invoice id; the others count on from there. */
  firstInvoiceId: z.number().int().nonnegative().default(20_000),
  linesMax: z.number().int().min(1).max(100).default(30),
  /** Default: a mix of usd, eur, gbp, jpy, kwd. */
  currency: z.string().length(3).optional(),
  missingInvoiceFraction: fraction.default(0),
  /** Sales one of whose products lacks its codes. */
  missingMetadataFraction: fraction.default(0),
  deletedProductFraction: fraction.default(0),
  delayedFraction: fraction.default(0),
  paymentLinkFraction: fraction.default(0.3),
  deliver: z.boolean().optional(),
});

/** As it is POSTed to `/_simulator/sales/bulk`. */
export type GivenBulkOrder = z.input<typeof bulkOrderSchema>;
type BulkOrder = z.output<typeof bulkOrderSchema>;

/** Makes many sales that differ as real ones do: lines, currencies, discounts, taxes in and on top, shipping. */
export function createBulkSales(world: World, given: GivenBulkOrder): SaleResult[] {
  const order = bulkOrderSchema.parse(given);
  const random = new Random(order.seed);
  return Array.from({ length: order.count }, (_, index) =>
    createSale(world, variedSale(order, random, String(order.firstInvoiceId + index))),
  );
}

function variedSale(order: BulkOrder, random: Random, invoiceId: string): GivenSaleOrder {
  const [mixed, mixedFactor] = random.pick(CURRENCIES);
  const currency = order.currency ?? mixed;
  const factor =
    order.currency === undefined ? mixedFactor : (CURRENCIES.find(([name]) => name === currency)?.[1] ?? 1);
  const taxBehavior = random.pick(['exclusive', 'inclusive', 'unspecified'] as const);
  const taxPercent = taxBehavior === 'unspecified' ? 0 : random.pick([0, 7, 8.25, 19, 20]);
  const discountPercent = random.chance(0.25) ? random.pick([5, 10, 15, 33]) : 0;
  const lineCount = Math.min(order.linesMax, random.chance(0.7) ? random.between(1, 4) : random.between(5, 30));
  const lacksCodes = random.chance(order.missingMetadataFraction);
  const hasDeleted = random.chance(order.deletedProductFraction);
  const lines = Array.from({ length: lineCount }, (_, index) => {
    const article = random.pick(ARTICLES);
    const quantity = random.chance(0.6) ? 1 : random.between(2, 12);
    const unitAmount = article.unitAmount * factor;
    const gross = unitAmount * quantity;
    const discount = stepped((gross * discountPercent) / 100, factor);
    return {
      name: article.name,
      quantity,
      unitAmount,
      metadata: lacksCodes && index === 0 ? {} : articleMetadata(article),
      discount,
      tax: taxOf(gross - discount, taxPercent, taxBehavior === 'inclusive', factor),
      taxBehavior,
      deletedProduct: hasDeleted && index === 0,
    };
  });
  const shippingAmount = random.pick([0, 995, 3_000]) * factor;
  return {
    invoiceId: random.chance(order.missingInvoiceFraction) ? null : invoiceId,
    currency,
    lines,
    shipping: random.chance(0.7)
      ? {
          name: random.pick(['Rhonda Hensley', 'Jürgen Groß', 'Zoë O’Neill', '山田 太郎']),
          amount: random.chance(0.8) ? shippingAmount : null,
          tax: taxBehavior === 'exclusive' ? taxOf(shippingAmount, taxPercent, false, factor) : 0,
        }
      : null,
    email: `buyer+${invoiceId}@shop.example`,
    customer: random.chance(0.4),
    paymentLink: random.chance(order.paymentLinkFraction),
    delayed: random.chance(order.delayedFraction),
    deliver: order.deliver,
  };
}

function taxOf(amount: number, percent: number, inclusive: boolean, factor: number): number {
  return stepped(inclusive ? amount - amount / (1 + percent / 100) : (amount * percent) / 100, factor);
}

/** Rounded to what the currency can charge: three-decimal amounts end in 0. */
function stepped(amount: number, factor: number): number {
  return Math.round(amount / factor) * factor;
}
