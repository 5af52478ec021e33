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
  type AttemptSummary,
  createEffectReader,
  createEffectStore,
  type DueEffect,
  EffectClaimLostError,
  type EffectClaimResult,
  type EffectReader,
  type EffectStanding,
  type EffectStore,
  type EffectSummary,
  type EndedAttempt,
  type Settled,
} from './effect-store';
export { forgetEffects, type TracedEffect, traceEffects } from './forget-bodies';
export {
  askAllFirst,
  BEFORE_GO_LIVE,
  countForGoLive,
  drawLine,
  type GoLiveCount,
  listUnsent,
  settleOlder,
  type UnsentEffect,
} from './go-live';
export { effectsMigrations } from './migrations';
export { type CorrectableEffect, lockForCorrection, refreezeEffect } from './refreeze';
export { createWaitingEffects, type LaneHold, type WaitingEffects } from './waiting-effects';
