import type { CorrectableEffect } from '@bridge/effects';
import type { Decision, EventOrder } from '@bridge/flow';
import { decidePayment, type InvoicesWrite, type PaymentInput } from './decide-payment';

/** A person has given the invoice of a payment: by a replay, and only there. */
export interface GivenInvoiceInput extends PaymentInput {
  order: EventOrder & { invoice: string };
  /** The invoice that the Session names by itself. */
  namedInvoice: string | undefined;
  /** How the effect of this payment stands, locked; undefined: there is none. */
  standing: CorrectableEffect | undefined;
}

const refuse = (reasonCode: string, reason: string): Decision<InvoicesWrite>[] => [
  { kind: 'ignore', reasonCode, reason, refusesOrder: true },
];

/**
 * What a payment means whose invoice a person has given. A typing error must not put money on an invoice silently, and
 * must be possible to take back for as long as nothing was sent: then the payment's one effect is frozen anew. Pure.
 */
export function decideGivenInvoice(input: GivenInvoiceInput): Decision<InvoicesWrite>[] {
  const { facts, state, order, namedInvoice, settings } = input;
  const { before, otherSessions } = state;
  const isRecorded = before?.status === 'paid';
  // What was overridden once is not asked again, and what pays no invoice is told as such.
  if (isRecorded && before.invoiceId === order.invoice) return decidePayment(input);
  if (!facts.paid || facts.mode !== 'payment' || facts.livemode !== input.livemode) return decidePayment(input);

  const { invoice } = order;
  const isNamed = namedInvoice === invoice;
  if (namedInvoice !== undefined && !isNamed && order.override !== true) {
    return refuse('NAMES_ANOTHER_INVOICE', `The Checkout Session names invoice ${namedInvoice}, not ${invoice}`);
  }
  if (otherSessions.length > 0 && !isNamed && settings.instalments === 'park' && order.override !== true) {
    return refuse(
      'SECOND_PAYMENT_OF_INVOICE',
      `Second payment of invoice ${invoice}: ${otherSessions.join(', ')} ${otherSessions.length === 1 ? 'has' : 'have'} paid it before. If that is a typing error, this money is missing on the invoice it belongs to`,
    );
  }
  if (isRecorded) return decideCorrection(input, before.invoiceId);
  if (order.byHand === true) {
    return refuse('NOTHING_TO_RECORD', 'Nothing was sent for this payment yet: give the number without --by-hand');
  }
  return decidePayment(input);
}

/** The payment is recorded for another invoice. */
function decideCorrection(input: GivenInvoiceInput, recorded: string | undefined): Decision<InvoicesWrite>[] {
  const { facts, order, standing } = input;
  const { invoice } = order;
  const of = `invoice ${recorded ?? '?'}`;
  if (order.reasoned !== true) {
    return refuse('RECORDED_FOR_ANOTHER', `It is recorded for ${of}. To change that to ${invoice}, say why`);
  }
  const write: InvoicesWrite = {
    table: 'invoice-of-payment',
    change: { checkoutSessionId: facts.id, from: recorded, to: invoice },
  };
  const hasEnded = standing?.state === 'done' || standing?.state === 'cancelled';
  if (order.byHand === true) {
    if (!hasEnded) {
      return refuse(
        'NOTHING_TO_RECORD',
        `For ${of} FileMaker has done nothing that is settled: nothing is to be recorded by hand yet`,
      );
    }
    return [
      { kind: 'write', write },
      {
        kind: 'by-hand',
        reasonCode: 'BY_HAND',
        reason: `Recorded as paying invoice ${invoice} instead of ${recorded}`,
      },
    ];
  }
  const objection = whyNotCorrectable(input, of);
  if (objection !== undefined) return objection;
  const decided = decidePayment({ ...input, state: { ...input.state, before: undefined } });
  const parked = decided.find((decision) => decision.kind === 'park');
  if (parked !== undefined) return refuse(parked.reasonCode, parked.reason);
  return decided.flatMap((decision): Decision<InvoicesWrite>[] => {
    if (decision.kind === 'write') return [{ kind: 'write', write }];
    if (decision.kind !== 'effect') return [decision];
    return [{ kind: 'effect', plan: { ...decision.plan, replaces: { attempts: standing?.attempts ?? 0, what: of } } }];
  });
}

/** Undefined: surely nothing has reached FileMaker, and nothing is on its way. */
function whyNotCorrectable({ standing }: GivenInvoiceInput, of: string): Decision<InvoicesWrite>[] | undefined {
  if (standing === undefined) return refuse('EFFECT_GONE', `It is recorded for ${of}, and its effect is not there`);
  switch (standing.state) {
    case 'done':
      return refuse('APPLIED_TO_ANOTHER', `FileMaker has applied it to ${of}; the bridge does not run a second script`);
    case 'cancelled':
      return refuse(
        'CANCELLED_FOR_ANOTHER',
        `A person has cancelled it for ${of}; the bridge does not take that up again`,
      );
    case 'sending':
      return refuse('ON_ITS_WAY_TO_ANOTHER', `It is being sent for ${of} at this moment`);
    case 'unknown':
      return refuse('ON_ITS_WAY_TO_ANOTHER', `It was sent for ${of}, and FileMaker is being asked whether it has run`);
  }
  if (standing.inHand) return refuse('ON_ITS_WAY_TO_ANOTHER', `A worker has it in hand for ${of} at this moment`);
  if (standing.mayHaveRun) return refuse('MAY_HAVE_RUN', `It was sent for ${of}, and may have run in FileMaker`);
  return undefined;
}
