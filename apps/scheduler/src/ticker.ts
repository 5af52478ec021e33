export interface Ticker {
  /** Ends the rounds and waits for the one under way, at most `graceMs`. Safe to call twice. */
  stop(graceMs: number): Promise<void>;
}

/** Runs `round` every `everyMs`, never two at a time. A round that fails is reported and the next one tries again. */
export function startTicker(everyMs: number, round: () => Promise<void>, onError: (error: Error) => void): Ticker {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= round()
      .catch(onError)
      .finally(() => {
        running = undefined;
      });
  }, everyMs);
  return {
    stop: async (graceMs) => {
      clearInterval(timer);
      let late: NodeJS.Timeout | undefined;
      await Promise.race([
        running,
        new Promise<void>((resolve) => {
          late = setTimeout(resolve, graceMs);
        }),
      ]);
      clearTimeout(late);
    },
  };
}
