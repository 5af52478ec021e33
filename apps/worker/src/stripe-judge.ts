import type { HeldBack } from '@bridge/effects';
import type { PeerFailure } from '@bridge/flow';
import { UnreadableSessionError } from '@bridge/flows';
import type { Gates } from '@bridge/gates';
import { StripeCallError } from '@bridge/stripe-client';

const BUSY_MS = 2_000;
/** Stripe may ask for a longer pause than we believe in. */
const BUSY_MS_MAX = 60_000;
const STANDSTILL_MS = 1_000;
/** One object that Stripe cannot serve, while it serves others: first and longest wait. */
const OBJECT_MS = 2_000;
const OBJECT_MS_MAX = 60_000;
/** An object that has not failed for so long begins anew. */
const FORGET_AFTER_MS = 10 * OBJECT_MS_MAX;
const OBJECTS_MAX = 1_000;
/** How old the word that Stripe answers may be: many questions that fail at once need one answer. */
const ANSWERS_FOR_MS = 1_000;
/** Stripe itself may be in trouble; a 429 or a 409 is about us or about one object. */
const AWAY: ReadonlySet<string> = new Set(['STRIPE_UNAVAILABLE', 'STRIPE_TIMEOUT', 'STRIPE_ANSWER_UNREADABLE']);

/** For people who never read of our codes; the error's own words, for Stripe's support, stand behind it. */
const PARKED_BECAUSE: Partial<Record<StripeCallError['code'], string>> = {
  STRIPE_NOT_FOUND: 'Stripe has no such object any more, or not in this mode',
  STRIPE_REQUEST_INVALID: 'Stripe refuses to tell of this object',
  STRIPE_ANSWER_UNEXPECTED: 'Stripe answers with something else than this object',
};

export interface StripeJudgeOptions {
  gates: Pick<Gates, 'halt' | 'openCircuit'>;
  worker: string;
  /** The circuit's own probe: asks something else, rejects while Stripe is away. Must end within a bounded time. */
  probe(): Promise<void>;
  /** Monotonic, ms. */
  now?: () => number;
}

/** `about`: the event, charge or run that asked, so that one which keeps failing is waited for alone. */
export type StripeJudge = (error: unknown, about: string) => Promise<PeerFailure | undefined>;

/**
 * What a failed question to Stripe means: 404 and the like park the event, a Stripe that is away is waited for behind a
 * circuit that all processes share, and a refused key halts until a person has put it right. A 5xx or a silence may come
 * from Stripe or from one object that it cannot serve; so something else is asked first, and where that is answered the
 * object waits alone, ever longer. Undefined: not Stripe's doing.
 */
export function createStripeJudge(options: StripeJudgeOptions): StripeJudge {
  const { gates, worker } = options;
  const now = options.now ?? (() => performance.now());
  const failing = new Map<string, { times: number; lastAt: number }>();
  let answering: { since: number; word: Promise<boolean> } | undefined;

  function stripeAnswers(): Promise<boolean> {
    if (answering !== undefined && now() - answering.since < ANSWERS_FOR_MS) return answering.word;
    const word = options.probe().then(
      () => true,
      () => false,
    );
    const asked = { since: now(), word };
    answering = asked;
    // "It is away" is believed by those who wait for this very answer only: the circuit's probe decides about later.
    return word.then((answers) => {
      if (!answers && answering === asked) answering = undefined;
      return answers;
    });
  }

  function waitForObject(about: string): number {
    const at = now();
    const known = failing.get(about);
    const times = known === undefined || at - known.lastAt > FORGET_AFTER_MS ? 1 : known.times + 1;
    failing.delete(about);
    failing.set(about, { times, lastAt: at });
    // The one that failed longest ago stands first.
    const [oldest] = failing.keys();
    if (failing.size > OBJECTS_MAX && oldest !== undefined) failing.delete(oldest);
    return Math.min(OBJECT_MS_MAX, OBJECT_MS * 2 ** Math.min(times - 1, 20));
  }

  return async (error, about) => {
    if (error instanceof UnreadableSessionError) return { kind: 'park', code: error.code, message: error.message };
    if (!(error instanceof StripeCallError)) return undefined;
    const { action, code, message } = error;
    if (action === 'park')
      return { kind: 'park', code, message: `${PARKED_BECAUSE[code] ?? 'Stripe refuses'}: ${message}` };
    if (action === 'halt') {
      await gates.halt('stripe', code, message, worker);
      return { kind: 'wait', afterMs: STANDSTILL_MS, code, message };
    }
    const asked = Math.min(BUSY_MS_MAX, error.retryAfterMs ?? 0);
    if (!AWAY.has(code)) return { kind: 'wait', afterMs: Math.max(BUSY_MS, asked), code, message };
    // Without a connection there is nothing to ask.
    if (error.stage !== 'not-sent' && (await stripeAnswers()))
      return { kind: 'wait', afterMs: Math.max(asked, waitForObject(about)), code, message };
    await gates.openCircuit('stripe', message);
    return { kind: 'wait', afterMs: STANDSTILL_MS, code, message };
  };
}

/** Stripe is back when it answers at all: a restricted key may be refused this very question. */
export async function probeStripe(ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    if (!(error instanceof StripeCallError && error.stage === 'refused')) throw error;
  }
}

/** Whether the money of a payment is still there. */
export function createChargeRecheck(
  retrieveCharge: (id: string) => Promise<unknown>,
  judge: StripeJudge,
  /** What keeps Stripe closed now: nobody asks it then. */
  closed: () => Promise<{ cause: string; detail: string; afterMs: number } | undefined>,
): (chargeId: string) => Promise<{ kind: 'fine' } | HeldBack> {
  return async (chargeId) => {
    const closure = await closed();
    if (closure !== undefined)
      return { kind: 'wait', afterMs: closure.afterMs, code: closure.cause, message: closure.detail };
    try {
      const charge = (await retrieveCharge(chargeId)) as { amount_refunded?: unknown; disputed?: unknown };
      if (charge.disputed === true)
        return {
          kind: 'park',
          code: 'payment-disputed',
          message: 'The payment was disputed before its script could run',
        };
      if (typeof charge.amount_refunded === 'number' && charge.amount_refunded > 0) {
        return {
          kind: 'park',
          code: 'payment-refunded',
          message: 'The payment was refunded before its script could run',
        };
      }
      return { kind: 'fine' };
    } catch (error) {
      const failure = await judge(error, chargeId);
      if (failure === undefined) throw error;
      return failure;
    }
  };
}
