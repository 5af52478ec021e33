import { CommanderError } from 'commander';
import type { CommandResult } from './command-result';
import { createProgram } from './create-program';
import { describeFailure, failureText } from './failure';
import { createOutput } from './output';

/** With --json `up` prints one object a line from its start to its end, also when it does not come to start. */
const printsLines = (args: readonly string[]): boolean => args.find((word) => !word.startsWith('-')) === 'up';

/** Results go to standard output, messages to standard error, and the exit code says which of them to read. */
async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const failureSpaces = printsLines(args) ? 0 : 2;
  let exitCode = 0;
  const report = async (work: () => Promise<CommandResult>): Promise<void> => {
    const result = await work();
    const output = createOutput({ timeZone: result.timeZone ?? 'UTC' });
    const spaces = result.oneLine === true ? 0 : 2;
    if (json) process.stdout.write(`${JSON.stringify(result.json, null, spaces)}\n`);
    else if (result.bytes !== undefined && !process.stdout.isTTY) process.stdout.write(result.bytes);
    else process.stdout.write(`${result.text(output)}\n`);
    if (!result.fine) exitCode = 1;
  };
  try {
    await createProgram(report).parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has said what was wrong; asked-for help and version end with 0.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      const message = error.code === 'commander.help' ? 'No command was given.' : error.message.replace(/^error: /, '');
      if (json)
        process.stdout.write(`${JSON.stringify({ error: { code: 'WRONG_USAGE', message } }, null, failureSpaces)}\n`);
      return 2;
    }
    const failure = describeFailure(error);
    if (json) {
      const { code, message } = failure;
      process.stdout.write(`${JSON.stringify({ error: { code, message } }, null, failureSpaces)}\n`);
    }
    process.stderr.write(`${failureText(failure, createOutput({ timeZone: 'UTC', stream: process.stderr }))}\n`);
    return failure.exitCode;
  }
}

// `bridge events list | head` closes the pipe early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

main(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error: unknown) => {
    process.stderr.write(`bridge: ${describeFailure(error).message}\n`);
    process.exitCode = 1;
  },
);
