import type { Database } from '@bridge/database';
import {
  createEffectStore,
  createWaitingEffects,
  type EffectState,
  type EffectSummary,
  type LaneHold,
} from '@bridge/effects';
import {
  createInbox,
  type EventFilter,
  type EventSource,
  type EventState,
  type EventSummary,
  type Rejection,
} from '@bridge/inbox';

/** What `--state` of events takes, in the order of an event's life. */
export const EVENT_STATES: readonly EventState[] = ['received', 'processing', 'processed', 'ignored', 'parked'];
/** What `--state` of effects takes, in the order of an effect's life. */
export const EFFECT_STATES: readonly EffectState[] = ['planned', 'sending', 'unknown', 'parked', 'done', 'cancelled'];
/** Rows of one page, at most. */
export const LIST_LIMIT_MAX = 1_000;

/** How an event can have come here. */
export const EVENT_SOURCES: readonly EventSource[] = ['webhook', 'pull', 'operator', 'reconciliation'];

/** One page of a list; `next` is the cursor of the page behind it, null when this is the last. */
export interface Page<Row> {
  rows: Row[];
  next: string | null;
}

const pageOf = <Row extends { id: string }>(rows: Row[], limit: number): Page<Row> => ({
  rows: rows.slice(0, limit),
  next: rows.length > limit ? (rows[limit - 1]?.id ?? null) : null,
});

/** What arrived and fits the filter, the newest first. */
export const listEvents = async (database: Database, filter: EventFilter): Promise<Page<EventSummary>> =>
  pageOf(await createInbox(database).list({ ...filter, limit: filter.limit + 1 }), filter.limit);

/** Requests that were refused at the door, the newest first. */
export const listRejections = async (
  database: Database,
  filter: { before?: string; limit: number },
): Promise<Page<Rejection>> =>
  pageOf(await createInbox(database).rejections({ ...filter, limit: filter.limit + 1 }), filter.limit);

/** An effect of the list; `hold` when it keeps its lane waiting for a locked record or an answer. */
export type ListedEffect = EffectSummary & { hold: LaneHold | null };

/** The newest first. */
export async function listEffects(
  database: Database,
  filter: { state?: EffectState; limit: number },
): Promise<ListedEffect[]> {
  const effects = await createEffectStore(database).list(filter);
  const waiting = effects.filter(({ state }) => state === 'planned' || state === 'unknown').map(({ id }) => id);
  const holds = await createWaitingEffects(database).holds({ ids: waiting, forMs: 0, limit: filter.limit });
  const holdOf = new Map(holds.map((hold) => [hold.id, hold]));
  return effects.map((effect) => ({ ...effect, hold: holdOf.get(effect.id) ?? null }));
}
