import fc from 'fast-check';
import { csvLine } from './csv';

/** A reader of RFC 4180, written apart from the writer. */
function readCsv(text: string): string[][] {
  const lines: string[][] = [[]];
  let [cell, quoted] = ['', false];
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === ',') {
      lines.at(-1)?.push(cell);
      cell = '';
    } else if (letter === '\r' && text[at + 1] === '\n') {
      lines.at(-1)?.push(cell);
      cell = '';
      lines.push([]);
      at += 1;
    } else cell += letter;
  }
  lines.pop();
  return lines;
}

const rough = fc.string({
  unit: fc.constantFrom('a', ',', ';', '"', '\r', '\n', '=', '+', '-', '@', '\t', ' ', 'ü', '＝'),
});

test('every cell comes back as it was, and none that is text begins like a formula', () => {
  fc.assert(
    fc.property(fc.array(fc.array(rough, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 }), (rows) => {
      const read = readCsv(rows.map(csvLine).join(''));
      expect(read.map((line) => line.map((cell) => cell.replace(/(?<=^|[;|\t\r\n])'/g, '')))).toEqual(rows);
      expect(read.flat().some((cell) => /^[=+\-@\t\r]/.test(cell))).toBe(false);
      // Nor where a spreadsheet begins cells at semicolons or tabs, whatever the quotes say.
      const cells = rows.map((row) => csvLine(row).split(/[;\t\r\n]/)).flatMap((parts) => parts.slice(1));
      expect(cells.some((cell) => /^ *[=+\-@＝]/.test(cell))).toBe(false);
    }),
  );
});

test('numbers stand as they are', () => {
  expect(csvLine([{ number: '-7380.00' }, 'Invoice "1", late', '=1+1'])).toBe(
    '-7380.00,"Invoice ""1"", late",\'=1+1\r\n',
  );
});
