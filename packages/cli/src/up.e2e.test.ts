// `./bridge up` as it is deployed: the three real apps, a real PostgreSQL and Redis; Stripe and FileMaker are away.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type RunningProcess, startProcess, startRedis } from '@bridge/test-services';
import { z } from 'zod';

// Commands as processes, several a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const main = join(__dirname, '../dist/main.js');
const START_MS = 120_000;

const eventLine = z.object({ kind: z.string(), app: z.string().optional(), pid: z.number().optional() });
const upLine = z.object({
  kind: z.literal('up'),
  apps: z.array(z.object({ name: z.string(), pid: z.int(), url: z.url().nullable(), opsUrl: z.url() })),
});

let folder: string;
const stops: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-up-'));
});
afterEach(async () => {
  for (const stop of stops.reverse().splice(0)) await stop();
  rmSync(folder, { recursive: true });
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const said =
  (kind: string, app: string, known: ReadonlySet<number> = new Set()) =>
  (line: string): boolean => {
    if (!line.includes(`"${kind}"`)) return false;
    const entry = eventLine.safeParse(JSON.parse(line)).data;
    return entry?.kind === kind && entry.app === app && !known.has(entry.pid ?? 0);
  };

async function settings(): Promise<Record<string, string>> {
  const database = await createTestDatabase();
  stops.push(() => database.drop());
  const redis = await startRedis();
  stops.push(() => redis.stop());
  return {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    PORT: '0',
    OPS_PORT: '0',
    STRIPE_API_KEY: 'sk_test_nobody',
    STRIPE_API_BASE: 'http://127.0.0.1:1',
    STRIPE_WEBHOOK_SECRETS: 'whsec_test',
    FILEMAKER_URL: 'http://127.0.0.1:1',
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
    FILEMAKER_PASSWORD: 'bridge',
  };
}

function writeEnvironmentFile(values: Record<string, string>): void {
  writeFileSync(
    join(folder, '.env'),
    Object.entries(values)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(''),
  );
}

function bridge(args: readonly string[], env: Record<string, string> = {}) {
  return spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    timeout: 120_000,
  });
}

async function up(args: readonly string[] = []): Promise<RunningProcess> {
  const running = await startProcess(process.execPath, [main, 'up', '--json', ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH },
    readyWhen: (line) => line.includes('"kind":"up"'),
    readyTimeoutMs: START_MS,
  });
  stops.push(() => running.stop(90_000));
  return running;
}

function appsOf(running: RunningProcess): z.output<typeof upLine>['apps'] {
  const line = running.lines.find((one) => one.includes('"kind":"up"')) ?? '';
  return upLine.parse(JSON.parse(line)).apps;
}

test('.env is enough for migrate and up; a killed worker comes back, and SIGTERM drains all three with 0', async () => {
  writeEnvironmentFile(await settings());
  const early = bridge(['up']);
  expect([early.status, early.stderr]).toEqual([1, expect.stringContaining('./bridge migrate')]);
  expect(bridge(['migrate']).status).toBe(0);

  const running = await up();
  const apps = appsOf(running);
  expect(apps.map(({ name }) => name)).toEqual(['ingress', 'worker', 'scheduler']);
  const [ingress, worker] = apps;
  const unsigned = await fetch(`${ingress?.url}/webhooks/stripe`, { method: 'POST', body: '{}' });
  expect(unsigned.status).toBe(400);

  process.kill(worker?.pid ?? 0, 'SIGKILL');
  await running.waitForLine(said('ended', 'worker'), START_MS);
  await running.waitForLine(said('ready', 'worker', new Set([worker?.pid ?? 0])), START_MS);
  expect(isAlive(ingress?.pid ?? 0)).toBe(true);

  expect(await running.stop(90_000)).toBe(0);
  expect(JSON.parse(running.lines.at(-1) ?? '')).toEqual({ stopped: true, clean: true });
  expect(running.lines.filter((line) => line.includes('"msg":"drained"'))).toHaveLength(3);
  for (const line of running.lines) expect(() => JSON.parse(line)).not.toThrow();
});

test('with delivery by pull no port is opened for webhooks, and the two other apps run', async () => {
  const { STRIPE_WEBHOOK_SECRETS: _none, ...values } = await settings();
  writeEnvironmentFile({ ...values, STRIPE_DELIVERY: 'pull', MIGRATE_ON_START: 'true' });
  const running = await up();
  expect(appsOf(running).map(({ name }) => name)).toEqual(['worker', 'scheduler']);
  expect(await running.stop(90_000)).toBe(0);
});

/** Resolves when the process is gone, which need not be our child; rejects after the time given. */
function gone(pid: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const tail = spawn('tail', [`--pid=${pid}`, '-f', '/dev/null'], { stdio: 'ignore', timeout: timeoutMs });
    tail.once('error', reject);
    tail.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`process ${pid} is still there`))));
  });
}

// The kernel ends them, asked by util-linux's setpriv. Elsewhere an app that is left behind has to be ended by hand.
if (process.platform === 'linux') {
  test('a killed `up` leaves no app behind', async () => {
    writeEnvironmentFile({ ...(await settings()), MIGRATE_ON_START: 'true' });
    const running = await up(['--workers', '2']);
    const pids = appsOf(running).map(({ pid }) => pid);
    expect(pids.filter(isAlive)).toHaveLength(4);
    const ends = Promise.all(pids.map((pid) => gone(pid, 120_000)));
    await running.kill();
    await ends;
    expect(pids.filter(isAlive)).toEqual([]);
  });
}

test('faults of all three apps are named at once, before anything starts, with exit code 78; with --json on one line', () => {
  writeEnvironmentFile({
    DATABASE_URL: 'postgresql://localhost/x',
    STRIPE_WEBHOOK_SECRETS: 'sk_test_x',
    OPS_PORT: 'x',
  });
  const ended = bridge(['up'], { HOST: 'a b' });
  expect([ended.status, ended.stdout]).toEqual([78, '']);
  for (const name of ['REDIS_URL', 'STRIPE_API_KEY', 'STRIPE_WEBHOOK_SECRETS', 'FILEMAKER_URL', 'OPS_PORT', 'HOST'])
    expect(ended.stderr.match(new RegExp(`^  ${name}:`, 'gm'))).toHaveLength(1);

  const asJson = bridge(['up', '--json'], { HOST: 'a b' });
  const [line = '', ...more] = asJson.stdout.split('\n');
  expect([asJson.status, more]).toEqual([78, ['']]);
  expect(JSON.parse(line)).toEqual({
    error: { code: 'CONFIGURATION_FAULTY', message: expect.stringMatching(/HOST: [\s\S]*REDIS_URL: /) },
  });
});

test('wrong usage of `up --json` is said on one line', () => {
  const ended = bridge(['up', '--json', '--workers', 'many']);
  const [line = '', ...more] = ended.stdout.split('\n');
  expect([ended.status, more]).toEqual([2, ['']]);
  expect(JSON.parse(line)).toMatchObject({ error: { code: 'WRONG_USAGE' } });
});
