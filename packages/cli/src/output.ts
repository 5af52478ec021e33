import { styleText } from 'node:util';

export type Tone = 'broken' | 'waits' | 'note' | 'fine' | 'quiet' | 'heading' | 'command';

/** How text for people is dressed: the one place that knows of terminals. */
export interface Output {
  /** Columns that a line of prose may fill. */
  width: number;
  /** The same for a sentence of its own: where no terminal listens it stays one line, however long. */
  sentenceWidth: number;
  /** Columns that a table may fill: all of a wide terminal; where no terminal listens, enough to cut nothing short. */
  tableWidth: number;
  /** Local time of the configured zone: 2026-11-22 23:44. */
  time(date: Date): string;
  /** The same with its seconds: 2026-11-22 23:44:05. */
  moment(date: Date): string;
  /** `UTC`, `America/Chicago`: for headings of time columns. */
  timeZone: string;
  dress(tone: Tone, text: string): string;
}

const WIDTH_MAX = 100;
const WIDTH_MIN = 60;
const TABLE_WIDTH_MAX = 200;
const UNCUT = 1_000;
const STYLES = {
  broken: ['red', 'bold'],
  waits: ['yellow'],
  note: ['cyan'],
  fine: ['green'],
  quiet: ['dim'],
  heading: ['bold'],
  command: ['cyan'],
} as const;

/** Colours only where a terminal listens and NO_COLOR is not set; `styleText` asks the stream for both. */
export function createOutput(options: { timeZone: string; stream?: NodeJS.WriteStream }): Output {
  const stream = options.stream ?? process.stdout;
  const { timeZone } = options;
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  const withSeconds = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  const columns = stream.isTTY ? Math.max(WIDTH_MIN, stream.columns) : undefined;
  return {
    width: Math.min(WIDTH_MAX, columns ?? WIDTH_MAX),
    sentenceWidth: columns === undefined ? Number.POSITIVE_INFINITY : Math.min(WIDTH_MAX, columns),
    tableWidth: columns === undefined ? UNCUT : Math.min(TABLE_WIDTH_MAX, columns),
    timeZone,
    time: (date) => format.format(date),
    moment: (date) => withSeconds.format(date),
    dress: (tone, text) => styleText([...STYLES[tone]], text, { stream }),
  };
}
