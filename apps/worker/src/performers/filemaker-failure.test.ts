import {
  FILEMAKER_CODE_TABLE,
  type FileMakerEndpoint,
  FileMakerError,
  judgeApiCode,
  judgeTransport,
  type TransportReport,
} from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { createSessionOpener } from '@bridge/operations';
import { outcomeOf, sessionAfter, tellGates } from './filemaker-failure';

type Judgement = ConstructorParameters<typeof FileMakerError>[0];
function failure(rest: Partial<Judgement> & Pick<Judgement, 'code' | 'stage' | 'resend'>): FileMakerError {
  return new FileMakerError(
    { meaning: 'as a test says', session: 'keep', circuit: false, ...rest },
    { endpoint: 'runScript' },
  );
}
const CASES: [string, FileMakerError, Record<string, unknown>][] = [
  ['unheard', failure({ code: 'FILEMAKER_UNHEARD', stage: 'unheard', resend: 'check' }), { kind: 'unknown' }],
  [
    'capacity on a call with effect',
    failure({ code: 'FILEMAKER_HOST_BUSY', stage: 'unheard', resend: 'check' }),
    { kind: 'unknown' },
  ],
  [
    'a halt on a create that may have run its script',
    failure({ code: 'FILEMAKER_FIELD_MISSING', stage: 'unheard', resend: 'check', halt: 'field-missing' }),
    { kind: 'unknown' },
  ],
  [
    'a duplicate, refused and yet to be looked up',
    failure({ code: 'FILEMAKER_DUPLICATE_VALUE', stage: 'refused', resend: 'check' }),
    { kind: 'unknown' },
  ],
  [
    'a missing script',
    failure({ code: 'FILEMAKER_SCRIPT_MISSING', stage: 'refused', resend: 'no', halt: 'script-missing' }),
    { kind: 'refused', again: true, costs: false },
  ],
  [
    'web publishing off',
    failure({ code: 'FILEMAKER_PUBLISHING_OFF', stage: 'refused', resend: 'yes', circuit: true }),
    { kind: 'refused', again: true, costs: false },
  ],
  [
    'no connection',
    failure({ code: 'FILEMAKER_NOT_SENT', stage: 'not-sent', resend: 'yes', circuit: true }),
    { kind: 'refused', again: true, costs: false },
  ],
  [
    'the client is closing',
    failure({ code: 'FILEMAKER_NOT_SENT', stage: 'not-sent', resend: 'yes' }),
    { kind: 'refused', again: true, costs: false },
  ],
  [
    'a request that cannot be put into words',
    failure({ code: 'FILEMAKER_REQUEST_INVALID', stage: 'not-sent', resend: 'no' }),
    { kind: 'refused', again: false },
  ],
  [
    'no privileges',
    failure({ code: 'FILEMAKER_PRIVILEGES', stage: 'refused', resend: 'no' }),
    { kind: 'refused', again: false },
  ],
  [
    'a look without effect that heard nothing',
    failure({ code: 'FILEMAKER_UNAVAILABLE', stage: 'unheard', resend: 'yes', session: 'quarantine' }),
    { kind: 'refused', again: true },
  ],
  [
    'a record in use',
    failure({ code: 'FILEMAKER_RECORD_LOCKED', stage: 'refused', resend: 'yes' }),
    { kind: 'refused', again: true },
  ],
];

test.each(CASES)('%s', (_what, error, outcome) => {
  expect(outcomeOf(error, 0)).toMatchObject({ ...outcome, code: error.code });
});

test('a forgotten session is replaced at once the first time, and by the usual back-off after that', () => {
  const forgotten = failure({ code: 'FILEMAKER_INVALID_TOKEN', stage: 'refused', resend: 'yes', session: 'drop' });
  expect(outcomeOf(forgotten, 0)).toMatchObject({ kind: 'refused', again: true, costs: true, afterMs: 1 });
  expect(outcomeOf(forgotten, 1)).not.toHaveProperty('afterMs');
});

test('what is no error of the client is unknown, and its text, which might quote anything, is left out', () => {
  expect(outcomeOf(new TypeError('a@b.example'), 0)).toEqual({
    kind: 'unknown',
    code: 'FILEMAKER_CALL_FAILED',
    message: 'TypeError',
  });
  expect(sessionAfter(new TypeError('x'))).toBe('quarantine');
});

