import { randomBytes } from 'node:crypto';
import { claimsMigrations, registerWorker } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import {
  createEffectEngine,
  createEffectStore,
  type EffectPlan,
  effectsMigrations,
  type TurnEnding,
} from '@bridge/effects';
import { createFileMakerClient, type FileMakerClient } from '@bridge/filemaker-client';
import {
  createFileMakerSimulator,
  type FileMakerSimulator,
  type SimulatorSettingsPatch,
  type TroubleRequest,
} from '@bridge/filemaker-simulator';
import { createGates, type Gates, gatesMigrations } from '@bridge/gates';
import { createSessionOpener } from '@bridge/operations';
import { createLeaseRelay, createSessionPool, type SessionPool, sessionPoolMigrations } from '@bridge/session-pool';
import { createTestDatabase, type RedisService, startRedis } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { Redis } from 'ioredis';
import { createFileMakerScriptPerformer, type FileMakerScriptOptions } from '../src/performers/filemaker-script';
import type { ScriptTarget } from '../src/performers/script-target';

export const SCRIPT = 'STRIPE_PAYMENTLINK_SUCCESS';
export const INVOICE = '18637';
export const SENTINEL = 'bridge-sentinel-test';

export interface BenchOptions {
  simulator?: SimulatorSettingsPatch;
  password?: string;
  scriptMaxMs?: number;
  timeoutMs?: number;
  leaseWaitMs?: number;
  cap?: number;
  /** Replaces parts of the performer's peers. */
  pool?: (pool: SessionPool) => SessionPool;
  recheckCharge?: FileMakerScriptOptions['recheckCharge'];
}

export interface Bench {
  simulator: FileMakerSimulator;
  client: FileMakerClient;
  pool: SessionPool;
  gates: Gates;
  database: Database;
  redis: RedisService;
  /** Plans the effect of one paid Session and returns its id. */
  plan(target?: Partial<ScriptTarget>, rest?: Partial<EffectPlan>): Promise<string>;
  /** One turn, due or not. */
  turn(id: string): Promise<TurnEnding>;
  /** Turns until the effect is done or parked; rejects when it takes more than so many. */
  settle(id: string, turnsMax?: number): Promise<TurnEnding>;
  effect(id: string): Promise<Record<string, unknown>>;
  attempts(id: string): Promise<Record<string, unknown>[]>;
  /** As if the last sending had begun so much earlier. */
  agePast(id: string, ms: number): Promise<void>;
  trouble(trouble: TroubleRequest): Promise<void>;
  control(path: string, body?: unknown, method?: string): Promise<unknown>;
  scopesClosed(): Promise<string[]>;
}

interface Services {
  redis: RedisService;
  connection: Redis;
  database: Database;
  stop(): Promise<void>;
}

/** PostgreSQL and Redis for one test file. */
export async function startBenchServices(): Promise<Services> {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, gatesMigrations, effectsMigrations, sessionPoolMigrations]);
  const database = createDatabase({ url: created.url, poolMax: 10, applicationName: 'worker-test' });
  const redis = await startRedis();
  const connection = new Redis(redis.url, { commandTimeout: 15_000, maxRetriesPerRequest: 1, retryStrategy: () => 50 });
  connection.on('error', () => undefined);
  return {
    redis,
    connection,
    database,
    stop: async () => {
      connection.disconnect();
      await redis.stop();
      await database.close();
      await created.drop();
    },
  };
}

let sequence = 0;

