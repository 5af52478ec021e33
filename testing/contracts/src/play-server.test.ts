import { createFileMakerSimulator, type FileMakerSimulator } from '@bridge/filemaker-simulator';
import { createStripeSimulator } from '@bridge/stripe-simulator';
import { readArguments } from './arguments';
import { readCredentials } from './credentials';
import { playServer } from './play-server';
import type { Operator } from './real-stage';
import type { Report } from './run-suite';
import { createControl } from './simulator-control';

// Most of a suite a test.
jest.setTimeout(300_000);

/** A server is treated as real: nothing is reset, nobody is there to ask. */
interface Stand {
  readonly simulator: FileMakerSimulator;
  readonly url: string;
  readonly told: string[];
  play(...args: string[]): Promise<Report | null>;
}

const NAMES = {
  layout: 'web_invoices',
  invoiceField: 'invoice_id',
  invoice: '18637',
  script: 'STRIPE_PAYMENTLINK_SUCCESS',
  keyLayout: 'bridge_log',
  keyField: 'idempotency_key',
  textField: 'state',
  numberField: 'attempt',
};
const WITH = Object.entries(NAMES).flatMap(([name, value]) => ['--with', `${name}=${value}`]);
const CREDENTIALS = { FILEMAKER_USERNAME: 'bridge', FILEMAKER_PASSWORD: 'bridge' };

async function withStand(use: (stand: Stand) => Promise<void>): Promise<void> {
  const simulator = createFileMakerSimulator({ loginMs: 0, scriptMs: 0 });
  const { url } = await simulator.listen();
  const told: string[] = [];
  const operator: Operator = { tell: (line) => void told.push(line), ask: async () => false };
  const play = async (...args: string[]): Promise<Report | null> => {
    const given = readArguments(['filemaker', '--url', url, '--database', 'Shop', ...args]);
    if (given === null) throw new Error('help was asked for');
    const secrets = readCredentials('filemaker', CREDENTIALS, 'contract-9');
    const more = { onCase: () => undefined, isStopped: () => false, record: undefined };
    return playServer({ given, secrets, run: 'contract-9', operator, ...more });
  };
  try {
    await createControl(url)('POST', '/databases/Shop/tables/invoices/records', { records: [{ invoice_id: '18637' }] });
    await use({ simulator, url, told, play });
  } finally {
    await simulator.close();
  }
}

test('unasked, nothing is written, no script runs, no session stays', async () => {
  await withStand(async ({ simulator, play }) => {
    const report = await play(...WITH);
    const { requests, runs, sessions } = simulator.books.summary();
    const { create = 0, edit = 0, delete: deleted = 0, script = 0 } = requests.byEndpoint;
    expect({ create, edit, deleted, script, runs, present: sessions.present }).toEqual({
      create: 0,
      edit: 0,
      deleted: 0,
      script: 0,
      runs: 0,
      present: 0,
    });
    expect(report?.counts.deviates).toBe(0);
    expect(report?.counts.held).toBeGreaterThan(10);
    expect(report?.cases.find(({ id }) => id === 'unique-key')?.reason).toBe('needs --allow write');
  });
});

test('what is written is taken away again, and every session is logged out', async () => {
  await withStand(async ({ simulator, url, play }) => {
    const report = await play(...WITH, '--allow', 'write');
    expect(report?.cases.filter(({ outcome }) => outcome === 'deviates')).toEqual([]);
    expect(report?.cases.find(({ id }) => id === 'create-read-delete')?.outcome).toBe('held');
    const { records } = await createControl(url)<{ records: unknown[] }>('GET', '/databases/Shop/tables/log/records');
    expect(records).toEqual([]);
    expect(simulator.books.summary().sessions.present).toBe(0);
  });
});

test('the plan is told before the first request, and --plan asks for none', async () => {
  await withStand(async ({ simulator, told, play }) => {
    expect(await play('--plan')).toBe(null);
    expect(simulator.books.summary().requests.total).toBe(0);
    expect(told[0]).toContain('skip  unique-key: needs --allow write');
    expect(told[0]).toContain('skip  find-nothing: needs --with keyLayout=…');
    expect(told[0]).toContain('play  product-info');
  });
});

