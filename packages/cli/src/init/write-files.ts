import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError, type ConfigurationFault, loadConfig, type Role } from '@bridge/config';
import { flowNames } from '@bridge/flows';
import { ENVIRONMENT_FILE } from '../environment-file';
import { CommandError } from '../failure';
import { askYesNo, type Prompter } from '../prompter';
import { composeEnvironment } from '../setup-files';
import type { InitOptions } from './questions';

export const BRIDGE_FILE = 'bridge.yaml';

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
export function writeFiles(
  folder: string,
  environment: Record<string, string>,
  yaml: string,
  force: boolean,
): string[] {
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

/** True: what is there may be written over. A person is asked; without one only `--force` says so. */
export async function mayOverwrite(
  folder: string,
  options: InitOptions,
  prompter: Prompter | undefined,
): Promise<boolean> {
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
