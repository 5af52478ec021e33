export {
  type BoundFlow,
  type Decision,
  defineFlow,
  type EventOrder,
  type Flow,
  type FlowDecision,
  type FlowDefinition,
  type FlowEnding,
  type FlowEvent,
  type FlowPreview,
  type PreviewSubject,
} from './define-flow';
export type { FlowRecords, RecordedFact, RecordedReversal } from './flow-records';
export { planDigest, type ShownPlan } from './plan-digest';
export type {
  BoundPass,
  Compared,
  Finding,
  FindingReplay,
  PassInfo,
  PassSchedule,
  ReconcileContext,
  ReconcilePage,
  ReconcilePass,
  ReconcileWindow,
} from './reconcile-pass';
export type { BoundReplay, ReplayContext, ReplayEvent, ReplayHalf, ReplayPage } from './replay-half';
export {
  type Caution,
  createRoad,
  type OrderedEvent,
  type PeerFailure,
  type PlannedEffect,
  type Road,
  type RoadEnding,
  type RoadOptions,
} from './road';
