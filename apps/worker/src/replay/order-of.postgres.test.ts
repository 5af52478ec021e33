import { createDatabase, migrate } from '@bridge/database';
import { operationsMigrations } from '@bridge/operations';
import { createTestDatabase } from '@bridge/test-services';
import { createOrderOf } from './order-of';

test("an event of a replay without its row is 'gone', and never one without an order; other events have none", async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [operationsMigrations]);
  const database = createDatabase({ url: created.url, poolMax: 1, applicationName: 'order-test' });
  try {
    const orderOf = createOrderOf();
    expect(await orderOf(database.executor, 'replay_1_2')).toBe('gone');
    expect(await orderOf(database.executor, 'evt_1')).toBeUndefined();
    expect(await orderOf(database.executor, 'replay_1_2_3')).toBeUndefined();
  } finally {
    await database.close();
    await created.drop();
  }
});
