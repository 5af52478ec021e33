// `./bridge doctor` as a process, against a bridge that is healthy but for exactly one thing at a time.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createFileMakerSimulator, type FileMakerSimulator } from '@bridge/filemaker-simulator';
import { flows, wantedEventTypes } from '@bridge/flows';
import { createGates } from '@bridge/gates';
import { createInbox } from '@bridge/inbox';
import { fingerprint, readInstallation } from '@bridge/installation';
import { createFailedBoard, createProducer, type Producer, queuePrefix, restoreSchedules } from '@bridge/jobs';
import { listAudit } from '@bridge/operations';
import { createStripeSimulator, type StripeSimulator } from '@bridge/stripe-simulator';
import { createTestDatabase, type RedisService, runBridge, startRedis } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { roundSchedules } from '../../../apps/scheduler/src/round-schedules';
import { schedulesOf } from '../../../apps/scheduler/src/schedules';
import { migrationSources } from './command-context';

// Commands as processes, several a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const KEY = 'rk_test_doctor';
const READS = [
  'account',
  'checkout_sessions',
  'payment_intents',
  'charges',
  'refunds',
  'disputes',
  'events',
  'products',
  'shipping_rates',
  'webhook_endpoints',
].map((resource) => `${resource}:read`);
const WANTS = [...wantedEventTypes(['invoices'])];
const ACCOUNT = 'acct_1SimulatedShop000';

const reportSchema = z.strictObject({
  at: z.iso.datetime(),
  version: z.string(),
  sections: z.array(
    z.strictObject({
      name: z.string(),
      outcome: z.enum(['fine', 'found', 'not-checked']),
      detail: z.string().min(1),
      codes: z.array(z.string()),
    }),
  ),
  faults: z.array(
    z.strictObject({
      section: z.string(),
      code: z.string().regex(/^[A-Z_]+$/),
      weight: z.enum(['broken', 'note']),
      about: z.string().nullable(),
      what: z.string().min(8),
      why: z.string().min(8),
      todo: z.string().min(8),
      runbook: z.string().regex(/^[a-z-]+$/),
    }),
  ),
  fix: z
    .strictObject({
      endpointId: z.string(),
      url: z.url(),
      enable: z.boolean(),
      add: z.array(z.string()),
      remove: z.array(z.string()),
      enabledEvents: z.array(z.string()),
      mark: z.strictObject({ name: z.string(), value: z.string() }),
    })
    .nullable(),
  fixed: z
    .union([
      z.strictObject({ kind: z.literal('done') }),
      z.strictObject({ kind: z.literal('refused'), code: z.string(), reason: z.string() }),
    ])
    .nullish(),
  fine: z.boolean(),
});
type Report = z.infer<typeof reportSchema>;

let redis: RedisService;
let database: Database;
let databaseUrl: string;
let installationId: string;
let producer: Producer;
let worker: WorkerRegistration;
let scheduler: WorkerRegistration;
let stripe: StripeSimulator;
let filemaker: FileMakerSimulator;
let door: { url: string; answer: { status: number; location?: string } };
let endpointId: string;
let folder: string;
let env: Record<string, string>;
const cleanups: (() => Promise<unknown>)[] = [];
const lastly: (() => Promise<unknown>)[] = [];

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const closing = (server: Server) => () =>
  new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

