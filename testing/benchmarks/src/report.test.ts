import { asText, faultsOf, isMet, type Report, shown } from './report';

const report: Report = {
  bench: 'ingress',
  method: 'a test',
  columns: ['server', 'a second'],
  rows: [['ours', 1234.5]],
  goals: [{ name: 'of bare', value: 0.7, is: 'at-least', limit: 0.7 }],
  lost: 0,
  doubled: 0,
  noisy: false,
  foreign: 0.02,
  discarded: 1,
};

test('a goal is met at its limit and missed beyond it, in either direction', () => {
  const goal = { name: 'x', limit: 10 };
  expect([10, 9.99].map((value) => isMet({ ...goal, value, is: 'at-least' }))).toEqual([true, false]);
  expect([10, 10.01].map((value) => isMet({ ...goal, value, is: 'at-most' }))).toEqual([true, false]);
});

test('a figure that did not come out meets no goal, shows as a dash and is a fault', () => {
  const goal = { name: 'p99', value: Number.NaN, is: 'at-most', limit: 30 } as const;
  expect(isMet(goal)).toBe(false);
  expect(shown(goal.value)).toBe('-');
  expect(faultsOf({ ...report, goals: [goal] })).toEqual(['no figure for: p99']);
});

test('nothing at all is a figure where little is wanted, and none where much is', () => {
  const none = { name: 'calls', value: 0, limit: 50 };
  expect(faultsOf({ ...report, goals: [{ ...none, is: 'at-most' }] })).toEqual([]);
  expect(faultsOf({ ...report, goals: [{ ...none, is: 'at-least' }] })).toEqual(['no figure for: calls']);
});

test('whatever was lost or doubled is a fault, and a slow machine is none', () => {
  expect(faultsOf({ ...report, lost: 2, doubled: 1 })).toEqual(['2 lost', '1 doubled']);
  expect(faultsOf({ ...report, noisy: true, goals: [{ name: 'x', value: 0.1, is: 'at-least', limit: 0.7 }] })).toEqual(
    [],
  );
});

test('the text says that the machine was not quiet', () => {
  expect(asText(report)).not.toContain('NOISY');
  expect(asText({ ...report, noisy: true })).toContain('NOISY');
});
