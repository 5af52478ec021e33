import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type PostgresService, startPostgres } from './start-postgres';

// Each of them makes and starts servers: a minute on a machine that is busy with other things.
jest.setTimeout(240_000);

async function ask<Row>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query(sql);
    return rows;
  } finally {
    await client.end();
  }
}

describe('a throw-away PostgreSQL', () => {
  let postgres: PostgresService;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(async () => {
    await postgres.discard();
  });

  it('is PostgreSQL 18 with room for 200 connections and without waiting for the disk', async () => {
    const rows = await ask(
      postgres.url,
      `select name, setting from pg_settings
       where name in ('max_connections', 'fsync', 'listen_addresses', 'server_encoding') order by name`,
    );
    expect(rows).toEqual([
      { name: 'fsync', setting: 'off' },
      { name: 'listen_addresses', setting: '127.0.0.1' },
      { name: 'max_connections', setting: '200' },
      { name: 'server_encoding', setting: 'UTF8' },
    ]);
    expect(await ask(postgres.url, 'show server_version')).toEqual([
      { server_version: expect.stringMatching(/^18\./) },
    ]);
  });

  it('refuses a wrong password', async () => {
    const url = new URL(postgres.url);
    url.password = 'wrong';
    await expect(ask(url.toString(), 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('keeps committed rows and its address over stop, restart and kill', async () => {
    const database = await postgres.createDatabase();
    const addressBefore = postgres.url;
    await ask(database.url, 'create table paid (id int); checkpoint');

    await ask(database.url, 'insert into paid values (1)');
    await postgres.stop();
    await expect(ask(database.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await postgres.start();

    await ask(database.url, 'insert into paid values (2)');
    await postgres.restart();

    await ask(database.url, 'insert into paid values (3)');
    await postgres.kill();
    await expect(ask(database.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await postgres.start();

    expect(await ask(database.url, 'select id from paid order by id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    expect(postgres.url).toBe(addressBefore);
    await database.drop();
  });
});

it('finds its data again in a directory of its own, with commits synced', async () => {
  const directory = join(mkdtempSync(join(tmpdir(), 'bridge-test-')), 'postgres');
  chmodSync(join(directory, '..'), 0o755);
  try {
    const first = await startPostgres({ directory });
    await ask(first.url, 'create table paid (id int); insert into paid values (18637)');
    expect(await ask(first.url, 'show fsync')).toEqual([{ fsync: 'on' }]);
    await first.discard();

    const second = await startPostgres({ directory });
    expect(await ask(second.url, 'select id from paid')).toEqual([{ id: 18637 }]);
    await second.discard();
    expect(existsSync(join(directory, 'data', 'PG_VERSION'))).toBe(true);
  } finally {
    rmSync(join(directory, '..'), { recursive: true, force: true });
  }
});

it('as root, a directory inside a private home is answered with temporary data instead of a failure', async () => {
  const home = mkdtempSync(join(tmpdir(), 'bridge-test-'));
  try {
    const postgres = await startPostgres({ directory: join(home, 'postgres') });
    // Without root the server runs as ourselves, and our own home is no obstacle.
    expect(postgres.persistent).toBe(process.getuid?.() !== 0);
    expect(await ask(postgres.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await postgres.discard();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
