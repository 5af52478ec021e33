export { type Comparison, readLatestComparison, recordComparison } from './comparisons';
export {
  createEventWatermarks,
  type EventDelivery,
  type EventWatermark,
  type EventWatermarks,
  readEventWatermark,
} from './event-watermark';
export {
  type CommittedPage,
  closeRepaired,
  commitPage,
  createFindings,
  FINDING_STATES,
  type FindingFilter,
  type FindingState,
  type Findings,
  type FindingTotal,
  forgetAcceptedWhys,
  listUnseenObjects,
  type PageCommit,
  type Repair,
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
