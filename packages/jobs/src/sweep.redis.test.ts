import { gate, type JobsStand, startJobs } from '../tests/jobs-stand';
import { effectJob } from './catalogue';
import { QueueUnavailableError } from './producer';
import { type SweepSource, type SweptRow, sweepOnce } from './sweep';

let stand: JobsStand;
beforeEach(async () => {
  stand = await startJobs();
});
afterEach(() => stand.stop());

/** Rows as a table would hold them, and the clock by which they were last looked at. */
class FakeRows implements SweepSource {
  readonly queue = 'filemaker-effects' as const;
  readonly rows = new Map<string, { run: number; queuedAt: number | undefined; due: boolean }>();
  readonly asked: string[][] = [];
  dead = 0;
  now = 1_000_000;

  add(count: number, due = true): void {
    for (let n = 0; n < count; n += 1) this.rows.set(String(this.rows.size + 1), { run: 0, queuedAt: undefined, due });
  }
  #row(id: string) {
    const row = this.rows.get(id);
    if (row === undefined) throw new Error(`no row ${id}`);
    return row;
  }
  async recoverDead(): Promise<number> {
    const { dead } = this;
    this.dead = 0;
    return dead;
  }
  async due(limit: number, lookedAtMs: number): Promise<SweptRow[]> {
    const found = [...this.rows]
      .filter(([, { due, queuedAt }]) => due && (queuedAt === undefined || queuedAt < this.now - lookedAtMs))
      .sort(([a, one], [b, two]) => (one.queuedAt ?? 0) - (two.queuedAt ?? 0) || Number(a) - Number(b))
      .slice(0, limit)
      .map(([id, { run, queuedAt }]) => ({ id, run, queued: queuedAt !== undefined }));
    this.asked.push(found.map(({ id }) => id));
    return found;
  }
  async markQueued(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#row(id).queuedAt = this.now;
  }
  async replan(ids: readonly string[]): Promise<SweptRow[]> {
    return ids.map((id) => {
      const row = this.#row(id);
      row.run += 1;
      row.queuedAt = undefined;
      return { id, run: row.run, queued: false };
    });
  }
  async forgetQueued(): Promise<number> {
    for (const row of this.rows.values()) row.queuedAt = undefined;
    return this.rows.size;
  }
  job(row: SweptRow) {
    return effectJob(row);
  }
}

const queue = () => stand.producer.queue('filemaker-effects');
const sweep = (source: FakeRows, producer = stand.producer) => sweepOnce(producer, `${stand.prefix}:marker`, [source]);
/** The first round always finds no marker; most tests are about those after it. */
async function sweptOnce(count: number): Promise<FakeRows> {
  const source = new FakeRows();
  await sweep(source);
  source.add(count);
  return source;
}
const waitingIds = async () => (await queue().getJobs(['waiting'], 0, -1, true)).map(({ id }) => id);

test('a due row without a job gets one, in the order of the rows', async () => {
  const source = await sweptOnce(3);
  source.rows.set('4', { run: 0, queuedAt: undefined, due: false });
  expect(await sweep(source)).toEqual({ recovered: 0, enqueued: 3, replanned: 0, queueWasLost: false });
  expect(await waitingIds()).toEqual(['1.0', '2.0', '3.0']);
});

test('a row that has a job is left alone until five seconds have passed, and then only looked at', async () => {
  const source = await sweptOnce(1);
  await sweep(source);
  expect(await sweep(source)).toMatchObject({ enqueued: 0, replanned: 0 });
  source.now += 5_001;
  expect(await sweep(source)).toMatchObject({ enqueued: 0, replanned: 0 });
  expect(source.rows.get('1')).toMatchObject({ run: 0, queuedAt: source.now });
  expect(await waitingIds()).toEqual(['1.0']);
});

test('a row whose job is used up or gone gets another one under a raised run', async () => {
  const source = await sweptOnce(2);
  await sweep(source);
  const [handled, both] = [new Set<string>(), gate()];
  const worker = stand.work('filemaker-effects', async ({ effectId }) => {
    handled.add(effectId);
    if (handled.size === 2) both.open();
    return { kind: 'finished' };
  });
  await both.opened;
  await worker.stop(30_000);
  await queue().remove('2.0');
  source.now += 5_001;
  expect(await sweep(source)).toMatchObject({ enqueued: 2, replanned: 2 });
  expect(await waitingIds()).toEqual(['1.1', '2.1']);
});

test('a row that is due is not held up by a job that was told to come later', async () => {
  const source = await sweptOnce(1);
  await sweep(source);
  await queue().remove('1.0');
  await queue().add('perform-effect', { effectId: '1' }, { jobId: '1.0', delay: 3_600_000 });
  source.now += 5_001;
  await sweep(source);
  expect(await queue().getJobState('1.0')).toBe('waiting');
});

test('after FLUSHALL everything is back, and the loss is told once', async () => {
  const source = await sweptOnce(3);
  await sweep(source);
  await stand.redis.flush();
  expect(await sweep(source)).toEqual({ recovered: 0, enqueued: 3, replanned: 0, queueWasLost: true });
  expect(await waitingIds()).toEqual(['1.0', '2.0', '3.0']);
  expect(await sweep(source)).toMatchObject({ enqueued: 0, queueWasLost: false });
});

test('a round that breaks off after a flush is done again in full', async () => {
  const source = await sweptOnce(2);
  await sweep(source);
  await stand.redis.flush();
  const markQueued = source.markQueued.bind(source);
  source.markQueued = async () => {
    throw new Error('PostgreSQL went away');
  };
  await expect(sweep(source)).rejects.toThrow('PostgreSQL went away');
  source.markQueued = markQueued;
  source.add(1);
  expect(await sweep(source)).toMatchObject({ enqueued: 3, queueWasLost: true });
  expect(await waitingIds()).toEqual(['1.0', '2.0', '3.0']);
});

test('a long backlog is taken in batches, each row once, and what exceeds a round waits for the next one', async () => {
  const source = await sweptOnce(10_600);
  expect(await sweep(source)).toMatchObject({ enqueued: 10_000 });
  expect(source.asked.slice(1).map((ids) => ids.length)).toEqual(Array.from({ length: 20 }, () => 500));
  expect(new Set(source.asked.flat()).size).toBe(10_000);
  expect(await sweep(source)).toMatchObject({ enqueued: 600 });
  expect(await queue().getJobCountByTypes('waiting')).toBe(10_600);
}, 240_000);

test('rows that only needed a look are taken one batch a round', async () => {
  const source = await sweptOnce(1_200);
  await sweep(source);
  source.now += 5_001;
  source.asked.length = 0;
  expect(await sweep(source)).toMatchObject({ enqueued: 0 });
  expect(source.asked).toHaveLength(1);
});

test('what dead workers held is freed first, even while Redis is away', async () => {
  const source = await sweptOnce(1);
  source.dead = 2;
  await stand.redis.stop();
  await expect(sweep(source)).rejects.toBeInstanceOf(QueueUnavailableError);
  expect([source.dead, source.rows.get('1')?.queuedAt]).toEqual([0, undefined]);
});

test('a Redis that hangs ends the round within its time-out, and no row counts as queued', async () => {
  const source = await sweptOnce(1);
  const hasty = await stand.connect(500);
  await stand.redis.pause();
  try {
    const began = performance.now();
    await expect(sweep(source, hasty)).rejects.toBeInstanceOf(QueueUnavailableError);
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(source.rows.get('1')?.queuedAt).toBeUndefined();
  } finally {
    await stand.redis.resume();
  }
});
