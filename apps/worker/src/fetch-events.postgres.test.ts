import { claimsMigrations } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createInbox, inboxMigrations } from '@bridge/inbox';
import { createEventWatermarks, type EventDelivery, reconciliationMigrations } from '@bridge/reconciliation';
import type { EventQuery, StripeObject } from '@bridge/stripe-client';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { type FetchEventsOptions, fetchEvents } from './fetch-events';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

const PAID = 'checkout.session.completed';
const NOW = new Date('2026-11-22T12:00:00Z');
const secondsAgo = (seconds: number): number => NOW.getTime() / 1_000 - seconds;

let database: Database;
let end: () => Promise<void>;

beforeEach(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, inboxMigrations, reconciliationMigrations]);
  database = createDatabase({ url: created.url, poolMax: 4, applicationName: 'fetch-test' });
  end = async () => {
    await database.close();
    await created.drop();
  };
});
afterEach(() => end());

interface Listed {
  id: string;
  created: number;
  type?: string;
  livemode?: boolean;
  account?: string;
}

/** Stripe's list: newest first, cursors in both directions, at most 20 types. Pages of two. */
function stripeWith(events: readonly Listed[]) {
  const asked: EventQuery[] = [];
  const list = (query: EventQuery): { items: StripeObject[]; hasMore: boolean } => {
    asked.push(query);
    if ((query.types?.length ?? 0) > 20) throw new Error('at most 20 types');
    const { gte = 0, lte = Number.POSITIVE_INFINITY } = query.created ?? {};
    const fitting = events
      .filter(({ created, type = PAID }) => created >= gte && created <= lte && query.types?.includes(type) === true)
      .toSorted((a, b) => b.created - a.created)
      .map(({ type = PAID, livemode = false, ...rest }) => ({
        object: 'event',
        type,
        livemode,
        data: { object: { id: `cs_${rest.id}`, object: 'checkout.session' } },
        ...rest,
      }));
    const at = (id: string): number => fitting.findIndex((one) => one.id === id);
    if (query.newerThan !== undefined) {
      const newer = fitting.slice(0, at(query.newerThan)).toReversed();
      return { items: newer.slice(0, 2), hasMore: newer.length > 2 };
    }
    const older = query.olderThan === undefined ? fitting : fitting.slice(at(query.olderThan) + 1);
    return { items: older.slice(0, 2), hasMore: older.length > 2 };
  };
  async function* listEvents(query: EventQuery = {}) {
    const { items, hasMore } = list(query);
    const last = items.at(-1);
    if (last !== undefined) yield { items, hasMore, cursor: last.id };
  }
  return { listEvents, asked };
}

let witnessed: string | null = null;
beforeEach(() => {
  witnessed = null;
});

function fetching(
  stripe: Pick<FetchEventsOptions, 'listEvents'>,
  rest: Partial<FetchEventsOptions> & { delivery?: EventDelivery } = {},
) {
  return fetchEvents({
    database,
    inbox: createInbox(database),
    watermarks: createEventWatermarks(database),
    delivery: 'pull',
    wants: new Set([PAID]),
    livemode: false,
    from: new Date(secondsAgo(86_400) * 1_000),
    witness: {
      read: async () => witnessed,
      write: async (fetchNo) => {
        witnessed = fetchNo;
      },
    },
    takeDuty: async () => true,
    dropDuty: async () => undefined,
    now: () => NOW,
    ...stripe,
    ...rest,
  });
}

const inboxRows = async () =>
  (
    await database.executor.execute(
      sql`select event_id, source, state, reason_code, deliveries, account from inbox.events order by id`,
    )
  ).rows;
const reached = async () => (await createEventWatermarks(database).read())?.reachedAt;
const events = (count: number): Listed[] =>
  Array.from({ length: count }, (_, index) => ({ id: `evt_${index}`, created: secondsAgo(10_000 - index * 100) }));

test('each event becomes one row under its own id with its whole body, oldest first, and a second fetch adds none', async () => {
  const stripe = stripeWith(events(9));
  expect(await fetching(stripe)).toEqual({ listed: 9, recorded: 9, more: false, missed: null, recovering: false });
  expect((await inboxRows()).map((row) => row.event_id)).toEqual(events(9).map(({ id }) => id));
  expect(await inboxRows()).toEqual(
    expect.arrayContaining([expect.objectContaining({ event_id: 'evt_0', source: 'pull', state: 'received' })]),
  );
  const { rows } = await database.executor.execute(
    sql`select convert_from(body, 'UTF8')::json ->> 'id' as id, object_id from inbox.events order by id limit 1`,
  );
  expect(rows).toEqual([{ id: 'evt_0', object_id: 'cs_evt_0' }]);
  expect(await fetching(stripe)).toMatchObject({ recorded: 0, recovering: false });
  expect((await inboxRows()).every((row) => row.deliveries === 1)).toBe(true);
});

