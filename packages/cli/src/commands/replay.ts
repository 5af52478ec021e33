import type { Database } from '@bridge/database';
import {
  askReplay,
  cancelReplay,
  changeText,
  differenceOfBodies,
  findReplayPlan,
  isAllSettled,
  isWorkerAlive,
  listReplayItems,
  moneyText,
  type NextStep,
  nextStepsOf,
  type ReplayArgs,
  type ReplayItem,
  type ReplayMove,
  type ReplayOutcome,
  type ReplayPlan,
  type ReplayProgress,
  readReplayBodies,
  readReplayProgress,
  resumeReplay,
  sendReplay,
  type Verdict,
} from '@bridge/operations';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { confirmPlan } from '../confirm';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import { createOutput, type Output, type Tone } from '../output';
import { createProgressLine } from '../progress';
import { type Column, printable, renderTable, wrap } from '../table';

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
/** A worker that was restarted is back by then. */
const WORKER_GONE_MS = 15_000;
const SHOWN_MAX = 200;
const CHANGES_SHOWN_MAX = 50;
const PAGE = 500;
const WORDS_MAX = 1_000;

const VERDICT_TEXT: Record<Verdict, string> = {
  'would-apply': 'would apply',
  older: 'would apply, older',
  'changes-invoice': 'would change invoice',
  'by-hand': 'would be recorded',
  'already-applied': 'already applied',
  'second-payment': 'second payment',
  parked: 'parked',
  locked: 'last seen locked',
  'on-its-way': 'on its way',
  unknown: 'unknown, being asked',
  cancelled: 'cancelled',
  refused: 'refused',
  'not-paid': 'not paid',
  'nothing-due': 'nothing due',
  'not-found': 'not found',
};
/** What becomes of it is told where the verdict alone would not say so. */
function verdictText({ verdict, acts }: ReplayItem): string {
  if (verdict === null) return '';
  if (verdict === 'parked' && acts === 'release') return 'parked, would go on';
  if (verdict === 'parked' && acts === 'send') return 'would be parked';
  return VERDICT_TEXT[verdict];
}

const VERDICT_TONE: Partial<Record<Verdict, Tone>> = {
  'would-apply': 'fine',
  older: 'fine',
  'changes-invoice': 'note',
  'by-hand': 'note',
  'already-applied': 'quiet',
  'second-payment': 'waits',
  parked: 'waits',
  locked: 'note',
  unknown: 'note',
  refused: 'broken',
  'not-found': 'broken',
};
const OUTCOME_TONE: Record<ReplayOutcome, Tone> = {
  applied: 'fine',
  'already-applied': 'quiet',
  'changed-since': 'waits',
  parked: 'waits',
  'on-its-way': 'note',
  observed: 'quiet',
  recorded: 'fine',
  'not-sent': 'waits',
};
/** A dry run that shows one of these has found something a person should look at. */
const FAULTY_VERDICTS: ReadonlySet<Verdict> = new Set(['refused', 'not-found']);
const FINE_OUTCOMES: ReadonlySet<ReplayOutcome> = new Set([
  'applied',
  'already-applied',
  'observed',
  'recorded',
  'on-its-way',
]);

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
  let aliveAt = performance.now();
  try {
    for (;;) {
      const plan = await findReplayPlan(database.executor, id);
      if (plan === undefined) throw new CommandError('REPLAY_NOT_FOUND', `There is no replay ${id}.`);
      if (!whileIn.includes(plan.state)) return plan;
      if (await isWorkerAlive(database)) aliveAt = performance.now();
      else if (performance.now() - aliveAt > WORKER_GONE_MS) throw noWorker(id);
      const progress = await readReplayProgress(database.executor, id);
      line.show(
        plan.state === 'sending'
          ? {
              what: 'Sending',
              done: progress.settled,
              total: progress.acting,
              perSecond: rate(progress),
              waits: plan.reason,
            }
          : {
              what: 'Looking at payments',
              done: progress.looked,
              total: plan.collected ? progress.items : undefined,
              perSecond: undefined,
              waits: plan.reason,
            },
      );
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  } finally {
    line.end();
  }
}

const rate = ({ settled, sendingMs }: ReplayProgress): number | undefined =>
  sendingMs === null || settled === 0 ? undefined : settled / Math.max(1, sendingMs / 1_000);

