import { createDatabase, type Database, migrate } from '@bridge/database';
import { flowMigrations } from '@bridge/flows';
import { allMigrations, listAudit } from '@bridge/operations';
import { createTestDatabase, runBridge } from '@bridge/test-services';
import { sql } from 'drizzle-orm';

let url: string;
let database: Database;
let drop: () => Promise<void>;
const bridge = (...args: string[]) => runBridge(args, { DATABASE_URL: url, TIMEZONE: 'UTC' });

beforeEach(async () => {
  const test = await createTestDatabase();
  ({ url, drop } = test);
  await migrate(url, allMigrations(flowMigrations));
  database = createDatabase({ url, poolMax: 2, applicationName: 'findings-test' });
});
afterEach(async () => {
  await database.close();
  await drop();
});

const plant = (over: Record<string, string | null> = {}) => {
  const row: Record<string, string | null> = {
    class: 'amount-differs',
    object_id: 'cs_1',
    stripe_value: '180.00 USD',
    recorded_value: '172.50 USD',
    amount: '750',
    currency: 'usd',
    message: 'The recorded amount is not the one at Stripe',
    ...over,
  };
  return database.executor.execute(
    sql`insert into reconciliation.findings (flow, class, object_id, stripe_value, recorded_value, amount, currency, message, replay, first_run, last_run)
        values ('invoices', ${row.class ?? null}, ${row.object_id ?? null}, ${row.stripe_value ?? null}, ${row.recorded_value ?? null},
          ${row.amount ?? null}::bigint, ${row.currency ?? null}, ${row.message ?? null}, ${row.replay ?? null}::jsonb, 1, 1)`,
  );
};
/** A worker that beats and does the run as it is told to. */
const livingWorker = () =>
  database.executor.execute(
    sql`insert into claims.workers (id, app, host, pid, heartbeat_at) values ('worker-1', 'worker', 'h', 1, clock_timestamp() + interval '1 hour')`,
  );

test('findings are listed with the value in each book and their money, shown, and accepted with a reason that is kept', async () => {
  expect((await bridge('findings', 'list')).out).toContain('No finding is open');
  expect((await bridge('findings', 'list', '--state', 'all')).out).toContain('There is no finding');
  await plant();
  await plant({
    class: 'paid-not-recorded',
    object_id: 'cs_2',
    amount: '123456',
    currency: 'jpy',
    replay:
      '{"eventId":"found.cs_2","eventType":"x","object":{},"livemode":false,"createdAt":"2026-11-01T00:00:00.000Z"}',
  });
  const { out, code } = await bridge('findings', 'list');
  expect(code).toBe(0);
  for (const text of [
    'amount-differs',
    '180.00 USD',
    '172.50 USD',
    '7.50 USD',
    'a person decides',
    '123,456 JPY',
    'can be replayed',
  ])
    expect(out).toContain(text);
  expect(out).toContain('Open in all: amount-differs 7.50 USD (1), paid-not-recorded 123,456 JPY (1)');
  expect(JSON.parse((await bridge('findings', 'list', '--class', 'amount-differs', '--json')).out)).toMatchObject({
    findings: [{ id: '1', class: 'amount-differs', amount: 750, state: 'open', replay: null }],
  });
  const shown = await bridge('findings', 'show', '1');
  expect(shown.out).toContain('./bridge prove cs_1');
  expect(shown.out).toContain('./bridge findings accept 1');
  expect((await bridge('findings', 'show', '2')).out).toContain('./bridge replay finding:2');

  expect((await bridge('findings', 'accept', '1')).code).toBe(2);
  const accepted = await bridge('findings', 'accept', '1', '--why', 'agreed with the customer');
  expect([accepted.code, accepted.out]).toEqual([0, expect.stringContaining('Accepted: amount-differs of cs_1')]);
  const again = await bridge('findings', 'accept', '1', '--why', 'twice', '--json');
  expect([again.code, JSON.parse(again.out)]).toEqual([
    1,
    expect.objectContaining({ accepted: false, code: 'FINDING_NOT_OPEN' }),
  ]);
  // Only what is open is listed by itself; `all` has both, and says how each stands.
  const ids = async (...more: string[]): Promise<unknown> =>
    JSON.parse((await bridge('findings', 'list', '--json', ...more)).out).findings.map(({ id }: { id: string }) => id);
  expect([await ids(), await ids('--state', 'accepted'), await ids('--state', 'all')]).toEqual([
    ['2'],
    ['1'],
    ['2', '1'],
  ]);
  const [refused, done] = await listAudit(database, { object: 'finding:1', limit: 5 });
  expect(done).toMatchObject({ action: 'finding.accept', why: 'agreed with the customer', outcome: 'done' });
  expect(refused).toMatchObject({ outcome: 'refused', detail: 'FINDING_NOT_OPEN' });
  expect((await bridge('findings', 'show', '99')).code).toBe(1);
}, 300_000);

