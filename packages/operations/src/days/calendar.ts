/** A day of the calendar, `2026-11-22`. Compares as text. */
export type Day = string;

const DAY_MS = 86_400_000;
/** Local time is at most so far from UTC, with room to spare. */
const OFFSET_MAX_MS = 16 * 3_600_000;

const formats = new Map<string, Intl.DateTimeFormat>();
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' });
  formats.set(timeZone, made);
  return made;
}

/** The day that a clock in `timeZone` shows at this moment. */
export const dayOf = (moment: Date, timeZone: string): Day => formatOf(timeZone).format(moment);

const midnightUtc = (day: Day): number => Date.parse(`${day}T00:00:00Z`);

/** The calendar day `days` later; earlier when negative. */
export const addDays = (day: Day, days: number): Day =>
  new Date(midnightUtc(day) + days * DAY_MS).toISOString().slice(0, 10);

/** A day that the calendar has, written as `2026-11-22`. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(midnightUtc(text)) && addDays(text, 0) === text;

/**
 * The first moment at which a clock in `timeZone` shows this day or a later one. Searched for and not computed: an offset
 * taken from the wrong side of a change of clocks is an hour off, and some zones change at midnight.
 */
function startOf(day: Day, timeZone: string): number {
  let before = midnightUtc(day) - OFFSET_MAX_MS;
  let from = midnightUtc(day) + OFFSET_MAX_MS;
  while (from - before > 1) {
    const middle = before + Math.floor((from - before) / 2);
    if (dayOf(new Date(middle), timeZone) >= day) from = middle;
    else before = middle;
  }
  return from;
}

/** From the day's first moment up to the next day's. 23 or 25 hours where clocks change. */
export function windowOf(day: Day, timeZone: string): { since: Date; until: Date } {
  return { since: new Date(startOf(day, timeZone)), until: new Date(startOf(addDays(day, 1), timeZone)) };
}

/** `2026-11` and its days. */
export function daysOfMonth(month: string): { since: Day; until: Day } {
  const since = `${month}-01`;
  return { since, until: addDays(`${addDays(since, 31).slice(0, 7)}-01`, -1) };
}