beforeAll(async () => {
  redis = await startRedis({ appendOnly: true });
  lastly.push(() => redis.stop());
  const created = await createTestDatabase();
  databaseUrl = created.url;
  lastly.push(created.drop);
  await migrate(databaseUrl, migrationSources);
  database = createDatabase({ url: databaseUrl, poolMax: 3, applicationName: 'doctor-test' });
  lastly.push(() => database.close());
  ({ id: installationId } = await readInstallation(database));
  producer = createProducer({ redisUrl: redis.url, prefix: queuePrefix('bridge', installationId) });
  lastly.push(() => producer.close());
  await producer.redis.ping().catch(() => new Promise((resolve) => producer.redis.once('ready', resolve)));
});
afterAll(async () => {
  for (const step of lastly.splice(0).reverse()) await step();
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-doctor-'));
  worker = await registerWorker(database, { app: 'worker' });
  scheduler = await registerWorker(database, { app: 'scheduler' });
  cleanups.push(
    () => worker.stop(),
    () => scheduler.stop(),
  );
  // The scheduler's own list: the doctor says its names again, since a command cannot import an app.
  const config = { flows: ['invoices'], schedules: {}, timezone: 'UTC', mode: 'live' } as const;
  const rounds = roundSchedules({ ...config, stripe: { delivery: 'webhook', pullSeconds: 60 } });
  await restoreSchedules(producer, [...schedulesOf(flows, config), ...rounds], ['reconciliations', 'rounds']);

  const answer: typeof door.answer = { status: 405 };
  const server = createServer((_request, response) => {
    response.writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location });
    response.end();
  });
  door = { url: `${await listening(server)}/webhooks/stripe`, answer };
  cleanups.push(closing(server));

  stripe = createStripeSimulator({ restrictedKeys: { [KEY]: READS }, delivery: { atOnce: false } });
  const { url: stripeUrl } = await stripe.listen();
  cleanups.push(() => stripe.close());
  endpointId = stripe.control.addEndpoint({ url: door.url, enabledEvents: WANTS, apiVersion: '2026-10-28.endive' })
    .value.id;

  filemaker = createFileMakerSimulator({
    loginMs: 0,
    accounts: [
      {
        name: 'bridge',
        password: 'bridge',
        hiddenLayouts: ['stock'],
        hiddenScripts: ['STRIPE_REFUND', 'STRIPE_DISPUTE'],
        denied: [
          { layout: 'bridge_log', actions: ['edit', 'delete'] },
          { layout: 'bridge_handoff', actions: ['edit', 'delete'] },
          { layout: 'web_invoices', actions: ['view', 'create', 'edit', 'delete'] },
        ],
      },
    ],
  });
  const { url: filemakerUrl } = await filemaker.listen();
  cleanups.push(() => filemaker.close());
  env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    STRIPE_API_KEY: KEY,
    STRIPE_API_BASE: stripeUrl,
    STRIPE_WEBHOOK_SECRETS: 'whsec_simulator',
    FILEMAKER_URL: filemakerUrl,
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
    FILEMAKER_PASSWORD: 'bridge',
    FILEMAKER_LOG_LAYOUT: 'bridge_log',
    FILEMAKER_HANDOFF_LAYOUT: 'bridge_handoff',
  };
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(folder, { recursive: true });
  await producer.redis.flushall();
  await database.executor.execute(sql`delete from session_pool.sessions`);
  await database.executor.execute(sql`delete from gates.closures`);
  await database.executor.execute(sql`delete from gates.circuits`);
  await database.executor.execute(sql`delete from inbox.events`);
  await database.executor.execute(
    sql`update installation.installation set stripe_fingerprint = null, filemaker_fingerprint = null`,
  );
});

/** A variable that is given as empty is left out. */
function run(args: readonly string[], given = env) {
  const settings = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  return runBridge(['doctor', ...args], settings, { cwd: folder });
}

async function examine(
  change: Record<string, string> = {},
  args: readonly string[] = [],
): Promise<{ code: number | null; report: Report; codes: string[] }> {
  const ended = await run(['--json', ...args], { ...env, ...change });
  if (ended.out === '') throw new Error(`no output, exit ${ended.code}: ${ended.err}`);
  const report = reportSchema.parse(JSON.parse(ended.out));
  return { code: ended.code, report, codes: report.faults.map(({ code }) => code).sort() };
}

test('a healthy bridge has no fault, and every section was looked at', async () => {
  const { code, report, codes } = await examine();
  expect(codes).toEqual([]);
  expect(report.sections.map(({ name, outcome }) => [name, outcome])).toEqual(
    ['configuration', 'postgresql', 'redis', 'clock', 'stripe', 'webhook', 'filemaker', 'work'].map((name) => [
      name,
      'fine',
    ]),
  );
  expect([code, report.fine, report.fix]).toEqual([0, true, null]);
});

const execute = (query: ReturnType<typeof sql>): Promise<unknown> => database.executor.execute(query);
const config = (name: string, value: string): Promise<unknown> => producer.redis.config('SET', name, value);
/** Sets one of Redis's settings for this test. */
async function redisSetting(name: string, value: string): Promise<void> {
  const [, was = ''] = (await producer.redis.config('GET', name)) as string[];
  cleanups.push(() => config(name, was));
  await config(name, value);
}

