import { resumeScope, scopeAsTyped } from '@bridge/operations';
import type { Command } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption, whyOption } from '../options';
import { refuseUnknownFlow, SCOPE_HELP, scopeOf } from './pause';

async function run(words: readonly string[], why: string): Promise<CommandResult> {
  const scope = scopeOf(words);
  const { lifted, circuitClosed } = await withDatabase(({ database }) =>
    resumeScope(database, scope, { by: operatorAtKeyboard(), why }),
  );
  // Only now: what stopped a flow of an older build can still be lifted.
  if (lifted === 0) refuseUnknownFlow(scope);
  const typed = scopeAsTyped(scope);
  const peer = scope === 'filemaker' ? 'FileMaker' : 'Stripe';
  const tried = circuitClosed
    ? ` It counted as away; ${peer} is called again at once, and counts as away again if it does not answer.`
    : '';
  return {
    fine: lifted > 0 || circuitClosed,
    json: { scope, lifted, circuitClosed },
    text: (output) =>
      lifted > 0 || circuitClosed
        ? `${output.dress('fine', 'Resumed:')} ${typed}.${tried}`
        : `${output.dress('waits', 'Nothing to resume:')} ${typed} is neither paused nor halted.`,
  };
}

export function addResume(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('resume')
    .argument('<scope...>', SCOPE_HELP)
    .summary('lift a pause or a halt')
    .description(
      'Lifts what a person paused or a fault halted. Mend the fault first, or it halts again. For filemaker and stripe it also ends the wait for a peer that counts as away.',
    )
    .addOption(whyOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge resume filemaker --why "the password is right again"',
        './bridge resume script SHIP --why "done"',
      ),
    )
    .action((words: string[], { why }: { why: string }) => report(() => run(words, why)));
}
