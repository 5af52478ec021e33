import type { Chance } from './chance';

/** One thing that goes wrong. Seconds are real seconds; fractions are of the payments. */
export type Blow =
  /** FileMaker takes no connections, or its web tier answers 502. */
  | { readonly kind: 'filemaker-away'; readonly mode: 'refuse' | 'bad-gateway'; readonly seconds: number }
  /** FileMaker takes every call and never answers: with the work done (`after`) or not (`before`). */
  | { readonly kind: 'filemaker-hangs'; readonly when: 'before' | 'after'; readonly seconds: number }
  /** Our sessions are disconnected, and other users hold every place: logins are refused with 956. */
  | { readonly kind: 'filemaker-full'; readonly seconds: number }
  /** All tokens are void (952), scripts are cut off, and FileMaker is away for a while. */
  | { readonly kind: 'filemaker-restarts'; readonly awaySeconds: number }
  /** A person has some of the invoices open (301). Falls before the first payment when at `sold: 0`. */
  | { readonly kind: 'invoices-locked'; readonly fraction: number; readonly seconds: number }
  /** From now on the connection breaks at some script calls, before or after the script has committed. */
  | { readonly kind: 'answers-cut'; readonly when: 'before' | 'after'; readonly fraction: number }
  | { readonly kind: 'redis-flushed' }
  | { readonly kind: 'redis-away'; readonly seconds: number }
  /** PostgreSQL is ended, in order or as by a power cut, and started again. */
  | { readonly kind: 'postgres-restarts'; readonly how: 'stop' | 'kill'; readonly awaySeconds: number }
  /** kill -9 for the worker with most scripts in hand, which stand before or after their commit; a new one is started. */
  | { readonly kind: 'worker-killed'; readonly scriptsStand: 'before-commit' | 'after-commit' }
  /** Every app gets SIGTERM, each worker once its successor runs. */
  | { readonly kind: 'apps-replaced' }
  | { readonly kind: 'stripe-away'; readonly seconds: number }
  /** Sabotage, to show that a rehearsal can fail: the bridge forgets a payment, or is made to run one again. */
  | { readonly kind: 'payment-forgotten' }
  | { readonly kind: 'payment-run-again' };

/** A share of the payments: sold at Stripe, or applied in FileMaker. So a larger load meets the blow in the middle too. */
export type Moment = { readonly sold: number } | { readonly applied: number };

export interface TimedBlow {
  readonly at: Moment;
  readonly blow: Blow;
}

/**
 * What should hold beside the rule for all scenarios (nothing lost, nothing doubled, the cap kept, nothing parked).
 * A miss is told and does not fail the rehearsal, since a busy machine can cause it.
 */
export interface Expectations {
  /** From the end of an outage to the next script run. */
  readonly resumedWithinSeconds?: number;
  /** To FileMaker, during all its outages together. */
  readonly callsAtMost?: number;
  /** From the payment to its script run. */
  readonly worstDelaySeconds?: number;
  /** Scripts whose answer nobody heard. */
  readonly unheardAtMost?: number;
}

export interface Scenario {
  readonly name: string;
  /** What went wrong: the first half of a sentence, in the past tense. */
  readonly story: string;
  readonly load: { readonly payments: number; readonly overSeconds: number };
  /** Settings of the FileMaker simulator. */
  readonly filemaker?: Readonly<Record<string, unknown>>;
  /** How Stripe's simulator delivers its webhooks. */
  readonly delivery?: Readonly<Record<string, unknown>>;
  /** In the order in which they fall. */
  readonly blows: readonly TimedBlow[] | ((chance: Chance) => readonly TimedBlow[]);
  readonly expects?: Expectations;
  /** Sabotage: the right end of this one is a failure, and `all` leaves it out. */
  readonly mustFail?: true;
}

/** What a blow touches; a blow waits until an earlier one on the same parts is over. */
export function partsOf({ kind }: Blow): readonly string[] {
  switch (kind) {
    case 'redis-flushed':
    case 'redis-away':
      return ['redis'];
    case 'postgres-restarts':
      return ['postgres', 'workers'];
    case 'stripe-away':
      return ['stripe'];
    case 'worker-killed':
      return ['workers', 'filemaker', 'postgres', 'redis', 'stripe'];
    case 'apps-replaced':
      return ['workers', 'postgres', 'redis', 'stripe'];
    case 'payment-forgotten':
    case 'payment-run-again':
      return ['postgres', 'filemaker'];
    default:
      return ['filemaker'];
  }
}
