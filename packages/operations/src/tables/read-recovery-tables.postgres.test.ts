import { createDatabase, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { allMigrations } from '../migrations';
import { readRecoveryFigures } from './read-recovery-tables';

test('a payment with two findings is at risk once, by the larger of them; currencies are kept apart', async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations([]));
  const database = createDatabase({ url: created.url, poolMax: 2, applicationName: 'figures-test' });
  try {
    await database.executor.execute(
      sql`insert into reconciliation.findings (flow, class, object_id, amount, currency, message, first_run, last_run) values
            ('invoices', 'invoice-differs', 'cs_1', 18000, 'usd', 'x', 1, 1),
            ('invoices', 'paid-twice', 'cs_1', 13000, 'usd', 'x', 1, 1),
            ('invoices', 'paid-twice', 'cs_2', 500, 'usd', 'x', 1, 1),
            ('invoices', 'paid-twice', 'cs_3', 700, 'jpy', 'x', 1, 1)`,
    );
    expect((await readRecoveryFigures(database)).openFindings).toEqual([
      { currency: 'jpy', count: 1, amount: 700 },
      { currency: 'usd', count: 3, amount: 18_500 },
    ]);
  } finally {
    await database.close();
    await created.drop();
  }
});
