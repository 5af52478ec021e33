import type { Database } from '@bridge/database';
import {
  askReplay,
  cancelReplay,
  findReplayPlan,
  isWorkerThere,
  type ReplayArgs,
  type ReplayMove,
  type ReplayPlan,
  type ReplayProgress,
  readReplayProgress,
  resumeReplay,
  sendReplay,
} from '@bridge/operations';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { confirmPlan } from '../confirm';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import { createOutput } from '../output';
import { createProgressLine } from '../progress';
import { describe, resultOf, showPlan } from '../replay-view';
import { createWorkerWatch, lostSight, NOBODY_THERE } from '../worker-watch';

interface ReplayOptions {
  invoice?: string;
  override?: boolean;
  byHand?: boolean;
  why?: string;
  since?: Date;
  until?: Date;
  dryRun?: boolean;
  plan?: string;
  resume?: string;
  cancel?: string;
  yes?: boolean;
  json?: boolean;
}

const LOOK_EVERY_MS = 200;

const WORDS_MAX = 1_000;

const usage = (message: string): CommandError => new CommandError('REPLAY_USAGE', message, 2);

function argsOf(words: readonly string[], options: ReplayOptions): ReplayArgs {
  const { invoice, override, byHand, why, since, until } = options;
  if (until !== undefined && since === undefined) throw usage('Give --since together with --until.');
  if (words.length === 0 && since === undefined)
    throw usage('Name what to replay: an id at Stripe, an invoice number, finding:12, or --since and --until.');
  if (words.length > WORDS_MAX) throw usage(`Name ${WORDS_MAX} at most; for more there are --since and --until.`);
  if (invoice !== undefined && (words.length !== 1 || since !== undefined))
    throw usage('--invoice belongs to exactly one payment.');
  if (override === true && (invoice === undefined || why === undefined))
    throw usage(
      '--override goes with --invoice and --why: it puts money on an invoice that the payment does not name.',
    );
  if (byHand === true && (invoice === undefined || why === undefined))
    throw usage('--by-hand goes with --invoice and --why: it records what you have changed in FileMaker yourself.');
  const end = until ?? new Date();
  if (since !== undefined && since >= end) throw usage('--since must be before --until.');
  return {
    words: [...new Set(words)],
    ...(invoice === undefined ? {} : { invoice }),
    ...(override === true ? { override } : {}),
    ...(byHand === true ? { byHand } : {}),
    ...(why === undefined ? {} : { reasoned: true }),
    ...(since === undefined ? {} : { since: since.toISOString(), until: end.toISOString() }),
  };
}

/** What was typed, for the audit table, when no reason was given. */
function askedFor({ words, since, until, invoice }: ReplayArgs): string {
  const range = since === undefined ? [] : [`${since} to ${until}`];
  return `replay ${[...words, ...range].join(' ').slice(0, 300)}${invoice === undefined ? '' : ` --invoice ${invoice}`}`;
}

function moved(move: ReplayMove): ReplayPlan {
  if (move.kind === 'refused') throw new CommandError(move.code, move.reason);
  return move.plan;
}

