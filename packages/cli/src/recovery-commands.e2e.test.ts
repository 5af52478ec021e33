import { createDatabase, type Database } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { createInbox, type Delivery } from '@bridge/inbox';
import { confirmPeer } from '@bridge/installation';
import { listAudit } from '@bridge/operations';
import { createTestDatabase, runBridge } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { z } from 'zod';

// Commands as processes, several a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const bridge = (...words: string[]) => runBridge(words, { DATABASE_URL: url, MODE: 'observe' });

let url: string;
let database: Database;
let drop: () => Promise<void>;

beforeEach(async () => {
  ({ url, drop } = await createTestDatabase());
  database = createDatabase({ url, poolMax: 2, applicationName: 'recovery-commands-test' });
  await bridge('migrate');
});
afterEach(async () => {
  await database.close();
  await drop();
});

const iso = z.iso.datetime();
const eventsSchema = z.strictObject({
  events: z.array(z.looseObject({ id: z.string(), eventId: z.string() })),
  next: z.string().nullable(),
});
const rejectionsSchema = z.strictObject({
  rejections: z.array(
    z.strictObject({
      id: z.string(),
      receivedAt: iso,
      reason: z.string(),
      bytes: z.int(),
      remote: z.string().nullable(),
    }),
  ),
  next: z.string().nullable(),
});
const side = z.strictObject({
  done: z.int(),
  unsent: z.int(),
  notShown: z.int(),
  parked: z.int(),
  underWay: z.int(),
  cancelled: z.int(),
});
const goliveSchema = z.strictObject({
  at: iso,
  start: z.strictObject({
    at: iso,
    because: z.enum(['golive', 'RECONCILE_FROM', 'first-migration']),
    live: z.boolean(),
    restoredAt: iso.nullable(),
  }),
  older: side,
  newer: side,
  comparison: z
    .strictObject({
      at: iso,
      compared: z.int(),
      shown: z.int(),
      notShown: z.int(),
      cannotTell: z.int(),
      differing: z.array(z.strictObject({ effectId: z.string(), title: z.string() })),
    })
    .nullable(),
});

async function arrive(rest: Partial<Delivery> & { eventId: string }): Promise<string> {
  const [row] = await createInbox(database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: 'cs_1',
      eventCreatedAt: null,
      body: Buffer.from('{}'),
      ignoredBecause: null,
      ...rest,
    },
  ]);
  return row?.id ?? '';
}
const planned = async (key: string, occurredAt: string): Promise<string> =>
  (
    await createEffectStore(database).plan(database.executor, {
      kind: 'filemaker-script',
      flow: 'invoices',
      key,
      lane: null,
      title: 'Mark invoice 18637 paid',
      target: {},
      body: '{"email":"buyer@shop.example"}',
      subject: { checkoutSessionId: 'cs_test_1', occurredAt },
      origin: 'webhook',
      checkFirst: false,
      askOnly: true,
    })
  ).id;

describe('events list', () => {
  const listed = async (...words: string[]) =>
    eventsSchema.parse(JSON.parse((await bridge('events', 'list', '--json', ...words)).out));

  test('finds by type, object, source, time and beginning of the id, and pages by the cursor it tells', async () => {
    for (let index = 0; index < 5; index += 1) await arrive({ eventId: `evt_a${index}` });
    await arrive({ eventId: 'evt_b1', eventType: 'refund.created', objectId: 're_1', source: 'pull' });
    const ids = async (...words: string[]) => (await listed(...words)).events.map(({ eventId }) => eventId);
    expect(await ids('--type', 'refund.*')).toEqual(['evt_b1']);
    expect(await ids('--object', 're_1', '--source', 'pull')).toEqual(['evt_b1']);
    expect(await ids('--id', 'evt_a4')).toEqual(['evt_a4']);
    expect(await ids('--until', '2020-01-01')).toEqual([]);
    expect(await ids('--since', '2020-01-01T00:00:00Z', '--state', 'received')).toHaveLength(6);
    const first = await listed('--limit', '4');
    const second = await listed('--limit', '4', '--before', first.next ?? '');
    expect([...first.events, ...second.events].map(({ eventId }) => eventId)).toEqual([
      'evt_b1',
      'evt_a4',
      'evt_a3',
      'evt_a2',
      'evt_a1',
      'evt_a0',
    ]);
    expect(second.next).toBeNull();
    expect((await bridge('events', 'list', '--limit', '4')).out).toContain(`--before ${first.next}`);
    expect((await bridge('events', 'list', '--type', 'nothing')).out).toMatch(/^No event fits\./);
  });

  test.each([
    ['--since', 'yesterday'],
    ['--type', 'a b'],
    ['--before', 'evt_1'],
    ['--source', 'mail'],
  ])('%s %s is wrong usage', async (...words) => {
    expect((await bridge('events', 'list', ...words)).code).toBe(2);
  });

  test('requests that were refused at the door are listed without what they held', async () => {
    await createInbox(database).recordRejection({ reason: 'SIGNATURE_MISMATCH', bytes: 12, remote: '203.0.113.9' });
    const { out } = await bridge('events', 'rejections', '--json');
    expect(rejectionsSchema.parse(JSON.parse(out)).rejections).toMatchObject([{ reason: 'SIGNATURE_MISMATCH' }]);
    expect((await bridge('events', 'rejections')).out).toContain('203.0.113.9');
  });
});

