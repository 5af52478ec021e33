/** A nightly pass that did not come to its end for so long is not waited for until the next night. */
export const NIGHTLY_LATE_MS = 26 * 3_600_000;
/** One that was begun and did not come to its end is not begun anew at once. */
export const LATE_AGAIN_MS = 3_600_000;

/**
 * Whether a night was missed: the bridge stood still at that hour, or the run failed. One that was never wanted is new here
 * and waits for its first night.
 */
export function isLate(last: { finishedUntil: Date | null; wantedAt: Date | null }, now: Date): boolean {
  const { finishedUntil, wantedAt } = last;
  if (wantedAt === null || now.getTime() - wantedAt.getTime() < LATE_AGAIN_MS) return false;
  return finishedUntil === null || now.getTime() - finishedUntil.getTime() > NIGHTLY_LATE_MS;
}
