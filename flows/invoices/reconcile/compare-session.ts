import type { EffectState } from '@bridge/effects';
import type { Finding } from '@bridge/flow';
import { formatMinor } from '@bridge/payload-builder';
import type { LogTold } from '../ports';
import type { ReversalFacts, SessionFacts } from '../session-facts';

/** The money may be on its way for so long before anything about it is a finding. */
export const LEAVE_TO_OTHERS_MS = 10 * 60_000;

/** Differences that Stripe's and our own books show. */
export const CLASSES = [
  'paid-not-recorded',
  'refund-not-recorded',
  'dispute-not-recorded',
  'status-differs',
  'amount-differs',
  'currency-differs',
  'invoice-differs',
  'paid-twice',
  'recorded-not-at-stripe',
  'paid-not-applied',
  'applied-not-paid',
  'unreadable-at-stripe',
] as const;

/** Differences that only FileMaker's log shows. */
export const FILEMAKER_CLASSES = [
  'applied-not-in-filemaker',
  'filemaker-row-not-done',
  'filemaker-row-twice',
  'done-in-filemaker-not-here',
] as const;

export type FindingClass = (typeof CLASSES)[number] | (typeof FILEMAKER_CLASSES)[number];

/** Stripe's book. */
export interface StripeSide {
  facts: SessionFacts;
  /** Asked for only where the charge and our records do not agree about them; see `missesReversals`. */
  refunds?: readonly ReversalFacts[];
  disputes?: readonly ReversalFacts[];
}

export interface RecordedReversal {
  id: string;
  kind: 'refund' | 'dispute';
  /** Minor units. */
  amount: number;
  currency: string;
  status: string;
}

export interface RecordedPayment {
  sessionId: string;
  status: 'pending' | 'paid' | 'failed' | 'expired' | 'parked';
  parkedCode: string | undefined;
  invoiceId: string | undefined;
  amountTotal: number;
  currency: string;
  paidAt: Date | undefined;
  firstSeen: Date;
  sessionCreatedAt: Date;
}

/** Our book. */
export interface RecordSide {
  payment: RecordedPayment | undefined;
  reversals: readonly RecordedReversal[];
  /** Other payments of the same invoice whose money is still with the company and that nobody has cancelled. */
  others: readonly { sessionId: string; paidAt: Date }[];
}

/** How the change that we owe FileMaker stands. */
export interface EffectSide {
  state: EffectState;
  /** A person has settled it: their word stands against the log. */
  byPerson: boolean;
  /** Never sent by us: an older handler did it, and the company's own field may have shown that. Our log knows nothing of it. */
  askOnly: boolean;
  reasonCode: string | undefined;
  plannedAt: Date;
}

export interface ComparisonRules {
  now: Date;
  /** Money from before is found and never acted on. */
  recoverFrom: Date;
  instalments: 'allow' | 'park';
  /** Nothing is performed on purpose: what FileMaker was not told is no finding. */
  observing: boolean;
}

const isStanding = (status: string): boolean => status !== 'failed' && status !== 'canceled';
const isUnderWay = (status: string): boolean => status === 'pending' || status === 'requires_action' || status === '';
/** Disputes that will not change any more. */
const DISPUTE_ENDS: ReadonlySet<string> = new Set(['won', 'lost', 'warning_closed', 'prevented']);
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

/** When the money came, or else when the Session was born. */
export const moneyCameAt = (facts: SessionFacts): Date => facts.paidAt ?? facts.createdAt;

/** A state that is no code may be a sentence with a customer in it: it stays in FileMaker. */
const stateWord = (state: string): string =>
  state === '' ? 'empty' : /^[A-Za-z0-9_.-]{1,40}$/.test(state) ? state : 'another state';

/** The log's word in short; null: it was not asked, or cannot tell. */
function logValue(told: LogTold | undefined): string | null {
  if (told === undefined || told.kind === 'unasked') return null;
  return told.states.length === 0 ? 'no row' : told.states.map(stateWord).join(', ');
}

