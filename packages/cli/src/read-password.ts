import { PASSWORD_LENGTH_MAX } from '@bridge/operations';
import { CommandError } from './failure';

export const PASSWORD_LENGTH_MIN = 10;

/** From a terminal: asked twice, the rule said first, and not shown. From a pipe: its first line. */
export async function readPassword(input: NodeJS.ReadStream = process.stdin): Promise<string> {
  const question = `Password (${PASSWORD_LENGTH_MIN} characters or more): `;
  const password = input.isTTY ? await askHidden(input, question) : await readFirstLine(input);
  if (password.length < PASSWORD_LENGTH_MIN || password.length > PASSWORD_LENGTH_MAX) {
    throw new CommandError(
      'PASSWORD_UNFIT',
      `A password has ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters.`,
      2,
    );
  }
  if (input.isTTY && (await askHidden(input, 'Once more: ')) !== password)
    throw new CommandError('PASSWORDS_DIFFER', 'The two passwords differ.', 2);
  return password;
}

async function readFirstLine(input: NodeJS.ReadStream): Promise<string> {
  input.setEncoding('utf8');
  let text = '';
  for await (const piece of input) {
    text += String(piece);
    if (text.includes('\n') || text.length > PASSWORD_LENGTH_MAX * 2) break;
  }
  return (text.split('\n')[0] ?? '').replace(/\r$/, '');
}

/** Asks on a terminal without showing what is typed. */
export function askHidden(input: NodeJS.ReadStream, question: string): Promise<string> {
  process.stderr.write(question);
  input.setRawMode(true);
  input.setEncoding('utf8');
  input.resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (): void => {
      input.off('data', onData);
      input.setRawMode(false);
      input.pause();
      process.stderr.write('\n');
    };
    const onData = (chunk: string): void => {
      for (const letter of chunk) {
        if (letter === '\r' || letter === '\n' || letter === '\u0004') {
          end();
          resolve(typed);
          return;
        }
        if (letter === '\u0003') {
          end();
          reject(new CommandError('INTERRUPTED', 'Nothing was changed.', 1));
          return;
        }
        typed = letter === '\u007f' || letter === '\b' ? [...typed].slice(0, -1).join('') : typed + letter;
      }
    };
    input.on('data', onData);
  });
}
