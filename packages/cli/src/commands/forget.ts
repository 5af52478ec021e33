import { flows } from '@bridge/flows';
import { type ForgetPlan, forgetCustomer, isCustomer, planForgetting } from '@bridge/operations';
import type { Command } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { confirmPlan } from '../confirm';
import { CommandError } from '../failure';
import { examples, jsonOption, NO_REASON, optionalWhyOption, yesOption } from '../options';

interface Options {
  why?: string;
  yes?: boolean;
  json?: boolean;
}

const SHOWN_MAX = 20;

function describePlan(plan: ForgetPlan): string {
  const more = plan.objectIds.length - SHOWN_MAX;
  return [
    `Erased would be the bodies of ${plan.events.length} events, and what was sent for ${plan.effects.length} effects.`,
    'Erased too: the reasons that people gave when they acted on these payments.',
    `Ids and amounts stay: ${plan.objectIds.slice(0, SHOWN_MAX).join(', ') || 'none are known'}${more > 0 ? ` and ${more} more` : ''}.`,
    ...plan.unsettled.map(({ kind, id, title }) => `Not settled: ${title} (${kind} ${id})`),
    ...(plan.unsettled.length === 0 ? [] : ['Nothing can be forgotten before these are settled.']),
    'What Stripe and FileMaker themselves keep is not touched, nor are backups of this database.',
  ].join('\n');
}

async function run(customer: string, options: Options): Promise<CommandResult> {
  if (!isCustomer(customer)) {
    throw new CommandError(
      'CUSTOMER_UNFIT',
      'Give a customer of Stripe (cus_…), an e-mail address, or a Checkout Session (cs_…).',
      2,
    );
  }
  return withDatabase(async ({ database }) => {
    const relatedIds = async (id: string): Promise<string[]> => {
      const facts = await Promise.all(flows.map((flow) => flow.records.find(database.executor, id)));
      return facts.flat().flatMap((fact) => [fact.id, ...fact.relatedIds]);
    };
    const plan = await planForgetting(database, customer, { relatedIds });
    if (plan.unsettled.length === 0) {
      const agreed = await confirmPlan(describePlan(plan), { yes: options.yes === true, json: options.json === true });
      if (!agreed) return { fine: false, json: { forgotten: false, ...plan }, text: () => 'Nothing was changed.' };
    }
    const result = await forgetCustomer(database, customer, {
      by: operatorAtKeyboard(),
      why: options.why ?? NO_REASON,
      relatedIds,
    });
    if (result.kind === 'refused') {
      const { code, reason } = result;
      return {
        fine: false,
        json: { forgotten: false, code, reason, unsettled: plan.unsettled },
        text: (output) =>
          [
            `${output.dress('waits', 'Not forgotten.')} ${reason}`,
            ...plan.unsettled.map(({ kind, id, title }) => `  ${title}: ./bridge ${kind}s show ${id}`),
          ].join('\n'),
      };
    }
    const { events, effects, shown } = result;
    return {
      fine: true,
      json: { forgotten: true, events, effects, shown, objectIds: plan.objectIds },
      text: (output) =>
        `${output.dress('fine', 'Forgotten:')} the bodies of ${events} events and what was sent for ${effects} effects. Ids and amounts stay.`,
    };
  });
}

export function addForget(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('forget')
    .argument('<customer>', 'cus_…, an e-mail address, or the id of a Checkout Session')
    .summary('erase what names a customer')
    .description(
      'Erases the bodies of events, the bytes that were sent, and the answers of FileMaker that name this customer, and what people typed when they acted on their payments. Ids and amounts stay, since the books need them. Where bodies are erased already, name the Checkout Session instead of the address. Refused while something of theirs is not settled. The audit table keeps that it was done, by whom and why, and not who it was about.',
    )
    .addOption(optionalWhyOption())
    .addOption(yesOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge forget cus_Q1w2e3 --why "asked to be erased, ticket 812"',
        './bridge forget buyer@shop.example --why "ticket 812" --yes',
      ),
    )
    .action((customer: string, options: Options) => report(() => run(customer, options)));
}
