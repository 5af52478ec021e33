import { CommandError } from '../failure';
import type { Prompter } from '../prompter';
import type { Answers, InitPeers } from './answers';
import { chooseNames } from './choose-names';
import { tellAccount } from './look-at-stripe-key';
import { askOne, type InitOptions, known, type Question, questions, text } from './questions';

/** All answers, or one message that names everything that is missing. */
export async function gatherAnswers(
  options: InitOptions,
  before: Readonly<Record<string, string>>,
  prompter: Prompter | undefined,
  peers: InitPeers,
): Promise<Answers> {
  const values = new Map<string, string>();
  const asked = new Set<string>();
  const missing: Question[] = [];
  // The key is shown to this Stripe; the bridge must not talk to another one afterwards.
  const apiBase = text(process.env.STRIPE_API_BASE);
  if (apiBase !== undefined) values.set('STRIPE_API_BASE', apiBase);
  const pulls = (text(process.env.STRIPE_DELIVERY) ?? before.STRIPE_DELIVERY) === 'pull';
  for (const question of questions) {
    const answer = known(question, options, before);
    const isSecret = question.variable === 'STRIPE_WEBHOOK_SECRETS';
    if (answer !== undefined) values.set(...answer);
    else if (isSecret && pulls) values.set('STRIPE_DELIVERY', 'pull');
    else if (prompter !== undefined) {
      asked.add(question.variable);
      const given = await askOne(prompter, question);
      if (isSecret && given === '') values.set('STRIPE_DELIVERY', 'pull');
      else values.set(question.variable, given);
    } else if (question.byDefault !== undefined) values.set(question.variable, question.byDefault);
    else missing.push(question);
    if (prompter !== undefined && options.offline !== true && question.variable === 'STRIPE_API_KEY')
      await tellAccount(values, asked, prompter, peers, apiBase ?? text(before.STRIPE_API_BASE));
  }
  if (missing.length > 0) {
    const names = missing.map(({ flag, variable }) => `  ${flag} (or ${variable} in the environment)`).join('\n');
    throw new CommandError('ANSWERS_MISSING', `Nobody is here to be asked. Please give:\n${names}`, 2);
  }
  const names = await chooseNames(options, before, { values, asked, prompter, peers });
  return { values, ...names, mode: await chooseMode(options, before, prompter) };
}

async function chooseMode(
  options: InitOptions,
  before: Readonly<Record<string, string>>,
  prompter: Prompter | undefined,
): Promise<string> {
  const given = options.mode ?? text(process.env.MODE) ?? text(before.MODE);
  if (given !== undefined) return given;
  if (prompter === undefined) return 'live';
  return askOne(prompter, {
    variable: 'MODE',
    flag: '--mode',
    asks: '\nBegin with observe (sends nothing) or live',
    byDefault: 'observe',
  });
}
