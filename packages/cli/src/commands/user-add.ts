import { hashPassword, isOperatorName, putOperator } from '@bridge/operations';
import { type Command, InvalidArgumentError } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption } from '../options';
import { PASSWORD_LENGTH_MIN, readPassword } from '../read-password';

function operatorName(text: string): string {
  if (!isOperatorName(text)) throw new InvalidArgumentError('A name has 1 to 64 characters, no spaces and no colon.');
  return text;
}

async function run(name: string, printHash: boolean): Promise<CommandResult> {
  const passwordHash = await hashPassword(await readPassword());
  if (printHash) {
    const line = `${name}:${passwordHash}`;
    return { fine: true, json: { name, consoleAdmin: line }, text: () => `CONSOLE_ADMIN='${line}'` };
  }
  const outcome = await withDatabase(({ database }) =>
    putOperator(database, { name, passwordHash }, operatorAtKeyboard()),
  );
  return {
    fine: true,
    json: { name, outcome },
    text: (output) =>
      outcome === 'added'
        ? `${output.dress('fine', 'Added:')} ${name} can log in now.`
        : `${output.dress('fine', 'Changed:')} ${name} has a new password and is logged out everywhere.`,
  };
}

export function addUserAdd(user: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  user
    .command('add')
    .argument('<name>', 'name to log in with', operatorName)
    .summary('let somebody log in at the console')
    .description(
      `Adds an operator, or gives one a new password. The password (${PASSWORD_LENGTH_MIN} characters or more) is asked for, or read from standard input.`,
    )
    .option('--print-hash', 'only print the CONSOLE_ADMIN setting for it; no database is needed')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge user add ada',
        'printf %s "$PASSWORD" | ./bridge user add ada',
        './bridge user add ada --print-hash',
      ),
    )
    .action((name: string, { printHash }: { printHash?: boolean }) => report(() => run(name, printHash === true)));
}
