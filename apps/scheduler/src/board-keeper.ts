import type { Database } from '@bridge/database';
import { catalogue, type Producer } from '@bridge/jobs';
import { parkedAmong } from '@bridge/operations';
import type { Job } from 'bullmq';

/** Failed jobs looked at in one round; the rest waits for the next. */
const BATCH = 500;

/**
 * Takes failed jobs off the board whose row does not wait any more: it was released at the command line, or parked again
 * by a later run. Without this the board would show work that nobody has to do. Returns how many were taken off.
 */
export async function keepBoardTrue(producer: Producer, database: Database): Promise<number> {
  if (!producer.ready()) return 0;
  let removed = 0;
  for (const [queue, of, idOf] of BOARDS) {
    const failed = await producer.queue(queue).getJobs(['failed'], 0, BATCH - 1);
    const rowOf = new Map<Job, string>();
    for (const job of failed) {
      const id = idOf(job.data);
      if (id !== undefined) rowOf.set(job, id);
    }
    const parked = await parkedAmong(database, of, [...new Set(rowOf.values())]);
    const shown = new Set<string>();
    for (const [job, id] of [...rowOf].sort(([a], [b]) => (b.finishedOn ?? 0) - (a.finishedOn ?? 0))) {
      if (parked.has(id) && !shown.has(id)) {
        shown.add(id);
        continue;
      }
      await job.remove();
      removed += 1;
    }
  }
  return removed;
}

const BOARDS = [
  ['stripe-events', 'events', (data: unknown) => catalogue['stripe-events'].data.safeParse(data).data?.inboxId],
  [
    'filemaker-effects',
    'effects',
    (data: unknown) => catalogue['filemaker-effects'].data.safeParse(data).data?.effectId,
  ],
] as const;
