import type { Closure } from '@bridge/gates';
import { scopeAsTyped } from '../gates/gate-acts';
import { wayOut } from '../gates/ways-out';
import { spell } from '../status/status-lines';
import { type Fault, fault, type Judged } from './fault';

/** A schedule that a bridge at work must have. */
export interface ScheduleExpected {
  id: string;
  /** How often it comes at least; null: the configuration gives it a pattern of its own, and nobody knows. */
  everyMs: number | null;
}

/** A schedule as Redis holds it. */
export interface ScheduleSeen {
  id: string;
  /** Null where the clock of the queue does not say. */
  nextAt: Date | null;
  /** Null for one that goes by a cron pattern. */
  everyMs: number | null;
}

export interface WorkFacts {
  living: readonly { app: string; startedAt: Date }[];
  closures: readonly Closure[];
  oldestUnfinishedSeconds: number;
  parked: { effects: number; events: number };
  /** What the flows that are on, and the bridge itself, must have. */
  expected: readonly ScheduleExpected[];
  /** Null where Redis could not be asked: that is told with Redis. */
  schedules: readonly ScheduleSeen[] | null;
  /** When each schedule last came to its end. */
  succeeded: readonly { schedule: string; succeededAt: Date }[];
  /** Jobs that failed within the last hour, in queues whose failed jobs are not parked rows. */
  failedJobs: readonly { queue: string; count: number }[];
  at: Date;
}

const WORK_LATE_SECONDS = 600;
/** A schedule's next run lies in the future, but for a moment. */
const STUCK_MS = 120_000;
/** A pass may take long, and may be missed once. */
const LATE_TIMES = 3;
const LATE_MS_LEAST = 900_000;
const DAY_MS = 86_400_000;
/** What comes once a day: one may be missed, and the next may take its time. */
const DAILY_LATE_MS = 2 * DAY_MS + 7_200_000;
/** After a start, what was missed while the bridge stood still is made up in this time. */
const MAKE_UP_MS = 7_200_000;

/** What comes back by the clock and belongs to no flow, as the scheduler makes it. */
export const roundsExpected = (mode: 'live' | 'observe'): ScheduleExpected[] => [
  { id: 'fetch-events', everyMs: 300_000 },
  { id: 'close-day', everyMs: 60_000 },
  { id: 'erase-bodies', everyMs: DAY_MS },
  ...(mode === 'observe' ? [{ id: 'compare-observed', everyMs: DAY_MS }] : []),
];

/** Pure. */
export function judgeWork(facts: WorkFacts): Judged {
  const { living, closures, oldestUnfinishedSeconds, parked } = facts;
  const count = (app: string): number => living.filter((one) => one.app === app).length;
  const [workers, schedulers] = [count('worker'), count('scheduler')];
  const late = oldestUnfinishedSeconds > WORK_LATE_SECONDS && workers > 0 && closures.length === 0;
  const waiting = parked.effects + parked.events;
  return {
    detail: `${counted(workers, 'worker')}, ${counted(schedulers, 'scheduler')}${facts.schedules === null ? '' : `, ${counted(facts.schedules.length, 'schedule')}`}`,
    faults: [
      ...(workers === 0 ? [fault('WORKER_MISSING')] : []),
      ...(schedulers === 0 ? [fault('SCHEDULER_MISSING')] : []),
      ...closures.flatMap(closureFaults),
      ...(late ? [fault('WORK_LATE', spell(oldestUnfinishedSeconds))] : []),
      ...(waiting > 0 ? [fault('PEOPLE_WAITED_FOR', counted(waiting, 'thing'))] : []),
      ...scheduleFaults(facts, { workers, schedulers }),
      ...facts.failedJobs
        .filter((failed) => failed.count > 0)
        .map((failed) => fault('JOBS_FAILED', `${counted(failed.count, 'job')} of ${failed.queue} in the last hour`)),
    ],
  };
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function closureFaults(closure: Closure): Fault[] {
  const scope = scopeAsTyped(closure.scope);
  const typed = (found: Fault): Fault => ({ ...found, todo: found.todo.replace('SCOPE', scope) });
  switch (closure.kind) {
    case 'halt': {
      const advice = wayOut(closure.cause);
      const found = typed(fault('HALTED', `${scope} (${closure.cause}): ${closure.detail}`));
      return [
        advice === undefined ? found : { ...found, todo: `${advice} ${found.todo.replace('Mend it, then', 'Then')}` },
      ];
    }
    case 'pause':
      return [typed(fault('PAUSED', `${scope}, by ${closure.by}: ${closure.detail}`))];
    case 'circuit':
      return [fault('PEER_AWAY', `${scope} (${closure.detail})`)];
    default:
      return [];
  }
}

function scheduleFaults(facts: WorkFacts, { workers, schedulers }: { workers: number; schedulers: number }): Fault[] {
  const { schedules, at } = facts;
  if (schedules === null) return [];
  // Without the processes the schedules stand still, and that is told already.
  const missing = schedulers === 0 ? [] : facts.expected.filter(({ id }) => !schedules.some((one) => one.id === id));
  const stuck =
    workers === 0
      ? []
      : schedules.filter(({ nextAt }) => nextAt !== null && at.getTime() - nextAt.getTime() > STUCK_MS);
  const late = workers === 0 ? [] : schedules.filter((schedule) => isLate(schedule, facts));
  const names = (some: readonly { id: string }[]): string => some.map(({ id }) => id).join(', ');
  return [
    ...(missing.length === 0 ? [] : [fault('SCHEDULES_MISSING', names(missing))]),
    ...(stuck.length === 0 ? [] : [fault('SCHEDULE_STUCK', names(stuck))]),
    ...(late.length === 0 ? [] : [fault('SCHEDULE_LATE', names(late))]),
  ];
}

/**
 * By the clock of the queue, or by what is expected of it where it goes by a pattern. One that never ran is late when the
 * workers have lived long enough for it to have.
 */
function isLate({ id, everyMs: seenMs }: ScheduleSeen, { expected, succeeded, living, at }: WorkFacts): boolean {
  const everyMs = seenMs ?? expected.find((one) => one.id === id)?.everyMs ?? null;
  if (everyMs === null) return false;
  const daily = everyMs >= DAY_MS;
  const patienceMs = daily ? DAILY_LATE_MS : Math.max(LATE_MS_LEAST, LATE_TIMES * everyMs);
  const since = succeeded.find(({ schedule }) => schedule === id)?.succeededAt.getTime() ?? Number.NEGATIVE_INFINITY;
  const workersSince = Math.min(
    ...living.filter(({ app }) => app === 'worker').map(({ startedAt }) => startedAt.getTime()),
  );
  // Of what comes once a day, workers that are restarted each day would never have lived long enough.
  const from =
    daily && since > Number.NEGATIVE_INFINITY
      ? Math.max(since, workersSince - patienceMs + MAKE_UP_MS)
      : Math.max(since, workersSince);
  return at.getTime() - from > patienceMs;
}
