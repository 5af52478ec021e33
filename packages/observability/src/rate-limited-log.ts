import type { Logger } from './create-logger';

/**
 * Logs a condition that may come thousands of times a second, such as `error` events of a connection whose server is
 * away: the first one at once, then at most one per `everyMs` with the number held back in `suppressed`.
 * One instance per condition.
 */
export function rateLimitedLog(
  logger: Pick<Logger, 'warn' | 'error'>,
  options: { message: string; level?: 'warn' | 'error'; everyMs?: number; now?: () => number },
): (fields: object) => void {
  const everyMs = options.everyMs ?? 10_000;
  const now = options.now ?? (() => performance.now());
  let lastAt = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  return (fields) => {
    if (now() - lastAt < everyMs) {
      suppressed += 1;
      return;
    }
    logger[options.level ?? 'warn']({ ...fields, ...(suppressed > 0 ? { suppressed } : {}) }, options.message);
    lastAt = now();
    suppressed = 0;
  };
}
