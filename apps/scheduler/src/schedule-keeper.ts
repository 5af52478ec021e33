import { type Producer, restoreSchedules, type Schedule } from '@bridge/jobs';

/** Between two looks without a reason. */
export const LOOK_EVERY_MS = 10_000;

export interface ScheduleKeeper {
  /** One look: returns how many schedules were made, changed or removed; undefined when it was not this process's turn. */
  runOnce(): Promise<number | undefined>;
}

/**
 * Keeps the schedules in Redis equal to the list. A marker key beside them tells of a Redis that lost everything: then
 * they are restored at the next tick, not at the next full look.
 */
export function createScheduleKeeper(parts: {
  producer: Producer;
  schedules: readonly Schedule[];
  /** Lies in Redis with the queues' prefix, so that a flush takes both. */
  markerKey: string;
  /** One scheduler at a time. */
  takeDuty: () => Promise<boolean>;
  now?: () => number;
}): ScheduleKeeper {
  const { producer, schedules, markerKey } = parts;
  const now = parts.now ?? (() => performance.now());
  let nextLookAt = Number.NEGATIVE_INFINITY;
  return {
    runOnce: async () => {
      if (!producer.ready()) return undefined;
      const lost = (await producer.redis.exists(markerKey)) === 0;
      if (!lost && now() < nextLookAt) return undefined;
      if (!(await parts.takeDuty())) return undefined;
      const restored = await restoreSchedules(producer, schedules, ['reconciliations', 'rounds']);
      // Last, so that a look that fails half-way is done again at once.
      await producer.redis.set(markerKey, '1');
      nextLookAt = now() + LOOK_EVERY_MS;
      return restored;
    },
  };
}
