import { createEffectStore } from '@bridge/effects';
import { createGates } from '@bridge/gates';
import { createInbox } from '@bridge/inbox';
import { queueNames } from '@bridge/jobs';
import { listScheduleRuns } from '../../status/schedule-runs';
import { readProcesses } from '../../tables/read-processes';
import type { Looked } from '../report';
import { judgeWork, roundsExpected, type ScheduleExpected, type ScheduleSeen } from '../work';
import { type Examination, flowsOn, type WithDatabase } from './examination';
import type { RedisLook } from './look-at-redis';

const FAILED_JOBS_LOOKED_AT = 100;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The queue board shows parked rows as failed jobs of these two: they are counted as rows. */
const QUEUES_OF_ROWS: readonly string[] = ['stripe-events', 'filemaker-effects'];

/** Processes, gates, what waits, schedules and failed jobs. */
export async function lookAtWork(examination: WithDatabase, redis: RedisLook | undefined): Promise<Looked> {
  const { config, database, sound, at } = examination;
  const inbox = createInbox(database);
  const [processes, closures, oldestUnfinishedSeconds, events, effects, succeeded, queues] = await Promise.all([
    readProcesses(database),
    createGates(database, { windows: config.windows }).closures(),
    inbox.oldestUnfinishedSeconds(),
    inbox.counts(),
    createEffectStore(database).counts(),
    listScheduleRuns(database),
    readQueues(redis, at),
  ]);
  const parkedEffects = effects.filter(({ state }) => state === 'parked').reduce((sum, { count }) => sum + count, 0);
  const judged = judgeWork({
    living: processes.living,
    closures,
    oldestUnfinishedSeconds,
    parked: { effects: parkedEffects, events: events.parked },
    expected: expectedSchedules(examination),
    schedules: queues?.schedules ?? null,
    succeeded,
    failedJobs: queues?.failedJobs ?? [],
    at,
  });
  const hindrance = sound.hindrance('redis');
  return hindrance === undefined ? judged : { ...judged, detail: `${judged.detail}; schedules and jobs ${hindrance}` };
}

/** Null while Redis cannot be asked. */
async function readQueues(
  redis: RedisLook | undefined,
  at: Date,
): Promise<{ schedules: ScheduleSeen[]; failedJobs: { queue: string; count: number }[] } | null> {
  if (redis === undefined || !(await redis.facts).reached) return null;
  const { producer } = redis;
  const since = at.getTime() - HOUR_MS;
  const found = await Promise.all(
    queueNames
      .filter((name) => !QUEUES_OF_ROWS.includes(name))
      .map(async (name) => {
        const queue = producer.queue(name);
        const [schedulers, failed] = await producer.ask(() =>
          Promise.all([queue.getJobSchedulers(), queue.getFailed(0, FAILED_JOBS_LOOKED_AT - 1)]),
        );
        return {
          schedules: schedulers.map(({ key, next, every }) => ({
            id: key,
            nextAt: next === undefined ? null : new Date(next),
            everyMs: every === undefined ? null : Number(every),
          })),
          failed: { queue: name, count: failed.filter((job) => (job?.finishedOn ?? 0) > since).length },
        };
      }),
  );
  return {
    schedules: found.flatMap(({ schedules }) => schedules),
    failedJobs: found.map(({ failed }) => failed),
  };
}

/** Named as the scheduler names them; one that is switched off in the configuration is not missed. */
function expectedSchedules(examination: Examination): ScheduleExpected[] {
  const { schedules, mode } = examination.config;
  const ofFlows = flowsOn(examination).flatMap(({ name, passes }) =>
    passes.map((pass): ScheduleExpected => {
      const id = `reconcile-${name}-${pass.name}`;
      // Frequent ones say themselves how often they come.
      return { id, everyMs: id in schedules || !('cron' in pass.schedule) ? null : DAY_MS };
    }),
  );
  return [...ofFlows.filter(({ id }) => schedules[id] !== 'off'), ...roundsExpected(mode)];
}
