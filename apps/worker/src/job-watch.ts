import type { JobWorker } from '@bridge/jobs';
import { type Repeating, repeat } from './repeat';

export interface WatchedJobs {
  queue: string;
  worker: Pick<JobWorker, 'begun' | 'inHand' | 'paused'>;
  /** Jobs that wait for a worker now. */
  waiting(): Promise<number>;
}

export interface JobWatch extends Repeating {
  /** Why the process should be restarted: it looks alive and takes no jobs. */
  fault(): string | undefined;
}

const LOOK_EVERY_MS = 10_000;
/** Looks in a row at which jobs wait and none is begun: half a minute. */
const STILL_LOOKS_MAX = 3;

/**
 * A half-open socket can leave a worker connected, idle and deaf while jobs pile up. Redis answering a ping proves
 * nothing; only a job that is begun does.
 */
export function watchJobs(
  watched: readonly WatchedJobs[],
  onError: (error: Error) => void,
): JobWatch & { look(): Promise<void> } {
  const before = new Map<string, number>();
  const still = new Map<string, number>();

  async function look(): Promise<void> {
    for (const { queue, worker, waiting } of watched) {
      const begun = worker.begun();
      const moves = begun !== before.get(queue) || worker.inHand() > 0 || worker.paused();
      before.set(queue, begun);
      still.set(queue, moves || (await waiting()) === 0 ? 0 : (still.get(queue) ?? 0) + 1);
    }
  }

  const looking = repeat(look, LOOK_EVERY_MS, onError);
  return {
    look,
    stop: () => looking.stop(),
    fault: () => {
      const deaf = [...still].find(([, looks]) => looks >= STILL_LOOKS_MAX);
      return deaf === undefined ? undefined : `jobs wait in ${deaf[0]} and none is begun`;
    },
  };
}
