import { registerWorker, type WorkerRegistration } from '@bridge/claims';
import { assertMigrated, createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore, type EffectState } from '@bridge/effects';
import { flowMigrations, flows } from '@bridge/flows';
import { createInbox } from '@bridge/inbox';
import { readInstallation } from '@bridge/installation';
import { createFailedBoard, createProducer, type Producer, queueNames, queuePrefix, type Schedule } from '@bridge/jobs';
import {
  createMetrics,
  createOpsServer,
  type Logger,
  type Metrics,
  type RunningApp,
  rateLimitedLog,
} from '@bridge/observability';
import { allMigrations, listScheduleRuns, readMoneyAtRisk, seedOperator } from '@bridge/operations';
import { createBoardKeeper } from './board-keeper';
import type { SchedulerConfig } from './configure-scheduler';
import { createConsoleServer } from './console-server';
import { createControlRoom } from './create-control-room';
import { roundSchedules } from './round-schedules';
import { createScheduleKeeper } from './schedule-keeper';
import { schedulesOf } from './schedules';
import { startTicker } from './ticker';
import { underDuty } from './under-duty';

const TICK_MS = 1_000;
/** One scheduler at a time keeps the schedules and the board. */
const DUTY = 'schedules';
/** A database that starts together with us gets so long before we give up and let the platform start us again. */
const DATABASE_WAIT_MS = 15_000;
const ROUND_GRACE_MS = 2_000;
const effectKinds = ['filemaker-script'];
const effectStates: readonly EffectState[] = ['planned', 'sending', 'unknown', 'parked', 'done', 'cancelled'];

