// `./bridge filemaker check` and `sessions` as processes, against a FileMaker that has exactly one thing wrong at a time.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createFileMakerClient } from '@bridge/filemaker-client';
import {
  createFileMakerSimulator,
  type FileMakerSimulator,
  type SimulatorSettingsPatch,
  type TroubleRequest,
} from '@bridge/filemaker-simulator';
import { createGates } from '@bridge/gates';
import { fingerprint, readInstallation } from '@bridge/installation';
import { connectForCommands, disconnect, queuePrefix } from '@bridge/jobs';
import { createSessionPool, type SessionPool } from '@bridge/session-pool';
import { createTestDatabase, type RedisService, runBridge, startRedis } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { migrationSources } from './command-context';

// Commands as processes, several a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const fixture = (name: string): string => join(__dirname, '../../filemaker-client/test-fixtures', name);
const SCRIPT = 'STRIPE_PAYMENTLINK_SUCCESS';
const ALL = ['view', 'create', 'edit', 'delete'] as const;
type Account = NonNullable<SimulatorSettingsPatch['accounts']>[number];

/** The account as the script kit's README sets it up. */
const LEAST: Account = {
  name: 'bridge',
  password: 'bridge',
  hiddenLayouts: ['stock'],
  hiddenScripts: ['STRIPE_REFUND', 'STRIPE_DISPUTE'],
  denied: [
    { layout: 'bridge_log', actions: ['edit', 'delete'] },
    { layout: 'bridge_handoff', actions: ['edit', 'delete'] },
    { layout: 'web_invoices', actions: [...ALL] },
  ],
};
const account = (change: Partial<Account>): SimulatorSettingsPatch => ({ accounts: [{ ...LEAST, ...change }] });
const denied = (layout: string, ...actions: (typeof ALL)[number][]): SimulatorSettingsPatch =>
  account({ denied: [...(LEAST.denied ?? []), { layout, actions }] });

const checkSchema = z.strictObject({
  at: z.iso.datetime(),
  server: z.strictObject({ url: z.url(), database: z.string(), version: z.string().nullable() }),
  steps: z.array(
    z.strictObject({
      name: z.string(),
      outcome: z.enum(['fine', 'found', 'not-checked']),
      detail: z.string().min(1),
      codes: z.array(z.string()),
    }),
  ),
  faults: z.array(
    z.strictObject({
      code: z.string().regex(/^[A-Z_]+$/),
      weight: z.enum(['broken', 'note']),
      about: z.string().nullable(),
      what: z.string().min(10),
      why: z.string().min(10),
      todo: z.string().min(10),
    }),
  ),
  latency: z.strictObject({ calls: z.int(), medianMs: z.number(), slowestMs: z.number() }).nullable(),
  cart: z.strictObject({
    transport: z.enum(['get', 'handoff']),
    linesThatFit: z.int(),
    urlCharacters: z.int(),
    urlCharactersMax: z.literal(2_000),
  }),
  headroom: z.strictObject({ cap: z.int(), lent: z.int(), heldByOthers: z.int() }).nullable(),
  fine: z.boolean(),
});
const sessionsSchema = z.strictObject({
  at: z.iso.datetime(),
  cap: z.int().nullable(),
  sessions: z.array(
    z.strictObject({
      id: z.string(),
      state: z.enum(['opening', 'idle', 'leased', 'closing']),
      openedAt: z.iso.datetime(),
      answeredAt: z.iso.datetime().nullable(),
      leasedBy: z.string().nullable(),
      leasedAt: z.iso.datetime().nullable(),
      holderAlive: z.boolean().nullable(),
    }),
  ),
  pool: z.strictObject({
    heldUntil: z.iso.datetime().nullable(),
    heldBecause: z.string().nullable(),
    placesTaken: z.int(),
    placesTakenAt: z.iso.datetime().nullable(),
  }),
  closures: z.array(
    z.strictObject({ kind: z.string(), cause: z.string(), detail: z.string(), since: z.iso.datetime() }),
  ),
  fine: z.boolean(),
});

