import type { NewJob, QueueName } from './catalogue';
import type { Producer } from './producer';

/** A row that wants a job. */
export interface SweptRow {
  id: string;
  run: number;
  /** False: no job was ever made for this run. */
  queued: boolean;
}

/** Rows of PostgreSQL that live through jobs; the inbox and the effects each are one. */
export interface SweepSource<Row extends SweptRow = SweptRow> {
  queue: QueueName;
  /** Frees what dead workers held; returns how many rows. */
  recoverDead(): Promise<number>;
  due(limit: number, lookedAtMs: number): Promise<Row[]>;
  markQueued(ids: readonly string[]): Promise<void>;
  replan(ids: readonly string[]): Promise<Row[]>;
  forgetQueued(): Promise<number>;
  job(row: Row): NewJob;
}

/** What one round did, in rows. */
export interface SweepCounts {
  recovered: number;
  enqueued: number;
  /** Rows whose job had vanished or was used up. */
  replanned: number;
  /** True when Redis had lost everything since the last round. */
  queueWasLost: boolean;
}

const BATCH = 500;
/** A row that has a job is looked at again so much later. */
const LOOK_AGAIN_MS = 5_000;
/** Rounds of batches in one run; what is left waits for the next second. */
const BATCHES_MAX = 20;

/**
 * Makes the queue agree with PostgreSQL: rows of dead workers are freed, due rows without a live job get one. Redis may
 * have lost everything since the last round; a marker key tells, and then every unfinished row is looked at anew.
 * One process at a time runs it (the caller holds the duty).
 */
export async function sweepOnce(
  producer: Producer,
  markerKey: string,
  sources: readonly SweepSource[],
): Promise<SweepCounts> {
  const counts: SweepCounts = { recovered: 0, enqueued: 0, replanned: 0, queueWasLost: false };
  for (const source of sources) counts.recovered += await source.recoverDead();
  if ((await producer.ask(() => producer.redis.exists(markerKey))) === 0) {
    for (const source of sources) await source.forgetQueued();
    counts.queueWasLost = true;
  }
  for (const source of sources) {
    for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
      const due = await source.due(BATCH, LOOK_AGAIN_MS);
      if (due.length === 0) break;
      const looked = due.filter((row) => row.queued);
      const live = await producer.live(
        source.queue,
        looked.map((row) => source.job(row).id),
      );
      const gone = looked.filter((row) => !live.has(source.job(row).id));
      // A row that is due has nothing to wait for, whatever its job was told earlier.
      await producer.promote(source.queue, [...live]);
      const fresh = [...due.filter((row) => !row.queued), ...(await source.replan(gone.map((row) => row.id)))];
      await producer.enqueue(fresh.map((row) => source.job(row)));
      await source.markQueued(due.map((row) => row.id));
      counts.enqueued += fresh.length;
      counts.replanned += gone.length;
      // Rows that only needed a look are taken one batch a round, so that a long backlog costs little.
      if (due.length < BATCH || fresh.length === 0) break;
    }
  }
  // Last, so that a round that fails half-way is done again in full.
  if (counts.queueWasLost) await producer.ask(() => producer.redis.set(markerKey, '1'));
  return counts;
}
