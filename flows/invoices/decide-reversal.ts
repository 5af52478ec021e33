import type { EffectState } from '@bridge/effects';
import type { Decision, FlowEvent } from '@bridge/flow';
import { buildReversalPayload } from '@bridge/payload-builder';
import { type InvoicesWrite, invoiceLane, paidKey } from './decide-payment';
import type { InvoiceScripts } from './ports';
import type { ReversalFacts, SessionFacts } from './session-facts';

export interface ReversalInput {
  event: FlowEvent;
  kind: 'refund' | 'dispute';
  object: unknown;
  reversal: ReversalFacts;
  session: SessionFacts;
  /** How the effect of the payment itself stands; undefined: none was planned. */
  paidEffect: EffectState | undefined;
  /** Whether this refund was told to FileMaker, or is about to be. */
  refundEffect: EffectState | undefined;
  scripts: InvoiceScripts;
}

/** The keys of what a refund or dispute can lead to: the fact itself, then its end. */
export const reversalKeys = (kind: 'refund' | 'dispute', id: string): string[] =>
  kind === 'refund'
    ? [`invoice-refunded:${id}`, `invoice-refund-failed:${id}`]
    : [`invoice-disputed:${id}`, `invoice-dispute-closed:${id}`];

const WORDS = {
  refund: { code: 'payment-refunded', told: 'refunded', title: 'refund' },
  dispute: { code: 'payment-disputed', told: 'disputed', title: 'dispute' },
} as const;

/** Which fact the reversal is now; undefined: nothing that a script is told. */
function factOf(input: ReversalInput): { key: string; title: string } | undefined {
  const { kind, reversal, session, event } = input;
  const invoice = session.invoiceId ?? '';
  if (kind === 'refund') {
    if (reversal.status === 'succeeded')
      return { key: `invoice-refunded:${reversal.id}`, title: `Record a refund of invoice ${invoice}` };
    const undone = reversal.status === 'failed' || reversal.status === 'canceled';
    // A refund that failed after FileMaker was told of it is a new fact; one that FileMaker never heard of is none.
    if (undone && input.refundEffect !== undefined)
      return {
        key: `invoice-refund-failed:${reversal.id}`,
        title: `Record that a refund of invoice ${invoice} failed`,
      };
    return undefined;
  }
  if (event.type === 'charge.dispute.closed')
    return {
      key: `invoice-dispute-closed:${reversal.id}`,
      title: `Record the end of a dispute about invoice ${invoice}`,
    };
  return { key: `invoice-disputed:${reversal.id}`, title: `Record a dispute about invoice ${invoice}` };
}

/** What a refund or dispute, as it stands now, means. A new fact, never an edit of the payment. Pure. */
export function decideReversal(input: ReversalInput): Decision<InvoicesWrite>[] {
  const { event, kind, reversal, session, paidEffect, scripts } = input;
  const words = WORDS[kind];
  const standing = kind === 'dispute' || (reversal.status !== 'failed' && reversal.status !== 'canceled');
  const decisions: Decision<InvoicesWrite>[] = [];
  if (standing) {
    decisions.push({
      kind: 'park-unsent',
      key: paidKey(session.id),
      reasonCode: words.code,
      reason: `The payment was ${words.told} before its script could run`,
    });
  }
  const fact = session.invoiceId === undefined ? undefined : factOf(input);
  const write = (effectKey: string | undefined): Decision<InvoicesWrite> => ({
    kind: 'write',
    write: {
      table: 'reversals',
      row: {
        id: reversal.id,
        kind,
        checkoutSessionId: session.id,
        invoiceId: session.invoiceId,
        amount: reversal.amount,
        currency: reversal.currency,
        status: reversal.status,
        effectKey,
        createdAt: reversal.createdAt,
      },
    },
  });
  if (fact === undefined || session.invoiceId === undefined) return [...decisions, write(undefined)];
  const built = buildReversalPayload(kind, input.object, {
    invoiceId: session.invoiceId,
    checkoutSessionId: session.id,
    idempotencyKey: fact.key,
    eventId: event.eventId,
    livemode: session.livemode,
  });
  if (built.kind === 'refused')
    return [...decisions, write(undefined), { kind: 'park', reasonCode: built.code, reason: built.message }];
  const target = scripts.target(kind === 'refund' ? 'refunded' : 'disputed', {
    bytes: built.bytes,
    checkoutSessionId: session.id,
    paymentIntentId: session.paymentIntentId,
    invoiceId: session.invoiceId,
  });
  if (target === undefined) return [...decisions, write(undefined)];
  if (target.kind === 'park')
    return [...decisions, write(undefined), { kind: 'park', reasonCode: target.reasonCode, reason: target.reason }];
  // What was never applied cannot be reversed: a person sees both together.
  const applied = paidEffect === 'done' || paidEffect === 'sending' || paidEffect === 'unknown';
  return [
    ...decisions,
    write(fact.key),
    {
      kind: 'effect',
      plan: {
        kind: 'filemaker-script',
        flow: 'invoices',
        key: fact.key,
        lane: invoiceLane(session.invoiceId),
        title: fact.title,
        target: target.target,
        body: built.bytes,
        subject: {
          checkoutSessionId: session.id,
          ...(session.paymentIntentId === '' ? {} : { paymentIntentId: session.paymentIntentId }),
          invoiceId: session.invoiceId,
          ...(kind === 'refund' ? { refundId: reversal.id } : { disputeId: reversal.id }),
          amount: reversal.amount,
          currency: reversal.currency,
        },
        origin: event.source,
        checkFirst: event.source === 'reconciliation' || event.source === 'operator',
        ...(applied
          ? {}
          : {
              parked: {
                reasonCode: 'payment-not-applied',
                reason: `The payment that was ${words.told} is not known to be applied in FileMaker`,
              },
            }),
      },
    },
  ];
}
