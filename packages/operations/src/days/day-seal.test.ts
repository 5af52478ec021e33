import { canonicalJson, digestOf, FIRST_HEAD, headOf } from './chain';
import type { DayContents } from './day-contents';
import { brokenSeal } from './day-seal';
import type { ClosedDay } from './day-store';

const at = new Date('2026-11-23T00:00:00Z');
const contents: DayContents = {
  version: 1,
  day: '2026-11-22',
  timeZone: 'UTC',
  since: '2026-11-22T00:00:00.000Z',
  until: '2026-11-23T00:00:00.000Z',
  closedAt: at.toISOString(),
  livemode: true,
  currencies: [],
  unsettled: [],
  stillOpen: [],
  settledSince: [],
  corrections: [],
  entries: { count: 0, digest: '' },
};
const digest = digestOf(canonicalJson(contents));
const closed: ClosedDay = {
  day: '2026-11-22',
  number: 1,
  timeZone: 'UTC',
  since: at,
  until: at,
  closedAt: at,
  closedBy: 'worker',
  contents,
  digest: digest.toString('hex'),
  previousHead: FIRST_HEAD.toString('hex'),
  head: headOf(FIRST_HEAD, '2026-11-22', digest).toString('hex'),
};

test('a day that is what was closed holds, also after its contents were erased', () => {
  expect(brokenSeal(closed)).toBeUndefined();
  expect(brokenSeal({ ...closed, contents: null })).toBeUndefined();
});

test.each([
  ['contents', { contents: { ...contents, livemode: false } }, 'Its contents are not what was closed.'],
  ['digest', { contents: null, digest: '00'.repeat(32) }, 'Its head is not that of its contents.'],
  ['head', { head: '00'.repeat(32) }, 'Its head is not that of its contents.'],
  ['day', { day: '2026-11-21' }, 'Its head is not that of its contents.'],
])('a day whose %s was changed is told', (_what, change, sentence) => {
  expect(brokenSeal({ ...closed, ...change })).toBe(sentence);
});
