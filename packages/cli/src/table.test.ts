import type { Output } from './output';
import { fold, foldBehind, printable, renderTable, wrap } from './table';

const plain = (width: number): Output => ({
  width,
  sentenceWidth: width,
  tableWidth: width,
  timeZone: 'UTC',
  time: (date) => date.toISOString(),
  moment: (date) => date.toISOString(),
  dress: (_tone, text) => text,
});

test('columns line up, wide text gives way, and no line is wider than allowed', () => {
  const rows = [
    { id: '1', why: 'x'.repeat(200) },
    { id: '12', why: 'short' },
  ];
  const text = renderTable(
    rows,
    [
      { heading: 'Id', cell: (row) => row.id },
      { heading: 'Why', cell: (row) => row.why, least: 10 },
    ],
    plain(30),
  );
  expect(text.split('\n')).toEqual(['Id  Why', `1   ${'x'.repeat(25)}…`, '12  short']);
});

test('in a narrow terminal a table leaves out what can be spared before it cuts what matters', () => {
  const rows = [{ id: '1', event: 'evt_1Q2w3e4r5t', type: 'checkout.session.completed', paid: '7.00 USD' }];
  const columns = [
    { heading: 'Id', cell: (row: (typeof rows)[0]) => row.id },
    { heading: 'Event', cell: (row: (typeof rows)[0]) => row.event, optional: true },
    { heading: 'Type', cell: (row: (typeof rows)[0]) => row.type, least: 18, cut: 'start' as const },
    { heading: 'Paid at Stripe', cell: (row: (typeof rows)[0]) => row.paid, align: 'right' as const },
  ];
  expect(renderTable(rows, columns, plain(40)).split('\n')).toEqual([
    'Id  Type                  Paid at Stripe',
    '1   …t.session.completed        7.00 USD',
  ]);
  expect(renderTable(rows, columns, plain(80)).split('\n')[1]).toBe(
    '1   evt_1Q2w3e4r5t  checkout.session.completed        7.00 USD',
  );
});

test('what others wrote cannot steer the terminal', () => {
  expect(printable('a\u001b[31mred\r\nnext\u202eback')).toBe('a [31mred next back');
});

test('a paragraph breaks between words and keeps every word', () => {
  expect(wrap('one two three four', 9, '  ')).toBe('one two\n  three\n  four');
});

test('only lines that are too long are broken, each behind its indentation; rows, colours and room to type stay', () => {
  expect(fold('  one two three four\nshort', 12)).toBe('  one two\n  three\n  four\nshort');
  expect(fold('which of the two: ', 13)).toBe('which of the\ntwo: ');
  const kept = ['Id  Heading  Why', '\u001b[31mcoloured already\u001b[39m'];
  expect(kept.map((line) => fold(line, 10))).toEqual(kept);
});

test('a sentence behind a coloured word is as wide as the terminal, and one line where none listens', () => {
  const dress = (_tone: unknown, text: string): string => `<${text}>`;
  expect(foldBehind('fine', 'Done:', 'one two three four', { ...plain(14), dress })).toBe(
    '<Done:> one two\nthree four',
  );
  const nobody = { ...plain(14), sentenceWidth: Number.POSITIVE_INFINITY };
  expect(foldBehind('fine', 'Done:', 'one two three four', nobody)).toBe('Done: one two three four');
});