const noWorker = (id: string): CommandError =>
  new CommandError(
    'NO_WORKER',
    `No worker is alive, so nobody works on replay ${id}. It is kept: start a worker (./bridge up), then ./bridge replay --resume ${id}`,
  );

/** All of them for a program; for a screen no more than it can show, however large the replay is. */
async function itemsOf(database: Database, planId: string, limit: number): Promise<ReplayItem[]> {
  const items: ReplayItem[] = [];
  while (items.length < limit) {
    const after = items.at(-1)?.id;
    const page = await listReplayItems(database.executor, planId, {
      limit: Math.min(PAGE, limit - items.length),
      ...(after === undefined ? {} : { after }),
    });
    items.push(...page);
    if (page.length < PAGE) break;
  }
  return items;
}

interface Shown {
  plan: ReplayPlan;
  items: ReplayItem[];
  progress: ReplayProgress;
  /** Per item, with values where this person's own terminal listens, else the paths alone. */
  changes: Map<string, string[]>;
}

async function showPlan(database: Database, plan: ReplayPlan, json: boolean): Promise<Shown> {
  const items = await itemsOf(database, plan.id, json ? Number.POSITIVE_INFINITY : SHOWN_MAX);
  const progress = await readReplayProgress(database.executor, plan.id);
  const differing = items.filter(({ difference }) => difference.length > 0);
  const changes = new Map(differing.map(({ id, difference }) => [id, difference]));
  // Values are customer data: for the terminal of the person who asked, nowhere else.
  if (process.stdout.isTTY === true && plan.askedBy === operatorAtKeyboard()) {
    const shown = differing.slice(0, CHANGES_SHOWN_MAX).map(({ id }) => id);
    for (const [id, { before, after }] of await readReplayBodies(database.executor, shown)) {
      const paths = new Set(changes.get(id));
      changes.set(
        id,
        differenceOfBodies(before, after, [])
          .filter(({ path }) => paths.has(path))
          .map(changeText),
      );
    }
  }
  return { plan, items, progress, changes };
}

const money = ({ amount, currency }: ReplayItem): string =>
  amount === null || currency === null ? '' : moneyText(amount, currency);

const countText = (count: number, word: string): string => `${count} ${word}`;

function summary({ progress, plan }: Shown): string {
  const outcomes = Object.entries(progress.byOutcome);
  const parts =
    plan.state === 'ready' || outcomes.length === 0
      ? Object.entries(progress.byVerdict).map(([verdict, count]) => countText(count, VERDICT_TEXT[verdict as Verdict]))
      : [
          ...outcomes.map(([outcome, count]) => countText(count, outcome.replace('-', ' '))),
          ...(progress.items > progress.settled ? [countText(progress.items - progress.settled, 'not acted on')] : []),
        ];
  return `${progress.items === 1 ? '1 payment' : `${progress.items} payments`}: ${parts.join(', ') || 'none'}.`;
}

const DIFFERS: Column<ReplayItem> = {
  heading: 'Differs',
  cell: ({ difference: { length } }) => (length === 0 ? '' : length === 1 ? '1 field' : `${length} fields`),
};

/** So many payments are told what is next; for more there is the table of reasons. */
const NEXT_STEPS_FOR_MAX = 3;

/** A plan that sends nothing says why that is so. */
function endOf({ plan, progress }: Shown): string[] {
  if (plan.state !== 'ready' || progress.acting > 0 || progress.items === 0) return [];
  return sendsNothingWell(progress)
    ? [
        Object.keys(progress.byVerdict).every((verdict) => verdict === 'already-applied')
          ? 'Nothing is sent: all of it is applied already.'
          : 'Nothing is sent: what is not applied yet goes on by itself.',
      ]
    : ['Nothing can be sent.'];
}

const sendsNothingWell = ({ byVerdict }: ReplayProgress): boolean => isAllSettled(Object.keys(byVerdict) as Verdict[]);

