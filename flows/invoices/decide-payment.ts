import type { Decision, FlowEvent } from '@bridge/flow';
import { buildInvoicePayload, type PayloadNotice, type PayloadProfile } from '@bridge/payload-builder';
import type { InvoiceChange, PaymentBefore, PaymentRow, ReversalRow } from './ledger';
import type { InvoiceScripts, SessionSnapshot } from './ports';
import type { SessionFacts } from './session-facts';
import type { InvoicesSettings } from './settings';

export type InvoicesWrite =
  | { table: 'payments'; row: PaymentRow }
  | { table: 'invoice-of-payment'; change: InvoiceChange }
  | { table: 'reversals'; row: ReversalRow };

export interface PaymentState {
  /** How this Session stood before. */
  before: PaymentBefore | undefined;
  /** Sessions that already have an effect for the same invoice. */
  otherSessions: readonly string[];
}

export const paidKey = (sessionId: string): string => `invoice-paid:${sessionId}`;
export const invoiceLane = (invoiceId: string): string => `invoice:${invoiceId}`;

export function payloadProfile(settings: InvoicesSettings): PayloadProfile {
  const { fields, unit_price, shipping_item } = settings.payload;
  return {
    fields,
    unitPrice: unit_price,
    shippingItem: {
      code: shipping_item.code,
      catalogNumber: shipping_item.catalog_number,
      name: shipping_item.name ?? '',
    },
    missingCode: 'empty',
  };
}

/**
 * The moment the money came, where this event is the news of it after days: a bank debit, a held amount that is captured.
 * Elsewhere the charge's own time counts, which is the customer's click.
 */
function succeededAt({ event, state }: Pick<PaymentInput, 'event' | 'state'>): Date | undefined {
  const { type, source, createdAt } = event;
  const isNews =
    type === 'checkout.session.async_payment_succeeded' ||
    (type === 'payment_intent.succeeded' && state.before?.status === 'pending');
  return isNews && (source === 'webhook' || source === 'pull') ? (createdAt ?? undefined) : undefined;
}

function paymentRow(
  facts: SessionFacts,
  status: PaymentRow['status'],
  rest: { parkedCode?: string; parkedEvent?: string; effectKey?: string; succeededAt?: Date | undefined } = {},
): PaymentRow {
  return {
    checkoutSessionId: facts.id,
    paymentIntentId: facts.paymentIntentId,
    chargeId: facts.chargeId,
    invoiceId: facts.invoiceId,
    amountTotal: facts.amountTotal,
    currency: facts.currency,
    livemode: facts.livemode,
    status,
    parkedCode: rest.parkedCode,
    parkedEvent: rest.parkedEvent,
    effectKey: rest.effectKey,
    paidAt: facts.paidAt,
    succeededAt: rest.succeededAt,
    sessionCreatedAt: facts.createdAt,
  };
}

/**
 * The same Session announced by another event and parked for the same reason: one note for a person is enough. The event
 * that carries the note parks again when it is worked on again, so that the note cannot get lost.
 */
function parkSession(
  { event, facts, state }: Pick<PaymentInput, 'event' | 'facts' | 'state'>,
  reasonCode: string,
  reason: string,
): Decision<InvoicesWrite>[] {
  const { before } = state;
  if (before?.status === 'parked' && before.parkedCode === reasonCode && before.parkedEvent !== event.eventId) {
    return [
      { kind: 'ignore', reasonCode: 'PARKED_BEFORE', reason: `This Checkout Session is parked already: ${reason}` },
    ];
  }
  const row = paymentRow(facts, 'parked', {
    parkedCode: reasonCode,
    parkedEvent: event.eventId,
    succeededAt: succeededAt({ event, state }),
  });
  return [
    { kind: 'write', write: { table: 'payments', row } },
    { kind: 'park', reasonCode, reason },
  ];
}

/** Why an effect that is planned now must wait for a person; undefined: it may run. */
function whyParked(
  facts: SessionFacts,
  state: PaymentState,
  settings: InvoicesSettings,
  notices: readonly PayloadNotice[],
): { reasonCode: string; reason: string } | undefined {
  if (notices.includes('CAPTURED_LESS')) {
    return { reasonCode: 'captured-less', reason: 'Less money was captured than the Checkout Session amounts to' };
  }
  if (facts.disputed)
    return { reasonCode: 'payment-disputed', reason: 'The payment was disputed before its script could run' };
  if (facts.refunded)
    return { reasonCode: 'payment-refunded', reason: 'The payment was refunded before its script could run' };
  if (state.otherSessions.length > 0 && settings.instalments === 'park') {
    return {
      reasonCode: 'second-payment',
      reason: `Invoice ${facts.invoiceId} was paid before by ${state.otherSessions.join(', ')}`,
    };
  }
  return undefined;
}

