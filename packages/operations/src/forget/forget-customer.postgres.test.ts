import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore, type EffectPlan } from '@bridge/effects';
import { createInbox } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { listAudit } from '../audit/audit';
import { allMigrations } from '../migrations';
import { forgetCustomer, planForgetting } from './forget-customer';

let database: Database;
let end: () => Promise<void>;
const asked = { by: 'ada', why: 'because' };
const options = { relatedIds: async (): Promise<string[]> => [] };

beforeEach(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations([]));
  database = createDatabase({ url: created.url, poolMax: 4, applicationName: 'forget-test' });
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
const processed = () =>
  database.executor.execute(sql`update inbox.events set state = 'processed', finished_at = clock_timestamp()`);

describe('forgetting a customer', () => {
  const session = (id: string, email: string, customer: string | null) => ({
    data: {
      object: { id, object: 'checkout.session', customer, payment_intent: `pi_${id}`, customer_details: { email } },
    },
  });
  async function sale(id: string, email: string, customer: string | null): Promise<string> {
    await arrive(`evt_${id}`, session(id, email, customer), id);
    await arrive(`evt_${id}_intent`, { data: { object: { id: `pi_${id}`, object: 'payment_intent' } } }, `pi_${id}`);
    return plan({ subject: { checkoutSessionId: id, amount: 100, currency: 'usd' }, body: JSON.stringify({ email }) });
  }
  const left = async () =>
    (
      await database.executor.execute(sql`
        select (select count(*)::int from inbox.events where body is not null) as events,
          (select count(*)::int from effects.effects where body is not null or result is not null) as effects`)
    ).rows[0];

  test('by customer, by e-mail and by Session: all that names them goes, ids and amounts stay, others keep theirs', async () => {
    for (const name of ['cus_Rhonda', 'rhonda@shop.example', 'cs_test_one']) {
      await database.executor.execute(sql`truncate inbox.events, effects.attempts, effects.effects`);
      await settle(await sale('cs_test_one', 'Rhonda@shop.example', 'cus_Rhonda'));
      await settle(await sale('cs_test_two', 'other@shop.example', 'cus_Other'));
      await processed();
      expect(await forgetCustomer(database, name, { ...asked, ...options })).toMatchObject({
        kind: 'forgotten',
        events: 2,
        effects: 1,
      });
      expect(await left()).toEqual({ events: 2, effects: 1 });
      const { rows } = await database.executor.execute(
        sql`select subject, body_sha256 is not null as digest from effects.effects where body is null`,
      );
      expect(rows).toEqual([
        { subject: { checkoutSessionId: 'cs_test_one', amount: 100, currency: 'usd' }, digest: true },
      ]);
    }
  });

  test('nothing goes while something of theirs is unsettled, and the refusal names it', async () => {
    const id = await sale('cs_test_one', 'rhonda@shop.example', null);
    await processed();
    expect(await forgetCustomer(database, 'rhonda@shop.example', { ...asked, ...options })).toMatchObject({
      kind: 'refused',
      code: 'CUSTOMER_UNSETTLED',
    });
    expect(await left()).toEqual({ events: 2, effects: 1 });
    const { unsettled } = await planForgetting(database, 'rhonda@shop.example', options);
    expect(unsettled).toMatchObject([{ kind: 'effect', id }]);
  });

  test('the audit row says that it was done and not to whom', async () => {
    await settle(await sale('cs_test_one', 'rhonda@shop.example', 'cus_Rhonda'));
    await processed();
    await forgetCustomer(database, 'rhonda@shop.example', { ...asked, ...options });
    await forgetCustomer(database, 'nobody@shop.example', { ...asked, ...options });
    const rows = await listAudit(database, { limit: 10 });
    expect(rows.map(({ outcome, detail }) => [outcome, detail])).toEqual([
      ['refused', 'CUSTOMER_NOT_FOUND'],
      ['done', '2 events, 1 effects'],
    ]);
    expect(JSON.stringify(rows)).not.toMatch(/rhonda|nobody|cus_/i);
  });
});
