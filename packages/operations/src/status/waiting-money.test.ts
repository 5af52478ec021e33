import { tellMoney, waitingMoney } from './waiting-money';

const found = [
  { currency: 'eur', class: 'planned', count: 2, amount: 1_000 },
  { currency: 'usd', class: 'no-effect', count: 1, amount: 1_195 },
  { currency: 'usd', class: 'parked', count: 2, amount: 30_000 },
  { currency: 'usd', class: 'sending', count: 1, amount: 500 },
  { currency: 'jpy', class: 'parked', count: 1, amount: 5_400 },
  { currency: 'usd', class: 'unknown', count: 1, amount: 700 },
  { currency: 'usd', class: 'paid-not-recorded', count: 3, amount: 900 },
  { currency: 'usd', class: 'before-start', count: 1, amount: 100 },
];

test('money that is not done is summed by where it stands and by currency, what waits for a person first', () => {
  expect(waitingMoney(found)).toEqual([
    { place: 'for-you', currency: 'jpy', count: 1, amount: 5_400 },
    { place: 'for-you', currency: 'usd', count: 3, amount: 31_195 },
    { place: 'being-checked', currency: 'usd', count: 1, amount: 700 },
    { place: 'on-the-way', currency: 'eur', count: 2, amount: 1_000 },
    { place: 'on-the-way', currency: 'usd', count: 1, amount: 500 },
    { place: 'found', currency: 'usd', count: 4, amount: 1_000 },
  ]);
});

test('each place is told once, with the sum of each currency and how many payments it is', () => {
  expect(tellMoney(waitingMoney(found))).toEqual([
    { place: 'for-you', sums: ['5,400 JPY', '311.95 USD'], counted: '4 payments' },
    { place: 'being-checked', sums: ['7.00 USD'], counted: '1 payment' },
    { place: 'on-the-way', sums: ['10.00 EUR', '5.00 USD'], counted: '3 payments' },
    { place: 'found', sums: ['10.00 USD'], counted: '4 findings' },
  ]);
  expect(tellMoney([])).toEqual([]);
});
