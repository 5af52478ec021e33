import { flows } from '@bridge/flows';
import {
  moneyText,
  type NextLook,
  type ReplayedFinding,
  readNextLook,
  readReplayedFindings,
  type ShownFinding,
  showFinding,
} from '@bridge/operations';
import type { Command } from 'commander';
import { renderAudit } from '../audit-table';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { renderFacts } from '../facts';
import { CommandError } from '../failure';
import { standingOf } from '../finding-table';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { printable } from '../table';

function waysOut({ finding }: ShownFinding, replayed: ReplayedFinding | undefined, output: Output): string[] {
  if (finding.state !== 'open') return [];
  const command = (text: string): string => output.dress('command', text);
  if (replayed?.kind === 'parked')
    return ['', `Its replay waits for you: ${replayed.reason ?? replayed.code}`, `Next: ${command(replayed.next)}`];
  if (replayed?.kind === 'over') return ['', `Nothing comes of its replay. Look at it: ${command(replayed.next)}`];
  if (finding.actedAt !== null) return [];
  return [
    '',
    ...(finding.replay === null || finding.beforeStart
      ? []
      : [`It is replayed by the next reconciliation, or now: ${command(`./bridge replay finding:${finding.id}`)}`]),
    `All about this payment: ${command(`./bridge prove ${finding.objectId}`)}`,
    `If it may stay so: ${command(`./bridge findings accept ${finding.id} --why "…"`)}`,
  ];
}

/** When the books are compared about it again: until then it stays open, also when all is right by now. */
function nextLook(next: NextLook | undefined, output: Output): string | null {
  if (next === undefined) return null;
  const { schedule, when } = next;
  if (when === 'off') return `not by the clock: ${schedule} is off; ./bridge reconcile looks`;
  if ('cron' in when) return `at ${when.cron}, by ${schedule}`;
  return `${output.time(when.at)}, by ${schedule}`;
}

interface Described extends ShownFinding {
  replayed: ReplayedFinding | undefined;
  next: NextLook | undefined;
}

function describe({ replayed, next, ...shown }: Described, output: Output): string {
  const { finding } = shown;
  const time = (date: Date | null): string | null => (date === null ? null : output.time(date));
  const audit = renderAudit(shown.audit, output);
  return [
    output.dress('heading', printable(finding.message)),
    '',
    renderFacts(
      [
        ['Class', finding.class],
        ['Stands', standingOf(finding, replayed), finding.state === 'open' ? 'waits' : 'quiet'],
        ['Money at risk', moneyText(finding.amount, finding.currency)],
        ['Object', finding.objectId],
        ['At Stripe', finding.stripeValue],
        ['Recorded', finding.recordedValue],
        ['In FileMaker', finding.filemakerValue],
        ['Flow', finding.flow],
        ['First seen', `${output.time(finding.firstSeen)}, run ${finding.firstRun}`],
        ['Last seen', `${output.time(finding.lastSeen)}, run ${finding.lastRun}`],
        ['Next look', nextLook(next, output)],
        ['Replayed', time(finding.actedAt)],
        ['As event', finding.inboxId],
        ['Right since', time(finding.fixedAt)],
        ['Accepted', time(finding.acceptedAt)],
        ['By', finding.acceptedBy],
        ['Why', finding.acceptedWhy],
      ],
      output,
    ),
    ...(audit === '' ? [] : ['', audit]),
    ...waysOut(shown, replayed, output),
    '',
    output.dress('quiet', `Times in ${output.timeZone}.`),
  ].join('\n');
}

async function run(id: string): Promise<CommandResult> {
  const { shown, replayed, next, timeZone } = await withDatabase(async ({ database, config }) => {
    const found = await showFinding(database, id);
    const ends = await readReplayedFindings(database, flows, found === undefined ? [] : [found.finding]);
    const look = found && (await readNextLook(database, { flows, schedules: config.schedules }, found.finding));
    return { shown: found, replayed: ends.get(id), next: look, timeZone: config.timezone };
  });
  if (shown === undefined) throw new CommandError('FINDING_NOT_FOUND', `There is no finding ${id}.`);
  return {
    fine: true,
    timeZone,
    json: { ...shown, replayed: replayed ?? null, nextLook: next ?? null },
    text: (output) => describe({ ...shown, replayed, next }, output),
  };
}

export function addFindingsShow(
  findings: Command,
  report: (work: () => Promise<CommandResult>) => Promise<void>,
): void {
  findings
    .command('show')
    .argument('<id>', 'number of a finding')
    .summary('one finding with the value in each book')
    .description('Shows where the books differ about one payment, the money at risk, and how it ended or can end.')
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge findings show 12', './bridge findings show 12 --json'))
    .action((id: string) => report(() => run(id)));
}
