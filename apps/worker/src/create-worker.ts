import { registerWorker } from '@bridge/claims';
import type { ConfigByRole } from '@bridge/config';
import { assertMigrated, createDatabase, migrate } from '@bridge/database';
import {
  createEffectEngine,
  createEffectStore,
  createWaitingEffects,
  type EarlyTurn,
  type TurnEnding,
} from '@bridge/effects';
import { createRoad, type PlannedEffect } from '@bridge/flow';
import { type FlowPeers, flowMigrations, flows } from '@bridge/flows';
import { createGates } from '@bridge/gates';
import { createInbox } from '@bridge/inbox';
import { confirmPeer, fingerprint, noteFirstLive, readInstallation } from '@bridge/installation';
import {
  createJobWorker,
  createProducer,
  effectJob,
  eventJob,
  type JobWorker,
  type QueueName,
  queuePrefix,
} from '@bridge/jobs';
import { createMetrics, createOpsServer, type Logger, type RunningApp, rateLimitedLog } from '@bridge/observability';
import { allMigrations } from '@bridge/operations';
import { closeRepaired } from '@bridge/reconciliation';
import { createLeaseRelay, TURN_WAIT_MS } from '@bridge/session-pool';
import { startAsking } from './asking';
import { createDayCloser } from './close-days';
import { connectFileMaker } from './connect-filemaker';
import { connectStripe, stripePeer } from './connect-stripe';
import { createScriptTargets } from './freeze-script-target';
import { watchGates } from './gate-watch';
import { effectJobEnding, eventJobEnding } from './job-endings';
import { watchJobs } from './job-watch';
import { createBatchedFind } from './performers/batched-find';
import { createFileMakerScriptPerformer } from './performers/filemaker-script';
import { FILEMAKER_SCRIPT } from './performers/script-target';
import { createRecoveryPeers } from './reconcile/recovery-peers';
import { repairOf } from './reconcile/repair-of';
import { startReconciling } from './reconcile/start-reconciling';
import { cautionFor, watchRecoveryStart } from './recovery-start';
import { settledWithin } from './repeat';
import { createOrderOf } from './replay/order-of';
import { startReplays } from './replay/start-replays';
import { startRounds } from './start-rounds';
import { createStraightTurns, type StraightTurns } from './straight-turns';
import { createChargeRecheck } from './stripe-judge';
import { startSweeping } from './sweeping';

type WorkerConfig = ConfigByRole['worker'];

/** How long a job in hand waits for a FileMaker session before it goes back to the queue. */
const LEASE_WAIT_MS = 5_000;
/** Longest from writing a sending down to its first byte: the lease's turn, Redis's word on it, a new connection. */
const FIRST_BYTE_WITHIN_MS = TURN_WAIT_MS + 2_000 + 5_000;
/** A heartbeat that takes longer has missed its purpose; the next one comes. */
const HEARTBEAT_TIMEOUT_MS = 3_000;
/** Of the shutdown, for what comes after the jobs. */
const LAST_STEPS_MS = 2_000;
/** `bridge_effects_total{outcome}`: how a turn can end that did something. */
const EFFECT_OUTCOMES = ['done', 'unverified', 'refused', 'unknown', 'waiting', 'parked'] as const satisfies (
  | TurnEnding['kind']
  | 'unverified'
)[];

