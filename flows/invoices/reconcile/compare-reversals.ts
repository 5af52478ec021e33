import type { Finding } from '@bridge/flow';
import { formatMinor } from '@bridge/payload-builder';
import type { LogTold } from '../ports';
import type { ReversalFacts, SessionFacts } from '../session-facts';
import {
  actingFrom,
  type ComparisonRules,
  type Difference,
  type EffectSide,
  effectWord,
  LEAVE_TO_OTHERS_MS,
  logValue,
  olderNote,
  type RecordedReversal,
  rowsOfDone,
} from './books';

const isStanding = (status: string): boolean => status !== 'failed' && status !== 'canceled';

/** Refunds with such a status are still to succeed or fail. */
export const REFUND_UNDER_WAY: readonly string[] = ['pending', 'requires_action', ''];
const isUnderWay = (status: string): boolean => REFUND_UNDER_WAY.includes(status);

/** Disputes that will not change any more. */
export const DISPUTE_ENDS: ReadonlySet<string> = new Set(['won', 'lost', 'warning_closed', 'prevented']);

const sum = (amounts: readonly number[]): number => amounts.reduce((total, amount) => total + amount, 0);

/** Whether refunds or disputes have to be read one by one, because the charge and our records do not agree about them. */
export function missesReversals(
  facts: SessionFacts,
  reversals: readonly RecordedReversal[],
): { refunds: boolean; disputes: boolean } {
  const refunds = reversals.filter(({ kind }) => kind === 'refund');
  const disputes = reversals.filter(({ kind }) => kind === 'dispute');
  const recorded = sum(refunds.filter(({ status }) => isStanding(status)).map(({ amount }) => amount));
  return {
    refunds: recorded !== facts.amountRefunded || refunds.some(({ status }) => isUnderWay(status)),
    disputes: facts.disputed && (disputes.length === 0 || disputes.some(({ status }) => !DISPUTE_ENDS.has(status))),
  };
}

/** A change that a refund or dispute has led to, beside what FileMaker's log says of it. */
export interface ReversalEffect {
  key: string;
  effect: EffectSide;
  filemaker: LogTold | undefined;
}

/**
 * Where FileMaker's log and our effects differ about a refund or dispute. Pure. One that is not done on either side is none:
 * it waits, visibly, and no money came that FileMaker should know of.
 */
export function compareReversalLog(
  reversal: RecordedReversal,
  effects: readonly ReversalEffect[],
  { observing }: Pick<ComparisonRules, 'observing'>,
): Finding[] {
  return effects.flatMap(({ effect, filemaker }) => {
    const differs = effect.state === 'done' ? rowsOfDone(effect, filemaker) : onlyThere(effect, filemaker, observing);
    const { reasonCode, state } = effect;
    return differs.map((difference) => ({
      ...difference,
      objectId: reversal.id,
      stripeValue: reversal.status,
      recordedValue:
        reasonCode === undefined || state === 'done' ? effectWord(state) : `${effectWord(state)}: ${reasonCode}`,
      filemakerValue: logValue(filemaker),
      amount: reversal.amount,
      currency: reversal.currency,
      replay: null,
    }));
  });
}

/** Done there and not here. What is being sent or asked about is settled by what the log says, within seconds. */
function onlyThere(
  { state }: EffectSide,
  filemaker: LogTold | undefined,
  observing: boolean,
): Pick<Difference, 'class' | 'message'>[] {
  const done = filemaker?.kind === 'told' && filemaker.states.includes('done');
  if (!done || observing || state === 'sending' || state === 'unknown') return [];
  return [{ class: 'done-in-filemaker-not-here', message: "FileMaker's log has it as done, and here it is not" }];
}

/** Refunds and disputes as Stripe has them, beside ours. */
export interface ReversalBooks {
  refunds: readonly ReversalFacts[];
  disputes: readonly ReversalFacts[];
  recorded: readonly RecordedReversal[];
  livemode: boolean;
  /** When it was, if Stripe does not say. */
  otherwiseAt: Date;
}

type ReversalDifference = Difference & Pick<Finding, 'objectId' | 'currency'>;