/** Joins the parts. The operations port answers first, so that a start that waits can be seen waiting. */
export async function startScheduler({
  config,
  logger,
}: {
  config: SchedulerConfig;
  logger: Logger;
}): Promise<RunningApp & { url: string; opsUrl: string }> {
  const metrics = createMetrics();
  const logDatabase = rateLimitedLog(logger, { message: 'PostgreSQL failed' });
  const logRedis = rateLimitedLog(logger, { message: 'Redis failed' });
  const database = createDatabase({
    url: config.database.url,
    poolMax: config.database.poolMax,
    applicationName: 'bridge-scheduler',
    onConnectionError: (error) => logDatabase({ err: error }),
  });
  let producer: Producer | undefined;
  let draining = false;
  const ops = createOpsServer({
    ...config.ops,
    metrics,
    readyz: async () => {
      if (draining) return { ready: false, checks: { process: 'draining' } };
      const checks = {
        postgres: await answers(() => database.ping()),
        redis: producer?.ready() === true ? await answers(producer.redis.ping.bind(producer.redis)) : 'away',
      };
      return { ready: Object.values(checks).every((check) => check === 'ok'), checks };
    },
  });
  /** Undone in reverse by `stop`, so that a start that fails half-way leaves nothing behind. */
  const undo: (() => Promise<unknown>)[] = [() => ops.stop(), () => database.close()];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    draining = true;
    stopped ??= (async () => {
      for (const step of undo.reverse()) await step();
    })();
    return stopped;
  };

  try {
    const opsUrl = await ops.start();
    const migrationSources = allMigrations(flowMigrations);
    await untilAnswered(database, logDatabase);
    if (config.migrateOnStart) await migrate(config.database.url, migrationSources);
    else await assertMigrated(config.database.url, migrationSources);
    const { id: installationId } = await readInstallation(database);
    if (config.consoleAdmin !== undefined && (await seedOperator(database, config.consoleAdmin)))
      logger.info({ operator: config.consoleAdmin.name }, 'operator taken from CONSOLE_ADMIN');

    const registration = await registerWorker(database, {
      app: 'scheduler',
      onHeartbeatFailure: (error) => logDatabase({ err: error }),
    });
    undo.push(() => registration.stop().catch((error: Error) => logDatabase({ err: error })));
    const prefix = queuePrefix(config.redis.prefix, installationId);
    const jobs = createProducer({ redisUrl: config.redis.url, prefix, onError: (error) => logRedis({ err: error }) });
    producer = jobs;
    undo.push(() => jobs.close());
    addGauges(metrics, database, jobs, [...schedulesOf(flows, config), ...roundSchedules(config)]);
    undo.push(
      startDuties({
        config,
        database,
        producer: jobs,
        prefix,
        registration,
        logger,
        onRedisError: (error) => logRedis({ err: error }),
      }),
    );

    const server = createConsoleServer({
      ...config.http,
      handler: createControlRoom({
        database,
        producer: jobs,
        migrationSources,
        logger,
        consoleUrl: config.console.url,
        mode: config.mode,
        timeZone: config.timezone,
        windows: config.windows,
      }),
    });
    undo.push(() => server.stop(ROUND_GRACE_MS));
    return { url: await server.start(), opsUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What is done every second; returns how to end it. */
function startDuties(parts: {
  config: SchedulerConfig;
  database: Database;
  producer: Producer;
  prefix: string;
  registration: WorkerRegistration;
  logger: Logger;
  onRedisError: (error: Error) => void;
}): () => Promise<void> {
  const { database, producer, registration, logger } = parts;
  const takeDuty = (): Promise<boolean> => registration.takeDuty(DUTY);
  const schedules = createScheduleKeeper({
    producer,
    schedules: [...schedulesOf(flows, parts.config), ...roundSchedules(parts.config)],
    markerKey: `${parts.prefix}:schedules-kept`,
    takeDuty,
  });
  const board = createFailedBoard({
    producer,
    redisUrl: parts.config.redis.url,
    prefix: parts.prefix,
    onError: parts.onRedisError,
  });
  const keeper = createBoardKeeper({
    producer,
    board,
    database,
    markerKey: `${parts.prefix}:board-kept`,
    takeDuty,
  });
  const logFailure = rateLimitedLog(logger, { message: 'a round of the scheduler failed' });
  const onError = (error: Error): void => logFailure({ err: error });
  const round = async (): Promise<void> => {
    const restored = await schedules.runOnce();
    if (restored !== undefined && restored > 0) logger.info({ restored }, 'schedules restored');
    const kept = await keeper.runOnce();
    if (kept !== undefined && kept.removed + kept.restored > 0) logger.info(kept, 'queue board made true');
  };
  const ticker = startTicker(
    TICK_MS,
    underDuty(round, {
      redisReady: () => producer.ready(),
      dropDuty: () => registration.dropDuty(DUTY),
      onError,
    }),
    onError,
  );
  return async () => {
    await ticker.stop(ROUND_GRACE_MS);
    await board.close();
  };
}

function addGauges(metrics: Metrics, database: Database, producer: Producer, schedules: readonly Schedule[]): void {
  const inbox = createInbox(database);
  const effects = createEffectStore(database);
  metrics.queueJobs(async () => {
    if (!producer.ready()) throw new Error('Redis is away');
    const counts = await Promise.all(
      queueNames.map(async (queue) => ({ queue, counts: await producer.queue(queue).getJobCounts() })),
    );
    return counts.flatMap(({ queue, counts: states }) =>
      Object.entries(states).map(([state, value]) => ({ labels: { queue, state }, value })),
    );
  });
  metrics.inboxOldestSeconds(async () => [{ labels: {}, value: await inbox.oldestUnfinishedSeconds() }]);
  metrics.moneyAtRiskMinor(async () =>
    (await readMoneyAtRisk(database)).map(({ currency, class: standing, amount }) => ({
      labels: { currency, class: standing },
      value: amount,
    })),
  );
  // Of the schedules that are kept now: one of a flow that was switched off would look as if it had stopped working.
  const kept = new Set(schedules.map(({ id }) => id));
  metrics.scheduleLastSuccessSeconds(async () =>
    (await listScheduleRuns(database))
      .filter(({ schedule }) => kept.has(schedule))
      .map(({ schedule, succeededAt }) => ({ labels: { schedule }, value: succeededAt.getTime() / 1_000 })),
  );
  // A state that nothing is in stands at 0, so that an alert can tell it from a gauge that was not read.
  const none = effectKinds.flatMap((kind) => effectStates.map((state) => ({ labels: { kind, state }, value: 0 })));
  metrics.effects(async () => [
    ...none,
    ...(await effects.counts()).map(({ kind, state, count }) => ({ labels: { kind, state }, value: count })),
  ]);
}

async function untilAnswered(database: Database, onFailure: (fields: { err: unknown }) => void): Promise<void> {
  const deadline = performance.now() + DATABASE_WAIT_MS;
  for (;;) {
    try {
      await database.ping();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      onFailure({ err: error });
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** `ok`, or the name of what went wrong. */
async function answers(ask: () => Promise<unknown>): Promise<string> {
  try {
    await ask();
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.name : 'failed';
  }
}
