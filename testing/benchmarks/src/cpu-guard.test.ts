import { foreignShare, guarded, machineTicks, ownTicks, processTimes } from './cpu-guard';

/** A line of /proc/<pid>/stat with the fields that count. */
function line(pid: number, parent: number, times: readonly [number, number, number, number], name = 'node'): string {
  return `${pid} (${name}) S ${parent} 1 1 0 -1 4194560 1 2 3 4 ${times.join(' ')} 20 0 1 0 12345`;
}

test('the machine is charged with user, nice, system and steal, and not with idle time, disk waits or interrupts', () => {
  expect(machineTicks('cpu  100 10 50 9000 700 3 40 7 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n')).toBe(167);
});

test("a program's name with spaces and parentheses does not shift the fields", () => {
  expect(processTimes(line(42, 7, [1, 2, 3, 4], 'a) b (c'))).toEqual({ pid: 42, parent: 7, ticks: 10 });
});

test('our own time is that of the whole tree below us and of the kernel, and of nobody else', () => {
  const processes = [
    line(1, 0, [1_000, 0, 0, 0]),
    line(2, 0, [5, 0, 0, 0], 'kthreadd'),
    line(3, 2, [8, 0, 0, 0], 'kworker/0:1'),
    line(50, 1, [100, 10, 1, 1]),
    line(51, 50, [20, 0, 0, 0]),
    line(52, 51, [4, 0, 0, 0]),
    line(60, 1, [900, 0, 0, 0]),
  ].map(processTimes);
  expect(ownTicks(processes, 50)).toBe(112 + 20 + 4 + 8);
});

test('the foreign share is what is left of the machine, per second, of one core', () => {
  const before = { machine: 1_000, own: 200, atMs: 5_000 };
  expect(foreignShare(before, { machine: 1_250, own: 434, atMs: 7_000 })).toBeCloseTo(0.08);
  // Rounding to ticks can make our own time the larger one.
  expect(foreignShare(before, { machine: 1_010, own: 212, atMs: 6_000 })).toBe(0);
  expect(foreignShare(before, before)).toBe(0);
});

test('without the guard a repetition is measured once and kept', async () => {
  let runs = 0;
  const kept = await guarded(async () => (runs += 1), { enabled: false });
  expect(kept).toMatchObject({ result: 1, discarded: 0 });
});
