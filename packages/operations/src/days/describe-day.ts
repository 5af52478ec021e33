import { moneyText } from '../wording/money-text';
import { type CurrencyFigures, type DayContents, type Figure, isSettled } from './day-contents';

const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;

/** `7,380.00 USD and 12,000 JPY`. */
function sums(currencies: readonly CurrencyFigures[], of: (figures: CurrencyFigures) => Figure): string {
  const parts = currencies.filter((one) => of(one).count > 0).map((one) => moneyText(of(one).amount, one.currency));
  return joined(parts);
}

const joined = (parts: readonly string[]): string =>
  parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;

/** `7,380.00 USD and 12,000 JPY` of any payments. */
export function moneyOf(all: readonly { amount: number; currency: string }[]): string {
  const totals = new Map<string, number>();
  for (const { amount, currency } of all) totals.set(currency, (totals.get(currency) ?? 0) + amount);
  return joined(
    [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([currency, amount]) => moneyText(amount, currency)),
  );
}

/**
 * The largest sums first. Currencies cannot be compared without a rate: the largest of each come first, then the second
 * largest of each, and so on, beginning with the currency that most are in. Of equal sums the oldest day comes first.
 */
export function largestFirst<One extends { amount: number; currency: string; day: string; id: string }>(
  all: readonly One[],
): One[] {
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  const currencies = [...Map.groupBy(all, ({ currency }) => currency)].sort(
    ([a, some], [b, others]) => others.length - some.length || order(a, b),
  );
  const ranked = currencies.flatMap(([, some], place) =>
    some
      .toSorted((a, b) => b.amount - a.amount || order(a.day, b.day) || order(a.id, b.id))
      .map((one, rank) => ({ one, rank, place })),
  );
  return ranked.sort((a, b) => a.rank - b.rank || a.place - b.place).map(({ one }) => one);
}

const count = (currencies: readonly CurrencyFigures[], of: (figures: CurrencyFigures) => Figure): number =>
  currencies.reduce((sum, one) => sum + of(one).count, 0);

/** Payments that only a person can move, of this day and of earlier ones. */
export const needsPerson = ({ unsettled, stillOpen }: Pick<DayContents, 'unsettled' | 'stillOpen'>): number =>
  [...unsettled, ...stillOpen].filter(({ standing }) => standing === 'parked').length;

/** "41 payments, 7,380.00 USD, all in FileMaker": the mail's subject and the page's first sentence. */
export function daySentence(contents: DayContents): string {
  const { currencies } = contents;
  const paid = count(currencies, (one) => one.paid);
  const need = needsPerson(contents);
  const waiting = [...contents.unsettled, ...contents.stillOpen].length - need;
  const cancelled = count(currencies, (one) => one.cancelled);
  const told = [
    need > 0 ? `${need} need${need === 1 ? 's' : ''} you` : '',
    waiting > 0 ? `${waiting} on ${waiting === 1 ? 'its' : 'their'} way` : '',
    cancelled > 0 ? `${cancelled} cancelled by a person` : '',
  ].filter((part) => part !== '');
  if (paid === 0) return ['No payments', ...told].join(', ');
  const money = `${plural(paid, 'payment')}, ${sums(currencies, (one) => one.paid)}`;
  return told.length === 0 ? `${money}, all in FileMaker` : `${money}, ${told.join(', ')}`;
}

/** Rows of the table of figures; a row that says nothing is left out, `Paid` and `In FileMaker` never are. */
export function figureRows(figures: CurrencyFigures): { name: string; count: number; money: string }[] {
  const { currency, paid, verified, unverified, waiting, parked, cancelled, refunded, disputed, refundsUndone } =
    figures;
  const row = (name: string, { count: rows, amount }: Figure) => ({
    name,
    count: rows,
    money: moneyText(amount, currency),
  });
  const applied = { count: verified.count + unverified.count, amount: verified.amount + unverified.amount };
  const rest: [string, Figure][] = [
    ['of these unverified', unverified],
    ['On their way', waiting],
    ['Need a person', parked],
    ['Cancelled by a person', cancelled],
    ['Refunded', refunded],
    ['Refunds that failed', refundsUndone],
    ['Disputed', disputed],
  ];
  return [
    row('Paid', paid),
    row('In FileMaker', applied),
    ...rest.filter(([, figure]) => figure.count > 0).map(([name, figure]) => row(name, figure)),
  ];
}

const KINDS = {
  payment: 'paid',
  refund: 'refunded',
  dispute: 'disputed',
  'refund-undone': 'refund failed, money kept',
} as const;

/** "Invoice 18637: 180.00 USD paid on 2026-11-20, seen after that day was closed." */
export function correctionSentence(one: DayContents['corrections'][number]): string {
  return `${one.title}: ${moneyText(one.amount, one.currency)} ${KINDS[one.kind]} on ${one.day}, not known when that day was closed.`;
}

const STANDINGS = {
  verified: 'applied in FileMaker, proved',
  // A plain script's answer or a person's word.
  unverified: 'applied, unverified',
  cancelled: 'cancelled by a person',
  waiting: 'on its way',
  parked: 'waits for a person',
  none: 'recorded',
} as const;

/** "Invoice 18637 of 2026-11-20: 180.00 USD, applied in FileMaker, proved." */
export const settledSentence = (one: DayContents['settledSince'][number]): string =>
  `${one.title} of ${one.day}: ${moneyText(one.amount, one.currency)}, ${STANDINGS[one.standing]}.`;

/** "Invoice 18637: 180.00 USD waits for a person (second-payment): Invoice 18637 was paid before." */
export function openSentence(one: DayContents['unsettled'][number], day?: string): string {
  const of = day === one.day ? '' : ` of ${one.day}`;
  const why = one.reason ?? one.code;
  const coded = one.code === null || one.reason === null ? '' : ` (${one.code})`;
  return `${one.title}${of}: ${moneyText(one.amount, one.currency)} ${STANDINGS[one.standing]}${coded}${why === null ? '' : `: ${why}`}`;
}

/** Whether nothing of the day, and nothing of the days before it, waits for anybody. */
export const isDayFine = (contents: DayContents): boolean =>
  contents.unsettled.length === 0 && contents.stillOpen.every(({ standing }) => isSettled(standing));
