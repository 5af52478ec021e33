import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import type { CommitPoint } from './commit-points';
import { changed, createDatabase, type Database, oneRow } from './database';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** `seenAt`: how many notes another connection sees at each point. */
async function setup(): Promise<{ database: Database; told: string[]; seen: Promise<number>[] }> {
  const { url, drop } = await createTestDatabase();
  cleanups.push(drop);
  const watcher = createDatabase({ url, poolMax: 1, applicationName: 'watcher' });
  cleanups.push(() => watcher.close());
  await watcher.executor.execute(sql`create table notes (n int primary key)`);
  const told: string[] = [];
  const seen: Promise<number>[] = [];
  // Not every test awaits them; one that still waited when the pool closes would fail in a later test file.
  cleanups.push(async () => void (await Promise.allSettled(seen)));
  const listen = (message: unknown): void => {
    const { at, label } = message as CommitPoint;
    told.push(`${at}: ${label}`);
    seen.push(
      oneRow<{ n: number }>(watcher.executor, sql`select count(*)::int as n from notes`).then((row) => row?.n ?? -1),
    );
  };
  subscribe('bridge:commit', listen);
  cleanups.push(() => void unsubscribe('bridge:commit', listen));
  const database = createDatabase({ url, poolMax: 2, applicationName: 'told' });
  cleanups.push(() => database.close());
  return { database, told, seen };
}

test('a transaction is told right before and right after its commit, and not when it keeps nothing', async () => {
  const { database, told, seen } = await setup();
  await database.transaction(async (tx) => void (await changed(tx, sql`insert into notes values (1)`)));
  expect(told).toEqual(['before-commit: transaction of notes', 'after-commit: transaction of notes']);
  expect((await Promise.all(seen))[1]).toBe(1);
  const failing = database.transaction(async (tx) => {
    await changed(tx, sql`insert into notes values (2)`);
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  await database.transaction(async (tx) => void (await tx.execute(sql`select n from notes for update`)));
  expect(told).toHaveLength(2);
});

test('a statement outside a transaction is a commit and told, however it is asked; a question is not', async () => {
  const { database, told } = await setup();
  await changed(database.executor, sql`insert into notes values (${1})`);
  await database.executor.execute(sql`update notes set n = ${2}`);
  await database.pool.query('delete from notes');
  await database.ping();
  await oneRow(database.executor, sql`select count(*) from notes`);
  expect(told).toEqual([
    'before-commit: insert into notes values ($1)',
    'after-commit: insert into notes values ($1)',
    'before-commit: update notes set n = $1',
    'after-commit: update notes set n = $1',
    'before-commit: delete from notes',
    'after-commit: delete from notes',
  ]);
});

test('a statement that fails is told before, never after', async () => {
  const { database, told } = await setup();
  await changed(database.executor, sql`insert into notes values (1)`);
  await expect(changed(database.executor, sql`insert into notes values (1)`)).rejects.toThrow();
  expect(told.filter((point) => point.startsWith('before'))).toHaveLength(2);
  expect(told.filter((point) => point.startsWith('after'))).toHaveLength(1);
});

test('nobody listens: the pool stays as pg made it', async () => {
  const { url, drop } = await createTestDatabase();
  cleanups.push(drop);
  const database = createDatabase({ url, poolMax: 1, applicationName: 'untold' });
  cleanups.push(() => database.close());
  expect(Object.hasOwn(database.pool, 'query')).toBe(false);
});