interface Plant {
  env?: () => Record<string, string> | Promise<Record<string, string>>;
  args?: string[];
  /** Anything else that has to be so before. */
  before?: () => unknown;
}
const addOther = (url: string, more: object = {}) =>
  stripe.control.addEndpoint({ url, enabledEvents: WANTS, ...more }).value.id;

/** What is planted, and every code that must be told, no other. */
const PLANTS: readonly (readonly [code: string, plant: Plant, besides?: string[]])[] = [
  ['CONFIGURATION_FAULTY', { env: () => ({ STRIPE_WEBHOOK_SECRETS: 'sk_test_wrong_kind' }) }],
  [
    'ENV_FILE_OPEN',
    {
      env: () => {
        const lines = Object.entries(env).map(([name, value]) => `${name}=${value}`);
        writeFileSync(join(folder, '.env'), lines.join('\n'));
        chmodSync(join(folder, '.env'), 0o644);
        return Object.fromEntries(Object.keys(env).map((name) => [name, '']));
      },
    },
  ],
  [
    'SECRET_FILE_OPEN',
    {
      env: () => {
        const file = join(folder, 'key');
        writeFileSync(file, KEY);
        chmodSync(file, 0o644);
        return { STRIPE_API_KEY: '', STRIPE_API_KEY_FILE: file };
      },
    },
  ],
  ['POSTGRESQL_AWAY', { env: () => ({ DATABASE_URL: 'postgresql://a:b@127.0.0.1:1/c' }) }],
  [
    'POSTGRESQL_REFUSED',
    {
      env: () => {
        const url = new URL(databaseUrl);
        url.password = 'wrong';
        return { DATABASE_URL: url.href };
      },
    },
  ],
  [
    'MIGRATIONS_PENDING',
    {
      env: async () => {
        const empty = await createTestDatabase();
        cleanups.push(empty.drop);
        return { DATABASE_URL: empty.url };
      },
    },
  ],
  [
    'MIGRATIONS_NEWER',
    {
      before: async () => {
        cleanups.push(() => execute(sql`delete from bridge.migrations where name like '9999%'`));
        await execute(
          sql`insert into bridge.migrations (owner, name, sha256) values ('inbox', '9999-from-tomorrow.sql', 'x')`,
        );
      },
    },
  ],
  [
    'COMMITS_NOT_SYNCED',
    {
      before: async () => {
        const name = sql.identifier(new URL(databaseUrl).pathname.slice(1));
        cleanups.push(() => execute(sql`alter database ${name} reset synchronous_commit`));
        await execute(sql`alter database ${name} set synchronous_commit = off`);
      },
    },
  ],
  ['CONNECTIONS_SCARCE', { env: () => ({ DATABASE_POOL_MAX: '90' }) }],
  ['REDIS_AWAY', { env: () => ({ REDIS_URL: 'redis://127.0.0.1:1' }) }],
  ['REDIS_REFUSED', { before: () => redisSetting('requirepass', 'a-password') }],
  ['REDIS_EVICTS', { before: () => redisSetting('maxmemory-policy', 'allkeys-lru') }],
  ['REDIS_FORGETS', { before: () => redisSetting('appendonly', 'no') }],
  [
    'REDIS_MEMORY_SHORT',
    {
      before: async () => {
        const used = Number(/used_memory:(\d+)/.exec(await producer.redis.info('memory'))?.[1]);
        await redisSetting('maxmemory', String(Math.round(used * 1.15)));
      },
    },
  ],
  ['CLOCK_DIFFERS', { env: async () => ({ STRIPE_API_BASE: await withOtherClock(env.STRIPE_API_BASE ?? '') }) }],
  ['CHECK_NOT_ANSWERED', { env: async () => ({ STRIPE_API_BASE: await withoutLists(env.STRIPE_API_BASE ?? '') }) }],
  ['STRIPE_AWAY', { env: () => ({ STRIPE_API_BASE: 'http://127.0.0.1:1' }) }],
  ['STRIPE_KEY_REFUSED', { env: () => ({ STRIPE_API_KEY: 'rk_test_revoked' }) }],
  [
    'STRIPE_READ_MISSING',
    {
      before: () =>
        stripe.control.changeSettings({ restrictedKeys: { [KEY]: READS.filter((read) => !/disputes/.test(read)) } }),
    },
  ],
  [
    'STRIPE_READ_WANTED',
    {
      before: () =>
        stripe.control.changeSettings({ restrictedKeys: { [KEY]: READS.filter((read) => !/webhook/.test(read)) } }),
    },
  ],
  ['STRIPE_OTHER_ACCOUNT', { before: () => belongsTo('acct_other', 'test') }],
  ['STRIPE_OTHER_MODE', { before: () => belongsTo(ACCOUNT, 'live') }],
  [
    'STRIPE_TEST_KEY_IN_PRODUCTION',
    { env: () => ({ NODE_ENV: 'production', FILEMAKER_TOKEN_KEY: Buffer.alloc(32, 7).toString('base64') }) },
  ],
  ['ENDPOINT_MISSING', { before: () => stripe.control.removeEndpoint(endpointId) }],
  ['ENDPOINT_MISSING', { args: ['--url', 'https://pay.example.com/webhooks/stripe'] }],
  [
    'ENDPOINT_AMBIGUOUS',
    { before: () => addOther('https://b.example.com/webhooks/stripe', { enabledEvents: ['a.b'] }) },
  ],
  ['ENDPOINT_DISABLED', { before: () => stripe.control.changeEndpoint(endpointId, { disabled: true }) }],
  [
    'ENDPOINT_TYPES_MISSING',
    { before: () => stripe.control.changeEndpoint(endpointId, { enabledEvents: WANTS.slice(2) }) },
  ],
  ['ENDPOINT_TYPES_UNNEEDED', { before: () => stripe.control.changeEndpoint(endpointId, { enabledEvents: ['*'] }) }],
  ['ENDPOINT_NOT_ALONE', { before: () => addOther('https://old.example.com/stripe.php') }],
  [
    'ENDPOINT_OF_OTHER_BRIDGE',
    {
      before: () => {
        stripe.control.removeEndpoint(endpointId);
        addOther(door.url, { metadata: { bridge_installation: 'another' } });
      },
      env: () => ({ STRIPE_WEBHOOK_URL: door.url }),
    },
  ],
  [
    'ENDPOINT_VERSION_OLD',
    {
      before: () => {
        stripe.control.removeEndpoint(endpointId);
        addOther(door.url, { apiVersion: '2020-08-27' });
      },
    },
  ],
  [
    'ENDPOINT_REDIRECTS',
    { before: () => Object.assign(door.answer, { status: 308, location: 'https://www.example.com/' }) },
  ],
  ['ENDPOINT_NOT_OURS', { before: () => Object.assign(door.answer, { status: 404 }) }],
  [
    'ENDPOINT_UNREACHABLE',
    { before: () => stripe.control.changeEndpoint(endpointId, { url: 'http://127.0.0.1:1/webhooks/stripe' }) },
  ],
  [
    'DELIVERIES_PENDING',
    {
      before: () => {
        stripe.control.changeClock({ advanceMs: -600_000 });
        stripe.control.createSale({ invoiceId: '18637' });
        stripe.control.changeClock({ advanceMs: 600_000 });
      },
      env: () => ({ RECONCILE_FROM: '2020-01-01T00:00:00Z' }),
    },
  ],
  ['PULL_LATE', { env: () => ({ STRIPE_DELIVERY: 'pull' }), before: () => stripe.control.removeEndpoint(endpointId) }],
  ['SERVER_UNREACHABLE', { env: () => ({ FILEMAKER_URL: 'http://127.0.0.1:1' }) }],
  ['LOGIN_REFUSED', { env: () => ({ FILEMAKER_PASSWORD: 'old' }) }],
  ['SCRIPT_MISSING', { env: () => ({ FILEMAKER_SCRIPT: 'NONE' }) }, ['MORE_SCRIPTS_THAN_NEEDED']],
  ['WORKER_MISSING', { before: () => worker.stop() }],
  ['SCHEDULER_MISSING', { before: () => scheduler.stop() }],
  ['HALTED', { before: () => createGates(database).halt('filemaker', 'FILEMAKER_CREDENTIALS', 'refused', 'w') }],
  ['PAUSED', { before: () => createGates(database).pause('flow:invoices', 'an update', 'ada') }],
  ['PEER_AWAY', { before: () => createGates(database).openCircuit('stripe', 'no answer') }],
  [
    'WORK_LATE',
    {
      before: async () => {
        await receive('evt_late');
        await execute(sql`update inbox.events set received_at = clock_timestamp() - interval '20 minutes'`);
      },
    },
  ],
  [
    'PEOPLE_WAITED_FOR',
    {
      before: async () => {
        await receive('evt_parked');
        await execute(
          sql`update inbox.events set state = 'parked', reason_code = 'X', reason = 'why', finished_at = clock_timestamp()`,
        );
      },
    },
  ],
  [
    'JOBS_FAILED',
    {
      before: async () => {
        const board = createFailedBoard({
          producer,
          redisUrl: redis.url,
          prefix: queuePrefix('bridge', installationId),
          onError: () => undefined,
        });
        cleanups.push(() => board.close());
        const job = { queue: 'reconciliations', id: 'run_1', data: { runId: '1' } } as const;
        await board.show([{ job, reason: 'X: it failed', since: new Date() }]);
      },
    },
  ],
  [
    'SIGNATURES_REFUSED',
    {
      before: async () => {
        cleanups.push(() => execute(sql`delete from inbox.rejections`));
        const inbox = createInbox(database);
        for (let n = 0; n < 3; n += 1) await inbox.recordRejection({ reason: 'SIGNATURE_WRONG', bytes: 9 });
      },
    },
  ],
  ['SCHEDULES_MISSING', { env: () => ({ QUEUE_PREFIX: 'other' }) }],
  [
    'SCHEDULE_STUCK',
    {
      before: () =>
        producer.redis.zadd(
          `${queuePrefix('bridge', installationId)}:reconciliations:repeat`,
          Date.now() - 600_000,
          'reconcile-invoices-recent',
        ),
    },
  ],
  [
    'SCHEDULE_LATE',
    {
      before: () =>
        execute(
          sql`update claims.workers set started_at = clock_timestamp() - interval '1 hour' where id = ${worker.id}`,
        ),
    },
  ],
];
const NOTES = new Set([
  'SECRET_FILE_OPEN',
  'REDIS_FORGETS',
  'STRIPE_READ_WANTED',
  'STRIPE_TEST_KEY_IN_PRODUCTION',
  'ENDPOINT_TYPES_UNNEEDED',
  'ENDPOINT_VERSION_OLD',
  'ENDPOINT_UNREACHABLE',
  'PAUSED',
  'PEOPLE_WAITED_FOR',
  'MORE_SCRIPTS_THAN_NEEDED',
]);

