import type { Database, Executor } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import type { Inbox } from '@bridge/inbox';
import { auditedTransaction } from '../audit/audit';
import { mayGoOn, whyAlone } from '../resolve/resolve-effect';
import { lockEffect } from '../tables/read-engine-tables';
import { replayEventId } from './replay-event';
import { markSent, type ReplayWork, settleItem } from './replay-items';
import type { ReplayPlan } from './replay-plan';

/** What wants a job now; undefined: it was skipped, or another process has sent it. */
export type SentItem = { kind: 'event'; id: string; eventId: string } | { kind: 'effect'; id: string };

/**
 * Sends one payment of a plan, once: that it was sent and its inbox row, or the release of its effect, are one commit.
 * What an event then leads to is held against what was shown by the road (`orderOf`).
 */
export function sendReplayItem(
  parts: { database: Database; inbox: Inbox },
  plan: ReplayPlan,
  item: ReplayWork,
): Promise<SentItem | undefined> {
  return item.acts === 'release' ? releaseEffect(parts.database, plan, item) : recordEvent(parts, plan, item);
}

/** What a person changes about a payment that stands; its effect's history tells who and why. */
const CORRECTS: ReadonlySet<ReplayWork['verdict']> = new Set(['changes-invoice', 'by-hand']);

function recordEvent(
  { database, inbox }: { database: Database; inbox: Inbox },
  plan: ReplayPlan,
  item: ReplayWork,
): Promise<SentItem | undefined> {
  const eventId = replayEventId(item);
  const body = {
    id: eventId,
    object: 'event',
    type: item.eventType,
    livemode: item.livemode,
    data: { object: item.object },
  };
  const record = async (tx: Executor): Promise<SentItem | undefined> => {
    if (!(await markSent(tx, item.id))) return undefined;
    const [stored] = await inbox.record(
      [
        {
          source: 'operator',
          peer: 'bridge',
          eventId,
          eventType: item.eventType,
          account: null,
          livemode: item.livemode,
          apiVersion: null,
          objectId: item.objectId,
          eventCreatedAt: item.createdAt,
          body: Buffer.from(JSON.stringify(body), 'utf8'),
          ignoredBecause: null,
        },
      ],
      tx,
    );
    return stored === undefined ? undefined : { kind: 'event', id: stored.id, eventId };
  };
  if (!CORRECTS.has(item.verdict) || item.effectId === null) return database.transaction(record);
  return auditedTransaction(
    database,
    { who: plan.askedBy, action: 'effect.correct', object: `effect:${item.effectId}`, why: plan.why },
    record,
    (sent) =>
      sent === undefined
        ? { outcome: 'refused', detail: 'SENT_BEFORE' }
        : {
            outcome: 'done',
            detail: `${item.verdict}: invoice ${item.invoiceId ?? '?'}, ordered by replay ${plan.id}`,
          },
  );
}

type Release = SentItem | 'changed since' | 'sent before' | { kind: 'refused'; code: string; reason: string };

/** As `./bridge effects resolve --as again`, under the rules for a button pressed without a look at the single case. */
async function releaseEffect(database: Database, plan: ReplayPlan, item: ReplayWork): Promise<SentItem | undefined> {
  const { effectId, restsOn } = item;
  if (effectId === null || restsOn === null) throw new Error(`Item ${item.id} names no effect to release`);
  const released = await auditedTransaction<Release>(
    database,
    {
      who: plan.sentBy ?? plan.askedBy,
      action: 'effect.resolve',
      object: `effect:${effectId}`,
      why: plan.sendWhy ?? plan.why,
    },
    async (tx) => {
      const effect = await lockEffect(tx, effectId);
      const same =
        effect !== undefined &&
        effect.state === restsOn.state &&
        effect.attempts === restsOn.attempts &&
        effect.reasonCode === restsOn.reasonCode;
      if (!(await markSent(tx, item.id))) return 'sent before';
      if (!same) return 'changed since';
      const checked = mayGoOn(effect, whyAlone);
      if ('code' in checked) return checked;
      await createEffectStore(database).releaseParked(effectId, checked, tx);
      return { kind: 'effect', id: effectId };
    },
    (value) => {
      if (value === 'changed since') return { outcome: 'refused', detail: 'CHANGED_SINCE' };
      if (value === 'sent before') return { outcome: 'refused', detail: 'SENT_BEFORE' };
      return value.kind === 'refused'
        ? { outcome: 'refused', detail: value.code }
        : { outcome: 'done', detail: `again, by replay ${plan.id}` };
    },
  );
  if (released === 'sent before') return undefined;
  if (released === 'changed since') {
    await settleItem(database.executor, item.id, {
      outcome: 'changed-since',
      code: 'CHANGED_SINCE',
      reason: 'Its effect does not stand any more as it was shown',
    });
    return undefined;
  }
  if (released.kind === 'refused') {
    await settleItem(database.executor, item.id, {
      outcome: 'not-sent',
      code: released.code,
      reason: released.reason,
    });
    return undefined;
  }
  return released;
}
