import type { Executor } from '@bridge/database';
import type { Finding } from '@bridge/flow';
import { knownSessions } from './ledger';
import type { InvoicesPeers, SessionSnapshot } from './ports';
import { readSessionFacts } from './session-facts';
import type { InvoicesSettings } from './settings';

/** Counted from the payment, not from the Session's birth. */
const LEAVE_TO_WEBHOOKS_MS = 10 * 60_000;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Listed Sessions carry their PaymentIntent and its charge inside. */
function unfoldListed(session: unknown): SessionSnapshot {
  const paymentIntent = isObject(session) && isObject(session.payment_intent) ? session.payment_intent : null;
  const charge = paymentIntent !== null && isObject(paymentIntent.latest_charge) ? paymentIntent.latest_charge : null;
  return { session, lineItems: [], products: {}, charge, paymentIntent };
}

/**
 * Pages through the Checkout Sessions that were born in the window and tells which paid ones our records lack. What is
 * found takes the same road as a webhook; its effect begins with a cross-check.
 */
export async function* reconcileInvoices(
  window: { since: Date; until: Date },
  context: { settings: InvoicesSettings; peers: InvoicesPeers; executor: Executor },
): AsyncIterable<Finding> {
  const { settings, peers, executor } = context;
  for await (const page of peers.stripe.listSessions(window)) {
    const paid = page
      .map((session) => readSessionFacts(unfoldListed(session), settings.invoiceIdKeys))
      .filter((facts) => facts.mode === 'payment' && facts.paid && facts.livemode === peers.livemode);
    const known = await knownSessions(
      executor,
      paid.map((facts) => facts.id),
    );
    for (const facts of paid) {
      if (known.has(facts.id)) continue;
      // The webhook of a payment is on its way for a while; found first, it would begin with a needless question.
      if (facts.paidAt !== undefined && facts.paidAt.getTime() > window.until.getTime() - LEAVE_TO_WEBHOOKS_MS)
        continue;
      yield {
        class: 'paid-not-recorded',
        objectId: facts.id,
        amount: facts.amountTotal,
        currency: facts.currency,
        message: 'A paid Checkout Session at Stripe is not in our records',
        replay: {
          eventId: `found.${facts.id}`,
          eventType: 'checkout.session.completed',
          object: { id: facts.id, object: 'checkout.session' },
          livemode: facts.livemode,
          createdAt: facts.createdAt,
        },
      };
    }
  }
}
