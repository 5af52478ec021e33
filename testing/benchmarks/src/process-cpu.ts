import { readFileSync } from 'node:fs';
import { processTimes } from './cpu-guard';

/** CPU that a process has used so far, in milliseconds, user and system; NaN where there is no /proc. */
export function cpuMsOf(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  // Linux counts in hundredths of a second on every platform that we run on.
  return processTimes(readFileSync(`/proc/${pid}/stat`, 'utf8')).ticks * 10;
}