/** A FileMaker of its own for each test, the real client and session pool, and the real engine on top. */
export async function setupBench(
  services: Services,
  cleanups: (() => Promise<void>)[],
  options: BenchOptions = {},
): Promise<Bench> {
  const { database } = services;
  await services.redis.flush();
  await database.executor.execute(
    sql`truncate effects.attempts, effects.effects, gates.closures, gates.circuits, session_pool.sessions, session_pool.pool`,
  );
  await database.executor.execute(sql`insert into session_pool.pool default values`);
  const simulator = createFileMakerSimulator({ loginMs: 0, scriptMs: 0, ...options.simulator });
  const { url } = await simulator.listen();
  cleanups.push(() => simulator.close());
  const client = createFileMakerClient({
    url,
    database: 'Shop',
    username: 'bridge',
    password: options.password ?? 'bridge',
    timeoutMs: options.timeoutMs ?? 30_000,
  });
  cleanups.push(() => client.close());
  const registration = await registerWorker(database, { app: 'test' });
  cleanups.push(() => registration.stop());
  const gates = createGates(database);
  const pool = createSessionPool({
    database,
    redis: services.connection,
    keyPrefix: '{bench}:filemaker',
    opener: createSessionOpener(client),
    cap: options.cap ?? 3,
    scriptMaxMs: options.scriptMaxMs ?? 120_000,
    leaseMs: 30_000,
    tokenKeys: [randomBytes(32)],
    owner: registration.id,
    isOwnerAlive: (owners) => registration.notDead(owners),
    halts: {
      isHalted: async () => (await gates.closures(['filemaker'])).find(({ kind }) => kind === 'halt'),
      halt: (cause, detail) => gates.halt('filemaker', cause, detail, registration.id),
    },
    loginsPerSecond: 1_000,
    quarantineMs: 20,
    keepEveryMs: 50,
  });
  await pool.start();
  cleanups.push(() => pool.stop());
  const store = createEffectStore(database);
  const lending = options.pool?.(pool) ?? pool;
  const performer = createFileMakerScriptPerformer({
    client,
    pool: lending,
    relay: createLeaseRelay({ pool: lending }),
    gates,
    worker: registration.id,
    sentinelKey: SENTINEL,
    scriptMaxMs: options.scriptMaxMs ?? 120_000,
    callMaxMs: options.timeoutMs ?? 30_000,
    leaseWaitMs: options.leaseWaitMs ?? 15_000,
    recheckCharge: options.recheckCharge ?? (async () => ({ kind: 'fine' })),
  });
  const engine = createEffectEngine({
    store,
    worker: registration.id,
    performers: [performer],
    closedBecause: async (scopes) => {
      const [closure] = await gates.closures(scopes);
      return closure === undefined ? undefined : { ...closure, afterMs: 1_000 };
    },
    random: () => 0,
  });
  const control: Bench['control'] = async (path, body, method = 'POST') => {
    const answer = await fetch(`${url}/_simulator${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`control ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  };
  await control('/databases/Shop/tables/invoices/records', { fieldData: { invoice_id: INVOICE, status: 'open' } });

  const turn: Bench['turn'] = async (id) => {
    await database.executor.execute(sql`update effects.effects set due_at = clock_timestamp() where id = ${id}`);
    return engine.turn(id);
  };
  const query = async (text: ReturnType<typeof sql>) => (await database.executor.execute(text)).rows;
  return {
    simulator,
    client,
    pool,
    gates,
    database,
    redis: services.redis,
    plan: async (target = {}, rest = {}) => {
      sequence += 1;
      const key = `invoice-paid:cs_${sequence}`;
      const body = JSON.stringify({
        idempotency_key: key,
        invoice_id: INVOICE,
        checkout_session_id: `cs_${sequence}`,
        payment_intent_id: `pi_${sequence}`,
        invoicetotal_cents: 18_000,
        items: [],
      });
      const whole: ScriptTarget = {
        layout: 'web_invoices',
        script: SCRIPT,
        contract: 'kit',
        transport: 'get',
        handoffLayout: null,
        probe: null,
        log: { layout: 'bridge_log', keyField: 'idempotency_key', stateField: 'state', resultField: 'result' },
        ...target,
      };
      const plan: EffectPlan = {
        kind: 'filemaker-script',
        flow: 'invoices',
        key,
        lane: `invoice:${INVOICE}`,
        title: `Mark invoice ${INVOICE} paid`,
        target: whole,
        body,
        subject: {},
        origin: 'webhook',
        checkFirst: false,
        ...rest,
      };
      return (await database.transaction((tx) => store.plan(tx, plan))).id;
    },
    turn,
    settle: async (id, turnsMax = 12) => {
      for (let turns = 0; turns < turnsMax; turns += 1) {
        const ending = await turn(id);
        if (ending.kind === 'done' || ending.kind === 'parked') return ending;
      }
      throw new Error(
        `not settled after ${turnsMax} turns: ${JSON.stringify(await query(sql`select state, reason_code, reason from effects.effects where id = ${id}`))}`,
      );
    },
    effect: async (id) => (await query(sql`select * from effects.effects where id = ${id}`))[0] ?? {},
    attempts: (id) =>
      query(sql`select purpose, stage, code, verdict from effects.attempts where effect_id = ${id} order by id`),
    agePast: async (id, ms) => {
      await query(
        sql`update effects.effects set last_sent_at = last_sent_at - make_interval(secs => ${ms / 1000}::float8) where id = ${id}`,
      );
    },
    trouble: async (trouble) => void (await control('/trouble', trouble)),
    control,
    scopesClosed: async () => (await gates.closures()).map(({ scope, kind, cause }) => `${kind} ${scope} ${cause}`),
  };
}