let redis: RedisService;
let database: Database;
let databaseUrl: string;
let folder: string;
const cleanups: (() => Promise<unknown>)[] = [];
const lastly: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  redis = await startRedis();
  lastly.push(() => redis.stop());
  const created = await createTestDatabase();
  databaseUrl = created.url;
  lastly.push(created.drop);
  await migrate(databaseUrl, migrationSources);
  database = createDatabase({ url: databaseUrl, poolMax: 3, applicationName: 'filemaker-cli-test' });
  lastly.push(() => database.close());
});
afterAll(async () => {
  for (const step of lastly.splice(0).reverse()) await step();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-filemaker-'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(folder, { recursive: true });
  await database.executor.execute(sql`delete from session_pool.sessions`);
  await database.executor.execute(
    sql`update session_pool.pool set held_until = null, held_because = null, failures = 0, shrunk_by = 0, next_login_at = null`,
  );
  await database.executor.execute(sql`delete from gates.closures`);
  await database.executor.execute(sql`update installation.installation set filemaker_fingerprint = null`);
});

interface Bench {
  simulator: FileMakerSimulator;
  url: string;
  env: Record<string, string>;
  control(path: string, body: unknown, method?: string): Promise<void>;
  run(
    args: readonly string[],
    env?: Record<string, string>,
  ): Promise<{ code: number | null; out: string; err: string }>;
  check(
    args?: readonly string[],
    env?: Record<string, string>,
  ): Promise<{ code: number | null; check: z.infer<typeof checkSchema>; codes: string[] }>;
}

