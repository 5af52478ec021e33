import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore, type EffectPlan } from '@bridge/effects';
import { createInbox } from '@bridge/inbox';
import { confirmPeer, readRecoveryStart } from '@bridge/installation';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { listAudit } from '../audit/audit';
import { allMigrations } from '../migrations';
import { adopt, planAdoption } from './adopt';
import { goLive, planGoLive, settleOlderEffects } from './go-live';

let database: Database;
let end: () => Promise<void>;
const asked = { by: 'ada', why: 'because' };

beforeEach(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations([]));
  database = createDatabase({ url: created.url, poolMax: 4, applicationName: 'cut-over-test' });
  end = async () => {
    await database.close();
    await created.drop();
  };
});
afterEach(() => end());

let sequence = 0;
async function plan(rest: Partial<EffectPlan> = {}): Promise<string> {
  sequence += 1;
  return (
    await createEffectStore(database).plan(database.executor, {
      kind: 'filemaker-script',
      flow: 'invoices',
      key: `invoice-paid:cs_test_${sequence}`,
      lane: null,
      title: `Mark invoice ${sequence} paid`,
      target: {},
      body: '{}',
      subject: {},
      origin: 'webhook',
      checkFirst: false,
      ...rest,
    })
  ).id;
}
async function settle(id: string): Promise<void> {
  await database.executor.execute(
    sql`update effects.effects set state = 'done', verified = true, settled_at = clock_timestamp(), result = '{"name":"Rhonda"}'::jsonb where id = ${id}`,
  );
}
async function arrive(eventId: string, body: object, objectId: string | null = null): Promise<string> {
  const [row] = await createInbox(database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId,
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId,
      eventCreatedAt: null,
      body: Buffer.from(JSON.stringify(body)),
      ignoredBecause: null,
    },
  ]);
  return row?.id ?? '';
}

test('adopting forgets the peers, is written down, and says what would go on with others', async () => {
  await confirmPeer(database, 'stripe', 'acct');
  await confirmPeer(database, 'filemaker', 'Shop');
  await plan();
  await arrive('evt_1', {});
  expect(await planAdoption(database)).toEqual({
    known: { stripe: true, filemaker: true },
    unfinished: { events: 1, effects: 1 },
  });
  await adopt(database, asked);
  expect((await planAdoption(database)).known).toEqual({ stripe: false, filemaker: false });
  await confirmPeer(database, 'filemaker', 'Other');
  expect(await listAudit(database, { limit: 1 })).toMatchObject([
    { who: 'ada', action: 'peers.adopt', outcome: 'done', why: 'because' },
  ]);
});

test('golive stores the moment with its audit row, draws the line, and draws it again for what was planned meanwhile', async () => {
  const at = new Date('2026-11-20T12:00:00Z');
  const older = { subject: { occurredAt: '2026-11-20T11:00:00Z' } };
  const newer = { subject: { occurredAt: '2026-11-20T13:00:00Z' }, askOnly: true };
  await plan(older);
  await plan(newer);
  await settle(await plan(older));
  expect(await planGoLive(database, { at, configured: undefined })).toMatchObject({
    at,
    start: { because: 'first-migration', live: false },
    older: { done: 1, unsent: 1 },
    newer: { unsent: 1 },
    comparison: null,
  });
  const went = await goLive(database, { ...asked, at }, async () => {
    // A worker that has not heard yet.
    await plan(older);
    await plan(newer);
  });
  expect(went).toEqual({ at, asked: 2, goesOn: 2 });
  expect(await readRecoveryStart(database.executor, new Date(0))).toEqual({
    at,
    because: 'golive',
    live: true,
    restoredAt: null,
  });
  expect(await listAudit(database, { limit: 1 })).toMatchObject([{ action: 'golive', outcome: 'done' }]);
});

test('what FileMaker did not show is settled at once, with its audit row', async () => {
  await plan({ askOnly: true, parked: { reasonCode: 'BEFORE_GO_LIVE', reason: 'not shown' } });
  await plan({ askOnly: true, parked: { reasonCode: 'second-payment', reason: 'twice' } });
  expect(await settleOlderEffects(database, { ...asked, as: 'done' })).toBe(1);
  expect(await listAudit(database, { limit: 1 })).toMatchObject([{ action: 'golive.settle', detail: '1 done' }]);
});
