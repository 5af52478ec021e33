import { isLate, LATE_AGAIN_MS, NIGHTLY_LATE_MS } from './late-pass';

const NOW = new Date('2026-11-22T12:00:00Z');
const ago = (ms: number): Date => new Date(NOW.getTime() - ms);

test('a night that the bridge missed is made up when it is back', () => {
  const last = (ms: number) => ({ finishedUntil: ago(ms), wantedAt: ago(ms) });
  expect(isLate(last(3 * 86_400_000), NOW)).toBe(true);
  expect(isLate(last(NIGHTLY_LATE_MS + 1), NOW)).toBe(true);
  expect(isLate(last(NIGHTLY_LATE_MS), NOW)).toBe(false);
});

test('one that failed is tried again each hour until it comes to its end', () => {
  const failed = (wantedMs: number) => ({ finishedUntil: ago(2 * 86_400_000), wantedAt: ago(wantedMs) });
  expect(isLate(failed(LATE_AGAIN_MS - 1), NOW)).toBe(false);
  expect(isLate(failed(LATE_AGAIN_MS), NOW)).toBe(true);
  expect(isLate({ finishedUntil: null, wantedAt: ago(LATE_AGAIN_MS) }, NOW)).toBe(true);
});

test('a bridge that is new waits for its first night', () => {
  expect(isLate({ finishedUntil: null, wantedAt: null }, NOW)).toBe(false);
});
