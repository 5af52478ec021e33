import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@bridge/test-services';
import { Client } from 'pg';
import { assertMigrated, MigrationError, type MigrationSource, migrate } from './migrate';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A fresh database, and folders of migrations given as file name to SQL. */
async function setup() {
  const { url, drop } = await createTestDatabase();
  cleanups.push(drop);
  const folders = new Map<string, string>();
  const source = (owner: string, files: Record<string, string>): MigrationSource => {
    const directory = folders.get(owner) ?? mkdtempSync(join(tmpdir(), 'migrations-'));
    if (!folders.has(owner)) cleanups.push(() => rmSync(directory, { recursive: true }));
    folders.set(owner, directory);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    return { owner, directory };
  };
  const client = new Client({ connectionString: url });
  await client.connect();
  cleanups.push(() => client.end());
  const ask = async (text: string): Promise<unknown[]> => (await client.query(text)).rows;
  return { url, source, ask };
}
const failureOf = async (work: Promise<unknown>): Promise<MigrationError> => {
  const error: unknown = await work.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof MigrationError) return error;
  throw error;
};

test('each migration is applied once and stands in the ledger', async () => {
  const { url, source, ask } = await setup();
  const shop = source('shop', { '0001-a.sql': 'create table a (n int); insert into a values (1)' });
  expect((await migrate(url, [shop])).map(({ name }) => name)).toEqual(['0001-a.sql']);
  source('shop', { '0002-b.sql': 'create table b (n int)' });
  expect((await migrate(url, [shop])).map(({ name }) => name)).toEqual(['0002-b.sql']);
  expect(await migrate(url, [shop])).toEqual([]);
  expect(await ask('select n from a')).toEqual([{ n: 1 }]);
  expect(await ask('select owner, name from bridge.migrations order by name')).toEqual([
    { owner: 'shop', name: '0001-a.sql' },
    { owner: 'shop', name: '0002-b.sql' },
  ]);
});

test('a migration that fails half-way leaves nothing of itself, and those before it stay', async () => {
  const { url, source, ask } = await setup();
  const shop = source('shop', {
    '0001-good.sql': 'create table good (n int)',
    '0002-bad.sql': 'create table bad (n int); select 1 / 0',
  });
  const failure = await failureOf(migrate(url, [shop]));
  expect(failure.code).toBe('MIGRATION_FAILED');
  expect(failure.message).toContain('shop/0002-bad.sql');
  expect(await ask("select to_regclass('good')::text as good, to_regclass('bad')::text as bad")).toEqual([
    { good: 'good', bad: null },
  ]);
  expect(await ask('select name from bridge.migrations')).toEqual([{ name: '0001-good.sql' }]);
  source('shop', { '0002-bad.sql': 'create table bad (n int)' });
  expect(await migrate(url, [shop])).toHaveLength(1);
});

test('processes that migrate at the same moment apply each migration once', async () => {
  const { url, source, ask } = await setup();
  const shop = source('shop', { '0001-a.sql': 'create table a (n int)', '0002-b.sql': 'insert into a values (1)' });
  const applied = await Promise.all([migrate(url, [shop]), migrate(url, [shop]), migrate(url, [shop])]);
  expect(applied.flat()).toHaveLength(2);
  expect(await ask('select n from a')).toEqual([{ n: 1 }]);
});

test('a changed past stops the migration before anything is applied', async () => {
  const { url, source, ask } = await setup();
  const shop = source('shop', { '0001-a.sql': 'create table a (n int)' });
  await migrate(url, [shop]);
  source('shop', { '0001-a.sql': 'create table a (n bigint)', '0002-b.sql': 'create table b (n int)' });
  expect((await failureOf(migrate(url, [shop]))).code).toBe('MIGRATION_CHANGED');
  expect(await ask("select to_regclass('b')::text as b")).toEqual([{ b: null }]);
});

test('a migration killed before its commit leaves neither table nor ledger line, and the next one finds the lock free', async () => {
  const { url, source, ask } = await setup();
  const shop = source('shop', {
    '0001-a.sql': "create table a (n int); select pg_terminate_backend(pg_backend_pid()) as 'me'".replace(
      "as 'me'",
      '',
    ),
  });
  expect((await failureOf(migrate(url, [shop]))).code).toBe('MIGRATION_FAILED');
  expect(await ask("select to_regclass('a')::text as a")).toEqual([{ a: null }]);
  source('shop', { '0001-a.sql': 'create table a (n int)' });
  expect(await migrate(url, [shop])).toHaveLength(1);
});

test('a process that does not migrate refuses to run on an old database and says which command helps', async () => {
  const { url, source } = await setup();
  const shop = source('shop', { '0001-a.sql': 'create table a (n int)' });
  const failure = await failureOf(assertMigrated(url, [shop]));
  expect(failure.code).toBe('MIGRATION_PENDING');
  expect(failure.message).toBe('The database lacks shop/0001-a.sql. Run: ./bridge migrate');
  await migrate(url, [shop]);
  await expect(assertMigrated(url, [shop])).resolves.toBeUndefined();
});

test('a newer build may have been here: its owners are left alone when rolling back', async () => {
  const { url, source, ask } = await setup();
  const shop = source('shop', { '0001-a.sql': 'create table a (n int)' });
  const newer = source('newer', { '0001-z.sql': 'create table z (n int)' });
  await migrate(url, [shop, newer]);
  expect(await migrate(url, [shop])).toEqual([]);
  expect(await ask("select count(*)::int as n from bridge.migrations where owner = 'newer'")).toEqual([{ n: 1 }]);
});