async function setup(settings: SimulatorSettingsPatch = {}): Promise<Bench> {
  const simulator = createFileMakerSimulator({ loginMs: 0, ...account({}), ...settings });
  const { url } = await simulator.listen();
  cleanups.push(() => simulator.close());
  const control: Bench['control'] = async (path, body, method = 'POST') => {
    const response = await fetch(`${url}/_simulator${path}`, { method, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`control ${path}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  };
  const base: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    FILEMAKER_URL: url,
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
    FILEMAKER_PASSWORD: 'bridge',
    FILEMAKER_LOG_LAYOUT: 'bridge_log',
    FILEMAKER_HANDOFF_LAYOUT: 'bridge_handoff',
  };
  const run: Bench['run'] = (args, env = {}) => {
    const merged = Object.fromEntries(Object.entries({ ...base, ...env }).filter(([, value]) => value !== ''));
    return runBridge(args, merged, { cwd: folder });
  };
  return {
    simulator,
    url,
    env: base,
    control,
    run,
    check: async (args = [], env = {}) => {
      const ended = await run(['filemaker', 'check', '--json', ...args], env);
      if (ended.out === '') throw new Error(`no output, exit ${ended.code}: ${ended.err}`);
      const check = checkSchema.parse(JSON.parse(ended.out));
      return { code: ended.code, check, codes: check.faults.map(({ code }) => code).sort() };
    },
  };
}

/** No script ran, every session that was opened is logged out, and nothing counts any more. */
async function nothingLeft({ simulator }: Bench): Promise<void> {
  const { runs, sessions } = simulator.books.summary();
  const rows = await database.executor.execute(sql`select id from session_pool.sessions`);
  expect({ runs, present: sessions.present, rows: rows.rows.length }).toEqual({ runs: 0, present: 0, rows: 0 });
}

interface Plant {
  settings?: SimulatorSettingsPatch;
  env?: Record<string, string>;
  trouble?: TroubleRequest;
  yaml?: string;
  args?: string[];
  /** Anything else that has to be so before the check. */
  before?: (bench: Bench) => Promise<void>;
}

async function planted({ settings, env = {}, trouble, yaml, args, before }: Plant): Promise<{
  bench: Bench;
  code: number | null;
  check: z.infer<typeof checkSchema>;
  codes: string[];
}> {
  const bench = await setup(settings);
  await before?.(bench);
  if (trouble !== undefined) await bench.control('/trouble', trouble);
  const file = join(folder, 'bridge.yaml');
  if (yaml !== undefined) writeFileSync(file, yaml);
  const found = await bench.check(args, { ...env, ...(yaml === undefined ? {} : { BRIDGE_CONFIG: file }) });
  return { bench, ...found };
}

/** What the kit's script writes beside key, state and result. */
const KIT_FIELDS = ['script', 'payload_hash', 'invoice_id', 'started_at', 'finished_at', 'attempt'];
const KIT_KEY = { name: 'idempotency_key', unique: 'always', required: 'always' };
const kitLog = (without: readonly string[] = []): object[] =>
  ['state', 'result', ...KIT_FIELDS].filter((name) => !without.includes(name)).map((name) => ({ name }));

/** The shop's file with other definitions of the kit's tables. */
async function redefine(
  bench: Bench,
  change: { log?: object[]; handoff?: object[]; logFields?: string[] },
): Promise<void> {
  const fields = (names: string[]): object[] => names.map((name) => ({ name }));
  await bench.control(
    '/databases/Shop',
    {
      tables: {
        invoices: fields(['invoice_id']),
        log: change.log ?? [KIT_KEY, ...kitLog()],
        handoff: change.handoff ?? [KIT_KEY, ...fields(['payload'])],
      },
      layouts: {
        web_invoices: { table: 'invoices' },
        bridge_log: { table: 'log', ...(change.logFields === undefined ? {} : { fields: change.logFields }) },
        bridge_handoff: { table: 'handoff' },
      },
    },
    'PUT',
  );
}

test('a FileMaker that is set up as the kit says has no fault, keeps two rows of ours, and has every session back', async () => {
  const bench = await setup();
  const first = await bench.check(['--sessions']);
  expect(first.codes).toEqual([]);
  expect(first.code).toBe(0);
  expect(first.check).toMatchObject({
    fine: true,
    server: { url: bench.url, database: 'Shop', version: '22.0.4' },
    headroom: { cap: 5, lent: 5, heldByOthers: 0 },
    cart: { transport: 'handoff' },
  });
  expect(first.check.steps.map(({ outcome }) => outcome)).toEqual(Array(12).fill('fine'));
  expect(first.check.latency?.calls).toBeGreaterThanOrEqual(3);
  expect(bench.simulator.books.summary().sessions.peak).toBe(5);
  await nothingLeft(bench);

  const again = await bench.check();
  expect([again.code, again.codes]).toEqual([0, []]);
  expect(again.check.headroom).toBeNull();
  await nothingLeft(bench);
  const rowsOf = async (table: string): Promise<string[]> => {
    const response = await fetch(`${bench.url}/_simulator/databases/Shop/tables/${table}/records`);
    const { records } = (await response.json()) as { records: { fields: Record<string, string> }[] };
    return records.map(({ fields }) => String(fields.idempotency_key));
  };
  expect(await rowsOf('log')).toEqual([expect.stringMatching(/^bridge-sentinel-[0-9a-f]{32}$/)]);
  expect(await rowsOf('handoff')).toEqual([expect.stringMatching(/^bridge-check-[0-9a-f]{32}$/)]);
});

const YAML = (probe: string): string =>
  `invoices:\n  facts:\n    paid:\n      contract: plain\n      probe: { layout: ${probe}, match: checkout_session_id }\n`;
const OPEN_INVOICES: SimulatorSettingsPatch = account({
  denied: (LEAST.denied ?? []).filter(({ layout }) => layout !== 'web_invoices'),
});

/** What is planted, and every code that must be told, no other. */
const PLANTS: readonly (readonly [code: string, plant: Plant, besides?: string[]])[] = [
  ['SERVER_UNREACHABLE', { env: { FILEMAKER_URL: 'http://127.0.0.1:1' } }],
  ['DATA_API_AWAY', { trouble: { kind: 'html', on: ['productInfo'], httpStatus: 502 } }],
  ['SERVER_TOO_OLD', { settings: { serverVersion: '19.5.4' } }],
  [
    'OTHER_FILE',
    {
      before: async () => {
        const print = fingerprint('https://fm.example.com', 'Other');
        await database.executor.execute(sql`update installation.installation set filemaker_fingerprint = ${print}`);
      },
    },
  ],
  [
    'FILEMAKER_HALTED',
    { before: () => createGates(database).halt('filemaker', 'FILEMAKER_CREDENTIALS', 'refused', 'w') },
  ],
  ['FILEMAKER_PAUSED', { before: () => createGates(database).pause(`script:${SCRIPT}`, 'an update', 'ada') }],
  ['REDIS_AWAY', { env: { REDIS_URL: 'redis://127.0.0.1:1' } }],
  ['REDIS_AWAY', { env: { REDIS_URL: '' } }],
  ['LOGIN_REFUSED', { env: { FILEMAKER_PASSWORD: 'old' } }],
  ['LOGIN_LOCKED_OUT', { trouble: { kind: 'refuse', on: ['login'], code: 214, times: null } }],
  ['FILE_CLOSED', { before: (bench) => bench.control('/databases/Shop/close', { code: '802' }) }],
  ['LOGIN_FAILED', { trouble: { kind: 'refuse', on: ['login'], code: 1711, times: null } }],
  ['NO_ROOM', { settings: { sessionsMax: 0 } }],
  ['LAYOUT_MISSING', { env: { FILEMAKER_LAYOUT: 'nowhere' } }, ['MORE_LAYOUTS_THAN_NEEDED']],
  ['SCRIPT_MISSING', { env: { FILEMAKER_SCRIPT: 'NONE' } }, ['MORE_SCRIPTS_THAN_NEEDED']],
  ['LOG_LAYOUT_MISSING', { settings: account({ hiddenLayouts: ['stock', 'bridge_log'] }) }],
  ['LOG_FIELD_MISSING', { env: { FILEMAKER_LOG_KEY_FIELD: 'key' } }],
  ['LOG_FIELD_MISSING', { env: { FILEMAKER_LOG_STATE_FIELD: 'status' } }],
  [
    'LOG_FIELD_MISSING',
    { before: (bench) => redefine(bench, { logFields: ['idempotency_key', 'state', ...KIT_FIELDS] }) },
  ],
  ['LOG_HASH_MISSING', { before: (bench) => redefine(bench, { log: [KIT_KEY, ...kitLog(['payload_hash'])] }) }],
  [
    'LOG_KIT_FIELD_MISSING',
    { before: (bench) => redefine(bench, { log: [KIT_KEY, ...kitLog(['attempt', 'finished_at'])] }) },
    ['LOG_KIT_FIELD_MISSING'],
  ],
  ['LOG_NOT_WRITABLE', { settings: denied('bridge_log', 'create') }],
  [
    'LOG_NOT_WRITABLE',
    {
      before: (bench) =>
        redefine(bench, {
          log: [KIT_KEY, ...kitLog(['invoice_id']), { name: 'invoice_id', required: 'always' }],
        }),
    },
  ],
  ['LOG_NOT_READABLE', { settings: denied('bridge_log', 'view') }],
  ['LOG_KEY_NOT_UNIQUE', { before: (bench) => redefine(bench, { log: [{ name: 'idempotency_key' }, ...kitLog()] }) }],
  [
    'LOG_ROWS_EDITABLE',
    {
      settings: account({
        denied: [{ layout: 'bridge_log', actions: ['delete'] }],
      }),
    },
  ],
  ['LOG_UNSET', { env: { FILEMAKER_LOG_LAYOUT: '' } }, ['MORE_LAYOUTS_THAN_NEEDED']],
  ['HANDOFF_LAYOUT_MISSING', { settings: account({ hiddenLayouts: ['stock', 'bridge_handoff'] }) }],
  [
    'HANDOFF_FIELD_MISSING',
    { before: (bench) => redefine(bench, { handoff: [{ name: 'idempotency_key', unique: 'always' }] }) },
  ],
  ['HANDOFF_NOT_WRITABLE', { settings: denied('bridge_handoff', 'create') }],
  ['HANDOFF_NOT_READABLE', { settings: denied('bridge_handoff', 'view') }],
  [
    'HANDOFF_KEY_NOT_UNIQUE',
    { before: (bench) => redefine(bench, { handoff: ['idempotency_key', 'payload'].map((name) => ({ name })) }) },
  ],
  ['PROBE_LAYOUT_MISSING', { yaml: YAML('nowhere, field: stripe_session_id'), settings: OPEN_INVOICES }],
  ['PROBE_FIELD_MISSING', { yaml: YAML('web_invoices, field: nothing'), settings: OPEN_INVOICES }],
  [
    'PROBE_NOT_READABLE',
    {
      yaml: YAML('web_invoices, field: stripe_session_id'),
      trouble: { kind: 'refuse', on: ['find'], code: 201, about: 'stripe_session_id', times: null },
    },
  ],
  ['MORE_LAYOUTS_THAN_NEEDED', { settings: account({ hiddenLayouts: [] }) }],
  ['MORE_SCRIPTS_THAN_NEEDED', { settings: account({ hiddenScripts: [] }) }],
  ['SESSION_USE_UNTOLD', { settings: { isSessionInUseFlag: 'absent' } }],
  ['SESSIONS_FEWER_THAN_CAP', { settings: { sessionsMax: 3 }, args: ['--sessions'] }],
  ['ANSWERS_SLOW', { trouble: { kind: 'slow', on: ['find'], ms: 1_050, times: null } }],
  ['CART_LINES_FEW', { env: { FILEMAKER_HANDOFF_LAYOUT: '' } }, ['MORE_LAYOUTS_THAN_NEEDED']],
  [
    'CART_LINES_NONE',
    { env: { FILEMAKER_HANDOFF_LAYOUT: '', FILEMAKER_LAYOUT: 'ü'.repeat(200) } },
    ['LAYOUT_MISSING', 'MORE_LAYOUTS_THAN_NEEDED'],
  ],
  ['CALL_FAILED', { trouble: { kind: 'refuse', on: ['metadata'], code: 951, times: null } }],
];
const NOTES = new Set([
  'SERVER_TOO_OLD',
  'FILEMAKER_PAUSED',
  'LOG_UNSET',
  'LOG_ROWS_EDITABLE',
  'LOG_KIT_FIELD_MISSING',
  'MORE_LAYOUTS_THAN_NEEDED',
  'MORE_SCRIPTS_THAN_NEEDED',
  'SESSION_USE_UNTOLD',
  'ANSWERS_SLOW',
  'CART_LINES_FEW',
]);

describe('a planted fault is told by its name, with what to do, and no other', () => {
  test.each(PLANTS.map(([code, plant, besides = []]) => ({ code, plant, besides })))(
    '$code',
    async ({ code: expected, plant, besides }) => {
      const { bench, code, check, codes } = await planted(plant);
      expect(codes).toEqual([expected, ...besides].sort());
      expect(code).toBe(codes.every((one) => NOTES.has(one)) ? 0 : 1);
      expect(check.fine).toBe(code === 0);
      expect(check.faults.map(({ code: one, weight }) => [one, weight])).toEqual(
        check.faults.map(({ code: one }) => [one, NOTES.has(one) ? 'note' : 'broken']),
      );
      // Every fault belongs to the step that found it.
      expect(check.steps.flatMap((step) => step.codes).sort()).toEqual(codes);
      expect(JSON.stringify(check)).not.toMatch(/\{about\}|null characters/);
      if (expected !== 'CALL_FAILED') await nothingLeft(bench);
      else expect(bench.simulator.books.summary().runs).toBe(0);
    },
  );

  test('CERTIFICATE_NOT_TRUSTED, until FILEMAKER_CA_FILE names the authority', async () => {
    const simulator = createFileMakerSimulator({
      ...account({}),
      tlsKeyFile: fixture('test-localhost.key.pem'),
      tlsCertFile: fixture('test-localhost.pem'),
    });
    const { port } = await simulator.listen();
    cleanups.push(() => simulator.close());
    const bench = await setup();
    const env = { FILEMAKER_URL: `https://localhost:${port}` };
    expect(await bench.check([], env)).toMatchObject({ code: 1, codes: ['CERTIFICATE_NOT_TRUSTED'] });
    expect(simulator.books.logins).toEqual([]);
    const trusted = await bench.check([], { ...env, FILEMAKER_CA_FILE: fixture('test-authority.pem') });
    expect(trusted).toMatchObject({ code: 0, codes: [] });
  });

  test('TOKEN_KEY_DIFFERS: a session that a worker has sealed with another key is not touched', async () => {
    const bench = await setup();
    const worker = await registerWorker(database, { app: 'worker' });
    cleanups.push(() => worker.stop());
    const keyed = (fill: number) => ({
      FILEMAKER_TOKEN_KEY: Buffer.alloc(32, fill).toString('base64'),
      FILEMAKER_MAX_SESSIONS: '1',
    });
    expect((await bench.check([], keyed(1))).codes).toEqual([]);
    expect(bench.simulator.books.summary().sessions.present).toBe(1);
    expect(await bench.check([], keyed(2))).toMatchObject({ code: 1, codes: ['TOKEN_KEY_DIFFERS'] });
    expect(bench.simulator.books.summary().sessions).toMatchObject({ present: 1, opened: 1 });
  });
});

