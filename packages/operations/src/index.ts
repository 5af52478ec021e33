export { type ActEnding, type AuditedAct, type AuditRow, audited, listAudit } from './audit';
export {
  type CheckStep,
  type CheckStepName,
  checkFileMaker,
  type FileMakerCheck,
  type FileMakerCheckOptions,
  type FileMakerFault,
  type FileMakerFaultCode,
} from './check-filemaker';
export {
  beginSession,
  endSession,
  operatorOfSession,
  SESSION_HOURS_MAX,
  SESSION_IDLE_MINUTES,
} from './console-sessions';
export { type FileMakerSessions, listFileMakerSessions } from './filemaker-sessions';
export { parseScope, pauseScope, type Resumption, resumeScope, scopeAsTyped } from './gate-acts';
export {
  EFFECT_STATES,
  EVENT_STATES,
  LIST_LIMIT_MAX,
  type ListedEffect,
  listEffects,
  listEvents,
} from './lists';
export {
  countLoginTry,
  forgetLoginTries,
  type LoginTry,
  TRIES_PER_ADDRESS_MAX,
  TRIES_PER_NAME_MAX,
  TRIES_WINDOW_MINUTES,
} from './login-tries';
export { allMigrations, operationsMigrations } from './migrations';
export {
  isOperatorName,
  listOperators,
  type Operator,
  parseConsoleAdmin,
  putOperator,
  seedOperator,
  verifyOperator,
} from './operators';
export { hashPassword, PASSWORD_LENGTH_MAX, parsePasswordHash } from './password-hash';
export {
  type EffectDetails,
  type EventDetails,
  type LivingProcess,
  type MoneyAtRisk,
  type OverdueEffect,
  type OverdueEffects,
  type ParkedRow,
  readMoneyAtRisk,
  readParked,
  type SessionCensus,
  type SessionRow,
} from './read-engine-tables';
export {
  type EventReprocessing,
  type ExplainedEvent,
  explainEventRetries,
  reprocessEvent,
  retryEvent,
} from './reprocess-event';
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
} from './resolve-effect';
export { listScheduleRuns, recordScheduleSuccess } from './schedule-runs';
export { readEventBody, type ShownEffect, type ShownEvent, showEffect, showEvent } from './show';
export { readStatus, type Status } from './status';
export type { ParkedItem, StatusFigures } from './status-figures';
export { holdSentence, type StatusLine, spell } from './status-lines';
export { BRIDGE_VERSION } from './version';
