import { scheduleNames, schedulesOf } from './schedules';

const pass = (name: string, schedule: { everyMs: number } | { cron: string }) => ({ name, schedule });
const flows = [
  { name: 'invoices', passes: [pass('recent', { everyMs: 3_600_000 }), pass('nightly', { cron: '17 3 * * *' })] },
  { name: 'bookings', passes: [pass('recent', { everyMs: 60_000 })] },
];
const on = { flows: ['invoices'], schedules: {}, timezone: 'America/Chicago' };

test('each pass of a flow that is on comes by its own clock, a cron by the clock of TIMEZONE', () => {
  expect(schedulesOf(flows, on)).toEqual([
    {
      id: 'reconcile-invoices-recent',
      queue: 'reconciliations',
      when: { everyMs: 3_600_000 },
      data: { flow: 'invoices', pass: 'recent' },
    },
    {
      id: 'reconcile-invoices-nightly',
      queue: 'reconciliations',
      when: { pattern: '17 3 * * *', timeZone: 'America/Chicago' },
      data: { flow: 'invoices', pass: 'nightly' },
    },
  ]);
});

test('the configuration gives a pass another time or switches it off', () => {
  const schedules = {
    'reconcile-invoices-recent': 'off',
    'reconcile-invoices-nightly': { everyMs: 7_200_000 },
  } as const;
  expect(schedulesOf(flows, { ...on, schedules }).map(({ id, when }) => [id, when])).toEqual([
    ['reconcile-invoices-nightly', { everyMs: 7_200_000 }],
  ]);
});

test('every pass of every flow has a name of its own, on or off', () => {
  expect(scheduleNames(flows)).toEqual([
    'reconcile-invoices-recent',
    'reconcile-invoices-nightly',
    'reconcile-bookings-recent',
  ]);
});
