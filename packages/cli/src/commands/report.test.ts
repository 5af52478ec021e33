import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import type { CurrencyFigures, Report } from '@bridge/operations';
import { createOutput } from '../output';
import { describeReport } from './report';

const figure = (amount: number): CurrencyFigures['paid'] => ({ count: amount === 0 ? 0 : 1, amount });

/** Of what was paid, so much is not there, was refunded and is disputed. */
function figures([paid, missing, refunded, disputed]: readonly [number, number, number, number]): CurrencyFigures {
  return {
    currency: 'usd',
    paid: figure(paid),
    verified: figure(paid - missing),
    unverified: figure(0),
    waiting: figure(missing),
    parked: figure(0),
    cancelled: figure(0),
    refunded: figure(refunded),
    disputed: figure(disputed),
    refundsUndone: figure(0),
  };
}

const days: Report = {
  since: '2026-11-01',
  until: '2026-11-02',
  timeZone: 'UTC',
  rows: [],
  totals: [],
  firstDay: '2026-11-01',
  closedDays: 0,
  openDays: 2,
};

type Sums = Parameters<typeof figures>[0];

/** The table of one open day and its total; `columns` undefined: no terminal listens. */
function tableOf(columns: number | undefined, of: Sums): string[] {
  const stream = Object.assign(new PassThrough(), { isTTY: columns !== undefined, columns });
  const output = createOutput({ timeZone: 'UTC', stream: stream as unknown as NodeJS.WriteStream });
  const report = { ...days, rows: [{ ...figures(of), day: '2026-11-02', closed: false }], totals: [figures(of)] };
  return describeReport(report, undefined, output)
    .split('\n')
    .slice(2, 5)
    .map((line) => stripVTControlCharacters(line).trimEnd());
}

const amountsOf = (table: readonly string[]): string[] => table.join(' ').match(/\d[\d,]*\.\d\d/g) ?? [];

test.each<{ of: Sums; mark: boolean }>([
  { of: [1_00, 0, 0, 0], mark: true },
  { of: [7_380_00, 1_200_00, 0, 0], mark: true },
  { of: [7_380_00, 1_200_00, 100_00, 50_00], mark: true },
  { of: [57_380_00, 11_200_00, 10_000_00, 10_500_00], mark: true },
  { of: [957_380_00, 111_200_00, 100_000_00, 100_500_00], mark: false },
])('80 columns break neither a mark nor an amount, and hide no amount: $of', ({ of, mark }) => {
  const narrow = tableOf(80, of);
  expect(narrow.filter((line) => line.length > 80)).toEqual([]);
  expect(amountsOf(narrow)).toEqual(amountsOf(tableOf(undefined, of)));
  expect(narrow[1]?.endsWith('  open')).toBe(mark);
  expect(narrow[1]).toContain('USD');
});

test('where there is room the currency stands behind each amount, and every column is there', () => {
  for (const columns of [undefined, 120])
    expect(tableOf(columns, [7_380_00, 1_200_00, 0, 0])).toEqual([
      'Day         Count          Paid  In FileMaker     Not there  Refunded  Disputed',
      '2026-11-02      1  7,380.00 USD  6,180.00 USD  1,200.00 USD                      open',
      'Total           1  7,380.00 USD  6,180.00 USD  1,200.00 USD',
    ]);
});
