import Stripe from 'stripe';

const stripeUrl = new URL(process.env.STRIPE_URL ?? 'https://api.stripe.com');
const stripe = new Stripe(process.env.STRIPE_KEY ?? 'sk_test_unused', {
  host: stripeUrl.hostname,
  port: stripeUrl.port,
  protocol: stripeUrl.protocol === 'http:' ? 'http' : 'https',
});

/** The script's parameter for a Checkout Session, read at Stripe with its lines and its charge. */
export async function parameterOf(checkoutSessionId: string): Promise<string> {
  const session = await stripe.checkout.sessions.retrieve(checkoutSessionId, {
    expand: ['line_items', 'payment_intent.latest_charge'],
  });
  return JSON.stringify({
    idempotency_key: `invoice-paid:${session.id}`,
    invoice_id: session.metadata?.invoice_id,
    invoicetotal_cents: session.amount_total,
    items: session.line_items?.data.map(({ description, quantity }) => ({ name: description, quantity })),
  });
}