test('a case can be left out or chosen by name; an unknown name is told', async () => {
  await withStand(async ({ play }) => {
    const report = await play('--only', 'product-info', '--only', 'login', '--skip', 'login');
    expect(report?.counts).toMatchObject({ held: 1, deviates: 0 });
    expect(report?.cases.find(({ id }) => id === 'login')?.reason).toBe('left out by --skip');
    expect(report?.cases.find(({ id }) => id === 'logout')?.reason).toBe('not chosen by --only');
    await expect(play('--only', 'no-such-case')).rejects.toThrow('there is no case no-such-case');
  });
});

test('a case that needs a person is skipped with the reason when nobody is there', async () => {
  await withStand(async ({ play, simulator }) => {
    const report = await play(...WITH, '--only', 'record-locked', '--allow', 'write,operator');
    expect(report?.cases.find(({ id }) => id === 'record-locked')?.reason).toContain('FileMaker Pro');
    expect(simulator.books.summary().sessions.present).toBe(0);
  });
});

test('a real run plays scripts when they are allowed', async () => {
  await withStand(async ({ play, simulator }) => {
    const report = await play(...WITH, '--only', 'kit-runs-once', '--allow', 'script');
    expect(report?.counts).toMatchObject({ held: 1, deviates: 0 });
    expect(simulator.books.summary().sessions.present).toBe(0);
  });
});

test.each([
  ['http://fm.example.com', 'https://'],
  ['https://me:secret@fm.example.com', 'credentials do not belong'],
  ['fm.example.com', 'no address'],
])('the address %s is refused', async (url, reason) => {
  const given = readArguments(['filemaker', '--url', url, '--database', 'Shop']);
  if (given === null) throw new Error('help was asked for');
  const operator = { tell: () => undefined, ask: async () => false };
  const more = { run: 'contract-9', operator, record: undefined, onCase: () => undefined, isStopped: () => false };
  await expect(playServer({ given, secrets: {}, ...more })).rejects.toThrow(reason);
});

test('at Stripe, unasked, nothing but GET is sent; an account without sales skips what needs one', async () => {
  const simulator = createStripeSimulator({ seed: 7 });
  const { url } = await simulator.listen();
  try {
    const given = readArguments(['stripe', '--url', url]);
    if (given === null) throw new Error('help was asked for');
    const operator = { tell: () => undefined, ask: async () => false };
    const secrets = readCredentials('stripe', { STRIPE_API_KEY: 'sk_test_simulator' }, 'contract-9');
    const more = { run: 'contract-9', operator, record: undefined, onCase: () => undefined, isStopped: () => false };
    const report = await playServer({ given, secrets, ...more });
    expect(report?.cases.filter(({ outcome }) => outcome === 'deviates')).toEqual([]);
    expect(report?.cases.find(({ id }) => id === 'paid-session')?.reason).toContain('4242');
    expect(report?.cases.find(({ id }) => id === 'restricted-key')?.reason).toContain('STRIPE_RESTRICTED_KEY');
    expect(report?.cases.find(({ id }) => id === 'idempotency-key')?.reason).toBe('needs --allow write');
    const asked = Object.keys(simulator.control.books().api.byEndpoint);
    expect(asked.filter((line) => !line.startsWith('GET '))).toEqual([]);
    expect(asked.length).toBeGreaterThan(3);
  } finally {
    await simulator.close();
  }
});

test('a live key is refused', () => {
  expect(() => readCredentials('stripe', { STRIPE_API_KEY: 'sk_live_x' }, 'contract-9')).toThrow('live key');
  expect(() =>
    readCredentials('stripe', { STRIPE_API_KEY: 'sk_test_x', STRIPE_RESTRICTED_KEY: 'rk_live_x' }, 'c'),
  ).toThrow('live key');
});

test('credentials come from the environment; what is missing is named', () => {
  expect(() => readCredentials('filemaker', { FILEMAKER_USERNAME: 'bridge' }, 'c')).toThrow('FILEMAKER_PASSWORD');
  expect(() => readArguments(['filemaker', '--password', 'x'])).toThrow();
});
