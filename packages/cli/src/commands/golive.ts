import {
  comparisonSentence,
  type GoLivePlan,
  goLive,
  planGoLive,
  type SideOfLine,
  settleOlderEffects,
} from '@bridge/operations';
import { type Command, Option } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { confirmPlan } from '../confirm';
import { CommandError } from '../failure';
import { examples, jsonOption, momentOption, NO_REASON, optionalWhyOption, yesOption } from '../options';
import { createOutput, type Output } from '../output';
import { renderTable, wrap } from '../table';

interface Options {
  at?: Date;
  settleOlder?: 'done' | 'cancelled';
  why?: string;
  yes?: boolean;
  json?: boolean;
}

const STARTS = {
  golive: 'said with ./bridge golive',
  RECONCILE_FROM: 'from RECONCILE_FROM',
  'first-migration': 'the first migration, since nobody has said another moment',
} as const;

interface Fate {
  what: string;
  older: keyof SideOfLine;
  oldFate: string;
  newFate: string;
}
const NOT_SENT = 'not sent yet';
const FATES: readonly Fate[] = [
  { what: 'done', older: 'done', oldFate: 'stay done', newFate: 'stay done' },
  {
    what: NOT_SENT,
    older: 'unsent',
    oldFate: 'are asked about, never run',
    newFate: 'are asked about, then run',
  },
  {
    what: 'asked, not shown by FileMaker',
    older: 'notShown',
    oldFate: 'stay parked for you',
    newFate: 'are asked again, then run',
  },
  { what: 'parked for another reason', older: 'parked', oldFate: 'stay parked', newFate: 'stay parked' },
  { what: 'on their way', older: 'underWay', oldFate: 'end by themselves', newFate: 'end by themselves' },
  { what: 'cancelled', older: 'cancelled', oldFate: 'stay cancelled', newFate: 'stay cancelled' },
];

/** Money that was left alone until now becomes recovery's. */
const goesBack = ({ at, start }: GoLivePlan): boolean => at < start.at;

function describe(plan: GoLivePlan, output: Output): string {
  const sides = [
    { name: 'before', counts: plan.older, fate: (fate: Fate) => fate.oldFate },
    { name: 'from then on', counts: plan.newer, fate: (fate: Fate) => fate.newFate },
  ];
  const rows = sides.flatMap(({ name, counts, fate }) =>
    FATES.filter(({ older }) => counts[older] > 0).map((one) => ({
      side: name,
      count: counts[one.older],
      what: one.what,
      fate: fate(one),
    })),
  );
  const { comparison } = plan;
  return [
    wrap(
      `The bridge acts on money from ${output.time(plan.start.at)} ${output.timeZone} on (${STARTS[plan.start.because]}).`,
      output.width,
    ),
    ...(comparison === null
      ? []
      : [
          '',
          wrap(`${comparisonSentence(comparison)} Compared ${output.time(comparison.at)}.`, output.width),
          ...comparison.differing.map(({ effectId, title }) => `  not shown: ${title} (effect ${effectId})`),
        ]),
    ...(goesBack(plan)
      ? [
          '',
          wrap(
            'This moment is earlier. Payments between the two are then for the bridge: what FileMaker does not show is run. An older handler that booked one may have left nothing that FileMaker could show.',
            output.width,
          ),
        ]
      : []),
    '',
    output.dress('heading', `Recorded, by the moment ${output.time(plan.at)} ${output.timeZone}`),
    rows.length === 0
      ? 'Nothing is recorded yet.'
      : renderTable(
          rows,
          [
            { heading: 'Money', cell: (row) => row.side },
            { heading: 'Effects', cell: (row) => String(row.count) },
            { heading: 'Now', cell: (row) => row.what, least: 12 },
            { heading: 'With this moment they', cell: (row) => row.fate, least: 24 },
          ],
          output,
        ),
    ...(rows.some(({ what }) => what === NOT_SENT)
      ? [
          '',
          wrap(
            'Asked about: FileMaker says whether it shows them, and what it shows is done. What it does not show of the older ones is parked for you; of the others it is run.',
            output.width,
          ),
        ]
      : []),
  ].join('\n');
}

async function run(options: Options): Promise<CommandResult> {
  const asked = { yes: options.yes === true, json: options.json === true };
  return withDatabase(async ({ database, config }) => {
    const timeZone = config.timezone;
    const plan = await planGoLive(database, { at: options.at, configured: config.reconcileFrom });
    const toError = createOutput({ timeZone, stream: process.stderr });
    if (options.at !== undefined) {
      const why = options.why ?? NO_REASON;
      const open = [plan.older, plan.newer].map(({ unsent, notShown, underWay }) => unsent + notShown + underWay);
      const harmless = open.every((count) => count === 0) && !goesBack(plan);
      if (!(await confirmPlan(describe(plan, toError), { ...asked, harmless })))
        return { fine: false, timeZone, json: { live: false, ...plan }, text: () => 'Nothing was changed.' };
      const { at, asked: older, goesOn } = await goLive(database, { at: options.at, by: operatorAtKeyboard(), why });
      const observing =
        config.mode === 'observe' ? ' MODE is observe here: set MODE=live and start the workers anew.' : '';
      // Also those that were only asked about before: what was recorded while observing.
      const { unsent } = (await planGoLive(database, { at, configured: config.reconcileFrom })).older;
      return {
        fine: true,
        timeZone,
        json: { live: true, at, asked: older, goesOn, mode: config.mode },
        text: (output) =>
          `${output.dress('fine', 'Live:')} the bridge acts on money from ${output.time(at)} ${output.timeZone} on. ${unsent} older ${unsent === 1 ? 'effect is' : 'effects are'} asked about and never run, ${goesOn} newer ${goesOn === 1 ? 'goes' : 'go'} on.${observing}`,
      };
    }
    if (options.settleOlder !== undefined) {
      const as = options.settleOlder;
      const { why } = options;
      if (why === undefined) throw new CommandError('WHY_MISSING', 'Say why, in a few words: --why "…"', 2);
      const count = plan.older.notShown + plan.newer.notShown;
      const words = `${count} effects whose money is from before and which FileMaker does not show are settled as ${as}, by your word.`;
      if (!(await confirmPlan(words, asked)))
        return { fine: false, timeZone, json: { settled: 0 }, text: () => 'Nothing was changed.' };
      const settled = await settleOlderEffects(database, { as, by: operatorAtKeyboard(), why });
      return {
        fine: true,
        timeZone,
        json: { settled, as },
        text: (output) => `${output.dress('fine', 'Settled:')} ${settled} as ${as}.`,
      };
    }
    return { fine: true, timeZone, json: plan, text: (output) => describe(plan, output) };
  });
}

export function addGolive(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('golive')
    .summary('the moment from which the bridge acts, beside an older handler')
    .description(
      'Without --at: how the cut-over stands, changing nothing. With --at: from that moment on the bridge acts, and the older handler does not. Money from before is asked about and never run by itself. The path is in docs/cut-over.md.',
    )
    .addOption(momentOption('--at <moment>', 'money from this moment on is the bridge’s'))
    .addOption(
      new Option('--settle-older <decision>', 'all that FileMaker did not show counts as this')
        .choices(['done', 'cancelled'])
        .conflicts('at'),
    )
    .addOption(optionalWhyOption())
    .addOption(yesOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge golive',
        './bridge golive --at 2026-11-30T22:00:00Z --why "the old handler is off"',
        './bridge golive --settle-older done --why "booked by the old handler, seen by Ada"',
      ),
    )
    .action((options: Options) => report(() => run(options)));
}
