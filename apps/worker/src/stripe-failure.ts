import type { HeldBack } from '@bridge/effects';
import type { PeerFailure } from '@bridge/flow';
import { UnreadableSessionError } from '@bridge/flows';
import type { Gates } from '@bridge/gates';
import { StripeCallError } from '@bridge/stripe-client';

const BUSY_MS = 2_000;
/** Stripe may ask for a longer pause than we believe in. */
const BUSY_MS_MAX = 60_000;
const STANDSTILL_MS = 1_000;
/** Stripe itself is in trouble; a 429 or a 409 is about us or about one object. */
const AWAY: ReadonlySet<string> = new Set(['STRIPE_UNAVAILABLE', 'STRIPE_TIMEOUT', 'STRIPE_ANSWER_UNREADABLE']);

/**
 * What a failed question to Stripe means: 404 and the like park the event, a Stripe that is busy or away is waited for
 * behind a circuit that all processes share, and a refused key halts until a person has put it right.
 * Undefined: not Stripe's doing.
 */
export async function judgeStripeFailure(
  gates: Gates,
  worker: string,
  error: unknown,
): Promise<PeerFailure | undefined> {
  if (error instanceof UnreadableSessionError) return { kind: 'park', code: error.code, message: error.message };
  if (!(error instanceof StripeCallError)) return undefined;
  const { action, code, message } = error;
  if (action === 'park') return { kind: 'park', code, message };
  if (action === 'halt') {
    await gates.halt('stripe', code, message, worker);
    return { kind: 'wait', afterMs: STANDSTILL_MS, code, message };
  }
  if (!AWAY.has(code)) {
    const afterMs = Math.min(BUSY_MS_MAX, Math.max(BUSY_MS, error.retryAfterMs ?? 0));
    return { kind: 'wait', afterMs, code, message };
  }
  await gates.openCircuit('stripe', message);
  return { kind: 'wait', afterMs: STANDSTILL_MS, code, message };
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
  gates: Gates,
  worker: string,
): (chargeId: string) => Promise<{ kind: 'fine' } | HeldBack> {
  return async (chargeId) => {
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
      const failure = await judgeStripeFailure(gates, worker, error);
      if (failure === undefined) throw error;
      return failure;
    }
  };
}
