import { loadConfig } from '@bridge/config';
import { assertMigrated } from '@bridge/database';
import { type Command, InvalidArgumentError } from 'commander';
import { appProcesses } from '../app-processes';
import { migrationSources } from '../command-context';
import type { CommandResult } from '../command-result';
import { mergeEnvironment, readEnvironmentFile } from '../environment-file';
import { CommandError, describeFailure } from '../failure';
import { examples, jsonOption } from '../options';
import { createOutput, type Output } from '../output';
import { type AppAddresses, createSupervisor, EXIT_CONFIGURATION, type SupervisorEvent } from '../supervisor';
import { renderTable } from '../table';

const WORKERS_MAX = 20;
const NAME_WIDTH = 9;

interface Options {
  workers: number;
  consolePort?: number;
  json?: boolean;
}

/** Prints what the apps say and what becomes of them, as lines for people or one JSON object per line. */
interface Voice {
  appLine(app: string, line: string): void;
  event(event: SupervisorEvent): void;
  note(kind: string, sentence: string, tone?: 'broken' | 'waits' | 'fine' | 'quiet'): void;
  addresses(addresses: readonly AppAddresses[]): void;
}

function sentenceOf(event: SupervisorEvent): [sentence: string, tone: 'broken' | 'waits' | 'fine' | 'quiet'] {
  switch (event.kind) {
    case 'started':
      return [`${event.app} has started, process ${event.pid}`, 'quiet'];
    case 'ready':
      return [`${event.app} is ready`, 'fine'];
    case 'not-ready':
      return [`${event.app} is not ready yet: ${event.because}`, 'waits'];
    case 'ended':
      return [`${event.app} ended (${event.how}); again in ${event.againInMs / 1_000} s`, 'broken'];
    case 'drained':
      return [`${event.app} has ended (${event.how})`, 'quiet'];
    case 'faulty':
      return [`${event.app} says that its configuration is faulty; stopping everything`, 'broken'];
    case 'killed':
      return [`${event.app} had not ended after ${event.afterSeconds} s and is killed`, 'broken'];
  }
}

/** What a crash leaves behind may begin like an object and be none. */
export function isJsonObject(line: string): boolean {
  if (!line.startsWith('{')) return false;
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

function speakJson(write: (text: string) => void): Voice {
  const say = (entry: object): void =>
    write(`${JSON.stringify({ level: 'info', time: new Date().toISOString(), name: 'up', ...entry })}\n`);
  return {
    appLine: (app, line) => write(isJsonObject(line) ? `${line}\n` : `${JSON.stringify({ name: app, line })}\n`),
    event: (event) => say({ ...event, msg: sentenceOf(event)[0] }),
    note: (kind, sentence) => say({ kind, msg: sentence }),
    addresses: (addresses) => say({ kind: 'up', msg: 'all are ready', apps: addresses }),
  };
}

function speakText(write: (text: string) => void, output: Output): Voice {
  const prefix = (app: string): string => output.dress('quiet', `${app.padEnd(NAME_WIDTH)} │ `);
  const note = (sentence: string, tone: 'broken' | 'waits' | 'fine' | 'quiet'): void =>
    write(`${prefix('up')}${output.dress(tone, sentence)}\n`);
  return {
    appLine: (app, line) => write(`${prefix(app)}${line}\n`),
    event: (event) => note(...sentenceOf(event)),
    note: (_kind, sentence, tone = 'quiet') => note(sentence, tone),
    addresses: (addresses) => write(`\n${addressTable(addresses, output)}\n\n`),
  };
}

function addressTable(addresses: readonly AppAddresses[], output: Output): string {
  const rows = addresses.flatMap(({ name, url, opsUrl }) => {
    const base = url?.replace(/\/$/, '');
    return [
      ...(base === undefined || base === null
        ? []
        : name === 'ingress'
          ? [{ what: 'Webhook for Stripe', address: `${base}/webhooks/stripe` }]
          : [
              { what: 'Status page', address: `${base}/` },
              { what: 'Job queues', address: `${base}/queues` },
            ]),
      { what: `Health and metrics of ${name}`, address: `${opsUrl ?? 'unknown'}  /readyz /healthz /metrics` },
    ];
  });
  return renderTable(
    rows,
    [
      { heading: 'What', cell: (row) => row.what },
      { heading: 'Address', cell: (row) => row.address },
    ],
    output,
  );
}

/** A database that lacks migrations would end worker and scheduler again and again; one that is away is waited for. */
async function assertDatabaseFits(env: NodeJS.ProcessEnv, voice: Voice): Promise<void> {
  if (env.MIGRATE_ON_START?.trim() === 'true') return;
  try {
    await assertMigrated(loadConfig('cli', env).database.url, migrationSources);
  } catch (error) {
    if (error instanceof Error && error.name === 'MigrationError') throw error;
    voice.note('postgresql-away', `${describeFailure(error).message} Starting all the same.`, 'waits');
  }
}

async function run(options: Options): Promise<CommandResult> {
  const env = mergeEnvironment(readEnvironmentFile(process.cwd()) ?? {}, process.env);
  const apps = appProcesses(env, { workers: options.workers, consolePort: options.consolePort });
  const write = (text: string): void => {
    process.stdout.write(text);
  };
  const voice = options.json === true ? speakJson(write) : speakText(write, createOutput({ timeZone: 'UTC' }));
  await assertDatabaseFits(env, voice);

  const supervisor = createSupervisor({ apps, onLine: voice.appLine, onEvent: voice.event });
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  const onSignal = (signal: NodeJS.Signals): void => {
    voice.note('draining', `${signal}: letting everything finish what it has in hand`);
    supervisor.stop();
  };
  for (const signal of signals) process.on(signal, onSignal);
  supervisor.allReady.then(voice.addresses, () => undefined);
  supervisor.start();
  const { clean, faulty } = await supervisor.ended;
  for (const signal of signals) process.off(signal, onSignal);
  if (faulty !== undefined) {
    throw new CommandError(
      'CONFIGURATION_FAULTY',
      `The configuration of ${faulty} is faulty; see above.`,
      EXIT_CONFIGURATION,
    );
  }
  return {
    fine: clean,
    oneLine: true,
    json: { stopped: true, clean },
    text: (output) =>
      clean
        ? output.dress('fine', 'Everything has drained.')
        : output.dress('broken', 'Stopped, but not everything ended by itself in its time; see above.'),
  };
}

function workerCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > WORKERS_MAX)
    throw new InvalidArgumentError(`Give a whole number from 1 to ${WORKERS_MAX}.`);
  return count;
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('Give a port, 0 to 65535.');
  return port;
}

export function addUp(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('up')
    .summary('run ingress, worker and scheduler on this machine')
    .description(
      'Starts the three apps side by side, starts one that crashes again, and lets all of them finish on SIGTERM or Ctrl-C. ' +
        'Reads .env in the current folder; what the environment says goes before it. PORT is the ingress’s; OPS_PORT is the first of consecutive ports. ' +
        'With STRIPE_DELIVERY=pull and no webhook secret there is no ingress: events are fetched, and no port is open.',
    )
    .option('--workers <count>', `worker processes, 1 to ${WORKERS_MAX}`, workerCount, 1)
    .option('--console-port <port>', 'port of the status page (default: 3002)', portNumber)
    .addOption(jsonOption('print one JSON object per line: the logs of the apps, and what becomes of them'))
    .addHelpText('after', examples('./bridge up', './bridge up --workers 2', './bridge up --json >> bridge.log'))
    .action((options: Options) => report(() => run(options)));
}