/** The pool as a worker has it. */
async function poolOf(bench: Bench, worker: WorkerRegistration, key: Buffer): Promise<SessionPool> {
  const producer = connectForCommands(redis.url, { commandTimeoutMs: 5_000, onError: () => undefined });
  cleanups.push(() => disconnect(producer));
  await once(producer, 'ready');
  const client = createFileMakerClient({
    url: bench.url,
    database: 'Shop',
    username: 'bridge',
    password: 'bridge',
    timeoutMs: 20_000,
  });
  cleanups.push(() => client.close());
  const { id } = await readInstallation(database);
  const pool = createSessionPool({
    database,
    redis: producer,
    keyPrefix: `${queuePrefix('bridge', id)}:filemaker`,
    opener: {
      open: () => client.login(),
      close: (token) => client.logout(token),
      validate: async (token) => ((await client.validateSession(token)).inUse === true ? 'busy' : 'free'),
      classify: () => 'unheard',
    },
    cap: 5,
    scriptMaxMs: 120_000,
    leaseMs: 60_000,
    tokenKeys: [key],
    owner: worker.id,
    isOwnerAlive: (owners) => worker.alive(owners),
    halts: { isHalted: async () => undefined, halt: async () => undefined },
  });
  await pool.start();
  cleanups.push(() => pool.stop({ closeIdle: true }));
  return pool;
}