test('halts that one script causes stand on that script, all others on FileMaker, and a circuit is opened once told', async () => {
  const told: string[] = [];
  const gates = {
    halt: async (scope: string, cause: string) => void told.push(`halt ${scope} ${cause}`),
    openCircuit: async (peer: string) => void told.push(`circuit ${peer}`),
  } as unknown as Gates;
  const scope = { script: 'X', worker: 'w' };
  await tellGates(
    gates,
    failure({ code: 'FILEMAKER_LAYOUT_MISSING', stage: 'refused', resend: 'no', halt: 'layout-missing' }),
    scope,
  );
  await tellGates(
    gates,
    failure({ code: 'FILEMAKER_LICENCE', stage: 'refused', resend: 'no', halt: 'licence' }),
    scope,
  );
  await tellGates(
    gates,
    failure({ code: 'FILEMAKER_FILE_FAULT', stage: 'refused', resend: 'no', halt: 'file-fault', circuit: true }),
    scope,
  );
  await tellGates(gates, failure({ code: 'FILEMAKER_RECORD_LOCKED', stage: 'refused', resend: 'yes' }), scope);
  expect(told).toEqual([
    'halt script:X FILEMAKER_LAYOUT_MISSING',
    'halt filemaker FILEMAKER_LICENCE',
    'circuit filemaker',
    'halt filemaker FILEMAKER_FILE_FAULT',
  ]);
});

test('a full server burns no attempt: the effect waits and goes again', () => {
  const full = failure({ code: 'FILEMAKER_CAPACITY', stage: 'refused', resend: 'yes', session: 'keep' });
  expect(outcomeOf(full, 7)).toMatchObject({ kind: 'refused', again: true, costs: false, afterMs: 5_000 });
});

/**
 * What happens for each of FileMaker's codes, written down from Claris's list and our reading of it, and not from the
 * client's table. At a script call: `unknown` is asked about, `again` costs the effect a refusal, `free` costs nothing,
 * `parked` waits for a person. At login: what the pool makes of it. `closes`: what stands still after the script call.
 */
type AtScript = 'unknown' | 'again' | 'free' | 'parked';
const ALL_CODES: [codes: number[], atScript: AtScript, atLogin: string, closes?: string[]][] = [
  [[-1, 951], 'unknown', 'other'],
  [[3, 8, 9, 10, 101], 'parked', 'other'],
  [[13, 300, 302, 303], 'again', 'other'],
  [[16], 'unknown', 'other'],
  [[100, 802], 'unknown', 'unavailable', ['circuit filemaker']],
  [[102, 103, 106], 'free', 'other', ['halt script:X FILEMAKER_FIELD_MISSING']],
  [[104], 'free', 'other', ['halt script:X FILEMAKER_SCRIPT_MISSING']],
  [[105], 'free', 'other', ['halt script:X FILEMAKER_LAYOUT_MISSING']],
  [[112], 'unknown', 'other'],
  [[200, 201, 202, 203, 204], 'parked', 'other'],
  [[212, 1702, 1703], 'free', 'credentials', ['halt filemaker FILEMAKER_CREDENTIALS']],
  [[214], 'free', 'credentials', ['halt filemaker FILEMAKER_LOGIN_ATTEMPTS']],
  [[301], 'again', 'other'],
  [[306, 512], 'parked', 'other'],
  [[307, 813], 'unknown', 'other'],
  [[400], 'parked', 'other'],
  [[401], 'unknown', 'other'],
  [[500, 501, 502, 503, 505, 506, 507, 508, 509, 510, 511, 513], 'parked', 'other'],
  [[504], 'unknown', 'other'],
  [[803, 805, 809], 'free', 'unavailable', ['circuit filemaker', 'halt filemaker FILEMAKER_FILE_FAULT']],
  [[812, 956], 'free', 'capacity'],
  [[816, 954, 957, 958, 960], 'parked', 'other'],
  [[820, 821], 'unknown', 'unavailable', ['circuit filemaker']],
  [[952], 'again', 'other'],
  [[953], 'free', 'other', ['halt filemaker FILEMAKER_DATA_LIMIT']],
  [[955], 'free', 'other', ['halt filemaker FILEMAKER_DATABASE_NAME']],
  [[959], 'free', 'unavailable', ['circuit filemaker']],
  [[1200, 1211, 1212, 1213, 1225], 'parked', 'other'],
  [[1626, 1629, 1630, 1631], 'unknown', 'other'],
  [[1638], 'unknown', 'capacity'],
  [[1700, 1704, 1705, 1706, 1707, 1708, 1710], 'parked', 'other'],
  [[1701], 'unknown', 'unavailable', ['circuit filemaker']],
  [[1711], 'free', 'other', ['halt filemaker FILEMAKER_LICENCE']],
  [[5000, 5499], 'again', 'other'],
  [[7777], 'unknown', 'unavailable'],
];
const errorOf = (endpoint: FileMakerEndpoint, code: number): FileMakerError => {
  const apiCode = `${code}`;
  return new FileMakerError(judgeApiCode(endpoint, { apiCode, apiMessage: '', httpStatus: 500 }), {
    endpoint,
    apiCode,
  });
};
function gatesThatTell() {
  const told: string[] = [];
  const gates = {
    halt: async (scope: string, cause: string) => void told.push(`halt ${scope} ${cause}`),
    openCircuit: async (peer: string) => void told.push(`circuit ${peer}`),
  } as unknown as Gates;
  return { told, tell: (error: FileMakerError) => tellGates(gates, error, { script: 'X', worker: 'w' }) };
}
function atScriptOf(error: FileMakerError): AtScript {
  const outcome = outcomeOf(error, 3);
  if (outcome.kind === 'unknown') return 'unknown';
  if (outcome.kind !== 'refused') throw new Error(`ended as ${outcome.kind}`);
  return outcome.again ? ((outcome.costs ?? true) ? 'again' : 'free') : 'parked';
}

