export interface Paper {
  /** One line. */
  say(line?: string): void;
  /** A finished step, with the seconds since the start. */
  step(sentence: string): void;
  readonly strong: (text: string) => string;
  readonly quiet: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
}

export interface PaperOptions {
  readonly write: (text: string) => void;
  readonly colours: boolean;
  /** Milliseconds since the start of the demo. */
  readonly elapsedMs: () => number;
}

/** Colours only for a person at a terminal who did not refuse them (https://no-color.org). */
export function wantsColours(isTerminal: boolean, env: NodeJS.ProcessEnv): boolean {
  return isTerminal && !env.NO_COLOR && env.TERM !== 'dumb';
}

export function createPaper({ write, colours, elapsedMs }: PaperOptions): Paper {
  const style = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const quiet = style(2);
  const say = (line = '') => write(`${line}\n`);
  return {
    say,
    step: (sentence) => say(`${quiet(`${(elapsedMs() / 1000).toFixed(1).padStart(6)} s`)}  ${sentence}`),
    strong: style(1),
    quiet,
    good: style(32),
    warn: style(33),
  };
}

/** Columns as wide as their longest cell, two spaces apart; `right` lists the columns that end flush. */
export function alignColumns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return right.includes(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** `738000` and `usd` as `7,380.00 USD`, as the bridge itself writes it; the currency says how many decimals it has. */
export function money(minor: number, currency: string): string {
  const code = currency.toUpperCase();
  const decimals = new Intl.NumberFormat('en', { style: 'currency', currency: code }).resolvedOptions();
  const digits = decimals.maximumFractionDigits ?? 2;
  const format = new Intl.NumberFormat('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${format.format(minor / 10 ** digits)} ${code}`;
}
