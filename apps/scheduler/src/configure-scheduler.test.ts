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

test('a flow that this build does not have, and a delivery that is not built, end the start with all faults named', () => {
  expect(configureScheduler({ ...env, FLOWS: 'invoices' }).flows).toEqual(['invoices']);
  expect(() => configureScheduler({ ...env, FLOWS: 'invoices,bokings', STRIPE_DELIVERY: 'pull' })).toThrow(
    expect.objectContaining({
      exitCode: 78,
      message: expect.stringMatching(/STRIPE_DELIVERY: .*FLOWS: names a flow/s),
    }),
  );
});
