import type { EffectPlan, EffectState } from '@bridge/effects';
import type { FlowPreview } from '@bridge/flow';

/**
 * What a replay of one payment would come to. `older`: as `would-apply`, with money from before `RECONCILE_FROM`, which
 * only a person's command may run. `changes-invoice`: it is recorded for another invoice, and goes to the given one instead.
 * `by-hand`: only our records would follow what was done in FileMaker by hand.
 */
export const VERDICTS = [
  'would-apply',
  'older',
  'changes-invoice',
  'by-hand',
  'already-applied',
  'second-payment',
  'parked',
  'locked',
  'on-its-way',
  'unknown',
  'cancelled',
  'refused',
  'not-paid',
  'nothing-due',
  'not-found',
] as const;
/** One word for it; the table in this package's README says what each does. */
export type Verdict = (typeof VERDICTS)[number];

/** `send`: its event goes the road. `release`: its parked effect goes on. Null: nothing is sent. */
export type ReplayAct = 'send' | 'release' | null;

/** What sending would do to one payment, and why. */
export interface ReplayVerdict {
  verdict: Verdict;
  acts: ReplayAct;
  reasonCode: string | null;
  /** A sentence for people, without customer data. */
  reason: string | null;
}

/** The effect that our records hold for the same fact. */
export interface StandingEffect {
  state: EffectState;
  attempts: number;
  reasonCode: string | null;
  reason: string | null;
  /** Done: proved by FileMaker, or a person's word. */
  verified: boolean | null;
  /** Parked: whether a button may send it on, or why not. */
  release: { kind: 'releases' } | { kind: 'refused'; code: string; reason: string } | undefined;
}

/** What FileMaker's own log says of a key. `unasked`: it is away, or its answer proves nothing. `no-log`: it keeps none. */
export type LogWord = 'done' | 'not-done' | 'not-there' | 'unasked' | 'no-log';

/** What a verdict rests on: the flow's preview, our records, FileMaker's log. */
export interface ReplayFacts {
  preview: FlowPreview;
  standing: StandingEffect | undefined;
  log: LogWord;
  /** The company's own fields can show that the script ran, though never that it did not. */
  hasProbe: boolean;
  recoverFrom: Date;
}

const SECOND_PAYMENT = 'second-payment';
const SECOND_PAYMENT_OF_INVOICE = 'SECOND_PAYMENT_OF_INVOICE';
const RECORD_LOCKED = 'FILEMAKER_RECORD_LOCKED';

const judged = (
  verdict: Verdict,
  acts: ReplayAct = null,
  reasonCode: string | null = null,
  reason: string | null = null,
): ReplayVerdict => ({ verdict, acts, reasonCode, reason });

/** Pure: what a person is told about a payment, and what sending the plan will do with it. */
export function judgeReplay(facts: ReplayFacts): ReplayVerdict {
  const { preview, standing } = facts;
  if (preview.ignored?.refusesOrder === true) {
    const { reasonCode, reason } = preview.ignored;
    return judged(reasonCode === SECOND_PAYMENT_OF_INVOICE ? 'second-payment' : 'refused', null, reasonCode, reason);
  }
  if (preview.byHand !== undefined) return judged('by-hand', 'send', preview.byHand.reasonCode, preview.byHand.reason);
  const [first] = preview.plans;
  if (first?.replaces !== undefined) return judgeChange(first, facts.log);
  if (standing !== undefined) return judgeStanding(standing, facts.log);
  const [plan] = preview.plans;
  if (plan !== undefined) return judgeNew(plan.parked, facts);
  // What was noted before is not told twice: the reason is the one of somebody who sees it for the first time.
  const parked = preview.parked ?? preview.afresh.parked;
  if (parked !== undefined) return judged('parked', null, parked.reasonCode, parked.reason);
  const ignored = preview.afresh.ignored ?? preview.ignored;
  if (ignored !== undefined) return judged('refused', null, ignored.reasonCode, ignored.reason);
  if (preview.about?.moved === false) return judged('not-paid', null, 'NOT_PAID', 'No money has come for it yet');
  return judged('nothing-due', null, 'NOTHING_DUE', 'It is recorded only; no script is run for it');
}

