import { createMetrics } from './create-metrics';
import { createOpsServer, type OpsServer, type Readiness } from './create-ops-server';

describe('createOpsServer', () => {
  let server: OpsServer | undefined;
  let fault: string | undefined;
  let readyz: () => Promise<Readiness>;

  async function setup(): Promise<{ get: (path: string, init?: RequestInit) => Promise<Response> }> {
    const metrics = createMetrics({ defaults: false, collectTimeoutMs: 20 });
    metrics.webhooksTotal().inc({ outcome: 'new' }, 2);
    metrics.queueJobs(async () => [{ labels: { queue: 'q', state: 'waiting' }, value: 7 }]);
    metrics.inboxOldestSeconds(() => Promise.reject(new Error('the database is away')));
    metrics.effects(() => new Promise(() => undefined));
    server = createOpsServer({
      host: '127.0.0.1',
      port: 0,
      healthz: () => fault,
      readyz: () => readyz(),
      readyTimeoutMs: 30,
      metrics,
    });
    const url = await server.start();
    return { get: (path, init) => fetch(`${url}${path}`, init) };
  }

  beforeEach(() => {
    fault = undefined;
    readyz = async () => ({ ready: true, checks: { postgres: 'ok' } });
  });
  afterEach(async () => {
    await server?.stop();
    await server?.stop();
  });

  test('/healthz says 200 while the process is well and 503 with the reason when it is not', async () => {
    const { get } = await setup();
    expect((await get('/healthz')).status).toBe(200);
    fault = 'takes no jobs';
    const response = await get('/healthz');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ healthy: false, fault: 'takes no jobs' });
  });

  test('/readyz names every check, and a check that fails or hangs means not ready, in bounded time', async () => {
    const { get } = await setup();
    expect(await (await get('/readyz')).json()).toEqual({ ready: true, checks: { postgres: 'ok' } });
    readyz = async () => ({ ready: false, checks: { postgres: 'refused' } });
    expect((await get('/readyz')).status).toBe(503);
    readyz = () => Promise.reject(new TypeError('secret zq9'));
    const failed = await get('/readyz');
    expect([failed.status, await failed.text()]).toEqual([503, expect.not.stringContaining('zq9')]);
    readyz = () => new Promise(() => undefined);
    expect((await get('/readyz')).status).toBe(503);
  });

  test('/metrics goes on when one source fails or hangs, leaves it out, and counts it', async () => {
    const { get } = await setup();
    const text = await (await get('/metrics')).text();
    expect(text).toContain('bridge_webhooks_total{outcome="new"} 2');
    expect(text).toContain('bridge_queue_jobs{queue="q",state="waiting"} 7');
    expect(text).not.toMatch(/^bridge_inbox_oldest_seconds /m);
    const again = await (await get('/metrics')).text();
    expect(again).toMatch(/bridge_metric_collect_failures_total\{metric="bridge_inbox_oldest_seconds"\} \d/);
    expect(again).toMatch(/bridge_metric_collect_failures_total\{metric="bridge_effects"\} \d/);
  });

  test('anything else is 404, and writing is 405', async () => {
    const { get } = await setup();
    expect((await get('/')).status).toBe(404);
    expect((await get('/constructor')).status).toBe(404);
    expect((await get('/metrics', { method: 'POST', body: 'x' })).status).toBe(405);
  });

  test('a port in use makes the start fail instead of hanging', async () => {
    const { get } = await setup();
    const port = Number(new URL((await get('/healthz')).url).port);
    const second = createOpsServer({
      host: '127.0.0.1',
      port,
      readyz: () => readyz(),
      metrics: createMetrics({ defaults: false }),
    });
    await expect(second.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await second.stop();
  });
});

test('every metric name and label set of the promise exists', async () => {
  const metrics = createMetrics({ defaults: false });
  metrics.webhooksTotal();
  metrics.webhookSeconds();
  metrics.effects(async () => []);
  metrics.effectsTotal();
  metrics.effectSeconds();
  metrics.filemakerSessions(async () => []);
  metrics.filemakerLoginsTotal();
  metrics.inboxOldestSeconds(async () => [{ labels: {}, value: 4 }]);
  metrics.moneyAtRiskMinor(async () => []);
  metrics.queueJobs(async () => []);
  metrics.scheduleLastSuccessSeconds(async () => []);
  const names = (await metrics.registry.getMetricsAsJSON()).map((metric) => metric.name);
  expect(names).toEqual([
    'bridge_metric_collect_failures_total',
    'bridge_webhooks_total',
    'bridge_webhook_seconds',
    'bridge_effects',
    'bridge_effects_total',
    'bridge_effect_seconds',
    'bridge_filemaker_sessions',
    'bridge_filemaker_logins_total',
    'bridge_inbox_oldest_seconds',
    'bridge_money_at_risk_minor',
    'bridge_queue_jobs',
    'bridge_schedule_last_success_seconds',
  ]);
  expect(await metrics.registry.metrics()).toContain('bridge_inbox_oldest_seconds 4');
});
