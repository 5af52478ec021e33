/** The Data API calls this client makes. Errors are judged by the endpoint first: one code means different things at different ones. */
export type FileMakerEndpoint =
  | 'login'
  | 'logout'
  | 'validateSession'
  | 'productInfo'
  | 'runScript'
  | 'createRecord'
  | 'editRecord'
  | 'find'
  | 'layouts'
  | 'scripts';

/**
 * How far a call got.
 * - `not-sent`: no byte of the request left us. Nothing can have happened.
 * - `refused`: FileMaker (or the web server before it) answered no, and this call changed nothing.
 * - `unheard`: it was sent, and no answer came that says what happened.
 */
export type FileMakerStage = 'not-sent' | 'refused' | 'unheard';

/**
 * May the same call be made again? `yes`: it did nothing, later it may succeed. `no`: it did nothing and would fail again.
 * `check`: ask FileMaker what happened before anything else.
 */
export type FileMakerResend = 'yes' | 'no' | 'check';

/**
 * What becomes of the FileMaker session used. `keep`: it can serve the next call. `drop`: it is gone, do not count it as open.
 * `quarantine`: it may be busy or half-dead; do not use or delete it before `validateSession` says it is free.
 * At `login` there is no token yet: `drop` says that no session was opened, `quarantine` that one may have been opened
 * whose token nobody knows, so that its place must be counted until it would have expired.
 */
export type FileMakerSessionFate = 'keep' | 'drop' | 'quarantine';

/** A fault that meets every later call too, until a person has put something right. */
export type FileMakerHalt =
  | 'credentials'
  | 'login-attempts'
  | 'script-missing'
  | 'layout-missing'
  | 'field-missing'
  | 'database-name'
  | 'file-fault'
  | 'data-limit'
  | 'licence';

/** Our own names for failures; FileMaker's numbers stay in `apiCode`. Stable: alerts and runbooks rely on them. */
export type FileMakerErrorCode =
  | 'FILEMAKER_ACCESS_DENIED'
  | 'FILEMAKER_ANSWER_INVALID'
  | 'FILEMAKER_ANSWER_TOO_LARGE'
  | 'FILEMAKER_CALCULATION'
  | 'FILEMAKER_CAPACITY'
  | 'FILEMAKER_CERTIFICATE'
  | 'FILEMAKER_COMMAND_UNAVAILABLE'
  | 'FILEMAKER_CREDENTIALS'
  | 'FILEMAKER_CRITERIA_EMPTY'
  | 'FILEMAKER_DATABASE_NAME'
  | 'FILEMAKER_DATABASE_UNAVAILABLE'
  | 'FILEMAKER_DATA_LIMIT'
  | 'FILEMAKER_DATA_MISSING'
  | 'FILEMAKER_DUPLICATE_VALUE'
  | 'FILEMAKER_FIELD_MISSING'
  | 'FILEMAKER_FILE_FAULT'
  | 'FILEMAKER_HOST_BUSY'
  | 'FILEMAKER_HOST_CLOSING'
  | 'FILEMAKER_INVALID_TOKEN'
  | 'FILEMAKER_IN_USE'
  | 'FILEMAKER_LAYOUT_MISSING'
  | 'FILEMAKER_LICENCE'
  | 'FILEMAKER_LOCK_LOST'
  | 'FILEMAKER_LOGIN_ATTEMPTS'
  | 'FILEMAKER_NOTHING_FOUND'
  | 'FILEMAKER_NOT_SENT'
  | 'FILEMAKER_PRIVILEGES'
  | 'FILEMAKER_PUBLISHING_OFF'
  | 'FILEMAKER_RECORD_CHANGED'
  | 'FILEMAKER_RECORD_LOCKED'
  | 'FILEMAKER_RECORD_MISSING'
  | 'FILEMAKER_REQUEST_INVALID'
  | 'FILEMAKER_REQUEST_TOO_LARGE'
  | 'FILEMAKER_RETRY_ASKED'
  | 'FILEMAKER_ROLLED_BACK'
  | 'FILEMAKER_SCRIPT_MISSING'
  | 'FILEMAKER_SCRIPT_URL'
  | 'FILEMAKER_UNAVAILABLE'
  | 'FILEMAKER_UNEXPECTED'
  | 'FILEMAKER_UNHEARD'
  | 'FILEMAKER_UNKNOWN_CODE'
  | 'FILEMAKER_VALIDATION'
  | 'FILEMAKER_WINDOW_MISSING';

