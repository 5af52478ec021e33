import { styleText } from 'node:util';

export type Tone = 'broken' | 'waits' | 'note' | 'fine' | 'quiet' | 'heading' | 'command';

/** How text for people is dressed: the one place that knows of terminals. */
export interface Output {
  /** Columns that a line may fill. */
  width: number;
  /** Local time of the configured zone: 2026-11-22 23:44. */
  time(date: Date): string;
  /** `UTC`, `America/Chicago`: for headings of time columns. */
  timeZone: string;
  dress(tone: Tone, text: string): string;
}

const WIDTH_MAX = 100;
const WIDTH_MIN = 60;
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
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: options.timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  return {
    width: Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, stream.isTTY ? stream.columns : WIDTH_MAX)),
    timeZone: options.timeZone,
    time: (date) => format.format(date),
    dress: (tone, text) => styleText([...STYLES[tone]], text, { stream }),
  };
}
