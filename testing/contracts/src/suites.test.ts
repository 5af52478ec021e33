import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ARRANGEMENTS as filemakerArrangements } from './filemaker/arrangements';
import { filemakerSuite } from './filemaker/filemaker-suite';
import { OTHER_SETTINGS, SWITCH_SETTINGS } from './filemaker/switch-settings';
import { needsOf, risksOf } from './plan';
import { ARRANGEMENTS as stripeArrangements } from './stripe/arrangements';
import { stripeSuite } from './stripe/stripe-suite';
import type { Suite } from './suite';

const SUITES: readonly [string, Suite][] = [
  ['filemaker', filemakerSuite],
  ['stripe', stripeSuite],
];

describe.each(SUITES)('%s', (_name, suite) => {
  test('every case and, inside of a case, every step has a name of its own', () => {
    expect(repeated(suite.cases.map(({ id }) => id))).toEqual([]);
    for (const { id, steps, afterwards = [] } of suite.cases) {
      const names = [...steps, ...afterwards].flatMap((step) => {
        if (step.do === 'arrange') return [step.what];
        return step.do === 'join' || step.do === 'abandon' ? [] : [step.name];
      });
      expect([id, repeated(names)]).toEqual([id, []]);
    }
  });

  test('every case says something and names where it is said', () => {
    for (const { says, source } of suite.cases) expect([says.length > 20, source.length > 10]).toEqual([true, true]);
  });

  test('whatever an operator has to give is explained', () => {
    const credentials = ['basic', 'basicNobody', 'apiKey', 'apiKeyBasic', 'databaseInOtherCase'];
    const needed = new Set(suite.cases.flatMap(needsOf));
    const unexplained = [...needed].filter((name) => !(name in suite.needs) && !credentials.includes(name));
    expect(unexplained).toEqual([]);
    expect(Object.keys(suite.needs).filter((name) => !needed.has(name))).toEqual(
      suite.name === 'filemaker' ? ['slowSeconds'] : [],
    );
  });

  test('a question speaks of steps that are there', () => {
    for (const { id, steps, questions = [] } of suite.cases) {
      const names = steps.flatMap((step) => ('name' in step ? [step.name] : []));
      const asked = questions.flatMap(({ either = [] }) => either.flatMap(({ when }) => Object.keys(when)));
      expect([id, asked.filter((name) => !names.includes(name))]).toEqual([id, []]);
    }
  });

  test('a question is answered by alternatives or by a figure', () => {
    for (const { questions = [] } of suite.cases)
      for (const { id, either, measure } of questions)
        expect([id, either === undefined]).toEqual([id, measure !== undefined]);
  });
});

test('what a case may do to a server is read off its steps', () => {
  const risks = (id: string): readonly string[] => {
    const found = filemakerSuite.cases.find((one) => one.id === id);
    return found === undefined ? ['no such case'] : risksOf(found, filemakerSuite);
  };
  expect(risks('product-info')).toEqual([]);
  expect(risks('find-nothing')).toEqual([]);
  expect(risks('unique-key')).toEqual(['write']);
  expect(risks('script-by-get')).toEqual(['script']);
  expect(risks('script-with-create')).toEqual(['script', 'write']);
  expect(risks('scripts-around-a-create')).toEqual(['script', 'write']);
  expect(risks('script-with-find')).toEqual(['script', 'write']);
  expect(risks('login-until-full')).toEqual(['capacity']);
  expect(risks('login-lockout')).toEqual(['lockout']);
  expect(risks('idle-time')).toEqual(['waiting']);
  expect(risks('restart')).toEqual(['operator', 'script']);
  expect(risks('record-locked')).toEqual(['operator', 'write']);
});

test('nothing that a Stripe case sends beside GET is allowed unasked', () => {
  for (const contractCase of stripeSuite.cases) {
    const lines = [...contractCase.steps, ...(contractCase.afterwards ?? [])].flatMap((step) =>
      'line' in step ? [step.line] : [],
    );
    const writes = lines.some((line) => !line.startsWith('GET '));
    expect([contractCase.id, risksOf(contractCase, stripeSuite).includes('write')]).toEqual([contractCase.id, writes]);
  }
});

test('every arrangement is used', () => {
  const used = [...filemakerSuite.cases, ...stripeSuite.cases].flatMap(({ steps }) =>
    steps.flatMap((step) => (step.do === 'arrange' ? [step.what] : [])),
  );
  const known = [...Object.keys(filemakerArrangements), ...Object.keys(stripeArrangements)];
  expect(known.filter((name) => !used.includes(name))).toEqual([]);
});

test('every switch of the FileMaker simulator is played in every setting, and answers a question', () => {
  const readme = readFileSync(join(__dirname, '../../filemaker-simulator/README.md'), 'utf8');
  const table = readme.slice(readme.indexOf('### Switches'), readme.indexOf('Other settings:'));
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const switches = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([a-z][A-Za-z]{5,})`/g)].map((m) => m[1]),
  );
  const played = SWITCH_SETTINGS.map((setting) => setting.switch);
  const words = SWITCH_SETTINGS.flatMap(({ patch }) => Object.values(patch)).filter(
    (value) => typeof value === 'string',
  );
  expect(switches.length).toBeGreaterThan(25);
  expect(switches.filter((name) => name !== undefined && !played.includes(name) && !words.includes(name))).toEqual([]);
});

test('every question that has a switch is answered under at least two settings', () => {
  const questions = filemakerSuite.cases.flatMap((one) => one.questions ?? []).filter((one) => one.hasSwitch !== false);
  for (const { id } of questions) {
    const answers = new Set(SWITCH_SETTINGS.flatMap(({ shows }) => (id in shows ? [shows[id]] : [])));
    expect([id, answers.size >= 2]).toEqual([id, true]);
  }
  expect(OTHER_SETTINGS.length).toBeGreaterThan(0);
});

function repeated(names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}
