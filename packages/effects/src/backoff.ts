/** First wait after a refusal that may be tried again. */
const FIRST_MS = 500;
const LONGEST_MS = 60_000;

/**
 * Wait before the next try after `refusals` refusals in a row: doubling from half a second to a minute, with up to a
 * quarter taken off by `random` (0..1), so that a herd does not come back together.
 */
export function backoffMs(refusals: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, Math.min(refusals - 1, 20)));
  return Math.round(full * (1 - 0.25 * random));
}
