import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configureScheduler } from './configure-scheduler';

const env = { DATABASE_URL: 'postgresql://localhost/b', REDIS_URL: 'redis://localhost' };
const hash = `scrypt$32768$8$1$${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(32).toString('base64')}`;

test('CONSOLE_ADMIN is taken apart at its first colon', () => {
  expect(configureScheduler({ ...env, CONSOLE_ADMIN: `ada:${hash}` }).consoleAdmin).toEqual({
    name: 'ada',
    passwordHash: hash,
  });
  expect(configureScheduler(env).consoleAdmin).toBeUndefined();
});

test.each(['ada:plain-password', 'ada:scrypt1$aa', 'ada:$2b$10$abcdefghijklmnopqrstuv'])(
  'CONSOLE_ADMIN=%s is a fault of the configuration that does not repeat the value',
  (value) => {
    expect(() => configureScheduler({ ...env, CONSOLE_ADMIN: value })).toThrow(
      expect.objectContaining({ exitCode: 78, message: expect.not.stringContaining(value.slice(4)) }),
    );
  },
);

test('a flow that this build does not have ends the start', () => {
  expect(configureScheduler({ ...env, FLOWS: 'invoices' }).flows).toEqual(['invoices']);
  expect(() => configureScheduler({ ...env, FLOWS: 'invoices,bokings' })).toThrow(
    expect.objectContaining({ exitCode: 78, message: expect.stringContaining('FLOWS: names a flow') }),
  );
});

test('a schedule that this build does not have ends the start, and says which there are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-schedules-'));
  const file = join(folder, 'bridge.yaml');
  try {
    writeFileSync(file, 'schedules:\n  reconcile-invoices-recent: every 30 minutes\n');
    expect(configureScheduler({ ...env, BRIDGE_CONFIG: file }).schedules).toEqual({
      'reconcile-invoices-recent': { everyMs: 1_800_000 },
    });
    writeFileSync(file, 'schedules:\n  reconcile-invoices-recnt: "off"\n');
    expect(() => configureScheduler({ ...env, BRIDGE_CONFIG: file })).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringMatching(/schedules\.reconcile-invoices-recnt: .*reconcile-invoices-nightly/),
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
