import { join } from 'node:path';
import { createDatabase } from '@bridge/database';
import { recordScheduleSuccess } from '@bridge/operations';
import {
  createTestDatabase,
  type RedisService,
  type RunningProcess,
  startProcess,
  startRedis,
} from '@bridge/test-services';
import { sql } from 'drizzle-orm';

// Processes that start; tens of seconds on a machine that is busy with other things.
jest.setTimeout(180_000);

const main = join(__dirname, '../dist/main.js');
let redis: RedisService;
let store: Awaited<ReturnType<typeof createTestDatabase>>;

beforeEach(async () => {
  [redis, store] = await Promise.all([startRedis(), createTestDatabase()]);
});
afterEach(async () => {
  await redis.stop();
  await store.drop();
});

const start = (env: Record<string, string> = {}, readyWhen?: (line: string) => boolean): Promise<RunningProcess> =>
  startProcess(process.execPath, [main], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: store.url,
      REDIS_URL: redis.url,
      HOST: '127.0.0.1',
      PORT: '0',
      OPS_PORT: '0',
      ...env,
    },
    ...(readyWhen === undefined ? {} : { readyWhen }),
  });
const isListening = (line: string): boolean => line.includes('"msg":"listening"');
const addressOf = (app: RunningProcess): { url: string; opsUrl: string } =>
  JSON.parse(app.lines.find(isListening) ?? '{}') as { url: string; opsUrl: string };

test('migrates when told to, gets ready, shows its gauges, restores the schedules, drains and ends with 0', async () => {
  const app = await start({ MIGRATE_ON_START: 'true' }, isListening);
  const { url, opsUrl } = addressOf(app);
  expect((await fetch(`${url}/login`)).status).toBe(200);
  await app.waitForLine((line) => line.includes('schedules restored'), 60_000);
  const ready = await fetch(`${opsUrl}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([200, { ready: true, checks: { postgres: 'ok', redis: 'ok' } }]);
  const database = createDatabase({ url: store.url, poolMax: 1, applicationName: 'scheduler-test' });
  const before = Date.now() / 1_000;
  for (const schedule of ['reconcile-invoices-recent', 'reconcile-none'])
    await recordScheduleSuccess(database.executor, schedule);
  await database.executor.execute(
    sql`insert into flow_invoices.payments (checkout_session_id, amount_total, currency, livemode, status, parked_code, paid_at, session_created_at)
        values ('cs_1', 18000, 'usd', false, 'parked', 'NO_INVOICE_ID', now() - interval '11 minutes', now())`,
  );
  await database.close();
  // A gauge that is not read in time is left out of an answer.
  const atRisk = 'bridge_money_at_risk_minor{currency="usd",class="no-effect"} 18000';
  let metrics = '';
  for (const giveUpAt = performance.now() + 60_000; performance.now() < giveUpAt && !metrics.includes(atRisk); )
    metrics = await (await fetch(`${opsUrl}/metrics`)).text();
  expect(metrics).toContain(atRisk);
  // A schedule that is not kept any more would look as if it had stopped working.
  const successes = [...metrics.matchAll(/bridge_schedule_last_success_seconds\{schedule="(.+)"\} (\S+)/g)];
  expect(successes.map(([, schedule]) => schedule)).toEqual(['reconcile-invoices-recent']);
  expect(Math.abs(Number(successes[0]?.[2]) - before)).toBeLessThan(60);
  expect(metrics).toContain('bridge_inbox_oldest_seconds 0');
  expect(metrics).toMatch(/bridge_queue_jobs\{queue="filemaker-effects",state="failed"\} 0/);
  await redis.stop();
  const away = await fetch(`${opsUrl}/readyz`);
  expect([away.status, ((await away.json()) as { checks: { redis: string } }).checks.redis]).not.toEqual([200, 'ok']);
  expect(away.status).toBe(503);
  expect(await app.stop()).toBe(0);
});

test('does not touch a database that is not migrated, and says which command is next', async () => {
  const app = await start();
  expect(await app.exited).toBe(1);
  expect(app.output).toContain('./bridge migrate');
});

test('faulty configuration ends with 78 and names the variable', async () => {
  const app = await start({ CONSOLE_ADMIN: 'ada:plain' });
  expect(await app.exited).toBe(78);
  expect(app.output).toContain('CONSOLE_ADMIN');
});
