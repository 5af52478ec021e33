import { changed, type Database, type Executor, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { EventState } from './event';

/** What to look for: rows that hold one of these texts as a whole JSON string in their body, or are about one of these objects. */
export interface Traces {
  texts: readonly string[];
  objectIds: readonly string[];
  /** In small letters: rows whose body has it anywhere are told too, as not `named`; the caller looks at them closely. */
  piece?: string;
}

/** An event about a customer who wants to be forgotten. */
export interface TracedEvent {
  id: string;
  eventId: string;
  state: EventState;
  /** Null: erased already. */
  body: Buffer | null;
  /** It is about one of the objects, or has one of the texts as a whole string. False: it only has the piece in it. */
  named: boolean;
}

/**
 * A JSON string as `encode(…, 'escape')` of PostgreSQL writes its bytes, in small letters: people and Stripe do not agree
 * about capital letters in addresses.
 */
export function needleOf(text: string): string {
  const bytes = Buffer.from(JSON.stringify(text), 'utf8');
  let escaped = '';
  for (const byte of bytes) {
    if (byte === 0x5c) escaped += '\\\\';
    else if (byte === 0 || byte >= 0x80) escaped += `\\${byte.toString(8).padStart(3, '0')}`;
    else escaped += String.fromCharCode(byte);
  }
  return escaped.toLowerCase();
}

/** One page of rows behind `after`: those with a trace, and the last row that was looked at. Reads every body: seldom used. */
export async function traceEvents(
  database: Database,
  traces: Traces,
  page: { after: string; limit: number },
): Promise<{ found: TracedEvent[]; last?: string }> {
  const row = await oneRow<{
    last: string | null;
    found: { id: string; event_id: string; state: EventState; body: string | null; named: boolean }[] | null;
  }>(
    database.executor,
    sql`with page as (
          select id, event_id, state, object_id, body, lower(encode(body, 'escape')) as words
          from inbox.events where id > ${page.after}::bigint order by id limit ${page.limit}),
        judged as (
          select *, coalesce(object_id = any(${sql.param(traces.objectIds)}::text[]), false)
            or exists (select 1 from unnest(${sql.param(traces.texts.map(needleOf))}::text[]) as t (needle)
                where strpos(words, t.needle) > 0) as named
          from page)
        select (select max(id)::text from page) as last,
          (select json_agg(json_build_object('id', id::text, 'event_id', event_id, 'state', state, 'named', named,
              'body', encode(body, 'base64')) order by id)
           from judged
           where named or (${traces.piece ?? ''} <> '' and strpos(words, ${traces.piece ?? ''}) > 0)) as found`,
  );
  const last = row?.last ?? undefined;
  return {
    found: (row?.found ?? []).map(({ event_id, body, ...rest }) => ({
      ...rest,
      eventId: event_id,
      body: body === null ? null : Buffer.from(body, 'base64'),
    })),
    ...(last === undefined ? {} : { last }),
  };
}

/** Erases the bodies of these rows, as far as they are finished; their SHA-256 stays. Returns how many. */
export async function forgetEvents(tx: Executor, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  return changed(
    tx,
    sql`update inbox.events set body = null, body_sha256 = sha256(body)
        where id = any(${sql.param(ids)}::bigint[]) and body is not null and state in ('processed', 'ignored')`,
  );
}

/** Of `Inbox`: one batch of the nightly erasing. */
export async function eraseBodies(
  { executor }: Database,
  { before, after, limit }: { before: Date; after: string; limit: number },
): Promise<{ erased: number; last?: string }> {
  const row = await oneRow<{ erased: number; last: string | null }>(
    executor,
    sql`with looked as (
              select id, body is not null and state in ('processed', 'ignored') as erasable from inbox.events
              where id > ${after}::bigint and received_at < ${before.toISOString()}::timestamptz order by id limit ${limit}),
            erased as (
              update inbox.events e set body = null, body_sha256 = sha256(e.body) from looked
              where e.id = looked.id and looked.erasable and e.body is not null and e.state in ('processed', 'ignored')
              returning 1)
            select (select count(*)::int from erased) as erased, (select max(id)::text from looked) as last`,
  );
  const last = row?.last ?? undefined;
  return { erased: row?.erased ?? 0, ...(last === undefined ? {} : { last }) };
}
