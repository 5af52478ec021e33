import { type FileMakerCodeRow, findCodeRow, NO_SUCH_COMMAND } from './error-codes';
import type {
  FileMakerEndpoint,
  FileMakerErrorCode,
  FileMakerJudgement,
  FileMakerSessionFate,
  TransportFault,
} from './filemaker-error';

const EFFECT_ENDPOINTS: ReadonlySet<FileMakerEndpoint> = new Set(['runScript', 'createRecord', 'editRecord']);
/** Light calls: when one of these hears nothing in time, the server is in trouble, not the work we gave it. */
const LIGHT_ENDPOINTS: ReadonlySet<FileMakerEndpoint> = new Set(['login', 'logout', 'validateSession', 'productInfo']);

function sessionAfterAnswer(endpoint: FileMakerEndpoint, fate: FileMakerSessionFate): FileMakerSessionFate {
  // A login that was answered with an error has opened nothing; productInfo uses no session.
  if (endpoint === 'login') return 'drop';
  return endpoint === 'productInfo' ? 'keep' : fate;
}

function settle(
  endpoint: FileMakerEndpoint,
  row: Omit<FileMakerCodeRow, 'codes' | 'at'>,
  scriptAttached = false,
): FileMakerJudgement {
  const effect = EFFECT_ENDPOINTS.has(endpoint);
  const scriptMayHaveRun = scriptAttached && row.ofTheAction === true;
  // A call without effect may simply be made again where one with an effect must be looked up first.
  const resend = scriptMayHaveRun ? 'check' : row.resend === 'check' && !effect ? 'yes' : row.resend;
  return {
    code: row.code,
    meaning: row.meaning,
    stage: scriptMayHaveRun || (resend === 'check' && row.surelyNothing !== true) ? 'unheard' : 'refused',
    resend,
    session: sessionAfterAnswer(endpoint, row.session),
    ...(row.halt === undefined ? {} : { halt: row.halt }),
    circuit: row.circuit === true,
  };
}

/** Commands that came late to the Data API or may be shut by the web server, and that the bridge can do without. */
const DISPENSABLE_ENDPOINTS: ReadonlySet<FileMakerEndpoint> = new Set(['validateSession', 'productInfo']);
const NO_SUCH_COMMAND_STATUSES: ReadonlySet<number> = new Set([404, 405]);

/** The answer says "not found" or "not so", be it as a web page or under a code that says no more than that. */
function isMissingCommand(endpoint: FileMakerEndpoint, httpStatus: number | undefined): boolean {
  return DISPENSABLE_ENDPOINTS.has(endpoint) && NO_SUCH_COMMAND_STATUSES.has(httpStatus ?? 0);
}

const MISSING_COMMAND: FileMakerJudgement = {
  ...NO_SUCH_COMMAND,
  stage: 'refused',
  resend: 'no',
  session: 'keep',
  circuit: false,
};

function judgeUnlistedCode(endpoint: FileMakerEndpoint, apiMessage: string, httpStatus: number): FileMakerJudgement {
  if (endpoint === 'login' && /session|capacity/i.test(apiMessage)) {
    return settle(endpoint, {
      code: 'FILEMAKER_CAPACITY',
      meaning: 'the server has no room for another session',
      resend: 'yes',
      session: 'drop',
    });
  }
  if (endpoint === 'login' && httpStatus === 401) {
    return settle(endpoint, {
      code: 'FILEMAKER_CREDENTIALS',
      meaning: 'the account or password is not accepted',
      resend: 'no',
      session: 'drop',
      halt: 'credentials',
    });
  }
  return settle(endpoint, {
    code: 'FILEMAKER_UNKNOWN_CODE',
    meaning: 'the server answered with a code that we do not know',
    // At login it costs nothing to try later; a read would most likely fail the same way again.
    resend: EFFECT_ENDPOINTS.has(endpoint) ? 'check' : endpoint === 'login' ? 'yes' : 'no',
    session: 'quarantine',
    ...(endpoint === 'login' || httpStatus === 503 ? { circuit: true as const } : {}),
  });
}

/**
 * Judges an answer in FileMaker's JSON form whose code is not 0: by the endpoint, then the code, and only for a code that the
 * table does not hold, or that says no more than "not so", by message text and HTTP status.
 */
export function judgeApiCode(
  endpoint: FileMakerEndpoint,
  answer: {
    readonly apiCode: string;
    readonly apiMessage: string;
    readonly httpStatus: number;
    /** The request created a record and named a script to run after it. */
    readonly scriptAttached?: boolean;
  },
): FileMakerJudgement {
  const row = findCodeRow(answer.apiCode);
  const saysNoMore = row === undefined || row.code === 'FILEMAKER_REQUEST_INVALID';
  if (saysNoMore && isMissingCommand(endpoint, answer.httpStatus)) return MISSING_COMMAND;
  if (row === undefined) return judgeUnlistedCode(endpoint, answer.apiMessage, answer.httpStatus);
  return settle(endpoint, { ...row, ...row.at?.[endpoint] }, answer.scriptAttached);
}

