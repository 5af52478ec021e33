import type { Output, Tone } from './output';

export interface Column<Row> {
  heading: string;
  cell: (row: Row) => string;
  tone?: (row: Row) => Tone | undefined;
  /** May be cut to this many characters when the table is too wide; without it the column keeps its width. */
  least?: number;
  /** Where it is cut: `checkout.session.comp…` or `…t.session.completed`. Default: the end. */
  cut?: 'start' | 'end';
  /** Left out where the others would not fit, the first such column first. */
  optional?: boolean;
  /** Amounts and counts stand on the right. */
  align?: 'right';
}

const GAP = '  ';

/** What others wrote must not steer the terminal: control and formatting characters become spaces. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();

const lengthOf = (text: string): number => [...text].length;
function fit(text: string, width: number, { cut, align }: Pick<Column<never>, 'cut' | 'align'>): string {
  const letters = [...text];
  const spare = width - letters.length;
  if (spare >= 0) return align === 'right' ? ' '.repeat(spare) + text : text + ' '.repeat(spare);
  return cut === 'start' ? `…${letters.slice(1 - width).join('')}` : `${letters.slice(0, width - 1).join('')}…`;
}

/** What a line takes when every column gives way as far as it can. */
function leastWidth(columns: readonly { full: number; least: number | undefined }[]): number {
  const cells = columns.reduce((sum, { full, least }) => sum + Math.min(full, least ?? full), 0);
  return cells + GAP.length * (columns.length - 1);
}

function measure<Row>(rows: readonly Row[], columns: readonly Column<Row>[]) {
  return columns.map((column) => {
    const cells = rows.map((row) => printable(column.cell(row)));
    const full = Math.max(lengthOf(column.heading), ...cells.map(lengthOf));
    return { column, cells, full, least: column.least };
  });
}

/** Whether `renderTable` can show all of these columns, none left out. */
export const fits = <Row>(rows: readonly Row[], columns: readonly Column<Row>[], output: Output): boolean =>
  leastWidth(measure(rows, columns)) <= output.tableWidth;

/** Rows in columns within `output.tableWidth`; columns with a `least` give way, the widest first. */
export function renderTable<Row>(rows: readonly Row[], wanted: readonly Column<Row>[], output: Output): string {
  const measured = measure(rows, wanted);
  while (leastWidth(measured) > output.tableWidth) {
    const first = measured.findIndex(({ column }) => column.optional === true);
    if (first < 0) break;
    measured.splice(first, 1);
  }
  const columns = measured.map(({ column }) => column);
  const widths = measured.map(({ full }) => full);
  let excess = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1) - output.tableWidth;
  while (excess > 0) {
    const widest = columns
      .map((column, index) => ({ index, spare: (widths[index] ?? 0) - (column.least ?? Number.POSITIVE_INFINITY) }))
      .reduce((a, b) => (b.spare > a.spare ? b : a));
    if (widest.spare <= 0) break;
    widths[widest.index] = (widths[widest.index] ?? 0) - 1;
    excess -= 1;
  }
  const line = (texts: readonly string[], toneOf: (index: number) => Tone | undefined): string =>
    texts
      .map((text, index) => {
        const { cut, align } = columns[index] ?? {};
        const whole = fit(text, widths[index] ?? 0, { ...(cut && { cut }), ...(align && { align }) });
        const fitted = index === texts.length - 1 ? whole.trimEnd() : whole;
        const tone = toneOf(index);
        return tone === undefined ? fitted : output.dress(tone, fitted);
      })
      .join(GAP)
      .trimEnd();
  return [
    line(
      columns.map((column) => column.heading),
      () => 'heading',
    ),
    ...rows.map((row, at) =>
      line(
        measured.map(({ cells }) => cells[at] ?? ''),
        (column) => columns[column]?.tone?.(row),
      ),
    ),
  ].join('\n');
}

/** A paragraph within the width; lines after the first begin with `indent`. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let current = '';
  for (const word of printable(text).split(/ +/)) {
    if (current !== '' && lengthOf(current) + 1 + lengthOf(word) > width) {
      lines.push(current);
      current = `${indent}${word}`;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  return [...lines, current].join('\n');
}

/**
 * Breaks the lines that are too long, each behind its own indentation. Rows of a table and what is coloured stay as they
 * are, and so do blanks at the end: behind a question somebody types.
 */
export function fold(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => {
      if (lengthOf(line) <= width || /\S {2}/.test(line) || line.includes('\u001b')) return line;
      const [, indent = '', words = '', end = ''] = /^( *)(.*?)( *)$/su.exec(line) ?? [];
      return `${indent}${wrap(words, width - indent.length - end.length, indent)}${end}`;
    })
    .join('\n');
}

/** `Done: what was done.`, the first words coloured, in as many lines as the terminal needs. */
export function foldBehind(tone: Tone, words: string, sentence: string, output: Output): string {
  const lines = fold(`${words} ${sentence}`, output.sentenceWidth);
  return `${output.dress(tone, words)}${lines.slice(words.length)}`;
}
