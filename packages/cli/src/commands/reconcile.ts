import type { Database } from '@bridge/database';
import { flows } from '@bridge/flows';
import {
  askReconcile,
  findReconcileRun,
  giveUpReconcile,
  isWorkerThere,
  listFindings,
  moneyText,
  totalFindings,
} from '@bridge/operations';
import { type Command, Option } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { CommandError } from '../failure';
import { findingTable } from '../finding-table';
import { examples, jsonOption, momentOption, yesOption } from '../options';
import { createOutput, type Output } from '../output';
import { createProgressLine } from '../progress';
import { askYesNo, terminalPrompter } from '../prompter';
import { renderTable } from '../table';
import { createWorkerWatch, lostSight, NOBODY_THERE } from '../worker-watch';

type Run = Awaited<ReturnType<typeof askReconcile>>;
type Total = Awaited<ReturnType<typeof totalFindings>>[number];
type Finding = Awaited<ReturnType<typeof listFindings>>[number];

interface ReconcileOptions {
  since?: Date;
  until?: Date;
  dryRun?: boolean;
  yes?: boolean;
  json?: boolean;
}

const LOOK_EVERY_MS = 500;
const SHOWN_MAX = 50;
const JSON_MAX = 1_000;
/** The newest minute belongs to the webhooks, which are on their way. */
const LEAVE_TO_WEBHOOKS_MS = 60_000;

const usage = (message: string): CommandError => new CommandError('RECONCILE_USAGE', message, 2);

/** What a person means by reconciling. */
function passOf(name: string): { name: string; lookBackMs: number } {
  const flow = flows.find((one) => one.name === name);
  if (flow === undefined)
    throw usage(`There is no flow ${name}. There are: ${flows.map((one) => one.name).join(', ')}.`);
  const pass = flow.passes.find(({ byHand }) => byHand === true);
  if (pass === undefined) throw usage(`The flow ${name} has nothing to compare by hand.`);
  return pass;
}

const noWorker = (): CommandError =>
  new CommandError('NO_WORKER', 'No worker is alive, and workers do the work. Start one: ./bridge up');

/** What was committed page by page stays; the rest of the window is asked for anew. */
const givenUp = ({ id, checked, found }: Run): CommandError =>
  new CommandError(
    'NO_WORKER',
    `No worker was there for a minute: run ${id} is given up after ${checked} checked and ${found} found. What it did stays (./bridge findings list --run ${id}). Start a worker (./bridge up) and ask again.`,
  );

