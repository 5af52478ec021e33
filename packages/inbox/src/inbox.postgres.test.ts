import { claimsMigrations, registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import type { Delivery } from './deliveries';
import { EventClaimLostError, STARTS_MAX } from './event-life';
import { createInbox, type Inbox } from './inbox';
import { inboxMigrations } from './migrations';

let database: Database;
let inbox: Inbox;
let worker: WorkerRegistration;
let end: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, inboxMigrations]);
  database = createDatabase({ url: created.url, poolMax: 8, applicationName: 'inbox-test' });
  inbox = createInbox(database);
  worker = await registerWorker(database, { app: 'test' });
  end = async () => {
    await worker.stop();
    await database.close();
    await created.drop();
  };
});
afterAll(() => end());

let sequence = 0;
function delivery(rest: Partial<Delivery> = {}): Delivery {
  sequence += 1;
  return {
    source: 'webhook',
    peer: 'stripe',
    eventId: `evt_${sequence}`,
    eventType: 'checkout.session.completed',
    account: null,
    livemode: false,
    apiVersion: '2026-10-28.endive',
    objectId: 'cs_1',
    eventCreatedAt: new Date('2026-11-01T10:00:00Z'),
    body: Buffer.from('{}'),
    ignoredBecause: null,
    ...rest,
  };
}
async function recordOne(rest: Partial<Delivery> = {}): Promise<string> {
  const [row] = await inbox.record([delivery(rest)]);
  if (row === undefined) throw new Error('nothing was recorded');
  return row.id;
}
async function claimed(id: string, by = worker.id) {
  const result = await inbox.claim(id, by);
  if (result.kind !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(result)}`);
  return result.event;
}
/** A worker that lives until `makeDead`: no heartbeat of its own brings it back at the wrong moment. */
async function anotherWorker(): Promise<string> {
  sequence += 1;
  const id = `another-${sequence}`;
  await database.executor.execute(
    sql`insert into claims.workers (id, app, host, pid, heartbeat_at)
        values (${id}, 'test', 'test', 1, clock_timestamp() + interval '1 day')`,
  );
  return id;
}
async function makeDead(id: string): Promise<void> {
  await database.executor.execute(
    sql`update claims.workers set heartbeat_at = clock_timestamp() - interval '6 seconds' where id = ${id}`,
  );
}
const stateOf = async (id: string) => (await inbox.list({ limit: 1_000 })).find((row) => row.id === id);

test('case B: two deliveries of one event at the same instant give one row and both are answered', async () => {
  const same = delivery();
  const answers = (await Promise.all(Array.from({ length: 8 }, () => inbox.record([same])))).flat();
  expect(new Set(answers.map((answer) => answer.id)).size).toBe(1);
  expect(answers.filter((answer) => answer.outcome === 'new')).toHaveLength(1);
  expect((await stateOf(answers[0]?.id ?? ''))?.deliveries).toBe(8);
});

test('repeats inside one batch are one row, and the answers keep the order of the input', async () => {
  const [a, b] = [delivery(), delivery()];
  const answers = await inbox.record([a, b, a]);
  expect(answers.map((answer) => [answer.eventId, answer.outcome])).toEqual([
    [a.eventId, 'new'],
    [b.eventId, 'new'],
    [a.eventId, 'duplicate'],
  ]);
  const counted = await Promise.all(answers.slice(0, 2).map(async ({ id }) => (await stateOf(id))?.deliveries));
  expect(counted).toEqual([2, 1]);
});

test('every delivery of a batch keeps its own values and bytes, whatever stands in them', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 20 }).map((value) => value.replaceAll('\0', '')),
    fc.string({ unit: fc.constantFrom('"', '\\', ',', '{', '}', "'", ' ', '$', 'a'), maxLength: 12 }),
    fc.constantFrom('NULL', 'null', '', '{}', '\\x41', '"', '\n'),
  );
  const nullable = fc.option(text);
  const anyDelivery = fc.record({
    eventType: text,
    account: nullable,
    livemode: fc.boolean(),
    apiVersion: nullable,
    objectId: nullable,
    eventCreatedAt: fc.option(
      fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
    ),
    body: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    ignoredBecause: nullable,
    name: text,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(anyDelivery, { minLength: 1, maxLength: 6 }), async (batch) => {
      const sent = batch.map(({ name, ...rest }) => {
        const one = delivery(rest);
        return { ...one, eventId: `${one.eventId}${name}` };
      });
      const recorded = await inbox.record(sent);
      expect(recorded.map(({ eventId, outcome }) => [eventId, outcome])).toEqual(
        sent.map(({ eventId }) => [eventId, 'new']),
      );
      for (const [index, one] of sent.entries()) {
        const id = recorded[index]?.id ?? '';
        const [row] = await rows<Record<string, unknown>>(
          database.executor,
          sql`select event_id, event_type, account, livemode, api_version, object_id, body, state, reason_code, deliveries,
                (extract(epoch from event_created_at) * 1000)::float8 as created_ms, finished_at is null as is_open
              from inbox.events where id = ${id}`,
        );
        expect(row).toEqual({
          event_id: one.eventId,
          event_type: one.eventType,
          account: one.account,
          livemode: one.livemode,
          api_version: one.apiVersion,
          object_id: one.objectId,
          body: one.body,
          state: one.ignoredBecause === null ? 'received' : 'ignored',
          reason_code: one.ignoredBecause,
          deliveries: 1,
          created_ms: one.eventCreatedAt?.getTime() ?? null,
          is_open: one.ignoredBecause === null,
        });
      }
    }),
    { numRuns: 60 },
  );
});

test('a body is kept byte for byte, NUL and broken UTF-8 included', async () => {
  const body = Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0xc3, 0x28, 0x7d]);
  const event = await claimed(await recordOne({ body }));
  expect(event.body.equals(body)).toBe(true);
});

test('case A: work that failed after the claim is done by the resend, which makes the waiting row due at once', async () => {
  const first = delivery();
  const [row] = await inbox.record([first]);
  const id = row?.id ?? '';
  const event = await claimed(id);
  await inbox.release(event, { afterMs: 3_600_000, costs: true, reasonCode: 'PROCESSING_FAILED', reason: 'Error' });
  expect(await inbox.claim(id, worker.id)).toMatchObject({ kind: 'nothing', because: 'not due' });
  const before = await inbox.due(1_000, 5_000);
  expect(before.some((due) => due.id === id)).toBe(false);

  await inbox.record([first]);

  const due = (await inbox.due(1_000, 5_000)).find((one) => one.id === id);
  // The run is raised: the queue would ignore the id of the job that waits for later.
  expect(due).toEqual({ id, eventId: first.eventId, run: 1, queued: false });
  expect((await claimed(id)).starts).toBe(2);
});

test('a resend of a finished row changes nothing but the count of deliveries', async () => {
  const first = delivery();
  const [row] = await inbox.record([first]);
  const event = await claimed(row?.id ?? '');
  await inbox.finish(database.executor, event, { state: 'processed' });
  const [again] = await inbox.record([first]);
  expect(again).toMatchObject({ outcome: 'duplicate', state: 'processed' });
  expect((await inbox.due(1_000, 5_000)).some((due) => due.id === row?.id)).toBe(false);
});

test('an event that was ignored for the configuration of that day is worked on when it is resent and wanted', async () => {
  const ignored = delivery({ ignoredBecause: 'OTHER_LIVEMODE' });
  const [row] = await inbox.record([ignored]);
  await inbox.record([ignored]);
  expect((await stateOf(row?.id ?? ''))?.state).toBe('ignored');
  const [again] = await inbox.record([{ ...ignored, ignoredBecause: null }]);
  expect(again).toMatchObject({ outcome: 'duplicate', state: 'received' });
  expect((await claimed(row?.id ?? '')).eventId).toBe(ignored.eventId);
});

test('starts are counted before the work: after eight without an end the row is parked', async () => {
  const id = await recordOne();
  for (let start = 1; start <= STARTS_MAX; start += 1) {
    const event = await claimed(id);
    expect(event.starts).toBe(start);
    await inbox.release(event, { afterMs: 0, costs: true, reasonCode: 'PROCESSING_FAILED', reason: 'TypeError' });
  }
  expect(await inbox.claim(id, worker.id)).toMatchObject({ kind: 'parked', reasonCode: 'TOO_MANY_STARTS' });
  expect(await stateOf(id)).toMatchObject({ state: 'parked', reason: expect.stringContaining('TypeError') });
});

test('waiting for a peer that is away costs no start', async () => {
  const id = await recordOne();
  for (let round = 0; round < STARTS_MAX + 2; round += 1) {
    await inbox.release(await claimed(id), {
      afterMs: 0,
      costs: false,
      reasonCode: 'STRIPE_UNAVAILABLE',
      reason: 'away',
    });
  }
  expect((await claimed(id)).starts).toBe(1);
});

test('a row in a living hand is not given to another', async () => {
  const id = await recordOne();
  await claimed(id);
  expect(await inbox.claim(id, worker.id)).toEqual({ kind: 'nothing', because: 'in hand' });
});

test('case J: a worker that was believed dead cannot finish what another has claimed since', async () => {
  const slow = await anotherWorker();
  const id = await recordOne();
  const old = await claimed(id, slow);
  await makeDead(slow);
  const fresh = await claimed(id);
  await expect(inbox.finish(database.executor, old, { state: 'processed' })).rejects.toThrow(EventClaimLostError);
  await inbox.finish(database.executor, fresh, { state: 'processed' });
  expect((await stateOf(id))?.state).toBe('processed');
});

test('rows of a dead worker are freed with a new run; a living one keeps its rows', async () => {
  const dying = await anotherWorker();
  const [lost, kept] = [await recordOne(), await recordOne()];
  await claimed(lost, dying);
  await claimed(kept);
  await makeDead(dying);
  await inbox.recoverDead(worker.id);
  expect((await stateOf(lost))?.state).toBe('received');
  expect((await stateOf(kept))?.state).toBe('processing');
});

test('a row that a living worker holds by mark but not in hand is freed by itself', async () => {
  const [lost, inHand] = [await recordOne(), await recordOne()];
  await claimed(lost);
  await claimed(inHand);
  await inbox.recoverLost(worker.id, () => [inHand]);
  expect((await stateOf(lost))?.state).toBe('received');
  expect((await stateOf(inHand))?.state).toBe('processing');
});

test('a claim made while lost rows are looked for is not taken for a lost one', async () => {
  const [lost, fresh] = [await recordOne(), await recordOne()];
  await claimed(lost);
  let claiming: Promise<unknown> | undefined;
  await inbox.recoverLost(worker.id, () => {
    claiming = inbox.claim(fresh, worker.id);
    return [];
  });
  expect(await claiming).toMatchObject({ kind: 'claimed' });
  expect([(await stateOf(lost))?.state, (await stateOf(fresh))?.state]).toEqual(['received', 'processing']);
});

test('a transaction that fails leaves the row unfinished', async () => {
  const event = await claimed(await recordOne());
  await expect(
    database.transaction(async (tx) => {
      await inbox.finish(tx, event, { state: 'processed' });
      throw new Error('the flow failed');
    }),
  ).rejects.toThrow('the flow failed');
  expect((await stateOf(event.id))?.state).toBe('processing');
});

test('the last thousand rejections are kept, older ones are not', async () => {
  await database.executor.execute(
    sql`insert into inbox.rejections (reason, bytes) select 'old', 1 from generate_series(1, 1005)`,
  );
  await inbox.recordRejection({ reason: 'SIGNATURE_INVALID', bytes: 12 });
  const { rows } = await database.executor.execute<{ n: number; newest: string }>(
    sql`select count(*)::int as n, (select reason from inbox.rejections order by id desc limit 1) as newest from inbox.rejections`,
  );
  expect(rows[0]).toEqual({ n: 1_000, newest: 'SIGNATURE_INVALID' });
});

test('a person can have a parked row worked on once more, with all its starts', async () => {
  const id = await recordOne();
  const event = await claimed(id);
  await inbox.finish(database.executor, event, { state: 'parked', reasonCode: 'NO_INVOICE_ID', reason: 'none' });
  expect(await inbox.claim(id, worker.id)).toMatchObject({ kind: 'parked', reasonCode: 'NO_INVOICE_ID' });
  expect(await inbox.reprocess(id)).toBe(true);
  expect(await claimed(id)).toMatchObject({ starts: 1, source: 'operator' });
  expect(await inbox.reprocess(id)).toBe(false);
});
