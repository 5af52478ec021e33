import fc from 'fast-check';
import { decimalText, moneyText } from '../money-text';
import { type DayContents, type DayEntry, isSettled, type Standing, sumByCurrency } from './day-contents';
import { dayLetter } from './day-letter';
import { daySentence, isDayFine } from './describe-day';

const entry = fc.record({
  kind: fc.constantFrom<DayEntry['kind']>('payment', 'payment', 'refund', 'dispute', 'refund-undone'),
  currency: fc.constantFrom('usd', 'USD', 'jpy', 'kwd'),
  amount: fc.nat({ max: 10_000_000 }),
  standing: fc.constantFrom<Standing>('verified', 'unverified', 'waiting', 'parked', 'cancelled'),
});

test('no money is lost or doubled: per currency what is paid is what stands somewhere', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), (entries) => {
      const sums = sumByCurrency(entries);
      for (const { currency, paid, verified, unverified, waiting, parked, cancelled, refunded } of sums) {
        const places = [verified, unverified, waiting, parked, cancelled];
        expect(places.reduce((sum, { count }) => sum + count, 0)).toBe(paid.count);
        expect(places.reduce((sum, { amount }) => sum + amount, 0)).toBe(paid.amount);
        const own = entries.filter((one) => one.currency.toLowerCase() === currency);
        const of = (kind: string): number =>
          own.filter((one) => one.kind === kind).reduce((sum, { amount }) => sum + amount, 0);
        expect([paid.amount, refunded.amount]).toEqual([of('payment'), of('refund')]);
      }
      expect(new Set(sums.map(({ currency }) => currency))).toEqual(
        new Set(entries.map(({ currency }) => currency.toLowerCase())),
      );
    }),
  );
});

test('a sum that cannot be counted exactly is refused, not rounded', () => {
  const huge = { kind: 'payment', currency: 'usd', amount: Number.MAX_SAFE_INTEGER, standing: 'verified' } as const;
  expect(() => sumByCurrency([huge, huge])).toThrow(RangeError);
});

test.each([
  [738_000, 'usd', '7,380.00 USD', '7380.00'],
  [12_000, 'jpy', '12,000 JPY', '12000'],
  [1_234_567, 'kwd', '1,234.567 KWD', '1234.567'],
  [5, 'usd', '0.05 USD', '0.05'],
  [-100_000_000, 'eur', '-1,000,000.00 EUR', '-1000000.00'],
])('%d minor units of %s read %s', (amount, currency, text, decimal) => {
  expect(moneyText(amount, currency)).toBe(text);
  expect(decimalText(amount, currency)).toBe(decimal);
});

function contents(entries: readonly Standing[], rest: Partial<DayContents> = {}, currency = 'usd'): DayContents {
  const payments = entries.map((standing, at) => ({
    day: '2026-11-22',
    flow: 'invoices',
    id: `cs_${at}`,
    title: `Invoice ${at}`,
    kind: 'payment' as const,
    amount: 18_000,
    currency,
    standing,
    code: null,
    reason: null,
    next: null,
  }));
  return {
    version: 1,
    day: '2026-11-22',
    timeZone: 'UTC',
    since: '',
    until: '',
    closedAt: '',
    livemode: true,
    currencies: sumByCurrency(payments),
    unsettled: payments.filter(({ standing }) => !isSettled(standing)),
    stillOpen: [],
    settledSince: [],
    corrections: [],
    entries: { count: entries.length, digest: '' },
    ...rest,
  };
}
const many = (count: number, standing: Standing): Standing[] => Array.from({ length: count }, () => standing);

test.each([
  [many(41, 'verified'), '41 payments, 7,380.00 USD, all in FileMaker'],
  [[...many(39, 'verified'), ...many(2, 'parked')], '41 payments, 7,380.00 USD, 2 need you'],
  [['parked'] as Standing[], '1 payment, 180.00 USD, 1 needs you'],
  [['waiting', 'parked', 'unverified'] as Standing[], '3 payments, 540.00 USD, 1 needs you, 1 on its way'],
  [['cancelled', 'verified'] as Standing[], '2 payments, 360.00 USD, 1 cancelled by a person'],
  [[] as Standing[], 'No payments'],
])('the first sentence says what a person has to know (%#)', (standings, sentence) => {
  const day = contents(standings);
  expect(daySentence(day)).toBe(sentence);
  expect(isDayFine(day)).toBe(!standings.some((one) => !isSettled(one)));
});

test('"all in FileMaker" is never said while a payment of an earlier day waits', () => {
  const [open] = contents(['parked']).unsettled;
  if (open === undefined) throw new Error('no payment is open');
  const day = contents(['verified'], { stillOpen: [open] });
  expect(daySentence(day)).toBe('1 payment, 180.00 USD, 1 needs you');
  expect(isDayFine(day)).toBe(false);
});

test('two currencies are two sums', () => {
  const day = contents([], {
    currencies: sumByCurrency([
      { kind: 'payment', currency: 'usd', amount: 18_000, standing: 'verified' },
      { kind: 'payment', currency: 'jpy', amount: 5_000, standing: 'verified' },
    ]),
  });
  expect(daySentence(day)).toBe('2 payments, 5,000 JPY and 180.00 USD, all in FileMaker');
});

test('what others wrote is one line of a letter, in text as on the page, and steers no terminal', () => {
  const [open] = contents(['parked']).unsettled;
  if (open === undefined) throw new Error('no payment is open');
  const title = 'Invoice 7\u001b[2J\nInvoice 8: \u202eeverything applied <b>';
  const day = contents(['parked'], { unsettled: [{ ...open, title, reason: 'a\r\nb' }] });
  const closed = {
    day: day.day,
    number: 1,
    timeZone: 'UTC',
    since: new Date(0),
    until: new Date(1),
    closedAt: new Date(2),
    closedBy: 'worker',
    contents: day,
    digest: '00',
    previousHead: '00',
    head: '11',
  };
  const letter = dayLetter(closed);
  expect(letter?.text).toContain('- Invoice 7 [2J Invoice 8:  everything applied <b>');
  expect(letter?.text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}|^Invoice 8/mu);
  expect(letter?.html).not.toMatch(/[^\P{Cc}\n]|\p{Cf}|<b>/u);
});
