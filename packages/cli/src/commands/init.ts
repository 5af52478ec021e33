import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { ConfigurationError, type ConfigurationFault, loadConfig, type Role } from '@bridge/config';
import { flowNames } from '@bridge/flows';
import { lookAtFileMaker, lookAtStripe } from '@bridge/operations';
import { type Command, Option } from 'commander';
import { projectFolder } from '../app-processes';
import type { CommandResult } from '../command-result';
import { ENVIRONMENT_FILE, readEnvironmentFile } from '../environment-file';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import { askYesNo, chooseName, type Prompter, terminalPrompter } from '../prompter';
import { composeBridgeFile, composeEnvironment } from '../setup-files';

const BRIDGE_FILE = 'bridge.yaml';

interface Question {
  readonly variable: string;
  readonly flag: string;
  readonly asks: string;
  readonly byDefault?: string;
  readonly hidden?: true;
}

const questions: readonly Question[] = [
  {
    variable: 'DATABASE_URL',
    flag: '--database-url',
    asks: 'PostgreSQL 15 or newer',
    byDefault: 'postgresql://bridge@localhost/bridge?host=/var/run/postgresql',
  },
  { variable: 'REDIS_URL', flag: '--redis-url', asks: 'Redis or Valkey', byDefault: 'redis://127.0.0.1:6379' },
  {
    variable: 'STRIPE_API_KEY',
    flag: '--stripe-key',
    asks: 'Stripe key, restricted (rk_…) or secret (sk_…)',
    hidden: true,
  },
  {
    variable: 'STRIPE_WEBHOOK_SECRETS',
    flag: '--webhook-secret',
    asks: 'Signing secret of the webhook endpoint (whsec_…); empty: no open port, events are fetched each minute',
    hidden: true,
  },
  { variable: 'FILEMAKER_URL', flag: '--filemaker-url', asks: 'FileMaker Server, as https://host' },
  { variable: 'FILEMAKER_DATABASE', flag: '--filemaker-database', asks: 'FileMaker file, without .fmp12' },
  { variable: 'FILEMAKER_USERNAME', flag: '--filemaker-account', asks: 'Account in that file' },
  { variable: 'FILEMAKER_PASSWORD', flag: '--filemaker-password', asks: 'Its password', hidden: true },
];

export interface InitOptions extends Record<string, unknown> {
  folder: string;
  layout?: string;
  script?: string;
  mode?: 'live' | 'observe';
  logLayout?: string;
  handoffLayout?: string;
  force?: boolean;
  yes?: boolean;
  offline?: boolean;
  json?: boolean;
}

const LAYOUT = 'web_invoices';
const SCRIPT = 'STRIPE_PAYMENTLINK_SUCCESS';
/** As the script kit names them. */
const KIT_LOG = 'bridge_log';
const KIT_HANDOFF = 'bridge_handoff';
/** FileMaker locks an account after some wrong passwords: a person gets fewer tries here. */
const LOGIN_TRIES = 3;
const KEY_TRIES = 3;

/** As commander names them: `--stripe-key` is `stripeKey`. */
const optionName = (flag: string): string =>
  flag.slice(2).replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : undefined;

/** What is known without asking: the flag, the environment in either form, the file that was here before. */
function known(
  question: Question,
  options: InitOptions,
  before: Readonly<Record<string, string>>,
): [name: string, value: string] | undefined {
  const { variable, flag } = question;
  const inFile = `${variable}_FILE`;
  const found: [string, unknown][] = [
    [variable, options[optionName(flag)]],
    [variable, process.env[variable]],
    [inFile, process.env[inFile]],
    [variable, before[variable]],
    [inFile, before[inFile]],
  ];
  for (const [name, value] of found) {
    const given = text(value);
    if (given !== undefined) return [name, given];
  }
  return undefined;
}

