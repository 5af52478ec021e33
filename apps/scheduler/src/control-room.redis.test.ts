import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { createInbox } from '@bridge/inbox';
import {
  connectForWorkers,
  createProducer,
  disconnect,
  effectJob,
  eventJob,
  type Producer,
  queuePrefix,
} from '@bridge/jobs';
import { createLogger } from '@bridge/observability';
import { allMigrations, hashPassword, listAudit, putOperator, TRIES_PER_NAME_MAX } from '@bridge/operations';
import { createTestDatabase, type RedisService, startRedis } from '@bridge/test-services';
import { appRoutes } from '@bull-board/api/dist/routes.js';
import { type Job, Worker } from 'bullmq';
import { sql } from 'drizzle-orm';
import { keepBoardTrue } from './board-keeper';
import { createConsoleServer } from './console-server';
import { createControlRoom } from './create-control-room';

const PASSWORD = 'correct horse battery';
const sources = allMigrations([]);
const prefix = queuePrefix('test', 'one');
let redis: RedisService;
let passwordHash: string;

interface Bench {
  database: Database;
  producer: Producer;
  url: string;
  stop(): Promise<void>;
}
let bench: Bench;

beforeAll(async () => {
  redis = await startRedis();
  passwordHash = await hashPassword(PASSWORD);
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.flush();
  bench = await setup();
});
afterEach(() => bench.stop());

async function setup(consoleUrl?: string): Promise<Bench> {
  const test = await createTestDatabase();
  await migrate(test.url, sources);
  const database = createDatabase({ url: test.url, poolMax: 5, applicationName: 'control-room-test' });
  const producer = createProducer({ redisUrl: redis.url, prefix });
  if (!producer.ready()) await new Promise((resolve) => producer.redis.once('ready', resolve));
  const server = createConsoleServer({
    host: '127.0.0.1',
    port: 0,
    handler: createControlRoom({
      database,
      producer,
      migrationSources: sources,
      logger: createLogger({ name: 'test', level: 'silent' }),
      consoleUrl,
      mode: 'live',
      timeZone: 'UTC',
    }),
  });
  const url = await server.start();
  return {
    database,
    producer,
    url,
    stop: async () => {
      await server.stop(100);
      await producer.close();
      await database.close();
      await test.drop();
    },
  };
}

interface Asked {
  method?: string;
  cookie?: string;
  form?: Record<string, string>;
  headers?: Record<string, string>;
  origin?: string | null;
}