describe('the check beside running workers', () => {
  test('check and workers together never pass the cap, and what is idle afterwards is left to the workers', async () => {
    const bench = await setup();
    const worker = await registerWorker(database, { app: 'worker' });
    cleanups.push(() => worker.stop());
    const key = Buffer.alloc(32, 1);
    const pool = await poolOf(bench, worker, key);
    const atWork = await Promise.all([1, 2, 3].map(() => pool.lease({ waitMs: 20_000 })));
    const { code, check } = await bench.check(['--sessions'], { FILEMAKER_TOKEN_KEY: key.toString('base64') });
    expect([code, check.headroom]).toEqual([0, { cap: 5, lent: 2, heldByOthers: 3 }]);
    for (const lease of atWork) expect(await pool.giveBack(lease, 'idle')).toBe(true);
    expect(bench.simulator.books.summary().sessions).toMatchObject({ peak: 5, present: 5, opened: 5 });
  });

  test('SESSION_NOT_LENT: with all of them at work it says so and opens none', async () => {
    const bench = await setup();
    const worker = await registerWorker(database, { app: 'worker' });
    cleanups.push(() => worker.stop());
    const key = Buffer.alloc(32, 1);
    const pool = await poolOf(bench, worker, key);
    const atWork = await Promise.all([1, 2, 3, 4, 5].map(() => pool.lease({ waitMs: 20_000 })));
    const { code, codes } = await bench.check([], { FILEMAKER_TOKEN_KEY: key.toString('base64') });
    expect([code, codes]).toEqual([1, ['SESSION_NOT_LENT']]);
    for (const lease of atWork) await pool.giveBack(lease, 'idle');
    expect(bench.simulator.books.summary().sessions).toMatchObject({ peak: 5, opened: 5 });
  });

  test('a refused password stops nobody but this command, and is tried once', async () => {
    const bench = await setup();
    await bench.check([], { FILEMAKER_PASSWORD: 'old' });
    expect(bench.simulator.books.logins.map(({ code }) => code)).toEqual(['212']);
    expect(await createGates(database).closures()).toEqual([]);
  });

  test('a session that FileMaker has forgotten is replaced, not reported', async () => {
    const bench = await setup();
    const worker = await registerWorker(database, { app: 'worker' });
    cleanups.push(() => worker.stop());
    await bench.check();
    await bench.control('/sessions', undefined, 'DELETE');
    expect(await bench.check()).toMatchObject({ code: 0, codes: [] });
  });
});

