import { type Database, oneRow, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import type { EventSource, EventState } from './event';

/** An inbox row as people see it: without its body. */
export interface EventSummary {
  id: string;
  eventId: string;
  eventType: string;
  source: EventSource;
  state: EventState;
  livemode: boolean;
  objectId: string | null;
  deliveries: number;
  starts: number;
  reasonCode: string | null;
  reason: string | null;
  receivedAt: Date;
  finishedAt: Date | null;
}

/** What to list; a row must fit everything that is given. */
export interface EventFilter {
  state?: EventState;
  /** Exactly, or the beginning when it ends with `*`. */
  type?: string;
  objectId?: string;
  source?: EventSource;
  /** Arrived at or after. */
  since?: Date;
  /** Arrived before. */
  until?: Date;
  /** The beginning of Stripe's event id. */
  eventIdPrefix?: string;
  /** Rows older than this one: the `id` of the last row of the page before. */
  before?: string;
  limit: number;
}

/** What people, figures and reconciliation see of the inbox. */
export interface EventSummaries {
  /** By row id or event id. */
  find(idOrEventId: string): Promise<EventSummary | undefined>;
  /** The bytes as they came; undefined when there is no such row, null when they are erased. */
  bodyOf(id: string): Promise<Buffer | null | undefined>;
  /** Whether an event about this object is still to be worked on. */
  hasUnfinished(objectId: string): Promise<boolean>;
  /** Of these objects, the ones about which an event is still to be worked on. */
  unfinishedAmong(objectIds: readonly string[]): Promise<Set<string>>;
  /** The newest first. */
  list(filter: EventFilter): Promise<EventSummary[]>;
  /** How many rows stand how. */
  counts(): Promise<Record<EventState, number>>;
  /** Age of the oldest unfinished row in seconds; 0 when there is none. */
  oldestUnfinishedSeconds(): Promise<number>;
}

interface SummaryRow {
  id: string;
  event_id: string;
  event_type: string;
  source: EventSource;
  state: EventState;
  livemode: boolean;
  object_id: string | null;
  deliveries: number;
  starts: number;
  reason_code: string | null;
  reason: string | null;
  received_at: string;
  finished_at: string | null;
}

const summaryColumns = sql`id, event_id, event_type, source, state, livemode, object_id, deliveries, starts, reason_code, reason,
  received_at, finished_at`;

function summaryOf(row: SummaryRow): EventSummary {
  return {
    id: row.id,
    eventId: row.event_id,
    eventType: row.event_type,
    source: row.source,
    state: row.state,
    livemode: row.livemode,
    objectId: row.object_id,
    deliveries: row.deliveries,
    starts: row.starts,
    reasonCode: row.reason_code,
    reason: row.reason,
    receivedAt: new Date(row.received_at),
    finishedAt: row.finished_at === null ? null : new Date(row.finished_at),
  };
}

/** The beginning of a text, taken literally. */
const beginningOf = (text: string): string => `${text.replace(/[\\%_]/g, '\\$&')}%`;

function conditionsOf(filter: EventFilter): SQL[] {
  const { state, type, objectId, source, since, until, eventIdPrefix, before } = filter;
  const conditions: SQL[] = [];
  if (state !== undefined) conditions.push(sql`state = ${state}`);
  if (type?.endsWith('*') === true) conditions.push(sql`event_type like ${beginningOf(type.slice(0, -1))}`);
  else if (type !== undefined) conditions.push(sql`event_type = ${type}`);
  if (objectId !== undefined) conditions.push(sql`object_id = ${objectId}`);
  if (source !== undefined) conditions.push(sql`source = ${source}`);
  if (since !== undefined) conditions.push(sql`received_at >= ${since.toISOString()}::timestamptz`);
  if (until !== undefined) conditions.push(sql`received_at < ${until.toISOString()}::timestamptz`);
  if (eventIdPrefix !== undefined) conditions.push(sql`event_id like ${beginningOf(eventIdPrefix)}`);
  if (before !== undefined) conditions.push(sql`id < ${before}::bigint`);
  return conditions;
}

export function createEventSummaries(database: Database): EventSummaries {
  const { executor } = database;

  return {
    find: async (idOrEventId) => {
      const by = /^\d{1,18}$/.test(idOrEventId) ? sql`id = ${idOrEventId}` : sql`event_id = ${idOrEventId}`;
      const row = await oneRow<SummaryRow>(executor, sql`select ${summaryColumns} from inbox.events where ${by}`);
      return row === undefined ? undefined : summaryOf(row);
    },

    bodyOf: async (id) => {
      const row = await oneRow<{ body: Buffer | null }>(executor, sql`select body from inbox.events where id = ${id}`);
      return row?.body;
    },

    hasUnfinished: async (objectId) => {
      const row = await oneRow<{ there: boolean }>(
        executor,
        sql`select exists (select 1 from inbox.events where object_id = ${objectId} and state in ('received', 'processing')) as there`,
      );
      return row?.there ?? false;
    },

    unfinishedAmong: async (objectIds) => {
      if (objectIds.length === 0) return new Set();
      const found = await rows<{ object_id: string }>(
        executor,
        sql`select distinct object_id from inbox.events
            where object_id = any(${sql.param(objectIds)}::text[]) and state in ('received', 'processing')`,
      );
      return new Set(found.map((row) => row.object_id));
    },

    list: async (filter) => {
      const conditions = conditionsOf(filter);
      const where = conditions.length === 0 ? sql`` : sql`where ${sql.join(conditions, sql` and `)}`;
      const found = await rows<SummaryRow>(
        executor,
        sql`select ${summaryColumns} from inbox.events ${where} order by id desc limit ${filter.limit}`,
      );
      return found.map(summaryOf);
    },

    counts: async () => {
      const counts: Record<EventState, number> = { received: 0, processing: 0, processed: 0, ignored: 0, parked: 0 };
      const found = await rows<{ state: EventState; n: number }>(
        executor,
        sql`select state, count(*)::int as n from inbox.events group by state`,
      );
      for (const row of found) counts[row.state] = row.n;
      return counts;
    },

    oldestUnfinishedSeconds: async () => {
      const row = await oneRow<{ seconds: number }>(
        executor,
        sql`select coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0)::float8 as seconds
            from inbox.events where state in ('received', 'processing')`,
      );
      return row?.seconds ?? 0;
    },
  };
}
