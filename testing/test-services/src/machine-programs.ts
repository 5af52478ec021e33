import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first executable of that name on the PATH of `env`. */
export function findOnPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  // Daemons often live in sbin, which is not on every user's PATH.
  const folders = [
    ...(env.PATH ?? '').split(delimiter),
    ...(env === process.env ? ['/usr/sbin', '/usr/local/sbin'] : []),
  ];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Only root may, and only where there is apt-get. */
export const mayInstallDebianPackages = (env: NodeJS.ProcessEnv): boolean =>
  process.getuid?.() === 0 && findOnPath('apt-get', env) !== undefined;

/**
 * Installs one package of the distribution; resolves to '' or to what apt-get said last. RUNLEVEL=1 makes Debian's
 * invoke-rc.d leave a new service stopped: nothing of it ever listens. Another apt-get that is at work is waited for.
 */
export function installDebianPackage(name: string, env: NodeJS.ProcessEnv): string {
  const aptEnv = { ...env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const apt = (...args: string[]) =>
    spawnSync('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      env: aptEnv,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 300_000,
    });
  apt('update');
  const { status, stderr, error } = apt('install', '--no-install-recommends', name);
  return status === 0 ? '' : (error?.message ?? stderr).trim().split('\n').slice(-1).join('');
}

export function distributionIsDebianLike(): boolean {
  try {
    return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}