test('the webhook that comes later is a duplicate, and one that came before is not disturbed', async () => {
  const stripe = stripeWith([{ id: 'evt_1', created: secondsAgo(100) }]);
  const inbox = createInbox(database);
  await fetching(stripe);
  const webhook = {
    source: 'webhook',
    peer: 'stripe',
    eventType: PAID,
    account: null,
    livemode: false,
    apiVersion: null,
    objectId: null,
    eventCreatedAt: null,
    body: Buffer.from('{}'),
    ignoredBecause: null,
  } as const;
  expect(await inbox.record([{ ...webhook, eventId: 'evt_1' }])).toMatchObject([{ outcome: 'duplicate' }]);
  await inbox.record([{ ...webhook, eventId: 'evt_2' }]);
  await fetching(stripeWith([{ id: 'evt_2', created: secondsAgo(90) }]));
  expect((await inboxRows()).map((row) => [row.event_id, row.source, row.deliveries])).toEqual([
    ['evt_1', 'pull', 2],
    ['evt_2', 'webhook', 1],
  ]);
});

test('a kill between pages loses nothing: the mark stands at what was committed, and the next fetch goes on from there', async () => {
  const all = events(9);
  const stripe = stripeWith(all);
  const inbox = createInbox(database);
  let pages = 0;
  const dying: FetchEventsOptions['inbox'] = {
    missing: inbox.missing,
    record: async (deliveries, within) => {
      const stored = await inbox.record(deliveries, within);
      pages += 1;
      if (pages === 3) throw new Error('killed');
      return stored;
    },
  };
  await expect(fetching(stripe, { inbox: dying })).rejects.toThrow('killed');
  const stored = (await inboxRows()).length;
  expect(stored).toBeGreaterThan(0);
  expect(stored).toBeLessThan(9);
  expect(await reached()).toEqual(new Date((all[stored - 1]?.created ?? 0) * 1_000));
  expect(await fetching(stripe)).toMatchObject({ recorded: 9 - stored });
  expect((await inboxRows()).map((row) => row.event_id)).toEqual(all.map(({ id }) => id));
});

test('events that appear in the list late are found as long as the overlap reaches, and each fetch asks once', async () => {
  await fetching(stripeWith([{ id: 'evt_1', created: secondsAgo(60) }]));
  const late = stripeWith([
    { id: 'evt_1', created: secondsAgo(60) },
    { id: 'evt_late', created: secondsAgo(300) },
  ]);
  expect(await fetching(late)).toMatchObject({ recorded: 1 });
  expect(late.asked).toHaveLength(1);
});

test('in quiet times the mark follows an hour behind the clock, so that a clock that is fast loses nothing', async () => {
  const quiet = stripeWith([]);
  await fetching(quiet);
  expect(await reached()).toEqual(new Date(NOW.getTime() - 3_600_000));
  // Our clock was half an hour fast: what Stripe made meanwhile lies before our "now" and is found.
  await fetching(stripeWith([{ id: 'evt_1', created: secondsAgo(1_800) }]), {
    now: () => new Date(NOW.getTime() + 60_000),
  });
  expect((await inboxRows()).map((row) => row.event_id)).toEqual(['evt_1']);
});

test('beside webhooks the newest ten minutes are left to them, and what is found begins with a question', async () => {
  const stripe = stripeWith([
    { id: 'evt_old', created: secondsAgo(601) },
    { id: 'evt_young', created: secondsAgo(599) },
  ]);
  expect(await fetching(stripe, { delivery: 'reconciliation' })).toMatchObject({ recorded: 1, recovering: true });
  expect(await inboxRows()).toMatchObject([{ event_id: 'evt_old', source: 'reconciliation' }]);
});

test('events from before the beginning of recovery are left alone', async () => {
  const stripe = stripeWith([
    { id: 'evt_before', created: secondsAgo(101) },
    { id: 'evt_after', created: secondsAgo(100) },
  ]);
  await fetching(stripe, { from: new Date(secondsAgo(100) * 1_000) });
  expect((await inboxRows()).map((row) => row.event_id)).toEqual(['evt_after']);
});

