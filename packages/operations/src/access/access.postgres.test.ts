import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { allMigrations } from '../migrations';
import { beginSession, endSession, operatorOfSession } from './console-sessions';
import {
  countLoginTry,
  forgetLoginTries,
  TRIES_PER_ADDRESS_MAX,
  TRIES_PER_NAME_MAX,
  TRIES_WINDOW_MINUTES,
} from './login-tries';
import { listOperators, putOperator, seedOperator, verifyOperator } from './operators';
import { hashPassword } from './password-hash';

let database: Database;
let drop: () => Promise<void>;

beforeEach(async () => {
  const test = await createTestDatabase();
  await migrate(test.url, allMigrations([]));
  database = createDatabase({ url: test.url, poolMax: 5, applicationName: 'operations-test' });
  drop = test.drop;
});
afterEach(async () => {
  await database.close();
  await drop();
});

describe('operators', () => {
  const passwordHash = 'scrypt$2$1$1$c2FsdHNhbHRzYWx0c2FsdA==$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo';

  test('a right password is accepted; a wrong one and an unknown name are not', async () => {
    await putOperator(database, { name: 'ada', passwordHash: await hashPassword('right password') }, 'cli:root');
    expect(await verifyOperator(database, 'ada', 'right password')).toBe(true);
    expect(await verifyOperator(database, 'ada', 'wrong password')).toBe(false);
    expect(await verifyOperator(database, 'eve', 'right password')).toBe(false);
  });

  test('CONSOLE_ADMIN seeds once: a password changed since then survives restarts, a new value takes effect', async () => {
    expect(await seedOperator(database, { name: 'ada', passwordHash })).toBe(true);
    await putOperator(database, { name: 'ada', passwordHash: `${passwordHash}x` }, 'ada');
    expect(await seedOperator(database, { name: 'ada', passwordHash })).toBe(false);
    const token = await beginSession(database, 'ada');
    expect(await seedOperator(database, { name: 'ada', passwordHash: `${passwordHash}y` })).toBe(true);
    expect(await operatorOfSession(database, token)).toBeUndefined();
    expect(await listOperators(database)).toMatchObject([{ name: 'ada', createdBy: 'CONSOLE_ADMIN' }]);
  });

  test('a session ends by logging out, by idleness, by age and by a new password; its token is stored nowhere', async () => {
    await seedOperator(database, { name: 'ada', passwordHash });
    const begun = await Promise.all([1, 2, 3, 4].map(() => beginSession(database, 'ada')));
    const [left = '', idle = '', old = '', token = ''] = begun;
    const text = JSON.stringify(await rows(database.executor, sql`select * from operations.console_sessions`));
    for (const one of begun) expect(text).not.toContain(one);
    const change = (of: string, what: ReturnType<typeof sql>) =>
      database.executor.execute(
        sql`update operations.console_sessions set ${what} where token_hash = sha256(convert_to(${of}, 'UTF8'))`,
      );
    await endSession(database, left);
    await change(idle, sql`last_seen_at = clock_timestamp() - interval '61 minutes'`);
    await change(old, sql`expires_at = clock_timestamp() - interval '1 second'`);
    expect(await Promise.all(begun.map((one) => operatorOfSession(database, one)))).toEqual([
      undefined,
      undefined,
      undefined,
      'ada',
    ]);
    await putOperator(database, { name: 'ada', passwordHash: `${passwordHash}z` }, 'ada');
    expect(await operatorOfSession(database, token)).toBeUndefined();
    expect(await operatorOfSession(database, "' or true --")).toBeUndefined();
  });

  test('a session that is used is seen, at most once a minute', async () => {
    await seedOperator(database, { name: 'ada', passwordHash });
    const token = await beginSession(database, 'ada');
    await database.executor.execute(
      sql`update operations.console_sessions set last_seen_at = clock_timestamp() - interval '30 minutes'`,
    );
    const seen = async () =>
      (
        await rows<{ at: string }>(
          database.executor,
          sql`select last_seen_at::text as at from operations.console_sessions`,
        )
      )[0]?.at;
    const before = await seen();
    await operatorOfSession(database, token);
    const after = await seen();
    expect(after).not.toBe(before);
    await operatorOfSession(database, token);
    expect(await seen()).toBe(after);
  });
});

describe('tries to log in', () => {
  test('are bounded per name from any number of addresses at once, and free again after the window', async () => {
    const tries = await Promise.all(
      Array.from({ length: TRIES_PER_NAME_MAX + 5 }, (_, n) => countLoginTry(database, 'ada', `10.0.0.${n}`)),
    );
    expect(tries.filter((one) => one.allowed)).toHaveLength(TRIES_PER_NAME_MAX);
    const refused = tries.find((one) => !one.allowed);
    expect(refused?.retryAfterSeconds).toBeGreaterThan(TRIES_WINDOW_MINUTES * 60 - 30);
    expect((await countLoginTry(database, 'bob', '10.0.1.1')).allowed).toBe(true);
    await database.executor.execute(
      sql`update operations.login_tries set window_began_at = window_began_at - interval '16 minutes'`,
    );
    expect((await countLoginTry(database, 'ada', '10.0.0.1')).allowed).toBe(true);
  });

  test('are bounded per address whatever the names', async () => {
    const allowed: boolean[] = [];
    for (let n = 0; n < TRIES_PER_ADDRESS_MAX + 3; n += 1)
      allowed.push((await countLoginTry(database, `name${n}`, '10.0.0.1')).allowed);
    expect(allowed.filter(Boolean)).toHaveLength(TRIES_PER_ADDRESS_MAX);
    expect(allowed.slice(-3)).toEqual([false, false, false]);
  });

  test('a right password gives its name a fresh count', async () => {
    for (let n = 0; n < TRIES_PER_NAME_MAX; n += 1) await countLoginTry(database, 'ada', `10.0.0.${n}`);
    await forgetLoginTries(database, 'ada');
    expect((await countLoginTry(database, 'ada', '10.0.0.99')).allowed).toBe(true);
  });

  test('neither names nor addresses are stored in clear', async () => {
    await countLoginTry(database, 'my-password-typed-here', '203.0.113.77');
    const text = (
      await rows<{ t: string }>(
        database.executor,
        sql`select convert_from(subject, 'LATIN1') || subject::text as t from operations.login_tries`,
      )
    )
      .map((row) => row.t)
      .join();
    expect(text).not.toMatch(/my-password|203\.0\.113/);
  });
});
