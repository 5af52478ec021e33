import { type JobsStand, startJobs, untilReady } from '../tests/jobs-stand';
import { QueueUnavailableError } from './producer';
import { restoreSchedules, type Schedule } from './schedules';

let stand: JobsStand;
beforeEach(async () => {
  stand = await startJobs();
});
afterEach(() => stand.stop());

const hourly: Schedule = {
  id: 'reconcile:invoices',
  queue: 'reconciliations',
  when: { pattern: '0 * * * *', timeZone: 'Europe/Berlin' },
  data: { flow: 'invoices', pass: 'recent' },
};
const often: Schedule = {
  id: 'often',
  queue: 'reconciliations',
  when: { everyMs: 600_000 },
  data: { flow: 'bookings', pass: 'recent' },
};
const restore = (wanted: Schedule[], producer = stand.producer) =>
  restoreSchedules(producer, wanted, ['reconciliations']);
const queue = () => stand.producer.queue('reconciliations');
const present = async () =>
  (await queue().getJobSchedulers()).map(({ key, pattern, tz, every, template }) => ({
    key,
    when: every === undefined ? `${pattern} ${tz}` : Number(every),
    data: template?.data as unknown,
  }));

test('what is missing is made, and what agrees is left alone', async () => {
  expect(await restore([hourly, often])).toBe(2);
  expect(await restore([hourly, often])).toBe(0);
  expect(await present()).toEqual(
    expect.arrayContaining([
      { key: 'reconcile:invoices', when: '0 * * * * Europe/Berlin', data: { flow: 'invoices', pass: 'recent' } },
      { key: 'often', when: 600_000, data: { flow: 'bookings', pass: 'recent' } },
    ]),
  );
});

test('after FLUSHALL every schedule is back, each with its next job', async () => {
  await restore([hourly, often]);
  await stand.redis.flush();
  expect(await restore([hourly, often])).toBe(2);
  expect(await queue().getJobCountByTypes('delayed', 'waiting')).toBe(2);
});

test.each<[string, Partial<Schedule>]>([
  ['time', { when: { pattern: '30 * * * *', timeZone: 'Europe/Berlin' } }],
  ['time zone', { when: { pattern: '0 * * * *', timeZone: 'UTC' } }],
  ['data', { data: { flow: 'standing', pass: 'recent' } }],
  ['kind', { when: { everyMs: 60_000 } }],
])('a schedule whose %s has changed is made anew, once', async (_what, change) => {
  await restore([hourly]);
  const changedTo = { ...hourly, ...change };
  expect(await restore([changedTo])).toBe(1);
  expect(await restore([changedTo])).toBe(0);
  expect(await present()).toHaveLength(1);
  expect(await queue().getJobCountByTypes('delayed', 'waiting')).toBe(1);
});

test('a schedule that nobody wants any more is removed with its next job', async () => {
  await restore([hourly, often]);
  expect(await restore([hourly])).toBe(1);
  expect((await present()).map(({ key }) => key)).toEqual(['reconcile:invoices']);
});

test('a schedule whose job has vanished, so that it would never run again, is made anew', async () => {
  await restore([hourly]);
  const [job] = await queue().getJobs(['delayed']);
  await stand.producer.redis.del(`${stand.prefix}:reconciliations:${job?.id}`);
  await stand.producer.redis.zrem(`${stand.prefix}:reconciliations:delayed`, job?.id ?? '');
  await stand.producer.redis.zadd(`${stand.prefix}:reconciliations:repeat`, Date.now() - 3_600_000, hourly.id);
  expect(await restore([hourly])).toBe(1);
  expect(await queue().getJobCountByTypes('delayed')).toBe(1);
});

test('two processes that restore at the same moment leave one scheduler and one job', async () => {
  await Promise.all([restore([hourly]), restore([hourly])]);
  expect(await present()).toHaveLength(1);
  expect(await queue().getJobCountByTypes('delayed', 'waiting')).toBe(1);
});

test('a Redis that is away or hangs is told as QueueUnavailableError within the time-out', async () => {
  const hasty = await stand.connect(500);
  await stand.redis.pause();
  try {
    const began = performance.now();
    await expect(restore([hourly], hasty)).rejects.toBeInstanceOf(QueueUnavailableError);
    expect(performance.now() - began).toBeLessThan(20_000);
  } finally {
    await stand.redis.resume();
  }
  await stand.redis.stop();
  await expect(restore([hourly])).rejects.toBeInstanceOf(QueueUnavailableError);
  await stand.redis.start();
  await untilReady(stand.producer);
  expect(await restore([hourly])).toBe(1);
});
