import { breakdownAgrees, proveSums, type ReportedAmounts, readAmount, sumAmounts } from './money';
import type { MoneySums } from './money-sums';
import {
  type LineFacts,
  type PaidSession,
  type ProductFacts,
  readLine,
  readPaidCharge,
  readPaymentIntent,
  readProduct,
  readSession,
  readShipping,
  type SessionFacts,
  type ShippingDetails,
} from './paid-session';
import type { PayloadProfile } from './payload-profile';
import { PayloadRefusal, type RefusedPayload, refusalAsValue } from './payload-refusal';
import { unitPrices } from './unit-price';
import { wellFormedText } from './well-formed-text';

/** One position of the invoice. All text: FileMaker reads it with `JSONGetElement`. */
export interface InvoiceItem {
  /** `billing_code` of the line's, the price's or the product's metadata; `""` when nobody has one. */
  code: string;
  /** Number of pieces, whole, as text. */
  quantity: string;
  /** `catalog_number`, found like `code`. */
  catalog_number: string;
  name: string;
  /** `""` for shipping. */
  price_id: string;
  description: string;
  /** Minor units as text, see {@link PayloadProfile.unitPrice}. */
  unit_price_cents: string;
}

/** Where to ship, in the words of Stripe. */
export interface InvoiceShipping {
  name: string;
  /** `null` when the customer gave none. `line2` only when it was filled in. */
  address: {
    city: string;
    country: string;
    line1: string;
    line2?: string;
    postal_code: string;
    state: string;
  } | null;
}

/** The fields every script gets. */
export interface ArticleInvoicePayload {
  invoice_id: string;
  email: string;
  /** What the customer paid, in minor units of the Session's currency (which need not be cents). */
  invoicetotal_cents: number;
  items: InvoiceItem[];
  receipt_url: string;
  shipping: InvoiceShipping;
  /** The effect's key: the same for every attempt, so that the script can recognise a second run. */
  idempotency_key: string;
}

/** The profile `full`: the fields of the article and those by which a script can check and book. */
export interface FullInvoicePayload extends ArticleInvoicePayload {
  event_id: string;
  checkout_session_id: string;
  /** `""` when nothing was due. */
  payment_intent_id: string;
  /** Lower case, ISO 4217. */
  currency: string;
  /** As Stripe breaks the total down; minor units; `shipping` before tax. */
  amounts: ReportedAmounts;
  livemode: boolean;
  /** Raised when a field changes its meaning; new fields alone do not raise it. */
  schema_version: 1;
}

/** By the profile `article` or `full`. */
export type InvoicePayload = ArticleInvoicePayload | FullInvoicePayload;

/**
 * What a caller may want to know although the payload stands:
 * - `PRODUCT_MISSING` a product is deleted or was not found; the line's description stands in
 * - `CODE_MISSING`    a line has no billing code
 * - `LINE_SPLIT`      a line whose price does not divide is given in two parts
 * - `BREAKDOWN_DIFFERS` subtotal, discount, tax and shipping do not make the total (the lines do)
 * - `CAPTURED_LESS`   the charge took less than the Session's total
 */
export type PayloadNotice = 'PRODUCT_MISSING' | 'CODE_MISSING' | 'LINE_SPLIT' | 'BREAKDOWN_DIFFERS' | 'CAPTURED_LESS';

/** What the Session itself does not say. `idempotencyKey`: `invoice-paid:cs_…`. */
export interface InvoiceContext {
  invoiceId: string;
  idempotencyKey: string;
  eventId: string;
}

/** A payload whose sums are proved. */
export interface BuiltInvoicePayload {
  kind: 'built';
  payload: InvoicePayload;
  /** `payload` as JSON text, to be frozen and sent as it is. */
  bytes: string;
  /** The proof that the lines make the total. */
  sums: MoneySums;
  notices: PayloadNotice[];
}

/** What the FileMaker script receives for a paid Checkout Session. Pure: the same input gives the same bytes. */
export function buildInvoicePayload(
  paid: PaidSession,
  context: InvoiceContext,
  profile: PayloadProfile,
): BuiltInvoicePayload | RefusedPayload {
  const sessionId = idOf(paid.session);
  return refusalAsValue(() => build(paid, context, profile), sessionId === undefined ? {} : { sessionId });
}

