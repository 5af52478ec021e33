import { createDatabase, type Database, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import {
  adoptPeers,
  confirmPeer,
  fingerprint,
  noteFirstLive,
  noticeRestore,
  OtherPeerError,
  readInstallation,
  readRecoveryStart,
  setLiveFrom,
} from './installation';
import { installationMigrations } from './migrations';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setup(): Promise<Database> {
  const created = await createTestDatabase();
  cleanups.push(created.drop);
  await migrate(created.url, [installationMigrations]);
  const database = createDatabase({ url: created.url, poolMax: 6, applicationName: 'installation-test' });
  cleanups.push(() => database.close());
  return database;
}

test('every installation has an id of its own that stays, and knows since when it has been there', async () => {
  const [one, other] = [await setup(), await setup()];
  const first = await readInstallation(one);
  expect(first.id).toMatch(/^[0-9a-f]{32}$/);
  expect(await readInstallation(one)).toEqual(first);
  expect((await readInstallation(other)).id).not.toBe(first.id);
  expect(Math.abs(Date.now() - first.firstMigratedAt.getTime())).toBeLessThan(60_000);
});

test('the first peer met is the right one, and another one is refused until a person adopts it', async () => {
  const database = await setup();
  await confirmPeer(database, 'filemaker', 'Shop');
  await confirmPeer(database, 'filemaker', 'Shop');
  const refusal = confirmPeer(database, 'filemaker', 'Other');
  await expect(refusal).rejects.toBeInstanceOf(OtherPeerError);
  await expect(refusal).rejects.toMatchObject({ code: 'OTHER_PEER', peer: 'filemaker' });
  await expect(confirmPeer(database, 'filemaker', 'Shop')).resolves.toBeUndefined();
  await adoptPeers(database.executor);
  await confirmPeer(database, 'filemaker', 'Other');
  await expect(confirmPeer(database, 'filemaker', 'Shop')).rejects.toBeInstanceOf(OtherPeerError);
});

test('the two peers are confirmed apart from each other', async () => {
  const database = await setup();
  await confirmPeer(database, 'stripe', 'acct');
  await confirmPeer(database, 'filemaker', 'Shop');
  await expect(confirmPeer(database, 'stripe', 'Shop')).rejects.toMatchObject({ peer: 'stripe' });
});

test('of processes that start at the same moment with different peers only one kind goes on', async () => {
  const database = await setup();
  const starts = ['A', 'B', 'A', 'B', 'A'].map((print) => confirmPeer(database, 'stripe', print));
  const settled = (await Promise.allSettled(starts)).map(({ status }) => status === 'fulfilled');
  expect([
    [true, false, true, false, true],
    [false, true, false, true, false],
  ]).toContainEqual(settled);
});

test('a fingerprint tells other parts and other borders between them, and holds none of them', () => {
  expect(fingerprint('https://fm.example', 'Shop')).toBe(fingerprint('https://fm.example', 'Shop'));
  expect(fingerprint('ab', 'c')).not.toBe(fingerprint('a', 'bc'));
  expect(fingerprint('https://fm.example', 'Shop')).not.toBe(fingerprint('https://fm.example', 'shop'));
  expect(fingerprint('https://fm.example', 'Shop')).toMatch(/^[0-9a-f]{32}$/);
});

test('a database that has lost the row says what to do instead of making another one up', async () => {
  const database = await setup();
  await database.executor.execute(sql`delete from installation.installation`);
  await expect(readInstallation(database)).rejects.toThrow('restore it from the backup');
});

test('recovery begins where a person said, else where the configuration says, else with the first migration', async () => {
  const database = await setup();
  const { firstMigratedAt } = await readInstallation(database);
  const configured = new Date('2026-10-01T00:00:00Z');
  const start = (from?: Date) => readRecoveryStart(database.executor, from);
  expect(await start()).toEqual({ at: firstMigratedAt, because: 'first-migration', live: false, restoredAt: null });
  expect(await start(configured)).toEqual({ at: configured, because: 'RECONCILE_FROM', live: false, restoredAt: null });
  const said = new Date('2026-11-01T12:00:00Z');
  await database.transaction((tx) => setLiveFrom(tx, said));
  expect(await start(configured)).toEqual({ at: said, because: 'golive', live: true, restoredAt: null });
});

test('the first worker that performs is noted once: from then on the bridge does not only observe', async () => {
  const database = await setup();
  expect(await noteFirstLive(database.executor)).toBe(true);
  expect(await noteFirstLive(database.executor)).toBe(false);
  expect((await readRecoveryStart(database.executor, undefined)).live).toBe(true);
});

test('a database that lives elsewhere than before was restored: noticed once, with the moment', async () => {
  const database = await setup();
  const notice = () => database.transaction((tx) => noticeRestore(tx));
  // The first look only learns where it lives.
  expect([await notice(), await notice()]).toEqual([false, false]);
  expect((await readRecoveryStart(database.executor, undefined)).restoredAt).toBeNull();
  // As its row stands in a copy of it.
  await database.executor.execute(sql`update installation.installation set home = 'database 1'`);
  const told = await Promise.all([notice(), notice(), notice()]);
  expect(told.filter(Boolean)).toHaveLength(1);
  const { restoredAt } = await readRecoveryStart(database.executor, undefined);
  expect(Math.abs(Date.now() - (restoredAt?.getTime() ?? 0))).toBeLessThan(60_000);
  expect(await notice()).toBe(false);
});

test('an ordinary role is enough to notice a loaded dump, by its tables', async () => {
  const database = await setup();
  const role = `bridge_test_${Date.now()}`;
  await database.executor.execute(`create role ${role}`);
  await database.executor.execute(`grant usage on schema installation to ${role}`);
  await database.executor.execute(`grant select, update on installation.installation to ${role}`);
  const notice = () =>
    database.transaction(async (tx) => {
      await tx.execute(`set local role ${role}`);
      return noticeRestore(tx);
    });
  expect(await notice()).toBe(false);
  const { rows } = await database.executor.execute(sql`select home from installation.installation`);
  expect(rows).toEqual([{ home: expect.stringMatching(/^database \d+\/\d+/) }]);
  // A dump that is loaded makes the table anew.
  await database.executor.execute('alter table installation.installation rename to before');
  await database.executor.execute('create table installation.installation as select * from installation.before');
  await database.executor.execute(`grant select, update on installation.installation to ${role}`);
  expect(await notice()).toBe(true);
  expect(await notice()).toBe(false);
  await database.executor.execute(`drop owned by ${role}`);
  await database.executor.execute(`drop role ${role}`);
});
