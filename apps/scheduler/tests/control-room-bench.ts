import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { flowMigrations } from '@bridge/flows';
import { createInbox } from '@bridge/inbox';
import {
  connectForWorkers,
  createFailedBoard,
  createProducer,
  disconnect,
  effectJob,
  eventJob,
  type FailedBoard,
  type Producer,
  queuePrefix,
} from '@bridge/jobs';
import { createLogger } from '@bridge/observability';
import { allMigrations, hashPassword, putOperator } from '@bridge/operations';
import { createTestDatabase, type RedisService } from '@bridge/test-services';
import { type Job, Worker } from 'bullmq';
import { sql } from 'drizzle-orm';
import { createConsoleServer } from '../src/console-server';
import { createControlRoom } from '../src/create-control-room';

export const PASSWORD = 'correct horse battery';
export type BoardQueue = 'filemaker-effects' | 'stripe-events';

export interface Asked {
  method?: string;
  cookie?: string;
  form?: Record<string, string>;
  headers?: Record<string, string>;
  origin?: string | null;
}

/** The control room on a database and a queue of its own, without a worker: the test decides what becomes of jobs. */
export interface Bench {
  database: Database;
  producer: Producer;
  board: FailedBoard;
  prefix: string;
  url: string;
  ask(path: string, asked?: Asked): Promise<Response>;
  tryLogin(name: string, password: string, more?: Partial<Asked>): Promise<Response>;
  /** As ada; resolves to the cookie. */
  login(): Promise<string>;
  parkedEffect(key?: string, over?: object): Promise<string>;
  parkedEvent(eventId?: string): Promise<{ id: string; job: string }>;
  /** Runs what waits in both queues and fails it, as a worker does with parked rows. */
  failJobs(): Promise<void>;
  failed(name: BoardQueue): Promise<(string | undefined)[]>;
  stateOf(id: string): Promise<string | undefined>;
  stop(): Promise<void>;
}

let passwordHash: Promise<string> | undefined;
export const operatorHash = (): Promise<string> => {
  passwordHash ??= hashPassword(PASSWORD);
  return passwordHash;
};
let benches = 0;

export async function startBench(redis: RedisService, consoleUrl?: string): Promise<Bench> {
  const sources = allMigrations(flowMigrations);
  const test = await createTestDatabase();
  await migrate(test.url, sources);
  const database = createDatabase({ url: test.url, poolMax: 5, applicationName: 'control-room-test' });
  benches += 1;
  const prefix = queuePrefix('test', String(benches));
  const producer = createProducer({ redisUrl: redis.url, prefix });
  if (!producer.ready()) await new Promise((resolve) => producer.redis.once('ready', resolve));
  const board = createFailedBoard({ producer, redisUrl: redis.url, prefix, onError: () => undefined });
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
  const effects = createEffectStore(database);

  const ask: Bench['ask'] = (path, { method = 'GET', cookie, form, headers = {}, origin } = {}) => {
    const from = origin === undefined ? url : origin;
    return fetch(`${url}${path}`, {
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
  };
  const tryLogin: Bench['tryLogin'] = (name, password, more = {}) =>
    ask('/login', { method: 'POST', form: { name, password, next: '/queues/' }, ...more });

  return {
    database,
    producer,
    board,
    prefix,
    url,
    ask,
    tryLogin,
    login: async () => {
      await putOperator(database, { name: 'ada', passwordHash: await operatorHash() }, 'test');
      const response = await tryLogin('ada', PASSWORD);
      if (response.status !== 303) throw new Error(`The login was answered with ${response.status}`);
      return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    },
    parkedEffect: async (key = 'cs_1', over = {}) => {
      const { id } = await effects.plan(database.executor, {
        kind: 'filemaker-script',
        flow: 'invoices',
        key,
        lane: null,
        title: `Mark invoice ${key} paid`,
        target: {
          contract: 'kit',
          probe: null,
          log: { layout: 'l', keyField: 'k', stateField: 's', resultField: 'r' },
        },
        body: '{}',
        subject: {},
        origin: 'webhook',
        checkFirst: false,
        parked: { reasonCode: 'X', reason: 'why' },
        ...over,
      });
      await producer.enqueue([effectJob({ id, run: 0 })]);
      return id;
    },
    parkedEvent: async (eventId = 'evt_1') => {
      const [row] = await createInbox(database).record([
        {
          source: 'webhook',
          peer: 'stripe',
          eventId,
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
      await database.executor.execute(
        sql`update inbox.events set state = 'parked', reason_code = 'NO_INVOICE_ID', reason = 'It names no invoice',
              finished_at = clock_timestamp() where id = ${id}`,
      );
      await producer.enqueue([eventJob({ id, eventId, run: 0 })]);
      return { id, job: eventId };
    },
    failJobs: async () => {
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
    },
    failed: async (name) => (await producer.queue(name).getJobs(['failed'])).map((job) => job.id).sort(),
    stateOf: async (id) => (await effects.find(id))?.state,
    stop: async () => {
      await server.stop(100);
      await board.close();
      await producer.close();
      await database.close();
      await test.drop();
    },
  };
}
