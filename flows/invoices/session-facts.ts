import { z } from 'zod';
import type { SessionSnapshot } from './ports';

const id = z.union([z.string(), z.looseObject({ id: z.string() }).transform((object) => object.id)]).nullish();

const session = z.looseObject({
  id: z.string(),
  mode: z.string().nullish(),
  status: z.string().nullish(),
  payment_status: z.string(),
  amount_total: z.number().int().nullish(),
  currency: z.string().nullish(),
  livemode: z.boolean(),
  created: z.number().int(),
  payment_intent: id,
  client_reference_id: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
});
const charge = z
  .looseObject({
    id: z.string(),
    created: z.number().int().nullish(),
    amount_refunded: z.number().int().nullish(),
    disputed: z.boolean().nullish(),
    captured: z.boolean().nullish(),
  })
  .nullish();
const paymentIntent = z.looseObject({ id: z.string(), status: z.string().nullish() }).nullish();

/** What the decisions need to know about a Checkout Session. */
export interface SessionFacts {
  id: string;
  mode: string;
  /** Money has come, or none was due. */
  paid: boolean;
  status: 'open' | 'complete' | 'expired' | 'other';
  invoiceId: string | undefined;
  paymentIntentId: string;
  chargeId: string | undefined;
  /** Minor units. */
  amountTotal: number;
  currency: string;
  livemode: boolean;
  createdAt: Date;
  paidAt: Date | undefined;
  refunded: boolean;
  /** Minor units of the charge given back so far. */
  amountRefunded: number;
  disputed: boolean;
  /** The buyer's payment has failed for good as far as this Session goes: no money will come by itself. */
  failed: boolean;
}

/** A Session that cannot be read is a fact of its own: a person has to see it. The message names fields, never values. */
export class UnreadableSessionError extends Error {
  readonly code = 'SESSION_UNREADABLE';
  constructor(fields: string) {
    super(`Stripe's answer lacks or changes: ${fields}`);
    this.name = 'UnreadableSessionError';
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, name: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UnreadableSessionError(parsed.error.issues.map((issue) => [name, ...issue.path].join('.')).join(', '));
}

/** Longest invoice number taken; anything longer is no invoice number. */
const INVOICE_ID_CHARACTERS_MAX = 100;
/**
 * Nor is what steers a terminal, a mail or the direction of reading: the number stands in titles on screens and in letters,
 * and whoever pays may be able to write it.
 */
const STEERS = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

export function readInvoiceId(
  source: { metadata?: Record<string, string> | null | undefined; client_reference_id?: string | null | undefined },
  keys: readonly string[],
): string | undefined {
  for (const key of keys) {
    const value = key.startsWith('metadata.')
      ? source.metadata?.[key.slice('metadata.'.length)]
      : key === 'client_reference_id'
        ? source.client_reference_id
        : undefined;
    const trimmed = value?.trim() ?? '';
    if (trimmed !== '' && trimmed.length <= INVOICE_ID_CHARACTERS_MAX && !STEERS.test(trimmed)) return trimmed;
  }
  return undefined;
}

export function readSessionFacts(snapshot: SessionSnapshot, invoiceIdKeys: readonly string[]): SessionFacts {
  const read = parse(session, snapshot.session, 'session');
  const taken = parse(charge, snapshot.charge, 'charge');
  const intent = parse(paymentIntent, snapshot.paymentIntent, 'payment_intent');
  // A held but uncaptured amount is a promise, not money.
  const held = intent?.status === 'requires_capture' || taken?.captured === false;
  const status = read.status ?? 'other';
  return {
    id: read.id,
    mode: read.mode ?? 'payment',
    paid: read.payment_status !== 'unpaid' && !held && status !== 'open' && status !== 'expired',
    status: status === 'open' || status === 'complete' || status === 'expired' ? status : 'other',
    invoiceId: readInvoiceId(read, invoiceIdKeys),
    paymentIntentId: read.payment_intent ?? '',
    chargeId: taken?.id,
    amountTotal: read.amount_total ?? 0,
    currency: read.currency ?? '',
    livemode: read.livemode,
    createdAt: new Date(read.created * 1000),
    paidAt: taken?.created == null ? undefined : new Date(taken.created * 1000),
    refunded: (taken?.amount_refunded ?? 0) > 0,
    amountRefunded: taken?.amount_refunded ?? 0,
    disputed: taken?.disputed ?? false,
    failed: status === 'complete' && (intent?.status === 'requires_payment_method' || intent?.status === 'canceled'),
  };
}

const reversal = z.looseObject({
  id: z.string(),
  amount: z.number().int(),
  currency: z.string(),
  status: z.string().nullish(),
  created: z.number().int().nullish(),
  payment_intent: id,
  charge: id,
});

export interface ReversalFacts {
  id: string;
  amount: number;
  currency: string;
  status: string;
  createdAt: Date | undefined;
  paymentIntentId: string | undefined;
}

export function readReversalFacts(value: unknown): ReversalFacts {
  const read = parse(reversal, value, 'reversal');
  return {
    id: read.id,
    amount: read.amount,
    currency: read.currency,
    status: read.status ?? '',
    createdAt: read.created == null ? undefined : new Date(read.created * 1000),
    paymentIntentId: read.payment_intent ?? undefined,
  };
}
