import type { StripeBooks } from '@bridge/test-services';
import type { BridgeStand } from './bridge-stand';

interface Line {
  amount_subtotal: number;
  amount_total: number;
  quantity: number;
}
interface Session {
  amount_total: number;
  currency: string;
  payment_intent: string | null;
  metadata: Record<string, string>;
  shipping_cost: { amount_subtotal: number } | null;
}
interface Payload {
  invoice_id: string;
  invoicetotal_cents: number;
  currency: string;
  checkout_session_id: string;
  payment_intent_id: string;
  items: { quantity: string; unit_price_cents: string }[];
  amounts: { total: number };
}

async function stripeGet<Answer>(stand: BridgeStand, path: string): Promise<Answer> {
  const answer = await fetch(`${stand.stripe.url}/v1/${path}`, {
    headers: { authorization: 'Bearer sk_test_simulator' },
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return (await answer.json()) as Answer;
}

/** Where a payload differs from the Session it speaks of, worked out from Stripe's own answers and not with our builder. */
async function differences(stand: BridgeStand, payload: Payload, invoiceId: string | null): Promise<string[]> {
  const session = await stripeGet<Session>(stand, `checkout/sessions/${payload.checkout_session_id}`);
  const lines = (
    await stripeGet<{ data: Line[] }>(stand, `checkout/sessions/${payload.checkout_session_id}/line_items?limit=100`)
  ).data;
  const wrong: string[] = [];
  const compare = (what: string, told: unknown, true_: unknown): void => {
    if (told !== true_)
      wrong.push(`${payload.checkout_session_id} ${what}: ${String(told)} instead of ${String(true_)}`);
  };
  compare('invoice', payload.invoice_id, invoiceId);
  compare('total', payload.invoicetotal_cents, session.amount_total);
  compare('amounts.total', payload.amounts.total, session.amount_total);
  compare('currency', payload.currency, session.currency);
  // Prices are before tax, and free shipping is no position.
  const shipping = session.shipping_cost?.amount_subtotal ?? 0;
  compare('items', payload.items.length, lines.length + (shipping === 0 ? 0 : 1));
  for (const [index, line] of lines.entries()) {
    const item = payload.items[index];
    compare(`quantity of line ${index}`, Number(item?.quantity), line.quantity);
    if (line.amount_subtotal % line.quantity === 0)
      compare(`unit price of line ${index}`, Number(item?.unit_price_cents), line.amount_subtotal / line.quantity);
  }
  if (shipping !== 0) compare('shipping', Number(payload.items.at(-1)?.unit_price_cents), shipping);
  return wrong;
}

/**
 * Compares the two simulators' books: every paid Session with an invoice is applied in FileMaker exactly once, nothing
 * else is, and every payload is right to the last minor unit. Empty when all is well.
 */
export async function disagreements(stand: BridgeStand): Promise<string[]> {
  const [filemaker, stripe] = [await stand.filemakerBooks(), await stand.stripeBooks()];
  const wrong: string[] = [];
  const paid = new Map(stripe.paidSessions.map((session) => [`invoice-paid:${session.sessionId}`, session]));
  for (const key of paid.keys())
    if ((filemaker.applied[key] ?? 0) !== 1) wrong.push(`${key} was applied ${filemaker.applied[key] ?? 0} times`);
  for (const key of Object.keys(filemaker.applied))
    if (!paid.has(key)) wrong.push(`${key} was applied without a payment`);
  if (filemaker.summary.overlaps > 0)
    wrong.push(`${filemaker.summary.overlaps} requests on a FileMaker session in use`);
  const byKey = Map.groupBy(filemaker.runs, (run) => run.key ?? '');
  for (const [key, runs] of byKey)
    if (new Set(runs.map((run) => run.sha256)).size > 1) wrong.push(`${key} was sent with different bytes`);
  for (const run of filemaker.runs.filter((one) => one.effectApplied)) {
    const session = paid.get(run.key ?? '');
    if (session !== undefined)
      wrong.push(...(await differences(stand, JSON.parse(run.payload) as Payload, session.invoiceId)));
  }
  return wrong;
}

/**
 * Answers that no webhook should have got. Of 503, after which Stripe sends again, one in twenty is let pass: PostgreSQL on
 * a machine at its limit may take longer than the ingress waits for it.
 */
export function wrongAnswers({ attempts, byAnswer }: StripeBooks['deliveries']): string[] {
  return Object.entries(byAnswer)
    .filter(([answer, count]) => answer !== '200' && !(answer === '503' && count <= attempts / 20))
    .map(([answer, count]) => `${count} times ${answer}`);
}