/** What is asked, looked at and chosen. Without a prompter nobody is asked and nothing is contacted. */
interface Answers {
  /** By variable, some as `NAME_FILE`. */
  readonly values: Map<string, string>;
  readonly mode: string;
  readonly layout: string;
  readonly script: string;
  readonly logLayout: string | undefined;
  readonly handoffLayout: string | undefined;
}

/** Where the answers come from; tests put their own in. */
export interface InitPeers {
  lookAtStripe: typeof lookAtStripe;
  lookAtFileMaker: typeof lookAtFileMaker;
}

function askOne(prompter: Prompter, { asks, byDefault, hidden }: Question): Promise<string> {
  const question = `${asks}${byDefault === undefined ? '' : ` [${byDefault}]`}: `;
  if (hidden === true) return prompter.askHidden(question);
  return prompter.ask(question).then((answer) => answer || (byDefault ?? ''));
}

/** All answers, or one message that names everything that is missing. */
async function gatherAnswers(
  options: InitOptions,
  before: Readonly<Record<string, string>>,
  prompter: Prompter | undefined,
  peers: InitPeers,
): Promise<Answers> {
  const values = new Map<string, string>();
  const asked = new Set<string>();
  const missing: Question[] = [];
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
      await tellAccount(values, asked, prompter, peers);
  }
  if (missing.length > 0) {
    const names = missing.map(({ flag, variable }) => `  ${flag} (or ${variable} in the environment)`).join('\n');
    throw new CommandError('ANSWERS_MISSING', `Nobody is here to be asked. Please give:\n${names}`, 2);
  }
  const names = await chooseNames(options, before, { values, asked, prompter, peers });
  return { values, ...names, mode: await chooseMode(options, before, prompter) };
}

const questionOf = (variable: string): Question | undefined => questions.find((one) => one.variable === variable);

/** Shows whose key it is; one that Stripe does not know is asked for again. */
async function tellAccount(
  values: Map<string, string>,
  asked: ReadonlySet<string>,
  prompter: Prompter,
  peers: InitPeers,
): Promise<void> {
  const apiBase = text(process.env.STRIPE_API_BASE);
  for (let tries = 1; ; tries += 1) {
    const apiKey = values.get('STRIPE_API_KEY');
    // One that is faulty or stands in a file is looked at by the configuration's own check, before anything is written.
    if (apiKey === undefined || !/^(sk|rk)_(live|test)_/.test(apiKey)) return;
    const mode = apiKey.includes('_live_') ? 'live' : 'test';
    const seen = await peers.lookAtStripe({ apiKey, ...(apiBase === undefined ? {} : { apiBase }) });
    if (seen.kind === 'account')
      prompter.say(`  A ${mode} key of ${seen.name === null ? seen.id : `"${seen.name}" (${seen.id})`}.`);
    else if (seen.kind === 'untold') prompter.say(`  A ${mode} key; it works, and may not tell whose it is.`);
    else prompter.say(`  ${seen.reason}${seen.kind === 'away' ? ' Going on without a look.' : ''}`);
    const question = questionOf('STRIPE_API_KEY');
    const again = seen.kind === 'refused' && asked.has('STRIPE_API_KEY') && tries < KEY_TRIES;
    if (!again || question === undefined) return;
    values.set('STRIPE_API_KEY', await askOne(prompter, question));
  }
}

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
async function chooseNames(
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
        'Which layout takes payloads as records (hand-off)? Without it, carts above two lines do not fit into a script call.',
        KIT_HANDOFF,
        'none: payloads go in the address of the script call',
      )),
  };
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

/** Every fault of the three apps, each once. */
function faultsOf(env: NodeJS.ProcessEnv): ConfigurationFault[] {
  const faults = new Map<string, ConfigurationFault>();
  for (const role of ['ingress', 'worker', 'scheduler'] satisfies Role[]) {
    try {
      loadConfig(role, env, { knownFlows: flowNames });
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      for (const fault of error.faults) faults.set(`${fault.variable} ${fault.message}`, fault);
    }
  }
  return [...faults.values()];
}

