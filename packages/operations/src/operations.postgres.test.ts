import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createEffectStore, type EffectPlan } from '@bridge/effects';
import { createGates } from '@bridge/gates';
import { createInbox } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { audited, listAudit } from './audit';
import { beginSession, endSession, operatorOfSession } from './console-sessions';
import { pauseScope, resumeScope } from './gate-acts';
import {
  countLoginTry,
  forgetLoginTries,
  TRIES_PER_ADDRESS_MAX,
  TRIES_PER_NAME_MAX,
  TRIES_WINDOW_MINUTES,
} from './login-tries';
import { allMigrations } from './migrations';
import { listOperators, putOperator, seedOperator, verifyOperator } from './operators';
import { hashPassword } from './password-hash';
import { releaseEffect } from './release-effect';
import { reprocessEvent } from './reprocess-event';
import { readStatus } from './status';

const sources = allMigrations([]);
let database: Database;
let drop: () => Promise<void>;

beforeEach(async () => {
  const test = await createTestDatabase();
  await migrate(test.url, sources);
  database = createDatabase({ url: test.url, poolMax: 5, applicationName: 'operations-test' });
  drop = test.drop;
});
afterEach(async () => {
  await database.close();
  await drop();
});

const asked = { by: 'ada', why: 'the customer asked' };
const target = (over: object = {}) => ({
  layout: 'web_invoices',
  script: 'PAID',
  contract: 'plain',
  transport: 'get',
  handoffLayout: null,
  probe: null,
  log: null,
  ...over,
});
const probe = { layout: 'l', field: 'f', value: 'v', proves: true };

async function park(over: Partial<EffectPlan> = {}): Promise<string> {
  const { id } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: `invoice-paid:${over.title ?? 'cs_1'}`,
    lane: null,
    title: 'Mark invoice 1 paid',
    target: target(),
    body: '{}',
    subject: {},
    origin: 'webhook',
    checkFirst: false,
    parked: { reasonCode: 'SECOND_PAYMENT', reason: 'paid twice' },
    ...over,
  });
  return id;
}

const stored = async (id: string) =>
  (
    await rows<{ state: string; check_first: boolean; run: number; queued_at: string | null }>(
      database.executor,
      sql`select state, check_first, run, queued_at from effects.effects where id = ${id}`,
    )
  )[0];

describe('release of a parked effect', () => {
  test.each([
    ['kit', target({ contract: 'kit' }), true],
    ['plain with a probe', target({ probe }), true],
    ['plain without a probe', target(), false],
  ])('%s: asks first where FileMaker can be asked', async (_name, given, checkFirst) => {
    const id = await park({ target: given });
    expect(await releaseEffect(database, id, asked)).toEqual({
      kind: 'released',
      id,
      title: 'Mark invoice 1 paid',
      checkFirst,
    });
    expect(await stored(id)).toEqual({ state: 'planned', check_first: checkFirst, run: 1, queued_at: null });
  });

  test('leaves a row that says who released what and why', async () => {
    const id = await park();
    await releaseEffect(database, id, asked);
    const [row] = await listAudit(database, { object: `effect:${id}`, limit: 10 });
    expect(row).toMatchObject({ who: 'ada', action: 'effect.release', why: asked.why, outcome: 'done' });
  });

  test.each([
    ['unknown', sql`state = 'unknown', unknown_since = clock_timestamp()`, 'EFFECT_UNKNOWN'],
    ['done', sql`state = 'done', verified = true, settled_at = clock_timestamp()`, 'EFFECT_DONE'],
    ['cancelled', sql`state = 'cancelled', settled_at = clock_timestamp()`, 'EFFECT_CANCELLED'],
    ['planned', sql`state = 'planned'`, 'EFFECT_ON_ITS_WAY'],
  ])('is refused for one that is %s, changes nothing, and is on record', async (state, change, code) => {
    const id = await park();
    await database.executor.execute(sql`update effects.effects set ${change} where id = ${id}`);
    expect(await releaseEffect(database, id, asked)).toMatchObject({ kind: 'refused', code });
    expect(await stored(id)).toMatchObject({ state, run: 0 });
    expect(await listAudit(database, { limit: 5 })).toMatchObject([{ outcome: 'refused', detail: code }]);
  });

  test('is refused for an id that is not there and for a target that cannot be read', async () => {
    expect(await releaseEffect(database, '99', asked)).toMatchObject({ code: 'EFFECT_NOT_FOUND' });
    expect(await releaseEffect(database, "1' or true", asked)).toMatchObject({ code: 'EFFECT_NOT_FOUND' });
    const id = await park({ target: { layout: 'x' } });
    expect(await releaseEffect(database, id, asked)).toMatchObject({ code: 'EFFECT_TARGET_UNREADABLE' });
    expect((await stored(id))?.state).toBe('parked');
  });

  test('by ten people at once happens once', async () => {
    const id = await park();
    const answers = await Promise.all(Array.from({ length: 10 }, () => releaseEffect(database, id, asked)));
    expect(answers.filter((answer) => answer.kind === 'released')).toHaveLength(1);
    expect((await stored(id))?.run).toBe(1);
  });
});

