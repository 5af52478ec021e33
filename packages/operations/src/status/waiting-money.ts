import type { CountedMoney } from '../tables/read-money';
import { moneyText } from '../wording/money-text';

/**
 * Where money stands that is paid and not done. `for-you`: a person decides. `on-the-way`: planned, or being sent.
 * `being-checked`: sent, and the answer was lost. `found`: reconciliation sees a difference that nobody has closed.
 */
export type MoneyPlace = 'for-you' | 'on-the-way' | 'being-checked' | 'found';

/** Money of one currency in one place. */
export interface WaitingMoney {
  place: MoneyPlace;
  /** As Stripe writes it: `usd`. */
  currency: string;
  /** Payments; of `found`: findings. */
  count: number;
  /** Minor units. */
  amount: number;
}

/** The most urgent first. */
const PLACES: readonly MoneyPlace[] = ['for-you', 'being-checked', 'on-the-way', 'found'];

const PLACE_OF: Readonly<Record<string, MoneyPlace>> = {
  parked: 'for-you',
  'no-effect': 'for-you',
  planned: 'on-the-way',
  sending: 'on-the-way',
  unknown: 'being-checked',
};

/** Pure: what is not done, by place and currency; the most urgent place first, currencies by their codes. */
export function waitingMoney(found: readonly CountedMoney[]): WaitingMoney[] {
  const sums = new Map<string, WaitingMoney>();
  for (const { currency, class: standing, count, amount } of found) {
    const place = PLACE_OF[standing] ?? 'found';
    const key = `${place} ${currency}`;
    const sum = sums.get(key) ?? { place, currency, count: 0, amount: 0 };
    sums.set(key, { ...sum, count: sum.count + count, amount: sum.amount + amount });
  }
  return [...sums.values()].sort(
    (a, b) => PLACES.indexOf(a.place) - PLACES.indexOf(b.place) || (a.currency < b.currency ? -1 : 1),
  );
}

/** One place for people's screens. */
export interface MoneyTold {
  place: MoneyPlace;
  /** `311.95 USD`, one for each currency. */
  sums: string[];
  /** `3 payments`, `1 finding`. */
  counted: string;
}

/** Pure: each place that holds money, the most urgent first. */
export function tellMoney(money: readonly WaitingMoney[]): MoneyTold[] {
  return [...Map.groupBy(money, ({ place }) => place)].map(([place, all]) => {
    const count = all.reduce((sum, one) => sum + one.count, 0);
    const noun = place === 'found' ? 'finding' : 'payment';
    return {
      place,
      sums: all.map(({ amount, currency }) => moneyText(amount, currency)),
      counted: `${count} ${noun}${count === 1 ? '' : 's'}`,
    };
  });
}
