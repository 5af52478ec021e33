export { closeRepaired, type Repair } from './close-repaired';
export { type CommittedPage, commitPage, type PageCommit } from './commit-page';
export { type Comparison, readLatestComparison, recordComparison } from './comparisons';
export {
  createEventWatermarks,
  type EventDelivery,
  type EventWatermark,
  type EventWatermarks,
  readEventWatermark,
} from './event-watermark';
export {
  createFindings,
  FINDING_STATES,
  type FindingFilter,
  type FindingState,
  type Findings,
  type FindingTotal,
  forgetAcceptedWhys,
  listUnseenObjects,
  type StoredFinding,
} from './findings';
export { reconciliationMigrations } from './migrations';
export {
  type ClaimedRun,
  createRuns,
  RUN_STATES,
  type Run,
  type RunClaim,
  RunClaimLostError,
  type RunMode,
  type RunState,
  type Runs,
  type WantedRun,
} from './runs';
export {
  createStripeReadCounts,
  READS_LEAST,
  READS_PER_TRANSACTION,
  type StripeReadCounts,
  stripeAllowance,
} from './stripe-allowance';
