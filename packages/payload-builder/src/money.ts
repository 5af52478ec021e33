import type { MoneySums } from './money-sums';
import { PayloadRefusal, type RefusalDetails } from './payload-refusal';

/** The Session's own breakdown, in minor units. */
export interface ReportedAmounts {
  subtotal: number;
  discount: number;
  tax: number;
  /** Shipping before tax. */
  shipping: number;
  total: number;
}

/** Reads an amount of minor units, or refuses with the name of the field. */
export function readAmount(value: unknown, field: string, details: RefusalDetails = {}): number {
  if (value === null || value === undefined) {
    throw new PayloadRefusal('AMOUNT_MISSING', `${field} has no value`, { ...details, field });
  }
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new PayloadRefusal('AMOUNT_NOT_INTEGER', `${field} is not a whole number of minor units`, {
      ...details,
      field,
    });
  }
  return value;
}

/** Adds without ever rounding; a sum that a JSON number cannot carry exactly is refused. */
export function sumAmounts(amounts: readonly number[], field: string): number {
  const sum = Number(amounts.reduce((all, amount) => all + BigInt(amount), 0n));
  if (!Number.isSafeInteger(sum)) {
    throw new PayloadRefusal('AMOUNT_NOT_INTEGER', `${field} is too large to be added up exactly`, { field });
  }
  return sum;
}

/**
 * The proof that every line is here and none twice: the lines' `amount_total` and shipping add up to the
 * Session's `amount_total`. Both sides are after discount and tax, so it holds for inclusive and exclusive tax alike.
 */
export function proveSums(total: number, perLine: MoneySums['perLine'], shipping: number): MoneySums {
  const lines = sumAmounts(
    perLine.map((line) => line.amount),
    'line_items[].amount_total',
  );
  const difference = sumAmounts([lines, shipping, -total], 'difference');
  const sums = { total, lines, shipping, difference, perLine };
  if (difference !== 0) {
    throw new PayloadRefusal(
      'SUMS_DIFFER',
      `The lines (${lines}) and shipping (${shipping}) make ${sumAmounts([lines, shipping], 'sum')}, the Session says ${total}`,
      { sums },
    );
  }
  return sums;
}

/**
 * Whether Stripe's own breakdown is consistent: what is left after `subtotal - discount + shipping` must be the part
 * of the tax that was put on top, so between nothing (all of it inclusive) and all of `tax`. Only reported; the line
 * sum decides, since a breakdown says nothing about the lines that FileMaker books.
 */
export function breakdownAgrees(amounts: ReportedAmounts): boolean {
  const { subtotal, discount, tax, shipping, total } = amounts;
  const taxOnTop = BigInt(total) - (BigInt(subtotal) - BigInt(discount) + BigInt(shipping));
  return taxOnTop >= 0n && taxOnTop <= BigInt(tax);
}