/** What the transport saw. `sent`: at least the first byte of the request may have left. */
export interface TransportReport {
  readonly fault: TransportFault;
  readonly sent: boolean;
  /** The status line, where one was read. */
  readonly httpStatus?: number | undefined;
}

const FAULT_WORDS: Readonly<Record<TransportFault, string>> = {
  'connect-failed': 'no connection to the server',
  certificate: "the server's certificate is not trusted",
  deadline: 'no answer within the time allowed',
  'connection-lost': 'the connection broke before the answer was complete',
  'answer-too-large': 'the answer is larger than we accept',
  'answer-unreadable': 'the answer is not in the form of the Data API',
  'request-unsendable': 'the request cannot be put into words that HTTP allows',
  'client-closed': 'the client was closed',
};

function judgeNotSent(endpoint: FileMakerEndpoint, fault: TransportFault): FileMakerJudgement {
  const unsendable = fault === 'request-unsendable';
  return {
    code: unsendable
      ? 'FILEMAKER_REQUEST_INVALID'
      : fault === 'certificate'
        ? 'FILEMAKER_CERTIFICATE'
        : 'FILEMAKER_NOT_SENT',
    meaning: FAULT_WORDS[fault],
    stage: 'not-sent',
    resend: unsendable ? 'no' : 'yes',
    session: endpoint === 'login' ? 'drop' : 'keep',
    circuit: !unsendable && fault !== 'client-closed',
  };
}

/** A web server says these about the request line, the headers or the body's size, before the Data API sees the request. */
const TOO_LARGE_STATUSES: ReadonlySet<number> = new Set([413, 414, 431]);
const GATEWAY_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);

function breaksCircuit(endpoint: FileMakerEndpoint, report: TransportReport): boolean {
  // A script may take its connection along (a crash of its own, a proxy's patience); whether the server is gone as well
  // the question shows that follows every lost answer.
  if (report.fault === 'connection-lost') return !EFFECT_ENDPOINTS.has(endpoint);
  // A script that outlasts our patience says nothing about the server.
  if (report.fault === 'deadline') return LIGHT_ENDPOINTS.has(endpoint);
  // A proxy that lets nobody ask for `productInfo` (401, 403) would else keep the circuit open for ever: whoever refuses is there.
  const httpStatus = report.httpStatus ?? 0;
  if (endpoint === 'productInfo' && httpStatus >= 400 && httpStatus < 500) return false;
  return report.fault === 'answer-unreadable' && (LIGHT_ENDPOINTS.has(endpoint) || GATEWAY_STATUSES.has(httpStatus));
}

function sessionAfterSilence(endpoint: FileMakerEndpoint, report: TransportReport): FileMakerSessionFate {
  if (endpoint === 'productInfo') return 'keep';
  // 502: the engine was not there, or died and its sessions with it. 503: turned away. Either way no session was opened, and
  // counting one would keep the pool shut long after the server is back.
  const turnedAway = report.fault === 'answer-unreadable' && (report.httpStatus === 502 || report.httpStatus === 503);
  return endpoint === 'login' && turnedAway ? 'drop' : 'quarantine';
}

function codeOfSilence(effect: boolean, report: TransportReport): FileMakerErrorCode {
  if (report.fault === 'answer-too-large') return 'FILEMAKER_ANSWER_TOO_LARGE';
  if (effect) return 'FILEMAKER_UNHEARD';
  const readableStatus = report.httpStatus !== undefined && report.httpStatus < 400;
  return report.fault === 'answer-unreadable' && readableStatus ? 'FILEMAKER_ANSWER_INVALID' : 'FILEMAKER_UNAVAILABLE';
}

/** Judges a call that ended without a readable FileMaker answer. In doubt it is `unheard`. */
export function judgeTransport(endpoint: FileMakerEndpoint, report: TransportReport): FileMakerJudgement {
  if (!report.sent) return judgeNotSent(endpoint, report.fault);
  if (report.fault === 'answer-unreadable' && TOO_LARGE_STATUSES.has(report.httpStatus ?? 0)) {
    return {
      code: 'FILEMAKER_REQUEST_TOO_LARGE',
      meaning: 'the web server turned the request away because of its length',
      stage: 'refused',
      resend: 'no',
      session: endpoint === 'login' ? 'drop' : 'keep',
      circuit: false,
    };
  }
  if (report.fault === 'answer-unreadable' && isMissingCommand(endpoint, report.httpStatus)) return MISSING_COMMAND;
  const effect = EFFECT_ENDPOINTS.has(endpoint);
  return {
    code: codeOfSilence(effect, report),
    meaning: FAULT_WORDS[report.fault],
    stage: 'unheard',
    // A find whose answer is too large stays too large; every other call without effect may simply be made again.
    resend: effect ? 'check' : report.fault === 'answer-too-large' ? 'no' : 'yes',
    session: sessionAfterSilence(endpoint, report),
    circuit: breaksCircuit(endpoint, report),
  };
}
