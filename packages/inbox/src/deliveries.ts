import { type Database, type Executor, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { EventSource, EventState } from './event';

/** One arrival at the door, verified and described, its body as the bytes that came. */
export interface Delivery {
  source: EventSource;
  peer: 'stripe' | 'amberflo' | 'bridge';
  eventId: string;
  eventType: string;
  /** The connected account that Stripe names; null for the bridge's own. */
  account: string | null;
  livemode: boolean;
  apiVersion: string | null;
  objectId: string | null;
  eventCreatedAt: Date | null;
  body: Buffer;
  /** A reason code stores the row as ignored, for instance `UNWANTED_TYPE` or `OTHER_LIVEMODE`. */
  ignoredBecause: string | null;
}

/** What became of one delivery. `duplicate`: the event id has a row already; `state` is that row's. */
export interface Recorded {
  id: string;
  eventId: string;
  outcome: 'new' | 'duplicate';
  state: EventState;
}

/** What arrives. */
export interface Deliveries {
  /**
   * Stores deliveries in one statement. A repeated event id adds no row; if its row is unfinished it becomes due at once.
   * Resolves after the commit, in the order of the input.
   */
  record(deliveries: readonly Delivery[], executor?: Executor): Promise<Recorded[]>;
  /** Of these event ids, those that have no row, or one that was ignored for the configuration of its day. */
  missing(eventIds: readonly string[]): Promise<string[]>;
}

/** In `recordText`: e is the row that is there, excluded the delivery that came now. */
const wantedNow = `(e.state = 'ignored' and e.reason_code in ('UNWANTED_TYPE', 'OTHER_LIVEMODE') and excluded.state = 'received')`;
const waiting = `(e.state = 'received' and e.due_at > clock_timestamp())`;

/**
 * A batch comes as one array per column, so that the text is the same for one delivery and for a hundred: PostgreSQL
 * plans it once, and values row by row cost more to write here and to read there than the insert itself. The bodies
 * travel as one value, end to end, since an array of bytes would be written as text; the rows say where each begins.
 * The text is whole and not built by drizzle, which took 5 % of a webhook's CPU.
 */
const recordText = `
insert into inbox.events as e (source, peer, event_id, event_type, account, livemode, api_version, object_id,
  event_created_at, deliveries, body, state, reason_code, finished_at)
select source, peer, event_id, event_type, account, livemode, api_version, object_id,
  event_created_at, deliveries, substring($1::bytea from body_from for body_bytes),
  case when ignored_because is null then 'received' else 'ignored' end, ignored_because,
  case when ignored_because is null then null else clock_timestamp() end
from unnest($2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[],
    $10::text[], $11::text[], $12::timestamptz[], $13::integer[], $14::text[])
  as arrived (body_from, body_bytes, source, peer, event_id, event_type, account, livemode,
    api_version, object_id, event_created_at, deliveries, ignored_because)
on conflict (event_id) do update set
  deliveries = e.deliveries + excluded.deliveries,
  last_delivery_at = clock_timestamp(),
  -- Ignored for the configuration of that day (a flow that was off, a key of the other mode) and wanted now.
  state = case when ${wantedNow} then 'received' else e.state end,
  finished_at = case when ${wantedNow} then null else e.finished_at end,
  reason_code = case when ${wantedNow} then null else e.reason_code end,
  due_at = case when ${wantedNow} then clock_timestamp()
    when e.state in ('received', 'processing') then least(e.due_at, clock_timestamp()) else e.due_at end,
  -- A job that waits for later would swallow the resend, so the row gets a new run and with it a new job.
  run = case when ${wantedNow} or ${waiting} then e.run + 1 else e.run end,
  queued_at = case when ${wantedNow} or ${waiting} then null else e.queued_at end,
  -- Erased while nobody wanted it.
  body = coalesce(e.body, case when ${wantedNow} then excluded.body end)
returning id, event_id, state, (xmax = 0) as is_new`;

interface RecordedRow {
  id: string;
  event_id: string;
  state: EventState;
  is_new: boolean;
}

/** The values of `recordText`. */
function recordValues(batch: readonly { delivery: Delivery; times: number }[]): unknown[] {
  const deliveries = batch.map(({ delivery }) => delivery);
  let next = 1;
  const starts = deliveries.map(({ body }) => {
    const start = next;
    next += body.length;
    return start;
  });
  return [
    Buffer.concat(deliveries.map(({ body }) => body)),
    starts,
    deliveries.map(({ body }) => body.length),
    deliveries.map(({ source }) => source),
    deliveries.map(({ peer }) => peer),
    deliveries.map(({ eventId }) => eventId),
    deliveries.map(({ eventType }) => eventType),
    deliveries.map(({ account }) => account),
    deliveries.map(({ livemode }) => livemode),
    deliveries.map(({ apiVersion }) => apiVersion),
    deliveries.map(({ objectId }) => objectId),
    deliveries.map(({ eventCreatedAt }) => eventCreatedAt?.toISOString() ?? null),
    batch.map(({ times }) => times),
    deliveries.map(({ ignoredBecause }) => ignoredBecause),
  ];
}

export function createDeliveries(database: Database): Deliveries {
  const { executor } = database;

  return {
    record: async (deliveries, within) => {
      if (deliveries.length === 0) return [];
      // One statement cannot touch one row twice, so repeats inside the batch are counted here.
      const first = new Map<string, { delivery: Delivery; times: number }>();
      for (const delivery of deliveries) {
        const seen = first.get(delivery.eventId);
        if (seen === undefined) first.set(delivery.eventId, { delivery, times: 1 });
        else seen.times += 1;
      }
      const { $client } = within ?? executor;
      const { rows: stored } = await $client.query<RecordedRow>({
        name: 'bridge_inbox_record',
        text: recordText,
        values: recordValues([...first.values()]),
      });
      const byEventId = new Map(stored.map((row) => [row.event_id, row]));
      const told = new Set<string>();
      return deliveries.map(({ eventId }) => {
        const row = byEventId.get(eventId);
        if (row === undefined) throw new Error(`The inbox did not return event ${eventId}`);
        const outcome = row.is_new && !told.has(eventId) ? 'new' : 'duplicate';
        told.add(eventId);
        return { id: row.id, eventId, outcome, state: row.state };
      });
    },

    missing: async (eventIds) => {
      if (eventIds.length === 0) return [];
      const found = await rows<{ event_id: string }>(
        executor,
        sql`select wanted.event_id from unnest(${sql.param(eventIds)}::text[]) as wanted (event_id)
            left join inbox.events e on e.event_id = wanted.event_id
            where e.id is null or (e.state = 'ignored' and e.reason_code in ('UNWANTED_TYPE', 'OTHER_LIVEMODE'))`,
      );
      return found.map((row) => row.event_id);
    },
  };
}
