import { type Logger, rateLimitedLog } from '@bridge/observability';

/** A request we refused, without its body. */
export interface Rejection {
  reason: string;
  bytes: number;
  remote?: string;
}

export interface RejectionStore {
  recordRejection(rejection: Rejection): Promise<void>;
}

export interface RejectionRecorder {
  /** Returns at once. */
  record(rejection: Rejection): void;
  /** Resolves when nothing is in hand. */
  idle(): Promise<void>;
}

/**
 * Keeps refused requests for a person to look at, one write at a time: a flood of nonsense must not take connections
 * from genuine events. What comes while `waitingMax` wait is only counted (by the metric of its outcome).
 */
export function createRejectionRecorder(
  store: RejectionStore,
  parts: { logger: Logger; waitingMax?: number },
): RejectionRecorder {
  const waitingMax = parts.waitingMax ?? 100;
  const waiting: Rejection[] = [];
  const logFailure = rateLimitedLog(parts.logger, { message: 'a refused request was not recorded' });
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        await store.recordRejection(next);
      } catch (error) {
        // The store is away: the rest would fail as slowly, and none of it is worth a delay.
        waiting.length = 0;
        logFailure({ err: error });
      }
    }
    working = undefined;
  }

  return {
    record: (rejection) => {
      if (waiting.length >= waitingMax) return;
      waiting.push(rejection);
      working ??= work();
    },
    idle: async () => {
      await working;
    },
  };
}
