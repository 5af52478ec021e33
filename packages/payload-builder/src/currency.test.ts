import { currencyExponent, formatMinor } from './currency';

describe('amounts as people read them', () => {
  test.each([
    [18000, 'usd', '180.00 USD'],
    [5, 'eur', '0.05 EUR'],
    [-5, 'eur', '-0.05 EUR'],
    [-18000, 'usd', '-180.00 USD'],
    [4500, 'jpy', '4500 JPY'],
    [0, 'krw', '0 KRW'],
    [25500, 'kwd', '25.500 KWD'],
    [7, 'bhd', '0.007 BHD'],
    [9_007_199_254_740_991, 'usd', '90071992547409.91 USD'],
    [100_000_000_000_000_000_001n, 'usd', '1000000000000000000.01 USD'],
  ])('%s %s is %s', (amount, currency, shown) => {
    expect(formatMinor(amount, currency)).toBe(shown);
  });

  test('Stripe’s exponents win over ISO’s where they disagree', () => {
    expect(['isk', 'ugx', 'huf', 'twd', 'mga', 'TND', 'zzz'].map(currencyExponent)).toEqual([2, 2, 2, 2, 0, 3, 2]);
  });
});
