import { assertMigrated } from '@bridge/database';
import { checkFileMaker, type FileMakerCheck, type FileMakerFault } from '@bridge/operations';
import type { Command } from 'commander';
import { migrationSources, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { renderFacts } from '../facts';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { renderTable, wrap } from '../table';

const STEP_NAMES: Readonly<Record<Step['name'], string>> = {
  server: 'Server',
  gates: 'Halts and pauses',
  login: 'Login',
  scripts: 'Scripts and layouts',
  log: 'Log',
  handoff: 'Hand-off',
  probes: 'Probes',
  account: 'What the account sees',
  'busy-flag': 'Busy or free',
  headroom: 'Sessions at once',
  latency: 'Latency',
  cart: 'Cart lines that fit',
};
const MARKS = { fine: '✓', broken: '✗', note: '·', quiet: '–' } as const;
type Step = FileMakerCheck['steps'][number];

function toneOf({ outcome, codes }: Step, faults: readonly FileMakerFault[]): keyof typeof MARKS {
  if (outcome === 'fine') return 'fine';
  if (outcome === 'not-checked') return 'quiet';
  return faults.some(({ code, weight }) => weight === 'broken' && codes.includes(code)) ? 'broken' : 'note';
}

function describeFault({ weight, code, what, why, todo }: FileMakerFault, output: Output): string {
  const paragraph = (text: string): string => `  ${wrap(text, output.width - 2, '  ')}`;
  return [
    `${output.dress(weight, `${MARKS[weight]} ${code}`)}`,
    paragraph(what),
    output.dress('quiet', paragraph(`Why: ${why}`)),
    output.dress('command', paragraph(`Do: ${todo}`)),
  ].join('\n');
}

function describe(check: FileMakerCheck, output: Output): string {
  const broken = check.faults.filter(({ weight }) => weight === 'broken');
  const notes = check.faults.filter(({ weight }) => weight === 'note');
  const sum =
    broken.length > 0
      ? output.dress(
          'broken',
          `${broken.length} of these ${broken.length === 1 ? 'keeps' : 'keep'} payments from arriving, or from being proved.`,
        )
      : output.dress(
          'fine',
          notes.length > 0 ? 'It works; the notes make it safer.' : 'Everything is as it should be.',
        );
  return [
    renderFacts(
      [
        ['Server', check.server.url],
        ['File', check.server.database],
      ],
      output,
    ),
    '',
    renderTable(
      check.steps,
      [
        {
          heading: '',
          cell: (step) => MARKS[toneOf(step, check.faults)],
          tone: (step) => toneOf(step, check.faults),
        },
        { heading: 'Looked at', cell: ({ name }) => STEP_NAMES[name] },
        { heading: 'Seen', cell: ({ detail }) => detail, least: 30 },
      ],
      output,
    ),
    ...[...broken, ...notes].flatMap((found) => ['', describeFault(found, output)]),
    '',
    sum,
  ].join('\n');
}

async function run({ sessions }: { sessions?: boolean }): Promise<CommandResult> {
  const check = await withDatabase(async ({ database, config }) => {
    if (config.filemaker === undefined)
      throw new CommandError(
        'FILEMAKER_NOT_CONFIGURED',
        'FILEMAKER_URL, _DATABASE, _USERNAME and _PASSWORD must all be given.',
        78,
      );
    await assertMigrated(config.database.url, migrationSources);
    return checkFileMaker({
      database,
      filemaker: config.filemaker,
      redis: config.redis,
      facts: config.invoices.facts,
      payload: config.invoices.payload,
      sessions: sessions === true,
    });
  });
  return { fine: check.fine, json: check, text: (output) => describe(check, output) };
}

export function addFileMakerCheck(
  filemaker: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  filemaker
    .command('check')
    .summary('is everything there that the bridge needs?')
    .description(
      "Looks at the configured FileMaker Server: reachable, login, layouts, scripts, log, hand-off, privileges, speed, and how many cart lines fit. Runs no script. Takes its session out of the workers' cap and gives it back. Leaves one row of its own in the log and one in the hand-off table. Exit 1: something keeps payments from arriving or from being proved.",
    )
    .option('--sessions', 'also have FILEMAKER_MAX_SESSIONS sessions at the same moment; the workers wait meanwhile')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge filemaker check',
        './bridge filemaker check --sessions',
        "./bridge filemaker check --json | jq '.faults[].code'",
      ),
    )
    .action((options: { sessions?: boolean }) => report(() => run(options)));
}
