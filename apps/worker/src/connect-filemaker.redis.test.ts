import { once } from 'node:events';
import { claimsMigrations, registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createFileMakerSimulator, type FileMakerSimulator } from '@bridge/filemaker-simulator';
import { createGates, gatesMigrations } from '@bridge/gates';
import { connectForCommands, disconnect } from '@bridge/jobs';
import { sessionPoolMigrations } from '@bridge/session-pool';
import { createTestDatabase, type RedisService, startRedis } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { stopIntervals } from '../tests/stop-intervals';
import { connectFileMaker, type FileMakerConnection } from './connect-filemaker';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

let redis: RedisService;
let database: Database;
let simulator: FileMakerSimulator;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  // Nobody's heart beats, so that nobody has beaten long enough to judge others.
  stopIntervals();
  const created = await createTestDatabase();
  ends.push(() => created.drop());
  await migrate(created.url, [claimsMigrations, gatesMigrations, sessionPoolMigrations]);
  database = createDatabase({ url: created.url, poolMax: 8, applicationName: 'worker-test' });
  ends.push(() => database.close());
  redis = await startRedis();
  ends.push(() => redis.stop());
  simulator = createFileMakerSimulator({ loginMs: 0 });
  ends.push(() => simulator.close());
});
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  jest.useRealTimers();
});

/** One worker, as far as it has to do with FileMaker. */
async function startOne(url: string): Promise<FileMakerConnection & { registration: WorkerRegistration }> {
  const registration = await registerWorker(database, { app: 'worker' });
  ends.push(() => registration.stop());
  const connection = connectForCommands(redis.url, { commandTimeoutMs: 15_000, onError: () => undefined });
  ends.push(() => disconnect(connection));
  await once(connection, 'ready');
  const filemaker = connectFileMaker({
    config: {
      url,
      database: 'Shop',
      username: 'bridge',
      password: 'bridge',
      ca: undefined,
      layout: 'web_invoices',
      script: 'STRIPE_PAYMENTLINK_SUCCESS',
      log: undefined,
      handoffLayout: undefined,
      maxSessions: 1,
      timeoutSeconds: 60,
      scriptMaxSeconds: 120,
      tokenKeys: [Buffer.alloc(32, 1)],
    },
    database,
    redis: connection,
    keyPrefix: '{test}:filemaker',
    gates: createGates(database),
    registration,
    isAway: () => false,
    onPoolEvent: () => undefined,
    onError: () => undefined,
  });
  await filemaker.pool.start();
  ends.push(() => filemaker.close());
  ends.push(() => filemaker.pool.stop());
  return { ...filemaker, registration };
}

/** Of its keeper; the first to end may have begun before. */
async function wholeRound({ pool }: FileMakerConnection): Promise<void> {
  await pool.keep();
  await pool.keep();
}

test('after a stall of PostgreSQL no worker takes the leases of the living', async () => {
  const { url } = await simulator.listen();
  const [holder, keeper] = [await startOne(url), await startOne(url)];
  const lease = await holder.pool.lease({ waitMs: 60_000 });
  await database.executor.execute(
    sql`update claims.workers set heartbeat_at = clock_timestamp() - interval '6 seconds' where id = ${holder.registration.id}`,
  );
  await wholeRound(keeper);
  expect(await holder.pool.giveBack(lease, 'idle')).toBe(true);
  // One that is known to have ended is not spared.
  const left = await holder.pool.lease({ waitMs: 60_000 });
  await holder.registration.stop();
  await wholeRound(keeper);
  expect(await holder.pool.giveBack(left, 'idle')).toBe(false);
});
