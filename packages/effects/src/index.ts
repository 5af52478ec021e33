import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export type {
  ClaimedEffect,
  CrossCheck,
  EffectOrigin,
  EffectPlan,
  EffectState,
  EffectSubject,
  HeldBack,
  Outcome,
  Performer,
  PreparedSending,
} from './effect';
export {
  createEffectEngine,
  type EffectEngine,
  type EffectEngineOptions,
  RECHECK_AFTER_MS,
  REFUSALS_MAX,
  type TurnEnding,
} from './effect-engine';
export {
  createEffectStore,
  type DueEffect,
  EffectClaimLostError,
  type EffectClaimResult,
  type EffectStore,
  type EffectSummary,
} from './effect-store';

export const effectsMigrations: MigrationSource = { owner: 'effects', directory: join(__dirname, '../migrations') };