function statusAtStripe(facts: SessionFacts): string {
  if (facts.paid) return 'paid';
  if (facts.failed) return 'failed';
  return facts.status === 'expired' ? 'expired' : 'unpaid';
}

const recordedStatus = ({ status, parkedCode }: RecordedPayment): string =>
  status === 'parked' ? `parked: ${parkedCode ?? ''}` : status;

const effectWord = (state: EffectState): string =>
  ({ planned: 'waits', sending: 'being sent' })[state as string] ?? state;

function effectValue(effect: EffectSide | undefined, payment: RecordedPayment): string {
  if (effect === undefined) return recordedStatus(payment);
  const { state, reasonCode } = effect;
  const word = effectWord(state);
  return reasonCode === undefined ? word : `${word}: ${reasonCode}`;
}

interface Books {
  stripe: StripeSide;
  record: RecordSide;
  effect: EffectSide | undefined;
  filemaker: LogTold | undefined;
}

type Difference = Omit<
  Finding,
  'objectId' | 'currency' | 'replay' | 'filemakerValue' | 'recordedValue' | 'stripeValue'
> &
  Partial<Finding> & { class: FindingClass };

function paidReplay(facts: SessionFacts): NonNullable<Finding['replay']> {
  return {
    eventId: `found.${facts.id}`,
    eventType: 'checkout.session.completed',
    object: { id: facts.id, object: 'checkout.session' },
    livemode: facts.livemode,
    createdAt: moneyCameAt(facts),
  };
}

/** Money from before the beginning is told and left to people. */
function actingFrom(
  { recoverFrom }: ComparisonRules,
  at: Date,
  replay: NonNullable<Finding['replay']>,
): Pick<Finding, 'replay' | 'beforeStart'> {
  return at < recoverFrom ? { replay: null, beforeStart: true } : { replay };
}
const olderNote = ({ recoverFrom }: ComparisonRules, at: Date): string =>
  at < recoverFrom ? '; it is from before the bridge was to act, so a person decides' : '';

function notRecorded({ stripe, filemaker }: Books, rules: ComparisonRules): Difference[] {
  const { facts } = stripe;
  if (!facts.paid) return [];
  const at = moneyCameAt(facts);
  const there = filemaker?.kind === 'told' && filemaker.states.includes('done');
  return [
    {
      class: 'paid-not-recorded',
      stripeValue: 'paid',
      amount: facts.amountTotal,
      message: `A paid Checkout Session at Stripe is not in our records${there ? ", though FileMaker's log has it as done" : ''}${olderNote(rules, at)}`,
      ...actingFrom(rules, at, paidReplay(facts)),
    },
  ];
}

/** Stripe has no money for it. */
function unpaidAtStripe(books: Books, payment: RecordedPayment): Difference[] {
  const { stripe, effect } = books;
  const stripeValue = statusAtStripe(stripe.facts);
  const differs = { class: 'status-differs', stripeValue, recordedValue: recordedStatus(payment) } as const;
  if (effect?.state === 'done') {
    return [
      {
        class: 'applied-not-paid',
        stripeValue,
        recordedValue: 'done',
        amount: payment.amountTotal,
        currency: payment.currency,
        message: 'FileMaker was told that it is paid, and Stripe has no money for it',
      },
    ];
  }
  if (payment.status === 'paid' || payment.status === 'parked') {
    return [
      {
        ...differs,
        amount: payment.amountTotal,
        currency: payment.currency,
        message: 'It is recorded as paid, and Stripe has no money for it',
      },
    ];
  }
  if (payment.status !== 'pending' || (stripeValue !== 'expired' && stripeValue !== 'failed')) return [];
  return [{ ...differs, amount: 0, message: `It is recorded as pending, and at Stripe it has ${stripeValue}` }];
}

