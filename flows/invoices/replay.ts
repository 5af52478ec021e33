import type { ReplayEvent, ReplayHalf, ReplayPage } from '@bridge/flow';
import type { InvoicesPeers, SessionSnapshot } from './ports';
import { invoicesRecords } from './records';
import { readSessionFacts, UnreadableSessionError } from './session-facts';
import type { InvoicesSettings } from './settings';

/** A Checkout Session lives 24 h at most before it is paid; two more for what was late. */
const LIFE_OF_SESSION_MS = 26 * 3_600_000;
/** Ids at Stripe that name nothing an invoice is paid by; anything without a prefix of Stripe's is an invoice number. */
const OTHER_STRIPE_ID = /^(acct|cus|evt|in|plink|pm|price|prod|seti|sub|txn)_/;

type Context = Parameters<ReplayHalf<InvoicesSettings, InvoicesPeers>['find']>[1];

/** Where reading goes on: Stripe's list runs backwards from `until`, our records forwards from `since`. ISO 8601. */
type Cursor = { at: 'stripe'; until: string } | { at: 'records'; since: string };

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** What the webhook of a paid Session would have said. */
function sessionEvent(sessionId: string, livemode: boolean, createdAt: Date | null = null): ReplayEvent {
  return {
    objectId: sessionId,
    eventType: 'checkout.session.completed',
    object: { id: sessionId, object: 'checkout.session' },
    livemode,
    createdAt,
  };
}

const reversalEvent = (
  id: string,
  object: 'refund' | 'dispute',
  eventType: string,
  livemode: boolean,
): ReplayEvent => ({
  objectId: id,
  eventType,
  object: { id, object },
  livemode,
  createdAt: null,
});

async function find(word: string, context: Context): Promise<readonly ReplayEvent[] | undefined> {
  const { peers, records } = context;
  const { livemode, stripe } = peers;
  if (/^cs_/.test(word)) return [sessionEvent(word, livemode)];
  if (/^(re|pyr)_/.test(word)) return [reversalEvent(word, 'refund', 'refund.updated', livemode)];
  if (/^(dp|du)_/.test(word)) return [reversalEvent(word, 'dispute', 'charge.dispute.updated', livemode)];
  if (OTHER_STRIPE_ID.test(word)) return undefined;
  const known = await invoicesRecords.find(records, word);
  if (known.length > 0) return known.map((fact) => sessionEvent(fact.id, fact.livemode));
  // Stripe cannot be asked for an invoice number of the company's own.
  const sessionId = /^pi_/.test(word)
    ? await stripe.findSessionOfPaymentIntent(word)
    : /^(ch|py)_/.test(word)
      ? await stripe.findSessionOfCharge(word)
      : undefined;
  return sessionId === undefined ? [] : [sessionEvent(sessionId, livemode)];
}

/** Listed Sessions carry their PaymentIntent and its charge inside. */
function unfolded(session: unknown): SessionSnapshot {
  const paymentIntent = isObject(session) && isObject(session.payment_intent) ? session.payment_intent : null;
  const charge = paymentIntent !== null && isObject(paymentIntent.latest_charge) ? paymentIntent.latest_charge : null;
  return { session, lineItems: [], products: {}, charge, paymentIntent };
}

/** The event of a listed Session whose money succeeded in the window; one that cannot be read is looked at by itself. */
function eventOfListed(
  listed: unknown,
  window: { since: Date; until: Date },
  { settings, peers }: { settings: InvoicesSettings; peers: InvoicesPeers },
): ReplayEvent | undefined {
  const snapshot = unfolded(listed);
  try {
    const facts = readSessionFacts(snapshot, settings.invoiceIdKeys);
    const succeededAt = facts.paidAt ?? facts.createdAt;
    const ours = facts.mode === 'payment' && facts.paid && facts.livemode === peers.livemode;
    if (!ours || succeededAt < window.since || succeededAt >= window.until) return undefined;
    return sessionEvent(facts.id, facts.livemode, facts.createdAt);
  } catch (error) {
    if (!(error instanceof UnreadableSessionError)) throw error;
    const id = isObject(listed) && typeof listed.id === 'string' ? listed.id : undefined;
    return id === undefined ? undefined : sessionEvent(id, peers.livemode);
  }
}

function createdOf(listed: unknown): number | undefined {
  return isObject(listed) && typeof listed.created === 'number' ? listed.created : undefined;
}

/** What Stripe lists and we may lack first, then what we hold, so that nothing is missed of which one side knows. */
async function* succeededBetween(
  window: { since: Date; until: Date },
  context: Context & { cursor: unknown },
): AsyncIterable<ReplayPage> {
  const { peers, records } = context;
  const begun = context.cursor as Cursor | undefined;
  if (begun === undefined || begun.at === 'stripe') {
    const since = new Date(window.since.getTime() - LIFE_OF_SESSION_MS);
    // Stripe's list knows whole seconds, and the window may end within one.
    const end = Math.ceil(window.until.getTime() / 1_000) * 1_000;
    const until = new Date(begun === undefined ? end : begun.until);
    let oldest = until.getTime() / 1_000;
    // Recovery's own reads stand behind live work.
    const { listSessions } = peers.recovery ?? peers.stripe;
    for await (const page of listSessions({ since, until })) {
      const events = page.flatMap((listed) => eventOfListed(listed, window, context) ?? []);
      oldest = Math.min(oldest, ...page.flatMap((listed) => createdOf(listed) ?? []));
      // Others of the same second may stand on the next page: that second is read again.
      const goesOn: Cursor = { at: 'stripe', until: new Date((Math.floor(oldest) + 1) * 1_000).toISOString() };
      yield { events, cursor: goesOn };
    }
  }
  const since = begun?.at === 'records' ? new Date(begun.since) : window.since;
  yield { events: [], cursor: { at: 'records', since: since.toISOString() } satisfies Cursor };
  for await (const page of invoicesRecords.succeededBetween(records, { since, until: window.until })) {
    const last = page.at(-1)?.succeededAt ?? since;
    const events = page.map((fact) => sessionEvent(fact.id, fact.livemode));
    yield { events, cursor: { at: 'records', since: last.toISOString() } satisfies Cursor };
  }
}

/** How a person's word becomes the event of a payment again. */
export const invoicesReplay: ReplayHalf<InvoicesSettings, InvoicesPeers> = {
  // Stripe makes the receipt's address anew at each reading, with another expiry inside.
  volatile: ['receipt_url'],
  find,
  succeededBetween,
};
