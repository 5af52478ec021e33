import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { z } from 'zod';
import { bridgeFileSchema } from './bridge-file';
import { ConfigurationError } from './configuration-error';
import { loadConfig, readSoundConfig } from './load-config';
import type { Role } from './variable';
import { variables } from './variables';

const tokenKey = Buffer.alloc(32, 7).toString('base64');
const complete = {
  DATABASE_URL: 'postgresql://bridge:db-pass@127.0.0.1:5432/bridge',
  REDIS_URL: 'redis://:redis-pass@127.0.0.1:6379',
  STRIPE_API_KEY: 'sk_test_abc123',
  STRIPE_WEBHOOK_SECRETS: 'whsec_one, whsec_two,',
  FILEMAKER_URL: 'https://fm.example.com/',
  FILEMAKER_DATABASE: 'Sales',
  FILEMAKER_USERNAME: 'bridge',
  FILEMAKER_PASSWORD: ' fm-pass ',
};

function faultsOf(role: Role, env: NodeJS.ProcessEnv): Record<string, string> {
  try {
    loadConfig(role, env);
  } catch (error) {
    if (error instanceof ConfigurationError) {
      return Object.fromEntries(error.faults.map((fault) => [fault.variable, fault.message]));
    }
    throw error;
  }
  return {};
}

describe('readSoundConfig', () => {
  const roles = ['ingress', 'worker', 'scheduler', 'cli'] as const;

  test.each(roles)('without a fault a %s is given what loadConfig gives', (role) => {
    const { config, faults } = readSoundConfig(role, complete);
    const loaded = loadConfig(role, complete);
    expect([faults, JSON.stringify(config)]).toEqual([[], JSON.stringify(loaded)]);
    expect([config.database.url, config.stripe.apiKey]).toEqual([loaded.database.url, loaded.stripe.apiKey]);
    expect(Object.isFrozen(config)).toBe(true);
  });

  test.each(roles)('with faults a %s is told those of loadConfig, beside what is sound', (role) => {
    const env = { ...complete, DATABASE_URL: 'mysql://x', TIMEZONE: 'Mars', FLOWS: 'nope', BRIDGE_CONFIG: '/nowhere' };
    const { config, faults } = readSoundConfig(role, env);
    expect(Object.fromEntries(faults.map(({ variable, message }) => [variable, message]))).toEqual(faultsOf(role, env));
    expect(faults.map(({ variable }) => variable).sort()).toEqual(['BRIDGE_CONFIG', 'DATABASE_URL', 'TIMEZONE']);
    expect(config).toMatchObject({ database: { url: '' }, timezone: 'UTC', flows: ['nope'], windows: [] });
    expect(config.redis?.url).toBe(complete.REDIS_URL);
  });

  // Each alone, so that none hides another: it is read, not thrown.
  test.each(variables.map(({ name }) => name))('a faulty %s ends nothing', (name) => {
    for (const role of roles) {
      const { faults } = readSoundConfig(role, { ...complete, [name]: '\u0000 not this' });
      expect(faults.length > 0).toBe(
        Object.keys(faultsOf(role, { ...complete, [name]: '\u0000 not this' })).length > 0,
      );
    }
  });
});