function ask(path: string, { method = 'GET', cookie, form, headers = {}, origin }: Asked = {}): Promise<Response> {
  const from = origin === undefined ? bench.url : origin;
  return fetch(`${bench.url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      accept: 'text/html',
      ...(from === null || method === 'GET' ? {} : { origin: from }),
      ...(cookie === undefined ? {} : { cookie }),
      ...headers,
    },
    ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
  });
}

const tryLogin = (name: string, password: string, more: Partial<Asked> = {}): Promise<Response> =>
  ask('/login', { method: 'POST', form: { name, password, next: '/queues/' }, ...more });

async function login(): Promise<string> {
  await putOperator(bench.database, { name: 'ada', passwordHash }, 'test');
  const response = await tryLogin('ada', PASSWORD);
  expect(response.status).toBe(303);
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

describe('the door', () => {
  test('without a session pages lead to the login, programs get 401, and nothing is shown', async () => {
    const page = await ask('/queues/queue/filemaker-effects?status=failed');
    expect([page.status, page.headers.get('location')]).toEqual([
      302,
      `/login?next=${encodeURIComponent('/queues/queue/filemaker-effects?status=failed')}`,
    ]);
    expect((await ask('/')).headers.get('location')).toBe('/login');
    const api = await ask('/queues/api/queues');
    expect([api.status, await api.json()]).toEqual([401, expect.objectContaining({ code: 'NOT_LOGGED_IN' })]);
    expect((await ask('/queues/static/js/none.js')).status).toBe(302);
    for (const cookie of ['bridge_session=', 'bridge_session=x', `bridge_session=${'A'.repeat(43)}`])
      expect((await ask('/', { cookie })).status).toBe(302);
  });

  test('while there is no operator the login page says so and how to make one', async () => {
    expect(await (await ask('/login')).text()).toContain('./bridge user add');
    expect((await tryLogin('ada', PASSWORD)).status).toBe(401);
  });

  test('the right password opens a session that only the browser can hold, and the act is on record', async () => {
    await putOperator(bench.database, { name: 'ada', passwordHash }, 'test');
    const response = await tryLogin('ada', PASSWORD);
    expect([response.status, response.headers.get('location')]).toEqual([303, '/queues/']);
    const [cookie = ''] = response.headers.getSetCookie();
    expect(cookie).toMatch(
      /^bridge_session=[\w-]{43}; Max-Age=43200; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/,
    );
    const page = await ask('/', { cookie: cookie.split(';')[0] ?? '' });
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('Nothing waits for you.');
    expect(await listAudit(bench.database, { limit: 1 })).toMatchObject([{ who: 'ada', action: 'login' }]);
  });

  test('behind https the cookie is bound to this host and never sent in clear', async () => {
    await bench.stop();
    bench = await setup('https://bridge.example');
    await putOperator(bench.database, { name: 'ada', passwordHash }, 'test');
    const response = await tryLogin('ada', PASSWORD, { origin: 'https://bridge.example' });
    expect(response.headers.getSetCookie()[0]).toMatch(/^__Host-bridge_session=.*; HttpOnly; Secure; SameSite=Strict$/);
    expect(response.headers.get('strict-transport-security')).toContain('max-age');
  });

  test('an unknown name and a wrong password are told in the same words', async () => {
    await putOperator(bench.database, { name: 'ada', passwordHash }, 'test');
    const bodies: string[] = [];
    for (const name of ['ada', 'eve']) {
      const response = await tryLogin(name, 'wrong password');
      expect(response.status).toBe(401);
      bodies.push((await response.text()).replaceAll(name, 'NAME'));
    }
    expect(bodies[0]).toBe(bodies[1]);
    expect(bodies[0]).toContain('do not belong together');
  });

  test('after too many tries even the right password waits, and the answer says how long', async () => {
    await putOperator(bench.database, { name: 'ada', passwordHash }, 'test');
    for (let n = 0; n < TRIES_PER_NAME_MAX; n += 1) await tryLogin('ada', 'wrong password');
    const response = await tryLogin('ada', PASSWORD);
    expect(response.status).toBe(429);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(60);
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test('logging out ends the session in PostgreSQL, not only in the browser', async () => {
    const cookie = await login();
    expect((await ask('/logout', { method: 'POST', cookie })).headers.get('location')).toBe('/login');
    expect((await ask('/', { cookie })).status).toBe(302);
  });

  test.each(['https://evil.example/', '//evil.example', '/\\evil.example', '/login', 'javascript:alert(1)'])(
    'a login link cannot lead to %s',
    async (next) => {
      await putOperator(bench.database, { name: 'ada', passwordHash }, 'test');
      const response = await tryLogin('ada', PASSWORD, { form: { name: 'ada', password: PASSWORD, next } });
      expect(response.headers.get('location')).toBe('/');
    },
  );

  test('what a visitor types is shown as text, never as markup', async () => {
    await putOperator(bench.database, { name: 'ada', passwordHash }, 'test');
    const text = await (await tryLogin('"><script>x</script>', 'wrong password')).text();
    expect(text).not.toContain('<script>');
    expect(text).toContain('&quot;&gt;&lt;script&gt;');
  });

  test('every page forbids inline scripts, inline styles, framing and other hosts', async () => {
    const cookie = await login();
    for (const path of ['/', '/login', '/queues/', '/nowhere']) {
      const response = await ask(path, { cookie });
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';style-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      if (!path.startsWith('/queues')) expect(await response.text()).not.toMatch(/<script|<style|style=|https?:\/\//);
    }
  });
});

describe('a change that does not come from our own pages', () => {
  test.each([
    ['from another site', { origin: 'https://evil.example' }],
    ['without an origin', { origin: null }],
    ['from a sandbox', { origin: 'null' }],
    ['marked cross-site', { headers: { 'sec-fetch-site': 'cross-site' } }],
    ['marked same-site', { headers: { 'sec-fetch-site': 'same-site' } }],
  ] as const)('%s is refused though the session is right', async (_name, more) => {
    const cookie = await login();
    const id = await parkedEffect();
    await failJobs();
    for (const path of [`/queues/api/queues/filemaker-effects/${id}.0/retry`, '/logout']) {
      const response = await ask(path, { method: path === '/logout' ? 'POST' : 'PUT', cookie, ...more });
      expect(response.status).toBe(403);
    }
    expect(await stateOf(id)).toBe('parked');
    expect((await ask('/', { cookie })).status).toBe(200);
  });
});

async function parkedEffect(key = 'cs_1', over: object = {}): Promise<string> {
  const { id } = await createEffectStore(bench.database).plan(bench.database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key,
    lane: null,
    title: `Mark invoice ${key} paid`,
    target: { contract: 'kit', probe: null, log: { layout: 'l', keyField: 'k', stateField: 's', resultField: 'r' } },
    body: '{}',
    subject: {},
    origin: 'webhook',
    checkFirst: false,
    parked: { reasonCode: 'X', reason: 'why' },
    ...over,
  });
  await bench.producer.enqueue([effectJob({ id, run: 0 })]);
  return id;
}

async function parkedEvent(): Promise<{ id: string; job: string }> {
  const [row] = await createInbox(bench.database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId: 'evt_1',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: null,
      eventCreatedAt: null,
      body: Buffer.from('{}'),
      ignoredBecause: null,
    },
  ]);
  const id = row?.id ?? '';
  await bench.database.executor.execute(
    sql`update inbox.events set state = 'parked', reason_code = 'NO_INVOICE_ID', finished_at = clock_timestamp() where id = ${id}`,
  );
  await bench.producer.enqueue([eventJob({ id, eventId: 'evt_1', run: 0 })]);
  return { id, job: 'evt_1' };
}

/** Runs what waits in both queues and fails it, as a worker does with parked rows. */
async function failJobs(): Promise<void> {
  const connection = connectForWorkers(redis.url, { onError: () => undefined });
  for (const name of ['filemaker-effects', 'stripe-events'] as const) {
    const worker = new Worker(name, null, { connection, prefix });
    for (;;) {
      const job: Job | undefined = await worker.getNextJob('token', { block: false });
      if (job === undefined) break;
      await job.moveToFailed(new Error('FileMaker found no such invoice'), 'token', false);
    }
    await worker.close();
  }
  await disconnect(connection);
}

const failed = async (name: 'filemaker-effects' | 'stripe-events'): Promise<(string | undefined)[]> =>
  (await bench.producer.queue(name).getJobs(['failed'])).map((job) => job.id).sort();

async function stateOf(id: string): Promise<string | undefined> {
  const effects = await createEffectStore(bench.database).list({ limit: 50 });
  return effects.find((effect) => effect.id === id)?.state;
}

describe('retry on the board', () => {
  test('releases the parked effect through the engine in the operator’s name, and the failed job is gone', async () => {
    const cookie = await login();
    const id = await parkedEffect();
    await failJobs();
    const response = await ask(`/queues/api/queues/filemaker-effects/${id}.0/retry`, { method: 'PUT', cookie });
    expect(response.status).toBe(204);
    expect(await stateOf(id)).toBe('planned');
    expect(await failed('filemaker-effects')).toEqual([]);
    expect(await bench.producer.queue('filemaker-effects').getWaitingCount()).toBe(0);
    expect(await listAudit(bench.database, { object: `effect:${id}`, limit: 5 })).toMatchObject([
      { who: 'ada', action: 'effect.resolve', outcome: 'done' },
    ]);
    // The sweep gives the row its next job, under a new id.
    expect(await createEffectStore(bench.database).due(10, 0)).toEqual([{ id, run: 1, queued: false }]);
  });

  test('of an unknown effect is refused with the reason, and the failed job stays', async () => {
    const cookie = await login();
    const id = await parkedEffect();
    await failJobs();
    await bench.database.executor.execute(
      sql`update effects.effects set state = 'unknown', unknown_since = clock_timestamp() where id = ${id}`,
    );
    const response = await ask(`/queues/api/queues/filemaker-effects/${id}.0/retry`, { method: 'PUT', cookie });
    expect([response.status, await response.json()]).toEqual([
      409,
      expect.objectContaining({ code: 'EFFECT_UNKNOWN', message: expect.stringContaining('could do it twice') }),
    ]);
    expect(await stateOf(id)).toBe('unknown');
    expect(await failed('filemaker-effects')).toEqual([`${id}.0`]);
  });

  test('of a parked event reads it again', async () => {
    const cookie = await login();
    const event = await parkedEvent();
    await failJobs();
    const response = await ask(`/queues/api/queues/stripe-events/${event.job}/retry`, { method: 'PUT', cookie });
    expect(response.status).toBe(204);
    expect((await createInbox(bench.database).list({ limit: 1 }))[0]?.state).toBe('received');
    expect(await failed('stripe-events')).toEqual([]);
  });

  test('all: releases what waits, refuses the rest with reasons, and leaves no untrue entry', async () => {
    const cookie = await login();
    const ids = [await parkedEffect('a'), await parkedEffect('b'), await parkedEffect('c'), await parkedEffect('d')];
    await failJobs();
    const [, , unknown = '', done = ''] = ids;
    await bench.database.executor.execute(
      sql`update effects.effects set state = 'unknown', unknown_since = clock_timestamp() where id = ${unknown}`,
    );
    await bench.database.executor.execute(
      sql`update effects.effects set state = 'done', verified = true, settled_at = clock_timestamp() where id = ${done}`,
    );
    const response = await ask('/queues/api/queues/filemaker-effects/retry/failed', { method: 'PUT', cookie });
    expect([response.status, await response.json()]).toEqual([
      409,
      expect.objectContaining({ error: '2 released, 2 refused', code: 'SOME_REFUSED', retried: 2, skipped: 2 }),
    ]);
    expect(await Promise.all(ids.map(stateOf))).toEqual(['planned', 'planned', 'unknown', 'done']);
    expect(await failed('filemaker-effects')).toEqual([`${unknown}.0`]);
  });

  // One click after an outage must not ship what has shipped, nor book a payment that was given back.
  test('never runs by one click what may have run or whose money is in question: alone or with all, each is refused', async () => {
    const cookie = await login();
    const plain = { target: { contract: 'plain', probe: null, log: null } };
    const sent = await parkedEffect('sent', plain);
    const money = await parkedEffect('money', { parked: { reasonCode: 'payment-refunded', reason: 'money is back' } });
    const fine = await parkedEffect('fine', plain);
    await bench.database.executor.execute(sql`update effects.effects set attempts = 1 where id = ${sent}`);
    await failJobs();
    for (const id of [sent, money]) {
      const one = await ask(`/queues/api/queues/filemaker-effects/${id}.0/retry`, { method: 'PUT', cookie });
      expect([one.status, await one.json()]).toEqual([
        409,
        expect.objectContaining({
          code: 'EFFECT_NEEDS_DECISION',
          message: expect.stringContaining(`./bridge effects show ${id}`),
        }),
      ]);
    }
    const all = await ask('/queues/api/queues/filemaker-effects/retry/failed', { method: 'PUT', cookie });
    expect([all.status, await all.json()]).toEqual([
      409,
      expect.objectContaining({ error: '1 released, 2 refused', retried: 1, skipped: 2 }),
    ]);
    expect(await Promise.all([sent, money, fine].map(stateOf))).toEqual(['parked', 'parked', 'planned']);
    expect(await failed('filemaker-effects')).toEqual([`${sent}.0`, `${money}.0`].sort());
  });

  test('all: when everything was released the answer is the one the board expects', async () => {
    const cookie = await login();
    await parkedEffect();
    await failJobs();
    const response = await ask('/queues/api/queues/filemaker-effects/retry/failed', { method: 'PUT', cookie });
    expect([response.status, await response.json()]).toEqual([200, { retried: 1, skipped: 0 }]);
  });

  test('of a job that waits, of none, and in a queue that is none, does nothing', async () => {
    const cookie = await login();
    const id = await parkedEffect();
    const put = (path: string) => ask(`/queues/api/queues/${path}`, { method: 'PUT', cookie });
    expect((await put(`filemaker-effects/${id}.0/retry`)).status).toBe(409);
    expect((await put('filemaker-effects/none/retry')).status).toBe(404);
    expect((await put('others/1/retry')).status).toBe(404);
    expect(await stateOf(id)).toBe('parked');
  });

  test('the board shows the reason, ids only, and no stack', async () => {
    const cookie = await login();
    const id = await parkedEffect();
    await failJobs();
    const response = await ask('/queues/api/queues?activeQueue=filemaker-effects&status=failed', { cookie });
    const text = await response.text();
    expect(text).toContain('FileMaker found no such invoice');
    expect(text).toContain(`"effectId":"${id}"`);
    expect(text).not.toMatch(/node:internal|\.ts:\d/);
  });
});

describe('every other change on the board is refused', () => {
  const fill = (route: string): string =>
    route
      .replace(':queueName', 'filemaker-effects')
      .replace(':queueStatus', 'failed')
      .replace(':schedulerId', 'reconcile-invoices')
      .replace(':jobId', '1.0');
  const allowed = new Set(['/api/queues/:queueName/retry/:queueStatus', '/api/queues/:queueName/:jobId/retry']);
  const writes = appRoutes.api.flatMap(({ method, route }) =>
    [method].flat().flatMap((one) =>
      [route]
        .flat()
        .filter((path) => one !== 'get' && !allowed.has(path))
        .map((path) => [one.toUpperCase(), path] as const),
    ),
  );

  test('the installed board has the writing routes that we know of', () => {
    expect(writes).toHaveLength(21);
  });

  test.each([
    ...writes,
    ['PUT', '/api/queues/:queueName/retry/completed'],
    ['DELETE', '/api/queues/:queueName'],
  ] as const)('%s %s', async (method, route) => {
    const cookie = await login();
    await parkedEffect();
    await failJobs();
    for (const path of [fill(route), `${fill(route)}/`, fill(route).toUpperCase().replace('/API', '/api')]) {
      const response = await ask(`/queues${path}`, { method, cookie });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'BOARD_IS_READ_ONLY' });
    }
    expect(await failed('filemaker-effects')).toEqual(['1.0']);
    expect(await bench.producer.queue('filemaker-effects').isPaused()).toBe(false);
  });
});

test('the status page counts what has been unknown for more than an hour among what waits', async () => {
  const cookie = await login();
  const id = await parkedEffect();
  await bench.database.executor.execute(
    sql`update effects.effects set state = 'unknown', unknown_since = clock_timestamp() - interval '2 hours' where id = ${id}`,
  );
  const page = await (await ask('/', { cookie })).text();
  expect(page).toContain('One thing waits for you.');
  expect(page).toContain(`./bridge effects show ${id}`);
});

describe('the board keeper', () => {
  test('takes off what does not wait any more and older runs of what does, and nothing else', async () => {
    const [waiting, released] = [await parkedEffect('a'), await parkedEffect('b')];
    const event = await parkedEvent();
    await bench.producer.enqueue([effectJob({ id: waiting, run: 1 })]);
    await failJobs();
    await createEffectStore(bench.database).releaseParked(released, { checkFirst: true });
    expect(await keepBoardTrue(bench.producer, bench.database)).toBe(2);
    expect(await failed('filemaker-effects')).toEqual([`${waiting}.1`]);
    expect(await failed('stripe-events')).toEqual([event.job]);
    expect(await keepBoardTrue(bench.producer, bench.database)).toBe(0);
  });
});
