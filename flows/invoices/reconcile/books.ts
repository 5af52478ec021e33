import type { EffectState } from '@bridge/effects';
import type { Finding } from '@bridge/flow';
import type { LogTold } from '../ports';
import type { ReversalFacts, SessionFacts } from '../session-facts';

// The three books that are compared, what a difference is called, and the words for it.

/** The money may be on its way for so long before anything about it is a finding. */
export const LEAVE_TO_OTHERS_MS = 10 * 60_000;

/** Differences that Stripe's and our own books show. */
export const CLASSES = [
  'paid-not-recorded',
  'under-way-not-recorded',
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

/** When the money came, or else when the Session was born. */
export const moneyCameAt = (facts: SessionFacts): Date => facts.paidAt ?? facts.createdAt;

/** A state that is no code may be a sentence with a customer in it: it stays in FileMaker. */
const stateWord = (state: string): string =>
  state === '' ? 'empty' : /^[A-Za-z0-9_.-]{1,40}$/.test(state) ? state : 'another state';

/** The log's word in short; null: it was not asked, or cannot tell. */
export function logValue(told: LogTold | undefined): string | null {
  if (told === undefined || told.kind === 'unasked') return null;
  return told.states.length === 0 ? 'no row' : told.states.map(stateWord).join(', ');
}

export const effectWord = (state: EffectState): string =>
  ({ planned: 'waits', sending: 'being sent' })[state as string] ?? state;

export type Difference = Omit<
  Finding,
  'objectId' | 'currency' | 'replay' | 'filemakerValue' | 'recordedValue' | 'stripeValue'
> &
  Partial<Finding> & { class: FindingClass };

/** Money from before the beginning is told and left to people. */
export function actingFrom(
  { recoverFrom }: ComparisonRules,
  at: Date,
  replay: NonNullable<Finding['replay']>,
): Pick<Finding, 'replay' | 'beforeStart'> {
  return at < recoverFrom ? { replay: null, beforeStart: true } : { replay };
}

export const olderNote = ({ recoverFrom }: ComparisonRules, at: Date): string =>
  at < recoverFrom ? '; it is from before the bridge was to act, so a person decides' : '';

/** Done here: the log must have one row of it, and that one done. */
export function rowsOfDone(
  effect: EffectSide,
  filemaker: LogTold | undefined,
): Pick<Difference, 'class' | 'message'>[] {
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
