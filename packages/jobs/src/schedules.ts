import { isDeepStrictEqual } from 'node:util';
import type { JobSchedulerJson } from 'bullmq';
import type { NewJob, QueueName } from './catalogue';
import { catalogue } from './catalogue';
import type { Producer } from './producer';

/** A job that comes back by the clock. */
export interface Schedule {
  id: string;
  queue: QueueName;
  /** Cron pattern of five or six fields in `timeZone`, or a period. */
  when: { pattern: string; timeZone: string } | { everyMs: number };
  data: NewJob['data'];
}

/** A scheduler whose next run lies so far back has lost its job: BullMQ makes the next one only when a job starts. */
const OVERDUE_MS = 120_000;

function agrees(found: JobSchedulerJson<unknown>, wanted: Schedule, now: number): boolean {
  const sameTime =
    'everyMs' in wanted.when
      ? Number(found.every) === wanted.when.everyMs
      : found.pattern === wanted.when.pattern && found.tz === wanted.when.timeZone;
  const alive = found.next === undefined || found.next > now - OVERDUE_MS;
  return sameTime && alive && isDeepStrictEqual(found.template?.data, wanted.data);
}

/**
 * Makes BullMQ's schedulers equal to this list: missing, changed and stuck ones are made anew, unknown ones removed.
 * Returns how many changed. Rejects with QueueUnavailableError.
 */
export async function restoreSchedules(
  producer: Producer,
  wanted: readonly Schedule[],
  queues: readonly QueueName[],
): Promise<number> {
  let restored = 0;
  for (const name of queues) {
    const queue = producer.queue(name);
    const schedulers = await producer.ask(() => queue.getJobSchedulers());
    const present = new Map(schedulers.map((scheduler) => [scheduler.key, scheduler]));
    for (const schedule of wanted.filter((one) => one.queue === name)) {
      const found = present.get(schedule.id);
      present.delete(schedule.id);
      if (found !== undefined && agrees(found, schedule, Date.now())) continue;
      const when =
        'everyMs' in schedule.when
          ? { every: schedule.when.everyMs }
          : { pattern: schedule.when.pattern, tz: schedule.when.timeZone };
      const template = { name: catalogue[name].job, data: schedule.data };
      await producer.ask(() => queue.upsertJobScheduler(schedule.id, when, template));
      restored += 1;
    }
    for (const id of present.keys()) {
      await producer.ask(() => queue.removeJobScheduler(id));
      restored += 1;
    }
  }
  return restored;
}
