import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startProcess } from '@bridge/test-services';

// Nine processes start, first one by one: minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const root = resolve(__dirname, '../../..');

/** The built demo in a folder of its own, started from a shell that is set up for some other bridge. */
async function setup(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-demo-'));
  const demo = await startProcess(
    process.execPath,
    [join(root, 'testing/demo/dist/main.js'), '--folder', folder, ...args],
    {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/elsewhere',
        REDIS_URL: 'redis://127.0.0.1:1',
        STRIPE_API_KEY: 'sk_test_of_somebody',
        STRIPE_API_BASE: 'http://127.0.0.1:1',
        FILEMAKER_URL: 'http://127.0.0.1:1',
        FLOWS: 'none-of-ours',
      },
    },
  );
  return { demo, folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

const accepts = (port: number) =>
  new Promise<boolean>((resolveAccepts) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolveAccepts(true);
    });
    socket.once('error', () => resolveAccepts(false));
  });

it('an option that is unknown ends it with 2 and the usage, before anything is started', async () => {
  const { demo, folder, remove } = await setup('--onec');
  expect({ code: await demo.exited, output: demo.output, files: readdirSync(folder) }).toEqual({
    code: 2,
    output: expect.stringMatching(/^Unknown option '--onec'[\s\S]*Usage: npm start(?![\s\S]*\n\s+at )/),
    files: [],
  });
  remove();
});

it('the demo pays five invoices once each, whatever the shell has set, and ends with 0', async () => {
  const { demo, remove } = await setup('--once');
  expect({ code: await demo.exited, output: demo.output }).toEqual({
    code: 0,
    // One that a machine at its limit answers with 503 comes again.
    output: expect.stringMatching(/✓ (14|15|16) webhooks, 5 invoices paid, 5 script runs: each payment exactly once/),
  });
  // Nothing is offered that is gone when it ends.
  expect(demo.output).not.toMatch(/Try next|Where it all is/);
  // Nobody sees colours in a log file.
  expect(demo.output).not.toContain('\u001b[');
  remove();
});

it('Ctrl-C ends a demo that is up with 0, and nothing listens or lies about afterwards', async () => {
  const { demo, folder, remove } = await setup();
  await demo.waitForLine((line) => line.includes('until you press Ctrl-C'), 200_000);
  const ports = [...new Set([...demo.output.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port)))];
  expect(ports.length).toBeGreaterThanOrEqual(7);
  expect(await Promise.all(ports.map(accepts))).toEqual(ports.map(() => true));

  demo.signal('SIGINT');
  demo.signal('SIGINT');
  expect(await demo.exited).toBe(0);
  expect(await Promise.all(ports.map(accepts))).toEqual(ports.map(() => false));
  expect(readdirSync(folder).filter((name) => name !== 'logs' && name !== 'postgres')).toEqual([]);
  expect(existsSync(join(folder, 'logs', 'worker.log'))).toBe(true);
  remove();
});