test('a gap beyond 30 days is said and written down; what the list still has is fetched', async () => {
  const marks = createEventWatermarks(database);
  const gone = new Date(NOW.getTime() - 40 * 86_400_000);
  await database.transaction((tx) => marks.advance(tx, { reachedAt: gone, delivery: 'pull' }));
  const from = new Date(NOW.getTime() - 100 * 86_400_000);
  const fetched = await fetching(stripeWith([{ id: 'evt_1', created: secondsAgo(29 * 86_400) }]), { from });
  expect(fetched?.recorded).toBe(1);
  expect(fetched?.missed?.from).toEqual(new Date(gone.getTime() - 300_000));
  expect((await marks.read())?.missed).toMatchObject(fetched?.missed ?? {});
});

test('a database that is behind its witness was restored: what is fetched then may have happened, and says so', async () => {
  const stripe = stripeWith([
    { id: 'evt_0', created: secondsAgo(100) },
    { id: 'evt_1', created: secondsAgo(90) },
  ]);
  await fetching(stripe);
  await fetching(stripe);
  // As after a restore to the first fetch.
  await database.executor.execute(sql`update reconciliation.watermarks set fetch_no = 1`);
  await database.executor.execute(sql`delete from inbox.events where event_id = 'evt_1'`);
  expect(await fetching(stripe)).toMatchObject({ recorded: 1, recovering: true });
  expect((await inboxRows()).map((row) => row.source)).toEqual(['pull', 'reconciliation']);
  // Once both agree again, fetching is what it was.
  expect(await fetching(stripe)).toMatchObject({ recovering: false });
  // A witness that was lost as well proves nothing either way.
  witnessed = null;
  expect(await fetching(stripe)).toMatchObject({ recovering: true });
});

test('of several groups of types one has more than a run may read: run by run all of it comes in', async () => {
  const types = Array.from({ length: 21 }, (_, index) => `type.${String(index).padStart(2, '0')}`);
  const many: Listed[] = [
    ...Array.from({ length: 12 }, (_, at) => ({
      id: `evt_many_${at}`,
      created: secondsAgo(12_000 - at * 1_000),
      type: 'type.00',
    })),
    { id: 'evt_other', created: secondsAgo(100), type: 'type.20' },
  ];
  const wants = new Set(types);
  const runs: (boolean | undefined)[] = [];
  do runs.push((await fetching(stripeWith(many), { wants, pagesMax: 2 }))?.more);
  while (runs.at(-1) === true && runs.length < 20);
  expect(runs.at(-1)).toBe(false);
  expect(await inboxRows()).toHaveLength(many.length);
});

test('more than 20 wanted types are asked for in groups, and the mark waits for all of them', async () => {
  const types = Array.from({ length: 45 }, (_, index) => `type.${index}`);
  const listed = types.map((type, index) => ({ id: `evt_${index}`, created: secondsAgo(2_000 - index * 10), type }));
  const stripe = stripeWith(listed);
  const failing: FetchEventsOptions['listEvents'] = (query) => {
    if (query?.types?.includes('type.9') === true) throw new Error('away');
    return stripe.listEvents(query);
  };
  await expect(fetching({ listEvents: failing }, { wants: new Set(types) })).rejects.toThrow('away');
  expect(await reached()).toBeUndefined();
  expect(await fetching(stripe, { wants: new Set(types) })).toMatchObject({ more: false });
  expect(new Set((await inboxRows()).map((row) => row.event_id))).toEqual(new Set(listed.map(({ id }) => id)));
  expect(await reached()).toEqual(new Date(secondsAgo(1_560) * 1_000));
});

test('connected accounts and the other mode are kept apart as at the door', async () => {
  await fetching(
    stripeWith([
      { id: 'evt_account', created: secondsAgo(100), account: 'acct_1' },
      { id: 'evt_live', created: secondsAgo(90), livemode: true },
    ]),
  );
  expect(await inboxRows()).toMatchObject([
    { event_id: 'evt_account', account: 'acct_1', state: 'received' },
    { event_id: 'evt_live', state: 'ignored', reason_code: 'OTHER_LIVEMODE' },
  ]);
});

test('a run that comes to its bound says that there is more, and the next goes on', async () => {
  const stripe = stripeWith(events(12));
  const first = await fetching(stripe, { pagesMax: 2 });
  expect(first?.more).toBe(true);
  expect(first?.recorded).toBe((await inboxRows()).length);
  expect(first?.recorded).toBeLessThanOrEqual(4);
  expect(witnessed).toBeNull();
  let rounds = 0;
  while ((await fetching(stripe, { pagesMax: 3 }))?.more === true) rounds += 1;
  expect(rounds).toBeLessThan(12);
  expect((await inboxRows()).map((row) => row.event_id)).toEqual(events(12).map(({ id }) => id));
});

test('one process at a time fetches', async () => {
  const stripe = stripeWith(events(1));
  expect(await fetching(stripe, { takeDuty: async () => false })).toBeUndefined();
  expect(stripe.asked).toEqual([]);
});
