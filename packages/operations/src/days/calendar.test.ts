import fc from 'fast-check';
import { addDays, dayOf, daysOfMonth, isDay, windowOf } from './calendar';

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/Chicago',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Africa/Cairo',
  'Asia/Beirut',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Kiritimati',
  'Etc/GMT+12',
];
const HOUR_MS = 3_600_000;
const zone = fc.constantFrom(...ZONES);
const day = fc
  .integer({ min: Date.UTC(2000, 0, 1) / 86_400_000, max: Date.UTC(2037, 11, 31) / 86_400_000 })
  .map((days) => addDays('1970-01-01', days));
const hours = (name: string, timeZone: string): number => {
  const { since, until } = windowOf(name, timeZone);
  return (until.getTime() - since.getTime()) / HOUR_MS;
};

test('each moment lies in the window of the day that its clock shows, and in no other', () => {
  const moment = fc.date({
    min: new Date('2000-01-02T00:00:00Z'),
    max: new Date('2037-12-30T00:00:00Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(moment, zone, (at, timeZone) => {
      const { since, until } = windowOf(dayOf(at, timeZone), timeZone);
      expect(since.getTime()).toBeLessThanOrEqual(at.getTime());
      expect(at.getTime()).toBeLessThan(until.getTime());
    }),
    { numRuns: 400 },
  );
});

test('days join without a gap and without a lap, whatever the clocks do', () => {
  fc.assert(
    fc.property(day, zone, (name, timeZone) => {
      expect(windowOf(name, timeZone).until).toEqual(windowOf(addDays(name, 1), timeZone).since);
    }),
    { numRuns: 400 },
  );
});

test('a day begins at the first moment that its clock shows it', () => {
  fc.assert(
    fc.property(day, zone, (name, timeZone) => {
      const { since, until } = windowOf(name, timeZone);
      expect(dayOf(new Date(since.getTime() - 1), timeZone) < name).toBe(true);
      if (until > since) expect(dayOf(since, timeZone)).toBe(name);
    }),
    { numRuns: 400 },
  );
});

test.each([
  ['2026-03-29', 'Europe/Berlin', 23],
  ['2026-10-25', 'Europe/Berlin', 25],
  ['2026-03-08', 'America/Chicago', 23],
  ['2026-11-01', 'America/Chicago', 25],
  ['2026-04-05', 'Australia/Lord_Howe', 24.5],
  ['2026-11-22', 'America/Chicago', 24],
  // Clocks went from 24:00 to 01:00: the day began at one.
  ['2017-10-15', 'America/Sao_Paulo', 23],
  // And back from 24:00 to 23:00: its last hour came twice.
  ['2018-02-17', 'America/Sao_Paulo', 25],
  // Samoa left this day out.
  ['2011-12-30', 'Pacific/Apia', 0],
])('%s in %s has %d hours', (name, timeZone, expected) => {
  expect(hours(name, timeZone)).toBe(expected);
});

test('a month has its days, February in a leap year too', () => {
  expect(daysOfMonth('2026-11')).toEqual({ since: '2026-11-01', until: '2026-11-30' });
  expect(daysOfMonth('2028-02')).toEqual({ since: '2028-02-01', until: '2028-02-29' });
  expect(daysOfMonth('2026-12')).toEqual({ since: '2026-12-01', until: '2026-12-31' });
});

test('only days that the calendar has are days', () => {
  expect(['2026-11-22', '2028-02-29'].map(isDay)).toEqual([true, true]);
  expect(['2026-02-29', '2026-11-31', '2026-1-1', '22.11.2026', '', 'today'].some(isDay)).toBe(false);
});
