import { createEffectStore } from '@bridge/effects';
import { createInbox } from '@bridge/inbox';
import { effectJob } from '@bridge/jobs';
import { resolveEffect } from '@bridge/operations';
import { type RedisService, startRedis } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { type Bench, startBench } from '../tests/control-room-bench';
import { BATCH, type BoardKeeper, createBoardKeeper, LOOK_EVERY_MS } from './board-keeper';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

let redis: RedisService;
let bench: Bench;
let keeper: BoardKeeper;
let now: number;
let hasDuty: boolean;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.flush();
  bench = await startBench(redis);
  now = 1_000;
  hasDuty = true;
  keeper = createBoardKeeper({
    ...bench,
    markerKey: `${bench.prefix}:board-kept`,
    takeDuty: async () => hasDuty,
    now: () => now,
  });
});
afterEach(() => bench.stop());

/** The next look of the ordinary round. */
function look() {
  now += LOOK_EVERY_MS;
  return keeper.runOnce();
}
const effects = () => createEffectStore(bench.database);
const failedJob = async (id: string) => bench.producer.queue('filemaker-effects').getJob(id);
const waiting = () => bench.producer.queue('filemaker-effects').getJobCountByTypes('waiting', 'active', 'delayed');
/** Parks so many at once; returns nothing, their ids run from 1. */
const parkMany = (count: number) =>
  bench.database.executor.execute(
    sql`insert into effects.effects (kind, flow, key, title, target, subject, origin, state, reason_code, reason)
        select 'filemaker-script', 'invoices', 'k' || n, 'Mark invoice ' || n || ' paid', '{}', '{}', 'webhook', 'parked', 'X', 'why'
        from generate_series(1, ${count}::int) n`,
  );

test('after a flush what is parked stands on the board again within one look, with its reason and its age', async () => {
  const id = await bench.parkedEffect('a', { parked: { reasonCode: 'second-payment', reason: 'It was paid before' } });
  const event = await bench.parkedEvent();
  await bench.failJobs();
  await keeper.runOnce();
  await redis.flush();
  // No time has passed: it is the lost marker that asks for the look.
  expect(await keeper.runOnce()).toEqual({ removed: 0, restored: 2 });
  const job = await failedJob(`${id}.0`);
  expect([job?.failedReason, job?.data, job?.stacktrace]).toEqual([
    'second-payment: It was paid before',
    { effectId: id },
    [],
  ]);
  expect(job?.timestamp).toBe((await effects().find(id))?.plannedAt.getTime());
  expect(await bench.failed('stripe-events')).toEqual([event.job]);
  expect((await bench.producer.queue('stripe-events').getJob(event.job))?.failedReason).toBe(
    'NO_INVOICE_ID: It names no invoice',
  );
  expect(await waiting()).toBe(0);
  expect(await look()).toEqual({ removed: 0, restored: 0 });
});

test('what the retention dropped while its row is parked comes back, and a second keeper at the same time doubles nothing', async () => {
  const id = await bench.parkedEffect();
  await bench.failJobs();
  await keeper.runOnce();
  await (await failedJob(`${id}.0`))?.remove();
  const other = createBoardKeeper({ ...bench, markerKey: `${bench.prefix}:board-kept`, takeDuty: async () => true });
  await Promise.all([look(), other.runOnce()]);
  expect(await bench.failed('filemaker-effects')).toEqual([`${id}.0`]);
  expect(await waiting()).toBe(0);
});

test('a parked row whose job nobody takes, because workers are paused or far behind, stands there all the same; real work keeps its place', async () => {
  await createEffectStore(bench.database).plan(bench.database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: 'work',
    lane: null,
    title: 'Work',
    target: {},
    body: '{}',
    subject: {},
    origin: 'webhook',
    checkFirst: false,
  });
  await bench.producer.enqueue([effectJob({ id: '1', run: 0 })]);
  const [a, b] = [await bench.parkedEffect('a'), await bench.parkedEffect('b')];
  expect(await look()).toEqual({ removed: 0, restored: 2 });
  expect(await bench.failed('filemaker-effects')).toEqual([`${a}.0`, `${b}.0`]);
  const left = await bench.producer.queue('filemaker-effects').getJobs(['waiting']);
  expect(left.map((job) => job.id)).toEqual(['1.0']);
});

test('a job of a parked row that a worker has in hand is left to it', async () => {
  const id = await bench.parkedEffect();
  const queue = bench.producer.queue('filemaker-effects');
  // As a worker that has just taken it.
  const { Worker } = await import('bullmq');
  const taker = new Worker('filemaker-effects', null, { connection: { url: redis.url }, prefix: bench.prefix });
  const job = await taker.getNextJob('worker', { block: false });
  try {
    expect(await look()).toEqual({ removed: 0, restored: 0 });
    expect(await queue.getJobState(`${id}.0`)).toBe('active');
    await job?.moveToFailed(new Error('X: why'), 'worker', false);
  } finally {
    await taker.close();
  }
  expect(await look()).toEqual({ removed: 0, restored: 0 });
  expect(await bench.failed('filemaker-effects')).toEqual([`${id}.0`]);
});

