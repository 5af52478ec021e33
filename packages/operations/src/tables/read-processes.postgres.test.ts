import { createDatabase, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { allMigrations } from '../migrations';
import { isWorkerThere } from './read-processes';

test('a worker that was silent for less than a minute counts as there; one that has stopped, an older one and another app do not', async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations([]));
  const database = createDatabase({ url: created.url, poolMax: 2, applicationName: 'processes-test' });
  const only = async (app: string, silent: string, stopped: boolean): Promise<boolean> => {
    await database.executor.execute(sql`truncate claims.workers cascade`);
    await database.executor.execute(
      sql`insert into claims.workers (id, app, host, pid, heartbeat_at, stopped_at) values ('w', ${app}, 'box', 1,
            clock_timestamp() - ${silent}::interval, case when ${stopped} then clock_timestamp() end)`,
    );
    return isWorkerThere(database);
  };
  try {
    expect(await isWorkerThere(database)).toBe(false);
    expect(await only('worker', '20 seconds', false)).toBe(true);
    expect(await only('worker', '0 seconds', true)).toBe(false);
    expect(await only('worker', '61 seconds', false)).toBe(false);
    expect(await only('scheduler', '0 seconds', false)).toBe(false);
  } finally {
    await database.close();
    await created.drop();
  }
});
