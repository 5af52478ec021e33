// What runbooks, README and docs tell people to type can be typed.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findRunbook, listRunbooks } from '@bridge/operations';
import { CommanderError } from 'commander';
import { createProgram } from './create-program';

/** As a shell would take it apart; our examples use no other quotes than double ones. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

/** Undefined: the command is there and takes these options. Its work is not done. */
async function refusal(line: string): Promise<string | undefined> {
  let reached = false;
  const program = createProgram(async () => {
    reached = true;
  });
  const quiet = { writeOut: () => undefined, writeErr: () => undefined };
  const silence = (command: typeof program): void => {
    command.configureOutput(quiet);
    command.commands.forEach(silence);
  };
  silence(program);
  try {
    await program.parseAsync(wordsOf(line).slice(1), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? undefined : error.message;
  }
  return reached ? undefined : 'it leads to no command';
}

const commands = listRunbooks().flatMap(({ name, markdown }) => [
  ...[...markdown.matchAll(/^```\n([^`]+)\n```$/gm)]
    .flatMap(([, block = '']) => block.split('\n'))
    .filter((line) => line.startsWith('./bridge '))
    .map((line) => [name, line] as const),
  ...[...markdown.matchAll(/`(\.\/bridge [^`]+)`/g)].map(([, line = '']) => [name, line] as const),
]);

test('there are commands to look at, and a wrong one would be noticed', async () => {
  expect(commands.length).toBeGreaterThan(60);
  expect(await refusal('./bridge effects resolve 12 --as maybe --why "x"')).toMatch(/maybe/);
  expect(await refusal('./bridge nonsense')).toBeDefined();
  expect(await refusal('./bridge effects')).toBeDefined();
  expect(await refusal('./bridge effects resolve 12 --as done')).toMatch(/why/);
});

test.each([...new Set(commands.map(([, line]) => line))])('%s', async (line) => {
  expect(await refusal(line)).toBeUndefined();
});

test('a page that a page names is there', () => {
  const named = commands.flatMap(([, line]) => {
    const [, command, cause] = wordsOf(line);
    return command === 'runbook' && cause !== undefined ? [cause] : [];
  });
  expect(named.filter((cause) => !cause.startsWith('<') && findRunbook(cause) === undefined)).toEqual([]);
});

/** The README's table of commands says `list|show` and `[--since ISO]`: each way through it leads to a command. */
function waysThrough(line: string): string[] {
  const words =
    line
      .split(/\s{2,}|\s#/, 1)[0]
      ?.split(' ')
      .slice(1) ?? [];
  const end = words.findIndex((word) => !/^[a-z]+([|][a-z]+)*$/.test(word));
  return (end === -1 ? words : words.slice(0, end)).reduce<string[]>(
    (ways, word) => ways.flatMap((way) => word.split('|').map((one) => `${way} ${one}`)),
    ['./bridge'],
  );
}
const isOutline = (line: string): boolean => /[|[…]|\b[A-Z]{2,}\b/.test(line.replace(/"[^"]*"/g, '""'));
const root = join(__dirname, '../../..');
const pages = globSync(['README.md', 'CONTRIBUTING.md', 'docs/*.md', 'filemaker/*.md'], { cwd: root });
const typed = pages.flatMap((page) =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^ *(?:\$ )?(?:sudo -u bridge )?(\.\/bridge [^\n]+)$/gm)].map(
    ([, line = '']) => line.replace(/\s+#.*$/, ''),
  ),
);

test('README, CONTRIBUTING and docs have commands to look at', () => {
  expect(typed.length).toBeGreaterThan(40);
});

test.each([...new Set(typed)])('a page says %s', async (line) => {
  if (!isOutline(line)) return expect(await refusal(line.replace(/\s{2,}.*$| [>|&].*$/, ''))).toBeUndefined();
  const ways = waysThrough(line);
  expect(ways.length).toBeGreaterThan(0);
  for (const way of ways) expect([way, await refusal(`${way} --help`)]).toEqual([way, undefined]);
});
