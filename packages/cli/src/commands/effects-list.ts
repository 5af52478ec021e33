import { EFFECT_STATES, holdSentence, type ListedEffect, listEffects } from '@bridge/operations';
import { type Command, Option } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption, limitOption } from '../options';
import { subjectMoney } from '../subject-money';
import { renderTable } from '../table';
import { toneOfState } from '../tone-of-state';

type EffectState = (typeof EFFECT_STATES)[number];

async function run(filter: { state?: EffectState; limit: number }): Promise<CommandResult> {
  const { effects, timeZone } = await withDatabase(async ({ database, config }) => ({
    effects: await listEffects(database, filter),
    timeZone: config.timezone,
  }));
  return {
    fine: true,
    timeZone,
    json: { effects },
    text: (output) =>
      effects.length === 0
        ? filter.state === undefined
          ? 'Nothing was ever owed to FileMaker. What has arrived from Stripe: ./bridge events list'
          : `No effect is ${filter.state}.`
        : renderTable(
            effects,
            [
              { heading: 'Id', cell: (effect) => effect.id },
              {
                heading: 'State',
                cell: (effect) => (effect.verified === false ? `${effect.state}, unverified` : effect.state),
                tone: (effect) => toneOfState(effect.state),
              },
              { heading: 'What', cell: (effect) => effect.title, least: 24 },
              {
                heading: 'Money',
                cell: (effect) => subjectMoney(effect.subject) ?? '',
                align: 'right',
                optional: true,
              },
              { heading: 'Tries', cell: (effect) => String(effect.attempts), align: 'right', optional: true },
              { heading: `Planned (${output.timeZone})`, cell: (effect) => output.time(effect.plannedAt), least: 16 },
              { heading: 'Why', cell: whyOf, least: 16 },
            ],
            output,
          ),
  };
}

/** What keeps its lane waiting is told with its age; the title stands in a column of its own. */
function whyOf({ hold, title, reason, reasonCode }: ListedEffect): string {
  if (hold !== null) return holdSentence(hold).replace(`${title}: `, '');
  return reason ?? reasonCode ?? '';
}

export function addEffectsList(effects: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  effects
    .command('list')
    .summary('what is owed to FileMaker and others, the newest first')
    .description('Lists the changes owed to the outside, such as a script run in FileMaker, the newest first.')
    .addOption(new Option('--state <state>', 'only effects in this state').choices(EFFECT_STATES))
    .addOption(limitOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('./bridge effects list', './bridge effects list --state parked', './bridge effects list --json'),
    )
    .action((filter: { state?: EffectState; limit: number }) => report(() => run(filter)));
}
