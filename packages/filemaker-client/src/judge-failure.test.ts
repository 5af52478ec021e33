import fc from 'fast-check';
import { FILEMAKER_CODE_TABLE, findCodeRow } from './error-codes';
import type { FileMakerEndpoint, TransportFault } from './filemaker-error';
import { judgeApiCode, judgeTransport } from './judge-failure';

const EFFECTS: FileMakerEndpoint[] = ['runScript', 'createRecord', 'editRecord'];
const READS: FileMakerEndpoint[] = ['find', 'layouts', 'scripts', 'validateSession', 'productInfo'];
const ALL: FileMakerEndpoint[] = [...EFFECTS, ...READS, 'login', 'logout'];
const FAULTS: TransportFault[] = [
  'connect-failed',
  'certificate',
  'deadline',
  'connection-lost',
  'answer-too-large',
  'answer-unreadable',
  'request-unsendable',
  'client-closed',
];

function judge(endpoint: FileMakerEndpoint, code: number | string, rest: { message?: string; status?: number } = {}) {
  return judgeApiCode(endpoint, {
    apiCode: String(code),
    apiMessage: rest.message ?? 'x',
    httpStatus: rest.status ?? 500,
  });
}

test('no FileMaker code stands in two rows', () => {
  const spans = FILEMAKER_CODE_TABLE.flatMap((row) => row.codes)
    .map((entry) => (typeof entry === 'number' ? ([entry, entry] as const) : entry))
    .toSorted((one, other) => one[0] - other[0]);
  const clashes = spans.filter(([from, to], index) => from > to || from <= (spans[index - 1]?.[1] ?? -2));
  expect(clashes).toEqual([]);
});

// The second opinion on the table: written down from the meaning of each code, not from the rows.
test.each([
  [-1, 'check', 'quarantine'],
  [951, 'check', 'quarantine'],
  [3, 'no', 'keep'],
  [8, 'no', 'keep'],
  [9, 'no', 'keep'],
  [10, 'no', 'keep'],
  [16, 'check', 'keep'],
  [13, 'yes', 'keep'],
  [300, 'yes', 'keep'],
  [302, 'yes', 'keep'],
  [303, 'yes', 'keep'],
  [101, 'no', 'keep'],
  [112, 'check', 'drop'],
  [200, 'no', 'keep'],
  [204, 'no', 'keep'],
  [301, 'yes', 'keep'],
  [306, 'no', 'keep'],
  [512, 'no', 'keep'],
  [307, 'check', 'drop'],
  [813, 'check', 'drop'],
  [400, 'no', 'keep'],
  [500, 'no', 'keep'],
  [503, 'no', 'keep'],
  [505, 'no', 'keep'],
  [511, 'no', 'keep'],
  [513, 'no', 'keep'],
  [504, 'check', 'keep'],
  [812, 'yes', 'keep'],
  [956, 'yes', 'keep'],
  [1638, 'check', 'keep'],
  [816, 'no', 'keep'],
  [820, 'check', 'drop'],
  [821, 'check', 'drop'],
  [952, 'yes', 'drop'],
  [954, 'no', 'keep'],
  [957, 'no', 'keep'],
  [958, 'no', 'keep'],
  [960, 'no', 'keep'],
  [1200, 'no', 'keep'],
  [1212, 'no', 'keep'],
  [1225, 'no', 'keep'],
  [1626, 'check', 'keep'],
  [1631, 'check', 'keep'],
  [1700, 'no', 'keep'],
  [1704, 'no', 'keep'],
  [1708, 'no', 'keep'],
  [1710, 'no', 'keep'],
  [5000, 'yes', 'keep'],
  [5499, 'yes', 'keep'],
])('a script call answered with %p: again %s, session %s, no halt', (code, resend, session) => {
  const judgement = judge('runScript', code);
  expect(judgement).toMatchObject({ resend, session });
  expect(judgement.halt).toBeUndefined();
});

test.each([
  [212, 'credentials'],
  [1702, 'credentials'],
  [1703, 'credentials'],
  [214, 'login-attempts'],
  [104, 'script-missing'],
  [105, 'layout-missing'],
  [102, 'field-missing'],
  [103, 'field-missing'],
  [106, 'field-missing'],
  [803, 'file-fault'],
  [805, 'file-fault'],
  [809, 'file-fault'],
  [953, 'data-limit'],
  [955, 'database-name'],
  [1711, 'licence'],
])('%p halts (%s) and is refused wherever it comes', (code, halt) => {
  for (const endpoint of ALL) expect(judge(endpoint, code)).toMatchObject({ halt, stage: 'refused', resend: 'no' });
});

