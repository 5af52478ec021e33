import { claimsMigrations, registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import * as fc from 'fast-check';
import type { Delivery } from './deliveries';
import type { EventFilter } from './event-summaries';
import { forgetEvents, needleOf, traceEvents } from './forget-bodies';
import { createInbox, type Inbox } from './inbox';
import { inboxMigrations } from './migrations';

let database: Database;
let inbox: Inbox;
let worker: WorkerRegistration;
let end: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, inboxMigrations]);
  database = createDatabase({ url: created.url, poolMax: 4, applicationName: 'delivery-log-test' });
  inbox = createInbox(database);
  worker = await registerWorker(database, { app: 'test' });
  end = async () => {
    await worker.stop();
    await database.close();
    await created.drop();
  };
});
beforeEach(() => database.executor.execute(sql`truncate inbox.events, inbox.rejections restart identity`));
afterAll(() => end());

async function record(rest: Partial<Delivery> & { eventId: string }): Promise<string> {
  const [row] = await inbox.record([
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
async function finish(id: string, parked = false): Promise<void> {
  const claim = await inbox.claim(id, worker.id);
  if (claim.kind !== 'claimed') throw new Error('not claimed');
  await inbox.finish(
    database.executor,
    claim.event,
    parked ? { state: 'parked', reasonCode: 'NO_INVOICE_ID', reason: 'names none' } : { state: 'processed' },
  );
}
const arrivedAt = (id: string, at: string) =>
  database.executor.execute(sql`update inbox.events set received_at = ${at}::timestamptz where id = ${id}`);
const found = async (filter: Partial<EventFilter>) =>
  (await inbox.list({ limit: 100, ...filter })).map(({ eventId }) => eventId);

test('every filter alone and together finds what fits and nothing else, the newest first', async () => {
  const ids = [
    await record({ eventId: 'evt_a1', objectId: 'cs_1' }),
    await record({ eventId: 'evt_a2', eventType: 'refund.created', objectId: 're_1', source: 'pull' }),
    await record({ eventId: 'evt_b%_', eventType: 'refund.updated', objectId: 're_1', source: 'reconciliation' }),
    await record({ eventId: 'evt_b1', ignoredBecause: 'UNWANTED_TYPE' }),
  ];
  for (const [index, id] of ids.entries()) await arrivedAt(id, `2026-11-0${index + 1}T00:00:00Z`);
  expect(await found({})).toEqual(['evt_b1', 'evt_b%_', 'evt_a2', 'evt_a1']);
  expect(await found({ type: 'refund.created' })).toEqual(['evt_a2']);
  expect(await found({ type: 'refund.*' })).toEqual(['evt_b%_', 'evt_a2']);
  expect(await found({ objectId: 're_1' })).toEqual(['evt_b%_', 'evt_a2']);
  expect(await found({ source: 'pull' })).toEqual(['evt_a2']);
  expect(await found({ state: 'ignored' })).toEqual(['evt_b1']);
  expect(await found({ eventIdPrefix: 'evt_a' })).toEqual(['evt_a2', 'evt_a1']);
  // Signs that a pattern would give a meaning to are taken as they are.
  expect(await found({ eventIdPrefix: 'evt_b%' })).toEqual(['evt_b%_']);
  expect(await found({ eventIdPrefix: 'evt__' })).toEqual([]);
  expect(await found({ since: new Date('2026-11-02T00:00:00Z'), until: new Date('2026-11-04T00:00:00Z') })).toEqual([
    'evt_b%_',
    'evt_a2',
  ]);
  expect(await found({ objectId: 're_1', source: 'pull', type: 'refund.*' })).toEqual(['evt_a2']);
  expect(await found({ before: ids[2] ?? '', limit: 1 })).toEqual(['evt_a2']);
});

test('paging by the last row of each page shows every row once, also while new ones arrive', async () => {
  for (let index = 0; index < 25; index += 1) await record({ eventId: `evt_${index}` });
  const seen: string[] = [];
  let before: string | undefined;
  for (let page = 0; page < 10; page += 1) {
    const rows = await inbox.list({ limit: 4, ...(before === undefined ? {} : { before }) });
    if (rows.length === 0) break;
    seen.push(...rows.map(({ eventId }) => eventId));
    before = rows.at(-1)?.id;
    await record({ eventId: `evt_new_${page}` });
  }
  expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `evt_${24 - index}`));
});

test('refused requests are listed the newest first and paged', async () => {
  for (const bytes of [1, 2, 3])
    await inbox.recordRejection({ reason: 'SIGNATURE_MISMATCH', bytes, remote: '1.2.3.4' });
  const [first] = await inbox.rejections({ limit: 1 });
  expect(first).toMatchObject({ reason: 'SIGNATURE_MISMATCH', bytes: 3, remote: '1.2.3.4' });
  expect((await inbox.rejections({ before: first?.id ?? '', limit: 10 })).map(({ bytes }) => bytes)).toEqual([2, 1]);
});

test('what has no row, or was ignored for the configuration of its day, is missing', async () => {
  await record({ eventId: 'evt_there' });
  await record({ eventId: 'evt_unwanted', ignoredBecause: 'UNWANTED_TYPE' });
  expect((await inbox.missing(['evt_there', 'evt_unwanted', 'evt_new'])).sort()).toEqual(['evt_new', 'evt_unwanted']);
  expect(await inbox.missing([])).toEqual([]);
});

test('bodies of finished rows of an age are erased in batches and their digest stays; unfinished and parked rows keep theirs', async () => {
  const body = Buffer.from('{"email":"buyer@shop.example"}');
  const ids: string[] = [];
  for (let index = 0; index < 5; index += 1) ids.push(await record({ eventId: `evt_${index}`, body }));
  const [done = '', unfinished = '', parked = '', ignored = '', young = ''] = ids;
  await finish(done);
  await finish(parked, true);
  await database.executor.execute(
    sql`update inbox.events set state = 'ignored', reason_code = 'PAID_BEFORE', finished_at = now() where id = ${ignored}`,
  );
  await finish(young);
  for (const id of ids.slice(0, 4)) await arrivedAt(id, '2026-01-01T00:00:00Z');
  const before = new Date('2026-06-01T00:00:00Z');
  expect(await inbox.eraseBodies({ before, after: '0', limit: 3 })).toEqual({ erased: 1, last: parked });
  expect(await inbox.eraseBodies({ before, after: parked, limit: 3 })).toEqual({ erased: 1, last: ignored });
  expect(await inbox.eraseBodies({ before, after: ignored, limit: 3 })).toEqual({ erased: 0 });
  expect(await inbox.eraseBodies({ before, after: '0', limit: 3 })).toEqual({ erased: 0, last: parked });
  const { rows } = await database.executor.execute(
    sql`select id::text, body is null as erased, body_sha256 = sha256(${body}::bytea) as digest from inbox.events order by inbox.events.id`,
  );
  expect(rows).toEqual([
    { id: done, erased: true, digest: true },
    { id: unfinished, erased: false, digest: null },
    { id: parked, erased: false, digest: null },
    { id: ignored, erased: true, digest: true },
    { id: young, erased: false, digest: null },
  ]);
  expect(await inbox.reprocess(done)).toBe(false);
});

test('an erased row that was unwanted and is wanted now gets the body of the delivery that comes', async () => {
  const id = await record({ eventId: 'evt_1', ignoredBecause: 'UNWANTED_TYPE', body: Buffer.from('{"a":1}') });
  await arrivedAt(id, '2026-01-01T00:00:00Z');
  await inbox.eraseBodies({ before: new Date('2026-06-01T00:00:00Z'), after: '0', limit: 10 });
  expect(await inbox.bodyOf(id)).toBeNull();
  await record({ eventId: 'evt_1', body: Buffer.from('{"a":1}') });
  expect((await inbox.bodyOf(id))?.toString()).toBe('{"a":1}');
});

test('a trace is a whole JSON string, in any capital letters and any script, and no part of another', async () => {
  const bodies = {
    evt_hit: '{"customer":"cus_1"}',
    evt_longer: '{"customer":"cus_12"}',
    evt_mail: '{"email":"Buyer@Shop.example"}',
    evt_other: '{"email":"xbuyer@shop.example"}',
    evt_umlaut: '{"email":"jürgen@groß.example"}',
    evt_broken: Buffer.from([0x7b, 0x00, 0xff, 0x22]),
  };
  for (const [eventId, body] of Object.entries(bodies))
    await record({ eventId, body: Buffer.from(body), objectId: null });
  await record({ eventId: 'evt_object', objectId: 'cs_9' });
  const trace = async (texts: string[], objectIds: string[] = []) =>
    (await traceEvents(database, { texts, objectIds }, { after: '0', limit: 100 })).found.map(({ eventId }) => eventId);
  expect(await trace(['cus_1'])).toEqual(['evt_hit']);
  expect(await trace(['buyer@shop.example'])).toEqual(['evt_mail']);
  expect(await trace(['jürgen@groß.example'])).toEqual(['evt_umlaut']);
  expect(await trace(['cus_1', 'BUYER@SHOP.EXAMPLE'], ['cs_9'])).toEqual(['evt_hit', 'evt_mail', 'evt_object']);
  expect(await trace([])).toEqual([]);
});

test('whatever the text, a body that holds it as a JSON string is found', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), async (text) => {
      await database.executor.execute(sql`delete from inbox.events`);
      await record({ eventId: 'evt_1', body: Buffer.from(JSON.stringify({ a: { b: [text] } }), 'utf8') });
      const { found: rows } = await traceEvents(database, { texts: [text], objectIds: [] }, { after: '0', limit: 10 });
      expect(rows).toHaveLength(1);
    }),
    { numRuns: 50 },
  );
  expect(needleOf('A"b')).toBe('"a\\\\"b"');
});

test('forgetting takes only finished rows', async () => {
  const [done, waiting] = [await record({ eventId: 'evt_1' }), await record({ eventId: 'evt_2' })];
  await finish(done);
  expect(await forgetEvents(database.executor, [done, waiting])).toBe(1);
  expect(await inbox.bodyOf(done)).toBeNull();
  expect(await inbox.bodyOf(waiting)).toEqual(Buffer.from('{}'));
});