function namesDiffer({ stripe: { facts } }: Books, payment: RecordedPayment): Difference[] {
  const differences: Difference[] = [];
  if (payment.currency !== facts.currency) {
    differences.push({
      class: 'currency-differs',
      stripeValue: formatMinor(facts.amountTotal, facts.currency),
      recordedValue: formatMinor(payment.amountTotal, payment.currency),
      amount: facts.amountTotal,
      message: 'The payment is recorded in another currency than Stripe took',
    });
  } else if (payment.amountTotal !== facts.amountTotal) {
    differences.push({
      class: 'amount-differs',
      stripeValue: formatMinor(facts.amountTotal, facts.currency),
      recordedValue: formatMinor(payment.amountTotal, payment.currency),
      amount: Math.abs(facts.amountTotal - payment.amountTotal),
      message: 'The recorded amount is not the one at Stripe',
    });
  }
  // A Session that names none may have been given its invoice by a person.
  if (facts.invoiceId !== undefined && payment.invoiceId !== facts.invoiceId) {
    differences.push({
      class: 'invoice-differs',
      stripeValue: facts.invoiceId,
      recordedValue: payment.invoiceId ?? null,
      amount: facts.amountTotal,
      message: 'The Checkout Session names another invoice than the one that was recorded',
    });
  }
  return differences;
}

/** What of this payment's money is still with the company. */
const kept = (facts: SessionFacts): number => Math.max(0, facts.amountTotal - facts.amountRefunded);

function isSecondPayment({ stripe: { facts }, record, effect }: Books, rules: ComparisonRules): boolean {
  if (rules.instalments === 'allow' || kept(facts) === 0) return false;
  if (effect?.state === 'cancelled' || effect?.byPerson === true) return false;
  const at = moneyCameAt(facts).getTime();
  return record.others.some(({ sessionId, paidAt }) => {
    const other = paidAt.getTime();
    return other < at || (other === at && sessionId < facts.id);
  });
}

/** Recorded as paid, and paid at Stripe: has FileMaker heard of it, and of it once? */
function application(books: Books, payment: RecordedPayment, rules: ComparisonRules): Difference[] {
  const { stripe, record, effect, filemaker } = books;
  const { facts } = stripe;
  const differences: Difference[] = [];
  const second = isSecondPayment(books, rules);
  if (second) {
    differences.push({
      class: 'paid-twice',
      stripeValue: 'paid',
      recordedValue: effectValue(effect, payment),
      amount: kept(facts),
      message: `The invoice was paid before by ${record.others.map(({ sessionId }) => sessionId).join(', ')}`,
    });
  }
  if (effect?.state === 'done') return [...differences, ...doneHere(books)];
  if (rules.observing) return differences;
  const states = filemaker?.kind === 'told' ? filemaker.states : [];
  // One that is being sent or asked about is settled by what the log says, within seconds.
  const beingSettled = effect?.state === 'sending' || effect?.state === 'unknown';
  if (states.includes('done') && !beingSettled) {
    return [
      ...differences,
      {
        class: 'done-in-filemaker-not-here',
        stripeValue: 'paid',
        recordedValue: effectValue(effect, payment),
        amount: kept(facts),
        message: "FileMaker's log has it as done, and here it is not",
      },
    ];
  }
  if (effect?.state === 'cancelled' || (second && effect?.reasonCode === 'second-payment')) return differences;
  const known = Math.max(moneyCameAt(facts).getTime(), payment.firstSeen.getTime(), effect?.plannedAt.getTime() ?? 0);
  if (rules.now.getTime() - known < LEAVE_TO_OTHERS_MS) return differences;
  return [
    ...differences,
    {
      class: 'paid-not-applied',
      stripeValue: 'paid',
      recordedValue: effectValue(effect, payment),
      amount: kept(facts),
      message: `It is paid and recorded, and FileMaker has not been told: ${effectValue(effect, payment)}`,
    },
  ];
}

