import { gate, type JobsStand, startJobs, timed, until } from '../tests/jobs-stand';
import { effectJob } from './catalogue';

let stand: JobsStand;
beforeEach(async () => {
  stand = await startJobs();
});
afterEach(() => stand.stop());

const job = (id: string) => effectJob({ id, run: 0 });
const queue = () => stand.producer.queue('filemaker-effects');
const stateIs = (id: string, state: string) => until(async () => (await queue().getJobState(id)) === state);

test('a handled job is completed', async () => {
  const seen = gate<string>();
  stand.work('filemaker-effects', async ({ effectId }) => {
    seen.open(effectId);
    return { kind: 'finished' };
  });
  await stand.producer.enqueue([job('1')]);
  expect(await seen.opened).toBe('1');
  await stateIs('1.0', 'completed');
});

test('"later" brings the job back after that time and costs no attempt, however often', async () => {
  const times: number[] = [];
  const done = gate();
  stand.work('filemaker-effects', async () => {
    times.push(performance.now());
    if (times.length < 4) return { kind: 'later', afterMs: 50 };
    done.open();
    return { kind: 'finished' };
  });
  await stand.producer.enqueue([job('1')]);
  await done.opened;
  await stateIs('1.0', 'completed');
  // BullMQ counts the attempt that ends the job; the three before it left no trace.
  expect((await queue().getJob('1.0'))?.attemptsMade).toBe(1);
  for (const [at, time] of times.slice(1).entries()) expect(time - (times[at] ?? 0)).toBeGreaterThanOrEqual(45);
});

test('"failed" stands in the queue as failed with its reason, for Bull Board to show', async () => {
  stand.work('filemaker-effects', async () => ({ kind: 'failed', reason: 'LOG_CONTRADICTS: two rows for one key' }));
  await stand.producer.enqueue([job('1')]);
  await stateIs('1.0', 'failed');
  expect((await queue().getJob('1.0'))?.failedReason).toBe('LOG_CONTRADICTS: two rows for one key');
});

test('a handler that throws, even before its first await, is told as an error and gets the job again', async () => {
  const done = gate();
  let runs = 0;
  const worker = stand.work('filemaker-effects', (() => {
    runs += 1;
    if (runs === 1) throw new Error('PostgreSQL is away');
    done.open();
    return Promise.resolve({ kind: 'finished' });
  }) as () => Promise<{ kind: 'finished' }>);
  await stand.producer.enqueue([job('1')]);
  await done.opened;
  expect(worker.errors.map(({ message }) => message)).toEqual(['PostgreSQL is away']);
  await stateIs('1.0', 'completed');
});

test('a job whose data is not of our making fails without reaching the handler', async () => {
  let handled = 0;
  stand.work('filemaker-effects', async () => {
    handled += 1;
    return { kind: 'finished' };
  });
  await queue().add('perform-effect', { effectId: 'x', card: '4242' }, { jobId: 'x.0' });
  await stateIs('x.0', 'failed');
  const failed = await queue().getJob('x.0');
  expect([handled, failed?.failedReason]).toEqual([0, "This job's data is not what filemaker-effects carries"]);
});

test('a paused worker fetches nothing while jobs in hand go on, and resumes', async () => {
  const [began, goOn, second] = [gate(), gate(), gate()];
  const handle = async ({ effectId }: { effectId: string }): Promise<{ kind: 'finished' }> => {
    if (effectId === '2') second.open();
    else {
      began.open();
      await goOn.opened;
    }
    return { kind: 'finished' };
  };
  // With one place, no read waits for the next job at the moment of the pause.
  const worker = stand.work('filemaker-effects', handle, 1);
  await stand.producer.enqueue([job('1')]);
  await began.opened;
  await worker.pause();
  await stand.producer.enqueue([job('2')]);
  goOn.open();
  await stateIs('1.0', 'completed');
  expect(await queue().getJobState('2.0')).toBe('waiting');
  worker.resume();
  await second.opened;
});

test('stop takes no new job, waits for the one in hand, and tells that nothing is left', async () => {
  const [began, goOn] = [gate(), gate()];
  const worker = stand.work(
    'filemaker-effects',
    async () => {
      began.open();
      await goOn.opened;
      return { kind: 'finished' };
    },
    1,
  );
  await stand.producer.enqueue([job('1'), job('2')]);
  await began.opened;
  const stopping = worker.stop(40_000);
  goOn.open();
  expect(await stopping).toBe(0);
  expect(await queue().getJobState('1.0')).toBe('completed');
  expect(await queue().getJobState('2.0')).toBe('waiting');
});

test('stop gives up at its deadline and tells how many jobs were left in hand', async () => {
  const [began, goOn] = [gate(), gate()];
  const worker = stand.work('filemaker-effects', async () => {
    began.open();
    await goOn.opened;
    return { kind: 'finished' };
  });
  await stand.producer.enqueue([job('1')]);
  await began.opened;
  const began2 = performance.now();
  expect(await worker.stop(200)).toBe(1);
  // The job is in hand for ever: without its deadline the stop would be too.
  expect(performance.now() - began2).toBeLessThan(20_000);
  goOn.open();
});

test('stop ends in time while Redis hangs, idle or with a job in hand', async () => {
  const [began, goOn] = [gate(), gate()];
  const busy = stand.work('filemaker-effects', async () => {
    began.open();
    await goOn.opened;
    return { kind: 'finished' };
  });
  const idle = stand.work('stripe-events', async () => ({ kind: 'finished' }));
  await stand.producer.enqueue([job('1')]);
  await began.opened;
  await stand.redis.pause();
  try {
    expect((await timed(Promise.all([idle.stop(300), busy.stop(300)]))).ms).toBeLessThan(20_000);
  } finally {
    goOn.open();
    await stand.redis.resume();
  }
});

test('after Redis was away the worker takes jobs again without a restart', async () => {
  const seen: string[] = [];
  let wake: () => void = () => undefined;
  stand.work('filemaker-effects', async ({ effectId }) => {
    seen.push(effectId);
    wake();
    return { kind: 'finished' };
  });
  await stand.redis.restart();
  const other = await stand.connect();
  const handled = gate();
  wake = handled.open;
  await other.enqueue([job('9')]);
  await handled.opened;
  expect(seen).toEqual(['9']);
});