const EACH_CODE = ALL_CODES.flatMap(([codes, atScript, atLogin, closes = []]) =>
  codes.map((code): [number, AtScript, string, string[]] => [code, atScript, atLogin, closes]),
);

describe.each(EACH_CODE)('FileMaker code %i', (code, atScript, atLogin, closes) => {
  test(`at a script call: ${atScript}; closed after it: ${closes.join(', ') || 'nothing'}`, async () => {
    const { told, tell } = gatesThatTell();
    const error = errorOf('runScript', code);
    await tell(error);
    expect([atScriptOf(error), told]).toEqual([atScript, closes]);
  });

  test(`at login: ${atLogin}`, () => {
    const { classify } = createSessionOpener({} as Parameters<typeof createSessionOpener>[0]);
    expect(classify(errorOf('login', code))).toBe(code === 1212 ? 'capacity' : atLogin);
  });
});

test('every code of the table of the client is among those written down here', () => {
  const here = new Set(ALL_CODES.flatMap(([codes]) => codes));
  const missing = FILEMAKER_CODE_TABLE.flatMap(({ codes }) => codes)
    .flatMap((entry) => (typeof entry === 'number' ? [entry] : [entry[0], entry[1]]))
    .filter((code) => !here.has(code));
  expect(missing).toEqual([]);
});

test('a connection that broke under a script stops nobody; under the question that follows it opens the circuit', async () => {
  const report: TransportReport = { fault: 'connection-lost', sent: true };
  const { told, tell } = gatesThatTell();
  const error = new FileMakerError(judgeTransport('runScript', report), { endpoint: 'runScript' });
  await tell(error);
  expect([atScriptOf(error), told]).toEqual(['unknown', []]);
  await tell(new FileMakerError(judgeTransport('find', report), { endpoint: 'find' }));
  expect(told).toEqual(['circuit filemaker']);
  const { classify } = createSessionOpener({} as Parameters<typeof createSessionOpener>[0]);
  expect(classify(new FileMakerError(judgeTransport('login', report), { endpoint: 'login' }))).toBe('unheard');
});

test.each<[string, TransportReport, AtScript, string]>([
  ['no connection', { fault: 'connect-failed', sent: false }, 'free', 'unavailable'],
  ['a certificate that is not trusted', { fault: 'certificate', sent: false }, 'free', 'unavailable'],
  ["a web server's 502", { fault: 'answer-unreadable', sent: true, httpStatus: 502 }, 'unknown', 'unavailable'],
  ["a web server's 503", { fault: 'answer-unreadable', sent: true, httpStatus: 503 }, 'unknown', 'unavailable'],
])('%s opens the circuit, and the effect keeps its place', async (_what, report, atScript, atLogin) => {
  const { told, tell } = gatesThatTell();
  const error = new FileMakerError(judgeTransport('runScript', report), { endpoint: 'runScript' });
  await tell(error);
  expect([atScriptOf(error), told]).toEqual([atScript, ['circuit filemaker']]);
  const { classify } = createSessionOpener({} as Parameters<typeof createSessionOpener>[0]);
  expect(classify(new FileMakerError(judgeTransport('login', report), { endpoint: 'login' }))).toBe(atLogin);
});

test('a script that outlasts our patience is asked about, and says nothing about the server', async () => {
  const { told, tell } = gatesThatTell();
  const error = new FileMakerError(judgeTransport('runScript', { fault: 'deadline', sent: true }), {
    endpoint: 'runScript',
  });
  await tell(error);
  expect([atScriptOf(error), told]).toEqual(['unknown', []]);
});
