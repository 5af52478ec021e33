import { createDatabase, type Database, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { adoptPeers, confirmPeer, fingerprint, OtherPeerError, readInstallation } from './installation';
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
  await adoptPeers(database);
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
