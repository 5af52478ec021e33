import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What whoever installs the bridge may rely on: an app that is told something wrong says all of it at once and ends with 78,
 * before it has touched anything. The apps as they were built, without a PostgreSQL, a Redis or a peer: none is needed.
 */
const root = join(__dirname, '../../..');
const PATIENCE_MS = 120_000;
/** Stands in every value that is given here and in no message of ours. */
const MARK = 'zq9';
const TOKEN_KEY = Buffer.alloc(32, MARK).toString('base64');
type App = 'ingress' | 'worker' | 'scheduler';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-contract-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** The program with this environment and no other, and its end. One that stays up ends by force, with the code null. */
async function run(program: string, values: Record<string, string>, args: readonly string[] = []) {
  const child = spawn(process.execPath, [join(root, program), ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...values },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    out += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    err += piece;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, out, err };
}

/** What the app says to these values: its exit code, and the names that stand in its one message. */
async function refusal(app: App, values: Record<string, string>) {
  const { code, out, err } = await run(`apps/${app}/dist/main.js`, values);
  const [first, ...lines] = err.trimEnd().split('\n');
  // Nobody is shown a value, whole or in part: what is faulty may be a secret that stands in the wrong place.
  expect(err).not.toContain(MARK);
  expect(err).not.toContain(TOKEN_KEY);
  return {
    code,
    out,
    first,
    named: lines.map((line) => /^ {2}([A-Z_]+): \S/.exec(line)?.[1] ?? line).sort(),
  };
}
const told = (app: App, ...named: string[]) => ({
  code: 78,
  out: '',
  first: `${app}: The configuration has ${named.length === 1 ? 'a fault' : `${named.length} faults`}:`,
  named: named.sort(),
});

/** Every secret of all three apps, as secrets are mounted: a file each, with a line break at its end. */
function mounted(): Record<string, string> {
  const secrets = {
    DATABASE_URL: `postgresql://u:${MARK}@127.0.0.1:1/none`,
    REDIS_URL: `redis://:${MARK}@127.0.0.1:1`,
    STRIPE_API_KEY: `rk_test_${MARK}`,
    STRIPE_WEBHOOK_SECRETS: `whsec_${MARK}a, whsec_${MARK}b`,
    FILEMAKER_PASSWORD: MARK,
    CONSOLE_ADMIN: `ada:${MARK}`,
    API_KEYS: MARK,
    SMTP_URL: `smtps://u:${MARK}@127.0.0.1`,
    SLACK_WEBHOOK_URL: `https://127.0.0.1/${MARK}`,
  };
  const files = Object.entries(secrets).map(([name, value]) => [`${name}_FILE`, file(name, `${value}\n`)]);
  return {
    ...Object.fromEntries(files),
    FILEMAKER_URL: 'https://127.0.0.1:1',
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
  };
}

test.each<[App, string[]]>([
  ['ingress', ['DATABASE_URL', 'REDIS_URL', 'STRIPE_WEBHOOK_SECRETS']],
  [
    'worker',
    [
      'DATABASE_URL',
      'REDIS_URL',
      'STRIPE_API_KEY',
      'FILEMAKER_URL',
      'FILEMAKER_DATABASE',
      'FILEMAKER_USERNAME',
      'FILEMAKER_PASSWORD',
    ],
  ],
  ['scheduler', ['DATABASE_URL', 'REDIS_URL']],
])('%s without any configuration names all that it needs, and nothing else', async (app, needed) => {
  expect(await refusal(app, {})).toEqual(told(app, ...needed));
});

