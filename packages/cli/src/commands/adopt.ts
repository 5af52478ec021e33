import { type AdoptionPlan, adopt, planAdoption } from '@bridge/operations';
import type { Command } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { confirmPlan } from '../confirm';
import { examples, jsonOption, NO_REASON, optionalWhyOption, yesOption } from '../options';

interface Options {
  why?: string;
  yes?: boolean;
  json?: boolean;
}

function describePlan({ known, unfinished }: AdoptionPlan): string {
  const peers = [...(known.stripe ? ['one Stripe account'] : []), ...(known.filemaker ? ['one FileMaker file'] : [])];
  const waits = [
    ...(unfinished.events === 0 ? [] : [`${unfinished.events} events`]),
    ...(unfinished.effects === 0 ? [] : [`${unfinished.effects} effects`]),
  ];
  return [
    peers.length === 0
      ? 'This database belongs to no Stripe account and no FileMaker file yet: there is nothing to adopt.'
      : `This database belongs to ${peers.join(' and ')}. That is forgotten: those that the workers meet next, when they start, are taken as the right ones.`,
    ...(waits.length === 0
      ? []
      : [
          `${waits.join(' and ')} are not finished and would go on with the new ones: what an old FileMaker file has done is not known to a new one. Let them finish first, if you can.`,
        ]),
  ].join('\n');
}

async function run(options: Options): Promise<CommandResult> {
  return withDatabase(async ({ database }) => {
    const plan = await planAdoption(database);
    const { events, effects } = plan.unfinished;
    const agreed = await confirmPlan(describePlan(plan), {
      yes: options.yes === true,
      json: options.json === true,
      harmless: events + effects === 0,
    });
    if (!agreed) return { fine: false, json: { adopted: false, ...plan }, text: () => 'Nothing was changed.' };
    const adopted = await adopt(database, { by: operatorAtKeyboard(), why: options.why ?? NO_REASON });
    return {
      fine: true,
      json: { adopted: true, ...adopted },
      text: (output) =>
        `${output.dress('fine', 'Adopted:')} the next Stripe account and FileMaker file count. Restart the workers: those that run keep to theirs. A halt because of another account is lifted with ${output.dress('command', './bridge resume stripe --why "…"')}.`,
    };
  });
}

export function addAdopt(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('adopt')
    .summary('take over another Stripe account or FileMaker file, knowingly')
    .description(
      'A database belongs to one Stripe account and one FileMaker file; workers refuse others, since going on would mix the money of two companies. This forgets both: those that are met next are the right ones.',
    )
    .addOption(optionalWhyOption())
    .addOption(yesOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge adopt --why "the file has moved to another server"',
        './bridge adopt --why "new Stripe account" --yes',
      ),
    )
    .action((options: Options) => report(() => run(options)));
}