/** Waits until a worker has ended the run, with a progress line. */
async function follow(database: Database, id: string, what: string, quiet: boolean): Promise<Run> {
  const line = createProgressLine({ quiet });
  const workers = createWorkerWatch(() => isWorkerThere(database));
  try {
    for (;;) {
      const run = await findReconcileRun(database, id);
      if (run === undefined) throw new CommandError('RUN_NOT_FOUND', `Run ${id} is gone.`);
      if (run.state !== 'wanted' && run.state !== 'running') return run;
      const seen = await workers.look();
      // A worker that has come back this instant has it in hand: then it is not given up, and waited for.
      if (seen === 'gone' && (await giveUpReconcile(database, id, 'No worker was there for a minute')))
        throw givenUp(run);
      line.show({
        what: `${what}, ${run.checked} checked, ${run.found} found:`,
        done: Math.floor(run.share * 100),
        total: 100,
        inPercent: true,
        perSecond: undefined,
        waits: seen === 'there' ? (run.state === 'wanted' ? run.reason : null) : NOBODY_THERE,
      });
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  } catch (error) {
    throw lostSight(error, `Run ${id} goes on in the workers; what it finds: ./bridge findings list --run ${id}`);
  } finally {
    line.end();
  }
}

interface Told {
  run: Run;
  totals: Total[];
  findings: Finding[];
  /** Why nothing was replayed although something could be. */
  note: string | undefined;
}

async function carryOut(
  database: Database,
  order: Omit<Parameters<typeof askReconcile>[1], 'by'>,
  quiet: boolean,
): Promise<Told> {
  if (!(await isWorkerThere(database))) throw noWorker();
  const asked = await askReconcile(database, { ...order, by: operatorAtKeyboard() });
  const run = await follow(database, asked.id, order.mode === 'act' ? 'Reconciling' : 'Looking', quiet);
  const totals = await totalFindings(database, { run: run.id });
  // Those whose replay is done already stand closed among them.
  const seen = await listFindings(database, { run: run.id, limit: JSON_MAX });
  return { run, totals, findings: seen.filter(({ state }) => state !== 'accepted'), note: undefined };
}

function checkedSentence(run: Run): string {
  const left = run.listed - run.checked;
  return [
    `Checked ${run.checked} of ${run.listed}`,
    ...(left === 0 ? [] : [`${left} too young or in hand`]),
    ...(run.unasked === 0 ? [] : [`${run.unasked} could not be asked about in FileMaker`]),
  ].join(', ');
}

const many = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** A comparison of nothing looks like agreement, and is none. */
function agreement(run: Run, output: Output): string {
  if (run.checked > 0) return output.dress('fine', 'The books agree.');
  return output.dress(
    'note',
    run.listed === 0
      ? 'Nothing was compared: no payment of this time was old enough. The last minute is left to the webhooks.'
      : `Nothing was compared: ${run.listed === 1 ? 'the only payment is' : `all ${run.listed} payments are`} too young or in hand. Look again in ten minutes.`,
  );
}

function totalTable(totals: readonly Total[], output: Output): string {
  return renderTable(
    totals,
    [
      { heading: 'Class', cell: (total) => total.class },
      { heading: 'Findings', cell: (total) => String(total.findings), align: 'right' },
      { heading: 'Money at risk', cell: (total) => moneyText(total.amount, total.currency), align: 'right' },
      {
        heading: 'Can be replayed',
        cell: (total) =>
          total.replayable === 0
            ? 'no, a person decides'
            : `${total.replayable}, ${moneyText(total.replayableAmount, total.currency)}`,
        tone: (total) => (total.replayable === 0 ? 'waits' : 'fine'),
      },
    ],
    output,
  );
}

function describe({ run, totals, findings, note }: Told, output: Output): string {
  const heading = `${output.time(run.since)} to ${output.time(run.until)} (${output.timeZone})`;
  if (run.state !== 'finished')
    return `${output.dress('broken', 'It did not come to its end.')} ${run.reason ?? run.reasonCode ?? ''}\n${checkedSentence(run)} before that.`;
  const calls = `${many(run.stripeCalls, 'question')} to Stripe, ${many(run.filemakerFinds, 'find')} in FileMaker`;
  const acted =
    run.mode === 'act' && run.acted > 0
      ? [`Replayed: ${run.acted}. They go the way of every payment; FileMaker is asked first.`]
      : [];
  const fixed =
    run.fixed > 0 ? [`${run.fixed} earlier ${run.fixed === 1 ? 'finding is' : 'findings are'} right by now.`] : [];
  return [
    `${checkedSentence(run)}. ${heading}; ${calls}.`,
    ...(run.found === 0
      ? [agreement(run, output)]
      : [
          '',
          totalTable(totals, output),
          '',
          findingTable(findings.slice(0, SHOWN_MAX), new Map(), output),
          ...(findings.length > SHOWN_MAX
            ? [output.dress('quiet', `… and ${run.found - SHOWN_MAX} more: ./bridge findings list --run ${run.id}`)]
            : []),
          '',
        ]),
    ...fixed,
    ...acted,
    ...(note === undefined ? [] : [note]),
  ].join('\n');
}

const resultOf = (told: Told, timeZone: string): CommandResult => ({
  fine: told.run.state === 'finished' && told.run.found === 0,
  timeZone,
  json: { run: told.run, totals: told.totals, findings: told.findings, replayed: told.run.acted > 0 },
  text: (output) => describe(told, output),
});

async function run(name: string, options: ReconcileOptions): Promise<CommandResult> {
  const { dryRun = false, yes = false, json = false } = options;
  if (dryRun && yes) throw usage('Give --dry-run or --yes, not both.');
  const pass = passOf(name);
  const until = options.until ?? new Date(Date.now() - LEAVE_TO_WEBHOOKS_MS);
  const since = options.since ?? new Date(until.getTime() - pass.lookBackMs);
  if (since >= until) throw usage('--since must be before --until, which is a minute ago unless it is given.');
  return withDatabase(async ({ database, config }) => {
    const order = { flow: name, pass: pass.name, since, until };
    if (yes) return resultOf(await carryOut(database, { ...order, mode: 'act' }, json), config.timezone);
    const looked = await carryOut(database, { ...order, mode: 'dry-run' }, json);
    const replayable = looked.totals.reduce((sum, total) => sum + total.replayable, 0);
    if (dryRun || looked.run.state !== 'finished' || replayable === 0) return resultOf(looked, config.timezone);
    if (json || process.stdin.isTTY !== true) {
      const note = `Nothing was replayed: nobody is here to be asked. To do it: ./bridge reconcile ${name} --since ${since.toISOString()} --yes`;
      return resultOf({ ...looked, note }, config.timezone);
    }
    const output = createOutput({ timeZone: config.timezone, stream: process.stderr });
    terminalPrompter.say(describe(looked, output));
    if (!(await askYesNo(terminalPrompter, `Replay ${replayable}?`, false)))
      return resultOf({ ...looked, note: 'Nothing was replayed.' }, config.timezone);
    return resultOf(await carryOut(database, { ...order, mode: 'act' }, json), config.timezone);
  });
}

export function addReconcile(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('reconcile')
    .argument('<flow>', `what to compare: ${flows.map((flow) => flow.name).join(', ')}`)
    .summary('compare Stripe, our records and FileMaker, and repair what was missed')
    .description(
      'Compares the three books, shows what differs with the money at risk, and asks before anything is replayed. Only payments that were missed are replayed; all else is for a person. Without a terminal and without --yes it only looks.',
    )
    .addOption(momentOption('--since <time>', 'Checkout Sessions born from here on; default 15 days before the end'))
    .addOption(momentOption('--until <time>', 'and before this time; default a minute ago'))
    .addOption(new Option('--dry-run', 'look, and replay nothing'))
    .addOption(yesOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge reconcile invoices --dry-run',
        './bridge reconcile invoices --since 2026-11-20T00:00:00Z',
        './bridge reconcile invoices --yes --json',
      ),
    )
    .action((flow: string, options: ReconcileOptions) => report(() => run(flow, options)));
}