function nextSteps({ plan, items }: Shown, output: Output): string[] {
  if (plan.state !== 'ready' && plan.state !== 'finished') return [];
  const stuck = items
    .filter(({ outcome, acts }) => outcome === null && acts === null)
    .map((item) => ({ why: item.reason, steps: nextStepsOf(item, plan.args) }))
    .filter(({ steps }) => steps.length > 0);
  const parked = items
    .filter(({ outcome }) => outcome === 'parked')
    .map(({ objectId, outcomeReason }) => ({
      why: outcomeReason,
      steps: [{ sentence: 'It waits for you:', command: `./bridge prove ${objectId}` }],
    }));
  // In full: the table cuts what does not fit.
  const changes = items
    .filter(({ verdict, outcome }) => outcome === null && (verdict === 'changes-invoice' || verdict === 'by-hand'))
    .map(({ reason }) => ({ why: reason, steps: [] as NextStep[] }));
  return [...stuck, ...parked, ...changes]
    .slice(0, NEXT_STEPS_FOR_MAX)
    .flatMap(({ why, steps }) => [
      ...(why === null ? [] : [wrap(`${why}.`, output.width, '')]),
      ...steps.map(({ sentence, command }) =>
        command === null ? wrap(sentence, output.width, '') : `${sentence}\n  ${output.dress('command', command)}`,
      ),
    ]);
}

function describe(shown: Shown, output: Output): string {
  const { plan, items, changes, progress } = shown;
  const sent = plan.sentAt !== null;
  const table = renderTable(
    items.slice(0, SHOWN_MAX),
    [
      { heading: 'Payment', cell: ({ objectId }) => objectId, least: 14 },
      sent
        ? {
            heading: 'Outcome',
            cell: ({ outcome, verdict }) =>
              outcome?.replace('-', ' ') ?? (verdict === null ? '' : `not sent: ${VERDICT_TEXT[verdict]}`),
            tone: ({ outcome }) => (outcome === null ? 'quiet' : OUTCOME_TONE[outcome]),
          }
        : {
            heading: 'Verdict',
            cell: verdictText,
            tone: ({ verdict }) => (verdict === null ? undefined : VERDICT_TONE[verdict]),
          },
      { heading: 'Invoice', cell: ({ invoiceId }) => invoiceId ?? '', least: 7 },
      { heading: 'Amount', cell: money },
      ...(items.some(({ difference }) => difference.length > 0) ? [DIFFERS] : []),
      {
        heading: 'Why',
        cell: ({ outcomeReason, reason, outcome }) => (outcome === null ? (reason ?? '') : (outcomeReason ?? '')),
        least: 20,
      },
    ],
    output,
  );
  const hidden = progress.items - Math.min(items.length, SHOWN_MAX);
  const differences = items
    .filter(({ id }) => changes.has(id))
    .slice(0, CHANGES_SHOWN_MAX)
    .flatMap(({ id, objectId }) => [
      `${objectId}: what was frozen before -> what Stripe says now`,
      ...(changes.get(id) ?? []).map((text) => wrap(`  ${printable(text)}`, output.width, '    ')),
    ]);
  return [
    table,
    ...(hidden > 0 ? [output.dress('quiet', `… and ${hidden} more: --json`)] : []),
    ...(differences.length > 0 && !sent ? ['', ...differences] : []),
    '',
    summary(shown),
    ...endOf(shown),
    ...nextSteps(shown, output),
    ...(plan.state === 'ready' && progress.acting > 0
      ? [`Send exactly this with: ${output.dress('command', `./bridge replay --plan ${plan.id}`)}`]
      : []),
    ...(plan.state === 'cancelled' ? ['It is given up: nothing of it is sent.'] : []),
    ...(plan.state === 'failed' ? [`It failed: ${plan.reason ?? plan.reasonCode}`] : []),
    ...(plan.state === 'failed' || plan.state === 'sending'
      ? [`Go on with: ${output.dress('command', `./bridge replay --resume ${plan.id}`)}`]
      : []),
  ].join('\n');
}

function resultOf(shown: Shown, timeZone: string): CommandResult {
  const { plan, items, progress } = shown;
  const found = Object.keys(progress.byVerdict) as Verdict[];
  const ended = Object.keys(progress.byOutcome) as ReplayOutcome[];
  const fine =
    plan.state !== 'failed' &&
    (plan.state === 'cancelled' || progress.acting > 0 || sendsNothingWell(progress)) &&
    !found.some((verdict) => FAULTY_VERDICTS.has(verdict)) &&
    ended.every((outcome) => FINE_OUTCOMES.has(outcome));
  return {
    fine,
    timeZone,
    json: { plan, progress, items },
    text: (output) => describe(shown, output),
  };
}

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
    if (!(await isWorkerAlive(database)))
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
    .addOption(new Option('--resume <number>', 'go on with a plan that was broken off'))
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
