import {
  createFileMakerSimulator,
  type FileMakerSimulator,
  type SimulatorSettingsPatch,
  type TroubleRequest,
} from '@bridge/filemaker-simulator';
import { createFileMakerClient, type FileMakerClient } from './filemaker-client';
import { FileMakerError } from './filemaker-error';
import { exactly } from './find-criteria';
import { judgeScriptAnswer } from './script-verdict';

const SCRIPT = 'STRIPE_PAYMENTLINK_SUCCESS';
const LAYOUT = 'web_invoices';
const KEY = 'invoice-paid:cs_test_1';
const PARAMETER = JSON.stringify({ invoice_id: '18637', invoicetotal_cents: 18000, items: [], idempotency_key: KEY });
const RUN = { layout: LAYOUT, script: SCRIPT, parameter: PARAMETER };

interface Bench {
  readonly client: FileMakerClient;
  readonly simulator: FileMakerSimulator;
  /** Opens another client for the same server. */
  connect(options?: { database?: string; password?: string; timeoutMs?: number }): FileMakerClient;
  /** Calls the simulator's own control, which is no part of the Data API. */
  control(path: string, body: unknown, method?: string): Promise<void>;
  trouble(trouble: TroubleRequest): Promise<void>;
}

const cleanups: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setup(settings: SimulatorSettingsPatch = {}): Promise<Bench> {
  const simulator = createFileMakerSimulator({ loginMs: 0, scriptMs: 0, ...settings });
  const { url } = await simulator.listen();
  cleanups.push(() => simulator.close());
  const connect: Bench['connect'] = (options = {}) => {
    const client = createFileMakerClient({
      url,
      database: 'Shop',
      username: 'bridge',
      password: 'bridge',
      timeoutMs: 20_000,
      ...options,
    });
    cleanups.push(() => client.close());
    return client;
  };
  const control: Bench['control'] = async (path, body, method = 'POST') => {
    const response = await fetch(`${url}/_simulator${path}`, { method, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`control ${path}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  };
  await control('/databases/Shop/tables/invoices/records', {
    fieldData: { invoice_id: '18637', status: 'open', email: 'a@b.example' },
  });
  return { client: connect(), simulator, connect, control, trouble: (trouble) => control('/trouble', trouble) };
}

async function failureOf(promise: Promise<unknown>): Promise<FileMakerError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof FileMakerError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

const verdictOf = async (answer: ReturnType<FileMakerClient['runScript']>) =>
  judgeScriptAnswer(await answer, { contract: 'kit', key: KEY });

test('a session opens, answers, and ends', async () => {
  const { client, simulator } = await setup({ contentTypeWithCharset: 'refused' });
  await expect(client.productInfo()).resolves.toMatchObject({ name: 'FileMaker Data API Engine', version: '22.0.4' });
  const { token } = await client.login();
  await expect(client.validateSession(token)).resolves.toEqual({ inUse: false });
  await expect(client.layouts(token)).resolves.toContain(LAYOUT);
  await expect(client.scripts(token)).resolves.toContain(SCRIPT);
  await client.logout(token);
  expect(await failureOf(client.validateSession(token))).toMatchObject({
    code: 'FILEMAKER_INVALID_TOKEN',
    session: 'drop',
  });
  expect(simulator.books.summary().sessions).toMatchObject({ opened: 1, present: 0 });
});

test('a server without the flag leaves open whether a session is in use', async () => {
  const { client } = await setup({ isSessionInUseFlag: 'absent' });
  const { token } = await client.login();
  await expect(client.validateSession(token)).resolves.toEqual({ inUse: undefined });
});

test('a kit script is done, then a duplicate, then in conflict, and its effect happens once', async () => {
  const { client, simulator } = await setup();
  const { token } = await client.login();
  await expect(verdictOf(client.runScript(token, RUN))).resolves.toMatchObject({ verdict: 'done' });
  await expect(verdictOf(client.runScript(token, RUN))).resolves.toMatchObject({ verdict: 'duplicate' });
  const changed = { ...RUN, parameter: PARAMETER.replace('18000', '18001') };
  await expect(verdictOf(client.runScript(token, changed))).resolves.toMatchObject({
    verdict: 'refused',
    resend: 'no',
    code: 'SCRIPT_KEY_CONFLICT',
  });
  await expect(verdictOf(client.runScript(token, { ...RUN, parameter: 'no JSON' }))).resolves.toMatchObject({
    verdict: 'refused',
    code: 'SCRIPT_BAD_PARAMETER',
  });
  expect([...simulator.books.applied]).toEqual([[KEY, 1]]);
  expect(simulator.books.runs[0]?.payload).toBe(PARAMETER);
});

test('a locked invoice and a rolled-back one are refused and may be sent again', async () => {
  const { client, control, trouble, simulator } = await setup();
  const { token } = await client.login();
  await control('/locks', { invoice: '18637' });
  await expect(verdictOf(client.runScript(token, RUN))).resolves.toMatchObject({
    resend: 'yes',
    code: 'SCRIPT_RECORD_LOCKED',
  });
  await control('/locks', { invoice: '18637' }, 'DELETE');
  await trouble({ kind: 'commit-error', code: 509 });
  await expect(verdictOf(client.runScript(token, RUN))).resolves.toMatchObject({
    resend: 'yes',
    code: 'SCRIPT_ROLLED_BACK',
  });
  await expect(verdictOf(client.runScript(token, RUN))).resolves.toMatchObject({ verdict: 'done' });
  expect(simulator.books.applied.get(KEY)).toBe(1);
});

test.each(['missing', 'garbage', 'other-key'] as const)(
  'a script that did its work with a result that is %s is unknown',
  async (result) => {
    const { client, trouble, simulator } = await setup();
    const { token } = await client.login();
    await trouble({ kind: 'result', result });
    await expect(verdictOf(client.runScript(token, RUN))).resolves.toMatchObject({
      verdict: 'unknown',
      resend: 'check',
    });
    expect(simulator.books.applied.get(KEY)).toBe(1);
  },
);

test('an inner error that the kit dealt with is done with a warning', async () => {
  const { client } = await setup({ handledErrorInScriptError: true });
  const { token } = await client.login();
  await expect(verdictOf(client.runScript(token, RUN))).resolves.toMatchObject({
    verdict: 'done',
    code: 'SCRIPT_DONE_WITH_WARNING',
    scriptCode: '401',
  });
});

test('a plain script is unverified, and unknown after an error', async () => {
  const { client, trouble } = await setup({ scripts: { [SCRIPT]: { form: 'plain', effect: 'paid' } } });
  const { token } = await client.login();
  const judge = async () => judgeScriptAnswer(await client.runScript(token, RUN), { contract: 'plain', key: KEY });
  await expect(judge()).resolves.toMatchObject({ verdict: 'unverified' });
  await trouble({ kind: 'script-error', code: 301 });
  await expect(judge()).resolves.toMatchObject({ verdict: 'unknown', scriptCode: '301' });
});

test('a payload of any length goes as a record with a script in one request', async () => {
  const { client, simulator } = await setup();
  const { token } = await client.login();
  const payload = JSON.stringify({ ...JSON.parse(PARAMETER), note: '€'.repeat(20_000) });
  expect(client.scriptUrlLength({ ...RUN, parameter: payload })).toBeGreaterThan(180_000);
  const created = await client.createRecord(token, {
    layout: 'bridge_handoff',
    fieldData: { idempotency_key: KEY, payload, script: SCRIPT },
    script: SCRIPT,
    parameter: JSON.stringify({ handoff: KEY }),
  });
  expect(
    judgeScriptAnswer(created.script ?? { scriptError: '', scriptResult: undefined }, { contract: 'kit', key: KEY }),
  ).toMatchObject({ verdict: 'done' });
  expect(simulator.books.runs.map((run) => [run.payload === payload, run.transport])).toEqual([[true, 'handoff']]);
});

test.each([
  ['skipped', 0],
  ['runs', 1],
] as const)(
  'a record that exists already, its script %s: looked up, never repeated',
  async (scriptAfterFailedCreate, runs) => {
    const { client, simulator } = await setup({ scriptAfterFailedCreate });
    const { token } = await client.login();
    const record = { layout: 'bridge_handoff', fieldData: { idempotency_key: KEY, payload: PARAMETER } };
    await client.createRecord(token, record);
    expect(await failureOf(client.createRecord(token, record))).toMatchObject({
      code: 'FILEMAKER_DUPLICATE_VALUE',
      stage: 'refused',
      resend: 'check',
    });
    const withScript = { ...record, script: SCRIPT, parameter: JSON.stringify({ handoff: KEY }) };
    expect(await failureOf(client.createRecord(token, withScript))).toMatchObject({
      code: 'FILEMAKER_DUPLICATE_VALUE',
      stage: 'unheard',
      resend: 'check',
    });
    expect(simulator.books.runs).toHaveLength(runs);
  },
);

test('a find means exactly what was asked, whatever signs the value holds', async () => {
  const { client, control } = await setup();
  const values = [
    'a@b.example',
    'a@b',
    'axb',
    '*',
    'a*',
    '"x"',
    'a\\b',
    '==a',
    '1...2',
    '#',
    '~?<>≤',
    'Ünïcode 😀',
    ' b ',
  ];
  await control('/databases/Shop/tables/invoices/records', {}, 'DELETE');
  await control('/databases/Shop/tables/invoices/records', {
    records: values.map((email, index) => ({ invoice_id: String(index), email })),
  });
  const { token } = await client.login();
  for (const email of values) {
    const { records } = await client.find(token, { layout: LAYOUT, query: [{ email: exactly(email) }], limit: 50 });
    expect(records.map(({ fieldData }) => fieldData.email)).toEqual([email]);
  }
});

test('a find says when there is more than it returned, and that nothing is there', async () => {
  const { client, control } = await setup();
  await control('/databases/Shop/tables/stock/records', {
    records: ['A', 'B', 'C'].map((code) => ({ code, name: 'kit' })),
  });
  const { token } = await client.login();
  const find = (limit: number, offset: number) =>
    client.find(token, { layout: 'stock', query: [{ code: '==A' }, { name: '==kit' }], limit, offset });
  await expect(find(2, 1)).resolves.toMatchObject({ foundCount: 3, returnedCount: 2 });
  await expect(find(2, 3)).resolves.toMatchObject({
    foundCount: 3,
    returnedCount: 1,
    records: [{ fieldData: { code: 'C' } }],
  });
  await expect(client.find(token, { layout: 'stock', query: [{ code: '==Z' }], limit: 2 })).resolves.toEqual({
    records: [],
    foundCount: 0,
    returnedCount: 0,
  });
});

test('an edit against an old modification number changes nothing', async () => {
  const { client } = await setup();
  const { token } = await client.login();
  const created = await client.createRecord(token, { layout: 'stock', fieldData: { code: 'L1', on_hand: 5 } });
  const edit = { layout: 'stock', recordId: created.recordId, modId: created.modId };
  const edited = await client.editRecord(token, { ...edit, fieldData: { on_hand: 4 } });
  expect(await failureOf(client.editRecord(token, { ...edit, fieldData: { on_hand: 3 } }))).toMatchObject({
    code: 'FILEMAKER_RECORD_CHANGED',
    resend: 'no',
  });
  await expect(client.find(token, { layout: 'stock', query: [{ code: '==L1' }], limit: 2 })).resolves.toMatchObject({
    records: [{ modId: edited.modId, fieldData: { on_hand: 4 } }],
  });
});

test('validateSession tells that a script still runs after our patience ended, and that it is over', async () => {
  const { client, connect, control, simulator } = await setup({ holdScripts: 'before-commit' });
  const hasty = connect({ timeoutMs: 4_000 });
  const { token } = await client.login();
  expect(await failureOf(hasty.runScript(token, RUN))).toMatchObject({
    stage: 'unheard',
    fault: 'deadline',
    session: 'quarantine',
  });
  await expect(client.validateSession(token)).resolves.toEqual({ inUse: true });
  await control('/settings', { holdScripts: 'none' });
  await simulator.books.waitFor({ applied: 1, idle: true }, 20_000);
  // The next call takes its turn after the script's request; from then on the session is free.
  await client.layouts(token);
  await expect(client.validateSession(token)).resolves.toEqual({ inUse: false });
});

// `applied`: what the server truly did by the time we gave our judgement.
test.each<[string, TroubleRequest, Partial<FileMakerError>, number]>([
  [
    'cut before the work',
    { kind: 'cut', when: 'before' },
    { stage: 'unheard', resend: 'check', session: 'quarantine' },
    0,
  ],
  [
    'cut after the work',
    { kind: 'cut', when: 'after' },
    { stage: 'unheard', resend: 'check', session: 'quarantine' },
    1,
  ],
  ['half an answer', { kind: 'truncate' }, { stage: 'unheard', resend: 'check', session: 'quarantine' }, 1],
  [
    'a 502 page after the work',
    { kind: 'html', when: 'after' },
    { stage: 'unheard', resend: 'check', httpStatus: 502, circuit: true },
    1,
  ],
  [
    'a 502 page before the work',
    { kind: 'html', when: 'before' },
    { stage: 'unheard', resend: 'check', httpStatus: 502 },
    0,
  ],
  ['a 401 page', { kind: 'html', httpStatus: 401 }, { stage: 'unheard', resend: 'check' }, 0],
  [
    'a session closed from outside',
    { kind: 'kill' },
    { stage: 'unheard', resend: 'check', session: 'drop', code: 'FILEMAKER_WINDOW_MISSING' },
    1,
  ],
  ['an expired session', { kind: 'refuse', code: 952 }, { stage: 'refused', resend: 'yes', session: 'drop' }, 0],
  [
    'an error code under HTTP 200',
    { kind: 'refuse', code: 104, httpStatus: 200 },
    { stage: 'refused', resend: 'no', halt: 'script-missing' },
    0,
  ],
])('%s: judged so, asked once, done at most once', async (_what, trouble, expected, applied) => {
  const bench = await setup();
  const { token } = await bench.client.login();
  await bench.trouble({ ...trouble, on: ['script'] });
  expect(await failureOf(bench.client.runScript(token, RUN))).toMatchObject(expected);
  const { books } = bench.simulator;
  await books.waitFor({ applied, idle: true }, 20_000);
  expect(books.summary().requests.byEndpoint.script).toBe(1);
  expect(books.applied.get(KEY) ?? 0).toBe(applied);
});

test.each(['812', '956', '1212'])(
  'a full server answers %s at login: no room, no session taken',
  async (capacityCode) => {
    const { client, simulator } = await setup({ sessionsMax: 1, capacityCode });
    await client.login();
    expect(await failureOf(client.login())).toMatchObject({
      code: 'FILEMAKER_CAPACITY',
      resend: 'yes',
      session: 'drop',
      apiCode: capacityCode,
    });
    expect(simulator.books.summary().sessions.present).toBe(1);
  },
);

test('a wrong password stops logins', async () => {
  const { connect } = await setup();
  expect(await failureOf(connect({ password: 'wrong' }).login())).toMatchObject({
    code: 'FILEMAKER_CREDENTIALS',
    halt: 'credentials',
    resend: 'no',
  });
});

test('a token is not known under another spelling of the database', async () => {
  const { client, connect } = await setup();
  const { token } = await client.login();
  expect(await failureOf(connect({ database: 'shop' }).layouts(token))).toMatchObject({
    code: 'FILEMAKER_INVALID_TOKEN',
  });
});

test('a closed file is tried again at login and breaks the circuit', async () => {
  const { client, control } = await setup();
  await control('/databases/Shop/close', {});
  expect(await failureOf(client.login())).toMatchObject({
    code: 'FILEMAKER_DATABASE_UNAVAILABLE',
    resend: 'yes',
    circuit: true,
  });
});

test('a layout that is missing halts', async () => {
  const { client } = await setup();
  const { token } = await client.login();
  expect(await failureOf(client.runScript(token, { ...RUN, layout: 'A/B #1?x' }))).toMatchObject({
    halt: 'layout-missing',
  });
});
