import { missedNights } from './missed-nights';

const NOW = new Date('2026-11-23T09:00:00Z');
const ran = (schedule: string, hoursAgo: number) => ({
  schedule,
  succeededAt: new Date(NOW.getTime() - hoursAgo * 3_600_000),
});

test.each([
  ['both came last night', [ran('erase-bodies', 6), ran('compare-observed', 6)], []],
  ['erasing was missed', [ran('erase-bodies', 27), ran('compare-observed', 6)], ['erase-bodies']],
  ['both were missed', [ran('erase-bodies', 27), ran('compare-observed', 270)], ['erase-bodies', 'compare-observed']],
  ['neither ever came', [], ['erase-bodies']],
])('a round of the night that was missed is made up: %s', (_case, runs, tasks) => {
  const made = missedNights(runs, 'observe', NOW);
  expect(made.map(({ data }) => data.task)).toEqual(tasks);
  // The same for every worker that looks on the same day: the queue takes it once.
  expect(made.map(({ id }) => id)).toEqual(tasks.map((task) => `missed_${task}-2026-11-23`));
});

test('live there is no comparison to make up', () => {
  expect(missedNights([ran('erase-bodies', 6), ran('compare-observed', 270)], 'live', NOW)).toEqual([]);
});
