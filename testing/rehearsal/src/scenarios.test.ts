import { Chance } from './chance';
import type { Scenario, TimedBlow } from './scenario';
import { scenarios } from './scenarios';

const blowsOf = ({ blows }: Scenario, seed: number): readonly TimedBlow[] =>
  typeof blows === 'function' ? blows(new Chance(seed)) : blows;

test('there are the fourteen disasters that were promised, and two that show that a rehearsal can fail', () => {
  expect(scenarios.map(({ name, mustFail }) => (mustFail ? `(${name})` : name))).toEqual([
    'filemaker-down',
    'filemaker-hang',
    'capacity-storm',
    'session-storm',
    'record-locked',
    'answers-cut',
    'redis-flushed',
    'redis-down',
    'worker-killed',
    'postgres-restarted',
    'duplicates-and-disorder',
    'deploy',
    'stripe-down',
    'everything',
    '(planted-loss)',
    '(planted-double)',
  ]);
});

test('a seed repeats the mixture of "everything", and another one makes another', () => {
  const everything = scenarios.find(({ name }) => name === 'everything');
  if (everything === undefined) throw new Error('it is not there');
  expect(blowsOf(everything, 7)).toEqual(blowsOf(everything, 7));
  const mixtures = new Set([1, 2, 3, 4, 5].map((seed) => JSON.stringify(blowsOf(everything, seed))));
  expect(mixtures.size).toBe(5);
});

// A blow whose moment lies behind an earlier one's would fall late, and one past the last payment never.
test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  '%s: its blows fall in order and within the payments',
  (_name, scenario) => {
    for (const seed of [1, 2, 3]) {
      const moments = blowsOf(scenario, seed).map(({ at }) => ('sold' in at ? at.sold : at.applied));
      expect(moments).toEqual(moments.toSorted((left, right) => left - right));
      expect(moments.every((moment) => moment >= 0 && moment < 1)).toBe(true);
    }
  },
);
