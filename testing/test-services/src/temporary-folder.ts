import { spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guard } from './guardian';
import { ServiceError } from './service-error';

/** The operating-system user a server runs as; undefined: the one we are. */
export type ServerUser = { readonly uid: number; readonly gid: number } | undefined;

export interface TemporaryFolder {
  readonly path: string;
  remove(): void;
}

/**
 * A fresh folder, mode 0700, owned by `user` and reachable for it; deleted by `remove`, or when this process ends.
 * `TMPDIR` may lie inside a home that only root may enter, so the system's own places are tried next.
 */
export function temporaryFolder(purpose: string, user: ServerUser = undefined): TemporaryFolder {
  for (const parent of new Set([tmpdir(), '/tmp', '/var/tmp'])) {
    let path: string;
    try {
      path = mkdtempSync(join(parent, `bridge-${purpose}-`));
    } catch {
      continue;
    }
    const release = guard({ folder: path });
    const remove = () => {
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      release();
    };
    if (user) chownSync(path, user.uid, user.gid);
    if (isUsableBy(path, user)) return { path, remove };
    remove();
  }
  throw new ServiceError('SERVICE_DID_NOT_START', 'No writable temporary folder found (tried TMPDIR, /tmp, /var/tmp).');
}

/** Whether `user` may enter and write the folder; asked of the kernel, which knows about parents and ACLs. */
export function isUsableBy(folder: string, user: ServerUser): boolean {
  if (!user) return true;
  const { status } = spawnSync('/bin/sh', ['-c', 'cd "$1" && test -w .', 'sh', folder], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
    timeout: 10_000,
  });
  return status === 0;
}
