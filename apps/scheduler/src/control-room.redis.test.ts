import { createEffectStore } from '@bridge/effects';
import { createInbox } from '@bridge/inbox';
import { listAudit, putOperator, resolveEffect, TRIES_PER_NAME_MAX } from '@bridge/operations';
import { type RedisService, startRedis } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import {
  type Asked,
  type Bench,
  type BoardQueue,
  operatorHash,
  PASSWORD,
  startBench,
} from '../tests/control-room-bench';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

let redis: RedisService;
let passwordHash: string;
let bench: Bench;

beforeAll(async () => {
  redis = await startRedis();
  passwordHash = await operatorHash();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  bench = await startBench(redis);
});
afterEach(() => bench.stop());

const ask = (path: string, asked?: Asked): Promise<Response> => bench.ask(path, asked);
const tryLogin = (name: string, password: string, more?: Partial<Asked>): Promise<Response> =>
  bench.tryLogin(name, password, more);
const login = (): Promise<string> => bench.login();
const parkedEffect = (key?: string, over?: object): Promise<string> => bench.parkedEffect(key, over);
const parkedEvent = (): Promise<{ id: string; job: string }> => bench.parkedEvent();
const failJobs = (): Promise<void> => bench.failJobs();
const failed = (name: BoardQueue): Promise<(string | undefined)[]> => bench.failed(name);
const stateOf = (id: string): Promise<string | undefined> => bench.stateOf(id);

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
    bench = await startBench(redis, 'https://bridge.example');
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

  test('of what was settled at the command line meanwhile changes nothing, says so, and takes the entry off', async () => {
    const cookie = await login();
    const [released, done] = [await parkedEffect('a'), await parkedEffect('b')];
    const event = await parkedEvent();
    await failJobs();
    const asked = { by: 'cli:bob', why: 'looked' };
    await resolveEffect(bench.database, released, { ...asked, as: 'again' });
    await resolveEffect(bench.database, done, { ...asked, as: 'done' });
    await bench.database.executor.execute(sql`update inbox.events set state = 'processed', reason_code = null`);
    for (const [queue, job, code] of [
      ['filemaker-effects', `${released}.0`, 'EFFECT_ON_ITS_WAY'],
      ['filemaker-effects', `${done}.0`, 'EFFECT_DONE'],
      ['stripe-events', event.job, 'EVENT_SETTLED'],
    ]) {
      const response = await ask(`/queues/api/queues/${queue}/${job}/retry`, { method: 'PUT', cookie });
      expect([response.status, await response.json()]).toEqual([
        409,
        expect.objectContaining({ code, message: expect.stringContaining('out of date and is removed') }),
      ]);
    }
    expect([await stateOf(released), await stateOf(done)]).toEqual(['planned', 'done']);
    expect((await createInbox(bench.database).list({ limit: 1 }))[0]?.state).toBe('processed');
    expect([await failed('filemaker-effects'), await failed('stripe-events')]).toEqual([[], []]);
  });

  test('by two people at once releases once, and both are on record', async () => {
    const [one, other] = [await login(), await login()];
    const id = await parkedEffect();
    await failJobs();
    const answers = await Promise.all(
      [one, other].map((cookie) =>
        ask(`/queues/api/queues/filemaker-effects/${id}.0/retry`, { method: 'PUT', cookie }),
      ),
    );
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    expect((await createEffectStore(bench.database).due(10, 0))[0]?.run).toBe(1);
    expect(await failed('filemaker-effects')).toEqual([]);
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

  test('an entry says what it is, why it waits, and what a retry does; ids only, and no stack', async () => {
    const cookie = await login();
    const fine = await parkedEffect('18637');
    const money = await parkedEffect('18638', { parked: { reasonCode: 'second-payment', reason: 'paid twice' } });
    const event = await parkedEvent();
    await failJobs();
    const jobsOf = async (queue: string): Promise<Record<string, unknown>[]> => {
      const answer = await ask(`/queues/api/queues?activeQueue=${queue}&status=failed`, { cookie });
      const { queues } = (await answer.json()) as { queues: { name: string; jobs: Record<string, unknown>[] }[] };
      return queues.find(({ name }) => name === queue)?.jobs ?? [];
    };
    const effects = await jobsOf('filemaker-effects');
    const reason = 'FileMaker found no such invoice';
    expect(effects).toHaveLength(2);
    expect(effects).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          name: 'Mark invoice 18637 paid',
          data: { effectId: fine },
          failedReason: `${reason}\n\nRetry releases it; FileMaker is asked first whether it has happened.`,
          stacktrace: [],
        }),
        expect.objectContaining({
          name: 'Mark invoice 18638 paid',
          data: { effectId: money },
          failedReason: `${reason}\n\nRetry is refused: "Mark invoice 18638 paid" (effect ${money}) is decided alone, because its money is in question. Look first: ./bridge effects show ${money}`,
          stacktrace: [],
        }),
      ]),
    );
    expect(await jobsOf('stripe-events')).toMatchObject([
      { name: 'Read checkout.session.completed', failedReason: `${reason}\n\nRetry reads it again.`, stacktrace: [] },
    ]);
    const alone = await (await ask(`/queues/api/queues/stripe-events/${event.job}`, { cookie })).json();
    expect(alone).toMatchObject({ job: { name: 'Read checkout.session.completed' }, status: 'failed' });
  });

  test('entries are shown as they stand in the queue while their words cannot be read', async () => {
    const cookie = await login();
    await parkedEffect();
    await failJobs();
    await bench.database.executor.execute(sql`alter table effects.effects rename to away`);
    const answer = await ask('/queues/api/queues?activeQueue=filemaker-effects&status=failed', { cookie });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('"name":"perform-effect"')]);
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

test('the status page says how much money waits, in each currency, and for what', async () => {
  const cookie = await login();
  expect(await (await ask('/', { cookie })).text()).not.toContain('Money that is not settled yet');
  const pay = async (session: string, amount: number, currency: string, over: object): Promise<void> => {
    await bench.database.executor.execute(
      sql`insert into flow_invoices.payments (checkout_session_id, invoice_id, amount_total, currency, livemode, status, effect_key, paid_at, session_created_at)
          values (${session}, '1', ${amount}, ${currency}, true, 'paid', ${session}, clock_timestamp(), clock_timestamp())`,
    );
    await parkedEffect(session, { subject: { checkoutSessionId: session, amount, currency }, ...over });
  };
  await pay('cs_1', 31_195, 'usd', {});
  await pay('cs_2', 5_400, 'jpy', {});
  await pay('cs_3', 700, 'usd', { parked: undefined });
  const page = await (await ask('/', { cookie })).text();
  expect(page).toContain('<dt>Waiting for you, 2 payments</dt><dd>5,400 JPY</dd><dd>311.95 USD</dd>');
  expect(page).toContain('<dt>On the way, 1 payment</dt><dd>7.00 USD</dd>');
  expect(page).toContain('Mark invoice cs_1 paid, 311.95 USD: why');
});
