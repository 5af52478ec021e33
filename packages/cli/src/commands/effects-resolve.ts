import { type EffectResolution, RESOLUTIONS, type Refused, type Resolution, resolveEffect } from '@bridge/operations';
import { type Command, Option } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption, whyOption } from '../options';
import { foldBehind } from '../table';

function sentence(resolved: Exclude<EffectResolution, Refused>): string {
  switch (resolved.as) {
    case 'again':
      return resolved.checkFirst
        ? "FileMaker's log is asked first; the script runs only if it has not run."
        : 'It is sent without asking: nothing there can prove that it has not run, so your word counts.';
    case 'done':
      return 'It counts as done, by your word and not by proof.';
    case 'cancelled':
      return resolved.was === 'unknown'
        ? 'It is not sent again. Whether it ran before stays unknown.'
        : 'It is not sent any more.';
  }
}

async function run(id: string, as: Resolution, why: string): Promise<CommandResult> {
  const resolved = await withDatabase(({ database }) =>
    resolveEffect(database, id, { as, by: operatorAtKeyboard(), why }),
  );
  const { kind, ...told } = resolved;
  if (resolved.kind === 'refused') {
    return {
      fine: false,
      json: { resolved: false, id, ...told },
      text: (output) => foldBehind('waits', 'Not changed.', resolved.reason, output),
    };
  }
  const heading = { again: 'Goes on:', done: 'Done:', cancelled: 'Cancelled:' }[as];
  return {
    fine: true,
    json: { resolved: true, ...told },
    text: (output) => foldBehind('fine', heading, `${resolved.title}. ${sentence(resolved)}`, output),
  };
}

export function addEffectsResolve(
  effects: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  effects
    .command('resolve')
    .argument('<id>', 'number of a parked or unknown effect, or its key')
    .summary('decide about an effect that is parked or unknown')
    .description(
      "Your word about an effect that waits. done: it has happened. again: it has not, and shall (parked ones only; FileMaker's log is asked first where there is one). cancelled: it shall not happen.",
    )
    .addOption(new Option('--as <decision>', 'what it shall be').choices(RESOLUTIONS).makeOptionMandatory())
    .addOption(whyOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge effects resolve 12 --as again --why "the customer paid twice on purpose"',
        './bridge effects resolve 12 --as done --why "booked by hand, seen in FileMaker"',
      ),
    )
    .action((id: string, { as, why }: { as: Resolution; why: string }) => report(() => run(id, as, why)));
}
