import { gate, type JobsStand, startJobs, until } from '../tests/jobs-stand';
import { effectJob } from './catalogue';
import { createFailedBoard, type FailedBoard, type FailedEntry } from './failed-board';

let stand: JobsStand;
let board: FailedBoard;
let errors: Error[];

beforeEach(async () => {
  stand = await startJobs();
  errors = [];
  const { producer, prefix, redis } = stand;
  board = createFailedBoard({ producer, prefix, redisUrl: redis.url, onError: (error) => errors.push(error) });
});
afterEach(async () => {
  await board.close();
  await stand.stop();
});

const entry = (id: string): FailedEntry => ({
  job: effectJob({ id, run: 0 }),
  reason: `X: row ${id}`,
  since: new Date(1_000_000),
});
const queue = () => stand.producer.queue('filemaker-effects');
/** As the board lists them: the latest failure first. */
const failedIds = async () => (await queue().getJobs(['failed'])).map(({ id }) => id);

test('entries stand as failed jobs with their reason and age, without a stack, the first given the first failed', async () => {
  expect(await board.show([entry('1'), entry('2'), entry('3')])).toBe(3);
  expect(await failedIds()).toEqual(['3.0', '2.0', '1.0']);
  const job = await queue().getJob('2.0');
  expect([job?.failedReason, job?.timestamp, job?.stacktrace, job?.data]).toEqual([
    'X: row 2',
    1_000_000,
    [],
    { effectId: '2' },
  ]);
  expect(await board.show([entry('1'), entry('2'), entry('3')])).toBe(0);
  expect(await board.show([])).toBe(0);
});

test('with workers at work on the same queue every entry fails once, and real work is done once, in its turn', async () => {
  const work = Array.from({ length: 200 }, (_, n) => String(n + 1_000));
  const parked = Array.from({ length: 100 }, (_, n) => String(n + 1));
  const done: string[] = [];
  const all = gate();
  await stand.producer.enqueue(work.map((id) => effectJob({ id, run: 0 })));
  stand.work('filemaker-effects', async ({ effectId }) => {
    if (Number(effectId) < 1_000) return { kind: 'failed', reason: `X: row ${effectId}` };
    done.push(effectId);
    if (done.length === work.length) all.open();
    return { kind: 'finished' };
  });
  for (let start = 0; start < parked.length; start += 20) await board.show(parked.slice(start, start + 20).map(entry));
  await all.opened;
  // Whoever took one, board or worker, has failed it when a second look finds nothing to do.
  await until(async () => (await queue().getJobCountByTypes('active', 'waiting')) === 0);
  expect([...done].sort()).toEqual(work);
  expect((await failedIds()).sort()).toEqual(parked.map((id) => `${id}.0`).sort());
  expect(
    new Set(
      (await queue().getJobs(['failed'])).map(({ failedReason, data }) => failedReason === `X: row ${data.effectId}`),
    ),
  ).toEqual(new Set([true]));
});

test('work that it takes by chance goes back to the head of the line', async () => {
  await stand.producer.enqueue([effectJob({ id: '8', run: 0 }), effectJob({ id: '9', run: 0 })]);
  // A worker is quicker: what was put in front is gone when the board comes to take it.
  const addBulk = queue().addBulk.bind(queue());
  jest.spyOn(queue(), 'addBulk').mockImplementation(async (jobs) => {
    const added = await addBulk(jobs);
    await Promise.all(added.map((job) => job.remove()));
    return added;
  });
  expect(await board.show([entry('1')])).toBe(0);
  const waiting = await queue().getJobs(['waiting'], 0, -1, true);
  expect(waiting.map(({ id }) => id)).toEqual(['8.0', '9.0']);
  expect(await queue().getActiveCount()).toBe(0);
});

test('there is less room the more stands there, and never up to where the retention would drop some', async () => {
  const before = await board.room('filemaker-effects');
  await board.show([entry('1'), entry('2')]);
  expect(before).toBeLessThan(5_000);
  expect(await board.room('filemaker-effects')).toBe(before - 2);
});

test('closing needs no Redis, and works twice', async () => {
  await board.show([entry('1')]);
  await stand.redis.pause();
  const began = performance.now();
  await Promise.all([board.close(), board.close()]);
  expect(performance.now() - began).toBeLessThan(30_000);
  await stand.redis.resume();
});
