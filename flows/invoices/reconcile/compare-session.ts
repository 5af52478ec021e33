import type { Finding } from '@bridge/flow';
import { formatMinor } from '@bridge/payload-builder';
import type { LogTold } from '../ports';
import type { SessionFacts } from '../session-facts';
import {
  actingFrom,
  type ComparisonRules,
  type Difference,
  type EffectSide,
  effectWord,
  LEAVE_TO_OTHERS_MS,
  logValue,
  moneyCameAt,
  olderNote,
  type RecordedPayment,
  type RecordedReversal,
  type RecordSide,
  rowsOfDone,
  type StripeSide,
} from './books';
import { isWhole, reversalDifferences, reversalNotAtStripe } from './compare-reversals';

function statusAtStripe(facts: SessionFacts): string {
  if (facts.paid) return 'paid';
  if (facts.failed) return 'failed';
  return facts.status === 'expired' ? 'expired' : 'unpaid';
}

const recordedStatus = ({ status, parkedCode }: RecordedPayment): string =>
  status === 'parked' ? `parked: ${parkedCode ?? ''}` : status;

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

function paidReplay(facts: SessionFacts): NonNullable<Finding['replay']> {
  return {
    eventId: `found.${facts.id}`,
    eventType: 'checkout.session.completed',
    object: { id: facts.id, object: 'checkout.session' },
    livemode: facts.livemode,
    createdAt: moneyCameAt(facts),
  };
}

/** A Checkout Session lives no longer: by then its buyer has clicked. */
const SESSION_LIVES_MS = 24 * 60 * 60_000;

/**
 * The buyer is done, and the money comes later: a bank debit, a held amount. It may come when the Session lies in no window any
 * more, and then only a payment that we know to wait for its money is looked at, by its id. So it is recorded while it is seen.
 * A class of its own: each open finding is acted on once, and what is found when the money has come must be acted on again.
 */
function underWay(facts: SessionFacts, rules: ComparisonRules): Difference[] {
  if (facts.status !== 'complete' || facts.failed) return [];
  const clicked = facts.paidAt ?? new Date(facts.createdAt.getTime() + SESSION_LIVES_MS);
  if (clicked < rules.recoverFrom || rules.now.getTime() - clicked.getTime() < LEAVE_TO_OTHERS_MS) return [];
  return [
    {
      class: 'under-way-not-recorded',
      stripeValue: 'waits for its money',
      amount: 0,
      message: 'A Checkout Session whose money is under way is not in our records',
      replay: { ...paidReplay(facts), createdAt: clicked },
    },
  ];
}

function notRecorded({ stripe, filemaker }: Books, rules: ComparisonRules): Difference[] {
  const { facts } = stripe;
  if (!facts.paid) return underWay(facts, rules);
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
      message: `It is paid and recorded, and not known to be applied in FileMaker: ${effectValue(effect, payment)}`,
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
  return [
    ...differences.map((difference) => ({
      objectId: facts.id,
      stripeValue: null,
      recordedValue: null,
      filemakerValue: logValue(filemaker),
      currency: facts.currency,
      replay: null,
      ...difference,
    })),
    ...record.reversals.filter((one) => isMissingAtStripe(one, stripe)).map(reversalNotAtStripe),
  ];
}

function isMissingAtStripe({ id, kind }: RecordedReversal, { refunds, disputes }: StripeSide): boolean {
  const listed = kind === 'refund' ? refunds : disputes;
  return isWhole(listed) && listed?.every((one) => one.id !== id) === true;
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
