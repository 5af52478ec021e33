import type { Finding, ReconcilePage } from '@bridge/flow';
import type { SessionSnapshot } from '../ports';
import { CLASSES } from './books';
import { compareMadePage } from './compare-made';
import { type ComparedPage, comparePage, type PageContext } from './compare-page';
import { reversalNotAtStripe } from './compare-reversals';
import { notAtStripe } from './compare-session';
import { type Place, readPayments, readReversals } from './read-recorded';

/** Of ours that are retrieved one by one, between two places to go on from. */
export const SINGLE_PAGE = 20;

export const asPage = (
  { checked, unasked, findings, compared }: ComparedPage,
  rest: { listed: number; cursor: unknown; share: number },
): ReconcilePage => ({ checked, unasked, findings, compared, ...rest });

/** Sessions of ours, asked for by their ids: those that Stripe does not know are findings, the others are compared. */
export async function compareSingly(places: readonly Pick<Place, 'id'>[], context: PageContext): Promise<ComparedPage> {
  const snapshots: SessionSnapshot[] = [];
  const unknown: string[] = [];
  for (const { id } of places) {
    const snapshot = await context.recovery.findSession(id);
    if (snapshot === undefined) unknown.push(id);
    else snapshots.push(snapshot);
  }
  const page = await comparePage(snapshots, context);
  const payments = await readPayments(context.executor, unknown);
  const missing: Finding[] = [...payments.values()].map(notAtStripe);
  return {
    ...page,
    checked: page.checked + unknown.length,
    findings: [...page.findings, ...missing],
    // A Session that Stripe does not know can be compared with nothing else.
    compared: [...page.compared, { objectIds: unknown, classes: CLASSES }],
  };
}

/** A refund or dispute that is asked for by its id. */
export interface ReversalId {
  kind: 'refund' | 'dispute';
  id: string;
}

async function compareOfKind(
  kind: ReversalId['kind'],
  ids: readonly string[],
  context: PageContext,
): Promise<ComparedPage> {
  const found: unknown[] = [];
  const unknown: string[] = [];
  for (const id of ids) {
    const object = await context.recovery.findReversal(kind, id);
    if (object === undefined) unknown.push(id);
    else found.push(object);
  }
  const page = await compareMadePage(kind, found, context);
  const inHand = await context.inHand(unknown);
  const { reversals } = await readReversals(context.executor, { ids: unknown, paymentIntentIds: [] });
  const judged = unknown.filter((id) => !inHand.has(id) && reversals.get(id)?.fresh !== true);
  return {
    checked: page.checked + judged.length,
    unasked: page.unasked,
    findings: [...page.findings, ...judged.flatMap((id) => reversals.get(id) ?? []).map(reversalNotAtStripe)],
    compared: [...page.compared, { objectIds: judged, classes: CLASSES }],
  };
}

export const NOTHING: ComparedPage = { checked: 0, unasked: 0, findings: [], compared: [] };

/** Two looks at different objects as one page. */
export const together = (one: ComparedPage, other: ComparedPage): ComparedPage => ({
  checked: one.checked + other.checked,
  unasked: one.unasked + other.unasked,
  findings: [...one.findings, ...other.findings],
  compared: [...one.compared, ...other.compared],
});

/**
 * Refunds and disputes by their ids: those of ours that Stripe does not know are findings, the others are compared. One of ours
 * that was written a moment ago, or of which an event is in hand, is left alone.
 */
export async function compareReversalsSingly(
  wanted: readonly ReversalId[],
  context: PageContext,
): Promise<ComparedPage> {
  let page = NOTHING;
  for (const kind of ['refund', 'dispute'] as const) {
    const ids = wanted.filter((one) => one.kind === kind).map(({ id }) => id);
    if (ids.length > 0) page = together(page, await compareOfKind(kind, ids, context));
  }
  return page;
}

/**
 * Sessions of payments that our records do not have, found by their PaymentIntents. Money from before recovery's beginning is
 * not missed in our records: only what befell it since is told.
 */
export async function compareStrangers(
  paymentIntentIds: readonly string[],
  context: PageContext,
): Promise<{ page: ComparedPage; sessions: number }> {
  const ids: string[] = [];
  for (const paymentIntentId of paymentIntentIds) {
    const id = await context.recovery.findSessionOfPaymentIntent(paymentIntentId);
    if (id !== undefined && !ids.includes(id)) ids.push(id);
  }
  const page = await compareSingly(
    ids.map((id) => ({ id })),
    context,
  );
  const older = new Set(
    page.findings
      .filter((finding) => finding.class === 'paid-not-recorded' && finding.beforeStart === true)
      .map(({ objectId }) => objectId),
  );
  return {
    sessions: ids.length,
    page: {
      ...page,
      findings: page.findings.filter(({ objectId }) => !older.has(objectId)),
      compared: page.compared.map((one) => ({ ...one, objectIds: one.objectIds.filter((id) => !older.has(id)) })),
    },
  };
}
