import type { Output } from './output';
import { printable, renderTable, wrap } from './table';

const plain = (width: number): Output => ({
  width,
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
