import { type Job, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import Stripe from 'stripe';
import { logIn, logOut, runScript } from './data-api';

/**
 * Two textbook ways of running a FileMaker script per job. `SESSIONS=per-job` logs in and out around every script;
 * `SESSIONS=cached` keeps the tokens of this process in an array. Neither knows what to do when an answer is lost.
 * A job holds the script's parameter, or names a Checkout Session that is first read at Stripe.
 */
const cap = Number(process.env.CAP);
const cached = process.env.SESSIONS === 'cached';
const tokens: string[] = [];
const stripeUrl = new URL(process.env.STRIPE_URL ?? 'https://api.stripe.com');
const stripe = new Stripe(process.env.STRIPE_KEY ?? 'sk_test_unused', {
  host: stripeUrl.hostname,
  port: stripeUrl.port,
  protocol: stripeUrl.protocol === 'http:' ? 'http' : 'https',
});

async function parameterOf(checkoutSessionId: string): Promise<string> {
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

async function run(job: Job<{ parameter: string } | { objectId: string }>): Promise<void> {
  const parameter = 'parameter' in job.data ? job.data.parameter : await parameterOf(job.data.objectId);
  const token = tokens.pop() ?? (await logIn());
  await runScript(token, parameter);
  if (cached) tokens.push(token);
  else await logOut(token);
}

const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null });
const worker = new Worker(process.env.QUEUE ?? '', run, { connection, concurrency: cap });
worker.on('error', (error) => console.error(error.message));
void worker.waitUntilReady().then(() => console.log(JSON.stringify({ listening: 0 })));
process.on('SIGTERM', () => process.exit(0));
