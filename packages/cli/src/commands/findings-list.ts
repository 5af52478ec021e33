import { flows } from '@bridge/flows';
import { FINDING_STATES, listFindings, moneyText, readReplayedFindings, totalFindings } from '@bridge/operations';
import { type Command, Option } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { findingTable } from '../finding-table';
import { examples, jsonOption, limitOption } from '../options';

/** Of `--state`: one of them, or every one. */
const STATES = [...FINDING_STATES, 'all'] as const;

interface Filter {
  state: (typeof STATES)[number];
  class?: string;
  object?: string;
  run?: string;
  limit: number;
}

const NONE: Readonly<Record<Filter['state'], string>> = {
  open: 'No finding is open: as far as was looked, the books agree.',
  fixed: 'No finding is fixed.',
  accepted: 'No finding is accepted.',
  all: 'There is no finding, neither open nor fixed nor accepted.',
};

async function run({ object, state, ...filter }: Filter): Promise<CommandResult> {
  const { findings, replayed, totals, timeZone } = await withDatabase(async ({ database, config }) => {
    const found = await listFindings(database, {
      ...filter,
      ...(state === 'all' ? {} : { state }),
      ...(object === undefined ? {} : { objectId: object }),
    });
    return {
      findings: found,
      replayed: await readReplayedFindings(database, flows, found),
      totals: await totalFindings(database, {}),
      timeZone: config.timezone,
    };
  });
  const money = totals.map((total) => `${total.class} ${moneyText(total.amount, total.currency)} (${total.findings})`);
  return {
    fine: true,
    timeZone,
    json: {
      findings: findings.map((finding) => ({ ...finding, replayed: replayed.get(finding.id) ?? null })),
      open: totals,
    },
    text: (output) =>
      [
        findings.length === 0 ? NONE[state] : findingTable(findings, replayed, output),
        ...(money.length === 0 ? [] : ['', `Open in all: ${money.join(', ')}`]),
      ].join('\n'),
  };
}

export function addFindingsList(
  findings: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  findings
    .command('list')
    .summary('where the books differ, the newest first')
    .description('Lists where Stripe, our records and FileMaker differ, with the money at risk, the newest first.')
    .addOption(new Option('--state <state>', 'findings in this state, or all of them').choices(STATES).default('open'))
    .addOption(new Option('--class <class>', 'only of this class, such as paid-not-recorded'))
    .addOption(new Option('--object <id>', 'only about this object, such as cs_…'))
    .addOption(new Option('--run <number>', 'only those that this run saw last'))
    .addOption(limitOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('./bridge findings list', './bridge findings list --state all', './bridge findings list --json'),
    )
    .action((filter: Filter) => report(() => run(filter)));
}
