import { flowNames } from '@bridge/flows';
import { parseScope, pauseScope, scopeAsTyped } from '@bridge/operations';
import type { Command } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { CommandError } from '../failure';
import { examples, jsonOption, whyOption } from '../options';

export const SCOPE_HELP = 'filemaker, stripe, notices, script NAME or flow NAME';

export function scopeOf(words: readonly string[]): string {
  const scope = parseScope(words);
  if (scope === undefined) throw new CommandError('SCOPE_UNKNOWN', `Name what to stop or start: ${SCOPE_HELP}.`, 2);
  return scope;
}

/** Wrong usage, where the scope names a flow that this build does not have. */
export function refuseUnknownFlow(scope: string): void {
  const flow = /^flow:(.*)$/.exec(scope)?.[1];
  if (flow !== undefined && !flowNames.includes(flow))
    throw new CommandError('FLOW_UNKNOWN', `There is no flow ${flow}. There are: ${flowNames.join(', ')}.`, 2);
}

async function run(words: readonly string[], why: string): Promise<CommandResult> {
  const scope = scopeOf(words);
  // Nothing would stand still, while the person believes that it does.
  refuseUnknownFlow(scope);
  await withDatabase(({ database }) => pauseScope(database, scope, { by: operatorAtKeyboard(), why }));
  const typed = scopeAsTyped(scope);
  return {
    fine: true,
    json: { scope, paused: true },
    text: (output) =>
      `${output.dress('fine', 'Paused:')} ${typed}. What is under way is finished; the rest waits. Go on with: ./bridge resume ${typed} --why "…"`,
  };
}

export function addPause(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('pause')
    .argument('<scope...>', SCOPE_HELP)
    .summary('stop work until you resume it')
    .description('Stops work in every process until somebody resumes it. Webhooks are still taken; nothing is lost.')
    .addOption(whyOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('./bridge pause filemaker --why "server update"', './bridge pause flow invoices --why "stocktaking"'),
    )
    .action((words: string[], { why }: { why: string }) => report(() => run(words, why)));
}