function build(paid: PaidSession, context: InvoiceContext, profile: PayloadProfile): BuiltInvoicePayload {
  const session = readSession(paid.session);
  refuseWhatIsNoInvoice(session, context);
  const lines = paid.lineItems.map(readLine);
  const currency = readCurrency(session, lines);
  const total = readAmount(session.amount_total, 'amount_total');
  const sums = proveSums(
    total,
    lines.map((line) => ({ lineId: line.id, amount: lineAmount(line, 'amount_total') })),
    shippingTotal(session),
  );
  const amounts = reportedAmounts(session, lines, total);
  const paymentIntent = readPaymentIntent(paid, session);
  const charge = readPaidCharge(paid, paymentIntent);

  const notices = new Set<PayloadNotice>();
  const items = lines.flatMap((line) => lineItems(line, currency, paid.products, profile, notices));
  items.push(...shippingItems(session, amounts, sums, profile));
  if (!breakdownAgrees(amounts)) notices.add('BREAKDOWN_DIFFERS');
  if (typeof charge?.amount_captured === 'number' && charge.currency === currency && charge.amount_captured < total) {
    notices.add('CAPTURED_LESS');
  }

  const article: ArticleInvoicePayload = {
    invoice_id: wellFormedText(context.invoiceId),
    email: wellFormedText(
      firstText(
        session.customer_details?.email,
        session.customer_email,
        paymentIntent?.receipt_email,
        charge?.billing_details?.email,
      ),
    ),
    invoicetotal_cents: total,
    items,
    receipt_url: charge?.receipt_url ?? '',
    shipping: shippingOf(readShipping(session, paymentIntent)),
    idempotency_key: wellFormedText(context.idempotencyKey),
  };
  const payload: InvoicePayload =
    profile.fields === 'article'
      ? article
      : {
          ...article,
          event_id: wellFormedText(context.eventId),
          checkout_session_id: session.id,
          payment_intent_id: paymentIntent?.id ?? idOf(session.payment_intent) ?? '',
          currency,
          amounts,
          livemode: session.livemode ?? session.id.startsWith('cs_live_'),
          schema_version: 1,
        };
  return { kind: 'built', payload, bytes: JSON.stringify(payload), sums, notices: [...notices] };
}

function refuseWhatIsNoInvoice(session: SessionFacts, context: InvoiceContext): void {
  if (context.invoiceId.trim() === '') {
    throw new PayloadRefusal('INVOICE_ID_MISSING', 'No invoice id was given');
  }
  if (session.payment_status === 'unpaid') {
    throw new PayloadRefusal('NOT_PAID', 'The Session is not paid', { field: 'payment_status' });
  }
  if (typeof session.mode === 'string' && session.mode !== 'payment') {
    throw new PayloadRefusal('MODE_NOT_PAYMENT', 'Only a payment-mode Session is an invoice', { field: 'mode' });
  }
}

function readCurrency(session: SessionFacts, lines: LineFacts[]): string {
  const currency = (session.currency ?? lines[0]?.currency)?.toLowerCase();
  if (currency === undefined || currency === '') {
    throw new PayloadRefusal('CURRENCY_MISSING', 'The Session names no currency', { field: 'currency' });
  }
  for (const line of lines) {
    if (typeof line.currency === 'string' && line.currency.toLowerCase() !== currency) {
      throw new PayloadRefusal('CURRENCY_MIXED', 'A line is in another currency than its Session', {
        lineId: line.id,
        field: 'currency',
      });
    }
  }
  return currency;
}

function lineAmount(line: LineFacts, field: 'amount_total' | 'amount_subtotal'): number {
  return readAmount(line[field], field, { lineId: line.id });
}

/** Before 2022-08-01 a Session had no `shipping_cost`, only the sum in `total_details`. */
function shippingTotal(session: SessionFacts): number {
  if (session.shipping_cost) return readAmount(session.shipping_cost.amount_total, 'shipping_cost.amount_total');
  return readAmount(session.total_details?.amount_shipping ?? 0, 'total_details.amount_shipping');
}

/** The breakdown as Stripe reports it; what it leaves out is added up from the lines. */
function reportedAmounts(session: SessionFacts, lines: LineFacts[], total: number): ReportedAmounts {
  const details = session.total_details;
  const sumOfLines = (field: 'amount_subtotal' | 'amount_discount' | 'amount_tax') =>
    lines.map((line) => readAmount(line[field] ?? 0, field, { lineId: line.id }));
  const reported = (value: unknown, field: string, otherwise: () => number[]) =>
    value === null || value === undefined ? sumAmounts(otherwise(), field) : readAmount(value, field);
  return {
    subtotal: reported(session.amount_subtotal, 'amount_subtotal', () => sumOfLines('amount_subtotal')),
    discount: reported(details?.amount_discount, 'total_details.amount_discount', () => sumOfLines('amount_discount')),
    tax: reported(details?.amount_tax, 'total_details.amount_tax', () => [
      ...sumOfLines('amount_tax'),
      readAmount(session.shipping_cost?.amount_tax ?? 0, 'shipping_cost.amount_tax'),
    ]),
    shipping: reported(details?.amount_shipping, 'total_details.amount_shipping', () => [
      readAmount(session.shipping_cost?.amount_subtotal ?? 0, 'shipping_cost.amount_subtotal'),
    ]),
    total,
  };
}

