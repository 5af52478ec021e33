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
  Reservation,
} from './effect';
export {
  createEffectEngine,
  type EarlyTurn,
  type EffectEngine,
  type EffectEngineOptions,
  REFUSALS_MAX,
  type TurnEnding,
} from './effect-engine';
export { EffectClaimLostError, type EffectClaimResult, type EndedAttempt, type Settled } from './effect-life';
export { createEffectReader, type EffectReader, type EffectStanding } from './effect-reader';
export { createEffectStore, type EffectStore } from './effect-store';
export type { AttemptSummary, EffectSummary } from './effect-summaries';
export type { DueEffect } from './effect-sweep';
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
