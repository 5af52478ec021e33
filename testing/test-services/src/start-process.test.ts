import { startProcess } from './start-process';

const node = (program: string, options: Parameters<typeof startProcess>[2] = {}) =>
  startProcess(process.execPath, ['-e', program], options);

it('is ready with the awaited line and ends with the code of an orderly stop', async () => {
  const child = await node(
    `process.on('SIGTERM', () => { console.log('draining'); process.exitCode = 7; clearInterval(timer); });
     const timer = setInterval(() => {}, 1000); console.error('warming up'); console.log('listening');`,
    { readyWhen: (line) => line === 'listening' },
  );
  expect(child.lines).toContain('listening');
  expect(await child.stop()).toBe(7);
  expect(child.output).toContain('draining');
  expect(await child.exited).toBe(7);
});

it('a kill gives 137, and stop after the end gives the same code again', async () => {
  const child = await node('setInterval(() => {}, 1000)');
  expect(await child.kill()).toBe(137);
  expect(await child.stop()).toBe(137);
});

it('a child that ignores SIGTERM is killed after its grace', async () => {
  const child = await node(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')`, {
    readyWhen: (line) => line === 'up',
  });
  expect(await child.stop(50)).toBe(137);
});

it('a child that ends or stays silent instead of getting ready is an error that quotes its last lines', async () => {
  await expect(node(`console.error('no DATABASE_URL'); process.exit(78)`, { readyWhen: () => false })).rejects.toThrow(
    /ended with code 78 before the awaited line.*no DATABASE_URL/s,
  );
  await expect(
    node('setInterval(() => {}, 1000)', { readyWhen: () => false, readyTimeoutMs: 50 }),
  ).rejects.toMatchObject({ code: 'PROCESS_DID_NOT_START' });
  await expect(startProcess('/no/such/program', [])).rejects.toMatchObject({ code: 'PROCESS_DID_NOT_START' });
});

it('waitForLine finds lines of the past and of the future, in time or not at all', async () => {
  const child = await node(
    `console.log('first'); process.stdout.write('unfinished'); process.on('SIGTERM', () => { console.log(' second'); process.exit(0); }); setInterval(() => {}, 1000)`,
    {
      readyWhen: (line) => line === 'first',
    },
  );
  expect(await child.waitForLine((line) => line === 'first', 0)).toBe('first');
  const later = child.waitForLine((line) => line.includes('second'), 40_000);
  await expect(child.waitForLine((line) => line === 'third', 20)).rejects.toMatchObject({ code: 'LINE_NOT_SEEN' });
  await child.stop();
  expect(await later).toBe('unfinished second');
});

it('keeps only the last 2,000 lines of a talkative child, and gets nothing of our environment when told so', async () => {
  const child = await node(`for (let i = 1; i <= 3000; i++) console.log(process.env.STRIPE_API_KEY ?? 'unset', i)`, {
    env: {},
  });
  expect(await child.exited).toBe(0);
  expect(child.lines).toHaveLength(2_000);
  expect(child.lines[0]).toBe('unset 1001');
});