function reversalDifference(
  kind: 'refund' | 'dispute',
  at: ReversalFacts,
  { books, rules }: { books: ReversalBooks; rules: ComparisonRules },
): ReversalDifference[] {
  const recorded = books.recorded.find(({ id }) => id === at.id);
  const created = at.createdAt ?? books.otherwiseAt;
  const differs = kind === 'refund' ? refundDiffers(at, recorded) : disputeDiffers(at, recorded);
  if (differs === undefined || rules.now.getTime() - created.getTime() < LEAVE_TO_OTHERS_MS) return [];
  const replay = {
    eventId: `found.${at.id}`,
    eventType: differs.eventType,
    object: { id: at.id, object: kind },
    livemode: books.livemode,
    createdAt: created,
  };
  return [
    {
      class: `${kind}-not-recorded`,
      objectId: at.id,
      stripeValue: `${at.status}: ${formatMinor(at.amount, at.currency)}`,
      recordedValue: recorded?.status ?? null,
      filemakerValue: null,
      amount: at.amount,
      currency: at.currency,
      message: `${differs.message}${olderNote(rules, created)}`,
      ...actingFrom(rules, created, replay),
    },
  ];
}

function refundDiffers(refund: ReversalFacts, recorded: RecordedReversal | undefined) {
  const eventType = 'refund.updated';
  if (recorded === undefined)
    return isStanding(refund.status) ? { message: 'A refund at Stripe is not in our records', eventType } : undefined;
  if (recorded.status === refund.status || (isUnderWay(recorded.status) && isUnderWay(refund.status))) return undefined;
  return { message: 'A refund stands otherwise at Stripe than in our records', eventType };
}

function disputeDiffers(dispute: ReversalFacts, recorded: RecordedReversal | undefined) {
  const ended = DISPUTE_ENDS.has(dispute.status);
  const eventType = ended ? 'charge.dispute.closed' : 'charge.dispute.created';
  if (recorded === undefined) return { message: 'A dispute at Stripe is not in our records', eventType };
  return ended && recorded.status !== dispute.status
    ? { message: 'A dispute has ended at Stripe and not in our records', eventType }
    : undefined;
}

/** A refund's money never changes: other money in our records was written wrongly, and FileMaker may have been told so. */
function moneyDiffers(refund: ReversalFacts, { recorded }: ReversalBooks): ReversalDifference[] {
  const ours = recorded.find(({ id, kind }) => id === refund.id && kind === 'refund');
  if (ours === undefined || (ours.amount === refund.amount && ours.currency === refund.currency)) return [];
  const sameCurrency = ours.currency === refund.currency;
  return [
    {
      class: sameCurrency ? 'amount-differs' : 'currency-differs',
      objectId: refund.id,
      stripeValue: formatMinor(refund.amount, refund.currency),
      recordedValue: formatMinor(ours.amount, ours.currency),
      filemakerValue: null,
      amount: sameCurrency ? Math.abs(refund.amount - ours.amount) : refund.amount,
      currency: refund.currency,
      message: 'A refund is recorded with other money than Stripe gave back',
      replay: null,
    },
  ];
}

export function reversalDifferences(books: ReversalBooks, rules: ComparisonRules): ReversalDifference[] {
  return [
    ...books.refunds.flatMap((refund) => moneyDiffers(refund, books)),
    ...books.refunds.flatMap((refund) => reversalDifference('refund', refund, { books, rules })),
    ...books.disputes.flatMap((dispute) => reversalDifference('dispute', dispute, { books, rules })),
  ];
}

/** Where refunds and disputes differ, each under its own id. Pure. */
export function compareReversals(books: ReversalBooks, rules: ComparisonRules): Finding[] {
  return reversalDifferences(books, rules).map((difference) => ({
    stripeValue: null,
    recordedValue: null,
    filemakerValue: null,
    replay: null,
    ...difference,
  }));
}

/** Stripe gives so many of a payment's refunds or disputes; a list of so many may not be all. */
const OF_A_PAYMENT_MAX = 100;

/** Whether all refunds, or all disputes, of a payment were read: then one of ours that is not among them is not at Stripe. */
export const isWhole = (listed: readonly ReversalFacts[] | undefined): boolean =>
  listed !== undefined && listed.length < OF_A_PAYMENT_MAX;

/** Our records have this refund or dispute, and Stripe does not know it. */
export function reversalNotAtStripe({ id, kind, status, amount, currency }: RecordedReversal): Finding {
  return {
    class: 'recorded-not-at-stripe',
    objectId: id,
    stripeValue: null,
    recordedValue: status,
    filemakerValue: null,
    amount: isStanding(status) ? amount : 0,
    currency,
    message: `Our records have this ${kind}, and Stripe does not know it`,
    replay: null,
  };
}