function lineItems(
  line: LineFacts,
  currency: string,
  products: PaidSession['products'],
  profile: PayloadProfile,
  notices: Set<PayloadNotice>,
): InvoiceItem[] {
  const product = readProduct(line, products);
  if (product === null) notices.add('PRODUCT_MISSING');
  const code = fromMetadata('billing_code', line, product);
  if (code === '') {
    const productId = idOf(line.price?.product);
    if (profile.missingCode === 'refuse') {
      throw new PayloadRefusal('CODE_MISSING', 'A line has no billing_code in its metadata, price or product', {
        lineId: line.id,
        ...(productId === undefined ? {} : { productId }),
      });
    }
    notices.add('CODE_MISSING');
  }
  const parts = pricedParts(line, currency, profile);
  if (parts.length > 1) notices.add('LINE_SPLIT');
  return parts.map((part) => ({
    code,
    quantity: part.quantity,
    catalog_number: fromMetadata('catalog_number', line, product),
    name: wellFormedText(firstText(product?.name, line.description, line.price?.nickname)),
    price_id: line.price?.id ?? '',
    description: wellFormedText(line.description ?? ''),
    unit_price_cents: part.unitPrice,
  }));
}

function pricedParts(line: LineFacts, currency: string, profile: PayloadProfile) {
  if (profile.unitPrice === 'line_total') {
    return [{ quantity: String(line.quantity ?? 1), unitPrice: String(lineAmount(line, 'amount_total')) }];
  }
  const { price } = line;
  const decimal = price?.unit_amount_decimal;
  return unitPrices({
    lineId: line.id,
    quantity: line.quantity ?? null,
    amountSubtotal: lineAmount(line, 'amount_subtotal'),
    currency,
    price: price
      ? {
          unitAmount: Number.isSafeInteger(price.unit_amount) ? (price.unit_amount ?? null) : null,
          unitAmountDecimal: decimal === null || decimal === undefined ? null : String(decimal),
          currency: price.currency?.toLowerCase() ?? null,
        }
      : null,
  });
}

/** The line's own metadata first: it was written for this sale, while price and product say what holds today. */
function fromMetadata(key: string, line: LineFacts, product: ProductFacts | null): string {
  const places = [line.metadata, line.price?.metadata, product?.metadata];
  return wellFormedText(firstText(...places.map((place) => place?.[key])));
}

/** Shipping that cost nothing is no item. */
function shippingItems(
  session: SessionFacts,
  amounts: ReportedAmounts,
  sums: MoneySums,
  profile: PayloadProfile,
): InvoiceItem[] {
  if (profile.shippingItem === null || (sums.shipping === 0 && amounts.shipping === 0)) return [];
  const { code, catalogNumber } = profile.shippingItem;
  const rate = session.shipping_cost?.shipping_rate;
  const rateName = typeof rate === 'object' ? rate?.display_name : undefined;
  const name = firstText(profile.shippingItem.name, rateName, 'Shipping');
  const beforeTax = readAmount(
    session.shipping_cost?.amount_subtotal ?? amounts.shipping,
    'shipping_cost.amount_subtotal',
  );
  return [
    {
      code: wellFormedText(code),
      quantity: '1',
      catalog_number: wellFormedText(catalogNumber),
      name: wellFormedText(name),
      price_id: '',
      description: wellFormedText(firstText(rateName, name)),
      unit_price_cents: String(profile.unitPrice === 'line_total' ? sums.shipping : beforeTax),
    },
  ];
}

function shippingOf(details: ShippingDetails | null): InvoiceShipping {
  if (details === null) return { name: '', address: null };
  const name = wellFormedText(details.name ?? '');
  const { address } = details;
  if (!address) return { name, address: null };
  const field = (value: string | null | undefined) => wellFormedText(value ?? '');
  return {
    name,
    address: {
      city: field(address.city),
      country: field(address.country),
      line1: field(address.line1),
      ...(field(address.line2) === '' ? {} : { line2: field(address.line2) }),
      postal_code: field(address.postal_code),
      state: field(address.state),
    },
  };
}

function firstText(...candidates: (string | null | undefined)[]): string {
  return candidates.find((candidate) => typeof candidate === 'string' && candidate.trim() !== '') ?? '';
}

/** The id of something that Stripe gives either as an id or as an object. */
function idOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || !('id' in value)) return undefined;
  return typeof value.id === 'string' ? value.id : undefined;
}
