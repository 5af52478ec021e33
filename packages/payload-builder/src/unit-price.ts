import { PayloadRefusal } from './payload-refusal';

/** The part of a line that is needed to say what one unit cost. Amounts in minor units of `currency`. */
export interface PricedLine {
  lineId: string;
  quantity: number | null;
  /** The whole line before discount and before exclusive tax. */
  amountSubtotal: number;
  currency: string;
  price: {
    unitAmount: number | null;
    /** Stripe's exact text, e.g. `"12.5"`. */
    unitAmountDecimal: string | null;
    currency: string | null;
  } | null;
}

export interface UnitPrice {
  quantity: string;
  /** Minor units as text; a decimal point only where the price itself has a fraction of a minor unit. */
  unitPrice: string;
}

/**
 * What one unit cost, so that the parts' `quantity x unitPrice` add up to the line's subtotal (a price in fractions
 * of a minor unit adds up after Stripe's rounding of the line). The first rule that fits decides:
 *
 * 1. the price's `unit_amount`, when it is in the line's currency and really makes the subtotal. It does not after a
 *    currency conversion, with tiers, or with `transform_quantity`;
 * 2. the price's `unit_amount_decimal`, when it makes the subtotal after rounding;
 * 3. subtotal / quantity, when that is a whole number or a finite decimal, exactly;
 * 4. otherwise (1000 for 3) the line is given in two parts, 2 x 333 and 1 x 334: the number of pieces stays right for
 *    the stock, and the money to the last minor unit.
 *
 * A line without a quantity counts as one piece at its subtotal. The line's `amount_total` is never used: it holds
 * discount and tax of all pieces together.
 */
export function unitPrices(line: PricedLine): UnitPrice[] {
  const { price, lineId } = line;
  if (line.quantity === null) return [{ quantity: '1', unitPrice: String(line.amountSubtotal) }];

  const quantity = BigInt(line.quantity);
  const subtotal = BigInt(line.amountSubtotal);
  const quantityText = quantity.toString();
  const sameCurrency = price !== null && (price.currency === null || price.currency === line.currency);

  if (sameCurrency && price.unitAmount !== null && BigInt(price.unitAmount) * quantity === subtotal) {
    return [{ quantity: quantityText, unitPrice: String(price.unitAmount) }];
  }
  if (sameCurrency && price.unitAmountDecimal !== null) {
    const decimal = readDecimal(price.unitAmountDecimal);
    if (decimal !== null && roundsTo(decimal, quantity, subtotal)) {
      return [{ quantity: quantityText, unitPrice: decimalText(decimal) }];
    }
  }
  if (quantity === 0n) {
    if (subtotal === 0n) return [{ quantity: '0', unitPrice: '0' }];
    throw new PayloadRefusal('LINE_UNREADABLE', 'A line of no pieces costs something', { lineId, field: 'quantity' });
  }
  const exact = divideExactly(subtotal, quantity);
  if (exact !== null) return [{ quantity: quantityText, unitPrice: decimalText(exact) }];

  const lower = subtotal / quantity;
  const rest = subtotal - lower * quantity;
  const step = rest < 0n ? -1n : 1n;
  const dearer = rest * step;
  return [
    { quantity: (quantity - dearer).toString(), unitPrice: lower.toString() },
    { quantity: dearer.toString(), unitPrice: (lower + step).toString() },
  ];
}

/** `digits / 10^scale`. */
interface Decimal {
  digits: bigint;
  scale: number;
}

function readDecimal(text: string): Decimal | null {
  const parts = /^(-?\d{1,30})(?:\.(\d{1,30}))?$/.exec(text);
  if (parts === null) return null;
  const fraction = parts[2] ?? '';
  return { digits: BigInt(`${parts[1] ?? ''}${fraction}`), scale: fraction.length };
}

function decimalText({ digits, scale }: Decimal): string {
  const sign = digits < 0n ? '-' : '';
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
  const fraction = text.slice(text.length - scale).replace(/0+$/, '');
  const whole = text.slice(0, text.length - scale);
  return scale === 0 || fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

function roundsTo({ digits, scale }: Decimal, quantity: bigint, subtotal: bigint): boolean {
  const one = 10n ** BigInt(scale);
  const off = digits * quantity - subtotal * one;
  return (off < 0n ? -off : off) * 2n <= one;
}

function divideExactly(dividend: bigint, divisor: bigint): Decimal | null {
  let rest = divisor / gcd(dividend < 0n ? -dividend : dividend, divisor);
  let twos = 0;
  let fives = 0;
  for (; rest % 2n === 0n; twos += 1) rest /= 2n;
  for (; rest % 5n === 0n; fives += 1) rest /= 5n;
  if (rest !== 1n) return null;
  const scale = Math.max(twos, fives);
  return { digits: (dividend * 10n ** BigInt(scale)) / divisor, scale };
}

function gcd(a: bigint, b: bigint): bigint {
  let [large, small] = [a, b];
  while (small !== 0n) [large, small] = [small, large % small];
  return large;
}
