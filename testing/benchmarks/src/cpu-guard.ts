import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** CPU time used so far, in clock ticks: by the whole machine, and by this process with everything it started. */
export interface CpuReading {
  machine: number;
  own: number;
  /** Monotonic, milliseconds. */
  atMs: number;
}

/** Linux counts in hundredths of a second on every platform that we run on. */
const ticksPerSecond = 100;

interface ProcessTimes {
  pid: number;
  parent: number;
  ticks: number;
}

/**
 * Ticks in which a program ran, from the first line of /proc/stat: user, nice, system, and steal, which other guests of
 * the same host took. Interrupts are left out: those are mostly our own packets, and no process is charged for them.
 */
export function machineTicks(stat: string): number {
  const fields = (stat.split('\n')[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  return [0, 1, 2, 7].reduce((sum, index) => sum + (fields[index] ?? 0), 0);
}

/** One line of /proc/<pid>/stat: own time and that of the children it has already waited for. */
export function processTimes(stat: string): ProcessTimes {
  // The program's name stands in parentheses and may itself hold spaces and parentheses.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(/\s+/);
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index] ?? 0), 0);
  return { pid: Number.parseInt(stat, 10), parent: Number(fields[1]), ticks };
}

/**
 * Ticks of `root` and all its descendants, and of the kernel's own threads (children of 2), which write our commits to
 * disk. A child that has ended is in its parent's figure, so the sum never falls while the parents live.
 */
export function ownTicks(processes: readonly ProcessTimes[], root: number): number {
  const children = new Map<number, ProcessTimes[]>();
  for (const one of processes) children.set(one.parent, [...(children.get(one.parent) ?? []), one]);
  let sum = processes.find(({ pid }) => pid === root)?.ticks ?? 0;
  const open = [root, 2];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    for (const child of children.get(parent) ?? []) {
      sum += child.ticks;
      open.push(child.pid);
    }
  }
  return sum;
}

/** What others used between two readings, as a share of one core: 0.08 is 8 % of a core. Never below 0. */
export function foreignShare(before: CpuReading, after: CpuReading): number {
  const seconds = (after.atMs - before.atMs) / 1_000;
  if (seconds <= 0) return 0;
  const foreign = after.machine - before.machine - (after.own - before.own);
  return Math.max(0, foreign / ticksPerSecond / seconds);
}

function readCpu(): CpuReading {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [processTimes(readFileSync(`/proc/${pid}/stat`, 'utf8'))];
      } catch {
        // It has ended since the listing; its time is with its parent.
        return [];
      }
    });
  return {
    machine: machineTicks(readFileSync('/proc/stat', 'utf8')),
    own: ownTicks(processes, process.pid),
    atMs: performance.now(),
  };
}

export interface GuardOptions {
  /** False: measure at once and keep whatever comes. Default true. */
  enabled?: boolean;
  /** Others may use this share of a core before a repetition. */
  quietBelow?: number;
  /** A repetition during which others used more than this is thrown away. */
  discardAbove?: number;
  /** How long to wait for a quiet machine before each try; then it is measured all the same. */
  patienceMs?: number;
  triesMax?: number;
}

export interface Guarded<Result> {
  result: Result;
  /** Share of a core that others used meanwhile; undefined where /proc is not there. */
  foreign: number | undefined;
  discarded: number;
  /** True: no try stayed within the bounds, this was the quietest. */
  noisy: boolean;
}

/** Runs `measure` on a quiet machine, again when others disturbed it, a bounded number of times. */
export async function guarded<Result>(
  measure: () => Promise<Result>,
  options: GuardOptions = {},
): Promise<Guarded<Result>> {
  const { enabled = true, quietBelow = 0.06, discardAbove = 0.08, patienceMs = 30_000, triesMax = 3 } = options;
  if (process.platform !== 'linux')
    return { result: await measure(), foreign: undefined, discarded: 0, noisy: enabled };
  let best: { result: Result; foreign: number } | undefined;
  let tries = 0;
  do {
    if (enabled) await quiet(quietBelow, patienceMs);
    const before = readCpu();
    const result = await measure();
    const foreign = foreignShare(before, readCpu());
    tries += 1;
    if (best === undefined || foreign < best.foreign) best = { result, foreign };
  } while (enabled && best.foreign > discardAbove && tries < triesMax);
  return { ...best, discarded: tries - 1, noisy: best.foreign > discardAbove };
}

/** Resolves when one second passed with little foreign CPU, or when patience is at its end. */
async function quiet(below: number, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    const before = readCpu();
    await delay(1_000);
    if (foreignShare(before, readCpu()) < below) return;
  }
}
