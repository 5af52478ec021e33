import { once } from 'node:events';
import { registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { flowMigrations } from '@bridge/flows';
import { createInbox } from '@bridge/inbox';
import { createProducer, type Producer, queuePrefix } from '@bridge/jobs';
import { allMigrations } from '@bridge/operations';
import { createTestDatabase, eventually, type RedisService, startRedis } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { stopIntervals } from '../tests/stop-intervals';
import type { Repeating } from './repeat';
import { startSweeping } from './sweeping';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

const SECOND_MS = 1_000;
const prefix = queuePrefix('test', 'sweeping');
/** The queue, and what a process sees of it that is cut off from the others. */
let redis: RedisService;
let cutOff: RedisService;
let database: Database;
let dropDatabase: () => Promise<void>;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations(flowMigrations));
  database = createDatabase({ url: created.url, poolMax: 8, applicationName: 'worker-test' });
  dropDatabase = created.drop;
  [redis, cutOff] = await Promise.all([startRedis(), startRedis()]);
});
beforeEach(async () => {
  stopIntervals();
  await database.executor.execute(sql`truncate effects.attempts, effects.effects, claims.duties`);
  await Promise.all([redis.flush(), cutOff.flush()]);
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  jest.useRealTimers();
});
afterAll(async () => {
  await Promise.all([redis.stop(), cutOff.stop()]);
  await database.close();
  await dropDatabase();
});

interface Worker {
  registration: WorkerRegistration;
  producer: Producer;
  sweeping: Repeating;
  errors: Error[];
}

/** A worker as far as it sweeps. */
async function startOne(reaches: RedisService, commandTimeoutMs?: number): Promise<Worker> {
  const registration = await registerWorker(database, { app: 'worker' });
  const producer = createProducer({
    redisUrl: reaches.url,
    prefix,
    ...(commandTimeoutMs === undefined ? {} : { commandTimeoutMs }),
  });
  if (!producer.ready()) await once(producer.redis, 'ready');
  const errors: Error[] = [];
  const sweeping = startSweeping({
    inbox: createInbox(database),
    effects: createEffectStore(database),
    road: { inHand: () => [] },
    engine: { inHand: () => [] },
    producer,
    registration,
    prefix,
    performs: true,
    onSwept: () => undefined,
    onError: (error) => void errors.push(error),
  });
  ends.push(async () => {
    await sweeping.stop();
    await registration.stop();
    await producer.close();
  });
  return { registration, producer, sweeping, errors };
}

/** One second of every process. */
const tick = (): void => void jest.advanceTimersByTime(SECOND_MS);
async function planOne(): Promise<string> {
  const { id } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: 'invoice-paid:cs_1',
    lane: 'invoice:1',
    title: 'Mark invoice 1 paid',
    target: {},
    body: '{}',
    subject: {},
    origin: 'webhook',
    checkFirst: false,
  });
  return id;
}
const holder = async (): Promise<unknown> =>
  (await database.executor.execute(sql`select held_by from claims.duties where name = 'sweep'`)).rows[0]?.held_by;
const holds = (worker: Worker): Promise<true> =>
  eventually(`${worker.registration.id} has the sweep`, async () => {
    tick();
    return (await holder()) === worker.registration.id;
  });
const hasJob = (worker: Worker): Promise<true> =>
  eventually('the effect has a job', async () => {
    tick();
    return (await worker.producer.queue('filemaker-effects').getWaitingCount()) > 0;
  });

test('a worker that alone has lost Redis leaves the sweep to another', async () => {
  const lonely = await startOne(cutOff);
  await holds(lonely);
  const other = await startOne(redis);
  await cutOff.stop();
  try {
    await planOne();
    await hasJob(other);
    expect(await holder()).toBe(other.registration.id);
  } finally {
    await cutOff.start();
  }
});

test('a worker whose Redis hangs does not take the sweep up again before another has looked', async () => {
  const lonely = await startOne(cutOff, 500);
  await holds(lonely);
  await cutOff.pause();
  try {
    await eventually('its round fails', () => {
      tick();
      return lonely.errors.length > 0;
    });
    const other = await startOne(redis);
    // In the same second, and it is asked first.
    tick();
    await eventually('the other one has the sweep', async () => (await holder()) === other.registration.id, {
      withinMs: 60_000,
    });
    await planOne();
    await hasJob(other);
  } finally {
    await cutOff.resume();
  }
});

test('a worker that drains leaves the sweep to another while its heart still beats', async () => {
  const draining = await startOne(redis);
  await holds(draining);
  const other = await startOne(redis);
  await draining.sweeping.stop();
  await planOne();
  await hasJob(other);
  expect(await draining.registration.alive([draining.registration.id])).toEqual(new Set([draining.registration.id]));
});

test('an effect in the hands of a worker whose row a failover has lost gets a job again', async () => {
  const store = createEffectStore(database);
  const id = await planOne();
  const only = await startOne(redis);
  const claim = await store.claim(id, only.registration.id);
  if (claim.kind !== 'claimed') throw new Error(`not claimed: ${claim.kind}`);
  await store.begin(claim.effect, only.registration.id, null);
  // The replica that took over knows the effect and not the worker, whose turn ended with an error of PostgreSQL.
  await database.executor.execute(sql`delete from claims.workers where id = ${only.registration.id}`);
  await hasJob(only);
  expect((await store.find(id))?.state).toBe('unknown');
});
