export interface Repeating {
  /** Runs once more, or waits for the round in hand, and ends. Safe to call twice. */
  stop(): Promise<void>;
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
      await running;
    },
  };
}
