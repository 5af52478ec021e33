import type { Database } from '@bridge/database';
import { createEffectLife, type EffectLife } from './effect-life';
import { createEffectSummaries, type EffectSummaries } from './effect-summaries';
import { createEffectSweep, type EffectSweep } from './effect-sweep';
import { eraseBodies } from './forget-bodies';
import { createParkedEffects, type ParkedEffects } from './parked-effects';

/** The effects of one database: their life, what the sweep needs, a person's word, and what people see. */
export interface EffectStore extends EffectLife, EffectSweep, ParkedEffects, EffectSummaries {
  /**
   * Erases the bodies and the peer's answers of effects that were settled before `before`, going on behind the row `after`.
   * Keeps the bodies' SHA-256, and who decided where a person did. Returns how many, and the last row that was looked at: undefined when there are no more.
   */
  eraseBodies(batch: { before: Date; after: string; limit: number }): Promise<{ erased: number; last?: string }>;
}

/** Needs the migrations of `claims` and `effects`. What PostgreSQL refuses or does not answer rejects as its error. */
export function createEffectStore(database: Database): EffectStore {
  return {
    ...createEffectLife(database),
    ...createEffectSweep(database),
    ...createParkedEffects(database),
    ...createEffectSummaries(database),
    eraseBodies: (batch) => eraseBodies(database, batch),
  };
}
