// `./bridge init` as it is typed, with nobody at the keyboard.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { loadConfig } from '@bridge/config';

// Commands as processes, several a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const main = join(__dirname, '../dist/main.js');
const flags = {
  '--stripe-key': 'rk_test_abc',
  '--webhook-secret': 'whsec_one,whsec_two',
  '--filemaker-url': 'https://fm.example.com',
  '--filemaker-database': 'Shop "East"',
  '--filemaker-account': 'bridge',
  '--filemaker-password': `pass'word #1 `,
};
const all = Object.entries(flags).flat();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-init-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function init(args: readonly string[], env: Record<string, string> = {}) {
  const ended = spawnSync(process.execPath, [main, 'init', ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { code: ended.status, out: ended.stdout, err: ended.stderr };
}
const written = (name = '.env'): Record<string, string | undefined> =>
  parseEnv(readFileSync(join(folder, name), 'utf8'));

test('with every answer in flags it writes both files, and the three apps accept them', () => {
  const { code, out } = init([...all, '--layout', 'web: invoices', '--log-layout', 'bridge_log', '--json']);
  expect([code, JSON.parse(out)]).toEqual([
    0,
    {
      written: [join(folder, '.env'), join(folder, 'bridge.yaml')],
      mode: 'live',
      contract: 'kit',
      next: ['./bridge migrate', './bridge user add NAME', './bridge up', './bridge doctor'],
    },
  ]);
  expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
  const env = { ...written(), BRIDGE_CONFIG: join(folder, 'bridge.yaml') };
  const worker = loadConfig('worker', env);
  expect(worker.filemaker).toMatchObject({ database: 'Shop "East"', password: `pass'word #1 ` });
  expect(worker.invoices.facts.paid).toMatchObject({ layout: 'web: invoices', contract: 'kit' });
  expect(worker.filemaker?.tokenKeys?.map((key) => key.length)).toEqual([32]);
  expect(loadConfig('ingress', env).stripe.webhookSecrets).toEqual(['whsec_one', 'whsec_two']);
  expect(loadConfig('scheduler', env).http).toEqual({ host: '127.0.0.1', port: 3002 });
});

test('it takes secrets and a stand-in for Stripe from the environment, and secrets from files named there as files', () => {
  const secretFile = join(folder, 'key');
  writeFileSync(secretFile, 'rk_test_file\n');
  const given = {
    STRIPE_API_KEY_FILE: secretFile,
    STRIPE_WEBHOOK_SECRETS: 'whsec_env',
    STRIPE_API_BASE: 'http://127.0.0.1:12111',
  };
  const { code } = init(all.slice(4), given);
  expect(code).toBe(0);
  expect(written()).toMatchObject(given);
  expect(written()).not.toHaveProperty('STRIPE_API_KEY');
});

test('what is missing is named all at once, with flag and variable, and nothing is written', () => {
  const { code, out, err } = init([]);
  expect([code, out]).toEqual([2, '']);
  for (const flag of Object.keys(flags)) expect(err).toContain(flag);
  expect(err).toContain('FILEMAKER_PASSWORD');
  expect(existsSync(join(folder, '.env'))).toBe(false);
});

test('answers that cannot work are named without their values, and nothing is written', () => {
  const { code, err } = init([
    ...all,
    '--stripe-key',
    'whsec_hidden1',
    '--filemaker-url',
    'http://hidden2.example.com',
  ]);
  expect(code).toBe(2);
  expect(err).toContain('STRIPE_API_KEY: must be');
  expect(err).toContain('FILEMAKER_URL: must begin with https://');
  expect(err).not.toContain('hidden');
  expect([existsSync(join(folder, '.env')), existsSync(join(folder, 'bridge.yaml'))]).toEqual([false, false]);
});

test.each(['.env', 'bridge.yaml'])('a %s that is there is never written over without --force', (name) => {
  writeFileSync(join(folder, name), 'TIMEZONE=UTC\n');
  const { code, out } = init([...all, '--json']);
  expect([code, JSON.parse(out).error.code]).toEqual([1, 'FILE_EXISTS']);
  expect(readFileSync(join(folder, name), 'utf8')).toBe('TIMEZONE=UTC\n');
  expect([existsSync(join(folder, '.env')), existsSync(join(folder, 'bridge.yaml'))]).toEqual([
    name === '.env',
    name === 'bridge.yaml',
  ]);
});

test('--force changes what is asked and keeps the rest: other settings, and the key that seals what is stored', () => {
  init([...all, '--mode', 'observe']);
  const before = written();
  writeFileSync(join(folder, '.env'), `${readFileSync(join(folder, '.env'), 'utf8')}TIMEZONE=Europe/Vienna\n`);
  const { code } = init(['--force', '--stripe-key', 'rk_test_new']);
  expect(code).toBe(0);
  expect(written()).toEqual({ ...before, STRIPE_API_KEY: 'rk_test_new', TIMEZONE: 'Europe/Vienna' });
  expect(before.MODE).toBe('observe');
});

test('each run makes another token key', () => {
  init(all);
  const first = written().FILEMAKER_TOKEN_KEY;
  rmSync(join(folder, '.env'));
  rmSync(join(folder, 'bridge.yaml'));
  init(all);
  expect(written().FILEMAKER_TOKEN_KEY).not.toBe(first);
});
