import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database, rows } from '@bridge/database';
import { createProducer } from '@bridge/jobs';
import { eventually, startApp } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { type BridgeStand, startBridge } from './bridge-stand';
import { knock, knockUnannounced, labelSets, opsUrlOf, ready, series, signatureOf } from './stripe-door';

/**
 * What Stripe and a monitor may rely on at the public door: the ingress as it was built, a real PostgreSQL and a real Redis,
 * and nothing of its own code on this side.
 */
const [FIRST, SECOND] = ['whsec_contract_first', 'whsec_contract_second'];
const OUTCOMES = [
  'new',
  'duplicate',
  'ignored',
  'bad_signature',
  'bad_body',
  'too_large',
  'bad_method',
  'not_taken',
  'not_stored',
  'aborted',
  'malformed_http',
];
const MIB = 1024 * 1024;
const RECEIVED = { status: 200, location: null, type: 'application/json', text: '{"received":true}' };

let folder: string;
let stand: BridgeStand;
let database: Database;
let door: string;
let ops: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-contract-'));
  const secretsFile = join(folder, 'webhook-secrets');
  // As secrets are mounted: with a line break at the end; and two of them, as while one is rolled.
  writeFileSync(secretsFile, `${FIRST}, ${SECOND}\n`);
  stand = await startBridge({
    workers: 0,
    deliverAtOnce: false,
    env: { STRIPE_WEBHOOK_SECRETS: '', STRIPE_WEBHOOK_SECRETS_FILE: secretsFile },
  });
  door = `${stand.ingressUrl}/webhooks/stripe`;
  ops = opsUrlOf(stand.ingress.lines);
  database = createDatabase({ url: stand.databaseUrl, poolMax: 1, applicationName: 'contract-door' });
}, 300_000);
afterAll(async () => {
  await database?.close();
  await stand?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 300_000);

const eventText = (id: string, rest: Record<string, unknown> = {}): string =>
  JSON.stringify({
    id,
    object: 'event',
    type: 'checkout.session.completed',
    livemode: false,
    created: Math.floor(Date.now() / 1_000),
    data: { object: { id: 'cs_test_contract', object: 'checkout.session' } },
    ...rest,
  });
const deliver = (body: string, secret = FIRST, url = door) =>
  knock(url, { body, signature: signatureOf(body, secret) });
const outcomes = async (): Promise<Record<string, number>> => {
  const shown = await series(ops);
  return Object.fromEntries(
    OUTCOMES.map((outcome) => [outcome, shown.get(`bridge_webhooks_total{outcome="${outcome}"}`) ?? Number.NaN]),
  );
};
const raised = (before: Record<string, number>, after: Record<string, number>): Record<string, number> =>
  Object.fromEntries(
    OUTCOMES.map((outcome) => [outcome, (after[outcome] ?? 0) - (before[outcome] ?? 0)]).filter(([, by]) => by !== 0),
  );

test('before the first webhook every series is there and stands at zero, under the promised names and labels', async () => {
  const shown = await series(ops);
  expect(await outcomes()).toEqual(Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])));
  expect(labelSets(shown, 'bridge_webhooks_total')).toEqual(['outcome']);
  expect([...shown.keys()].filter((key) => key.startsWith('bridge_webhooks_total'))).toHaveLength(OUTCOMES.length);
  expect([shown.get('bridge_webhook_seconds_count'), shown.get('bridge_webhook_seconds_sum')]).toEqual([0, 0]);
  expect(labelSets(shown, 'bridge_webhook_seconds_bucket')).toEqual(['le']);
  expect(await ready(ops)).toEqual({ status: 200, checks: { postgres: 'ok', redis: 'ok' } });
});

