import { createProducer, type Producer, queuePrefix } from '@bridge/jobs';
import { type RedisService, startRedis } from '@bridge/test-services';
import { createScheduleKeeper, LOOK_EVERY_MS } from './schedule-keeper';
import { schedulesOf } from './schedules';

let redis: RedisService;
let producer: Producer;
let time = 0;
const prefix = queuePrefix('test', 'one');

beforeAll(async () => {
  redis = await startRedis();
  producer = createProducer({ redisUrl: redis.url, prefix });
  if (!producer.ready()) await new Promise((resolve) => producer.redis.once('ready', resolve));
});
afterAll(async () => {
  await producer.close();
  await redis.stop();
});
beforeEach(() => redis.flush());

const FLOWS = ['invoices', 'bookings'].map((name) => ({
  name,
  passes: [{ name: 'recent', schedule: { everyMs: 300_000 } }],
}));
const keeper = (flows: readonly string[], takeDuty = async (): Promise<boolean> => true) =>
  createScheduleKeeper({
    producer,
    schedules: schedulesOf(FLOWS, { flows, schedules: {}, timezone: 'UTC' }),
    markerKey: `${prefix}:schedules-kept`,
    takeDuty,
    now: () => time,
  });
const present = async (): Promise<[string, number][]> =>
  (await producer.queue('reconciliations').getJobSchedulers()).map(({ key, every }) => [key, Number(every)]);

test('the flows that are on come by the clock; one that is switched off comes no more', async () => {
  await keeper(['invoices', 'bookings']).runOnce();
  expect((await present()).map(([id]) => id).sort()).toEqual([
    'reconcile-bookings-recent',
    'reconcile-invoices-recent',
  ]);
  expect(await keeper(['invoices']).runOnce()).toBe(1);
  expect(await present()).toEqual([['reconcile-invoices-recent', 300_000]]);
});

test('after a flush the schedules are back at the next tick, not at the next full look', async () => {
  const one = keeper(['invoices']);
  expect(await one.runOnce()).toBe(1);
  expect(await one.runOnce()).toBeUndefined();
  await redis.flush();
  expect(await one.runOnce()).toBe(1);
  expect(await present()).toHaveLength(1);
});

test('a schedule that somebody removed is back within ten seconds', async () => {
  const one = keeper(['invoices']);
  await one.runOnce();
  await producer.queue('reconciliations').removeJobScheduler('reconcile-invoices-recent');
  time += LOOK_EVERY_MS - 1;
  expect(await one.runOnce()).toBeUndefined();
  time += 1;
  expect(await one.runOnce()).toBe(1);
});

test('a scheduler that does not have the duty changes nothing', async () => {
  expect(await keeper(['invoices'], async () => false).runOnce()).toBeUndefined();
  expect(await present()).toEqual([]);
});
