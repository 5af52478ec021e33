import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { guardianProgram } from './guardian-program';

/**
 * Something that must not outlive this process: a process (ended by `signal`, and by SIGKILL after `graceMs`), a
 * folder (deleted), or a command to run (for a container, which is nobody's child).
 */
export type Ward =
  | { readonly pid: number; readonly signal: NodeJS.Signals; readonly graceMs: number }
  | { readonly folder: string }
  | { readonly command: readonly [string, ...string[]] };

let guardian: ChildProcess | undefined;
let nextId = 1;
const heldIds = new Set<number>();

/**
 * Puts a ward under guard and gives back the function that releases it (calling it twice does no harm).
 *
 * One small process per parent holds the other end of a pipe. The kernel closes that pipe on any death of the parent:
 * normal exit, Ctrl-C, an uncaught error, `kill -9`. No handler inside the parent could promise the last one.
 * The guardian stands in its own session, so that a signal to the parent's process group does not reach it, and it
 * leaves as soon as nothing is under guard.
 */
export function guard(ward: Ward): () => void {
  const id = nextId++;
  heldIds.add(id);
  tell({ id, ...ward });
  return () => {
    if (!heldIds.delete(id)) return;
    tell({ release: id });
    if (heldIds.size > 0) return;
    guardian?.stdin?.end();
    guardian = undefined;
  };
}

function tell(line: object): void {
  guardian ??= startGuardian();
  guardian.stdin?.write(`${JSON.stringify(line)}\n`);
}

function startGuardian(): ChildProcess {
  const child = spawn(process.execPath, ['-e', guardianProgram], {
    cwd: '/',
    detached: true,
    // Options meant for the parent (inspector ports, loaders) have no business here.
    env: { PATH: process.env.PATH ?? '' },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  // A guardian that was killed by hand: the services are then only stopped in the orderly way.
  child.stdin?.on('error', () => child.stdin?.destroy());
  child.on('error', () => child.stdin?.destroy());
  return child;
}