const COMMON = [
  'DATABASE_URL',
  'DATABASE_POOL_MAX',
  'REDIS_URL',
  'MODE',
  'FLOWS',
  'OPS_PORT',
  'SHUTDOWN_SECONDS',
  'STRIPE_API_KEY',
  'BRIDGE_CONFIG',
  'LOG_LEVEL',
];
const FILEMAKER = ['FILEMAKER_URL', 'FILEMAKER_PASSWORD_FILE', 'FILEMAKER_TOKEN_KEY'];
test.each<[App, string[]]>([
  ['ingress', [...COMMON, 'PORT', 'STRIPE_WEBHOOK_SECRETS_FILE']],
  ['worker', [...COMMON, ...FILEMAKER]],
  ['scheduler', [...COMMON, ...FILEMAKER, 'PORT', 'CONSOLE_ADMIN']],
])('%s names every fault in one message, shows none of the values, and ends with 78', async (app, faulty) => {
  const values = {
    DATABASE_URL: `mysql://u:${MARK}@127.0.0.1/none`,
    DATABASE_POOL_MAX: `1${MARK}`,
    // A file that holds what no Redis address is: that it is named shows that it was read.
    REDIS_URL_FILE: file('not-redis', `${MARK}://127.0.0.1\n`),
    MODE: MARK,
    FLOWS: `invoices,${MARK}`,
    PORT: `3000${MARK}`,
    OPS_PORT: '65536',
    SHUTDOWN_SECONDS: MARK,
    STRIPE_API_KEY: `pk_test_${MARK}`,
    STRIPE_WEBHOOK_SECRETS_FILE: join(folder, `nowhere-${MARK}`),
    FILEMAKER_URL: `https://u:${MARK}@127.0.0.1`,
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
    FILEMAKER_PASSWORD_FILE: file('empty', '\n'),
    // Given twice: one of them must be stale.
    FILEMAKER_TOKEN_KEY: TOKEN_KEY,
    FILEMAKER_TOKEN_KEY_FILE: file('token-key', `${TOKEN_KEY}\n`),
    CONSOLE_ADMIN: `ada:${MARK}`,
    CONSOLE_ADMIN_FILE: file('admin', `ada:${MARK}\n`),
    BRIDGE_CONFIG: file('bridge.yaml', `invoices: { instalments: ${MARK} }\n`),
    LOG_LEVEL: MARK,
  };
  expect(await refusal(app, values)).toEqual(told(app, ...faulty));
});

test.each<[App, string[]]>([
  ['ingress', []],
  ['worker', ['FILEMAKER_TOKEN_KEY', 'SHUTDOWN_SECONDS']],
  ['scheduler', []],
])(
  '%s in production takes every secret from its file; only a worker must seal its tokens and have the time for a script',
  async (app, more) => {
    // One fault that each app has, so that none of them starts.
    const values = { ...mounted(), NODE_ENV: 'production', SHUTDOWN_SECONDS: '69', LOG_LEVEL: MARK };
    expect(await refusal(app, values)).toEqual(told(app, 'LOG_LEVEL', ...more));
  },
);

test('a worker has time for its longest script from FILEMAKER_TIMEOUT_SECONDS + 10 on, and not a second below', async () => {
  const values = { ...mounted(), FILEMAKER_TIMEOUT_SECONDS: '90', LOG_LEVEL: MARK };
  expect(await refusal('worker', { ...values, SHUTDOWN_SECONDS: '100' })).toEqual(told('worker', 'LOG_LEVEL'));
  expect(await refusal('worker', { ...values, SHUTDOWN_SECONDS: '99' })).toEqual(
    told('worker', 'LOG_LEVEL', 'SHUTDOWN_SECONDS'),
  );
});

test.each<[string, () => string]>([
  ['MY_SHOP_KEY', () => `rk_live_${MARK}`],
  ['STRIPE_API_KEY_FILE', () => file('live-key', `sk_live_${MARK}\n`)],
])(
  'the demo beside a live Stripe key in %s starts nothing, says which variable it is, and ends with 78',
  async (name, value) => {
    const place = join(folder, 'demo');
    const { code, out, err } = await run('testing/demo/dist/main.js', { [name]: value() }, [
      '--once',
      '--folder',
      place,
    ]);
    expect({ code, out, err }).toEqual({
      code: 78,
      out: '',
      err: expect.stringMatching(new RegExp(`^${name} holds a live Stripe key[^\\n]*\\n$`)),
    });
    expect(err).not.toContain(MARK);
    expect(existsSync(place)).toBe(false);
  },
);