test.each([100, 802, 959, 820, 821, 1701, 803])('%p breaks the circuit', (code) => {
  expect(judge('runScript', code).circuit).toBe(true);
});

describe('at login', () => {
  test.each([812, 956, 1638, 1701, 1212])('%p means that there is no room', (code) => {
    expect(judge('login', code)).toMatchObject({ code: 'FILEMAKER_CAPACITY', resend: 'yes', session: 'drop' });
  });

  test('an unlisted code whose text speaks of sessions or capacity means that there is no room', () => {
    expect(judge('login', 9999, { message: 'Maximum Sessions reached' }).code).toBe('FILEMAKER_CAPACITY');
    expect(judge('login', 'E1', { message: 'over capacity' }).code).toBe('FILEMAKER_CAPACITY');
  });

  test('an unlisted code with HTTP 401 stops logins, before the account is shut', () => {
    expect(judge('login', 9999, { status: 401 })).toMatchObject({ halt: 'credentials', resend: 'no' });
  });

  test('a closed database is tried again', () => {
    expect(judge('login', 802)).toMatchObject({ resend: 'yes', circuit: true, session: 'drop' });
  });

  test('502 and 503 from the web server opened no session; silence may have opened one', () => {
    const session = (fault: TransportFault, httpStatus?: number) =>
      judgeTransport('login', { fault, sent: true, httpStatus }).session;
    expect(session('answer-unreadable', 502)).toBe('drop');
    expect(session('answer-unreadable', 503)).toBe('drop');
    expect(session('answer-unreadable', 504)).toBe('quarantine');
    expect(session('answer-unreadable', 200)).toBe('quarantine');
    expect(session('deadline')).toBe('quarantine');
    expect(session('connection-lost')).toBe('quarantine');
  });
});

describe('a server that is full', () => {
  test.each([812, 956])(
    '%p turns down a request as a whole, at any endpoint: nothing ran, it waits for room',
    (code) => {
      for (const endpoint of ALL) {
        for (const scriptAttached of [false, true]) {
          const answer = { apiCode: String(code), apiMessage: 'x', httpStatus: 500, scriptAttached };
          const judgement = judgeApiCode(endpoint, answer);
          expect(judgement).toMatchObject({
            code: 'FILEMAKER_CAPACITY',
            stage: 'refused',
            resend: 'yes',
            session: endpoint === 'login' ? 'drop' : 'keep',
            circuit: false,
          });
          expect(judgement.halt).toBeUndefined();
        }
      }
    },
  );

  test('1638 means that only at login: with a session in hand it is looked up', () => {
    for (const endpoint of EFFECTS) {
      expect(judge(endpoint, 1638)).toMatchObject({ code: 'FILEMAKER_CAPACITY', stage: 'unheard', resend: 'check' });
    }
  });
});

describe('a server that is too old for a command', () => {
  const MISSING = {
    code: 'FILEMAKER_COMMAND_UNAVAILABLE',
    stage: 'refused',
    resend: 'no',
    session: 'keep',
    circuit: false,
  };

  test.each(['validateSession', 'productInfo'] as const)(
    '%s: says so, and neither session nor circuit pays',
    (endpoint) => {
      for (const status of [404, 405]) {
        expect(judgeTransport(endpoint, { fault: 'answer-unreadable', sent: true, httpStatus: status })).toMatchObject(
          MISSING,
        );
        for (const code of [1700, 1704, 958, 404, 'E1'])
          expect(judge(endpoint, code, { status })).toMatchObject(MISSING);
      }
      for (const code of [1700, 1704]) expect(judge(endpoint, code, { status: 500 })).toMatchObject(MISSING);
    },
  );

  test('a token that is not known stays just that, whatever the status', () => {
    expect(judge('validateSession', 952, { status: 404 })).toMatchObject({ code: 'FILEMAKER_INVALID_TOKEN' });
  });

  test('everywhere else a page with 404 leaves open what happened', () => {
    for (const endpoint of ALL.filter((one) => one !== 'validateSession' && one !== 'productInfo')) {
      const report = { fault: 'answer-unreadable', sent: true, httpStatus: 404 } as const;
      expect(judgeTransport(endpoint, report).stage).toBe('unheard');
      expect(judge(endpoint, 1700, { status: 404 })).toMatchObject({ code: 'FILEMAKER_REQUEST_INVALID', resend: 'no' });
    }
  });
});

