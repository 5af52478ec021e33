import type { Database } from '@bridge/database';
import {
  changeText,
  differenceOfBodies,
  isAllSettled,
  listReplayItems,
  moneyText,
  type NextStep,
  nextStepsOf,
  type ReplayItem,
  type ReplayOutcome,
  type ReplayPlan,
  type ReplayProgress,
  readReplayBodies,
  readReplayProgress,
  type Verdict,
} from '@bridge/operations';
import { operatorAtKeyboard } from './command-context';
import type { CommandResult } from './command-result';
import type { Output, Tone } from './output';
import { type Column, printable, renderTable, wrap } from './table';

// How a replay is shown: what would be sent, what became of it, and what is next.

const SHOWN_MAX = 200;

const CHANGES_SHOWN_MAX = 50;

const PAGE = 500;

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

export async function showPlan(database: Database, plan: ReplayPlan, json: boolean): Promise<Shown> {
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
  const standing = items
    .filter(({ outcomeCode }) => outcomeCode === 'BEHIND_IN_LANE')
    .map(({ objectId, outcomeReason }) => ({
      why: outcomeReason,
      steps: [{ sentence: 'See what holds it:', command: `./bridge prove ${objectId}` }],
    }));
  // In full: the table cuts what does not fit.
  const changes = items
    .filter(({ verdict, outcome }) => outcome === null && (verdict === 'changes-invoice' || verdict === 'by-hand'))
    .map(({ reason }) => ({ why: reason, steps: [] as NextStep[] }));
  return [...stuck, ...parked, ...standing, ...changes]
    .slice(0, NEXT_STEPS_FOR_MAX)
    .flatMap(({ why, steps }) => [
      ...(why === null ? [] : [wrap(`${why}.`, output.width, '')]),
      ...steps.map(({ sentence, command }) =>
        command === null ? wrap(sentence, output.width, '') : `${sentence}\n  ${output.dress('command', command)}`,
      ),
    ]);
}

export function describe(shown: Shown, output: Output): string {
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

export function resultOf(shown: Shown, timeZone: string): CommandResult {
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
