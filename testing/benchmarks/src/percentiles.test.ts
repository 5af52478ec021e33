import { median, percentile, spreadOf } from './percentiles';

test('a percentile is a value that was seen, by nearest rank, whatever the order', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0, 1, 50, 99, 99.5, 100].map((percent) => percentile(values, percent))).toEqual([1, 1, 50, 99, 100, 100]);
  expect(percentile([7], 99)).toBe(7);
});

test('one slow answer among a thousand shows in the maximum and not in p99', () => {
  const values = [...Array.from({ length: 999 }, () => 1), 500];
  expect(spreadOf(values)).toEqual({ count: 1_000, p50: 1, p99: 1, max: 500 });
});

test('the median of an even number is the mean of the two in the middle', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([9, 1, 3])).toBe(3);
});

test('no values give no figure instead of a zero', () => {
  expect([percentile([], 50), median([])]).toEqual([Number.NaN, Number.NaN]);
});
