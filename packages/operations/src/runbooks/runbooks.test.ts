import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULT_CODES } from '../doctor/fault';
import { FILEMAKER_FAULT_CODES } from '../filemaker-check/faults';
import { findRunbook, listRunbooks, runbookOf } from './runbooks';

const root = join(__dirname, '../../../..');
const folder = join(__dirname, '../../runbooks');
const SECTIONS = [
  'What you see',
  'What it means',
  'What has not happened',
  'What to do',
  'How to know that it is over',
];

/** Where codes are born that a person can meet: every TypeScript source that ships, without tests. */
function sources(): string {
  const read = (path: string): string =>
    readdirSync(path, { withFileTypes: true })
      .flatMap((entry): string[] => {
        const inner = join(path, entry.name);
        if (entry.isDirectory()) return ['node_modules', 'dist'].includes(entry.name) ? [] : [read(inner)];
        return /\.ts$/.test(entry.name) && !/\.test\.ts$/.test(entry.name) ? [readFileSync(inner, 'utf8')] : [];
      })
      .join('\n');
  return ['apps', 'packages', 'flows'].map((part) => read(join(root, part))).join('\n');
}

const shipped = sources();
/** Reason codes of parked and ignored rows, of what holds a row back, and the causes of status lines. */
const born = [
  ...shipped.matchAll(/\b(?:reasonCode|cause): '([A-Za-z][\w-]+)'/g),
  ...shipped.matchAll(/kind: '(?:park|wait)',(?:[^{}]*?)\bcode: '([A-Za-z][\w-]+)'/g),
  ...shipped.matchAll(/\bpark[A-Z]\w*\(\s*\w+,\s*'([A-Za-z][\w-]+)'/g),
].map(([, code = '']) => code);

test('the doctor, the FileMaker check and every cause in the code lead to a page', () => {
  const halts = [...readFileSync(join(__dirname, '../gates/ways-out.ts'), 'utf8').matchAll(/^ {2}([A-Z_]+):/gm)].map(
    ([, code = '']) => code,
  );
  expect(halts.length).toBeGreaterThan(8);
  expect(born.length).toBeGreaterThan(25);
  const all = [...new Set([...FAULT_CODES, ...FILEMAKER_FAULT_CODES, ...halts, ...born])];
  expect(all.filter((code) => runbookOf(code) === undefined)).toEqual([]);
});

test('no page speaks of a code that is not in the code any more, and no code has two pages', () => {
  const causes = listRunbooks().flatMap(({ causes: some }) => some);
  const unknown = causes.filter((code) => !new RegExp(`['\`]${code}['\`]|^ {2}${code}:`, 'm').test(shipped));
  expect(unknown).toEqual([]);
  expect(causes.filter((code, index) => causes.indexOf(code) !== index)).toEqual([]);
});

test.each(listRunbooks().map((page) => [page.name, page] as const))('%s has every part, in order', (name, page) => {
  expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  expect(page.markdown.split('\n')[0]).toBe(`# ${page.title}`);
  expect([...page.markdown.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual(SECTIONS);
  // A page without a command says what to do in words only; none does.
  expect(page.markdown).toMatch(/^```\n[^`]+\n```$/m);
  expect(page.markdown.match(/^```/gm)?.length).toBe(2 * (page.markdown.match(/^```\n[^`]+\n```$/gm)?.length ?? 0));
});

test('the index names every page once, and nothing else', () => {
  const index = readFileSync(join(folder, 'README.md'), 'utf8');
  const linked = [...index.matchAll(/\]\(([\w-]+)\.md\)/g)].map(([, name = '']) => name);
  expect([...linked].sort()).toEqual(listRunbooks().map(({ name }) => name));
  for (const { name, title } of listRunbooks()) expect(index).toContain(`[${title}](${name}.md)`);
});

test('every file that a page names is there', () => {
  const named = listRunbooks().flatMap(({ markdown }) =>
    [...markdown.matchAll(/`((?:docs|filemaker)\/[\w./-]+)`/g)].map(([, path = '']) => path),
  );
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("a code of a company's own script leads where the script's refusal leads; an unknown one leads nowhere", () => {
  expect(runbookOf('SCRIPT_REFUSED_LOW_STOCK')).toBe('script-refused');
  expect(runbookOf('SCRIPT_RECORD_LOCKED_301')).toBe('record-locked');
  expect(findRunbook('second-payment')?.name).toBe('second-payment');
  expect(findRunbook('redis')?.causes).toContain('REDIS_AWAY');
  expect(runbookOf('NOBODY_KNOWS')).toBeUndefined();
  expect(runbookOf('')).toBeUndefined();
});
