import type {
  FileMakerEndpoint,
  FileMakerErrorCode,
  FileMakerHalt,
  FileMakerResend,
  FileMakerSessionFate,
} from './filemaker-error';

/**
 * One row per meaning. `codes` are single numbers or inclusive ranges of FileMaker's error codes (Claris: FileMaker Pro help,
 * "FileMaker error codes"); `resend` and `session` are our reading for a call that may have an effect, and `at` says where an
 * endpoint differs. A `check` row is an answer that does not say whether the work was done.
 */
export interface FileMakerCodeRow {
  readonly codes: ReadonlyArray<number | readonly [from: number, to: number]>;
  readonly code: FileMakerErrorCode;
  /** In our own words, safe to show. */
  readonly meaning: string;
  readonly resend: FileMakerResend;
  readonly session: FileMakerSessionFate;
  readonly halt?: FileMakerHalt;
  readonly circuit?: true;
  /** The answer is `check`, yet this very call surely changed nothing (someone else's may have). */
  readonly surelyNothing?: true;
  /** Comes from the action on the record. Whether a script attached to a failed action still runs is not documented. */
  readonly ofTheAction?: true;
  readonly at?: Readonly<Partial<Record<FileMakerEndpoint, FileMakerRowDifference>>>;
}

/** What an endpoint changes about a row. */
export interface FileMakerRowDifference {
  readonly code?: FileMakerErrorCode;
  readonly meaning?: string;
  readonly resend?: FileMakerResend;
  readonly halt?: FileMakerHalt;
  readonly circuit?: true;
}

const CAPACITY_AT_LOGIN: FileMakerRowDifference = {
  code: 'FILEMAKER_CAPACITY',
  meaning: 'the server has no room for another session',
  resend: 'yes',
};

/** What 1700, 1704, 404 and 405 mean where the server may be too old for a command. */
export const NO_SUCH_COMMAND = {
  code: 'FILEMAKER_COMMAND_UNAVAILABLE',
  meaning: 'this server does not have the command',
} as const satisfies FileMakerRowDifference;

