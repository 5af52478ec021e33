import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Config,
  ConfigurationError,
  type ConfigurationFault,
  type ListenConfig,
  loadConfig,
} from '@bridge/config';
import { flowNames } from '@bridge/flows';
import { CommandError } from './failure';
import type { SupervisedApp } from './supervisor';

type AppRole = 'ingress' | 'worker' | 'scheduler';

/** The folder of the whole project: this file is packages/cli/dist/app-processes.js. */
export const projectFolder = join(__dirname, '../../..');

/** With OPS_PORT unset: ingress 9464, worker 9465, scheduler 9466, further workers after that. */
const FIRST_OPS_PORT = 9464;

export interface AppChoices {
  /** Worker processes. */
  readonly workers: number;
  /** Port of the scheduler's public side; unset: 3002, or any free one when PORT is 0. */
  readonly consolePort?: number | undefined;
}

/**
 * The environments of the three apps on one box, where the settings that only one process can have are dealt out: PORT is
 * the ingress's, OPS_PORT the first of consecutive ports. 0 stays 0, any free port, for everyone.
 */
export function dealOut(
  env: NodeJS.ProcessEnv,
  choices: AppChoices,
): { name: string; role: AppRole; env: NodeJS.ProcessEnv }[] {
  const opsPort = (place: number): string | undefined => {
    const first = (env.OPS_PORT ?? '').trim();
    // What is no number is left as it is, for the configuration to name as a fault.
    if (first !== '' && !/^\d{1,5}$/.test(first)) return first;
    const from = first === '' ? FIRST_OPS_PORT : Number(first);
    return from === 0 ? '0' : String(from + place);
  };
  const consolePort = choices.consolePort ?? (env.PORT?.trim() === '0' ? 0 : undefined);
  const apps: { name: string; role: AppRole; env: NodeJS.ProcessEnv }[] = [
    { name: 'ingress', role: 'ingress', env: { ...env, OPS_PORT: opsPort(0) } },
    { name: 'worker', role: 'worker', env: { ...env, OPS_PORT: opsPort(1) } },
    {
      name: 'scheduler',
      role: 'scheduler',
      env: { ...env, PORT: consolePort === undefined ? undefined : String(consolePort), OPS_PORT: opsPort(2) },
    },
  ];
  for (let number = 2; number <= choices.workers; number += 1)
    apps.push({ name: `worker-${number}`, role: 'worker', env: { ...env, OPS_PORT: opsPort(number + 1) } });
  return apps;
}

const addressOf = (listen: ListenConfig | undefined): string | undefined => {
  if (listen === undefined || listen.port === 0) return undefined;
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '[::1]' : listen.host;
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${listen.port}`;
};

/**
 * The three apps as programs to start, their configuration checked beforehand; without the ingress where events are
 * fetched and no webhook is taken.
 * @throws ConfigurationError with the faults of all of them, each once.
 * @throws CommandError when an app is not there or not built.
 */
export function appProcesses(env: NodeJS.ProcessEnv, choices: AppChoices): SupervisedApp[] {
  const faults = new Map<string, ConfigurationFault>();
  const apps = dealOut(env, choices).flatMap((app): SupervisedApp[] => {
    const main = join(projectFolder, 'apps', app.role, 'dist/main.js');
    if (!existsSync(main)) {
      throw new CommandError(
        'APP_NOT_BUILT',
        `apps/${app.role} is not built here. Run: npm install && npm run build. (An image holds one app; there, start the containers instead.)`,
      );
    }
    let config: Config;
    try {
      config = loadConfig(app.role, app.env, { knownFlows: flowNames });
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      for (const fault of error.faults) faults.set(`${fault.variable} ${fault.message}`, fault);
      return [];
    }
    // Events are fetched, and no webhook could be verified: nothing needs the open port.
    const { delivery, webhookSecrets } = config.stripe;
    if (app.role === 'ingress' && delivery === 'pull' && webhookSecrets.length === 0) return [];
    return [
      {
        name: app.name,
        ...dyingWithUs(process.execPath, [main]),
        env: app.env,
        shutdownSeconds: config.shutdownSeconds,
        url: addressOf(config.http),
        opsUrl: addressOf(config.ops),
      },
    ];
  });
  if (faults.size > 0) throw new ConfigurationError([...faults.values()]);
  return apps;
}

/**
 * On Linux the kernel sends SIGTERM to the app when we are killed outright; elsewhere an app that is left behind has to
 * be ended by hand.
 */
function dyingWithUs(command: string, args: readonly string[]): { command: string; args: readonly string[] } {
  const setpriv = '/usr/bin/setpriv';
  if (process.platform !== 'linux' || !existsSync(setpriv)) return { command, args };
  return { command: setpriv, args: ['--pdeathsig', 'TERM', '--', command, ...args] };
}
