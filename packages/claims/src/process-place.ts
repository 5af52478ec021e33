import { readFileSync, readlinkSync } from 'node:fs';

/**
 * The boot of this machine and the process namespace: two processes with the same place can see each other's process
 * numbers. Undefined where the system does not tell (it does on Linux, /proc).
 */
export function processPlace(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Not Linux, or /proc is closed to us: then only silence tells.
    return undefined;
  }
}

/** Whether no process of this place has the number. One that has it may be another than before: silence tells then. */
export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
