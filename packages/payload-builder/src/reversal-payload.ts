import { z } from 'zod';
import { readAmount } from './money';
import { read } from './paid-session';
import { PayloadRefusal, type RefusedPayload, refusalAsValue } from './payload-refusal';
import { wellFormedText } from './well-formed-text';

/** Which of the two a reversal is. */
export type ReversalKind = 'refund' | 'dispute';

/**
 * What the refund or dispute itself does not say. `idempotencyKey`: `invoice-refunded:re_…`, `invoice-disputed:dp_…`.
 */
export interface ReversalContext {
  invoiceId: string;
  /** `""` when the Session behind the payment is not known. */
  checkoutSessionId: string;
  idempotencyKey: string;
  eventId: string;
  /** The event's; a refund does not say it itself. */
  livemode: boolean;
}

interface ReversalFields {
  payment_intent_id: string;
  checkout_session_id: string;
  charge_id: string;
  /** Minor units, of this refund or dispute alone. */
  amount: number;
  currency: string;
  /** Stripe's word, `""` when it gave none. */
  reason: string;
  /** Stripe's word; new ones may appear. */
  status: string;
  livemode: boolean;
  idempotency_key: string;
  event_id: string;
  schema_version: 1;
}

/** Profile `article` or `full`, as the fields that are there say. */
export type RefundPayload = { invoice_id: string; refund_id: string } & ReversalFields;

/** Like a refund, with the id of the dispute. */
export type DisputePayload = { invoice_id: string; dispute_id: string } & ReversalFields;

/** What a script is told when money goes back. */
export type ReversalPayload = RefundPayload | DisputePayload;

/** `bytes`: `payload` as JSON text, to be frozen and sent as it is. */
export interface BuiltReversalPayload {
  kind: 'built';
  payload: ReversalPayload;
  bytes: string;
}

const idOrObject = z.union([z.string(), z.object({ id: z.string() }).transform((object) => object.id)]).nullish();
const text = z.string().nullish();
const reversalSchema = z.object({
  id: z.string().min(1),
  object: z.enum(['refund', 'dispute']),
  amount: z.unknown().optional(),
  currency: z.string().min(1),
  payment_intent: idOrObject,
  charge: idOrObject,
  reason: text,
  status: text,
  livemode: z.boolean().nullish(),
});

/** What a script receives when money goes back: a fact of its own, never an edit of the payment's payload. */
export function buildReversalPayload(
  kind: ReversalKind,
  object: unknown,
  context: ReversalContext,
): BuiltReversalPayload | RefusedPayload {
  return refusalAsValue(() => build(kind, object, context), {});
}

function build(kind: ReversalKind, object: unknown, context: ReversalContext): BuiltReversalPayload {
  if (context.invoiceId.trim() === '') throw new PayloadRefusal('INVOICE_ID_MISSING', 'No invoice id was given');
  const reversal = read(reversalSchema, object, 'REVERSAL_UNREADABLE', kind);
  if (reversal.object !== kind) {
    throw new PayloadRefusal('REVERSAL_UNREADABLE', `A ${kind} was expected, this is a ${reversal.object}`, {
      field: 'object',
    });
  }
  const fields: ReversalFields = {
    payment_intent_id: reversal.payment_intent ?? '',
    checkout_session_id: context.checkoutSessionId,
    charge_id: reversal.charge ?? '',
    amount: readAmount(reversal.amount, 'amount'),
    currency: reversal.currency.toLowerCase(),
    reason: wellFormedText(reversal.reason ?? ''),
    status: wellFormedText(reversal.status ?? ''),
    livemode: reversal.livemode ?? context.livemode,
    idempotency_key: wellFormedText(context.idempotencyKey),
    event_id: wellFormedText(context.eventId),
    schema_version: 1,
  };
  const invoice_id = wellFormedText(context.invoiceId);
  const payload: ReversalPayload =
    kind === 'refund'
      ? { invoice_id, refund_id: reversal.id, ...fields }
      : { invoice_id, dispute_id: reversal.id, ...fields };
  return { kind: 'built', payload, bytes: JSON.stringify(payload) };
}
