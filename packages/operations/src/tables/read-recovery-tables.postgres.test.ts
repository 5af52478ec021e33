import { createDatabase, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { allMigrations } from '../migrations';
import { readRecoveryFigures } from './read-recovery-tables';

test('a pass whose newest run waits or has failed is told, however well the others do; one that has ended since is not', async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations([]));
  const database = createDatabase({ url: created.url, poolMax: 2, applicationName: 'figures-test' });
  const run = (pass: string, state: string, minutesAgo: number, reason: string | null, mode = 'act') =>
    database.executor.execute(
      sql`insert into reconciliation.runs (flow, pass, asked_by, mode, since, until, state, reason_code, reason, wanted_at, ended_at)
          select 'invoices', ${pass}, 'schedule', ${mode}, now() - interval '1 day', now(), ${state}::text,
            case when ${reason}::text is not null then 'STRIPE_UNAVAILABLE' end, ${reason}, t,
            case when ${state}::text in ('finished', 'failed') then t end
          from (select clock_timestamp() - make_interval(mins => ${minutesAgo}) as t) at`,
    );
  try {
    await run('pending', 'finished', 1, null);
    await run('recent', 'finished', 200, null);
    await run('recent', 'wanted', 90, 'Stripe is away');
    await run('just-begun', 'wanted', 50, 'Stripe is away');
    await run('at-work', 'wanted', 90, null);
    await run('nightly', 'failed', 5, 'PAGE_UNREADABLE');
    await run('switched-off', 'failed', 51 * 60, 'PAGE_UNREADABLE');
    await run('came-to-its-end', 'failed', 20, 'PAGE_UNREADABLE');
    await run('came-to-its-end', 'finished', 10, null);
    await run('only-looked', 'failed', 5, 'PAGE_UNREADABLE', 'dry-run');
    const { standing } = await readRecoveryFigures(database);
    expect(standing.map(({ flow, pass, reason }) => [flow, pass, reason])).toEqual([
      ['invoices', 'nightly', 'PAGE_UNREADABLE'],
      ['invoices', 'recent', 'Stripe is away'],
    ]);
    const ageMs = Date.now() - (standing[1]?.since.getTime() ?? 0);
    expect(Math.round(ageMs / 60_000)).toBe(90);
  } finally {
    await database.close();
    await created.drop();
  }
});

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
