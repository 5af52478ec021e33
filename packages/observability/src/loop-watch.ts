/** Says whether the event loop turns: whether timers come when they should. */
export interface LoopWatch {
  /** Undefined while the loop turns, else what is wrong. */
  fault(): string | undefined;
  stop(): void;
}

/** What a timer that should come every `everyMs` has seen; pure, for the watch and its tests. */
export function createLateness(everyMs: number, lateMs: number, lateTicksMax: number) {
  let expectedAt: number | undefined;
  let lateTicks = 0;
  let lastLateMs = 0;
  return {
    tick(now: number): void {
      lastLateMs = expectedAt === undefined ? 0 : Math.max(0, now - expectedAt);
      lateTicks = lastLateMs > lateMs ? lateTicks + 1 : 0;
      expectedAt = now + everyMs;
    },
    /** One long pause (a frozen container, a sleeping laptop) is no reason to be restarted; pause upon pause is. */
    fault(now: number): string | undefined {
      const overdueMs = expectedAt === undefined ? 0 : now - expectedAt;
      const worstMs = Math.max(lastLateMs, overdueMs);
      return lateTicks >= lateTicksMax ? `the event loop is late by ${Math.round(worstMs)} ms` : undefined;
    },
  };
}

/** Watches the loop with a timer each second; three ticks in a row that come over 2 s late are a fault. */
export function startLoopWatch(): LoopWatch {
  const lateness = createLateness(1_000, 2_000, 3);
  lateness.tick(performance.now());
  const timer = setInterval(() => lateness.tick(performance.now()), 1_000);
  timer.unref();
  return {
    fault: () => lateness.fault(performance.now()),
    stop: () => clearInterval(timer),
  };
}
