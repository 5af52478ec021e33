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
  describeCutOver({ watermark, comparison: undefined, start, at, observing: null, ...facts }).map(
    ({ tone, sentence }) => [tone, sentence],
  );

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
  const [line] = describeCutOver({
    watermark: { ...watermark, missed },
    comparison: undefined,
    start,
    at,
    observing: null,
  });
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

test('a bridge that only observes says so from the first minute, with what waits for it and the next command', () => {
  const line = (more: Partial<CutOverFacts>) =>
    describeCutOver({
      watermark: undefined,
      comparison: undefined,
      start: { ...start, live: false },
      at,
      observing: { waiting: 0 },
      ...more,
    });
  const [calm, ...others] = line({});
  expect(others).toEqual([]);
  expect(calm).toEqual({
    tone: 'note',
    sentence:
      'The bridge only observes (MODE=observe): it decides and records, and sends nothing to FileMaker. See docs/cut-over.md.',
    next: './bridge golive',
    cause: 'OBSERVING',
    always: true,
  });
  expect(line({ observing: { waiting: 2 } })[0]?.sentence).toContain(
    ' 2 planned wait until you say from when it is live.',
  );
  // One that was live before goes on by itself.
  expect(line({ start, observing: { waiting: 1 } })[0]?.sentence).toContain(' 1 planned waits for MODE=live.');
  const comparison = { at, compared: 41, shown: 41, notShown: 0, cannotTell: 0, differing: [] };
  expect(line({ comparison }).map(({ tone }) => tone)).toEqual(['note', 'note']);
  expect(line({ observing: null })).toEqual([]);
});

test('MODE=observe that still holds after a person has said live waits for a person, and not before that moment', () => {
  const said = (from: Date) =>
    describeCutOver({
      watermark: undefined,
      comparison: undefined,
      start: { ...start, because: 'golive', at: from },
      at,
      observing: { waiting: 3 },
    });
  expect(said(minutesAgo(1))).toMatchObject([
    { tone: 'waits', sentence: expect.stringContaining('Set MODE=live and start it anew'), next: './bridge golive' },
  ]);
  expect(said(minutesAgo(-1))).toMatchObject([{ tone: 'note' }]);
});

test('a restore that was noticed is told for seven days, with its runbook', () => {
  const told = (restoredAt: Date) =>
    describeCutOver({
      watermark: undefined,
      comparison: undefined,
      start: { ...start, restoredAt },
      at,
      observing: null,
    });
  expect(told(minutesAgo(180))).toEqual([
    {
      tone: 'note',
      sentence:
        'The database was restored from a backup; that was noticed 3 h ago. What was planned by then, and money from before, begins with a question to FileMaker; events since the backup are fetched again.',
      next: './bridge runbook restored-from-backup',
      cause: 'DATABASE_RESTORED',
      always: true,
    },
  ]);
  expect(told(minutesAgo(7 * 24 * 60 - 1))).toHaveLength(1);
  expect(told(minutesAgo(7 * 24 * 60))).toEqual([]);
});
