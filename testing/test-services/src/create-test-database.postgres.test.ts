import { Client } from 'pg';
import { createTestDatabase } from './create-test-database';

describe('createTestDatabase', () => {
  it('gives each caller an empty database of its own, and drops it with connections still open', async () => {
    const [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    const client = new Client({ connectionString: first.url });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('create table paid (id int)');
    const other = new Client({ connectionString: second.url });
    await other.connect();
    const { rows } = await other.query("select count(*)::int as n from pg_tables where schemaname = 'public'");
    expect(rows).toEqual([{ n: 0 }]);
    await other.end();
    await first.drop();
    await second.drop();
    await expect(new Client({ connectionString: first.url }).connect()).rejects.toMatchObject({ code: '3D000' });
  });

  it('says how to run the tests when there is no server', async () => {
    const before = process.env.TEST_POSTGRES_URL;
    delete process.env.TEST_POSTGRES_URL;
    await expect(createTestDatabase()).rejects.toMatchObject({ code: 'NO_TEST_DATABASE' });
    process.env.TEST_POSTGRES_URL = before;
  });
});
