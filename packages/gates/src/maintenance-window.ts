/** A span of time that comes again each week or each day, in which a scope is closed. */
export interface MaintenanceWindow {
  /** `filemaker`, `stripe`, `notices`, `script:NAME`, `flow:NAME`. */
  scope: string;
  /** Days on which it begins, 1 Monday to 7 Sunday. */
  days: readonly number[];
  /** Minutes after midnight by the clock on the wall. */
  fromMinute: number;
  /** Up to 1440. Not after `fromMinute`: it ends on the next day. */
  toMinute: number;
  /** IANA name of the zone of that clock, for instance `Europe/Berlin`. */
  timeZone: string;
  /** Shown to people. */
  why: string;
}

interface Span {
  from: Date;
  /** The first moment that does not belong to it. */
  until: Date;
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const DAY_MS = DAY_MINUTES * MINUTE_MS;
/** A window that follows on another at once is told as one; a chain that never ends is told so far. */
const CHAIN_MAX = 30;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, format);
  return format;
}

/** What the clock on the wall shows, as if it stood in UTC: ms. */
function wallAt(instant: number, timeZone: string): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatFor(timeZone).formatToParts(instant)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (instant - Math.floor(instant / 1_000) * 1_000);
}

const offsetAt = (instant: number, timeZone: string): number => wallAt(instant, timeZone) - instant;

/**
 * When the clock on the wall shows `wall` (ms, as if in UTC). Shown twice, when clocks go back: the `first` or the `last`
 * time. Never shown, when they go forward: the moment of the jump.
 */
function momentOf(wall: number, timeZone: string, which: 'first' | 'last'): number {
  // Clocks are changed by hours, a day at most; far enough on both sides stand the offsets before and after.
  const before = offsetAt(wall - 2 * DAY_MS, timeZone);
  const after = offsetAt(wall + 2 * DAY_MS, timeZone);
  const shown = [wall - before, wall - after].filter((instant) => wallAt(instant, timeZone) === wall);
  if (shown.length > 0) return which === 'first' ? Math.min(...shown) : Math.max(...shown);
  // In the gap: find the jump between the two, to the millisecond.
  let low = wall - Math.max(before, after);
  let high = wall - Math.min(before, after);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wallAt(middle, timeZone) < wall) low = middle;
    else high = middle;
  }
  return high;
}

/** Midnight of the day on the wall, as if in UTC. */
const dayOf = (wall: number): number => Math.floor(wall / DAY_MS) * DAY_MS;
/** 1 Monday to 7 Sunday; the first day of 1970 was a Thursday. */
const weekdayOf = (day: number): number => ((((day / DAY_MS + 3) % 7) + 7) % 7) + 1;

/** The window that begins on this day on the wall, if it does. A window that falls into a jump of the clock has no length. */
function spanOn(window: MaintenanceWindow, day: number): Span | undefined {
  if (!window.days.includes(weekdayOf(day))) return undefined;
  const { fromMinute, toMinute, timeZone } = window;
  const lasting = toMinute > fromMinute ? toMinute - fromMinute : toMinute - fromMinute + DAY_MINUTES;
  const fromWall = day + fromMinute * MINUTE_MS;
  const from = momentOf(fromWall, timeZone, 'first');
  // At the later of two: better closed an hour longer than open in the middle of the maintenance.
  const until = momentOf(fromWall + lasting * MINUTE_MS, timeZone, 'last');
  return until > from ? { from: new Date(from), until: new Date(until) } : undefined;
}

function spanAt(window: MaintenanceWindow, now: number): Span | undefined {
  const today = dayOf(wallAt(now, window.timeZone));
  // Yesterday's may last into today; the clock may have been set back over midnight, so that tomorrow's has begun.
  const spans = [-1, 0, 1]
    .map((days) => spanOn(window, today + days * DAY_MS))
    .filter((span) => span !== undefined && span.from.getTime() <= now && now < span.until.getTime());
  return spans.reduce((a, b) => (a === undefined || (b !== undefined && b.until > a.until) ? b : a), undefined);
}

/** A window that is open, until when its scope stays closed: other windows that follow on at once are counted in. */
export interface OpenWindow extends Span {
  window: MaintenanceWindow;
}

/** Pure: the windows that are open at `now`, one for each scope, with the end that people may rely on. */
export function openWindows(windows: readonly MaintenanceWindow[], now: Date): OpenWindow[] {
  const open = new Map<string, OpenWindow>();
  for (const window of windows) {
    const span = spanAt(window, now.getTime());
    const other = open.get(window.scope);
    if (span !== undefined && (other === undefined || span.until > other.until))
      open.set(window.scope, { ...span, window });
  }
  return [...open.values()].map((one) => ({ ...one, until: endOfChain(windows, one) }));
}

function endOfChain(windows: readonly MaintenanceWindow[], { window: { scope }, until }: OpenWindow): Date {
  const alike = windows.filter((window) => window.scope === scope);
  let end = until;
  for (let links = 0; links < CHAIN_MAX; links += 1) {
    const later = alike
      .map((window) => spanAt(window, end.getTime())?.until)
      .reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
    if (later === undefined || later <= end) return end;
    end = later;
  }
  return end;
}
