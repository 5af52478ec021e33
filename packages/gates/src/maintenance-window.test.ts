import fc from 'fast-check';
import { type MaintenanceWindow, openWindows } from './maintenance-window';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
const every = [1, 2, 3, 4, 5, 6, 7];
const at = (hhmm: string): number => Number(hhmm.slice(0, 2)) * 60 + Number(hhmm.slice(3));
function window(rest: Partial<MaintenanceWindow> & { from?: string; to?: string } = {}): MaintenanceWindow {
  const { from = '23:30', to = '01:15', ...more } = rest;
  return {
    scope: 'filemaker',
    days: every,
    fromMinute: at(from),
    toMinute: at(to),
    timeZone: 'Europe/Berlin',
    why: 'backup',
    ...more,
  };
}
const spans = (windows: MaintenanceWindow[], now: string) =>
  openWindows(windows, new Date(now)).map(({ from, until, window: { scope } }) => [
    scope,
    from.toISOString(),
    until.toISOString(),
  ]);

test('a window opens at its first moment and is over at its end', () => {
  const night = [window({ from: '02:00', to: '03:00', timeZone: 'UTC' })];
  expect(spans(night, '2026-11-23T01:59:59.999Z')).toEqual([]);
  const open = [['filemaker', '2026-11-23T02:00:00.000Z', '2026-11-23T03:00:00.000Z']];
  expect(spans(night, '2026-11-23T02:00:00.000Z')).toEqual(open);
  expect(spans(night, '2026-11-23T02:59:59.999Z')).toEqual(open);
  expect(spans(night, '2026-11-23T03:00:00.000Z')).toEqual([]);
});

test('one that ends on the next day belongs to the day on which it begins', () => {
  // 2026-11-28 is a Saturday.
  const saturday = [window({ days: [6] })];
  const open = [['filemaker', '2026-11-28T22:30:00.000Z', '2026-11-29T00:15:00.000Z']];
  expect(spans(saturday, '2026-11-29T00:14:00Z')).toEqual(open);
  expect(spans(saturday, '2026-11-29T22:45:00Z')).toEqual([]);
  expect(spans(saturday, '2026-11-27T22:45:00Z')).toEqual([]);
});

test('a whole day is one window, and a weekend is told as one with its real end', () => {
  const weekend = [window({ days: [6, 7], from: '00:00', to: '24:00' })];
  expect(spans(weekend, '2026-11-28T12:00:00Z')).toEqual([
    ['filemaker', '2026-11-27T23:00:00.000Z', '2026-11-29T23:00:00.000Z'],
  ]);
  const parts = [window({ from: '22:00', to: '23:00' }), window({ from: '23:00', to: '00:30' })];
  expect(spans(parts, '2026-11-28T21:30:00Z')[0]?.[2]).toBe('2026-11-28T23:30:00.000Z');
});

test('a chain that never ends is told without end of thinking', () => {
  const [always] = openWindows([window({ from: '00:00', to: '24:00' })], new Date('2026-11-28T12:00:00Z'));
  expect(Number(always?.until) - Date.parse('2026-11-28T12:00:00Z')).toBeGreaterThan(20 * DAY);
});

test('of several for one scope the one that lasts longest counts, and each scope has its own', () => {
  const windows = [
    window({ from: '22:00', to: '22:30', timeZone: 'UTC' }),
    window({ from: '21:00', to: '23:00', timeZone: 'UTC', why: 'update' }),
    window({ from: '22:00', to: '22:10', timeZone: 'UTC', scope: 'script:SHIP' }),
  ];
  const open = openWindows(windows, new Date('2026-11-28T22:05:00Z'));
  expect(open.map(({ window: { scope, why }, until }) => [scope, why, until.toISOString()])).toEqual([
    ['filemaker', 'update', '2026-11-28T23:00:00.000Z'],
    ['script:SHIP', 'backup', '2026-11-28T22:10:00.000Z'],
  ]);
});

test('when clocks go forward over a window it is shorter or not there, when they go back it is longer', () => {
  // Berlin: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00.
  const inGap = [window({ from: '02:15', to: '02:45' })];
  for (const now of ['00:59:59', '01:00:00', '01:30:00']) expect(spans(inGap, `2026-03-29T${now}Z`)).toEqual([]);
  expect(spans([window({ from: '01:30', to: '02:30' })], '2026-03-29T00:45:00Z')).toEqual([
    ['filemaker', '2026-03-29T00:30:00.000Z', '2026-03-29T01:00:00.000Z'],
  ]);
  expect(spans([window({ from: '02:15', to: '02:45' })], '2026-10-25T00:50:00Z')).toEqual([
    ['filemaker', '2026-10-25T00:15:00.000Z', '2026-10-25T01:45:00.000Z'],
  ]);
});

