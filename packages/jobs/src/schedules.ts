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

/** Makes BullMQ's schedulers equal to this list: missing ones are restored, unknown ones removed. Returns how many changed. */
export async function restoreSchedules(
  producer: Producer,
  wanted: readonly Schedule[],
  queues: readonly QueueName[],
): Promise<number> {
  let restored = 0;
  for (const name of queues) {
    const queue = producer.queue(name);
    const present = new Map((await queue.getJobSchedulers()).map((scheduler) => [scheduler.key, scheduler]));
    for (const schedule of wanted.filter((one) => one.queue === name)) {
      const found = present.get(schedule.id);
      present.delete(schedule.id);
      const same =
        'everyMs' in schedule.when
          ? Number(found?.every) === schedule.when.everyMs
          : found?.pattern === schedule.when.pattern && found?.tz === schedule.when.timeZone;
      if (found !== undefined && same) continue;
      await queue.upsertJobScheduler(
        schedule.id,
        'everyMs' in schedule.when
          ? { every: schedule.when.everyMs }
          : { pattern: schedule.when.pattern, tz: schedule.when.timeZone },
        { name: catalogue[name].job, data: schedule.data },
      );
      restored += 1;
    }
    for (const id of present.keys()) {
      await queue.removeJobScheduler(id);
      restored += 1;
    }
  }
  return restored;
}