/** What broke between us and the server, where no FileMaker answer was read. */
export type TransportFault =
  | 'connect-failed'
  | 'certificate'
  | 'deadline'
  | 'connection-lost'
  | 'answer-too-large'
  | 'answer-unreadable'
  | 'request-unsendable'
  | 'client-closed';

/** What a failure means for the call, the session and the work behind it. Decided in one place: judge-failure.ts. */
export interface FileMakerJudgement {
  readonly code: FileMakerErrorCode;
  /** In our own words, safe to show. */
  readonly meaning: string;
  readonly stage: FileMakerStage;
  readonly resend: FileMakerResend;
  readonly session: FileMakerSessionFate;
  readonly halt?: FileMakerHalt;
  /** True when the fault is the server's, not this call's: stop sending until a probe (`productInfo`) succeeds. */
  readonly circuit: boolean;
}

/** What was seen, beside the judgement. Never holds a token, a password, a URL or a body. */
export interface FileMakerEvidence {
  readonly endpoint: FileMakerEndpoint;
  readonly apiCode?: string | undefined;
  readonly apiMessage?: string | undefined;
  readonly httpStatus?: number | undefined;
  readonly fault?: TransportFault | undefined;
  /** The system's or undici's name for the fault, such as `ECONNREFUSED`. */
  readonly transportCode?: string | undefined;
}

const STAGE_WORDS: Readonly<Record<FileMakerStage, string>> = {
  'not-sent': 'was not sent',
  refused: 'was refused',
  unheard: 'was sent, and its outcome is not known',
};

function sentence(judgement: FileMakerJudgement, evidence: FileMakerEvidence): string {
  const details = [
    evidence.apiCode === undefined ? undefined : `FileMaker code ${evidence.apiCode}`,
    evidence.httpStatus === undefined ? undefined : `HTTP ${evidence.httpStatus}`,
    evidence.fault,
    evidence.transportCode,
  ].filter((detail) => detail !== undefined);
  const seen = details.length === 0 ? '' : ` (${details.join(', ')})`;
  return `FileMaker ${evidence.endpoint} ${STAGE_WORDS[judgement.stage]}: ${judgement.meaning}${seen}`;
}

/**
 * The only error the client's calls throw. It carries no `cause`: errors from below may hold the request, and with it the
 * token (which stands in the URL of a logout) or a customer's data.
 */
export class FileMakerError extends Error {
  override readonly name = 'FileMakerError';
  readonly code: FileMakerErrorCode;
  readonly stage: FileMakerStage;
  readonly endpoint: FileMakerEndpoint;
  readonly resend: FileMakerResend;
  readonly session: FileMakerSessionFate;
  readonly halt: FileMakerHalt | undefined;
  readonly circuit: boolean;
  /** `messages[0].code` as FileMaker sent it. */
  readonly apiCode: string | undefined;
  /** `messages[0].message`, shortened and with credentials struck out. */
  readonly apiMessage: string | undefined;
  readonly httpStatus: number | undefined;
  readonly fault: TransportFault | undefined;
  readonly transportCode: string | undefined;

  constructor(judgement: FileMakerJudgement, evidence: FileMakerEvidence) {
    super(sentence(judgement, evidence));
    this.code = judgement.code;
    this.stage = judgement.stage;
    this.endpoint = evidence.endpoint;
    this.resend = judgement.resend;
    this.session = judgement.session;
    this.halt = judgement.halt;
    this.circuit = judgement.circuit;
    this.apiCode = evidence.apiCode;
    this.apiMessage = evidence.apiMessage;
    this.httpStatus = evidence.httpStatus;
    this.fault = evidence.fault;
    this.transportCode = evidence.transportCode;
  }

  toJSON(): Record<string, string | number | boolean | undefined> {
    return {
      name: this.name,
      message: this.message,
      code: this.code,
      stage: this.stage,
      endpoint: this.endpoint,
      resend: this.resend,
      session: this.session,
      halt: this.halt,
      circuit: this.circuit,
      apiCode: this.apiCode,
      apiMessage: this.apiMessage,
      httpStatus: this.httpStatus,
      fault: this.fault,
      transportCode: this.transportCode,
    };
  }
}
