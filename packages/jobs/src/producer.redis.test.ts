import { startRedis } from '@bridge/test-services';
import fc from 'fast-check';
import { type JobsStand, startJobs, timed, until, untilReady } from '../tests/jobs-stand';
import { effectJob, eventJob } from './catalogue';
import { createProducer, QueueUnavailableError } from './producer';

let stand: JobsStand;
beforeAll(async () => {
  stand = await startJobs();
});
beforeEach(() => stand.redis.flush());
afterAll(() => stand.stop());

const event = (id: string, run = 0) => eventJob({ id, eventId: `evt_${id}`, run });
const waiting = () => stand.producer.queue('stripe-events').getJobCountByTypes('waiting');

test('a job enqueued twice, in one call or two, by one process or two, is there once', async () => {
  const other = await stand.connect();
  await stand.producer.enqueue([event('1'), event('1')]);
  await Promise.all([stand.producer.enqueue([event('1')]), other.enqueue([event('1')])]);
  expect(await waiting()).toBe(1);
});

test('a later run of the same row is another job', async () => {
  await stand.producer.enqueue([event('1'), event('1', 1), effectJob({ id: '1', run: 0 })]);
  expect(await waiting()).toBe(2);
  expect(await stand.producer.queue('filemaker-effects').getJobCountByTypes('waiting')).toBe(1);
});

test('BullMQ takes the job of any event id, and finds it again under the id we gave', async () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('wait', 'meta', 'active', 'events', 'id', 'stalled-check', 'marker', '7', '-5', '0', 'a:b:c', ' '),
    fc.string({ unit: fc.constantFrom('e', 'v', '_', '1', '-', '.', ':'), maxLength: 12 }),
  );
  let row = 0;
  await fc.assert(
    fc.asyncProperty(odd, fc.nat({ max: 2 }), async (eventId, run) => {
      row += 1;
      const job = eventJob({ id: String(row), eventId, run });
      await stand.producer.enqueue([job]);
      expect(await stand.producer.live('stripe-events', [job.id])).toEqual(new Set([job.id]));
    }),
    { numRuns: 150 },
  );
  // None of them has overwritten a key of the queue itself.
  expect(await stand.producer.queue('stripe-events').getJobCounts()).toMatchObject({ failed: 0, active: 0 });
}, 240_000);

test('live names what waits or is delayed, not what is done, failed or never was', async () => {
  const worker = stand.work('stripe-events', async ({ inboxId }) =>
    inboxId === '1' ? { kind: 'finished' } : { kind: 'failed', reason: 'PARKED: by test' },
  );
  await stand.producer.enqueue([event('1'), event('2')]);
  const queue = stand.producer.queue('stripe-events');
  await until(async () => (await queue.getJobCountByTypes('completed', 'failed')) === 2);
  await worker.stop(30_000);
  await queue.add('process-event', { inboxId: '4' }, { jobId: 'evt_4', delay: 3_600_000 });
  await stand.producer.enqueue([event('5')]);
  const live = await stand.producer.live('stripe-events', ['evt_1', 'evt_2', 'evt_3', 'evt_4', 'evt_5']);
  expect(live).toEqual(new Set(['evt_4', 'evt_5']));
});

test('promote brings a delayed job forward and leaves every other job as it is', async () => {
  const queue = stand.producer.queue('filemaker-effects');
  await queue.add('perform-effect', { effectId: '1' }, { jobId: '1.0', delay: 3_600_000 });
  await queue.add('perform-effect', { effectId: '2' }, { jobId: '2.0' });
  await stand.producer.promote('filemaker-effects', ['1.0', '2.0', 'never.0']);
  expect(await queue.getJobCounts('waiting', 'delayed')).toMatchObject({ waiting: 2, delayed: 0 });
});

describe('a Redis that is away or hangs', () => {
  /** Far less than for ever, which is what a call without a time-out takes here. */
  const BOUND_MS = 20_000;

  test('stopped: every call rejects at once with QueueUnavailableError, and works again after the start', async () => {
    await stand.redis.stop();
    try {
      for (const work of [
        () => stand.producer.enqueue([event('1')]),
        () => stand.producer.live('stripe-events', ['evt_1']),
        () => stand.producer.promote('stripe-events', ['evt_1']),
        () => stand.producer.ask(() => stand.producer.redis.get('x')),
      ]) {
        const { ms, error } = await timed(work());
        expect(error).toBeInstanceOf(QueueUnavailableError);
        expect(ms).toBeLessThan(BOUND_MS);
      }
    } finally {
      await stand.redis.start();
    }
    await untilReady(stand.producer);
    await stand.producer.enqueue([event('1')]);
    expect(await waiting()).toBe(1);
  });

  test('hung: a call rejects with QueueUnavailableError within its time-out', async () => {
    const producer = await stand.connect(300);
    await stand.redis.pause();
    try {
      const { ms, error } = await timed(producer.enqueue([event('1')]));
      expect(error).toMatchObject({ name: 'QueueUnavailableError', code: 'QUEUE_UNAVAILABLE' });
      expect(ms).toBeLessThan(BOUND_MS);
      expect((await timed(producer.close())).ms).toBeLessThan(BOUND_MS);
    } finally {
      await stand.redis.resume();
    }
  });

  test('hung when the first question is asked: the next one after its return works, without a restart', async () => {
    const producer = await stand.connect(3_000);
    await stand.redis.pause();
    try {
      await expect(producer.enqueue([event('1')])).rejects.toBeInstanceOf(QueueUnavailableError);
    } finally {
      await stand.redis.resume();
    }
    await untilReady(producer);
    await producer.enqueue([event('2')]);
    expect(await producer.live('stripe-events', ['evt_2'])).toEqual(new Set(['evt_2']));
  });

  test('away when the process starts: calls reject, and the first one after its start works', async () => {
    const redis = await startRedis();
    await redis.stop();
    const producer = createProducer({ redisUrl: redis.url, prefix: '{late}', commandTimeoutMs: 30_000 });
    try {
      await expect(producer.enqueue([event('1')])).rejects.toBeInstanceOf(QueueUnavailableError);
      await redis.start();
      await untilReady(producer);
      await producer.enqueue([event('1')]);
      expect(await producer.live('stripe-events', ['evt_1'])).toEqual(new Set(['evt_1']));
    } finally {
      await producer.close();
      await redis.stop();
    }
  });
});
