import { releaseEffect } from '@bridge/operations';
import type { Command } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption, rowId, whyOption } from '../options';

async function run(id: string, why: string): Promise<CommandResult> {
  const release = await withDatabase(({ database }) => releaseEffect(database, id, { by: operatorAtKeyboard(), why }));
  if (release.kind === 'refused') {
    const { code, reason } = release;
    return {
      fine: false,
      json: { released: false, id, code, reason },
      text: (output) => `${output.dress('waits', 'Not released.')} ${reason}`,
    };
  }
  const { title, checkFirst } = release;
  return {
    fine: true,
    json: { released: true, id, title, checkFirst },
    text: (output) =>
      `${output.dress('fine', 'Released:')} ${title}. ${
        checkFirst
          ? 'FileMaker is asked first; the script runs only if it has not run.'
          : 'It is sent without asking, since nothing there can tell whether it has run.'
      }`,
  };
}

export function addEffectsRelease(
  effects: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  effects
    .command('release')
    .argument('<id>', 'number of a parked effect', rowId)
    .summary('let a parked effect go on')
    .description(
      'Decides that a parked effect goes on. FileMaker is asked first where it can be asked. Refused for effects that are done, under way or unknown.',
    )
    .addOption(whyOption())
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge effects release 12 --why "the customer paid twice on purpose"'))
    .action((id: string, { why }: { why: string }) => report(() => run(id, why)));
}
