import { readCommandLine } from './command-line';
import { scenarios } from './scenarios';

const read = (...args: string[]) => readCommandLine(args, scenarios);
const played = (...args: string[]): string[] => {
  const found = read(...args);
  return found.kind === 'play' ? found.wishes.scenarios.map(({ name }) => name) : [found.kind];
};

test('without a name, and with "all", every scenario is played but the sabotage', () => {
  const all = scenarios.filter(({ mustFail }) => mustFail !== true).map(({ name }) => name);
  expect(played()).toEqual(all);
  expect(played('all')).toEqual(all);
  expect(played('all', 'planted-loss')).toEqual([...all, 'planted-loss']);
});

test('names given twice are played once; sabotage by its name', () => {
  expect(played('redis-flushed', 'planted-loss', 'redis-flushed')).toEqual(['redis-flushed', 'planted-loss']);
});

test('the same payments each time unless a seed says otherwise', () => {
  expect(read('deploy')).toMatchObject({ kind: 'play', wishes: { seed: 1, payments: undefined, json: false } });
  expect(read('deploy', '--seed', '42', '--payments', '500', '--json')).toMatchObject({
    kind: 'play',
    wishes: { seed: 42, payments: 500, json: true },
  });
});

test.each([
  [['no-such-thing'], 'There is no scenario no-such-thing. See --list.'],
  [['--seed', 'x'], '--seed takes a whole number from 0 to 1000000.'],
  [['--payments', '9'], '--payments takes a whole number from 10 to 10000.'],
  [['--payments', '1e3'], '--payments takes a whole number from 10 to 10000.'],
  [['--loud'], expect.stringContaining("'--loud'")],
])('wrong usage is said: %p', (args, why) => {
  expect(read(...args)).toEqual({ kind: 'wrong', why });
});

test('help and list come before anything is started', () => {
  expect(read('--help', 'deploy')).toEqual({ kind: 'help', json: false });
  expect(read('--list', '--json')).toEqual({ kind: 'list', json: true });
});
