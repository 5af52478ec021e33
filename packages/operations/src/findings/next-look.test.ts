import type { PassInfo } from '@bridge/flow';
import { nextLookOf } from './next-look';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const now = new Date('2026-11-22T14:20:00Z');
const ago = (ms: number) => new Date(now.getTime() - ms);
const pending: PassInfo = {
  name: 'pending',
  title: 'x',
  schedule: { everyMs: 5 * MINUTE_MS },
  lookBackMs: 10 * MINUTE_MS,
};
const recent: PassInfo = {
  name: 'recent',
  title: 'x',
  schedule: { everyMs: HOUR_MS },
  lookBackMs: 26 * HOUR_MS,
  sees: /^cs_/,
};
const nightly: PassInfo = {
  name: 'nightly',
  title: 'x',
  schedule: { cron: '17 3 * * *' },
  byHand: true,
  lookBackMs: 360 * HOUR_MS,
};
const reversals: PassInfo = {
  name: 'reversals',
  title: 'x',
  schedule: { everyMs: 6 * HOUR_MS },
  lookBackMs: 360 * HOUR_MS,
  sees: /^re_/,
};
const flow = { name: 'invoices', passes: [pending, recent, nightly, reversals] };
const lastWanted = {
  pending: new Date('2026-11-22T14:18:00Z'),
  recent: new Date('2026-11-22T14:00:00Z'),
  nightly: new Date('2026-11-22T03:17:00Z'),
  reversals: new Date('2026-11-22T12:00:00Z'),
};
const seen = { flow, pass: recent, objectId: 'cs_1', bornAt: null, lastWanted };
const at = (name: string, time: string) => ({
  schedule: `reconcile-invoices-${name}`,
  when: { at: new Date(`2026-11-22T${time}:00Z`) },
});
const atNight = { schedule: 'reconcile-invoices-nightly', when: { cron: '17 3 * * *' } };

test('the pass that saw a finding looks again after its period; one that is overdue comes at any moment', () => {
  expect(nextLookOf(seen, {}, now)).toEqual(at('recent', '15:00'));
  const late = { ...lastWanted, recent: new Date('2026-11-22T09:00:00Z') };
  expect(nextLookOf({ ...seen, lastWanted: late }, {}, now)).toEqual(at('recent', '14:20'));
});

test.each([
  ['a payment that `pending` saw, while in its window', pending, 'cs_1', 9 * MINUTE_MS, at('pending', '14:23')],
  ['a payment that `pending` saw, out of its window', pending, 'cs_1', 11 * MINUTE_MS, at('recent', '15:00')],
  ['a payment that `pending` saw a day and more ago', pending, 'cs_1', 27 * HOUR_MS, atNight],
  ['a payment that `nightly` saw, from the last 26 hours', nightly, 'cs_1', 5 * HOUR_MS, at('recent', '15:00')],
  ['a payment that `nightly` saw, from before', nightly, 'cs_1', 27 * HOUR_MS, atNight],
  ['a refund that `recent` saw', recent, 're_1', 5 * HOUR_MS, at('recent', '15:00')],
  ['a refund that `recent` saw, from before', recent, 're_1', 27 * HOUR_MS, at('reversals', '18:00')],
  ['a refund of an old payment', reversals, 're_1', 5 * HOUR_MS, at('reversals', '18:00')],
  ['a refund that `nightly` saw', nightly, 're_1', 27 * HOUR_MS, at('reversals', '18:00')],
  ['a refund that has left every window', reversals, 're_1', 361 * HOUR_MS, atNight],
])(
  'the next look is the soonest of the passes whose window has it, and that look at such objects: %s',
  (_what, pass, objectId, age, expected) => {
    expect(nextLookOf({ ...seen, pass, objectId, bornAt: ago(age) }, {}, now)).toEqual(expected);
  },
);

test('what has left the window of that pass is looked at by the thorough one, at the hour that is configured', () => {
  const left = { ...seen, bornAt: ago(27 * HOUR_MS) };
  const { schedule } = atNight;
  expect(nextLookOf(left, {}, now)).toEqual(atNight);
  expect(nextLookOf(left, { [schedule]: { cron: '5 4 * * 1' } }, now)).toEqual({
    schedule,
    when: { cron: '5 4 * * 1' },
  });
  expect(nextLookOf(left, { [schedule]: 'off' }, now)).toEqual({ schedule, when: 'off' });
});

test('a pass that is switched off is named only where no other looks', () => {
  expect(nextLookOf(seen, { 'reconcile-invoices-recent': 'off' }, now)).toEqual(atNight);
  const off = { 'reconcile-invoices-recent': 'off', 'reconcile-invoices-nightly': 'off' } as const;
  expect(nextLookOf(seen, off, now).when).toBe('off');
});
