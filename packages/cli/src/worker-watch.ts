import { CommandError, describeFailure } from './failure';

/** A worker that was stopped and started again is back by then, on a slow machine too. */
const GONE_MS = 60_000;
/** Between two looks no more than this counts: a machine that slept, or a database that was slow, is no absence of workers. */
const GAP_MAX_MS = 2_000;

export interface WorkerWatch {
  /** `away`: none is there at this moment. `gone`: none was there at any look of a whole minute. */
  look(): Promise<'there' | 'away' | 'gone'>;
}

/** Tells a command that waits for workers when there is nobody to wait for. */
export function createWorkerWatch(isThere: () => Promise<boolean>, now = () => performance.now()): WorkerWatch {
  let awayMs = 0;
  let lookedAt = now();
  return {
    look: async () => {
      const there = await isThere();
      const at = now();
      awayMs = there ? 0 : awayMs + Math.min(at - lookedAt, GAP_MAX_MS);
      lookedAt = at;
      if (there) return 'there';
      return awayMs >= GONE_MS ? 'gone' : 'away';
    },
  };
}

/**
 * A command that cannot see any more how its work goes on, since PostgreSQL is away for instance: it ends, the work does not.
 * `goesOn` says so, and how to look again.
 */
export function lostSight(error: unknown, goesOn: string): unknown {
  if (error instanceof CommandError) return error;
  const { code, message, exitCode } = describeFailure(error);
  return exitCode === 78 ? error : new CommandError(code, `${message}\n${goesOn}`);
}

export const NOBODY_THERE = 'no worker is there; start one with ./bridge up';
