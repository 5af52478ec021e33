import fc from 'fast-check';
import { type PricedLine, unitPrices } from './unit-price';

function line(given: Partial<PricedLine>): PricedLine {
  return { lineId: 'li_1', quantity: 1, amountSubtotal: 0, currency: 'usd', price: null, ...given };
}
const price = (
  unitAmount: number | null,
  unitAmountDecimal: string | null = null,
  currency: string | null = 'usd',
) => ({
  unitAmount,
  unitAmountDecimal,
  currency,
});

/** Adds `quantity x unitPrice` exactly, in units of 10^-12. */
function worth(parts: ReturnType<typeof unitPrices>): bigint {
  return parts.reduce((all, part) => {
    const [whole = '', fraction = ''] = part.unitPrice.split('.');
    return all + BigInt(part.quantity) * BigInt(whole + fraction.padEnd(30, '0'));
  }, 0n);
}

describe('the price of one piece', () => {
  test.each([
    ['the price says it', line({ quantity: 3, amountSubtotal: 7500, price: price(2500) }), '2500'],
    ['a whole quotient without a price', line({ quantity: 3, amountSubtotal: 7500 }), '2500'],
    ['a finite quotient keeps its fraction', line({ quantity: 8, amountSubtotal: 1001 }), '125.125'],
    ['less than one minor unit', line({ quantity: 1000, amountSubtotal: 5 }), '0.005'],
    ['a negative line', line({ quantity: 2, amountSubtotal: -5 }), '-2.5'],
    [
      'a price in fractions, rounded by Stripe',
      line({ quantity: 3, amountSubtotal: 2, price: price(null, '0.5') }),
      '0.5',
    ],
    ['trailing zeros fall away', line({ quantity: 2, amountSubtotal: 200, price: price(null, '100.000') }), '100'],
    ['no quantity is one piece', line({ quantity: null, amountSubtotal: 990, price: price(330) }), '990'],
    ['nothing ordered', line({ quantity: 0, amountSubtotal: 0, price: price(500) }), '500'],
  ])('%s', (_what, given, expected) => {
    expect(unitPrices(given).map((part) => part.unitPrice)).toEqual([expected]);
  });

  test('a price in another currency than the line is not believed, even where it would fit', () => {
    const given = line({ quantity: 0, amountSubtotal: 0, currency: 'eur', price: price(500) });
    expect(unitPrices(given)).toEqual([{ quantity: '0', unitPrice: '0' }]);
    const converted = line({ quantity: 2, amountSubtotal: 1800, currency: 'eur', price: price(1000) });
    expect(unitPrices(converted)).toEqual([{ quantity: '2', unitPrice: '900' }]);
  });

  test('a package price counts by the subtotal: 25 pieces in packs of 10 cost what the line says', () => {
    expect(unitPrices(line({ quantity: 25, amountSubtotal: 1500, price: price(500) }))).toEqual([
      { quantity: '25', unitPrice: '60' },
    ]);
  });

  test('a decimal price that does not make the subtotal is not used', () => {
    expect(unitPrices(line({ quantity: 2, amountSubtotal: 10, price: price(null, '9.99') }))).toEqual([
      { quantity: '2', unitPrice: '5' },
    ]);
    expect(unitPrices(line({ quantity: 2, amountSubtotal: 10, price: price(null, '1e1') }))).toEqual([
      { quantity: '2', unitPrice: '5' },
    ]);
  });

  test('a decimal price may be off by half a minor unit per line, Stripe’s rounding, and no more', () => {
    expect(unitPrices(line({ quantity: 3, amountSubtotal: 32, price: price(null, '10.5') }))).toEqual([
      { quantity: '3', unitPrice: '10.5' },
    ]);
    // 4 x 10.6 = 42.4 rounds to 42, so 43 was not made by this price.
    expect(unitPrices(line({ quantity: 4, amountSubtotal: 43, price: price(null, '10.6') }))).toEqual([
      { quantity: '4', unitPrice: '10.75' },
    ]);
  });

  test('no pieces that cost something are refused', () => {
    expect(() => unitPrices(line({ quantity: 0, amountSubtotal: 1 }))).toThrow('A line of no pieces costs something');
  });

  test('pieces and money are always kept to the last minor unit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1_000_000, max: 2 ** 48 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.option(fc.integer({ min: 0, max: 1_000_000 })),
        (amountSubtotal, quantity, unitAmount) => {
          const parts = unitPrices(line({ quantity, amountSubtotal, price: price(unitAmount) }));
          expect(worth(parts)).toBe(BigInt(amountSubtotal) * 10n ** 30n);
          expect(parts.reduce((all, part) => all + Number(part.quantity), 0)).toBe(quantity);
          expect(parts.length).toBeLessThanOrEqual(2);
        },
      ),
    );
  });
});
