import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import type { RecordedFact } from '@bridge/flow';
import { createInbox } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { allMigrations } from '../migrations';
import { readReplayedFindings } from './replayed-findings';

let database: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations([]));
  database = createDatabase({ url: created.url, poolMax: 2, applicationName: 'replayed-findings-test' });
  drop = created.drop;
}, 120_000);
beforeEach(() => database.executor.execute(sql`truncate inbox.events, effects.attempts, effects.effects`));
afterAll(async () => {
  await database?.close();
  await drop?.();
}, 120_000);

const fact: RecordedFact = {
  id: 'cs_1',
  relatedIds: ['18637', 're_1'],
  title: 'Invoice 18637',
  amount: 18_000,
  currency: 'usd',
  livemode: false,
  succeededAt: new Date(),
  status: 'paid',
  parkedCode: null,
  parkedEvent: null,
  effectKeys: ['invoice-paid:cs_1'],
  reversals: [
    {
      id: 're_1',
      kind: 'refund',
      amount: 100,
      currency: 'usd',
      status: 'succeeded',
      effectKey: 'invoice-refunded:re_1',
      at: new Date(),
    },
  ],
  recordedAt: new Date(),
};
const flows = [
  { records: { find: async (_executor: unknown, id: string) => (['cs_1', 're_1'].includes(id) ? [fact] : []) } },
];
const finding = (inboxId: string | null, rest: { objectId?: string; actedAt?: Date | null } = {}) => ({
  id: '7',
  objectId: 'cs_1',
  inboxId,
  actedAt: new Date() as Date | null,
  state: 'open' as const,
  ...rest,
});
async function event(state: string, reasonCode: string | null = null): Promise<string> {
  const [stored] = await createInbox(database).record([
    {
      source: 'reconciliation',
      peer: 'bridge',
      eventId: 'found.cs_1',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: 'cs_1',
      eventCreatedAt: null,
      body: Buffer.from('{}'),
      ignoredBecause: null,
    },
  ]);
  const id = stored?.id ?? '';
  await database.executor.execute(
    sql`update inbox.events set state = ${state}, reason_code = ${reasonCode}, reason = ${reasonCode === null ? null : 'why'},
          finished_at = case when ${state} in ('processed', 'ignored', 'parked') then clock_timestamp() end where id = ${id}`,
  );
  return id;
}
const effect = (key: string, parked?: string): Promise<{ id: string }> =>
  createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key,
    lane: null,
    title: 'Mark invoice 18637 paid',
    target: {},
    body: '{}',
    subject: {},
    origin: 'reconciliation',
    checkFirst: true,
    ...(parked === undefined ? {} : { parked: { reasonCode: parked, reason: 'why' } }),
  });
const told = async (one: ReturnType<typeof finding>) => (await readReplayedFindings(database, flows, [one])).get('7');

test('a finding whose replay waits for a person says so, with the code and what is next', async () => {
  const id = await event('parked', 'NO_INVOICE_ID');
  expect(await told(finding(id))).toEqual({
    kind: 'parked',
    code: 'NO_INVOICE_ID',
    reason: 'why',
    next: './bridge replay cs_1 --invoice … --dry-run',
  });
});

test('so it does when the event was decided and its effect was parked', async () => {
  const inbox = await event('processed');
  const { id } = await effect('invoice-paid:cs_1', 'CANNOT_BE_ASKED');
  expect(await told(finding(inbox))).toEqual({
    kind: 'parked',
    code: 'CANNOT_BE_ASKED',
    reason: 'why',
    next: `./bridge effects show ${id}`,
  });
  // The refund of the same payment stands for itself.
  await effect('invoice-refunded:re_1');
  expect(await told(finding(inbox, { objectId: 're_1' }))).toEqual({ kind: 'on-its-way' });
});

test('what is on its way, done, or over is told as that; what nobody has replayed is left out', async () => {
  const inbox = await event('received');
  expect(await told(finding(inbox))).toEqual({ kind: 'on-its-way' });
  const { id } = await effect('invoice-paid:cs_1');
  expect(await told(finding(inbox))).toEqual({ kind: 'on-its-way' });
  await database.executor.execute(
    sql`update effects.effects set state = 'done', verified = true, settled_at = clock_timestamp() where id = ${id}`,
  );
  expect(await told(finding(inbox))).toEqual({ kind: 'done' });
  await database.executor.execute(
    sql`update effects.effects set state = 'cancelled', verified = null where id = ${id}`,
  );
  expect(await told(finding(inbox))).toMatchObject({ kind: 'over', code: 'CANCELLED' });
  expect(await told(finding(inbox, { actedAt: null }))).toBe(undefined);
});