test('a used-up job of a row that was parked since does not keep it off the board', async () => {
  const id = await bench.parkedEffect();
  const { Worker } = await import('bullmq');
  const taker = new Worker('filemaker-effects', null, { connection: { url: redis.url }, prefix: bench.prefix });
  const job = await taker.getNextJob('worker', { block: false });
  await job?.moveToCompleted('', 'worker', false);
  await taker.close();
  expect(await look()).toEqual({ removed: 0, restored: 1 });
  expect(await bench.failed('filemaker-effects')).toEqual([`${id}.0`]);
});

test('takes off what was settled or released elsewhere, and older runs of what waits again', async () => {
  const ids = [];
  for (const key of ['released', 'done', 'cancelled', 'again', 'waits']) ids.push(await bench.parkedEffect(key));
  const [released = '', done = '', cancelled = '', again = '', waits = ''] = ids;
  const event = await bench.parkedEvent();
  await bench.failJobs();
  const asked = { by: 'cli:ada', why: 'looked' };
  await resolveEffect(bench.database, released, { ...asked, as: 'again' });
  await resolveEffect(bench.database, done, { ...asked, as: 'done' });
  await resolveEffect(bench.database, cancelled, { ...asked, as: 'cancelled' });
  await resolveEffect(bench.database, again, { ...asked, as: 'again' });
  await effects().parkUnsent(bench.database.executor, 'again', 'payment-refunded', 'The money is back');
  await createInbox(bench.database).reprocess(event.id);
  expect(await look()).toEqual({ removed: 5, restored: 1 });
  expect(await bench.failed('filemaker-effects')).toEqual([`${again}.2`, `${waits}.0`].sort());
  expect((await failedJob(`${again}.2`))?.failedReason).toBe('payment-refunded: The money is back');
  expect(await bench.failed('stripe-events')).toEqual([]);
  expect(await look()).toEqual({ removed: 0, restored: 0 });
});

test('a job whose data names no row is left for somebody to see', async () => {
  await bench.producer.queue('filemaker-effects').add('perform-effect', { what: 'else' }, { jobId: 'odd_1' });
  await bench.failJobs();
  expect(await look()).toEqual({ removed: 0, restored: 0 });
  expect(await bench.failed('filemaker-effects')).toEqual(['odd_1']);
});

test('looks at no more than a batch in one look, goes on in the next second, and rests after a whole pass', async () => {
  await parkMany(2 * BATCH + 10);
  expect(await keeper.runOnce()).toEqual({ removed: 0, restored: BATCH });
  expect(await keeper.runOnce()).toEqual({ removed: 0, restored: BATCH });
  expect(await keeper.runOnce()).toEqual({ removed: 0, restored: 10 });
  expect(await bench.failed('filemaker-effects')).toHaveLength(2 * BATCH + 10);
  await bench.database.executor.execute(
    sql`update effects.effects set state = 'cancelled', settled_at = clock_timestamp() where id > 5`,
  );
  const removed: number[] = [];
  do removed.push((await look())?.removed ?? 0);
  while (removed.length < 3 || removed.at(-1) !== 0);
  expect(Math.max(...removed)).toBeLessThanOrEqual(BATCH);
  expect(removed.reduce((sum, one) => sum + one, 0)).toBe(2 * BATCH + 5);
  expect(await bench.failed('filemaker-effects')).toEqual(['1.0', '2.0', '3.0', '4.0', '5.0']);
});

// The queue's own retention drops the oldest of more than 5,000 failed jobs. Putting those back would drop others, for ever.
test('a board that is full is left alone', async () => {
  await parkMany(3);
  const board = { show: jest.fn(async () => 0), room: async () => 0, close: async () => undefined };
  const full = createBoardKeeper({ ...bench, board, markerKey: 'm', takeDuty: async () => true });
  expect(await full.runOnce()).toEqual({ removed: 0, restored: 0 });
  expect(board.show).not.toHaveBeenCalled();
});

test('without the duty nothing is touched, and between two passes nothing is asked', async () => {
  await parkMany(1);
  hasDuty = false;
  expect(await keeper.runOnce()).toBeUndefined();
  hasDuty = true;
  expect(await keeper.runOnce()).toEqual({ removed: 0, restored: 1 });
  expect(await keeper.runOnce()).toBeUndefined();
});

test('a look that breaks off after a flush is done again at once and in full', async () => {
  await parkMany(2);
  const broken = createBoardKeeper({
    ...bench,
    board: { ...bench.board, show: () => Promise.reject(new Error('Redis went away')) },
    markerKey: `${bench.prefix}:board-kept`,
    takeDuty: async () => true,
    now: () => now,
  });
  await expect(broken.runOnce()).rejects.toThrow('Redis went away');
  expect(await keeper.runOnce()).toEqual({ removed: 0, restored: 2 });
});

test('a Redis that hangs ends the look within its time-out', async () => {
  await parkMany(1);
  await redis.pause();
  try {
    const began = performance.now();
    await expect(keeper.runOnce()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(performance.now() - began).toBeLessThan(20_000);
  } finally {
    await redis.resume();
  }
});
