import type { ConfigByRole } from '@bridge/config';
import { createDatabase, migrate } from '@bridge/database';
import { flowMigrations, wantedEventTypes } from '@bridge/flows';
import { createInbox } from '@bridge/inbox';
import { createMetrics, createOpsServer, type Logger, type RunningApp, rateLimitedLog } from '@bridge/observability';
import { allMigrations } from '@bridge/operations';
import { createApp } from './create-app';
import { createPublicServer } from './create-server';
import { createDeliveryBatcher } from './delivery-batcher';
import { createEventDispatcher } from './event-dispatcher';
import { createInboxQueue } from './inbox-queue';
import { createRejectionRecorder } from './rejection-recorder';
import { webhookOutcomes } from './webhook-handler';

/** Together the longest a webhook waits for PostgreSQL before it hears 503; Stripe publishes no time-out of its own. */
const connectTimeoutMs = 1_500;
const statementTimeoutMs = 2_000;
/** Left of SHUTDOWN_SECONDS for writing down what is in hand after the last request. */
const closingMs = 5_000;

/** Joins the parts. Starts without PostgreSQL and without Redis: then it answers 503, or leaves jobs to the sweep. */
export async function startIngress(parts: {
  config: ConfigByRole['ingress'];
  logger: Logger;
}): Promise<RunningApp & { url: string; opsUrl: string }> {
  const { config, logger } = parts;
  if (config.migrateOnStart) await migrate(config.database.url, allMigrations(flowMigrations));
  const metrics = createMetrics();
  const webhooks = metrics.webhooksTotal();
  // A series that appears with its first event hides that event from every rate() and increase().
  for (const outcome of webhookOutcomes) webhooks.inc({ outcome }, 0);
  const logDatabase = rateLimitedLog(logger, { message: 'PostgreSQL connection failed' });
  const logRedis = rateLimitedLog(logger, { message: 'Redis connection failed' });
  const database = createDatabase({
    url: config.database.url,
    poolMax: config.database.poolMax,
    applicationName: 'bridge-ingress',
    connectTimeoutMs,
    statementTimeoutMs,
    onConnectionError: (error) => logDatabase({ err: error }),
  });
  const inbox = createInbox(database);
  const queue = createInboxQueue({
    database,
    redisUrl: config.redis.url,
    prefix: config.redis.prefix,
    onError: (error) => logRedis({ err: error }),
  });
  const dispatcher = createEventDispatcher(queue, { logger, metrics });
  const rejections = createRejectionRecorder(inbox, { logger });
  const batcher = createDeliveryBatcher(inbox, {
    onRecorded: (stored) =>
      dispatcher.dispatch(
        stored
          .map(({ recorded }) => recorded)
          .filter((recorded) => recorded.outcome === 'new' && recorded.state === 'received'),
      ),
  });
  let draining = false;
  const wanted = wantedEventTypes(config.flows);
  const app = createApp({
    batcher,
    rejections,
    secrets: config.stripe.webhookSecrets,
    expectations: { livemode: config.stripe.livemode, wants: (eventType) => wanted.has(eventType) },
    logger,
    webhooks,
    seconds: metrics.webhookSeconds(),
    draining: () => draining,
  });
  const server = createPublicServer({
    ...config.http,
    handler: app,
    onMalformed: () => webhooks.inc({ outcome: 'malformed_http' }),
  });
  const ops = createOpsServer({
    ...config.ops,
    metrics,
    readyz: async () => {
      const postgres = draining ? 'draining' : await checkOf(() => queue.open().then(() => database.ping()));
      return { ready: postgres === 'ok', checks: { postgres, redis: queue.ready() ? 'ok' : 'away' } };
    },
  });

  async function stop(): Promise<void> {
    draining = true;
    await server.stop(Math.max(1_000, config.shutdownSeconds * 1_000 - closingMs));
    await batcher.idle();
    await Promise.all([dispatcher.idle(), rejections.idle()]);
    await queue.close();
    await database.close();
    await ops.stop();
  }

  try {
    // Connects ahead of the first webhook; when PostgreSQL is away that is a matter for /readyz, not for the start.
    await checkOf(() => queue.open());
    const opsUrl = await ops.start();
    return { url: await server.start(), opsUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `ok`, or the code of what went wrong. */
async function checkOf(check: () => Promise<void>): Promise<string> {
  try {
    await check();
    return 'ok';
  } catch (error) {
    let current: unknown = error;
    while (current instanceof Error && current.cause !== undefined) current = current.cause;
    const code: unknown = typeof current === 'object' && current !== null ? Reflect.get(current, 'code') : undefined;
    return typeof code === 'string' ? code : 'away';
  }
}
