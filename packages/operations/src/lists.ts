import type { Database } from '@bridge/database';
import {
  createEffectStore,
  createWaitingEffects,
  type EffectState,
  type EffectSummary,
  type LaneHold,
} from '@bridge/effects';
import { createInbox, type EventState, type EventSummary } from '@bridge/inbox';

export const EVENT_STATES: readonly EventState[] = ['received', 'processing', 'processed', 'ignored', 'parked'];
export const EFFECT_STATES: readonly EffectState[] = ['planned', 'sending', 'unknown', 'parked', 'done', 'cancelled'];
export const LIST_LIMIT_MAX = 1_000;

/** The newest first. */
export const listEvents = (
  database: Database,
  filter: { state?: EventState; limit: number },
): Promise<EventSummary[]> => createInbox(database).list(filter);

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
