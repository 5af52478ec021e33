import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startProcess } from '@bridge/test-services';

const root = resolve(__dirname, '../../..');
const longMs = 600_000;

/** `./bridge rehearse …`, from a shell that is set up for some real bridge. */
function start(...args: string[]) {
  return startProcess(join(root, 'bridge'), ['rehearse', ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/elsewhere',
      REDIS_URL: 'redis://127.0.0.1:1',
      STRIPE_API_KEY: 'sk_live_of_somebody',
      FILEMAKER_URL: 'http://127.0.0.1:1',
    },
  });
}

interface Told {
  passed: boolean;
  lost: number;
  doubled: number;
  scenarios: { name: string; paid: number; accepted: number; appliedOnce: number; lost: number; doubled: number }[];
}

async function told(...args: string[]): Promise<Told & { exitCode: number }> {
  const running = await start(...args, '--json');
  const exitCode = await running.exited;
  // Where nobody watches, nothing but the result is printed.
  return { ...(JSON.parse(running.output) as Told), exitCode };
}

function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (child !== undefined && parent === pid ? [child] : []));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that ended and that nobody collected, as happens in containers, still takes signals.
    return process.platform !== 'linux' || !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // No such process.
    return false;
  }
}

/** The system tells nobody of a process that is not its child; it has to be asked. */
async function until(holds: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!holds() && performance.now() < deadline) await pause(100);
  return holds();
}

test(
  'FileMaker restarted twice, Redis flushed three times, under load: exit 0, every payment once',
  async () => {
    const result = await told('session-storm', 'redis-flushed', '--payments', '24', '--seed', '5');
    const each = { paid: 24, accepted: 24, appliedOnce: 24, lost: 0, doubled: 0 };
    expect(result).toMatchObject({
      exitCode: 0,
      passed: true,
      scenarios: [
        { name: 'session-storm', ...each },
        { name: 'redis-flushed', ...each },
      ],
    });
  },
  longMs,
);

// A judge that cannot condemn proves nothing: the books of both have a fault that was put there on purpose.
test(
  'a payment that the bridge was made to forget, and one that it was made to run twice: exit 1, and each is counted',
  async () => {
    const result = await told('planted-loss', 'planted-double', '--payments', '12');
    expect(result).toMatchObject({
      exitCode: 1,
      passed: false,
      lost: 1,
      doubled: 1,
      scenarios: [
        { name: 'planted-loss', paid: 12, appliedOnce: 11, lost: 1, doubled: 0 },
        { name: 'planted-double', paid: 12, appliedOnce: 11, lost: 0, doubled: 1 },
      ],
    });
  },
  longMs,
);

test(
  'Ctrl-C in the middle ends a rehearsal with 130, and nothing of it is left running',
  async () => {
    const running = await start('filemaker-down');
    // PostgreSQL, Redis, two simulators, ingress, two workers, scheduler, and the guardian of them all.
    expect(await until(() => childrenOf(running.pid).length >= 9, 120_000)).toBe(true);
    const children = childrenOf(running.pid);
    running.signal('SIGINT');
    expect(await running.exited).toBe(130);
    expect(await until(() => !children.some(isRunning), 60_000)).toBe(true);
  },
  longMs,
);
