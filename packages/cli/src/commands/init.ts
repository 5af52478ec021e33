import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { lookAtFileMaker, lookAtStripe } from '@bridge/operations';
import { type Command, Option } from 'commander';
import { projectFolder } from '../app-processes';
import type { CommandResult } from '../command-result';
import { readEnvironmentFile } from '../environment-file';
import type { InitPeers } from '../init/answers';
import { LAYOUT, SCRIPT } from '../init/choose-names';
import { gatherAnswers } from '../init/gather-answers';
import { type InitOptions, questions } from '../init/questions';
import { BRIDGE_FILE, mayOverwrite, writeFiles } from '../init/write-files';
import { examples, jsonOption } from '../options';
import { type Prompter, terminalPrompter } from '../prompter';
import { composeBridgeFile } from '../setup-files';
import { fold, foldBehind } from '../table';

/** Short inside the folder; absolute elsewhere, so that moving either shows. */
function pathFrom(folder: string, file: string): string {
  const path = relative(folder, file);
  return path.startsWith('..') ? file : path;
}

/** Undefined: nobody is there to be asked. */
const prompterFor = ({ yes, json }: InitOptions): Prompter | undefined =>
  process.stdin.isTTY === true && json !== true && yes !== true ? terminalPrompter : undefined;

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
      fold(
        [
          foldBehind('fine', 'Written:', written.join(', '), output),
          `MODE is ${mode}${mode === 'observe' ? ': the bridge decides and records, and sends nothing to FileMaker.' : '.'}`,
          logLayout === undefined
            ? "The script counts as plain (at most once, plus a person). Does it speak the kit's contract? Give --log-layout."
            : "The script speaks the kit's contract: exactly once.",
          ...(handoffLayout === undefined
            ? [
                'Payloads go in the address of the script call: most carts of two lines or more do not fit. Give --handoff-layout.',
              ]
            : []),
          '',
          'Next, in that folder:',
          ...next.map((line) => `  ${output.dress('command', line)}`),
        ].join('\n'),
        output.sentenceWidth,
      ),
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
    .addOption(
      new Option('--mode <mode>', 'MODE (default: live; on a terminal it is asked, and observe proposed)').choices([
        'live',
        'observe',
      ]),
    )
    .option('--layout <name>', `layout of the script that a paid Checkout Session runs (default: ${LAYOUT})`)
    .option('--script <name>', `that script (default: ${SCRIPT})`)
    .option('--log-layout <name>', "layout of the script kit's log; the script then speaks the kit's contract")
    .option(
      '--handoff-layout <name>',
      'layout that takes payloads as records: without it most carts of two lines or more do not fit',
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
