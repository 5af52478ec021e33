import type { HeldBack } from '@bridge/effects';
import type { PeerFailure } from '@bridge/flow';
import { UnreadableSessionError } from '@bridge/flows';
import type { Gates } from '@bridge/gates';
import { StripeCallError } from '@bridge/stripe-client';

const BUSY_MS = 2_000;
const STANDSTILL_MS = 1_000;

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
  if (code !== 'STRIPE_RATE_LIMITED') await gates.openCircuit('stripe', message);
  return { kind: 'wait', afterMs: code === 'STRIPE_RATE_LIMITED' ? BUSY_MS : STANDSTILL_MS, code, message };
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
