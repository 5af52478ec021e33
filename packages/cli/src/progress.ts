/** How far something has come. */
export interface Progress {
  /** What is being done: `Sending`. */
  what: string;
  done: number;
  /** Undefined: not known yet. */
  total: number | undefined;
  /** `done` and `total` are hundredths of the way, not things. */
  inPercent?: true;
  /** Things a second, so far; undefined: too early to say. */
  perSecond: number | undefined;
  /** Why it waits just now. */
  waits: string | null;
}

const BAR_CELLS = 24;
const LINE_EVERY_MS = 5_000;

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5_400) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3_600).toFixed(1)} h`;
}

/** `Sending 120 of 300, 13.0 a second, about 14 s left`. */
export function progressText({ what, done, total, inPercent, perSecond, waits }: Progress): string {
  if (total === undefined)
    return waits === null ? `${what}: ${done} so far` : `${what}: ${done} so far, waits: ${waits}`;
  const left = perSecond === undefined || perSecond <= 0 ? undefined : (total - done) / perSecond;
  return [
    inPercent === true ? `${what} ${done} %` : `${what} ${done} of ${total}`,
    ...(perSecond === undefined ? [] : [`${perSecond.toFixed(1)} a second`]),
    ...(left === undefined || done >= total ? [] : [`about ${duration(left)} left`]),
    ...(waits === null ? [] : [`waits: ${waits}`]),
  ].join(', ');
}

/** The bar before the text, where a terminal listens. */
export function progressBar(progress: Progress): string {
  const { done, total } = progress;
  const filled = total === undefined || total === 0 ? 0 : Math.min(BAR_CELLS, Math.floor((BAR_CELLS * done) / total));
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}] ${progressText(progress)}`;
}

export interface ProgressLine {
  show(progress: Progress): void;
  /** Takes the bar away, for what is printed next. */
  end(): void;
}

/** On a terminal one line that is written over; elsewhere a line now and then. Always on standard error. */
export function createProgressLine(
  options: { quiet: boolean; stream?: NodeJS.WriteStream; now?: () => number } = { quiet: false },
): ProgressLine {
  const stream = options.stream ?? process.stderr;
  const now = options.now ?? (() => performance.now());
  let lastAt = Number.NEGATIVE_INFINITY;
  let lastText = '';
  let drawn = false;
  return {
    show: (progress) => {
      if (options.quiet) return;
      if (stream.isTTY) {
        const line = progressBar(progress).slice(0, Math.max(1, stream.columns - 1));
        stream.write(`\r\u001b[2K${line}`);
        drawn = true;
        return;
      }
      const text = progressText(progress);
      if (now() - lastAt < LINE_EVERY_MS || text === lastText) return;
      lastAt = now();
      lastText = text;
      stream.write(`${text}\n`);
    },
    end: () => {
      if (drawn) stream.write('\r\u001b[2K');
      drawn = false;
    },
  };
}
