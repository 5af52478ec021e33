import { type Job, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import Stripe from 'stripe';

/**
 * Two textbook ways of running a FileMaker script per job. `SESSIONS=per-job` logs in and out around every script;
 * `SESSIONS=cached` keeps the tokens of this process in an array. Neither knows what to do when an answer is lost.
 * A job holds the script's parameter, or names a Checkout Session that is first read at Stripe.
 */
const base = `${process.env.FILEMAKER_URL}/fmi/data/v2/databases/Shop`;
const cap = Number(process.env.CAP);
const cached = process.env.SESSIONS === 'cached';
const tokens: string[] = [];
const stripeUrl = new URL(process.env.STRIPE_URL ?? 'https://api.stripe.com');
const stripe = new Stripe(process.env.STRIPE_KEY ?? 'sk_test_unused', {
  host: stripeUrl.hostname,
  port: stripeUrl.port,
  protocol: stripeUrl.protocol === 'http:' ? 'http' : 'https',
});

async function call(method: string, path: string, authorization: string): Promise<Record<string, unknown>> {
  const answer = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json', authorization },
    ...(method === 'POST' ? { body: '{}' } : {}),
    signal: AbortSignal.timeout(60_000),
  });
  const json = (await answer.json()) as { response: Record<string, unknown>; messages: { code: string }[] };
  if (json.messages[0]?.code !== '0') throw new Error(`FileMaker ${json.messages[0]?.code}`);
  return json.response;
}

async function logIn(): Promise<string> {
  const basic = Buffer.from('bridge:bridge').toString('base64');
  return String((await call('POST', '/sessions', `Basic ${basic}`)).token);
}

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
  const query = `script.param=${encodeURIComponent(parameter)}`;
  await call('GET', `/layouts/web_invoices/script/STRIPE_PAYMENTLINK_SUCCESS?${query}`, `Bearer ${token}`);
  if (cached) tokens.push(token);
  else await call('DELETE', `/sessions/${token}`, `Bearer ${token}`);
}

const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null });
const worker = new Worker(process.env.QUEUE ?? '', run, { connection, concurrency: cap });
worker.on('error', (error) => console.error(error.message));
void worker.waitUntilReady().then(() => console.log(JSON.stringify({ listening: 0 })));
process.on('SIGTERM', () => process.exit(0));