test('an open finding says when it is looked at next, and one that is closed says nothing of it', async () => {
  await plant();
  const { rows } = await database.executor.execute<{ id: string }>(
    sql`insert into reconciliation.runs (flow, pass, asked_by, mode, since, until, wanted_at)
        values ('invoices', 'recent', 'schedule', 'act', '2026-11-01', '2026-11-02', now() + interval '3 hours')
        returning id::text as id`,
  );
  await database.executor.execute(sql`update reconciliation.findings set last_run = ${rows[0]?.id ?? ''}::bigint`);
  const shown = await bridge('findings', 'show', '1');
  expect(shown.out).toMatch(/Next look\s+\d{4}-\d\d-\d\d \d\d:\d\d, by reconcile-invoices-recent/);
  const { nextLook } = JSON.parse((await bridge('findings', 'show', '1', '--json')).out) as {
    nextLook: { when: { at: string } };
  };
  // An hour after the clock's last look, which is three hours ahead.
  expect(Date.parse(nextLook.when.at) - Date.now()).toBeGreaterThan(3.5 * 3_600_000);
  await database.executor.execute(
    sql`update reconciliation.findings set state = 'fixed', fixed_how = 'replayed', fixed_at = now()`,
  );
  expect((await bridge('findings', 'show', '1')).out).not.toContain('Next look');
}, 300_000);

test('reconcile says what is wrong with the way it was typed, and that nobody is there to do it', async () => {
  const unknown = await bridge('reconcile', 'bokings');
  expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining('There are: invoices')]);
  expect((await bridge('reconcile', 'invoices', '--dry-run', '--yes')).code).toBe(2);
  const turned = await bridge(
    'reconcile',
    'invoices',
    '--since',
    '2026-11-02T00:00:00Z',
    '--until',
    '2026-11-01T00:00:00Z',
  );
  expect([turned.code, turned.err]).toEqual([2, expect.stringContaining('--since must be before --until')]);
  expect((await bridge('reconcile', 'invoices', '--since', 'yesterday')).code).toBe(2);
  const alone = await bridge('reconcile', 'invoices', '--json');
  expect([alone.code, JSON.parse(alone.out)]).toEqual([
    1,
    { error: { code: 'NO_WORKER', message: expect.stringContaining('./bridge up') } },
  ]);
  const { rows } = await database.executor.execute(sql`select 1 from reconciliation.runs`);
  expect(rows).toEqual([]);
}, 300_000);

test.each([
  [0, 'Nothing was compared: no payment of this time was old enough'],
  [3, 'Nothing was compared: all 3 payments are too young or in hand'],
])(
  'a comparison of nothing (%i listed, 0 checked) is not called agreement',
  async (listed, said) => {
    await livingWorker();
    const looking = bridge('reconcile', 'invoices', '--dry-run');
    const carriedOut = async (): Promise<boolean> => {
      const { rows } = await database.executor.execute(
        sql`update reconciliation.runs set state = 'finished', ended_at = clock_timestamp(), share = 1, listed = ${listed}, checked = 0,
            stripe_calls = 1, filemaker_finds = 0 where mode = 'dry-run' and state = 'wanted' returning id`,
      );
      return rows.length > 0;
    };
    for (const giveUpAt = performance.now() + 100_000; !(await carriedOut()); )
      if (performance.now() > giveUpAt) throw new Error('the command has asked for no run');
    const { code, out } = await looking;
    expect(code).toBe(0);
    expect(out.replaceAll('\n', ' ')).toContain(said);
    expect(out).not.toContain('The books agree');
    expect(out.replaceAll('\n', ' ')).toContain('1 question to Stripe, 0 finds in FileMaker');
  },
  300_000,
);

test('without a terminal and without --yes it only looks, shows the money, and says how to go on', async () => {
  await livingWorker();
  const since = '2026-11-01T00:00:00.000Z';
  const looking = bridge('reconcile', 'invoices', '--since', since);
  // The worker's part: the run that was stored is carried out.
  let id = '';
  for (const giveUpAt = performance.now() + 100_000; id === '' && performance.now() < giveUpAt; ) {
    const { rows } = await database.executor.execute<{ id: string }>(
      sql`select id from reconciliation.runs where mode = 'dry-run'`,
    );
    id = rows[0]?.id ?? '';
  }
  expect(id).not.toBe('');
  await plant({
    class: 'paid-not-recorded',
    replay:
      '{"eventId":"found.cs_1","eventType":"x","object":{},"livemode":false,"createdAt":"2026-11-01T00:00:00.000Z"}',
    amount: '738000',
  });
  await database.executor.execute(sql`update reconciliation.findings set last_run = ${id}`);
  await database.executor.execute(
    sql`update reconciliation.runs set state = 'finished', ended_at = clock_timestamp(), share = 1, listed = 10, checked = 9, unasked = 2, found = 1,
          stripe_calls = 3, filemaker_finds = 4 where id = ${id}`,
  );
  const { code, out } = await looking;
  expect(code).toBe(1);
  for (const text of [
    'Checked 9 of 10, 1 too young or in hand, 2 could not be asked about in FileMaker',
    '3 questions to Stripe, 4 finds in FileMaker',
    'paid-not-recorded',
    '7,380.00 USD',
    `Nothing was replayed: nobody is here to be asked. To do it: ./bridge reconcile invoices --since ${since}`,
  ])
    expect(out.replaceAll('\n', ' ')).toContain(text);
  expect((await database.executor.execute(sql`select 1 from reconciliation.runs where mode = 'act'`)).rows).toEqual([]);
  const [audit] = await listAudit(database, { object: 'flow:invoices', limit: 5 });
  expect(audit).toMatchObject({ action: 'reconcile.look', outcome: 'done', detail: `run ${id}` });
}, 300_000);