function decidePaid(input: PaymentInput, facts: SessionFacts & { invoiceId: string }): Decision<InvoicesWrite>[] {
  const { event, snapshot, state, settings, scripts } = input;
  if (state.before?.status === 'paid') {
    return [
      {
        kind: 'ignore',
        reasonCode: 'PAID_BEFORE',
        reason: 'This payment is recorded already, and nothing is sent twice',
      },
    ];
  }
  const key = paidKey(facts.id);
  const built = buildInvoicePayload(
    { ...snapshot, lineItems: snapshot.lineItems },
    { invoiceId: facts.invoiceId, idempotencyKey: key, eventId: event.eventId },
    payloadProfile(settings),
  );
  if (built.kind === 'refused') return parkSession(input, built.code, built.message);
  const call = {
    bytes: built.bytes,
    checkoutSessionId: facts.id,
    paymentIntentId: facts.paymentIntentId,
    invoiceId: facts.invoiceId,
  };
  const target = scripts.target('paid', call);
  if (target === undefined)
    return parkSession(input, 'NO_SCRIPT', 'No script is configured for a paid Checkout Session');
  if (target.kind === 'park') return parkSession(input, target.reasonCode, target.reason);
  const parked = whyParked(facts, state, settings, built.notices);
  return [
    {
      kind: 'write',
      write: { table: 'payments', row: paymentRow(facts, 'paid', { effectKey: key, succeededAt: succeededAt(input) }) },
    },
    {
      kind: 'effect',
      plan: {
        kind: 'filemaker-script',
        flow: 'invoices',
        key,
        lane: invoiceLane(facts.invoiceId),
        title: `Mark invoice ${facts.invoiceId} paid`,
        target: target.target,
        body: built.bytes,
        subject: {
          checkoutSessionId: facts.id,
          ...(facts.paymentIntentId === '' ? {} : { paymentIntentId: facts.paymentIntentId }),
          ...(facts.chargeId === undefined ? {} : { chargeId: facts.chargeId }),
          invoiceId: facts.invoiceId,
          amount: facts.amountTotal,
          currency: facts.currency,
          ...(facts.paidAt === undefined ? {} : { occurredAt: facts.paidAt.toISOString() }),
        },
        origin: event.source,
        checkFirst: event.source === 'reconciliation' || event.source === 'operator',
        ...(parked === undefined ? {} : { parked }),
      },
    },
  ];
}

export interface PaymentInput {
  event: FlowEvent;
  snapshot: SessionSnapshot;
  facts: SessionFacts;
  state: PaymentState;
  settings: InvoicesSettings;
  scripts: InvoiceScripts;
  livemode: boolean;
}

/** What a Checkout Session, as it stands now, means for the company's invoice. Pure. */
export function decidePayment(input: PaymentInput): Decision<InvoicesWrite>[] {
  const { event, facts, state } = input;
  if (facts.mode !== 'payment')
    return [
      {
        kind: 'ignore',
        reasonCode: 'NOT_AN_INVOICE',
        reason: `A Checkout Session in ${facts.mode} mode pays no invoice here`,
      },
    ];
  if (facts.livemode !== input.livemode)
    return [
      {
        kind: 'ignore',
        reasonCode: 'OTHER_LIVEMODE',
        reason: 'The Checkout Session is of the other mode, live or test',
      },
    ];
  if (!facts.paid) {
    // A Session that was paid before stays paid: an older event that comes late must not undo it.
    if (state.before?.status === 'paid')
      return [{ kind: 'ignore', reasonCode: 'PAID_BEFORE', reason: 'This Checkout Session is recorded as paid' }];
    const failed = event.type.endsWith('.async_payment_failed') || state.before?.status === 'failed';
    const status = facts.status === 'expired' ? 'expired' : failed ? 'failed' : 'pending';
    return [
      { kind: 'write', write: { table: 'payments', row: paymentRow(facts, status) } },
      ...(event.type.endsWith('.async_payment_failed') ? decideFailed(input) : []),
    ];
  }
  if (facts.invoiceId === undefined) {
    return parkSession(input, 'NO_INVOICE_ID', 'The paid Checkout Session names no invoice');
  }
  return decidePaid(input, { ...facts, invoiceId: facts.invoiceId });
}

/** A delayed payment that failed runs a script of its own, when one is configured. */
function decideFailed(input: PaymentInput): Decision<InvoicesWrite>[] {
  const { event, facts, scripts } = input;
  if (facts.invoiceId === undefined) return [];
  const key = `invoice-payment-failed:${facts.id}`;
  const bytes = JSON.stringify({
    invoice_id: facts.invoiceId,
    checkout_session_id: facts.id,
    payment_intent_id: facts.paymentIntentId,
    amount: facts.amountTotal,
    currency: facts.currency,
    livemode: facts.livemode,
    idempotency_key: key,
    event_id: event.eventId,
    schema_version: 1,
  });
  const target = scripts.target('payment_failed', {
    bytes,
    checkoutSessionId: facts.id,
    paymentIntentId: facts.paymentIntentId,
    invoiceId: facts.invoiceId,
  });
  if (target === undefined) return [];
  if (target.kind === 'park') return [{ kind: 'park', reasonCode: target.reasonCode, reason: target.reason }];
  return [
    {
      kind: 'effect',
      plan: {
        kind: 'filemaker-script',
        flow: 'invoices',
        key,
        lane: invoiceLane(facts.invoiceId),
        title: `Tell FileMaker that the payment of invoice ${facts.invoiceId} failed`,
        target: target.target,
        body: bytes,
        subject: {
          checkoutSessionId: facts.id,
          invoiceId: facts.invoiceId,
          amount: facts.amountTotal,
          currency: facts.currency,
        },
        origin: event.source,
        checkFirst: event.source === 'reconciliation' || event.source === 'operator',
      },
    },
  ];
}
