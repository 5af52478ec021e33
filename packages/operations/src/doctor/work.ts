import type { Closure } from '@bridge/gates';
import { scopeAsTyped } from '../gate-acts';
import { spell } from '../status-lines';
import { wayOut } from '../ways-out';
import { type Fault, fault, type Judged } from './fault';

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
  /** Ids of the schedules that the flows that are on must have. */
  expected: readonly string[];
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
      ...(waiting > 0 ? [fault('PEOPLE_WAITED_FOR', counted(waiting, 'row'))] : []),
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
  const missing = schedulers === 0 ? [] : facts.expected.filter((id) => !schedules.some((one) => one.id === id));
  const stuck =
    workers === 0
      ? []
      : schedules.filter(({ nextAt }) => nextAt !== null && at.getTime() - nextAt.getTime() > STUCK_MS);
  const late = workers === 0 ? [] : schedules.filter((schedule) => isLate(schedule, facts));
  const names = (some: readonly ScheduleSeen[]): string => some.map(({ id }) => id).join(', ');
  return [
    ...(missing.length === 0 ? [] : [fault('SCHEDULES_MISSING', missing.join(', '))]),
    ...(stuck.length === 0 ? [] : [fault('SCHEDULE_STUCK', names(stuck))]),
    ...(late.length === 0 ? [] : [fault('SCHEDULE_LATE', names(late))]),
  ];
}

/** A schedule that never ran is late when the workers have lived long enough for it to have. */
function isLate({ id, everyMs }: ScheduleSeen, { succeeded, living, at }: WorkFacts): boolean {
  if (everyMs === null) return false;
  const patienceMs = Math.max(LATE_MS_LEAST, LATE_TIMES * everyMs);
  const since = succeeded.find(({ schedule }) => schedule === id)?.succeededAt ?? null;
  const workersSince = Math.min(
    ...living.filter(({ app }) => app === 'worker').map(({ startedAt }) => startedAt.getTime()),
  );
  const from = Math.max(since?.getTime() ?? Number.NEGATIVE_INFINITY, workersSince);
  return at.getTime() - from > patienceMs;
}
