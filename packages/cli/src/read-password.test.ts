import { PassThrough } from 'node:stream';
import { readPassword } from './read-password';

/** A terminal at which these lines are typed, each when it is asked for. */
function terminal(...typed: string[]): { input: NodeJS.ReadStream; asked: string[] } {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const asked: string[] = [];
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    if (text === '\n') return true;
    asked.push(String(text));
    const line = typed.shift();
    setImmediate(() => input.write(`${line}\r`));
    return true;
  });
  return { input: input as unknown as NodeJS.ReadStream, asked };
}

afterEach(() => jest.restoreAllMocks());

test('who chooses a password is told the rule before typing it', async () => {
  const { input, asked } = terminal('a long enough one', 'a long enough one');
  expect(await readPassword(input)).toBe('a long enough one');
  expect(asked).toEqual(['Password (10 characters or more): ', 'Once more: ']);
});

test('a password that breaks the rule is refused, and not asked for once more', async () => {
  const { input, asked } = terminal('short');
  await expect(readPassword(input)).rejects.toMatchObject({ code: 'PASSWORD_UNFIT' });
  expect(asked).toHaveLength(1);
});
