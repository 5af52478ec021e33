import type { PassInfo } from '@bridge/flow';
import { nextLookOf } from './next-look';

const HOUR_MS = 3_600_000;
const now = new Date('2026-11-22T14:20:00Z');
const recent: PassInfo = { name: 'recent', title: 'x', schedule: { everyMs: HOUR_MS }, lookBackMs: 26 * HOUR_MS };
const nightly: PassInfo = {
  name: 'nightly',
  title: 'x',
  schedule: { cron: '17 3 * * *' },
  byHand: true,
  lookBackMs: 360 * HOUR_MS,
};
const flow = { name: 'invoices', passes: [recent, nightly] };
const seen = { flow, pass: recent, bornAt: null, lastWanted: new Date('2026-11-22T14:00:00Z') };

test('the pass that saw a finding looks again after its period; one that is overdue comes at any moment', () => {
  const schedule = 'reconcile-invoices-recent';
  expect(nextLookOf(seen, {}, now)).toEqual({ schedule, when: { at: new Date('2026-11-22T15:00:00Z') } });
  expect(nextLookOf({ ...seen, lastWanted: new Date('2026-11-22T09:00:00Z') }, {}, now)).toEqual({
    schedule,
    when: { at: now },
  });
});

test('what has left the window of that pass is looked at by the thorough one, at the hour that is configured', () => {
  const left = { ...seen, bornAt: new Date(now.getTime() - 27 * HOUR_MS) };
  const schedule = 'reconcile-invoices-nightly';
  expect(nextLookOf(left, {}, now)).toEqual({ schedule, when: { cron: '17 3 * * *' } });
  expect(nextLookOf(left, { [schedule]: { cron: '5 4 * * 1' } }, now)).toEqual({
    schedule,
    when: { cron: '5 4 * * 1' },
  });
  expect(nextLookOf(left, { [schedule]: 'off' }, now)).toEqual({ schedule, when: 'off' });
});