test('a productInfo that is refused does not break the circuit, a gateway without a server behind it does', () => {
  const circuit = (httpStatus: number) =>
    judgeTransport('productInfo', { fault: 'answer-unreadable', sent: true, httpStatus }).circuit;
  expect([400, 401, 403, 404, 405, 429].filter(circuit)).toEqual([]);
  expect([500, 502, 503, 504].filter((status) => !circuit(status))).toEqual([]);
  for (const code of [9, 212, 960, 1702]) expect(judge('productInfo', code, { status: 401 }).circuit).toBe(false);
});

test('1212 anywhere but at login is a faulty calculation', () => {
  for (const endpoint of [...EFFECTS, ...READS]) expect(judge(endpoint, 1212).code).toBe('FILEMAKER_CALCULATION');
});

test('a duplicate value was refused by this call, yet is looked up before anything else', () => {
  expect(judge('createRecord', 504)).toMatchObject({
    code: 'FILEMAKER_DUPLICATE_VALUE',
    stage: 'refused',
    resend: 'check',
  });
});

test.each([301, 500, 504, 306, 200, 102, 300])(
  'a create that failed with %p is looked up when a script hung on it: whether the script still ran is not documented',
  (code) => {
    const answer = { apiCode: String(code), apiMessage: 'x', httpStatus: 500, scriptAttached: true };
    expect(judgeApiCode('createRecord', answer)).toMatchObject({ stage: 'unheard', resend: 'check' });
    expect(judge('createRecord', code).stage).toBe('refused');
  },
);

test.each([952, 104, 105, 812, 956, 953, 1708])('%p comes before any attached script can run', (code) => {
  const answer = { apiCode: String(code), apiMessage: 'x', httpStatus: 500, scriptAttached: true };
  expect(judgeApiCode('createRecord', answer)).toEqual(judge('createRecord', code));
});

test('whatever the code, a call with an effect is repeated only when it was refused, and an unknown outcome is always looked up', () => {
  const code = fc.oneof(fc.integer({ min: -1, max: 6000 }).map(String), fc.string());
  fc.assert(
    fc.property(fc.constantFrom(...EFFECTS), code, fc.integer({ min: 200, max: 599 }), (endpoint, apiCode, status) => {
      const { stage, resend, code: ours } = judge(endpoint, apiCode, { status });
      if (stage === 'unheard') expect(resend).toBe('check');
      if (resend === 'check' && ours !== 'FILEMAKER_DUPLICATE_VALUE') expect(stage).toBe('unheard');
      if (findCodeRow(apiCode) === undefined) expect(resend).toBe('check');
    }),
    { numRuns: 500 },
  );
});

test('a call without effect never has to be looked up', () => {
  const codes = Array.from({ length: 6002 }, (_, index) => index - 1);
  for (const endpoint of [...READS, 'login', 'logout'] as const) {
    expect(codes.filter((code) => judge(endpoint, code).resend === 'check')).toEqual([]);
  }
});

test('a transport fault after the first byte is unheard, before it not sent, at every endpoint', () => {
  for (const endpoint of ALL) {
    for (const fault of FAULTS) {
      expect(judgeTransport(endpoint, { fault, sent: true }).stage).toBe('unheard');
      expect(judgeTransport(endpoint, { fault, sent: false }).stage).toBe('not-sent');
      if (EFFECTS.includes(endpoint)) expect(judgeTransport(endpoint, { fault, sent: true }).resend).toBe('check');
    }
  }
});

test('a script that outlasts our patience does not break the circuit, a silent productInfo does', () => {
  expect(judgeTransport('runScript', { fault: 'deadline', sent: true }).circuit).toBe(false);
  expect(judgeTransport('productInfo', { fault: 'deadline', sent: true }).circuit).toBe(true);
});

test('a request that the web server finds too long was refused', () => {
  for (const httpStatus of [413, 414, 431]) {
    expect(judgeTransport('runScript', { fault: 'answer-unreadable', sent: true, httpStatus })).toMatchObject({
      code: 'FILEMAKER_REQUEST_TOO_LARGE',
      stage: 'refused',
      resend: 'no',
      session: 'keep',
    });
  }
});
