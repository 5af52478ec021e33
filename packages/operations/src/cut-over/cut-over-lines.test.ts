import type { EventWatermark } from '@bridge/reconciliation';
import { type CutOverFacts, describeCutOver } from './cut-over-lines';

const at = new Date('2026-11-22T12:00:00Z');
const minutesAgo = (minutes: number): Date => new Date(at.getTime() - minutes * 60_000);
const watermark: EventWatermark = {
  delivery: 'pull',
  reachedAt: minutesAgo(1),
  fetchNo: '7',
  fetchedAt: minutesAgo(1),
  sinceFetchedMs: 60_000,
  failing: null,
  missed: null,
};
const start = { at: minutesAgo(1_000), because: 'first-migration', live: true, restoredAt: null } as const;
const told = (facts: Partial<CutOverFacts>) =>
  describeCutOver({ watermark, comparison: undefined, start, at, ...facts }).map(({ tone, sentence }) => [
    tone,
    sentence,
  ]);

test('fetching that goes on says nothing; ten minutes without a fetch are broken, with the reason', () => {
  expect(told({})).toEqual([]);
  expect(told({ watermark: { ...watermark, sinceFetchedMs: 599_999 } })).toEqual([]);
  const failing = { since: minutesAgo(11), code: 'STRIPE_UNAVAILABLE', message: 'HTTP 503' };
  expect(told({ watermark: { ...watermark, sinceFetchedMs: 660_000, failing } })).toEqual([
    [
      'broken',
      'Events have not been fetched from Stripe for 11 min (STRIPE_UNAVAILABLE: HTTP 503): payments of that time are not known here.',
    ],
  ]);
  // Never fetched at all: counted from the first failure.
  expect(told({ watermark: { ...watermark, fetchedAt: null, sinceFetchedMs: null, failing } })).toHaveLength(1);
  // No process fetches, and so none notes a failure either.
  expect(told({ watermark: { ...watermark, sinceFetchedMs: 600_000 } })).toHaveLength(1);
});

test('beside webhooks an hour without a look is told, and less is not', () => {
  const second = { ...watermark, delivery: 'reconciliation' } as const;
  expect(told({ watermark: { ...second, sinceFetchedMs: 3_500_000 } })).toEqual([]);
  expect(told({ watermark: { ...second, sinceFetchedMs: 3_600_000 } })[0]?.[0]).toBe('waits');
});

test('a stretch that Stripe does not list any more is told for a week, with the command that looks there', () => {
  const missed = { from: minutesAgo(60_000), until: minutesAgo(43_200), seenAt: minutesAgo(60) };
  const [line] = describeCutOver({ watermark: { ...watermark, missed }, comparison: undefined, start, at });
  expect(line).toMatchObject({ tone: 'waits', next: expect.stringContaining(missed.from.toISOString()) });
  expect(told({ watermark: { ...watermark, missed: { ...missed, seenAt: minutesAgo(60 * 24 * 8) } } })).toEqual([]);
});

test('while the bridge only observes, the last comparison stands in the status', () => {
  const comparison = { at, compared: 41, shown: 39, notShown: 1, cannotTell: 1, differing: [] };
  expect(told({ comparison })).toEqual([]);
  expect(told({ comparison, start: { ...start, live: false } })).toEqual([
    [
      'note',
      'Observing: of 41 that the bridge would have sent, FileMaker shows 39; it does not show 1, and of 1 it cannot tell.',
    ],
  ]);
});
