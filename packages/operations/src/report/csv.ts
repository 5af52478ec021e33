/** A cell that a spreadsheet would take for a formula is made text; RFC 4180 quotes do not help against that. */
const FORMULA = /^[=+\-@\t\r]/;

export type CsvCell = string | { number: string };

function cellText(cell: CsvCell): string {
  const text = typeof cell === 'string' ? (FORMULA.test(cell) ? `'${cell}` : cell) : cell.number;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One line with its CRLF (RFC 4180). A number is given as `{ number }` and stands as it is. */
export const csvLine = (cells: readonly CsvCell[]): string => `${cells.map(cellText).join(',')}\r\n`;
