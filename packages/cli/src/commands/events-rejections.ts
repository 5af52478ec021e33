import { listRejections } from '@bridge/operations';
import type { Command } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { cursorOption, examples, jsonOption, limitOption } from '../options';
import { renderTable } from '../table';

async function run(filter: { before?: string; limit: number }): Promise<CommandResult> {
  const { page, timeZone } = await withDatabase(async ({ database, config }) => ({
    page: await listRejections(database, filter),
    timeZone: config.timezone,
  }));
  return {
    fine: true,
    timeZone,
    json: { rejections: page.rows, next: page.next },
    text: (output) =>
      page.rows.length === 0
        ? 'No request was refused.'
        : [
            renderTable(
              page.rows,
              [
                { heading: 'Id', cell: (row) => row.id },
                { heading: `Came (${output.timeZone})`, cell: (row) => output.time(row.receivedAt), least: 16 },
                { heading: 'Why', cell: (row) => row.reason, least: 20 },
                { heading: 'Bytes', cell: (row) => String(row.bytes), align: 'right' },
                { heading: 'From', cell: (row) => row.remote ?? '', least: 12 },
              ],
              output,
            ),
            ...(page.next === null ? [] : ['', output.dress('quiet', `Older ones: --before ${page.next}`)]),
          ].join('\n'),
  };
}

export function addEventsRejections(
  events: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  events
    .command('rejections')
    .summary('webhooks that were refused at the door')
    .description(
      'Lists requests to the webhook address that were refused: a wrong signature, no event, too large. The last 1,000 are kept, without their bodies.',
    )
    .addOption(cursorOption())
    .addOption(limitOption())
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge events rejections', './bridge events rejections --json'))
    .action((filter: { before?: string; limit: number }) => report(() => run(filter)));
}
