import { once } from 'node:events';
import { registerWorker } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { flowMigrations } from '@bridge/flows';
import { createProducer, type Producer, queuePrefix } from '@bridge/jobs';
import { allMigrations } from '@bridge/operations';
import { createTestDatabase, eventually, type RedisService, startRedis } from '@bridge/test-services';
import { createScheduleKeeper } from './schedule-keeper';
import { schedulesOf } from './schedules';
import { underDuty } from './under-duty';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

const prefix = queuePrefix('test', 'duty');
/** What all schedulers share, and what one sees of it that is cut off from the others. */
let redis: RedisService;
let cutOff: RedisService;
let database: Database;
let dropDatabase: () => Promise<void>;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations(flowMigrations));
  database = createDatabase({ url: created.url, poolMax: 8, applicationName: 'scheduler-test' });
  dropDatabase = created.drop;
  [redis, cutOff] = await Promise.all([startRedis(), startRedis()]);
});
beforeEach(() => Promise.all([redis.flush(), cutOff.flush()]));
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(async () => {
  await Promise.all([redis.stop(), cutOff.stop()]);
  await database.close();
  await dropDatabase();
});

interface Scheduler {
  producer: Producer;
  hasDuty(): Promise<boolean>;
  /** What happens every second. */
  round(): Promise<void>;
}

async function startOne(reaches: RedisService, commandTimeoutMs: number): Promise<Scheduler> {
  const registration = await registerWorker(database, { app: 'scheduler' });
  const producer = createProducer({ redisUrl: reaches.url, prefix, commandTimeoutMs });
  if (!producer.ready()) await once(producer.redis, 'ready');
  ends.push(async () => {
    await registration.stop();
    await producer.close();
  });
  const keeper = createScheduleKeeper({
    producer,
    schedules: schedulesOf([{ name: 'invoices', passes: [{ name: 'recent', schedule: { everyMs: 300_000 } }] }], {
      flows: ['invoices'],
      schedules: {},
      timezone: 'UTC',
    }),
    markerKey: `${prefix}:schedules-kept`,
    takeDuty: () => registration.takeDuty('schedules'),
  });
  return {
    producer,
    hasDuty: () => registration.takeDuty('schedules'),
    round: underDuty(async () => void (await keeper.runOnce()), {
      redisReady: () => producer.ready(),
      dropDuty: () => registration.dropDuty('schedules'),
      onError: (error) => {
        throw error;
      },
    }),
  };
}
const schedulesIn = (producer: Producer): Promise<number> => producer.queue('reconciliations').getJobSchedulersCount();

test.each<['is cut off from Redis' | 'hangs at Redis']>([['is cut off from Redis'], ['hangs at Redis']])(
  'a scheduler that alone %s leaves the schedules to another',
  async (what) => {
    const lonely = await startOne(cutOff, 500);
    await lonely.round();
    expect(await schedulesIn(lonely.producer)).toBe(1);
    const other = await startOne(redis, 30_000);
    await other.round();
    expect(await schedulesIn(other.producer)).toBe(0);
    if (what === 'hangs at Redis') {
      await cutOff.pause();
      await expect(lonely.round()).rejects.toThrow();
    } else {
      await cutOff.stop();
      await eventually('it knows', () => !lonely.producer.ready());
      await lonely.round();
    }
    try {
      await other.round();
      expect(await schedulesIn(other.producer)).toBe(1);
      expect(await lonely.hasDuty()).toBe(false);
    } finally {
      await (what === 'hangs at Redis' ? cutOff.resume() : cutOff.start());
    }
  },
);

test('a duty that cannot be laid down hides nothing of why the round failed', async () => {
  const told: string[] = [];
  const round = underDuty(() => Promise.reject(new Error('Redis went away')), {
    redisReady: () => true,
    dropDuty: () => Promise.reject(new Error('PostgreSQL too')),
    onError: (error) => void told.push(error.message),
  });
  await expect(round()).rejects.toThrow('Redis went away');
  expect(told).toEqual(['PostgreSQL too']);
});