/** The number may change only while it is sure that nothing has run under the other one. */
function judgeChange({ parked, subject, replaces }: EffectPlan, log: LogWord): ReplayVerdict {
  const what = replaces?.what ?? 'another invoice';
  if (log === 'done')
    return judged('refused', null, 'LOG_SAYS_DONE', `FileMaker's log says that it has run, for ${what}`);
  if (log === 'not-done')
    return judged('refused', null, 'LOG_NOT_DONE', `FileMaker's log has begun with it, for ${what}`);
  const then =
    parked !== undefined
      ? `. It then waits for your decision: ${parked.reason}`
      : log === 'no-log'
        ? '. FileMaker keeps no log that could be asked: it then waits for your word'
        : log === 'unasked'
          ? '. FileMaker could not be asked just now; it is asked before anything runs'
          : '';
  const reason = `Nothing was done for ${what}; it goes to invoice ${subject.invoiceId ?? '?'} instead${then}`;
  return judged('changes-invoice', 'send', parked?.reasonCode ?? (log === 'unasked' ? 'UNASKED' : null), reason);
}

function judgeStanding(standing: StandingEffect, log: LogWord): ReplayVerdict {
  const { state, reasonCode, reason, release } = standing;
  switch (state) {
    case 'done':
      return standing.verified === false
        ? judged('already-applied', null, 'DONE_UNVERIFIED', 'Done here; FileMaker has not proved it')
        : judged('already-applied', null, 'DONE', 'Done here');
    case 'cancelled':
      return judged('cancelled', null, 'CANCELLED', 'A person decided that it shall not happen');
    case 'unknown':
      return judged('unknown', null, reasonCode, 'It was sent and its answer was not heard; FileMaker is being asked');
    case 'sending':
      return judged('on-its-way', null, 'SENDING', 'It is being sent at this moment');
    case 'planned':
      return reasonCode === RECORD_LOCKED
        ? judged('locked', null, reasonCode, 'Its record was locked when it was last tried; it goes on by itself')
        : judged('on-its-way', null, reasonCode, reason ?? 'It waits for its turn and goes on by itself');
    case 'parked': {
      if (reasonCode === SECOND_PAYMENT) return judged('second-payment', null, reasonCode, reason);
      if (release?.kind === 'releases') {
        return log === 'done'
          ? judged('already-applied', 'release', 'LOG_SAYS_DONE', "FileMaker's log says done; it is recorded here")
          : judged('parked', 'release', reasonCode, reason);
      }
      return judged('parked', null, reasonCode, release?.reason ?? reason);
    }
  }
}

function judgeNew(parked: { reasonCode: string; reason: string } | undefined, facts: ReplayFacts): ReplayVerdict {
  if (facts.log === 'done')
    return judged('already-applied', 'send', 'LOG_SAYS_DONE', "FileMaker's log says done; it is recorded here");
  if (parked !== undefined) {
    const verdict = parked.reasonCode === SECOND_PAYMENT ? 'second-payment' : 'parked';
    return judged(verdict, 'send', parked.reasonCode, parked.reason);
  }
  if (facts.log === 'not-done')
    return judged('parked', 'send', 'LOG_NOT_DONE', "FileMaker's log has begun with it and not finished");
  if (facts.log === 'no-log') {
    return judged(
      'parked',
      'send',
      'CANNOT_BE_ASKED',
      facts.hasProbe
        ? 'Without a log FileMaker can prove that it ran, never that it did not: unless it is found there, it waits for your word'
        : 'FileMaker keeps no log that could be asked first: it will wait for your word',
    );
  }
  const unasked =
    facts.log === 'unasked' ? 'FileMaker could not be asked just now; it is asked before anything runs' : null;
  const occurredAt = facts.preview.about?.occurredAt;
  if (occurredAt !== undefined && occurredAt < facts.recoverFrom) {
    return judged(
      'older',
      'send',
      'BEFORE_RECONCILE_FROM',
      'From before RECONCILE_FROM: recovery leaves it alone, your command runs it',
    );
  }
  return judged('would-apply', 'send', unasked === null ? null : 'UNASKED', unasked);
}
