import type { Database } from '@bridge/database';
import {
  catalogue,
  effectJob,
  eventJob,
  type FailedBoard,
  type FailedEntry,
  type NewJob,
  type Producer,
} from '@bridge/jobs';
import { type ParkedRow, readParked } from '@bridge/operations';
import type { Job } from 'bullmq';

/** Rows and failed jobs looked at in one look, of each kind. */
export const BATCH = 500;
/** Between two passes over everything. */
export const LOOK_EVERY_MS = 5_000;

export interface BoardCounts {
  /** Failed jobs taken off: their rows do not wait any more, or wait under a later run. */
  removed: number;
  /** Parked rows that had no failed job: Redis was flushed, or its retention dropped them. */
  restored: number;
}

export interface BoardKeeper {
  /** One look at the next batch of each queue; undefined when it was not the time or not this process's turn. */
  runOnce(): Promise<BoardCounts | undefined>;
}

interface Kept {
  queue: 'stripe-events' | 'filemaker-effects';
  rows: 'events' | 'effects';
  idIn(data: unknown): string | undefined;
  job(row: ParkedRow): NewJob;
}

const KEPT: readonly Kept[] = [
  {
    queue: 'stripe-events',
    rows: 'events',
    idIn: (data) => catalogue['stripe-events'].data.safeParse(data).data?.inboxId,
    job: ({ id, run, eventId }) => eventJob({ id, run, eventId: eventId ?? '' }),
  },
  {
    queue: 'filemaker-effects',
    rows: 'effects',
    idIn: (data) => catalogue['filemaker-effects'].data.safeParse(data).data?.effectId,
    job: effectJob,
  },
];

/**
 * Keeps the failed jobs equal to the rows that wait for a person: each parked row stands there once, under its present
 * run and with its reason, and nothing else does. A marker key beside the queues tells of a Redis that lost everything;
 * then the rows are put back from the next second on. Looking is bounded: one batch a look, the rest in the next one.
 */
export function createBoardKeeper(parts: {
  producer: Producer;
  board: FailedBoard;
  database: Database;
  /** Lies in Redis with the queues' prefix, so that a flush takes both. */
  markerKey: string;
  /** One scheduler at a time. */
  takeDuty: () => Promise<boolean>;
  now?: () => number;
}): BoardKeeper {
  const { producer, board, database, markerKey } = parts;
  const now = parts.now ?? (() => performance.now());
  const places = KEPT.map((kept) => ({ kept, failedFrom: 0, after: '0' }));
  let nextLookAt = Number.NEGATIVE_INFINITY;

  /** Takes off what is not true any more. Returns how many, and whether there is more to look at. */
  async function clear(place: (typeof places)[number]): Promise<{ removed: number; more: boolean }> {
    const { kept, failedFrom } = place;
    const failed: Job[] = await producer.ask(() =>
      producer.queue(kept.queue).getJobs(['failed'], failedFrom, failedFrom + BATCH - 1),
    );
    // A job whose data names no row stays: nobody could tell what it stood for, and somebody should see it.
    const rowOf = new Map(failed.map((job) => [job, kept.idIn(job.data)]));
    const ids = [...new Set([...rowOf.values()].filter((id) => id !== undefined))];
    const parked = new Map((await readParked(database, kept.rows, { ids })).map((row) => [row.id, row]));
    const untrue = [...rowOf].filter(([job, id]) => {
      const row = id === undefined ? undefined : parked.get(id);
      return id !== undefined && (row === undefined || kept.job(row).id !== job.id);
    });
    await Promise.all(untrue.map(([job]) => producer.ask(() => job.remove())));
    const removed = untrue.length;
    const more = failed.length === BATCH;
    place.failedFrom = more ? failedFrom + BATCH - removed : 0;
    return { removed, more };
  }

  /** Puts back what is parked and not shown. */
  async function restore(place: (typeof places)[number]): Promise<{ restored: number; more: boolean }> {
    const { kept, after } = place;
    // A full board stays as it is: putting rows on would only push others off.
    const limit = Math.min(BATCH, await board.room(kept.queue));
    if (limit <= 0) {
      place.after = '0';
      return { restored: 0, more: false };
    }
    const rows = await readParked(database, kept.rows, { after, limit });
    const restored = await board.show(rows.map((row) => entryOf(kept, row)));
    const more = rows.length === limit;
    place.after = more ? (rows.at(-1)?.id ?? '0') : '0';
    return { restored, more };
  }

  return {
    runOnce: async () => {
      if (!producer.ready()) return undefined;
      const lost = (await producer.ask(() => producer.redis.exists(markerKey))) === 0;
      if (!lost && now() < nextLookAt) return undefined;
      if (!(await parts.takeDuty())) return undefined;
      const counts: BoardCounts = { removed: 0, restored: 0 };
      let more = false;
      for (const place of places) {
        if (lost) Object.assign(place, { failedFrom: 0, after: '0' });
        const cleared = await clear(place);
        const restored = await restore(place);
        counts.removed += cleared.removed;
        counts.restored += restored.restored;
        more ||= cleared.more || restored.more;
      }
      // Last, so that a look that fails half-way is done again at once.
      if (lost) await producer.ask(() => producer.redis.set(markerKey, '1'));
      nextLookAt = more ? Number.NEGATIVE_INFINITY : now() + LOOK_EVERY_MS;
      return counts;
    },
  };
}

/** In the words in which a worker fails a job whose row it finds parked. */
function entryOf(kept: Kept, row: ParkedRow): FailedEntry {
  return { job: kept.job(row), reason: `${row.reasonCode}: ${row.reason ?? ''}`, since: row.since };
}
