import { existsSync, readFileSync } from 'node:fs';
import { chooseName, type Prompter } from '../prompter';
import type { Answers, InitPeers } from './answers';
import { askOne, type InitOptions, questionOf, text } from './questions';

/** What a paid Session runs, when nobody says otherwise. */
export const LAYOUT = 'web_invoices';
export const SCRIPT = 'STRIPE_PAYMENTLINK_SUCCESS';
/** As the script kit names them. */
const KIT_LOG = 'bridge_log';
const KIT_HANDOFF = 'bridge_handoff';
/** FileMaker locks an account after some wrong passwords: a person gets fewer tries here. */
const LOGIN_TRIES = 3;

interface NamesOfFile {
  layouts: readonly string[];
  scripts: readonly string[];
}

/** Layouts and scripts as the account sees them; undefined where nobody is there to look or the server does not tell. */
async function lookAtFile(
  values: Map<string, string>,
  asked: ReadonlySet<string>,
  prompter: Prompter,
  peers: InitPeers,
): Promise<NamesOfFile | undefined> {
  const caFile = text(process.env.FILEMAKER_CA_FILE);
  const ca = caFile !== undefined && existsSync(caFile) ? readFileSync(caFile, 'utf8') : undefined;
  for (let tries = 1; ; tries += 1) {
    const [url, database, username, password] = ['URL', 'DATABASE', 'USERNAME', 'PASSWORD'].map((name) =>
      values.get(`FILEMAKER_${name}`),
    );
    if (url === undefined || database === undefined || username === undefined || password === undefined)
      return undefined;
    if (!URL.canParse(url)) return undefined;
    prompter.say(`\nLooking at ${url} …`);
    const seen = await peers.lookAtFileMaker({ url, database, username, password, ca });
    if (seen.kind === 'seen') {
      const { version, layouts, scripts } = seen;
      prompter.say(
        `  FileMaker Server${version === null ? '' : ` ${version}`}, file ${database}: the account sees ${layouts.length} layouts and ${scripts.length} scripts.`,
      );
      return { layouts, scripts };
    }
    prompter.say(`  ${seen.reason}`);
    const mine = ['FILEMAKER_USERNAME', 'FILEMAKER_PASSWORD'].filter((name) => asked.has(name));
    if (seen.about !== 'login' || mine.length === 0 || tries >= LOGIN_TRIES) {
      prompter.say('  Going on without a look: names are taken as they are typed. Later: ./bridge filemaker check');
      return undefined;
    }
    for (const name of mine) {
      const question = questionOf(name);
      if (question !== undefined) values.set(name, await askOne(prompter, question));
    }
  }
}

/** Which script runs where, what shows that it ran, and how large payloads travel. */
export async function chooseNames(
  options: InitOptions,
  before: Readonly<Record<string, string>>,
  about: { values: Map<string, string>; asked: ReadonlySet<string>; prompter: Prompter | undefined; peers: InitPeers },
): Promise<Pick<Answers, 'layout' | 'script' | 'logLayout' | 'handoffLayout'>> {
  const { prompter } = about;
  const given = {
    layout: options.layout,
    script: options.script,
    logLayout: options.logLayout ?? before.FILEMAKER_LOG_LAYOUT,
    handoffLayout: options.handoffLayout ?? before.FILEMAKER_HANDOFF_LAYOUT,
  };
  const byDefault = { ...given, layout: given.layout ?? LAYOUT, script: given.script ?? SCRIPT };
  if (prompter === undefined || options.offline === true || Object.values(given).every((name) => name !== undefined))
    return byDefault;
  const seen = await lookAtFile(about.values, about.asked, prompter, about.peers);
  if (seen === undefined) return byDefault;
  const { layouts, scripts } = seen;
  const likely = (names: readonly string[], name: string): string | undefined =>
    names.includes(name) ? name : names.length === 1 ? names[0] : undefined;
  const choose = async (asks: string, names: readonly string[], name: string): Promise<string> =>
    (await chooseName(prompter, { asks, names, byDefault: likely(names, name) })) ?? name;
  const chooseOptional = (asks: string, name: string, none: string): Promise<string | undefined> =>
    chooseName(prompter, { asks, names: layouts, byDefault: layouts.includes(name) ? name : undefined, none });
  return {
    script: given.script ?? (await choose('Which script shall run when an invoice is paid?', scripts, SCRIPT)),
    layout: given.layout ?? (await choose('On which layout does it start?', layouts, LAYOUT)),
    logLayout:
      given.logLayout ??
      (await chooseOptional(
        'Which layout shows the log of the script kit? With it, a payment runs exactly once and can be proved.',
        KIT_LOG,
        'none: a plain script (at most once, plus a person)',
      )),
    handoffLayout:
      given.handoffLayout ??
      (await chooseOptional(
        'Which layout takes payloads as records (hand-off)? Without it, most carts of two lines or more do not fit into a script call.',
        KIT_HANDOFF,
        'none: payloads go in the address of the script call',
      )),
  };
}