test('an act that fails stays on record as failed, and its error reaches the caller', async () => {
  const act = { who: 'ada', action: 'test', object: 'x', why: 'y' };
  await expect(audited(database, act, () => Promise.reject(new TypeError('no')))).rejects.toThrow('no');
  expect(await listAudit(database, { limit: 1 })).toMatchObject([{ outcome: 'failed', detail: 'TypeError' }]);
});

test('a parked event is read again once; one without a body or under way is refused', async () => {
  const [recorded] = await createInbox(database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId: 'evt_1',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: null,
      eventCreatedAt: null,
      body: Buffer.from('{}'),
      ignoredBecause: 'UNWANTED_TYPE',
    },
  ]);
  const id = recorded?.id ?? '';
  expect(await reprocessEvent(database, id, asked)).toMatchObject({ kind: 'reprocessed', eventId: 'evt_1' });
  expect(await reprocessEvent(database, id, asked)).toMatchObject({ code: 'EVENT_ON_ITS_WAY' });
  await database.executor.execute(sql`update inbox.events set body = null`);
  expect(await reprocessEvent(database, id, asked)).toMatchObject({ code: 'EVENT_BODY_ERASED' });
  expect(await reprocessEvent(database, '77', asked)).toMatchObject({ code: 'EVENT_NOT_FOUND' });
});

test('pause closes a scope for everybody until resume, and both are on record', async () => {
  await pauseScope(database, 'flow:invoices', asked);
  expect(await createGates(database).closures(['flow:invoices'])).toMatchObject([{ kind: 'pause', by: 'ada' }]);
  expect(await resumeScope(database, 'flow:invoices', asked)).toBe(1);
  expect(await resumeScope(database, 'flow:invoices', asked)).toBe(0);
  expect((await listAudit(database, { limit: 5 })).map(({ action, outcome }) => [action, outcome])).toEqual([
    ['gate.resume', 'refused'],
    ['gate.resume', 'done'],
    ['gate.pause', 'done'],
  ]);
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

describe('status', () => {
  test('of an empty database names what to do and reads no table that is not there', async () => {
    const empty = await createTestDatabase();
    const other = createDatabase({ url: empty.url, poolMax: 1, applicationName: 'operations-test' });
    const status = await readStatus(other, sources);
    await other.close();
    await empty.drop();
    expect(status).toMatchObject({ figures: null, fine: false, lines: [{ next: './bridge migrate' }] });
    expect(status.pendingMigrations[0]).toBe('installation/0001-installation.sql');
  });

  test('of a fresh installation is fine', async () => {
    const status = await readStatus(database, sources);
    expect(status.fine).toBe(true);
    expect(status.pendingMigrations).toEqual([]);
    expect(status.lines.map((line) => line.sentence)).toContain('Nothing waits for you.');
  });

  test('counts what waits and names it, the newest first', async () => {
    await park({ title: 'Mark invoice 1 paid' });
    await park({ title: 'Mark invoice 2 paid' });
    const status = await readStatus(database, sources);
    expect(status.fine).toBe(false);
    expect(status.figures?.parked).toMatchObject({ effects: 2, events: 0 });
    expect(status.figures?.parked.newest.map((item) => item.title)).toEqual([
      'Mark invoice 2 paid',
      'Mark invoice 1 paid',
    ]);
  });
});
