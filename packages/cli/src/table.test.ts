import type { Output } from './output';
import { printable, renderTable, wrap } from './table';

const plain = (width: number): Output => ({
  width,
  timeZone: 'UTC',
  time: (date) => date.toISOString(),
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

test('what others wrote cannot steer the terminal', () => {
  expect(printable('a\u001b[31mred\r\nnext\u202eback')).toBe('a [31mred next back');
});

test('a paragraph breaks between words and keeps every word', () => {
  expect(wrap('one two three four', 9, '  ')).toBe('one two\n  three\n  four');
});
