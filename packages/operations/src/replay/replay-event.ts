import { type Executor, oneRow } from '@bridge/database';
import type { ShownPlan } from '@bridge/flow';
import { sql } from 'drizzle-orm';
import { type ReplayArgs, readReplayArgs } from './replay-plan';

// The event that an item becomes when it is sent, and the order that goes with it.

const PREFIX = 'replay';
/** The id of the event that an item becomes; nobody else makes such ids, and no item makes two. */
export const replayEventId = (item: { id: string; planId: string }): string => `${PREFIX}_${item.planId}_${item.id}`;
const itemOfEvent = (eventId: string): string | undefined => /^replay_\d{1,18}_(\d{1,18})$/.exec(eventId)?.[1];

/** Whether this is the id of an event of ours. */
export const isReplayEvent = (eventId: string): boolean => itemOfEvent(eventId) !== undefined;

export interface ReplayOrderRow {
  planId: string;
  args: ReplayArgs;
  shown: ShownPlan[];
}

/** The order behind an event, if it is one of ours; the road asks, for operators' events alone. */
export async function findReplayOrder(executor: Executor, eventId: string): Promise<ReplayOrderRow | undefined> {
  const itemId = itemOfEvent(eventId);
  if (itemId === undefined) return undefined;
  const row = await oneRow<{
    plan_id: string;
    args: unknown;
    shown: { key: string; digest: string }[];
    bodies: Record<string, string | null> | null;
  }>(
    executor,
    sql`select i.plan_id, p.args, i.shown, i.bodies from operations.replay_items i
        join operations.replay_plans p on p.id = i.plan_id
        where i.id = ${itemId} and i.acts = 'send' and 'replay_' || i.plan_id || '_' || i.id = ${eventId}`,
  );
  if (row === undefined) return undefined;
  return {
    planId: row.plan_id,
    args: readReplayArgs(row.args),
    shown: row.shown.map(({ key, digest }) => ({ key, digest, body: row.bodies?.[key] ?? null })),
  };
}