describe('loadConfig', () => {
  let folder = '';
  const write = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bridge-config-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test('a worker with only what it must have gets every default of the reference table', () => {
    const config = loadConfig('worker', complete);
    expect(config.database).toMatchObject({ poolMax: 5 });
    expect(config.redis).toMatchObject({ prefix: 'bridge' });
    expect(config).toMatchObject({
      mode: 'live',
      flows: ['invoices'],
      http: undefined,
      ops: { host: '127.0.0.1', port: 9465 },
      shutdownSeconds: 70,
      workerConcurrency: 50,
      migrateOnStart: false,
      timezone: 'UTC',
      inboxBodyDays: 90,
      logLevel: 'info',
      nodeEnv: 'development',
      reconcileFrom: undefined,
    });
    expect(config.stripe).toMatchObject({
      apiKey: 'sk_test_abc123',
      livemode: false,
      apiBase: 'https://api.stripe.com',
      delivery: 'webhook',
      readsPerSecond: 12,
    });
    expect(config.filemaker).toMatchObject({
      url: 'https://fm.example.com',
      password: ' fm-pass ',
      maxSessions: 5,
      layout: 'web_invoices',
      script: 'STRIPE_PAYMENTLINK_SUCCESS',
      timeoutSeconds: 60,
      scriptMaxSeconds: 120,
    });
    expect(config.filemaker?.log).toBeUndefined();
    expect(config.filemaker?.tokenKeys).toBeUndefined();
    expect(config.invoices).toEqual({
      invoiceIdKeys: ['metadata.invoice_id'],
      facts: {
        paid: { layout: 'web_invoices', script: 'STRIPE_PAYMENTLINK_SUCCESS', contract: 'plain', probe: undefined },
        refunded: undefined,
        disputed: undefined,
        payment_failed: undefined,
      },
      payload: { fields: 'full', unit_price: 'unit', shipping_item: { code: '', catalog_number: '' } },
      instalments: 'park',
    });
  });

  test.each([
    ['ingress', { poolMax: 10, http: { host: '0.0.0.0', port: 3000 }, ops: 9464, shutdown: 25 }],
    ['scheduler', { poolMax: 5, http: { host: '0.0.0.0', port: 3002 }, ops: 9466, shutdown: 25 }],
  ] as const)('%s has its own pool, ports and patience', (role, expected) => {
    const config = loadConfig(role, complete);
    expect(config.database.poolMax).toBe(expected.poolMax);
    expect(config.http).toEqual(expected.http);
    expect(config.ops.port).toBe(expected.ops);
    expect(config.shutdownSeconds).toBe(expected.shutdown);
  });

  test('every role names exactly what it misses, all of it in one message', () => {
    expect(Object.keys(faultsOf('ingress', {}))).toEqual(['DATABASE_URL', 'REDIS_URL', 'STRIPE_WEBHOOK_SECRETS']);
    expect(Object.keys(faultsOf('worker', {}))).toEqual([
      'DATABASE_URL',
      'REDIS_URL',
      'STRIPE_API_KEY',
      'FILEMAKER_URL',
      'FILEMAKER_DATABASE',
      'FILEMAKER_USERNAME',
      'FILEMAKER_PASSWORD',
    ]);
    expect(Object.keys(faultsOf('scheduler', {}))).toEqual(['DATABASE_URL', 'REDIS_URL']);
    expect(Object.keys(faultsOf('cli', {}))).toEqual(['DATABASE_URL']);
    expect(() => loadConfig('ingress', {})).toThrow(
      /^The configuration has 3 faults:\n {2}DATABASE_URL: .+\n {2}REDIS_URL: .+\n {2}STRIPE_WEBHOOK_SECRETS: .+$/,
    );
  });

  test('the error asks for exit code 78', () => {
    expect(new ConfigurationError([{ variable: 'X', message: 'is missing' }])).toMatchObject({ exitCode: 78 });
  });

  test('an empty variable counts as unset', () => {
    expect(faultsOf('cli', { DATABASE_URL: '  ' })).toHaveProperty('DATABASE_URL');
    expect(loadConfig('cli', { ...complete, MODE: '', TIMEZONE: '' })).toMatchObject({ mode: 'live', timezone: 'UTC' });
  });

  test('with delivery by pull no webhook secret is needed, and one that is given is kept', () => {
    const { STRIPE_WEBHOOK_SECRETS, ...unsigned } = complete;
    for (const role of ['ingress', 'worker', 'scheduler'] as const) {
      expect(loadConfig(role, { ...unsigned, STRIPE_DELIVERY: 'pull' }).stripe).toMatchObject({
        delivery: 'pull',
        pullSeconds: 60,
        webhookSecrets: [],
      });
    }
    const both = loadConfig('ingress', { ...complete, STRIPE_DELIVERY: 'pull' });
    expect(both.stripe.webhookSecrets).toEqual(loadConfig('ingress', complete).stripe.webhookSecrets);
    expect(both.stripe.webhookSecrets).not.toEqual([]);
    expect(Object.keys(faultsOf('ingress', unsigned))).toEqual(['STRIPE_WEBHOOK_SECRETS']);
    expect(loadConfig('worker', { ...complete, STRIPE_PULL_SECONDS: '300' }).stripe.pullSeconds).toBe(300);
    expect(faultsOf('scheduler', { ...complete, STRIPE_PULL_SECONDS: '0' })).toHaveProperty('STRIPE_PULL_SECONDS');
  });

  test('a worker without the invoices flow needs no FileMaker, and half a FileMaker is a fault everywhere it is read', () => {
    const { FILEMAKER_URL, FILEMAKER_DATABASE, FILEMAKER_USERNAME, FILEMAKER_PASSWORD, ...rest } = complete;
    expect(loadConfig('worker', { ...rest, FLOWS: 'subscriptions' }).filemaker).toBeUndefined();
    expect(Object.keys(faultsOf('cli', { ...rest, FILEMAKER_URL }))).toEqual([
      'FILEMAKER_DATABASE',
      'FILEMAKER_USERNAME',
      'FILEMAKER_PASSWORD',
    ]);
    expect(faultsOf('worker', { ...rest, FILEMAKER_DATABASE, FILEMAKER_USERNAME, FILEMAKER_PASSWORD })).toEqual({
      FILEMAKER_URL: expect.stringContaining('is missing'),
    });
  });

  test('the command line does without the password of FileMaker, and the apps do not', () => {
    const { FILEMAKER_PASSWORD, ...rest } = complete;
    expect(loadConfig('cli', rest).filemaker).toBeUndefined();
    expect(loadConfig('cli', complete).filemaker?.username).toBe(complete.FILEMAKER_USERNAME);
    for (const role of ['worker', 'scheduler'] as const)
      expect(Object.keys(faultsOf(role, rest))).toEqual(['FILEMAKER_PASSWORD']);
  });

  test('a fault in a variable of another role does not stop this one', () => {
    expect(loadConfig('ingress', { ...complete, FILEMAKER_URL: 'nonsense' }).filemaker).toBeUndefined();
    expect(faultsOf('worker', { ...complete, FILEMAKER_URL: 'nonsense' })).toHaveProperty('FILEMAKER_URL');
  });

  test.each([
    ['DATABASE_URL', 'mysql://db-pass@host/db'],
    ['REDIS_URL', 'http://host'],
    ['DATABASE_POOL_MAX', '0'],
    ['QUEUE_PREFIX', 'a:b'],
    ['MODE', 'dry'],
    ['FLOWS', 'invoices, Bad Name'],
    ['FLOWS', ','],
    ['OPS_PORT', '65536'],
    ['OPS_PORT', '12.5'],
    ['OPS_PORT', '0x10'],
    ['SHUTDOWN_SECONDS', '69'],
    ['WORKER_CONCURRENCY', '-1'],
    ['STRIPE_API_KEY', 'pk_live_abc'],
    ['STRIPE_API_KEY', 'whsec_abc'],
    ['STRIPE_API_BASE', 'ftp://stripe'],
    ['STRIPE_API_BASE', 'https://stripe.example.com/v1'],
    ['STRIPE_READS_PER_SECOND', '10001'],
    ['STRIPE_DELIVERY', 'push'],
    ['FILEMAKER_URL', 'http://fm.example.com'],
    ['FILEMAKER_URL', 'https://user:secret@fm.example.com'],
    ['FILEMAKER_URL', 'https://fm.example.com/fmi/data'],
    ['FILEMAKER_CA_FILE', '/nowhere/ca.pem'],
    ['FILEMAKER_TOKEN_KEY', 'c2hvcnQ='],
    ['FILEMAKER_TOKEN_KEY', `${tokenKey},${tokenKey}A`],
    ['FILEMAKER_TOKEN_KEY', tokenKey.slice(0, -1)],
    ['INVOICE_ID_KEYS', 'invoice_id'],
    ['RECONCILE_FROM', 'yesterday'],
    ['RECONCILE_FROM', '2026-11-01T00:00:00'],
    ['RECONCILE_FROM', '2026-13-01'],
    ['TIMEZONE', 'Mars/Olympus'],
    ['LOG_LEVEL', 'loud'],
    ['MIGRATE_ON_START', 'yes'],
    ['BRIDGE_CONFIG', '/nowhere/bridge.yaml'],
    ['SMTP_URL', 'mail.example.com'],
  ])('a faulty %s is named once, and nothing else', (name, value) => {
    expect(Object.keys(faultsOf('worker', { ...complete, [name]: value }))).toEqual([name]);
  });

  test.each(['whsec_a, sk_live_abc', 'whsec_with space'])(
    'STRIPE_WEBHOOK_SECRETS refuses %p without repeating it',
    (value) => {
      const faults = faultsOf('ingress', { ...complete, STRIPE_WEBHOOK_SECRETS: value });
      expect(Object.keys(faults)).toEqual(['STRIPE_WEBHOOK_SECRETS']);
      expect(faults.STRIPE_WEBHOOK_SECRETS).not.toMatch(/sk_live_abc|with space/);
    },
  );

  test('SHUTDOWN_SECONDS follows FILEMAKER_TIMEOUT_SECONDS, and only a worker is held to it', () => {
    expect(loadConfig('worker', { ...complete, FILEMAKER_TIMEOUT_SECONDS: '90' }).shutdownSeconds).toBe(100);
    expect(faultsOf('worker', { ...complete, FILEMAKER_TIMEOUT_SECONDS: '90', SHUTDOWN_SECONDS: '99' })).toEqual({
      SHUTDOWN_SECONDS: expect.stringContaining('100'),
    });
    expect(loadConfig('ingress', { ...complete, SHUTDOWN_SECONDS: '5' }).shutdownSeconds).toBe(5);
  });

  test('in production a worker must seal its tokens', () => {
    expect(Object.keys(faultsOf('worker', { ...complete, NODE_ENV: 'production' }))).toEqual(['FILEMAKER_TOKEN_KEY']);
    const second = Buffer.alloc(32, 9).toString('base64');
    const env = { ...complete, NODE_ENV: 'production', FILEMAKER_TOKEN_KEY: `${tokenKey}, ${second}` };
    expect(loadConfig('worker', env).filemaker?.tokenKeys).toEqual([Buffer.alloc(32, 7), Buffer.alloc(32, 9)]);
  });

  test('plain http to FileMaker is for this machine only', () => {
    for (const url of ['http://localhost:8080', 'http://127.0.0.1', 'http://[::1]:9']) {
      expect(loadConfig('worker', { ...complete, FILEMAKER_URL: url }).filemaker?.url).toBe(new URL(url).origin);
    }
  });

  test('a live key raises the read budget and never travels unencrypted', () => {
    const live = { ...complete, STRIPE_API_KEY: 'rk_live_abc' };
    expect(loadConfig('worker', live).stripe).toMatchObject({ livemode: true, readsPerSecond: 40 });
    expect(faultsOf('worker', { ...live, STRIPE_API_BASE: 'http://stripe:12111' })).toHaveProperty('STRIPE_API_BASE');
    expect(loadConfig('worker', { ...complete, STRIPE_API_BASE: 'http://stripe:12111' }).stripe.apiBase).toBe(
      'http://stripe:12111',
    );
  });

  test.each(variables.filter(({ secret }) => secret).map(({ name }) => name))(
    '%s may come from a file, but not twice',
    (name) => {
      const good: Record<string, string> = {
        FILEMAKER_TOKEN_KEY: tokenKey,
        CONSOLE_ADMIN: 'ann:hash',
        SMTP_URL: 'smtps://u:p@mail',
        SLACK_WEBHOOK_URL: 'https://hooks/x',
        ALERT_WEBHOOK_URL: 'https://hooks/y',
        HEARTBEAT_URL: 'https://hooks/z',
        API_KEYS: 'k1',
        ...complete,
      };
      const value = good[name] ?? '';
      const env: NodeJS.ProcessEnv = { ...complete, [`${name}_FILE`]: write('secret', `${value}\n`) };
      delete env[name];
      for (const role of variables.find((candidate) => candidate.name === name)?.roles ?? []) {
        expect(faultsOf(role, env)).toEqual({});
        expect(faultsOf(role, { ...env, [name]: value })).toEqual({ [name]: expect.stringContaining('given twice') });
      }
    },
  );

  test('a secret file that is missing or empty is a fault of its own, and the secret is not called missing as well', () => {
    const { STRIPE_API_KEY, ...rest } = complete;
    expect(faultsOf('worker', { ...rest, STRIPE_API_KEY_FILE: join(folder, 'none') })).toEqual({
      STRIPE_API_KEY_FILE: 'names a file that cannot be read (ENOENT)',
    });
    expect(faultsOf('worker', { ...rest, STRIPE_API_KEY_FILE: write('empty', '\n') })).toEqual({
      STRIPE_API_KEY_FILE: 'names an empty file',
    });
    expect(
      loadConfig('worker', { ...rest, STRIPE_API_KEY_FILE: write('key', `${STRIPE_API_KEY}\n`) }).stripe.apiKey,
    ).toBe(STRIPE_API_KEY);
  });

  test('no secret shows in JSON, inspect or a spread copy, while its value can be used', () => {
    const config = loadConfig('worker', {
      ...complete,
      FILEMAKER_TOKEN_KEY: tokenKey,
      SMTP_URL: 'smtps://u:mail-pass@m',
    });
    const printed = [
      JSON.stringify(config),
      inspect(config, { depth: 20, showHidden: true }),
      JSON.stringify({ ...config.database, applicationName: 'x' }),
      inspect({ ...config.stripe }),
    ].join('\n');
    for (const secret of ['db-pass', 'redis-pass', 'sk_test_abc123', 'fm-pass', tokenKey, 'mail-pass']) {
      expect(printed).not.toContain(secret);
    }
    expect(printed).not.toMatch(/07 07 07|7,7,7/);
    expect(printed).toContain('[secret]');
    expect({ ...config.database }.url).toBe(complete.DATABASE_URL);
  });

  test('no value of any variable ever stands in an error message, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...variables.map(({ name }) => name)),
        // A marker that no message of ours contains.
        fc.string({ minLength: 0, maxLength: 20 }).map((filler) => `zq9${filler}zq9`),
        (name, value) => {
          for (const message of Object.values(faultsOf('worker', { ...complete, [name]: value }))) {
            expect(message).not.toContain('zq9');
          }
        },
      ),
    );
  });

  test.each(['ingress', 'worker', 'scheduler', 'cli'] as const)(
    '%s: a flow that this build does not have is a fault',
    (role) => {
      const knownFlows = ['invoices', 'bookings'];
      const env = { ...complete, FLOWS: 'invoices,bokings' };
      expect(() => loadConfig(role, env, { knownFlows })).toThrow(
        'FLOWS: names a flow that this build does not have; there are: invoices, bookings',
      );
      expect(loadConfig('worker', { ...complete, FLOWS: 'bookings' }, { knownFlows }).flows).toEqual(['bookings']);
    },
  );

  test('the configuration is frozen through and through', () => {
    const config = loadConfig('worker', complete);
    expect(() => Object.assign(config, { mode: 'observe' })).toThrow(TypeError);
    expect(() => Object.assign(config.stripe, { apiKey: 'x' })).toThrow(TypeError);
    expect(() => Object.assign(config.invoices.facts.paid, { script: 'x' })).toThrow(TypeError);
  });

  describe('BRIDGE_CONFIG', () => {
    const withFile = (yaml: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
      ...complete,
      ...more,
      BRIDGE_CONFIG: write('bridge.yaml', yaml),
    });

    test('maintenance windows go by the clock of TIMEZONE; without days they come every day', () => {
      const yaml = `windows:
  - { scope: filemaker, days: [sat, sun], from: "23:30", to: "1:15", why: backup }
  - { scope: script SHIP the goods, from: 00:00, to: 24:00 }`;
      const { windows } = loadConfig('worker', withFile(yaml, { TIMEZONE: 'Europe/Berlin' }));
      expect(windows).toEqual([
        { scope: 'filemaker', days: [6, 7], fromMinute: 1_410, toMinute: 75, timeZone: 'Europe/Berlin', why: 'backup' },
        {
          scope: 'script:SHIP the goods',
          days: [1, 2, 3, 4, 5, 6, 7],
          fromMinute: 0,
          toMinute: 1_440,
          timeZone: 'Europe/Berlin',
          why: 'maintenance',
        },
      ]);
      expect(loadConfig('worker', complete).windows).toEqual([]);
    });

    test('a window that names nothing known, no time, or no span is a fault', () => {
      const faulty = `windows:
  - { scope: printer, from: "25:00", to: "24:01", days: [sunday] }
  - { scope: filemaker, from: "02:00" }`;
      expect(Object.keys(faultsOf('worker', withFile(faulty))).sort()).toEqual([
        'BRIDGE_CONFIG: windows.0.days.0',
        'BRIDGE_CONFIG: windows.0.from',
        'BRIDGE_CONFIG: windows.0.scope',
        'BRIDGE_CONFIG: windows.0.to',
        'BRIDGE_CONFIG: windows.1.to',
      ]);
      const empty = 'windows: [{ scope: flow invoice, from: "02:00", to: "2:00" }]';
      expect(() => loadConfig('worker', withFile(empty), { knownFlows: ['invoices'] })).toThrow(
        /windows\.0\.scope: names a flow.*\n.*windows\.0\.to: is the same as from/,
      );
    });

    test('wins over the shorthand variables, which give what it leaves out', () => {
      const config = loadConfig(
        'worker',
        withFile(
          [
            'invoices:',
            '  facts:',
            '    paid: { script: Paid, contract: plain, probe: { layout: inv, field: cs, match: checkout_session_id } }',
            '    refunded: { layout: other, script: Refunded }',
            '  payload: { fields: article, unit_price: line_total, shipping_item: { code: E1399, name: Freight } }',
            '  instalments: allow',
          ].join('\n'),
          { FILEMAKER_LAYOUT: 'mine', FILEMAKER_SCRIPT: 'Shorthand', FILEMAKER_LOG_LAYOUT: 'log' },
        ),
      );
      expect(config.invoices).toEqual({
        invoiceIdKeys: ['metadata.invoice_id'],
        facts: {
          paid: {
            layout: 'mine',
            script: 'Paid',
            contract: 'plain',
            probe: { layout: 'inv', field: 'cs', match: 'checkout_session_id' },
          },
          refunded: { layout: 'other', script: 'Refunded', contract: 'kit', probe: undefined },
          disputed: undefined,
          payment_failed: undefined,
        },
        payload: {
          fields: 'article',
          unit_price: 'line_total',
          shipping_item: { code: 'E1399', name: 'Freight', catalog_number: '' },
        },
        instalments: 'allow',
      });
      expect(config.filemaker?.log).toEqual({
        layout: 'log',
        keyField: 'idempotency_key',
        stateField: 'state',
        resultField: 'result',
      });
    });

    test('a log layout makes the paid script speak the contract of the kit', () => {
      const config = loadConfig('worker', { ...complete, FILEMAKER_LOG_LAYOUT: 'log' });
      expect(config.invoices.facts.paid.contract).toBe('kit');
    });

    test('an unknown key and a wrong value are named by their path, all at once, without their values', () => {
      const yaml = 'invoices:\n  facts:\n    paid: { scrpt: zq9 }\n  instalments: zq9\nextra: zq9\n';
      const faults = faultsOf('worker', withFile(yaml));
      expect(Object.keys(faults).sort()).toEqual([
        'BRIDGE_CONFIG: extra',
        'BRIDGE_CONFIG: invoices.facts.paid.scrpt',
        'BRIDGE_CONFIG: invoices.instalments',
      ]);
      expect(JSON.stringify(faults)).not.toContain('zq9');
    });

    test('a kit contract without a log to look in is a fault', () => {
      const faults = faultsOf('worker', withFile('invoices: { facts: { paid: { contract: kit } } }'));
      expect(Object.keys(faults)).toEqual(['BRIDGE_CONFIG: invoices.facts.paid.contract']);
    });

    test('broken YAML is named by line, and an alias bomb is refused', () => {
      expect(faultsOf('worker', withFile('invoices:\n  facts: [\n')).BRIDGE_CONFIG).toMatch(
        /not valid YAML at line \d/,
      );
      const bomb = [
        'a: &a [x,x,x,x,x,x,x,x,x]',
        ...'bcdefgh'.split('').map((key, index) => {
          const previous = 'abcdefg'[index];
          return `${key}: &${key} [${Array(9).fill(`*${previous}`).join(',')}]`;
        }),
      ].join('\n');
      expect(faultsOf('worker', withFile(bomb)).BRIDGE_CONFIG).toBe('uses too many aliases');
    });

    test('an empty file means all defaults', () => {
      expect(loadConfig('worker', withFile('# nothing yet\n')).invoices.instalments).toBe('park');
    });

    test('the JSON Schema forbids unknown keys as the check does', () => {
      const schema = z.toJSONSchema(bridgeFileSchema, { io: 'input' });
      expect(schema).toMatchObject({ type: 'object', additionalProperties: false });
      expect(JSON.stringify(schema)).toContain('checkout_session_id');
    });
  });

  test('every variable says its meaning, default and readers', () => {
    expect(variables.length).toBeGreaterThan(45);
    for (const { name, meaning, accepts, roles, default: byDefault } of variables) {
      expect(`${name}: ${accepts}`).toMatch(/^[A-Z_]+: .{3,}$/);
      expect(`${name}: ${meaning}`).toMatch(/^[A-Z][A-Z_]+: .{15,}\.$/);
      expect(byDefault).not.toBe('');
      expect(roles.length).toBeGreaterThan(0);
    }
  });
});
