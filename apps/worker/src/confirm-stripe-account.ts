import type { Database } from '@bridge/database';
import type { Gates } from '@bridge/gates';
import { confirmPeer, fingerprint, OtherPeerError } from '@bridge/installation';
import { StripeCallError, type StripeClient } from '@bridge/stripe-client';

export interface StripeAccountOptions {
  stripe: Pick<StripeClient, 'retrieveAccount'>;
  database: Database;
  gates: Gates;
  worker: string;
  livemode: boolean;
}

/** `untold`: the key may not read its own account, so that nothing can be compared. */
async function compare({ stripe, database, livemode }: StripeAccountOptions): Promise<'confirmed' | 'untold'> {
  let account: { id: string };
  try {
    account = await stripe.retrieveAccount();
  } catch (error) {
    const refused = error instanceof StripeCallError && error.stage === 'refused';
    if (refused && error.code !== 'STRIPE_KEY_REFUSED' && error.action !== 'wait') return 'untold';
    throw error;
  }
  await confirmPeer(database, 'stripe', fingerprint(account.id, livemode ? 'live' : 'test'));
  return 'confirmed';
}

/**
 * At the start: another account than the one this database belongs to ends the process (OtherPeerError). A Stripe that is
 * away does not: the circuit opens, and its probe compares before any work goes on.
 */
export async function confirmStripeAtStart(options: StripeAccountOptions): Promise<'confirmed' | 'untold' | 'away'> {
  try {
    return await compare(options);
  } catch (error) {
    if (!(error instanceof StripeCallError)) throw error;
    if (error.action === 'halt') await options.gates.halt('stripe', error.code, error.message, options.worker);
    else await options.gates.openCircuit('stripe', error.message);
    return 'away';
  }
}

/** The question of the circuit's probe: rejects while Stripe is away, and halts when another account answers. */
export async function confirmReturnedStripe(options: StripeAccountOptions): Promise<void> {
  try {
    await compare(options);
  } catch (error) {
    if (error instanceof OtherPeerError) await options.gates.halt('stripe', error.code, error.message, options.worker);
    throw error;
  }
}
