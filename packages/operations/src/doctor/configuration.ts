import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Config, type Role, readSoundConfig, variables } from '@bridge/config';
import { fault, type Judged } from './fault';

export interface ConfigurationFacts {
  nodeVersion: string;
  /** Apps that were looked at. */
  apps: readonly Role[];
  /** What is wrong, for which of them; `cli`: for commands, and for no app that was looked at. */
  faults: readonly { variable: string; message: string; apps: readonly Role[] }[];
  /** `.env` and files named by `NAME_FILE`, with their permissions (the last nine bits). */
  files: readonly { path: string; mode: number; environment: boolean }[];
}

const NODE_MIN = [22, 19] as const;
/** Group or others may read. */
const OPEN = 0o044;
/** Container platforms put secrets there, with permissions of their own, where nobody else lives. */
const MOUNTED = /^(\/var)?\/run\/secrets\//;

/** Pure: is what the apps read usable, and for their eyes only? */
export function judgeConfiguration({ nodeVersion, apps, faults, files }: ConfigurationFacts): Judged {
  const [major = 0, minor = 0] = nodeVersion.replace(/^v/, '').split('.').map(Number);
  const old = major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]);
  const open = files.filter(({ path, mode }) => (mode & OPEN) !== 0 && !MOUNTED.test(path));
  return {
    detail: `${apps.length === 0 ? 'no app' : apps.join(', ')}; Node ${nodeVersion.replace(/^v/, '')}`,
    faults: [
      ...(old ? [fault('NODE_TOO_OLD', nodeVersion.replace(/^v/, ''))] : []),
      ...faults.map(({ variable, message, apps: readers }) =>
        fault(
          'CONFIGURATION_FAULTY',
          `${variable} ${message}${apps.some((app) => !readers.includes(app)) ? ` (${readers.join(', ')})` : ''}`,
        ),
      ),
      ...open.map(({ path, environment }) => fault(environment ? 'ENV_FILE_OPEN' : 'SECRET_FILE_OPEN', path)),
    ],
  };
}

/** Reads what the apps and this command would read; `config` is what the sound part says. Bounded by the file system alone. */
export function collectConfiguration(options: {
  env: NodeJS.ProcessEnv;
  apps: readonly Role[];
  knownFlows: readonly string[];
  /** `.env`, when the settings come from one. */
  environmentFile: string | undefined;
}): { facts: ConfigurationFacts; config: Config } {
  const { env, apps, knownFlows } = options;
  const found = new Map<string, { variable: string; message: string; apps: Role[] }>();
  for (const app of apps) {
    for (const { variable, message } of readSoundConfig(app, env, { knownFlows }).faults) {
      const key = `${variable} ${message}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { variable, message, apps: [app] });
      else known.apps.push(app);
    }
  }
  const own = readSoundConfig('cli', env, { knownFlows });
  for (const { variable, message } of own.faults) {
    const key = `${variable} ${message}`;
    if (!found.has(key)) found.set(key, { variable, message, apps: ['cli'] });
  }
  const secretFiles = variables.flatMap(({ name, secret }) => {
    const path = secret ? (env[`${name}_FILE`] ?? '').trim() : '';
    return path === '' ? [] : [path];
  });
  const environment = options.environmentFile === undefined ? [] : [options.environmentFile];
  const facts: ConfigurationFacts = {
    nodeVersion: process.versions.node,
    apps,
    faults: [...found.values()],
    files: [
      ...environment.flatMap((path) => permissionsOf(path, true)),
      ...secretFiles.flatMap((path) => permissionsOf(path, false)),
    ],
  };
  return { facts, config: own.config };
}

/** A file that is not there is a fault of the configuration and named as such. */
function permissionsOf(path: string, environment: boolean): ConfigurationFacts['files'] {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true ? [{ path: resolve(path), mode: stat.mode & 0o777, environment }] : [];
}