function doneHere({ stripe: { facts }, effect, filemaker }: Books): Difference[] {
  if (effect === undefined) return [];
  return rowsOfDone(effect, filemaker).map((differs) => ({
    ...differs,
    stripeValue: 'paid',
    recordedValue: 'done',
    amount: facts.amountTotal,
  }));
}

/** Done here: the log must have one row of it, and that one done. */
function rowsOfDone(effect: EffectSide, filemaker: LogTold | undefined): Pick<Difference, 'class' | 'message'>[] {
  if (effect.byPerson || filemaker?.kind !== 'told') return [];
  const { states } = filemaker;
  if (states.length === 0 && effect.askOnly) return [];
  if (states.length === 0)
    return [{ class: 'applied-not-in-filemaker', message: "It is done here, and FileMaker's log has no row of it" }];
  if (states.length > 1)
    return [
      {
        class: 'filemaker-row-twice',
        message: `FileMaker's log has ${states.length} rows of it: the script may have run more than once`,
      },
    ];
  if (states[0] === 'done') return [];
  return [
    {
      class: 'filemaker-row-not-done',
      message: 'It is done here, and in FileMaker the script has not come to its end',
    },
  ];
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

function reversalDifferences(books: ReversalBooks, rules: ComparisonRules): ReversalDifference[] {
  return [
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

function paymentDifferences(books: Books, rules: ComparisonRules): Difference[] {
  const { stripe, record } = books;
  const { facts } = stripe;
  const { payment } = record;
  if (payment === undefined) return notRecorded(books, rules);
  if (!facts.paid) return unpaidAtStripe(books, payment);
  if (payment.status !== 'paid' && payment.status !== 'parked') {
    const at = moneyCameAt(facts);
    return [
      {
        class: 'status-differs',
        stripeValue: 'paid',
        recordedValue: recordedStatus(payment),
        amount: facts.amountTotal,
        message: `It is paid at Stripe and recorded as ${payment.status}${olderNote(rules, at)}`,
        ...actingFrom(rules, at, paidReplay(facts)),
      },
    ];
  }
  return [...namesDiffer(books, payment), ...application(books, payment, rules)];
}

/**
 * Where three books differ about one Checkout Session. Pure. The money at risk is in minor units of the finding's
 * currency. An event that would put it right is given only where money came and we have missed it; all else is for a
 * person. `filemaker` undefined: it was not asked, and nothing is said about it.
 */
export function compareSession(
  stripe: StripeSide,
  record: RecordSide,
  effect: EffectSide | undefined,
  filemaker: LogTold | undefined,
  rules: ComparisonRules,
): Finding[] {
  const { facts } = stripe;
  const books: Books = { stripe, record, effect, filemaker };
  const reversals = {
    refunds: stripe.refunds ?? [],
    disputes: stripe.disputes ?? [],
    recorded: record.reversals,
    livemode: facts.livemode,
    otherwiseAt: moneyCameAt(facts),
  };
  const differences = [...paymentDifferences(books, rules), ...reversalDifferences(reversals, rules)];
  return differences.map((difference) => ({
    objectId: facts.id,
    stripeValue: null,
    recordedValue: null,
    filemakerValue: logValue(filemaker),
    currency: facts.currency,
    replay: null,
    ...difference,
  }));
}

/** Our records have it, and Stripe does not know it. */
export function notAtStripe(payment: RecordedPayment): Finding {
  const hasMoney = payment.status === 'paid' || payment.status === 'parked';
  return {
    class: 'recorded-not-at-stripe',
    objectId: payment.sessionId,
    stripeValue: null,
    recordedValue: recordedStatus(payment),
    filemakerValue: null,
    amount: hasMoney ? payment.amountTotal : 0,
    currency: payment.currency,
    message: 'Our records have this Checkout Session, and Stripe does not know it',
    replay: null,
  };
}