/** Days around which clocks were or will be changed, also at midnight and by half an hour. */
const CHANGES: [string, string][] = [
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2026-10-25'],
  ['America/New_York', '2026-03-08'],
  ['America/New_York', '2026-11-01'],
  ['Australia/Lord_Howe', '2026-04-05'],
  ['Australia/Lord_Howe', '2026-10-04'],
  ['America/Santiago', '2026-04-05'],
  ['America/Santiago', '2026-09-06'],
  ['Africa/Cairo', '2026-04-24'],
  ['Africa/Cairo', '2026-10-30'],
  ['Asia/Kathmandu', '2026-06-01'],
  ['UTC', '2026-12-31'],
];

/** Every minute of eight days with what the wall shows then, read from Intl and nothing else. */
function minutesAround(
  timeZone: string,
  day: string,
): { instant: number; date: string; weekday: number; minute: number }[] {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    dateStyle: undefined,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const start = Date.parse(`${day}T00:00:00Z`) - 4 * DAY;
  return Array.from({ length: 8 * 1_440 }, (_, index) => {
    const instant = start + index * MINUTE;
    const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
    return {
      instant,
      date: `${part.year}-${part.month}-${part.day}`,
      weekday: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(String(part.weekday)) + 1,
      minute: Number(part.hour) * 60 + Number(part.minute),
    };
  });
}

describe.each(CHANGES)('%s around %s', (timeZone, day) => {
  const minutes = minutesAround(timeZone, day);
  const weekdays = new Map(minutes.map(({ date, weekday }) => [date, weekday]));
  const following = (date: string): string =>
    new Date(Date.parse(`${date}T00:00:00Z`) + DAY).toISOString().slice(0, 10);
  const shown = Map.groupBy(minutes, ({ date, minute }) => `${date} ${minute}`);
  /** Where no clock ever shows it: the first minute that is later. */
  const afterGap = (date: string, minute: number): number =>
    minutes.find((one) => one.date > date || (one.date === date && one.minute >= minute))?.instant ??
    Number.POSITIVE_INFINITY;
  const firstFrom = (date: string, minute: number): number =>
    shown.get(`${date} ${minute}`)?.at(0)?.instant ?? afterGap(date, minute);
  const lastTo = (date: string, minute: number): number => {
    if (minute === 1_440) return lastTo(following(date), 0);
    return shown.get(`${date} ${minute}`)?.at(-1)?.instant ?? afterGap(date, minute);
  };

  test('is open exactly in the minutes that a clock on the wall would have it open', () => {
    // Without the edges, where a span is not seen whole.
    const inner = minutes.slice(2 * 1_440, -2 * 1_440);
    fc.assert(
      fc.property(
        // Clocks are changed in the small hours.
        fc.oneof(fc.integer({ min: 0, max: 240 }), fc.integer({ min: 0, max: 1_439 })),
        fc.oneof(fc.integer({ min: 1, max: 240 }), fc.integer({ min: 1, max: 1_440 })),
        fc.subarray(every, { minLength: 1 }),
        fc.array(fc.nat({ max: inner.length - 1 }), { minLength: 5, maxLength: 5 }),
        (fromMinute, toMinute, days, picks) => {
          const one = window({ timeZone, days, fromMinute, toMinute });
          const overnight = toMinute <= fromMinute;
          const expected = [...weekdays.keys()]
            .filter((date) => days.includes(weekdays.get(date) ?? 0))
            .map((date) => ({
              from: firstFrom(date, fromMinute),
              until: lastTo(overnight ? following(date) : date, toMinute),
            }));
          const [first, last] = [inner.at(0)?.instant ?? 0, inner.at(-1)?.instant ?? 0];
          const edges = expected.flatMap(({ from, until }) => [from - MINUTE, from, until - MINUTE, until]);
          const moments = [...picks.map((pick) => inner[pick]?.instant ?? 0), ...edges];
          for (const now of moments.filter((moment) => moment >= first && moment <= last)) {
            const should = expected.filter((span) => span.from <= now && now < span.until);
            const is = openWindows([one], new Date(now));
            expect([new Date(now).toISOString(), is.length > 0]).toEqual([
              new Date(now).toISOString(),
              should.length > 0,
            ]);
            // Its end is a moment at which it is over.
            const [open] = is;
            if (open !== undefined && Number(open.until) < now + 3 * DAY)
              expect(openWindows([one], open.until)).toEqual([]);
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});