/** Every FileMaker code that we know the meaning of. What is not here is judged as unknown. */
export const FILEMAKER_CODE_TABLE: readonly FileMakerCodeRow[] = [
  {
    codes: [-1, 951],
    code: 'FILEMAKER_UNEXPECTED',
    meaning: 'the server met an error that it cannot name',
    resend: 'check',
    session: 'quarantine',
  },
  {
    codes: [3],
    code: 'FILEMAKER_COMMAND_UNAVAILABLE',
    meaning: 'a command is not available in this setting',
    resend: 'no',
    session: 'keep',
  },
  {
    codes: [8, 10],
    code: 'FILEMAKER_DATA_MISSING',
    meaning: 'requested data is empty or missing',
    resend: 'no',
    session: 'keep',
  },
  {
    codes: [9],
    code: 'FILEMAKER_PRIVILEGES',
    meaning: 'the account is not allowed to do this',
    resend: 'no',
    session: 'keep',
  },
  {
    codes: [16],
    code: 'FILEMAKER_RETRY_ASKED',
    meaning: 'the operation failed part-way and asks to be tried again',
    resend: 'check',
    session: 'keep',
  },
  {
    codes: [13, 300, 302, 303],
    code: 'FILEMAKER_IN_USE',
    meaning: 'a file, table, object or the schema is in use by someone',
    resend: 'yes',
    session: 'keep',
    ofTheAction: true,
  },
  {
    codes: [100, 802],
    code: 'FILEMAKER_DATABASE_UNAVAILABLE',
    meaning: 'the database is closed, restarting, or has another name',
    resend: 'check',
    session: 'quarantine',
    circuit: true,
    at: { login: { resend: 'yes' } },
  },
  {
    codes: [101],
    code: 'FILEMAKER_RECORD_MISSING',
    meaning: 'the record is missing',
    resend: 'no',
    session: 'keep',
    ofTheAction: true,
  },
  {
    codes: [102, 103, 106],
    code: 'FILEMAKER_FIELD_MISSING',
    meaning: 'a field, relationship or table is missing (a field must stand on the layout)',
    resend: 'no',
    session: 'keep',
    ofTheAction: true,
    halt: 'field-missing',
  },
  {
    codes: [104],
    code: 'FILEMAKER_SCRIPT_MISSING',
    meaning: 'the script is missing in the file',
    resend: 'no',
    session: 'keep',
    halt: 'script-missing',
  },
  {
    codes: [105],
    code: 'FILEMAKER_LAYOUT_MISSING',
    meaning: 'the layout is missing in the file',
    resend: 'no',
    session: 'keep',
    halt: 'layout-missing',
  },
  {
    codes: [112],
    code: 'FILEMAKER_WINDOW_MISSING',
    meaning: 'the window is gone, as happens when the session is closed during the call',
    resend: 'check',
    session: 'drop',
  },
  {
    codes: [[200, 204]],
    code: 'FILEMAKER_ACCESS_DENIED',
    meaning: 'access to a record or field is denied',
    resend: 'no',
    session: 'keep',
    ofTheAction: true,
  },
  {
    codes: [212, 1702, 1703],
    code: 'FILEMAKER_CREDENTIALS',
    meaning: 'the account or password is not accepted',
    resend: 'no',
    session: 'keep',
    halt: 'credentials',
  },
  {
    codes: [214],
    code: 'FILEMAKER_LOGIN_ATTEMPTS',
    meaning: 'too many failed logins, the account is shut for a while',
    resend: 'no',
    session: 'keep',
    halt: 'login-attempts',
  },
  {
    codes: [301],
    code: 'FILEMAKER_RECORD_LOCKED',
    meaning: 'someone else is editing the record',
    resend: 'yes',
    session: 'keep',
    ofTheAction: true,
  },
  {
    codes: [306, 512],
    code: 'FILEMAKER_RECORD_CHANGED',
    meaning: 'the record was changed meanwhile; read it again and decide anew',
    resend: 'no',
    session: 'keep',
    ofTheAction: true,
  },
  {
    codes: [307, 813],
    code: 'FILEMAKER_LOCK_LOST',
    meaning: 'a lock or transaction was lost with the connection',
    resend: 'check',
    session: 'drop',
  },
  {
    codes: [400],
    code: 'FILEMAKER_CRITERIA_EMPTY',
    meaning: 'the find criteria are empty',
    resend: 'no',
    session: 'keep',
  },
  {
    // `find` turns it into an empty result before this table is asked; elsewhere nobody has documented it.
    codes: [401],
    code: 'FILEMAKER_NOTHING_FOUND',
    meaning: 'no record matches',
    resend: 'check',
    session: 'keep',
  },
  {
    codes: [504],
    code: 'FILEMAKER_DUPLICATE_VALUE',
    meaning: 'the value exists already in a field that must be unique; an earlier call has probably done the work',
    resend: 'check',
    session: 'keep',
    ofTheAction: true,
    surelyNothing: true,
  },
  {
    codes: [[500, 503], [505, 511], 513],
    code: 'FILEMAKER_VALIDATION',
    meaning: 'a field does not accept its value',
    resend: 'no',
    session: 'keep',
    ofTheAction: true,
  },
  {
    codes: [803, 805, 809],
    code: 'FILEMAKER_FILE_FAULT',
    meaning: 'the file is in single-user mode, damaged, or its disk is full',
    resend: 'no',
    session: 'keep',
    halt: 'file-fault',
    circuit: true,
  },
  {
    // A decision of ours for every endpoint: the server turned the request away as a whole, before a record was touched or a
    // script begun, so that the same call waits for room and is made again. No page of Claris says so in these words.
    codes: [812, 956],
    code: 'FILEMAKER_CAPACITY',
    meaning: 'the server is at its capacity',
    resend: 'yes',
    session: 'keep',
    at: { login: CAPACITY_AT_LOGIN },
  },
  {
    // "The host accepts no connections now": at login that is room; with a session in hand it may also come from a
    // connection that the script's own work needed.
    codes: [1638],
    code: 'FILEMAKER_CAPACITY',
    meaning: 'the host accepts no new connections now',
    resend: 'check',
    session: 'keep',
    at: { login: CAPACITY_AT_LOGIN },
  },
  {
    codes: [816, 954],
    code: 'FILEMAKER_REQUEST_INVALID',
    meaning: 'the server cannot convert a file or read a grammar that we never ask for',
    resend: 'no',
    session: 'keep',
  },
  {
    codes: [820, 821],
    code: 'FILEMAKER_HOST_CLOSING',
    meaning: 'the host is closing the file or has thrown us out',
    resend: 'check',
    session: 'drop',
    circuit: true,
  },
  {
    codes: [952],
    code: 'FILEMAKER_INVALID_TOKEN',
    meaning: 'the session is not known (expired, closed, server restarted, or the database name differs in case)',
    resend: 'yes',
    session: 'drop',
  },
  {
    codes: [953],
    code: 'FILEMAKER_DATA_LIMIT',
    meaning: "the licence's yearly transfer is used up",
    resend: 'no',
    session: 'keep',
    halt: 'data-limit',
  },
  {
    codes: [955],
    code: 'FILEMAKER_DATABASE_NAME',
    meaning: 'the request names no database',
    resend: 'no',
    session: 'keep',
    halt: 'database-name',
  },
  {
    // No such resource, or not by this verb. Our own requests go where the API has its commands, so an old server says by it
    // that a newer command is not there.
    codes: [1700, 1704],
    code: 'FILEMAKER_REQUEST_INVALID',
    meaning: 'the server does not know what the request asks for',
    resend: 'no',
    session: 'keep',
    at: { validateSession: NO_SUCH_COMMAND, productInfo: NO_SUCH_COMMAND },
  },
  {
    codes: [957, 958, 960, [1705, 1708], 1710],
    code: 'FILEMAKER_REQUEST_INVALID',
    meaning: 'the server does not accept the form of our request',
    resend: 'no',
    session: 'keep',
  },
  {
    codes: [959],
    code: 'FILEMAKER_PUBLISHING_OFF',
    meaning: 'web publishing is switched off on the server',
    resend: 'yes',
    session: 'keep',
    circuit: true,
  },
  {
    // Officially a fault in a calculation. At login no calculation of ours runs, and an article names 1212 for "too many
    // sessions": there, and only there, it is read so.
    codes: [1212],
    code: 'FILEMAKER_CALCULATION',
    meaning: 'a calculation lacks an operator',
    resend: 'no',
    session: 'keep',
    at: { login: CAPACITY_AT_LOGIN },
  },
  {
    codes: [
      [1200, 1211],
      [1213, 1225],
    ],
    code: 'FILEMAKER_CALCULATION',
    meaning: 'a calculation is faulty',
    resend: 'no',
    session: 'keep',
  },
  {
    codes: [[1626, 1631]],
    code: 'FILEMAKER_SCRIPT_URL',
    meaning: 'a web call inside a script failed; the script ran in part',
    resend: 'check',
    session: 'keep',
  },
  {
    codes: [1701],
    code: 'FILEMAKER_HOST_BUSY',
    meaning: 'the host cannot take requests now',
    resend: 'check',
    session: 'quarantine',
    circuit: true,
    at: { login: { ...CAPACITY_AT_LOGIN, meaning: 'the host takes no logins now', circuit: true } },
  },
  {
    codes: [1711],
    code: 'FILEMAKER_LICENCE',
    meaning: "the server's licence has expired",
    resend: 'no',
    session: 'keep',
    halt: 'licence',
  },
  {
    codes: [[5000, 5499]],
    code: 'FILEMAKER_ROLLED_BACK',
    meaning: 'the script rolled its transaction back',
    resend: 'yes',
    session: 'keep',
  },
];

/** The row that holds this FileMaker code, if any. */
export function findCodeRow(apiCode: string): FileMakerCodeRow | undefined {
  if (!/^-?\d{1,6}$/.test(apiCode.trim())) return undefined;
  const number = Number(apiCode);
  return FILEMAKER_CODE_TABLE.find((row) =>
    row.codes.some((entry) =>
      typeof entry === 'number' ? entry === number : number >= entry[0] && number <= entry[1],
    ),
  );
}
