import { reprocessEvent } from '@bridge/operations';
import type { Command } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption, NO_REASON, optionalWhyOption } from '../options';

async function run(id: string, why: string): Promise<CommandResult> {
  const result = await withDatabase(({ database }) => reprocessEvent(database, id, { by: operatorAtKeyboard(), why }));
  if (result.kind === 'refused') {
    const { code, reason } = result;
    return {
      fine: false,
      json: { reprocessed: false, id, code, reason },
      text: (output) => `${output.dress('waits', 'Not read again.')} ${reason}`,
    };
  }
  const { id: row, eventId, eventType } = result;
  return {
    fine: true,
    json: { reprocessed: true, id: row, eventId, eventType },
    text: (output) => `${output.dress('fine', 'Will be read again:')} ${eventType} ${eventId}. Nothing is done twice.`,
  };
}

export function addEventsReprocess(
  events: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  events
    .command('reprocess')
    .argument('<id>', 'number of a finished or parked event, or its id at Stripe')
    .summary('read an event once more')
    .description(
      'Reads a processed, ignored or parked event once more. What it led to before is not done twice: effects are keyed by what they mean.',
    )
    .addOption(optionalWhyOption())
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge events reprocess 34 --why "the invoice id was added at Stripe"'))
    .action((id: string, { why }: { why?: string }) => report(() => run(id, why ?? NO_REASON)));
}