function refuseToOverwrite(files: readonly string[]): void {
  const there = files.filter((file) => existsSync(file));
  if (there.length === 0) return;
  throw new CommandError(
    'FILE_EXISTS',
    `${there.join(' and ')} ${there.length === 1 ? 'is' : 'are'} there already. With --force the settings asked here are written anew; others in .env are kept, comments are not.`,
  );
}

/** Both files or none: they are checked beside their final names, and moved there last. */
function writeFiles(folder: string, environment: Record<string, string>, yaml: string, force: boolean): string[] {
  const files = [join(folder, ENVIRONMENT_FILE), join(folder, BRIDGE_FILE)] as const;
  const fresh = files.map((file) => `${file}.${randomBytes(6).toString('hex')}`);
  const [freshEnvironment = '', freshYaml = ''] = fresh;
  try {
    writeFileSync(freshEnvironment, composeEnvironment(environment), { mode: 0o600, flag: 'wx' });
    writeFileSync(freshYaml, yaml, { mode: 0o644, flag: 'wx' });
    const faults = faultsOf({ ...environment, BRIDGE_CONFIG: freshYaml });
    if (faults.length > 0) {
      const lines = faults.map(({ variable, message }) => `  ${variable}: ${message}`);
      throw new CommandError(
        'ANSWERS_FAULTY',
        `Nothing was written. These answers cannot work:\n${lines.join('\n')}`,
        2,
      );
    }
    for (const [index, file] of files.entries()) {
      const from = fresh[index] ?? '';
      // A link refuses to take the place of a file that has appeared meanwhile.
      if (force) renameSync(from, file);
      else linkSync(from, file);
    }
    return [...files];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') refuseToOverwrite(files);
    throw error;
  } finally {
    for (const file of fresh) rmSync(file, { force: true });
  }
}

/** Short inside the folder; absolute elsewhere, so that moving either shows. */
function pathFrom(folder: string, file: string): string {
  const path = relative(folder, file);
  return path.startsWith('..') ? file : path;
}

/** Undefined: nobody is there to be asked. */
const prompterFor = ({ yes, json }: InitOptions): Prompter | undefined =>
  process.stdin.isTTY === true && json !== true && yes !== true ? terminalPrompter : undefined;

/** True: what is there may be written over. A person is asked; without one only `--force` says so. */
async function mayOverwrite(folder: string, options: InitOptions, prompter: Prompter | undefined): Promise<boolean> {
  const files = [join(folder, ENVIRONMENT_FILE), join(folder, BRIDGE_FILE)];
  const there = files.filter((file) => existsSync(file));
  if (options.force === true || there.length === 0) return options.force === true;
  if (prompter === undefined) refuseToOverwrite(files);
  prompter?.say(
    `${there.join(' and ')} ${there.length === 1 ? 'is' : 'are'} there already. What is asked here is written anew; other settings in .env are kept, comments are not.`,
  );
  if (prompter !== undefined && (await askYesNo(prompter, 'Write over?', false))) return true;
  throw new CommandError('FILE_EXISTS', 'Nothing was changed.');
}

