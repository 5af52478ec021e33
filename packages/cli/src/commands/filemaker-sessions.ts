import { type FileMakerSessions, listFileMakerSessions } from '@bridge/operations';
import type { Command } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { printable, renderTable, wrap } from '../table';

type Listed = FileMakerSessions['sessions'][number];

function holder({ leasedBy, holderAlive }: Listed): string {
  if (leasedBy === null) return '';
  return holderAlive === false ? `${leasedBy}, which is dead` : leasedBy;
}

function describe(listed: FileMakerSessions, output: Output): string {
  const { sessions, cap, pool, closures } = listed;
  const time = (date: Date | null): string => (date === null ? '' : output.time(date));
  const count = `${sessions.length} of ${cap ?? 'an unknown number of'} sessions.`;
  return [
    ...closures.map(({ kind, cause, detail }) =>
      output.dress('broken', wrap(`✗ ${kind}, ${cause}: ${printable(detail)}`, output.width, '  ')),
    ),
    ...(pool.heldBecause === null
      ? []
      : [output.dress('waits', `! No login before ${time(pool.heldUntil)} ${output.timeZone}: ${pool.heldBecause}.`)]),
    count,
    ...(sessions.length === 0
      ? []
      : [
          '',
          renderTable(
            sessions,
            [
              { heading: 'No.', cell: ({ id }) => id },
              { heading: 'State', cell: ({ state }) => state },
              { heading: `Opened (${output.timeZone})`, cell: ({ openedAt }) => time(openedAt), least: 16 },
              { heading: 'Last answer', cell: ({ answeredAt }) => time(answeredAt) },
              { heading: 'On loan since', cell: ({ leasedAt }) => time(leasedAt) },
              { heading: 'To', cell: holder, least: 12 },
            ],
            output,
          ),
        ]),
    '',
    output.dress('quiet', 'As PostgreSQL knows them. What is open and not on loan may still be in quarantine.'),
  ].join('\n');
}

async function run(): Promise<CommandResult> {
  const { listed, timeZone } = await withDatabase(async ({ database, config }) => ({
    listed: await listFileMakerSessions(database, config.filemaker?.maxSessions),
    timeZone: config.timezone,
  }));
  return { fine: listed.fine, json: listed, timeZone, text: (output) => describe(listed, output) };
}

export function addFileMakerSessions(
  filemaker: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  filemaker
    .command('sessions')
    .summary('which FileMaker sessions the bridge holds')
    .description(
      'Lists the sessions that count against FILEMAKER_MAX_SESSIONS and who has them on loan, from PostgreSQL alone. Never shows a token. Exit 1: something keeps sessions from being opened or lent.',
    )
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge filemaker sessions', './bridge filemaker sessions --json | jq .sessions'))
    .action(() => report(run));
}
