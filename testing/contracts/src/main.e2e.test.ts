import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningProcess, startProcess } from '@bridge/test-services';

// Needs a built dist: it is the program that outsiders start.
const MAIN = join(__dirname, '../dist/main.js');
const SIMULATORS = join(__dirname, '../..');

// A whole suite is played, twice; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function contracts(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: process.env.PATH, ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env, maxBuffer: 16_777_216 }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

let folder: string;
let simulator: RunningProcess;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'contracts-'));
  simulator = await startProcess(process.execPath, [join(SIMULATORS, 'filemaker-simulator/dist/main.js')], {
    env: { PATH: process.env.PATH, PORT: '0', SIMULATOR_CONFIG: '{"loginMs":0,"findIgnoresCase":false}' },
    readyWhen: (line) => line.includes('"simulator"'),
  });
  url = (JSON.parse(simulator.lines[0] ?? '{}') as { url: string }).url;
});

afterAll(async () => {
  await simulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a simulator process is played, recorded, and its recording says the same', async () => {
  const file = join(folder, 'simulator.jsonl');
  const live = await contracts(['filemaker', '--simulator', url, '--record', file, '--json']);
  expect([live.code, live.stderr]).toEqual([0, '']);
  const report = JSON.parse(live.stdout) as { counts: unknown; openQuestions: Record<string, string[]> };
  expect(report.openQuestions.findIgnoresCase).toEqual(['false']);
  expect(statSync(file).mode & 0o077).toBe(0);

  const played = await contracts(['filemaker', '--play', file, '--json']);
  expect(played.code).toBe(0);
  expect(JSON.parse(played.stdout)).toMatchObject({ counts: report.counts, openQuestions: report.openQuestions });

  const again = await contracts(['filemaker', '--simulator', url, '--record', file]);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('EEXIST')]);
  expect(readFileSync(file, 'utf8').split('\n').length).toBeGreaterThan(100);
});

test('against a server the plan comes first, then what held, then the open questions; credentials are not shown', async () => {
  const environment = { FILEMAKER_USERNAME: 'bridge', FILEMAKER_PASSWORD: 'bridge' };
  const run = await contracts(['filemaker', '--url', url, '--database', 'Shop', '--with', 'layout=stock'], environment);
  expect(run.code).toBe(0);
  expect(run.stderr).toContain('cases will be played');
  expect(run.stderr).toContain('skip  unique-key: needs --allow write');
  expect(run.stdout).toContain('held      product-info');
  expect(run.stdout).toContain('isSessionInUseFlag: present');
  expect(run.stdout).toMatch(/\d+ held, 0 deviate, \d+ skipped/);
  expect(run.stdout + run.stderr).not.toContain(Buffer.from('bridge:bridge').toString('base64'));
});

test.each([
  [['paypal'], {}, 'name one service'],
  [['filemaker', '--database', 'Shop'], { FILEMAKER_USERNAME: 'a', FILEMAKER_PASSWORD: 'b' }, '--url is missing'],
  [['filemaker', '--url', 'https://fm.example.com', '--database', 'Shop'], {}, 'FILEMAKER_USERNAME'],
  [['stripe'], { STRIPE_API_KEY: 'sk_live_x' }, 'live key'],
  [['stripe', '--allow', 'everything'], {}, 'everything'],
])('%j is wrong usage', async (args, environment, reason) => {
  const { code, stderr } = await contracts(args, environment);
  expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
});

test('--help says how it is used', async () => {
  const { code, stdout } = await contracts(['--help']);
  expect([code, stdout]).toEqual([0, expect.stringContaining('--simulator')]);
});
