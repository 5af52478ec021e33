/** When something comes back by the clock. Cron fields go by the clock of TIMEZONE. */
export type ScheduleConfig = { readonly everyMs: number } | { readonly cron: string } | 'off';

const EVERY = /^every ([1-9]\d{0,3}) (minute|hour)s?$/;
const MINUTE_MS = 60_000;
/** Least and largest number of each cron field: minute, hour, day of the month, month, weekday (0 and 7 are Sunday). */
const FIELDS: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
];
const PART = /^(\*|(\d{1,2})(-(\d{1,2}))?)(\/([1-9]\d?))?$/;

function isPart(part: string, [least, largest]: readonly [number, number]): boolean {
  const match = PART.exec(part);
  if (match === null) return false;
  if (match[1] === '*') return true;
  const from = Number(match[2]);
  const to = match[4] === undefined ? from : Number(match[4]);
  return from >= least && to <= largest && from <= to;
}

/** Five fields of numbers, ranges, lists and steps; names and the sixth field of some dialects are not taken. */
function isCron(text: string): boolean {
  const fields = text.split(' ');
  return (
    fields.length === FIELDS.length &&
    FIELDS.every((range, at) => (fields[at] ?? '').split(',').every((part) => isPart(part, range)))
  );
}

/** Undefined: it is none of the three forms. */
export function readSchedule(text: string): ScheduleConfig | undefined {
  if (text === 'off') return 'off';
  const every = EVERY.exec(text);
  if (every !== null) return { everyMs: Number(every[1]) * (every[2] === 'hour' ? 60 : 1) * MINUTE_MS };
  return isCron(text) ? { cron: text } : undefined;
}

/** The schedules of the BRIDGE_CONFIG file by their names; what it does not name keeps its default. */
export function resolveSchedules(
  file: { readonly schedules?: Readonly<Record<string, string>> } | undefined,
): Record<string, ScheduleConfig> {
  const schedules: Record<string, ScheduleConfig> = {};
  for (const [name, text] of Object.entries(file?.schedules ?? {})) {
    const schedule = readSchedule(text);
    if (schedule !== undefined) schedules[name] = schedule;
  }
  return schedules;
}