/** `prompter` undefined: never ask, contact nobody. */
export async function runInit(
  options: InitOptions,
  prompter: Prompter | undefined = prompterFor(options),
  peers: InitPeers = { lookAtStripe, lookAtFileMaker },
): Promise<CommandResult> {
  const folder = resolve(options.folder);
  const force = await mayOverwrite(folder, options, prompter);
  const before = readEnvironmentFile(folder) ?? {};
  const {
    values: answers,
    mode,
    layout,
    script,
    logLayout,
    handoffLayout,
  } = await gatherAnswers(options, before, prompter, peers);
  mkdirSync(folder, { recursive: true });

  const kept = Object.fromEntries(
    Object.entries(before).filter(([name]) => !answers.has(name.replace(/_FILE$/, '')) && !answers.has(`${name}_FILE`)),
  );
  const ownKey = kept.FILEMAKER_TOKEN_KEY !== undefined || kept.FILEMAKER_TOKEN_KEY_FILE !== undefined;
  const environment: Record<string, string> = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    FILEMAKER_MAX_SESSIONS: '5',
    ...kept,
    ...Object.fromEntries(answers),
    MODE: mode,
    ...(ownKey ? {} : { FILEMAKER_TOKEN_KEY: randomBytes(32).toString('base64') }),
    ...(logLayout === undefined ? {} : { FILEMAKER_LOG_LAYOUT: logLayout }),
    ...(handoffLayout === undefined ? {} : { FILEMAKER_HANDOFF_LAYOUT: handoffLayout }),
    BRIDGE_CONFIG: BRIDGE_FILE,
  };
  const schema = join(projectFolder, 'docs/bridge.schema.json');
  const yaml = composeBridgeFile({ layout, script }, existsSync(schema) ? pathFrom(folder, schema) : undefined);
  const written = writeFiles(folder, environment, yaml, force);
  const next = ['./bridge migrate', './bridge user add NAME', './bridge up', './bridge doctor'];
  return {
    fine: true,
    json: { written, mode, contract: logLayout === undefined ? 'plain' : 'kit', next },
    text: (output) =>
      [
        `${output.dress('fine', 'Written:')} ${written.join(', ')}`,
        `MODE is ${mode}${mode === 'observe' ? ': the bridge decides and records, and sends nothing to FileMaker.' : '.'}`,
        logLayout === undefined
          ? "The script counts as plain (at most once, plus a person). Does it speak the kit's contract? Give --log-layout."
          : "The script speaks the kit's contract: exactly once.",
        ...(handoffLayout === undefined
          ? ['Payloads go in the address of the script call: carts above two lines do not fit. Give --handoff-layout.']
          : []),
        '',
        'Next, in that folder:',
        ...next.map((line) => `  ${output.dress('command', line)}`),
      ].join('\n'),
  };
}

export function addInit(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  const init = program
    .command('init')
    .summary('write .env and bridge.yaml for this machine')
    .description(
      'Asks for what the bridge must know, checks it, and writes .env (for your eyes only) and bridge.yaml. ' +
        'What a flag or the environment says is not asked; secrets are better given in the environment, since others on this machine can see flags. ' +
        'Makes FILEMAKER_TOKEN_KEY. On a terminal it shows whose Stripe key it is, and lists layouts and scripts to choose from; with --yes, --json or without a terminal nobody is asked and nothing is contacted.',
    );
  for (const { flag, variable, asks, byDefault } of questions) {
    const also = byDefault === undefined ? '' : `; default ${byDefault}`;
    init.addOption(new Option(`${flag} <value>`, `${variable}: ${asks}${also}`));
  }
  init
    .addOption(new Option('--mode <mode>', 'MODE (default: live; asked on a terminal)').choices(['live', 'observe']))
    .option('--layout <name>', `layout of the script that a paid Checkout Session runs (default: ${LAYOUT})`)
    .option('--script <name>', `that script (default: ${SCRIPT})`)
    .option('--log-layout <name>', "layout of the script kit's log; the script then speaks the kit's contract")
    .option(
      '--handoff-layout <name>',
      'layout that takes payloads as records: without it carts above two lines do not fit',
    )
    .option('--folder <path>', 'where the two files go', '.')
    .option('--force', 'write over files that are there')
    .option('--yes', 'never ask: take what flags, the environment and defaults say')
    .option('--offline', 'ask, but contact neither Stripe nor FileMaker')
    .addOption(jsonOption('never ask; print one JSON object instead of text'))
    .addHelpText(
      'after',
      examples(
        './bridge init',
        'STRIPE_API_KEY=rk_live_… STRIPE_WEBHOOK_SECRETS=whsec_… FILEMAKER_PASSWORD=… \\\n      ./bridge init --filemaker-url https://fm.example.com --filemaker-database Shop \\\n      --filemaker-account bridge --mode observe --json',
      ),
    )
    .action((options: InitOptions) => report(() => runInit(options)));
}
