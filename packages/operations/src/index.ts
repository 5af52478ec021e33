export {
  beginSession,
  endSession,
  operatorOfSession,
  SESSION_HOURS_MAX,
  SESSION_IDLE_MINUTES,
} from './access/console-sessions';
export {
  countLoginTry,
  forgetLoginTries,
  type LoginTry,
  TRIES_PER_ADDRESS_MAX,
  TRIES_PER_NAME_MAX,
  TRIES_WINDOW_MINUTES,
} from './access/login-tries';
export {
  isOperatorName,
  listOperators,
  type Operator,
  parseConsoleAdmin,
  putOperator,
  seedOperator,
  verifyOperator,
} from './access/operators';
export { hashPassword, PASSWORD_LENGTH_MAX, parsePasswordHash } from './access/password-hash';
export { type ActEnding, type AuditedAct, type AuditRow, audited, listAudit } from './audit/audit';
export { type AdoptionPlan, adopt, planAdoption } from './cut-over/adopt';
export { comparisonSentence } from './cut-over/cut-over-lines';
export {
  type GoLivePlan,
  goLive,
  planGoLive,
  type SideOfLine,
  settleOlderEffects,
  type WentLive,
} from './cut-over/go-live';
export { type Day, dayOf, daysOfMonth, isDay, windowOf } from './days/calendar';
export {
  type ChainCheck,
  type Closing,
  type ClosingOptions,
  closeDay,
  closeDueDays,
  verifyDays,
  yesterday,
} from './days/close-day';
export type { Correction, CurrencyFigures, DayContents, Figure, OpenPayment, Standing } from './days/day-contents';
export { dayLetter, dayPage, dayText } from './days/day-letter';
export { type DayMail, type LetterSender, listDayMails, type MailEnding, sendDayMails } from './days/day-mails';
export { brokenSeal } from './days/day-seal';
export type { ClosedDay } from './days/day-store';
export { daySentence, isDayFine } from './days/describe-day';
export type { RecordingFlow } from './days/gather-day';
export {
  type DoctorFault,
  type DoctorOptions,
  type DoctorReport,
  type DoctorSection,
  type EndpointFix,
  type EndpointFixed,
  examineBridge,
  fixWebhookEndpoint,
} from './doctor/examine-bridge';
export { roundsExpected, type ScheduleExpected } from './doctor/work';
export {
  type CheckStep,
  type CheckStepName,
  checkFileMaker,
  type FileMakerCheck,
  type FileMakerCheckOptions,
  type FileMakerFault,
  type FileMakerFaultCode,
} from './filemaker-check/check-filemaker';
export { type FileMakerSessions, listFileMakerSessions } from './filemaker-sessions/filemaker-sessions';
export { createSessionOpener, sessionTokenKeys } from './filemaker-sessions/session-opener';
export { type NextLook, readNextLook } from './findings/next-look';
export {
  acceptFinding,
  askReconcile,
  FINDING_STATES,
  type FindingAcceptance,
  findReconcileRun,
  giveUpReconcile,
  listFindings,
  type ReconcileOrder,
  type ShownFinding,
  showFinding,
  totalFindings,
} from './findings/reconcile-acts';
export { type ReplayedFinding, readReplayedFindings } from './findings/replayed-findings';
export { type ForgetPlan, type Forgetting, forgetCustomer, isCustomer, planForgetting } from './forget/forget-customer';
export { parseScope, pauseScope, type Resumption, resumeScope, scopeAsTyped } from './gates/gate-acts';
export { allMigrations, operationsMigrations } from './migrations';
export type { NoProof, Proof, ProofEntry, ProofStanding, Verdict as ProofVerdict } from './prove/proof';
export { isProofFine, proofPage } from './prove/proof-page';
export { type ProveOptions, proveId } from './prove/prove-id';
export { changeText, differenceOf, differenceOfBodies, type FieldChange } from './replay/difference';
export { judgeOutcome } from './replay/judge-outcome';
export { isAllSettled, type NextStep, nameInvoice, nextStepsOf } from './replay/next-steps';
export {
  askReplay,
  cancelReplay,
  REPLAY_PLAN_HOURS,
  type ReplayMove,
  type ReplayRefusalCode,
  resumeReplay,
  sendReplay,
} from './replay/order-replay';
export { findReplayOrder, isReplayEvent, replayEventId } from './replay/replay-event';
export {
  addReplayItems,
  addUnfoundWord,
  itemsToLook,
  itemsToSend,
  type ReplayLook,
  type ReplayOutcome,
  type ReplayWork,
  settleItem,
  storeLooks,
} from './replay/replay-items';
export {
  failReplay,
  findReplayPlan,
  finishReplay,
  markCollected,
  markReady,
  noteReplayWait,
  type ReplayArgs,
  type ReplayPlan,
  type ReplayState,
  replayDuty,
  takeUntouchedReplays,
  touchReplay,
} from './replay/replay-plan';
export { type SentItem, sendReplayItem } from './replay/send-item';
export {
  eraseReplayBodies,
  listReplayItems,
  type ReplayItem,
  type ReplayProgress,
  readReplayProgress,
} from './replay/show-replay';
export {
  judgeReplay,
  type LogWord,
  type ReplayAct,
  type ReplayFacts,
  type ReplayVerdict,
  type StandingEffect,
  VERDICTS,
  type Verdict,
} from './replay/verdict';
export { type Report, type ReportedMove, type ReportOptions, type ReportRow, readReport } from './report/read-report';
export { createReportCsv, REPORT_CSV_HEADINGS } from './report/report-csv';
export { nextForParkedEvent, type ParkedEvent } from './resolve/next-for-parked';
export {
  type EventReprocessing,
  type ExplainedEvent,
  explainEventRetries,
  reprocessEvent,
  retryEvent,
} from './resolve/reprocess-event';
export {
  type Asked,
  type EffectResolution,
  type ExplainedEffect,
  explainEffectRetries,
  filemakerScriptTarget,
  RESOLUTIONS,
  type RefusalCode,
  type Refused,
  type Resolution,
  resolveEffect,
  retryEffect,
} from './resolve/resolve-effect';
export {
  findRunbook,
  listRunbookGroups,
  listRunbooks,
  type Runbook,
  type RunbookGroup,
  runbookOf,
  runbookText,
} from './runbooks/runbooks';
export { type FileMakerSeen, lookAtFileMaker, lookAtStripe, type StripeSeen } from './setup/setup-looks';
export {
  EFFECT_STATES,
  EVENT_SOURCES,
  EVENT_STATES,
  LIST_LIMIT_MAX,
  type ListedEffect,
  listEffects,
  listEvents,
  listRejections,
  type Page,
} from './show/lists';
export { readEventBody, type ShownEffect, type ShownEvent, showEffect, showEvent } from './show/show';
export { listScheduleRuns, recordScheduleSuccess } from './status/schedule-runs';
export { readStatus, type Status } from './status/status';
export type { ParkedItem, StatusFigures } from './status/status-figures';
export { holdSentence, passWords, type StatusLine, spell, topLines } from './status/status-lines';
export { type MoneyPlace, type MoneyTold, tellMoney, type WaitingMoney } from './status/waiting-money';
export {
  type EffectDetails,
  type EventDetails,
  type FrozenEffect,
  type ParkedRow,
  readFrozenEffects,
  readParked,
} from './tables/read-engine-tables';
export {
  type OverdueEffect,
  type OverdueEffects,
  readStripeTransactions,
} from './tables/read-figures';
export { type CountedMoney, type MoneyAtRisk, readMoneyAtRisk } from './tables/read-money';
export { isWorkerThere, type LivingProcess, type SessionCensus, type SessionRow } from './tables/read-processes';
export type { FinishedPass, OpenFindings, RecoveryFigures } from './tables/read-recovery-tables';
export { itemsUnderWay, readReplayBodies } from './tables/read-replay-tables';
export { BRIDGE_VERSION } from './version';
export { decimalText, moneyText } from './wording/money-text';
export { reasonText } from './wording/reason-words';
