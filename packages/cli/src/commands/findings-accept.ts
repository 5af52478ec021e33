import { acceptFinding } from '@bridge/operations';
import type { Command } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption, whyOption } from '../options';

async function run(id: string, why: string): Promise<CommandResult> {
  const accepted = await withDatabase(({ database }) => acceptFinding(database, id, { by: operatorAtKeyboard(), why }));
  if (accepted.kind === 'refused') {
    const { code, reason } = accepted;
    return {
      fine: false,
      json: { accepted: false, id, code, reason },
      text: (output) => `${output.dress('waits', 'Not changed.')} ${reason}`,
    };
  }
  const { finding } = accepted;
  return {
    fine: true,
    json: { accepted: true, id, class: finding.class, objectId: finding.objectId },
    text: (output) =>
      `${output.dress('fine', 'Accepted:')} ${finding.class} of ${finding.objectId}. It is told again only if one of its values changes.`,
  };
}

export function addFindingsAccept(
  findings: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  findings
    .command('accept')
    .argument('<id>', 'number of an open finding')
    .summary('say that a difference may stay')
    .description('Your word that a difference between the books may stay as it is. Nothing is changed in any book.')
    .addOption(whyOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('./bridge findings accept 12 --why "booked by hand under another number, seen in FileMaker"'),
    )
    .action((id: string, { why }: { why: string }) => report(() => run(id, why)));
}
