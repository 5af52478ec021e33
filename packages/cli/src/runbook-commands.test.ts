// What runbooks, the doctor and the status tell people to type can be typed.
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
