import { createEffectReader } from '@bridge/effects';
import type { Compared, Finding } from '@bridge/flow';
import { type ReversalFacts, readReversalFacts, UnreadableSessionError } from '../session-facts';
import { FILEMAKER_CLASSES, LEAVE_TO_OTHERS_MS } from './books';
import {
  type ComparedPage,
  judgeReversalLog,
  keysOfReversals,
  type PageContext,
  questionsAbout,
  readLog,
  reversalCase,
} from './compare-page';
import { compareReversals } from './compare-reversals';
import { idOf } from './listed-range';
import { readReversals } from './read-recorded';

const CLASSES = [
  'refund-not-recorded',
  'dispute-not-recorded',
  'amount-differs',
  'currency-differs',
  'recorded-not-at-stripe',
  'unreadable-at-stripe',
] as const;

/** A refund or dispute of a payment that is not in our records: it may be one that we have missed, or no business of ours. */
export interface Stranger {
  paymentIntentId: string;
  createdAt: Date | undefined;
  /** Nothing of ours says anything of the object itself: it has been checked only once its payment was looked up. */
  alone: boolean;
}

/**
 * Compares refunds or disputes, as Stripe gives them, with our records and with FileMaker's log. Only those of payments that
 * we know: the account may take money that did not come through a Checkout Session, and that is not ours to record. The
 * others are told as strangers, which the caller may look up. A FileMaker that cannot be asked now is asked the next time.
 */
export async function compareMadePage(
  kind: 'refund' | 'dispute',
  listed: readonly unknown[],
  context: PageContext,
): Promise<ComparedPage & { strangers: Stranger[] }> {
  const read: ReversalFacts[] = [];
  const findings: Finding[] = [];
  for (const object of listed) {
    try {
      read.push(readReversalFacts(object));
    } catch (error) {
      const id = idOf(object);
      if (!(error instanceof UnreadableSessionError) || id === undefined) throw error;
      findings.push(unreadable(id, error));
    }
  }
  const isYoung = ({ createdAt }: ReversalFacts): boolean =>
    createdAt !== undefined && createdAt.getTime() > context.now.getTime() - LEAVE_TO_OTHERS_MS;
  const old = read.filter((facts) => !isYoung(facts));
  const inHand = await context.inHand(old.map(({ id }) => id));
  const judged = old.filter(({ id }) => !inHand.has(id));
  const { reversals, payments } = await readReversals(context.executor, {
    ids: judged.map(({ id }) => id),
    paymentIntentIds: judged.flatMap(({ paymentIntentId }) => paymentIntentId ?? []),
  });
  // One that is recorded is ours, also where its payment is from before our records began.
  const { livemode } = context.peers;
  const paymentOf = ({ id, paymentIntentId, createdAt }: ReversalFacts) =>
    payments.get(paymentIntentId ?? '') ??
    (reversals.has(id) ? { livemode, bornAt: createdAt ?? context.recoverFrom } : undefined);
  const ours = judged.filter((facts) => paymentOf(facts)?.livemode === livemode);
  const effects = createEffectReader(context.executor);
  const standings = await effects.standings(keysOfReversals([...reversals.values()]));
  const cases = new Map([...reversals.values()].map((one) => [one.id, reversalCase(one, standings)]));
  const questions = ours.flatMap(({ id }) => {
    const one = cases.get(id);
    return one === undefined ? [] : questionsAbout(one, 'all');
  });
  const told = await readLog(questions, { recovery: context.recovery, reach: 'suspects' });
  const asked = new Set(questions.map(({ key }) => key));
  const look = { asked, told, after: await effects.standings([...asked]) };
  const rules = {
    now: context.now,
    recoverFrom: context.recoverFrom,
    instalments: context.settings.instalments,
    observing: context.observing,
  };
  const withLog: string[] = [];
  const withoutLog: string[] = [];
  const byPerson: string[] = [];
  let left = read.length - judged.length;
  let unasked = 0;
  for (const facts of ours) {
    const payment = paymentOf(facts);
    if (payment === undefined) continue;
    const recorded = reversals.get(facts.id);
    const one = cases.get(facts.id);
    const log = one === undefined ? undefined : judgeReversalLog(one, look, context);
    const differences = [
      ...compareReversals(
        {
          refunds: kind === 'refund' ? [facts] : [],
          disputes: kind === 'dispute' ? [facts] : [],
          recorded: recorded === undefined ? [] : [recorded],
          livemode: payment.livemode,
          otherwiseAt: payment.bornAt,
        },
        rules,
      ),
      ...(log?.findings ?? []),
    ];
    if (differences.length > 0 && (recorded?.fresh === true || log?.moved === true)) {
      left += 1;
      continue;
    }
    findings.push(...differences);
    (log?.wasTold === true ? withLog : withoutLog).push(facts.id);
    if (one?.standings.some((standing) => standing.byPerson) === true) byPerson.push(facts.id);
    if (log?.unasked === true) unasked += 1;
  }
  const whole = new Set([...withLog, ...withoutLog]);
  const onlyRead = judged.flatMap(({ id }) => (whole.has(id) ? [] : [id]));
  const compared: Compared[] = [
    { objectIds: withLog, classes: [...CLASSES, ...FILEMAKER_CLASSES], byPerson },
    { objectIds: withoutLog, classes: CLASSES, byPerson },
    // Whoever's it is, and whatever else is left alone about it: it can be read now.
    { objectIds: onlyRead, classes: ['unreadable-at-stripe'], byPerson: [] },
  ];
  const strangers = judged.flatMap(({ id, paymentIntentId, createdAt }) =>
    paymentIntentId === undefined || payments.has(paymentIntentId)
      ? []
      : [{ paymentIntentId, createdAt, alone: !reversals.has(id) }],
  );
  return { checked: listed.length - left, unasked, findings, compared, strangers };
}

const unreadable = (objectId: string, error: UnreadableSessionError): Finding => ({
  class: 'unreadable-at-stripe',
  objectId,
  stripeValue: 'cannot be read',
  recordedValue: null,
  filemakerValue: null,
  amount: 0,
  currency: '',
  message: error.message,
  replay: null,
});
