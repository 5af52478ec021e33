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

  test('an address inside a longer one is somebody else’s: their bodies and what was typed about them stay', async () => {
    await settle(await sale('cs_test_one', 'ann@x.example', 'cus_Ann'));
    await settle(await sale('cs_test_two', 'joann@x.example', 'cus_Joann'));
    await processed();
    const audit = (object: string, why: string) =>
      database.executor.execute(
        sql`insert into operations.audit (who, action, object, why, outcome, ended_at)
            values ('ada', 'event.reprocess', ${object}, ${why}, 'done', now())`,
      );
    await audit('event:9001', 'joann@x.example has called');
    await audit('event:9002', 'Call from (Ann@x.example).');
    expect(await forgetCustomer(database, 'ann@x.example', { ...asked, ...options })).toMatchObject({
      kind: 'forgotten',
      events: 2,
      effects: 1,
    });
    expect(await left()).toEqual({ events: 2, effects: 1 });
    const { rows } = await database.executor.execute(
      sql`select why from operations.audit where action = 'event.reprocess' order by id`,
    );
    expect(rows).toEqual([{ why: 'joann@x.example has called' }, { why: '(erased)' }]);
  });

  test('a body that only mentions the address goes, and what else it names stays', async () => {
    await settle(await sale('cs_test_one', 'ann@x.example', 'cus_Ann'));
    await arrive(
      'evt_gift',
      { data: { object: { id: 'cs_test_gift', note: 'a gift:\nann@x.example paid it' } } },
      'cs_test_gift',
    );
    const gift = await plan({ subject: { checkoutSessionId: 'cs_test_gift' }, body: '{"a":1}' });
    await settle(gift);
    const told = await plan({ subject: { checkoutSessionId: 'cs_test_told' }, body: '{"a":1}' });
    await settle(told);
    await database.executor.execute(
      sql`update effects.effects set result = '{"note":"for ann@x.example"}'::jsonb where id = ${told}`,
    );
    await processed();
    const { objectIds } = await planForgetting(database, 'ann@x.example', options);
    expect(objectIds).not.toContain('cs_test_gift');
    expect(await forgetCustomer(database, 'ann@x.example', { ...asked, ...options })).toMatchObject({
      kind: 'forgotten',
      events: 3,
      effects: 2,
    });
    const { rows } = await database.executor.execute(
      sql`select id::text as id from effects.effects where body is not null`,
    );
    expect(rows).toEqual([{ id: gift }]);
  });

  test('an address that is percent-encoded, composed otherwise, or in JSON inside a string is found in bodies and answers', async () => {
    const address = 'm\u00fcller@x.example';
    await settle(await sale('cs_test_one', address, null));
    for (const written of [
      'm%C3%BCller%40x.example',
      'mu\u0308ller@x.example',
      JSON.stringify({ n: `gift\n${address}` }),
    ])
      await arrive(`evt_${sequence++}`, { data: { object: { id: `cs_test_${sequence}`, note: written } } });
    const told = await plan({ subject: { checkoutSessionId: 'cs_test_told' } });
    await settle(told);
    const answer = JSON.stringify({ scriptResult: JSON.stringify({ note: `gift\n${address}` }) });
    await database.executor.execute(sql`update effects.effects set result = ${answer}::jsonb where id = ${told}`);
    await processed();
    expect(await forgetCustomer(database, address, { ...asked, ...options })).toMatchObject({
      kind: 'forgotten',
      events: 5,
      effects: 2,
    });
    expect(await left()).toEqual({ events: 0, effects: 0 });
  });

  test.each([
    ['a plan about them alone loses its reason', ['cs_test_one'], 'webhooks were lost', '(erased)'],
    [
      'a plan about others too keeps a reason that does not name them',
      ['cs_test_one', 'cs_test_two'],
      'webhooks were lost',
      'webhooks were lost',
    ],
    ['one that names them loses it', ['cs_test_one', 'cs_test_two'], 'Mrs LEE has called', '(erased)'],
    ['one that has their name inside a word loses it', ['cs_test_one', 'cs_test_two'], 'Lees Zahlung', '(erased)'],
    ['one with their address percent-encoded loses it', ['cs_test_two'], 'see /?q=al%40x.example', '(erased)'],
    [
      'one that names a payment of theirs loses it',
      ['cs_test_one', 'cs_test_two'],
      'as with pi_cs_test_one',
      '(erased)',
    ],
    ['one about others alone keeps it', ['cs_test_two'], 'Mrs Lee has called', 'Mrs Lee has called'],
  ])('of replays, %s', async (_title, objectIds, why, kept) => {
    await arrive('evt_one', {
      data: {
        object: {
          id: 'cs_test_one',
          payment_intent: 'pi_cs_test_one',
          customer_details: { name: 'Ann Lee', email: 'al@x.example' },
        },
      },
    });
    await arrive('evt_two', { data: { object: { id: 'cs_test_two' } } });
    await processed();
    expect(await whyAfterForgetting(objectIds, why)).toEqual([kept, kept]);
  });

  test('where no body is left that tells their name, a plan about others too loses its reason', async () => {
    expect(await whyAfterForgetting(['cs_test_one', 'cs_test_two'], 'webhooks were lost', 'cs_test_one')).toEqual([
      '(erased)',
      '(erased)',
    ]);
  });

  test('where only an address is left of them and no name, a plan about others too loses its reason', async () => {
    await arrive('evt_one', { data: { object: { id: 'cs_test_one', customer_details: { email: 'al@x.example' } } } });
    await processed();
    expect(await whyAfterForgetting(['cs_test_one', 'cs_test_two'], 'webhooks were lost')).toEqual([
      '(erased)',
      '(erased)',
    ]);
  });

  /** What stays of a plan's reason, in the plan and in the audit table. */
  async function whyAfterForgetting(
    objectIds: readonly string[],
    why: string,
    name = 'al@x.example',
  ): Promise<unknown[]> {
    const { rows } = await database.executor.execute(
      sql`insert into operations.replay_plans (state, asked_by, why, args) values ('wanted', 'ada', ${why}, '{"words":["2026-11-01"]}'::jsonb) returning id::text as id`,
    );
    const id = String(rows[0]?.id);
    for (const objectId of objectIds)
      await database.executor.execute(
        sql`insert into operations.replay_items (plan_id, word, object_id, event_type, object, livemode)
            values (${id}, ${objectId}, ${objectId}, 'checkout.session.completed', '{}'::jsonb, false)`,
      );
    await database.executor.execute(
      sql`update operations.replay_items set effect_id = 9000 + id where object_id = ${objectIds.at(-1) ?? ''}`,
    );
    await database.executor.execute(
      sql`insert into operations.audit (who, action, object, why, outcome, ended_at)
          select 'ada', 'effect.resolve', 'effect:' || effect_id, ${why}, 'done', now() from operations.replay_items where effect_id is not null`,
    );
    await database.executor.execute(
      sql`insert into operations.audit (who, action, object, why, outcome, detail, ended_at)
          values ('ada', 'replay.plan', 'replay:2026-11-01', ${why}, 'done', ${`plan ${id}`}, now())`,
    );
    expect(await forgetCustomer(database, name, { ...asked, ...options })).toMatchObject({ kind: 'forgotten' });
    // What the plan did to somebody else's effect was written down with the same reason.
    const acted = await database.executor.execute(
      sql`select why from operations.audit where action = 'effect.resolve'`,
    );
    const after = await database.executor.execute(
      sql`select p.why, (select why from operations.audit where action = 'replay.plan') as audited from operations.replay_plans p`,
    );
    expect(acted.rows).toEqual([{ why: after.rows[0]?.why }]);
    return [after.rows[0]?.why, after.rows[0]?.audited];
  }
});