test('200 {"received":true} for what is stored: new, again, of no use, of the other mode; the last two as ignored', async () => {
  const before = await outcomes();
  expect(await deliver(eventText('evt_contract_new'))).toEqual(RECEIVED);
  expect(await deliver(eventText('evt_contract_new'))).toEqual(RECEIVED);
  expect(await deliver(eventText('evt_contract_rolled'), SECOND)).toEqual(RECEIVED);
  expect(await deliver(eventText('evt_contract_unneeded', { type: 'customer.created' }))).toEqual(RECEIVED);
  expect(await deliver(eventText('evt_contract_live', { livemode: true }))).toEqual(RECEIVED);
  expect(raised(before, await outcomes())).toEqual({ new: 2, duplicate: 1, ignored: 2 });
  expect(
    await rows(
      database.executor,
      sql`select event_id, source, state, reason_code, deliveries from inbox.events where event_id like 'evt_contract_%' order by id`,
    ),
  ).toEqual([
    { event_id: 'evt_contract_new', source: 'webhook', state: 'received', reason_code: null, deliveries: 2 },
    { event_id: 'evt_contract_rolled', source: 'webhook', state: 'received', reason_code: null, deliveries: 1 },
    {
      event_id: 'evt_contract_unneeded',
      source: 'webhook',
      state: 'ignored',
      reason_code: 'UNWANTED_TYPE',
      deliveries: 1,
    },
    {
      event_id: 'evt_contract_live',
      source: 'webhook',
      state: 'ignored',
      reason_code: 'OTHER_LIVEMODE',
      deliveries: 1,
    },
  ]);
  await stand.ingress.waitForLine((line) => line.includes('event of the other mode'), 60_000);
});

test('400 and 413 for what no Stripe has sent: nothing is stored but that it came, without its body; the door stays open', async () => {
  const before = await outcomes();
  const body = eventText('evt_refused_1', { note: 'zq9body' });
  const bad = [
    await knock(door, { body }),
    await knock(door, { body, signature: signatureOf(body, 'whsec_of_somebody_else') }),
    await knock(door, { body, signature: signatureOf(`${body} `, FIRST) }),
    await knock(door, { body, signature: signatureOf(body, FIRST, 301 + 3_600) }),
    await knock(door, { body, signature: 't=1,v1=' }),
    await knock(door, { body: '', signature: signatureOf('', FIRST) }),
    await deliver('{"id": "evt_refused_2", zq9body'),
    await deliver('[]'),
    await deliver('{"object":"event","note":"zq9body"}'),
  ];
  expect(bad.map(({ status, location, type }) => [status, location, type])).toEqual(
    bad.map(() => [400, null, 'application/json']),
  );
  for (const { text } of bad) expect(JSON.parse(text)).toEqual({ error: expect.stringMatching(/^[A-Z_]+$/) });
  const large = eventText('evt_refused_large', { note: 'x'.repeat(MIB) });
  expect((await deliver(large)).status).toBe(413);
  expect(await knockUnannounced(door, MIB + 1)).toBe(413);
  expect(raised(before, await outcomes())).toEqual({ bad_signature: 6, bad_body: 3, too_large: 2 });
  expect((await deliver(eventText('evt_contract_after'))).status).toBe(200);

  expect(
    await rows(database.executor, sql`select event_id from inbox.events where event_id like 'evt_refused%'`),
  ).toEqual([]);
  const kept = (): Promise<Record<string, unknown>[]> =>
    rows(database.executor, sql`select * from inbox.rejections order by id`);
  await eventually('all rejections are kept', async () => (await kept()).length >= bad.length + 2);
  const rejections = await kept();
  expect(rejections).toHaveLength(bad.length + 2);
  expect(JSON.stringify(rejections)).not.toContain('zq9body');
  expect(Object.keys(rejections[0] ?? {})).not.toContain('body');
});

test('a body of exactly 1 MiB is taken', async () => {
  const empty = eventText('evt_contract_full', { note: '' });
  const body = eventText('evt_contract_full', { note: 'x'.repeat(MIB - Buffer.byteLength(empty)) });
  expect(Buffer.byteLength(body)).toBe(MIB);
  expect(await deliver(body)).toEqual(RECEIVED);
});

