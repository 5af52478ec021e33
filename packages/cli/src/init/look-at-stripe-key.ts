import type { Prompter } from '../prompter';
import type { InitPeers } from './answers';
import { askOne, questionOf } from './questions';

const KEY_TRIES = 3;

/** Shows whose key it is at Stripe, or at the stand-in `apiBase`; one that Stripe does not know is asked for again. */
export async function tellAccount(
  values: Map<string, string>,
  asked: ReadonlySet<string>,
  prompter: Prompter,
  peers: InitPeers,
  apiBase: string | undefined,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const apiKey = values.get('STRIPE_API_KEY');
    // One that is faulty or stands in a file is looked at by the configuration's own check, before anything is written.
    if (apiKey === undefined || !/^(sk|rk)_(live|test)_/.test(apiKey)) return;
    const mode = apiKey.includes('_live_') ? 'live' : 'test';
    const seen = await peers.lookAtStripe({ apiKey, ...(apiBase === undefined ? {} : { apiBase }) });
    if (seen.kind === 'account')
      prompter.say(`  A ${mode} key of ${seen.name === null ? seen.id : `"${seen.name}" (${seen.id})`}.`);
    else if (seen.kind === 'untold') prompter.say(`  A ${mode} key; it works, and may not tell whose it is.`);
    else if (seen.kind === 'refused') prompter.say(`  ${seen.reason}`);
    // What names a failed call is no sentence yet.
    else prompter.say(`  ${seen.reason.replace(/\.?$/, '.')} Going on without a look.`);
    const question = questionOf('STRIPE_API_KEY');
    const again = seen.kind === 'refused' && asked.has('STRIPE_API_KEY') && tries < KEY_TRIES;
    if (!again || question === undefined) return;
    values.set('STRIPE_API_KEY', await askOne(prompter, question));
  }
}