/** Waits until the plan leaves these states, with a progress line; a worker does the work. */
async function follow(
  database: Database,
  id: string,
  whileIn: readonly ReplayPlan['state'][],
  quiet: boolean,
): Promise<ReplayPlan> {
  const line = createProgressLine({ quiet });
  const workers = createWorkerWatch(() => isWorkerThere(database));
  try {
    for (;;) {
      const plan = await findReplayPlan(database.executor, id);
      if (plan === undefined) throw new CommandError('REPLAY_NOT_FOUND', `There is no replay ${id}.`);
      if (!whileIn.includes(plan.state)) return plan;
      const seen = await workers.look();
      if (seen === 'gone') throw noWorker(id);
      const waits = seen === 'away' ? NOBODY_THERE : plan.reason;
      const progress = await readReplayProgress(database.executor, id);
      line.show(
        plan.state === 'sending'
          ? {
              what: 'Sending',
              done: progress.settled,
              total: progress.acting,
              perSecond: rate(progress),
              waits,
            }
          : {
              what: 'Looking at payments',
              done: progress.looked,
              total: plan.collected ? progress.items : undefined,
              perSecond: undefined,
              waits,
            },
      );
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  } catch (error) {
    throw lostSight(error, `Replay ${id} is kept, and the workers go on with it: ${lookAgain(id)}`);
  } finally {
    line.end();
  }
}

const rate = ({ settled, sendingMs }: ReplayProgress): number | undefined =>
  sendingMs === null || settled === 0 ? undefined : settled / Math.max(1, sendingMs / 1_000);

/** `--resume` looks again, and goes on with what was broken off. */
const lookAgain = (id: string): string => `look again with ./bridge replay --resume ${id}`;

const noWorker = (id: string): CommandError =>
  new CommandError(
    'NO_WORKER',
    `No worker was there for a minute, so nobody works on replay ${id}. It is kept, and goes on by itself as soon as one is: start one (./bridge up), then ${lookAgain(id)}`,
  );

async function run(words: readonly string[], options: ReplayOptions): Promise<CommandResult> {
  const { plan: planId, resume, cancel, json = false, yes = false, dryRun = false } = options;
  const named = words.length > 0 || options.since !== undefined || options.invoice !== undefined;
  const plans = [planId, resume, cancel].filter((id) => id !== undefined);
  if (plans.length > 1) throw usage('Give one of --plan, --resume and --cancel.');
  if (plans.length === 1 && (named || dryRun)) throw usage('A plan is taken as it stands: name nothing else.');
  const args = plans.length === 0 ? argsOf(words, options) : undefined;
  return withDatabase(async ({ database, config }) => {
    const by = operatorAtKeyboard();
    const send = async (id: string, why: string): Promise<CommandResult> => {
      moved(await sendReplay(database, id, { by, why }));
      const ended = await follow(database, id, ['sending'], json);
      return resultOf(await showPlan(database, ended, json), config.timezone);
    };
    if (planId !== undefined) return send(planId, options.why ?? `replay --plan ${planId}`);
    if (cancel !== undefined) {
      const cancelled = moved(
        await cancelReplay(database, cancel, { by, why: options.why ?? `replay --cancel ${cancel}` }),
      );
      return resultOf(await showPlan(database, cancelled, json), config.timezone);
    }
    if (resume !== undefined) {
      const why = options.why ?? `replay --resume ${resume}`;
      moved(await resumeReplay(database, resume, { by, why }));
      const stands = await follow(database, resume, ['wanted', 'planning', 'sending'], json);
      return resultOf(await showPlan(database, stands, json), config.timezone);
    }
    if (args === undefined) throw usage('Name what to replay.');
    if (!(await isWorkerThere(database)))
      throw new CommandError('NO_WORKER', 'No worker is alive, and workers do the work. Start one: ./bridge up');
    const why = options.why ?? askedFor(args);
    const id = await askReplay(database, args, { by, why });
    const planned = await showPlan(database, await follow(database, id, ['wanted', 'planning'], json), json);
    if (dryRun || planned.plan.state !== 'ready' || planned.progress.acting === 0)
      return resultOf(planned, config.timezone);
    const output = createOutput({ timeZone: config.timezone, stream: process.stderr });
    if (!(await confirmPlan(describe(planned, output), { yes, json }))) {
      const result = resultOf(planned, config.timezone);
      return { ...result, text: () => `Nothing was sent. The plan is kept for a day: ./bridge replay --plan ${id}` };
    }
    return send(id, why);
  });
}

function timeOf(text: string): Date {
  const date = new Date(text);
  // A day without a time would be read in UTC here and in the local zone there.
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(date.getTime()))
    throw new InvalidArgumentError('Give a time with its zone, for instance 2026-11-22T08:00:00Z.');
  return date;
}

function invoiceOf(text: string): string {
  const invoice = text.trim();
  if (invoice === '' || invoice.length > 100 || /[\p{Cc}\p{Cf}]/u.test(invoice))
    throw new InvalidArgumentError('Give an invoice number of 1 to 100 characters.');
  return invoice;
}

export function addReplay(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('replay')
    .argument('[ids...]', 'cs_…, pi_…, ch_…, re_…, evt_…, an invoice number, or finding:12')
    .summary('send what was missed, once, after showing it')
    .description(
      'Looks at payments anew, at Stripe, in our records and in FileMaker, shows what a replay would do, and then sends exactly that. Nothing is done twice: FileMaker is asked before anything runs.',
    )
    .addOption(
      new Option(
        '--invoice <number>',
        'the invoice of a payment that names none; with --why, another one than was given',
      ).argParser(invoiceOf),
    )
    .addOption(
      new Option(
        '--override',
        'with --invoice and --why: although the payment names another invoice, or another payment has settled it',
      ),
    )
    .addOption(
      new Option(
        '--by-hand',
        'with --invoice and --why: record what you have changed in FileMaker by hand; nothing is sent',
      ),
    )
    .addOption(new Option('--why <text>', 'the reason, kept with your name in the audit table'))
    .addOption(new Option('--since <time>', 'all payments whose money succeeded from here on').argParser(timeOf))
    .addOption(new Option('--until <time>', 'and before this time; default now').argParser(timeOf))
    .addOption(new Option('--dry-run', 'show the plan and send nothing'))
    .addOption(new Option('--plan <number>', 'send a plan that was shown, exactly as it was shown'))
    .addOption(new Option('--resume <number>', 'look at a plan again; one that was broken off goes on'))
    .addOption(new Option('--cancel <number>', 'give up a plan that was not sent'))
    .addOption(new Option('--yes', 'send without asking'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge replay cs_live_a1 --dry-run',
        './bridge replay --plan 12',
        './bridge replay cs_live_a1 --invoice 18637',
        './bridge replay --since 2026-11-22T08:00:00Z --until 2026-11-22T09:00:00Z --dry-run',
        './bridge replay finding:12 18637 pi_live_b2 --yes',
      ),
    )
    .action((ids: string[], options: ReplayOptions) => report(() => run(ids, options)));
}
