import type { Database } from '@bridge/database';
import { createEffectStore, type EffectState, type EffectSummary } from '@bridge/effects';
import { createInbox, type EventState, type EventSummary } from '@bridge/inbox';

export const EVENT_STATES: readonly EventState[] = ['received', 'processing', 'processed', 'ignored', 'parked'];
export const EFFECT_STATES: readonly EffectState[] = ['planned', 'sending', 'unknown', 'parked', 'done', 'cancelled'];
export const LIST_LIMIT_MAX = 1_000;

/** The newest first. */
export const listEvents = (
  database: Database,
  filter: { state?: EventState; limit: number },
): Promise<EventSummary[]> => createInbox(database).list(filter);

/** The newest first. */
export const listEffects = (
  database: Database,
  filter: { state?: EffectState; limit: number },
): Promise<EffectSummary[]> => createEffectStore(database).list(filter);
