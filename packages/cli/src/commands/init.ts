import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { ConfigurationError, type ConfigurationFault, loadConfig, type Role } from '@bridge/config';
import { flowNames } from '@bridge/flows';
import { type Command, Option } from 'commander';
import { projectFolder } from '../app-processes';
import type { CommandResult } from '../command-result';
import { ENVIRONMENT_FILE, readEnvironmentFile } from '../environment-file';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import { askHidden } from '../read-password';
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
    asks: 'Signing secret of the webhook endpoint (whsec_…)',
    hidden: true,
  },
  { variable: 'FILEMAKER_URL', flag: '--filemaker-url', asks: 'FileMaker Server, as https://host' },
  { variable: 'FILEMAKER_DATABASE', flag: '--filemaker-database', asks: 'FileMaker file, without .fmp12' },
  { variable: 'FILEMAKER_USERNAME', flag: '--filemaker-account', asks: 'Account in that file' },
  { variable: 'FILEMAKER_PASSWORD', flag: '--filemaker-password', asks: 'Its password', hidden: true },
];

interface Options extends Record<string, unknown> {
  folder: string;
  layout: string;
  script: string;
  mode?: 'live' | 'observe';
  logLayout?: string;
  force?: boolean;
  json?: boolean;
}

/** As commander names them: `--stripe-key` is `stripeKey`. */
const optionName = (flag: string): string =>
  flag.slice(2).replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : undefined;

/** What is known without asking: the flag, the environment in either form, the file that was here before. */
function known(
  question: Question,
  options: Options,
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

async function ask({ asks, byDefault, hidden }: Question): Promise<string> {
  const question = `${asks}${byDefault === undefined ? '' : ` [${byDefault}]`}: `;
  if (hidden === true) return askHidden(process.stdin, question);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim() || (byDefault ?? '');
  } finally {
    lines.close();
  }
}

/** All answers, or one message that names everything that is missing. */
async function gatherAnswers(options: Options, before: Readonly<Record<string, string>>): Promise<Map<string, string>> {
  const mayAsk = process.stdin.isTTY === true && options.json !== true;
  const answers = new Map<string, string>();
  const missing: Question[] = [];
  for (const question of questions) {
    const answer = known(question, options, before);
    if (answer !== undefined) answers.set(...answer);
    else if (mayAsk) answers.set(question.variable, await ask(question));
    else if (question.byDefault !== undefined) answers.set(question.variable, question.byDefault);
    else missing.push(question);
  }
  if (missing.length > 0) {
    const names = missing.map(({ flag, variable }) => `  ${flag} (or ${variable} in the environment)`).join('\n');
    throw new CommandError('ANSWERS_MISSING', `Nobody is here to be asked. Please give:\n${names}`, 2);
  }
  return answers;
}

async function chooseMode(options: Options, before: Readonly<Record<string, string>>): Promise<string> {
  const given = options.mode ?? text(process.env.MODE) ?? text(before.MODE);
  if (given !== undefined) return given;
  if (process.stdin.isTTY !== true || options.json === true) return 'live';
  const answer = await ask({
    variable: 'MODE',
    flag: '--mode',
    asks: 'Begin with observe (sends nothing) or live',
    byDefault: 'observe',
  });
  return answer;
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

async function run(options: Options): Promise<CommandResult> {
  const folder = resolve(options.folder);
  const force = options.force === true;
  if (!force) refuseToOverwrite([join(folder, ENVIRONMENT_FILE), join(folder, BRIDGE_FILE)]);
  const before = readEnvironmentFile(folder) ?? {};
  const answers = await gatherAnswers(options, before);
  const mode = await chooseMode(options, before);
  mkdirSync(folder, { recursive: true });

  const kept = Object.fromEntries(
    Object.entries(before).filter(([name]) => !answers.has(name.replace(/_FILE$/, '')) && !answers.has(`${name}_FILE`)),
  );
  const ownKey = kept.FILEMAKER_TOKEN_KEY !== undefined || kept.FILEMAKER_TOKEN_KEY_FILE !== undefined;
  const logLayout = options.logLayout ?? kept.FILEMAKER_LOG_LAYOUT;
  const environment: Record<string, string> = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    FILEMAKER_MAX_SESSIONS: '5',
    ...kept,
    ...Object.fromEntries(answers),
    MODE: mode,
    ...(ownKey ? {} : { FILEMAKER_TOKEN_KEY: randomBytes(32).toString('base64') }),
    ...(logLayout === undefined ? {} : { FILEMAKER_LOG_LAYOUT: logLayout }),
    BRIDGE_CONFIG: BRIDGE_FILE,
  };
  const schema = join(projectFolder, 'docs/bridge.schema.json');
  const yaml = composeBridgeFile(options, existsSync(schema) ? pathFrom(folder, schema) : undefined);
  const written = writeFiles(folder, environment, yaml, force);
  const next = ['./bridge migrate', './bridge user add NAME', './bridge up'];
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
        'Makes FILEMAKER_TOKEN_KEY. Nothing is contacted.',
    );
  for (const { flag, variable, asks, byDefault } of questions) {
    const also = byDefault === undefined ? '' : `; default ${byDefault}`;
    init.addOption(new Option(`${flag} <value>`, `${variable}: ${asks}${also}`));
  }
  init
    .addOption(new Option('--mode <mode>', 'MODE (default: live; asked on a terminal)').choices(['live', 'observe']))
    .option('--layout <name>', 'layout of the script that a paid Checkout Session runs', 'web_invoices')
    .option('--script <name>', 'that script', 'STRIPE_PAYMENTLINK_SUCCESS')
    .option('--log-layout <name>', "layout of the script kit's log; the script then speaks the kit's contract")
    .option('--folder <path>', 'where the two files go', '.')
    .option('--force', 'write over files that are there')
    .addOption(jsonOption('never ask; print one JSON object instead of text'))
    .addHelpText(
      'after',
      examples(
        './bridge init',
        'STRIPE_API_KEY=rk_live_… STRIPE_WEBHOOK_SECRETS=whsec_… FILEMAKER_PASSWORD=… \\\n      ./bridge init --filemaker-url https://fm.example.com --filemaker-database Shop \\\n      --filemaker-account bridge --mode observe --json',
      ),
    )
    .action((options: Options) => report(() => run(options)));
}
