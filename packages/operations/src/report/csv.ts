/**
 * What a spreadsheet would take for a formula is made text; RFC 4180 quotes do not help against that. Also behind signs at
 * which a spreadsheet of another country, or one that ignores the quotes, begins a new cell.
 */
const FORMULA = /(?<=^|[;|\t\r\n])(?= *[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r])/g;

export type CsvCell = string | { number: string };

function cellText(cell: CsvCell): string {
  const text = typeof cell === 'string' ? cell.replace(FORMULA, "'") : cell.number;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One line with its CRLF (RFC 4180). A number is given as `{ number }` and stands as it is. */
export const csvLine = (cells: readonly CsvCell[]): string => `${cells.map(cellText).join(',')}\r\n`;