test('never a redirect: another spelling of the address is taken or refused where it stands, another method is 405', async () => {
  for (const [at, spelling] of ['/webhooks/stripe/', '/webhooks/stripe?account=1'].entries()) {
    const body = eventText(`evt_spelling_${at}`);
    expect(await deliver(body, FIRST, `${stand.ingressUrl}${spelling}`)).toEqual(RECEIVED);
  }
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const answer = await knock(door, { method });
    expect([method, answer.status, answer.location]).toEqual([method, 405, null]);
  }
  for (const path of [
    '/',
    '/webhooks',
    '/webhooks/',
    '/webhooks/stripe/more',
    '//webhooks/stripe',
    '/webhooks/stripe%2F',
  ]) {
    const body = eventText('evt_elsewhere');
    const answer = await deliver(body, FIRST, `${stand.ingressUrl}${path}`);
    expect([path, answer.status, answer.location]).toEqual([path, 404, null]);
  }
  expect(await rows(database.executor, sql`select 1 from inbox.events where event_id = 'evt_elsewhere'`)).toEqual([]);
});

test('an event has one job in stripe-events, whose id is its own; prefix and installation share a hash slot', async () => {
  const [installation] = await rows<{ id: string }>(
    database.executor,
    sql`select id::text as id from installation.installation`,
  );
  const prefix = `{bridge:${installation?.id ?? ''}}`;
  const reader = createProducer({ redisUrl: stand.redis.url, prefix });
  try {
    if (!reader.ready()) await once(reader.redis, 'ready');
    const jobs = reader.redis;
    const key = `${prefix}:stripe-events:evt_contract_new`;
    await eventually('the job is there', async () => (await jobs.exists(key)) === 1);
    const [name, data] = await jobs.hmget(key, 'name', 'data');
    expect(name).toBe('process-event');
    expect(Object.keys(JSON.parse(data ?? '{}') as object)).toEqual(['inboxId']);
    // Every key of the bridge, so that a cluster can run BullMQ's scripts and two bridges can share one Redis.
    const keys = await jobs.keys('*');
    expect(keys.filter((one) => !one.startsWith(`${prefix}:`))).toEqual([]);
  } finally {
    await reader.close();
  }
});

test('without Redis the ingress is ready and takes webhooks; without PostgreSQL it starts, is not ready and answers 503', async () => {
  const nobody = await startApp('ingress', {
    DATABASE_URL: 'postgresql://nobody:nothing@127.0.0.1:1/none',
    REDIS_URL: 'redis://127.0.0.1:1',
    STRIPE_API_KEY: 'sk_test_simulator',
    STRIPE_WEBHOOK_SECRETS: FIRST,
    HOST: '127.0.0.1',
    PORT: '0',
    OPS_PORT: '0',
  });
  try {
    const alone = opsUrlOf(nobody.process.lines);
    const body = eventText('evt_nowhere');
    const answer = await deliver(body, FIRST, `${nobody.url}/webhooks/stripe`);
    expect([answer.status, answer.location, JSON.parse(answer.text)]).toEqual([
      503,
      null,
      { error: expect.stringMatching(/^[A-Z_]+$/) },
    ]);
    expect((await knock(`${nobody.url}/webhooks/stripe`, { body })).status).toBe(400);
    expect((await series(alone)).get('bridge_webhooks_total{outcome="not_stored"}')).toBe(1);
    expect((await ready(alone)).status).toBe(503);
    expect((await fetch(`${alone}/healthz`)).status).toBe(200);
  } finally {
    expect(await nobody.process.stop(90_000)).toBe(0);
  }
  await stand.redis.stop();
  expect(await deliver(eventText('evt_contract_no_redis'))).toEqual(RECEIVED);
  await eventually('Redis is missed', async () => (await ready(ops)).checks.redis !== 'ok');
  expect(await ready(ops)).toMatchObject({ status: 200, checks: { postgres: 'ok' } });
});

test('SIGTERM: it says that it drains, and ends with 0', async () => {
  expect(await stand.ingress.stop(90_000)).toBe(0);
  expect(stand.ingress.output).toContain('"drained"');
}, 180_000);
