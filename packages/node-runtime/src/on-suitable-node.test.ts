import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type RunningProcess, startProcess } from '@bridge/test-services';
import { findNode, suits } from './suitable-node';

const root = join(__dirname, '../../..');

async function startProgram(): Promise<{ outer: RunningProcess; inner: number }> {
  const outer = await startProcess(
    process.execPath,
    ['-r', join(root, 'tooling/require-typescript.cjs'), join(__dirname, '../tests/program.ts')],
    { readyWhen: (line) => line.startsWith('running'), readyTimeoutMs: 50_000 },
  );
  return { outer, inner: Number(outer.lines.find((line) => line.startsWith('running'))?.split(' ')[1]) };
}
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

test('versions are compared part by part', () => {
  expect(suits('22.19.0')).toBe(true);
  expect(suits('22.18.9')).toBe(false);
  expect(suits('24.0.0')).toBe(true);
  expect(suits('20.20.2')).toBe(false);
});

test('a platform for which npm brings no Node is told apart', () => {
  expect(findNode(__dirname, 'plan9', 'x64')).toBe(undefined);
});

test('an old Node stands for a new one: the signal and the exit code pass through', async () => {
  const { outer, inner } = await startProgram();
  expect(inner).not.toBe(outer.pid);
  expect(await outer.stop()).toBe(7);
  expect(isRunning(inner)).toBe(false);
}, 120_000);

test('kill -9 of the process that was started ends the work as well', async () => {
  const { outer, inner } = await startProgram();
  await outer.kill();
  expect(await isGoneWithin(inner, 30_000)).toBe(true);
}, 120_000);

/** The system tells nobody of a grandchild's end; it has to be asked. */
async function isGoneWithin(pid: number, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (isRunning(pid) && performance.now() < deadline) await delay(10);
  return !isRunning(pid);
}
