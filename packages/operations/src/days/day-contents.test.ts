import fc from 'fast-check';
import { decimalText, moneyText } from '../wording/money-text';
import {
  type DayContents,
  type DayEntry,
  isSettled,
  type OpenPayment,
  type Standing,
  sumByCurrency,
} from './day-contents';
import { dayLetter, dayPage } from './day-letter';
import { daySentence, isDayFine, largestFirst, moneyOf } from './describe-day';

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

const closed = (day: DayContents) => ({
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
});

/** 1,500 lines in four lists, with the longest words that there are. */
function badDay(): { day: DayContents; worst: OpenPayment } {
  const [open] = contents(['parked']).unsettled;
  if (open === undefined) throw new Error('no payment is open');
  const title = `Invoice ${'9'.repeat(100)}`;
  const some = (count: number, prefix: string, standing: Standing): OpenPayment[] =>
    Array.from({ length: count }, (_, n) => ({
      ...open,
      id: `cs_${prefix}_${n}`,
      title,
      amount: 1_000 + n,
      currency: n % 10 === 0 ? 'jpy' : 'usd',
      standing,
      code: n % 3 === 0 ? 'second-payment' : 'LOG_NOT_DONE',
      reason: 'ß'.repeat(2_000),
      next: `./bridge effects show ${n}`,
    }));
  const worst: OpenPayment = { ...open, day: '2026-11-01', id: 'cs_worst', title: 'Invoice 4711', amount: 9_999_900 };
  const old = (standing: Standing) =>
    some(300, 'old', standing).map((one) => ({ ...one, kind: 'payment' as const, day: '2026-11-20' }));
  const day = contents(['parked'], {
    unsettled: [...some(300, 'new', 'parked'), ...some(300, 'going', 'waiting')],
    stillOpen: [...some(299, 'open', 'parked'), worst],
    settledSince: old('verified'),
    corrections: old('none'),
  });
  return { day, worst };
}

test('a letter about a day with 1,500 open entries stays small, names the largest sums first and counts the rest with its money', () => {
  const { day } = badDay();
  const letter = dayLetter(closed(day));
  if (letter === undefined) throw new Error('there is no letter');
  for (const text of [letter.text, letter.html]) expect(Buffer.byteLength(text)).toBeLessThan(100_000);
  const [heading, first] = letter.text.slice(letter.text.indexOf('These need you')).split('\n');
  expect([heading, first]).toEqual([
    'These need you:',
    expect.stringMatching(/^- Invoice 4711 of 2026-11-01: 99,999.00 USD/),
  ]);
  for (const text of [letter.text, letter.html]) {
    expect(text.match(/and 575 more, [0-9,]+ JPY and [0-9,.]+ USD/g)).toHaveLength(1);
    expect(text.match(/and 275 more, /g)).toHaveLength(3);
    expect(text).toContain('./bridge close 2026-11-22 --html day.html');
  }
  expect(letter.text).toMatch(/[0-9]+ LOG_NOT_DONE, [0-9]+ second-payment/);
  expect(letter.subject.length).toBeLessThan(200);
});

test('what a letter lists and what it counts together are all the money that is open, and the page lists each', () => {
  const { day } = badDay();
  const all = [...day.unsettled, ...day.stillOpen];
  expect(largestFirst(all).toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
    all.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  );
  const parked = largestFirst(all.filter(({ standing }) => standing === 'parked'));
  expect(dayLetter(closed(day))?.text).toContain(`and 575 more, ${moneyOf(parked.slice(25))}`);
  const page = dayPage(closed(day)) ?? '';
  expect(page.match(/<li>/g)).toHaveLength(1_500);
  expect(page).not.toContain(' more, ');
});

test('what others wrote is one line of a letter, in text as on the page, and steers no terminal', () => {
  const [open] = contents(['parked']).unsettled;
  if (open === undefined) throw new Error('no payment is open');
  const title = 'Invoice 7\u001b[2J\nInvoice 8: \u202eeverything applied <b>';
  const day = contents(['parked'], { unsettled: [{ ...open, title, reason: 'a\r\nb' }] });
  const letter = dayLetter(closed(day));
  expect(letter?.text).toContain('- Invoice 7 [2J Invoice 8:  everything applied <b>');
  expect(letter?.text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}|^Invoice 8/mu);
  expect(letter?.html).not.toMatch(/[^\P{Cc}\n]|\p{Cf}|<b>/u);
});