test('adopt shows what it would forget, does nothing without a yes while work is unfinished, and is on record', async () => {
  await confirmPeer(database, 'filemaker', 'Before');
  // Nothing would go on with the wrong one: typing it is enough.
  const bare = await bridge('adopt');
  expect([bare.code, bare.out]).toEqual([0, expect.stringContaining('Adopted')]);
  expect(await listAudit(database, { limit: 1 })).toMatchObject([{ action: 'peers.adopt', why: 'no reason given' }]);
  await planned('invoice-paid:cs_test_adopted', '2026-11-20T11:00:00Z');
  await confirmPeer(database, 'filemaker', 'Shop');
  const unasked = await bridge('adopt', '--why', 'moved');
  expect([unasked.code, unasked.err]).toEqual([2, expect.stringContaining('belongs to one FileMaker file')]);
  await expect(confirmPeer(database, 'filemaker', 'Other')).rejects.toMatchObject({ code: 'OTHER_PEER' });
  const adopted = await bridge('adopt', '--why', 'moved', '--yes', '--json');
  expect([adopted.code, JSON.parse(adopted.out)]).toEqual([
    0,
    { adopted: true, known: { stripe: false, filemaker: true }, unfinished: { events: 0, effects: 1 } },
  ]);
  await expect(confirmPeer(database, 'filemaker', 'Other')).resolves.toBeUndefined();
  await database.executor.execute(sql`delete from effects.effects where key = 'invoice-paid:cs_test_adopted'`);
  expect(await listAudit(database, { limit: 1 })).toMatchObject([{ action: 'peers.adopt', outcome: 'done' }]);
});

test('golive shows how it stands, shows the plan, asks, and then draws the line', async () => {
  await planned('invoice-paid:cs_test_1', '2026-11-20T11:00:00Z');
  await planned('invoice-paid:cs_test_2', '2026-11-20T13:00:00Z');
  const stands = await bridge('golive', '--json');
  expect(goliveSchema.parse(JSON.parse(stands.out))).toMatchObject({ start: { because: 'first-migration' } });
  const at = ['--at', '2026-11-20T12:00:00Z'];
  // A decision about each older payment, by a person's word alone, is not taken without a reason.
  expect((await bridge('golive', '--settle-older', 'done', '--yes')).code).toBe(2);
  const unasked = await bridge('golive', ...at);
  expect(unasked.code).toBe(2);
  expect(unasked.err).toMatch(/before +1 +not sent yet +are asked about, never run\n.* are asked about, then run\n/);
  const live = await bridge('golive', ...at, '--why', 'off', '--yes', '--json');
  expect(JSON.parse(live.out)).toEqual({
    live: true,
    at: '2026-11-20T12:00:00.000Z',
    asked: 0,
    goesOn: 1,
    mode: 'observe',
  });
  const then = goliveSchema.parse(JSON.parse((await bridge('golive', '--json')).out));
  expect(then).toMatchObject({ start: { because: 'golive', live: true }, older: { unsent: 1 }, newer: { unsent: 1 } });
  expect((await bridge('golive', '--at', 'noon', '--why', 'x')).code).toBe(2);
});

test('forget erases what names a customer, refuses what is unsettled, and says nothing about who it was in the audit', async () => {
  const id = await planned('invoice-paid:cs_test_1', '2026-11-20T11:00:00Z');
  const refused = await bridge('forget', 'buyer@shop.example', '--why', 'ticket 812', '--yes', '--json');
  expect([refused.code, JSON.parse(refused.out)]).toMatchObject([1, { forgotten: false, code: 'CUSTOMER_UNSETTLED' }]);
  await database.executor.execute(
    sql`update effects.effects set state = 'done', verified = true, settled_at = clock_timestamp() where id = ${id}`,
  );
  expect((await bridge('forget', 'buyer@shop.example', '--why', 'ticket 812')).code).toBe(2);
  const forgotten = await bridge('forget', 'buyer@shop.example', '--why', 'ticket 812', '--yes', '--json');
  expect([forgotten.code, JSON.parse(forgotten.out)]).toEqual([
    0,
    { forgotten: true, events: 0, effects: 1, shown: 0, objectIds: ['cs_test_1'] },
  ]);
  expect(JSON.stringify(await listAudit(database, { limit: 10 }))).not.toContain('buyer');
  expect((await bridge('forget', 'nobody@shop.example', '--why', 'x', '--yes')).code).toBe(1);
  expect((await bridge('forget', 'everybody', '--why', 'x', '--yes')).code).toBe(2);
});