const belongsTo = (account: string, mode: string): Promise<unknown> =>
  execute(sql`update installation.installation set stripe_fingerprint = ${fingerprint(account, mode)}`);

async function receive(eventId: string): Promise<void> {
  await createInbox(database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId,
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: 'cs_1',
      eventCreatedAt: null,
      body: Buffer.from('{}'),
      ignoredBecause: null,
    },
  ]);
}

/** The same Stripe, through somebody whose clock is three minutes ahead. */
const withOtherClock = (target: string): Promise<string> => between(target, { aheadMs: 180_000, fails: '' });

/** The same Stripe, which knows a single object and fails at lists. */
const withoutLists = (target: string): Promise<string> =>
  between(target, { aheadMs: 0, fails: '/v1/webhook_endpoints?' });

async function between(target: string, { aheadMs, fails }: { aheadMs: number; fails: string }): Promise<string> {
  const server = createServer((request, response) => {
    if (fails !== '' && request.url?.startsWith(fails) === true) {
      response.writeHead(500).end();
      return;
    }
    void fetch(`${target}${request.url ?? ''}`, {
      headers: { authorization: request.headers.authorization ?? '' },
    }).then(async (answer) => {
      response.writeHead(answer.status, {
        'content-type': answer.headers.get('content-type') ?? 'application/json',
        date: new Date(Date.now() + aheadMs).toUTCString(),
      });
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
  });
  const url = await listening(server);
  cleanups.push(closing(server));
  return url;
}

describe('a planted fault is told by its name, with what to do, and no other', () => {
  test.each(PLANTS.map(([code, plant, besides = []]) => ({ code, plant, besides })))(
    '$code',
    async ({ code: expected, plant, besides }) => {
      await plant.before?.();
      const { code, report, codes } = await examine(await plant.env?.(), plant.args);
      expect(codes).toEqual([expected, ...besides].sort());
      expect(code).toBe(codes.every((one) => NOTES.has(one)) ? 0 : 1);
      expect(report.fine).toBe(code === 0);
      expect(report.faults.map(({ code: one, weight }) => [one, weight])).toEqual(
        report.faults.map(({ code: one }) => [one, NOTES.has(one) ? 'note' : 'broken']),
      );
      expect(report.sections.flatMap((section) => section.codes).sort()).toEqual(codes);
      expect(JSON.stringify(report)).not.toMatch(/\{about\}|undefined|whsec_simulator|"bridge:bridge/);
    },
  );
});

describe('a faulty setting hides only what cannot be looked at without it, and is named there', () => {
  test.each<{ given: Record<string, string>; hidden: string[]; faults?: number }>([
    { given: { DATABASE_URL: 'mysql://a:b@127.0.0.1/c' }, hidden: ['postgresql', 'webhook', 'work'] },
    { given: { DATABASE_URL: '' }, hidden: ['postgresql', 'webhook', 'work'] },
    { given: { REDIS_URL: 'http://127.0.0.1' }, hidden: ['redis'] },
    { given: { QUEUE_PREFIX: 'a b' }, hidden: ['redis'] },
    { given: { STRIPE_API_KEY: 'pk_test_doctor' }, hidden: ['stripe', 'webhook'] },
    { given: { STRIPE_API_BASE: 'nowhere' }, hidden: ['stripe', 'webhook'] },
    { given: { STRIPE_WEBHOOK_URL: 'nowhere' }, hidden: ['webhook'] },
    { given: { FILEMAKER_URL: 'ftp://fm.example.com' }, hidden: ['filemaker'] },
    { given: { FILEMAKER_TOKEN_KEY: 'short' }, hidden: ['filemaker'] },
    { given: { BRIDGE_CONFIG: '/nowhere/bridge.yaml' }, hidden: ['filemaker', 'work'] },
    { given: { FLOWS: 'nope' }, hidden: ['stripe', 'webhook', 'work'] },
    { given: { TIMEZONE: 'Mars/Olympus', LOG_LEVEL: 'loud', PORT: 'x' }, hidden: [], faults: 3 },
  ])('$given hides $hidden', async ({ given, hidden, faults = 1 }) => {
    const { code, report, codes } = await examine(given);
    expect(codes).toEqual(Array.from({ length: faults }, () => 'CONFIGURATION_FAULTY'));
    const names = Object.keys(given);
    expect(report.faults.map(({ what }) => what.split(' ')[0]).sort()).toEqual([...names].sort());
    expect(report.sections.filter(({ outcome }) => outcome === 'not-checked').map(({ name }) => name)).toEqual(hidden);
    const others = report.sections.filter(({ name }) => name !== 'configuration' && !hidden.includes(name));
    expect(others.map(({ outcome }) => outcome)).toEqual(others.map(() => 'fine'));
    for (const { name, detail } of report.sections)
      if (hidden.includes(name)) expect(detail).toContain(`because of ${names[0]}`);
    expect([code, report.fine]).toEqual([1, false]);
  });

  test('a section that was looked at in part says which part not, and because of what', async () => {
    const { report } = await examine({ REDIS_URL: 'http://127.0.0.1', STRIPE_API_BASE: 'nowhere' });
    const detail = Object.fromEntries(report.sections.map((section) => [section.name, section.detail]));
    expect(detail.filemaker).toContain('sessions not looked at because of REDIS_URL');
    expect(detail.work).toContain('schedules and jobs not looked at because of REDIS_URL');
    expect(detail.clock).toMatch(/^PostgreSQL agrees.*; not asked: Redis, Stripe$/);
  });

  test('what else is wrong is found beside it', async () => {
    await redisSetting('maxmemory-policy', 'allkeys-lru');
    stripe.control.changeEndpoint(endpointId, { disabled: true });
    const { code, codes } = await examine({ TIMEZONE: 'Mars/Olympus', STRIPE_READS_PER_SECOND: 'many' });
    expect(codes).toEqual(['CONFIGURATION_FAULTY', 'CONFIGURATION_FAULTY', 'ENDPOINT_DISABLED', 'REDIS_EVICTS']);
    expect(code).toBe(1);
  });

  test('without a sound DATABASE_URL a FileMaker Server that is away is still told', async () => {
    const { codes } = await examine({ DATABASE_URL: '', FILEMAKER_URL: 'http://127.0.0.1:1' });
    expect(codes).toEqual(['CONFIGURATION_FAULTY', 'SERVER_UNREACHABLE']);
  });
});

describe('--fix', () => {
  const wrong = (): void => {
    stripe.control.changeEndpoint(endpointId, { disabled: true, enabledEvents: ['charge.updated', ...WANTS.slice(1)] });
  };
  const mayWrite = (): void => {
    stripe.control.changeSettings({ restrictedKeys: { [KEY]: [...READS, 'webhook_endpoints:write'] } });
  };
  const endpoint = () => stripe.control.endpoints().find(({ value }) => value.id === endpointId)?.value;

  test('switches the endpoint on, sets exactly the wanted types, marks it and is kept in the audit table', async () => {
    wrong();
    mayWrite();
    const { code, report, codes } = await examine({}, ['--fix', '--yes']);
    expect([code, codes, report.fixed]).toEqual([0, [], { kind: 'done' }]);
    expect(endpoint()).toMatchObject({ status: 'enabled', metadata: { bridge_installation: installationId } });
    expect([...(endpoint()?.enabled_events ?? [])].sort()).toEqual([...WANTS].sort());
    expect(await listAudit(database, { object: `endpoint:${endpointId}`, limit: 5 })).toMatchObject([
      { action: 'endpoint.fix', outcome: 'done', detail: 'enabled, 1 types added, 1 removed' },
    ]);
    // Nothing is left to do, and nothing is done.
    const again = await examine({}, ['--fix', '--yes']);
    expect([again.code, again.report.fixed]).toEqual([0, null]);
  });

  test('a key that may only read is told which permission it lacks, and nothing has changed', async () => {
    wrong();
    const { code, report } = await examine({}, ['--fix', '--yes']);
    expect(code).toBe(1);
    expect(report.fixed).toMatchObject({ kind: 'refused', code: 'STRIPE_PERMISSION' });
    expect(JSON.stringify(report.fixed)).toContain('rak_webhook_endpoints_write');
    expect(endpoint()?.status).toBe('disabled');
    expect(await listAudit(database, { object: `endpoint:${endpointId}`, limit: 1 })).toMatchObject([
      { outcome: 'refused', detail: 'STRIPE_PERMISSION' },
    ]);
  });

  test('while it is unsure which events are wanted, nothing is planned and nothing has changed', async () => {
    wrong();
    mayWrite();
    const { code, report } = await examine({ FLOWS: 'nope' }, ['--fix', '--yes']);
    expect([code, report.fix, report.fixed]).toEqual([1, null, null]);
    expect(endpoint()?.status).toBe('disabled');
  });

  test('a fault in a setting that has nothing to do with it does not keep it from its work', async () => {
    wrong();
    mayWrite();
    const { code, report, codes } = await examine({ TIMEZONE: 'Mars/Olympus' }, ['--fix', '--yes']);
    expect([code, codes, report.fixed]).toEqual([1, ['CONFIGURATION_FAULTY'], { kind: 'done' }]);
    expect(endpoint()?.status).toBe('enabled');
  });

  test('without a terminal it shows the plan and changes nothing until --yes is given', async () => {
    wrong();
    mayWrite();
    const { code, err } = await run(['--fix']);
    expect(code).toBe(2);
    expect(err).toContain(`+ ${WANTS[0]}`);
    expect(err).toContain('- charge.updated');
    expect(err).toContain('--yes');
    expect(endpoint()?.status).toBe('disabled');
  });
});

test('for people: sections with marks, faults with what to do, and the page that says more', async () => {
  stripe.control.changeEndpoint(endpointId, { disabled: true });
  const { code, out } = await run([]);
  expect(code).toBe(1);
  expect(out).toMatch(/^✓ Configuration {2,}ingress, worker, scheduler; Node /);
  expect(out).toContain('✗ Webhook endpoint');
  expect(out).toContain('  ✗ ENDPOINT_DISABLED');
  expect(out).toContain('Do: ./bridge doctor --fix');
  expect(out).toContain('More: ./bridge runbook webhook-endpoint');
  expect(out).toContain('1 fault keeps payments from arriving, or can lose one.');
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
});
