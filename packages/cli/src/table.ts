import type { Output, Tone } from './output';

export interface Column<Row> {
  heading: string;
  cell: (row: Row) => string;
  tone?: (row: Row) => Tone | undefined;
  /** May be cut to this many characters when the table is too wide; without it the column keeps its width. */
  least?: number;
}

const GAP = '  ';

/** What others wrote must not steer the terminal: control and formatting characters become spaces. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();

const lengthOf = (text: string): number => [...text].length;
const fit = (text: string, width: number): string => {
  const letters = [...text];
  return letters.length <= width
    ? text.padEnd(text.length + width - letters.length)
    : `${letters.slice(0, width - 1).join('')}…`;
};

/** Rows in columns within `output.width`; columns with a `least` give way, the widest first. */
export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], output: Output): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))));
  const widths = columns.map((column, index) =>
    Math.max(lengthOf(column.heading), ...cells.map((line) => lengthOf(line[index] ?? ''))),
  );
  let excess = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1) - output.width;
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
        const fitted =
          index === texts.length - 1 ? fit(text, widths[index] ?? 0).trimEnd() : fit(text, widths[index] ?? 0);
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
    ...rows.map((row, index) => line(cells[index] ?? [], (column) => columns[column]?.tone?.(row))),
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
