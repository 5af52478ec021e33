import type { Day } from './calendar';
import { canonicalJson } from './chain';

/** Where a payment stood when the day was closed. `none`: of a refund or dispute, which is recorded only. */
export type Standing = 'verified' | 'unverified' | 'waiting' | 'parked' | 'cancelled' | 'none';

/** What happened to money, counted once in one closed day. */
export interface DayEntry {
  flow: string;
  kind: 'payment' | 'refund' | 'dispute' | 'refund-undone';
  id: string;
  /** The day of its money; before the day that counts it: a correction. */
  day: Day;
  at: Date;
  /** The payment it belongs to. */
  factId: string;
  related: readonly string[];
  title: string;
  /** Minor units. */
  amount: number;
  currency: string;
  livemode: boolean;
  effectKey: string | null;
  standing: Standing;
  /** Why it waits. */
  code: string | null;
  reason: string | null;
  /** The command that is next. */
  next: string | null;
}

/** How many, and how much. */
export interface Figure {
  count: number;
  /** Minor units. */
  amount: number;
}

/** Sums of one currency, in minor units. Each payment counts under `paid`, and again under where it stands. */
export interface CurrencyFigures {
  currency: string;
  paid: Figure;
  /** Proved by FileMaker's records or the echoed key. */
  verified: Figure;
  /** By a plain script's answer or a person's word, and nothing to prove it. */
  unverified: Figure;
  waiting: Figure;
  parked: Figure;
  /** A person decided that it shall not be applied. */
  cancelled: Figure;
  refunded: Figure;
  disputed: Figure;
  /** Refunds counted on an earlier day that failed afterwards: the money came back. */
  refundsUndone: Figure;
}

/** A payment that is not settled, with its reason and the next command. */
export interface OpenPayment {
  day: Day;
  flow: string;
  id: string;
  title: string;
  amount: number;
  currency: string;
  standing: Standing;
  code: string | null;
  reason: string | null;
  next: string | null;
}

/** An entry about another day than the one that tells of it. */
export interface Correction {
  /** The closed day it belongs to. */
  day: Day;
  flow: string;
  kind: DayEntry['kind'];
  id: string;
  title: string;
  amount: number;
  currency: string;
  standing: Standing;
}

/** What a closed day says. Kept as canonical JSON; holds ids and amounts, no customer data. */
export interface DayContents {
  version: 1;
  day: Day;
  timeZone: string;
  since: string;
  until: string;
  closedAt: string;
  livemode: boolean;
  /** In the order of their codes; corrections are counted too. */
  currencies: CurrencyFigures[];
  /** Payments of this day, and corrections, that are not settled. */
  unsettled: OpenPayment[];
  /** Payments of earlier closed days that are still not settled. */
  stillOpen: OpenPayment[];
  /** Payments that an earlier day had told of as open and that are settled now. */
  settledSince: Correction[];
  /** What belongs to an earlier closed day and was not known when that one was closed. */
  corrections: Correction[];
  /** Every entry counted here, as sha256 over their canonical lines: `./bridge close --verify` counts again. */
  entries: { count: number; digest: string };
}

export const isSettled = (standing: Standing): boolean => standing !== 'waiting' && standing !== 'parked';

const FIGURES = {
  payment: 'paid',
  refund: 'refunded',
  dispute: 'disputed',
  'refund-undone': 'refundsUndone',
} as const satisfies Record<DayEntry['kind'], keyof CurrencyFigures>;

const none = (): Figure => ({ count: 0, amount: 0 });

function add(figure: Figure, amount: number): void {
  figure.count += 1;
  figure.amount += amount;
  if (!Number.isSafeInteger(figure.amount))
    throw new RangeError('A sum of money is larger than can be counted exactly');
}

/** Counts and sums per currency; each payment once under `paid` and once under where it stands. */
export function sumByCurrency(
  entries: Iterable<Pick<DayEntry, 'kind' | 'currency' | 'amount' | 'standing'>>,
): CurrencyFigures[] {
  const sums = new Map<string, CurrencyFigures>();
  for (const { kind, currency, amount, standing } of entries) {
    const code = currency.toLowerCase();
    const figures = sums.get(code) ?? {
      currency: code,
      paid: none(),
      verified: none(),
      unverified: none(),
      waiting: none(),
      parked: none(),
      cancelled: none(),
      refunded: none(),
      disputed: none(),
      refundsUndone: none(),
    };
    sums.set(code, figures);
    add(figures[FIGURES[kind]], amount);
    if (kind === 'payment' && standing !== 'none') add(figures[standing], amount);
  }
  return [...sums.values()].sort((a, b) => (a.currency < b.currency ? -1 : 1));
}

/** One line per entry, in one order: what `entries.digest` is taken over. */
export function entryLine(
  entry: Pick<DayEntry, 'flow' | 'kind' | 'id' | 'day' | 'at' | 'factId' | 'amount' | 'currency'>,
): string {
  const { flow, kind, id, day, at, factId, amount, currency } = entry;
  return canonicalJson({ flow, kind, id, day, at: at.toISOString(), factId, amount, currency });
}

export const compareEntries = (
  a: Pick<DayEntry, 'flow' | 'kind' | 'id'>,
  b: Pick<DayEntry, 'flow' | 'kind' | 'id'>,
): number => {
  const [one, other] = [[a.flow, a.kind, a.id].join('\n'), [b.flow, b.kind, b.id].join('\n')];
  return one < other ? -1 : one > other ? 1 : 0;
};