test('for people: what was looked at, what was found, why it matters and what to do', async () => {
  const bench = await setup({ ...denied('bridge_log', 'view') });
  const { code, out } = await bench.run(['filemaker', 'check']);
  expect(code).toBe(1);
  expect(out).toContain('✗  Log ');
  expect(out).toMatch(/✗ LOG_NOT_READABLE\n {2}The bridge's own row is in the log and is not found/);
  expect(out).toMatch(/ {2}Why: A log that hides rows/);
  expect(out).toMatch(/ {2}Do: Let the account view all records of the log table/);
  expect(out).toContain('1 of these keeps payments from arriving');
  expect(out.split('\n').every((line) => line.length <= 100)).toBe(true);
  expect(out).not.toMatch(/null|undefined|NaN/);
});

test('without FileMaker in the configuration it says what is missing', async () => {
  const bench = await setup();
  const none = { FILEMAKER_URL: '', FILEMAKER_DATABASE: '', FILEMAKER_USERNAME: '', FILEMAKER_PASSWORD: '' };
  const ended = await bench.run(['filemaker', 'check', '--json'], { ...none, FILEMAKER_LOG_LAYOUT: '' });
  expect([ended.code, JSON.parse(ended.out)]).toEqual([
    78,
    { error: { code: 'FILEMAKER_NOT_CONFIGURED', message: expect.stringContaining('FILEMAKER_URL') } },
  ]);
});

describe('filemaker sessions', () => {
  test('lists every right with its holder, and never a token', async () => {
    const bench = await setup();
    const worker = await registerWorker(database, { app: 'worker' });
    cleanups.push(() => worker.stop());
    await bench.check();
    await database.executor.execute(
      sql`update session_pool.sessions set lease_id = 'x.1', leased_by = ${worker.id}, leased_at = clock_timestamp(), fence = 7`,
    );
    const ended = await bench.run(['filemaker', 'sessions', '--json']);
    const listed = sessionsSchema.parse(JSON.parse(ended.out));
    expect(ended.code).toBe(0);
    expect(listed).toMatchObject({ cap: 5, fine: true, closures: [] });
    expect(listed.sessions).toMatchObject([
      { state: 'leased', leasedBy: expect.stringMatching(/^worker .+:\d+$/), holderAlive: true },
    ]);
    const { out } = await bench.run(['filemaker', 'sessions']);
    expect(out).toContain('1 of 5 sessions.');
    expect(out).toMatch(/leased .*worker/);
  });

  test('a full server and a halt are told, with exit 1', async () => {
    const bench = await setup();
    await database.executor.execute(
      sql`update session_pool.pool set held_until = clock_timestamp() + interval '1 hour', held_because = 'capacity'`,
    );
    await createGates(database).halt('filemaker', 'FILEMAKER_CREDENTIALS', 'the account is refused', 'worker-1');
    const { code, out } = await bench.run(['filemaker', 'sessions']);
    expect(code).toBe(1);
    expect(out).toContain('✗ halt, FILEMAKER_CREDENTIALS: the account is refused');
    expect(out).toMatch(/! No login before .*: capacity\./);
    expect(out).toContain('0 of 5 sessions.');
  });
});
