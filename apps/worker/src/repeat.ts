export interface Repeating {
  /** Begins no further round and waits for the one in hand, `ROUND_LEFT_MS` at most. Safe to call twice. */
  stop(): Promise<void>;
}

/** A round that hangs on a store which is away must not hold up the end of the process. */
const ROUND_LEFT_MS = 3_000;

/** Resolves when `work` has settled either way or `limitMs` have passed, whatever comes first. */
export async function settledWithin(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([Promise.allSettled([work]), late]);
  clearTimeout(timer);
}

/** Runs `round` every `everyMs`, never twice at once. What a round throws goes to `onError` and the next round comes. */
export function repeat(round: () => Promise<void>, everyMs: number, onError: (error: Error) => void): Repeating {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= round()
      .catch((error: unknown) => onError(error instanceof Error ? error : new Error(String(error))))
      .finally(() => {
        running = undefined;
      });
  }, everyMs);
  return {
    stop: async () => {
      clearInterval(timer);
      if (running !== undefined) await settledWithin(running, ROUND_LEFT_MS);
    },
  };
}