/** Joins the engine, the flows and the peers. Everything it starts, `stop` ends. */
export async function startWorker(config: WorkerConfig, logger: Logger): Promise<RunningApp> {
  const { filemaker } = config;
  if (filemaker === undefined) throw new Error('The worker was started without FileMaker in its configuration');
  const migrations = allMigrations(flowMigrations);
  if (config.migrateOnStart) await migrate(config.database.url, migrations);
  else await assertMigrated(config.database.url, migrations);

  const onError = (part: string): ((error: Error) => void) => {
    const log = rateLimitedLog(logger, { message: `${part} failed` });
    return (error) => log({ err: error });
  };
  const database = createDatabase({
    url: config.database.url,
    // One of the connections is the heartbeat's.
    poolMax: Math.max(1, config.database.poolMax - 1),
    applicationName: 'bridge-worker',
    onConnectionError: onError('PostgreSQL'),
  });
  const installation = await readInstallation(database);
  await confirmPeer(database, 'filemaker', fingerprint(filemaker.url, filemaker.database));
  // On a connection of its own: a full pool must not look like death.
  const heartbeat = createDatabase({
    url: config.database.url,
    poolMax: 1,
    applicationName: 'bridge-worker-heartbeat',
    statementTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    onConnectionError: onError('heartbeat'),
  });
  const registration = await registerWorker(heartbeat, { app: 'worker', onHeartbeatFailure: onError('heartbeat') });
  const prefix = queuePrefix(config.redis.prefix, installation.id);
  const producer = createProducer({ redisUrl: config.redis.url, prefix, onError: onError('Redis') });

  const gates = createGates(database, { windows: config.windows });
  const inbox = createInbox(database);
  const effects = createEffectStore(database);
  const waiting = createWaitingEffects(database);
  const metrics = createMetrics();
  const effectsTotal = metrics.effectsTotal();
  const effectSeconds = metrics.effectSeconds();
  const loginsTotal = metrics.filemakerLoginsTotal();
  // A series that appears with its first event hides that event from every rate() and increase().
  for (const outcome of EFFECT_OUTCOMES) effectsTotal.inc({ kind: FILEMAKER_SCRIPT, outcome }, 0);
  effectSeconds.zero({ kind: FILEMAKER_SCRIPT });

  const {
    client,
    pool,
    probe: filemakerProbe,
    close: closeFileMaker,
  } = connectFileMaker({
    config: filemaker,
    database,
    redis: producer.redis,
    keyPrefix: `${prefix}:filemaker`,
    gates,
    registration,
    isAway: () => watch.isAway('filemaker'),
    onPoolEvent: (event) => {
      if (event.kind === 'login') loginsTotal.inc();
      if (event.kind === 'login' || event.kind === 'halted' || event.kind === 'failed' || event.kind === 'epoch')
        logger.info({ pool: event }, 'filemaker.session');
    },
    onError: onError('gates'),
  });
  const stripe = await connectStripe({
    config: config.stripe,
    database,
    redis: producer.redis,
    keyPrefix: prefix,
    gates,
    worker: registration.id,
    logger,
  });
  const peers: FlowPeers = {
    stripe: stripePeer(stripe.live),
    scripts: createScriptTargets(config, filemaker, client),
    livemode: config.stripe.livemode,
  };
  const bound = (to: FlowPeers) =>
    flows
      .filter((flow) => config.flows.includes(flow.name))
      .map((flow) => flow.bind(config[flow.name as 'invoices'], to));
  const active = bound(peers);

  const performs = config.mode === 'live';
  if (performs && (await noteFirstLive(database.executor))) logger.info('this bridge performs from now on');
  const recoveryStart = await watchRecoveryStart(database, {
    configured: config.reconcileFrom,
    onRestored: (planned) =>
      logger.warn(
        { planned },
        'this database was restored: what is owed from before begins with a question to FileMaker',
      ),
    onError: onError('recovery start'),
  });
  const road = createRoad({
    database,
    inbox,
    effects,
    worker: registration.id,
    flows: active,
    observe: !performs,
    caution: (movedAt, source) =>
      cautionFor({ movedAt, source }, { start: recoveryStart.current(), observe: !performs }),
    judgeFailure: (error, event) => stripe.judge(error, event.eventId),
    orderOf: createOrderOf(),
    onTurn: ({ event, ending, durationMs }) => {
      if (event !== undefined) logger.info({ event, ending, durationMs: Math.round(durationMs) }, 'event.settled');
    },
  });
  const performer = createFileMakerScriptPerformer({
    client,
    pool,
    relay: createLeaseRelay({ pool, onFailure: onError('lease relay') }),
    gates,
    worker: registration.id,
    sentinelKey: `bridge-sentinel-${installation.id}`,
    scriptMaxMs: filemaker.scriptMaxSeconds * 1_000 + FIRST_BYTE_WITHIN_MS,
    callMaxMs: filemaker.timeoutSeconds * 1_000,
    leaseWaitMs: LEASE_WAIT_MS,
    recheckCharge: createChargeRecheck(
      (id) => stripe.live.retrieveCharge(id),
      stripe.judge,
      () => watch.closedBecause(['stripe']),
    ),
  });

  const eventWorker = createJobWorker({
    queue: 'stripe-events',
    redisUrl: config.redis.url,
    prefix,
    concurrency: config.workerConcurrency,
    onError: onError('stripe-events'),
    handle: async ({ inboxId }) => {
      const ending = await road.turn(inboxId);
      // Parked ones too: their job ends as failed with the reason, so that the board shows them.
      if (ending.kind === 'processed' && performs)
        await enqueueEffects([...(straight?.take(ending.planned) ?? ending.planned), ...ending.parked]);
      return eventJobEnding(ending);
    },
  });
  const effectWorker: JobWorker | undefined = performs
    ? createJobWorker({
        queue: 'filemaker-effects',
        redisUrl: config.redis.url,
        prefix,
        // More jobs in hand than sessions would only wait for one and go back to the end of the line.
        concurrency: Math.min(config.workerConcurrency, filemaker.maxSessions * 2),
        onError: onError('filemaker-effects'),
        handle: async ({ effectId }) => effectJobEnding(await (straight?.join(effectId) ?? performEffect(effectId))),
      })
    : undefined;
  const straight: StraightTurns | undefined =
    effectWorker === undefined
      ? undefined
      : createStraightTurns({
          // Beyond that a turn would only wait for a session; in the queue it waits beside those that came before.
          placesMax: Math.min(config.workerConcurrency, filemaker.maxSessions),
          jobs: effectWorker,
          perform: (effectId, onSending) => performEffect(effectId, { kind: FILEMAKER_SCRIPT, onSending }),
          enqueue: (effect) => enqueueEffects([effect]),
          enqueueAgain,
          onError: onError('straight turns'),
        });
  const watch = watchGates(
    gates,
    [
      {
        scope: 'filemaker',
        jobs: { pause: async () => effectWorker?.pause(), resume: () => effectWorker?.resume() },
        probe: () => filemakerProbe.look(),
      },
      { scope: 'stripe', jobs: eventWorker, probe: stripe.look },
    ],
    onError('gates'),
    (closure) => waiting.makeDue(closure),
  );
  const engine = createEffectEngine({
    store: effects,
    worker: registration.id,
    performers: [performer],
    closedBecause: (scopes) => watch.closedBecause(scopes),
    onTurn: ({ ending, durationMs }) => {
      if (ending.kind === 'nothing') return;
      const kind = ending.effect?.kind ?? FILEMAKER_SCRIPT;
      effectsTotal.inc({ kind, outcome: ending.kind === 'done' && !ending.verified ? 'unverified' : ending.kind });
      if (ending.kind === 'done') effectSeconds.observe({ kind }, durationMs / 1_000);
      const { effect, ...said } = ending;
      logger.info(
        {
          effect: { id: effect?.id, key: effect?.key, lane: effect?.lane, attempts: effect?.attempts },
          ...said,
          durationMs: Math.round(durationMs),
        },
        'job.settled',
      );
    },
  });

  async function performEffect(effectId: string, early?: EarlyTurn): Promise<TurnEnding> {
    const ending = await engine.turn(effectId, early);
    // Who is planned while this one ends may be missed here; the sweep finds it a second later.
    if (ending.kind === 'parked' || (ending.kind === 'done' && ending.next))
      await enqueueNext(ending.effect?.lane ?? null);
    const repair = repairOf(ending);
    // Should this fail, the next comparison closes them.
    if (repair !== undefined) await closeRepaired(database, repair).catch(onError('repaired findings'));
    return ending;
  }
  const asking = performs
    ? startAsking({
        waiting,
        perform: (effectId) => performEffect(effectId),
        closed: async () => (await watch.closedBecause(['filemaker'])) !== undefined,
        takeDuty: () => registration.takeDuty('cross-checks'),
        dropDuty: () => registration.dropDuty('cross-checks'),
        redisAnswers: () =>
          producer
            .ask(() => producer.redis.ping())
            .then(
              () => true,
              () => false,
            ),
        onError: onError('cross-checks'),
      })
    : undefined;

  // Effects are enqueued after the commit; should this fail, the sweep does it a second later.
  async function enqueueEffects(rows: readonly { id: string; run: number }[]): Promise<void> {
    if (rows.length === 0) return;
    await producer.enqueue(rows.map((row) => effectJob(row))).catch(onError('enqueue'));
  }
  /** Of an effect in other hands, or behind in its lane, whoever frees it thinks. */
  async function enqueueAgain(effect: PlannedEffect, ending: TurnEnding | undefined): Promise<void> {
    if (ending?.kind === 'nothing' && ending.dueInMs === undefined) return;
    // A job of another process may have found it in hand and be used up; BullMQ would ignore that id.
    await enqueueEffects(ending?.kind === 'parked' ? [effect] : await effects.replan([effect.id]));
  }
  async function enqueueNext(lane: string | null): Promise<void> {
    const head = lane === null ? undefined : await effects.head(lane);
    if (head === undefined) return;
    // Its first job may have come while it was behind in its lane and be used up; BullMQ would ignore that id.
    const fresh = await effects.replan([head.id]);
    await producer.enqueue(fresh.map((row) => effectJob(row))).catch(onError('enqueue'));
  }

  const dayCloser = createDayCloser({
    config,
    database,
    flows,
    firstMigratedAt: installation.firstMigratedAt,
    worker: registration.id,
    logger,
  });
  const rounds = startRounds({
    config,
    closeDays: () => dayCloser.run(),
    prefix,
    database,
    inbox,
    effects,
    registration,
    producer,
    // Where nothing else brings events, fetching them is live work.
    stripe: config.stripe.delivery === 'pull' ? stripe.live : stripe.recovery,
    find: createBatchedFind({ client, pool, gates, worker: registration.id, leaseWaitMs: LEASE_WAIT_MS }),
    from: () => recoveryStart.current().at,
    closedBecause: (scopes) => watch.closedBecause(scopes),
    judgeStripe: stripe.judge,
    logger,
    onError,
  });
  const recovery = createRecoveryPeers({
    stripe: stripe.recovery,
    filemaker: client,
    pool,
    gates,
    worker: registration.id,
    sentinelKey: `bridge-sentinel-${installation.id}`,
    paidLog: config.invoices.facts.paid.contract === 'kit' ? (filemaker.log ?? null) : null,
    leaseWaitMs: LEASE_WAIT_MS,
    closedBecause: () => watch.closedBecause(['filemaker']),
  });
  const replays = startReplays({
    database,
    redisUrl: config.redis.url,
    prefix,
    inbox,
    effects,
    registration,
    // Looking at a thousand payments is no live work.
    flows: bound({ ...peers, stripe: stripePeer(stripe.recovery), recovery }),
    records: flows,
    stripe: stripe.recovery,
    readLog: recovery.readLog,
    filemakerSessionsMax: filemaker.maxSessions,
    recoverFrom: () => recoveryStart.current().at,
    performs,
    judgeFailure: stripe.judge,
    closedBecause: (scopes) => watch.closedBecause(scopes),
    enqueue: (jobs) => producer.enqueue(jobs).catch(onError('enqueue')),
    logger,
    onError,
  });

  const reconciling = startReconciling({
    database,
    producer,
    redisUrl: config.redis.url,
    prefix,
    inbox,
    flows: flows
      .filter((flow) => config.flows.includes(flow.name))
      .map((flow) => flow.bind(config[flow.name as 'invoices'], { ...peers, recovery })),
    worker: registration.id,
    recoverFrom: () => recoveryStart.current().at,
    observing: !performs,
    judgeStripe: stripe.judge,
    closedBecause: () => watch.closedBecause(['stripe']),
    reads: stripe.reads,
    readsInThirtyDays: config.stripe.readsInThirtyDays,
    schedules: config.schedules,
    enqueueEvents: (events) =>
      producer.enqueue(events.map((event) => eventJob({ ...event, run: 0 }))).catch(onError('enqueue')),
    logger,
    onError,
  });

  metrics.filemakerSessions(async () => {
    const { cap: _cap, effectiveCap: _effective, ...states } = await pool.census();
    return Object.entries(states).map(([state, value]) => ({ labels: { state }, value }));
  });
  const jobWatch = watchJobs(
    [
      { queue: 'stripe-events', worker: eventWorker, waiting: () => waitingIn('stripe-events') },
      ...(effectWorker === undefined
        ? []
        : [{ queue: 'filemaker-effects', worker: effectWorker, waiting: () => waitingIn('filemaker-effects') }]),
    ],
    onError('job watch'),
  );
  const waitingIn = (queue: QueueName): Promise<number> => producer.ask(() => producer.queue(queue).getWaitingCount());
  const ops = createOpsServer({
    ...config.ops,
    metrics,
    healthz: () => jobWatch.fault(),
    readyz: async () => {
      const postgres = await database.ping().then(
        () => 'ok',
        () => 'PostgreSQL does not answer',
      );
      const redis = producer.ready() ? 'ok' : 'Redis is not connected';
      return { ready: postgres === 'ok' && redis === 'ok', checks: { postgres, redis } };
    },
  });

  await pool.start();
  const sweeping = startSweeping({
    inbox,
    effects,
    road,
    engine,
    producer,
    registration,
    prefix,
    performs,
    onSwept: (counts) => {
      // A first start finds no mark of a queue either, and nothing that was in it.
      if (counts.recovered > 0 || counts.replanned > 0 || (counts.queueWasLost && counts.enqueued > 0))
        logger.warn({ counts }, 'sweep.repaired');
    },
    onError: onError('sweep'),
  });
  const opsUrl = await ops.start();

  return {
    opsUrl,
    stop: async () => {
      // A script in hand gets its whole patience; the configuration has made sure that there is time for it.
      const deadlineMs = filemaker.timeoutSeconds * 1_000 + 5_000;
      await Promise.all([
        sweeping.stop(),
        watch.stop(),
        jobWatch.stop(),
        eventWorker.stop(deadlineMs),
        effectWorker?.stop(deadlineMs),
        straight?.stop(deadlineMs),
        asking?.stop(deadlineMs),
        reconciling.stop(deadlineMs),
        replays.stop(deadlineMs),
        rounds.stop(deadlineMs),
        recoveryStart.stop(),
      ]);
      // Every step is taken whatever becomes of the others: the claims above all, which others wait for.
      dayCloser.close();
      await settledWithin(
        Promise.allSettled([pool.stop(), registration.stop().catch(onError('claims'))]),
        LAST_STEPS_MS,
      );
      await settledWithin(
        Promise.allSettled([closeFileMaker(), stripe.close(), producer.close(), ops.stop()]),
        LAST_STEPS_MS / 2,
      );
      await settledWithin(Promise.allSettled([database.close(), heartbeat.close()]), LAST_STEPS_MS / 2);
    },
  };
}
