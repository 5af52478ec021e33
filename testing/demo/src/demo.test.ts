import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLiveKey } from './live-key';
import { alignColumns, createPaper, money, wantsColours } from './paper';
import { isAsExpected, type Outcome } from './report';
import { bridgeSettings, inheritedEnvironment, makeSecrets, shellSettings } from './settings';
import { claimFolder } from './single-run';

const folders: string[] = [];
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'bridge-demo-'));
  folders.push(path);
  return path;
};
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

describe('a live key', () => {
  it.each(['sk_live_51abc', 'rk_live_51abc', 'export STRIPE=sk_live_1'])('%s is found under any name', (value) => {
    expect(findLiveKey({ PATH: '/bin', WHATEVER: value })).toBe('WHATEVER');
  });

  it('is found in the file that a variable names', () => {
    const file = join(folder(), 'key');
    writeFileSync(file, 'sk_live_51abc\n');
    expect(findLiveKey({ STRIPE_API_KEY_FILE: file })).toBe('STRIPE_API_KEY_FILE');
  });

  it('is not seen in test keys and unreadable files', () => {
    expect(findLiveKey({ STRIPE_API_KEY: 'sk_test_51', STRIPE_API_KEY_FILE: '/no/such/file' })).toBeUndefined();
  });
});

it('no setting of the shell reaches the apps', () => {
  const shell = {
    PATH: '/bin',
    HOME: '/root',
    DATABASE_URL: 'x',
    STRIPE_API_KEY: 'x',
    AMBERFLO_KEY: 'x',
    NODE_OPTIONS: 'x',
  };
  expect(inheritedEnvironment(shell)).toEqual({ PATH: '/bin', HOME: '/root' });
});

it('the settings file can be read by a shell, whatever the values hold', () => {
  const peers = {
    databaseUrl: 'postgresql://a',
    redisUrl: 'redis://b',
    stripeUrl: 'http://c',
    filemakerUrl: 'http://d',
  };
  const text = shellSettings(bridgeSettings(peers, makeSecrets(), `demo:$scrypt$it's`));
  expect(text).toContain(`export CONSOLE_ADMIN='demo:$scrypt$it'\\''s'\n`);
  expect(text).toContain(`export DATABASE_URL='postgresql://a'\n`);
});

describe('one demo per folder', () => {
  it('a second one learns who has it, and the folder is free after the first', async () => {
    const file = join(folder(), 'demo.json');
    const first = await claimFolder(file);
    expect(await claimFolder(file)).toEqual({ takenBy: process.pid });
    if ('free' in first) await first.free();
    const second = await claimFolder(file);
    expect(second).toHaveProperty('free');
    if ('free' in second) await second.free();
  });

  it('what a killed demo left behind holds nobody up, also when its process id is in use again', async () => {
    const file = join(folder(), 'demo.json');
    writeFileSync(file, JSON.stringify({ pid: process.pid, port: 1, nonce: 'x' }));
    const claim = await claimFolder(file);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: process.pid });
    expect(claim).toHaveProperty('free');
    if ('free' in claim) await claim.free();
  });

  it('a file that was cut off while it was written is nobody’s', async () => {
    const file = join(folder(), 'demo.json');
    writeFileSync(file, '{"pid"');
    const claim = await claimFolder(file);
    expect(claim).toHaveProperty('free');
    if ('free' in claim) await claim.free();
  });
});

describe('what is printed', () => {
  it('has colours at a terminal only, and not when they are refused', () => {
    expect(wantsColours(true, {})).toBe(true);
    expect(wantsColours(false, {})).toBe(false);
    expect(wantsColours(true, { NO_COLOR: '1' })).toBe(false);
    expect(wantsColours(true, { TERM: 'dumb' })).toBe(false);
    const written: string[] = [];
    const paper = (colours: boolean) =>
      createPaper({ colours, write: (text) => written.push(text), elapsedMs: () => 1_234 });
    paper(false).step('Redis runs.');
    paper(true).step('Redis runs.');
    expect(written).toEqual(['   1.2 s  Redis runs.\n', '\u001b[2m   1.2 s\u001b[0m  Redis runs.\n']);
  });

  it('stands in columns', () => {
    expect(
      alignColumns(
        [
          ['Invoice', 'Paid'],
          ['1', '18.00 USD'],
        ],
        [1],
      ),
    ).toEqual(['Invoice       Paid', '1        18.00 USD']);
  });

  it('shows money with the decimals of its currency', () => {
    expect([money(18_000, 'usd'), money(5_400, 'jpy'), money(1_230, 'kwd')]).toEqual([
      '180.00 USD',
      '5,400 JPY',
      '1.230 KWD',
    ]);
  });
});

describe('the demo’s own verdict', () => {
  const outcome: Outcome = {
    made: [
      {
        sale: { shows: '', invoiceId: '1', order: {}, reachesFileMaker: true },
        sessionId: 'cs_1',
        amountTotal: 500,
        eventIds: ['evt_1'],
      },
    ],
    deliveries: [],
    events: [],
    invoices: [{ invoice_id: '1', status: 'paid', paid_cents: '500', currency: 'usd', ship_name: '' }],
    runs: [{ invoiceId: '1', key: 'invoice-paid:cs_1', effectApplied: true }],
  };
  const [invoice] = outcome.invoices;
  const [run] = outcome.runs;

  it('is good when each invoice is paid in full by one run', () => {
    expect(isAsExpected(outcome)).toBe(true);
  });

  it.each([
    ['an open invoice', { invoices: [{ ...invoice, status: 'open' }] }],
    ['another sum', { invoices: [{ ...invoice, paid_cents: '1000' }] }],
    ['a second run', { runs: [run, run] }],
    ['no run in the books', { runs: [] }],
    ['a missing invoice', { invoices: [] }],
  ])('%s is not', (_what, change) => {
    expect(isAsExpected({ ...outcome, ...change } as Outcome)).toBe(false);
  });
});
