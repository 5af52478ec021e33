import { type Database, type Executor, oneRow, rows } from '@bridge/database';
import type { EffectState } from '@bridge/effects';
import type { EventState } from '@bridge/inbox';
import { type SQL, sql } from 'drizzle-orm';

// Questions to tables of other owners that their packages do not answer yet. Reading only; all of them stand here, so
// that a change of such a table finds its reader.

export interface EffectRow {
  id: string;
  kind: string;
  title: string;
  state: EffectState;
  target: unknown;
  attempts: number;
  /** It came from recovery and the peer has not been asked yet: it may have run before the bridge knew of it. */
  checkFirst: boolean;
  reasonCode: string | null;
  reason: string | null;
}

const effectRowColumns = sql`id, kind, title, state, target, attempts, check_first as "checkFirst", reason_code as "reasonCode", reason`;
const idArray = (ids: readonly string[]): SQL =>
  sql`array[${sql.join(
    ids.map((id) => sql`${id}`),
    sql`, `,
  )}]::text[]::bigint[]`;

/** Reads an effect that is about to be decided; nobody else changes it until the transaction ends. */
export function lockEffect(tx: Executor, id: string): Promise<EffectRow | undefined> {
  return oneRow<EffectRow>(tx, sql`select ${effectRowColumns} from effects.effects where id = ${id} for update`);
}

export async function readEffectRows(database: Database, ids: readonly string[]): Promise<EffectRow[]> {
  if (ids.length === 0) return [];
  return rows<EffectRow>(
    database.executor,
    sql`select ${effectRowColumns} from effects.effects where id = any(${idArray(ids)}) order by id`,
  );
}

/** An effect with the bytes that were frozen for it; null once they are erased. Customer data. */
export interface FrozenEffect extends EffectRow {
  key: string;
  verified: boolean | null;
  body: string | null;
}

/** Effects by their keys with the bytes that were frozen; those hold customer data. Null: erased. */
export async function readFrozenEffects(executor: Executor, keys: readonly string[]): Promise<FrozenEffect[]> {
  if (keys.length === 0) return [];
  const found = await rows<EffectRow & { key: string; verified: boolean | null; body: Buffer | null }>(
    executor,
    sql`select ${effectRowColumns}, key, verified, body from effects.effects where key = any(array[${sql.join(
      keys.map((key) => sql`${key}`),
      sql`, `,
    )}]::text[])`,
  );
  return found.map((row) => ({ ...row, body: row.body?.toString('utf8') ?? null }));
}

/** Reads how an event that is about to be decided stands; nobody else changes it until the transaction ends. */
export async function lockEvent(tx: Executor, id: string): Promise<EventState | undefined> {
  const row = await oneRow<{ state: EventState }>(tx, sql`select state from inbox.events where id = ${id} for update`);
  return row?.state;
}

export interface EventRow {
  id: string;
  eventId: string;
  eventType: string;
  state: EventState;
  /** Its body is gone: it cannot be read again. */
  erased: boolean;
}

export async function readEventRows(database: Database, ids: readonly string[]): Promise<EventRow[]> {
  if (ids.length === 0) return [];
  return rows<EventRow>(
    database.executor,
    sql`select id, event_id as "eventId", event_type as "eventType", state, body is null as erased from inbox.events
        where id = any(${idArray(ids)}) order by id`,
  );
}

/** What a list does not show of an effect. */
export interface EffectDetails {
  /** Where and how, as it was frozen when planned. */
  target: unknown;
  /** The peer is asked before it is sent. */
  checkFirst: boolean;
  /** The peer is only asked: it is never sent without a person's word. */
  askOnly: boolean;
  dueAt: Date;
  firstSentAt: Date | null;
  lastSentAt: Date | null;
  unknownSince: Date | null;
  /** A worker is at it now. */
  inHand: boolean;
  /** What the peer answered, or who decided and why. */
  result: unknown;
}

const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

export async function readEffectDetails(database: Database, id: string): Promise<EffectDetails | undefined> {
  const row = await oneRow<{
    target: unknown;
    check_first: boolean;
    ask_only: boolean;
    due_at: string;
    first_sent_at: string | null;
    last_sent_at: string | null;
    unknown_since: string | null;
    in_hand: boolean;
    result: unknown;
  }>(
    database.executor,
    sql`select target, check_first, ask_only, due_at, first_sent_at, last_sent_at, unknown_since, result,
          claimed_by is not null and claims.is_alive(claimed_by) as in_hand
        from effects.effects where id = ${id}`,
  );
  if (row === undefined) return undefined;
  return {
    target: row.target,
    checkFirst: row.check_first,
    askOnly: row.ask_only,
    dueAt: new Date(row.due_at),
    firstSentAt: date(row.first_sent_at),
    lastSentAt: date(row.last_sent_at),
    unknownSince: date(row.unknown_since),
    inHand: row.in_hand,
    result: row.result,
  };
}

/** What a list does not show of an event, without its body. */
export interface EventDetails {
  account: string | null;
  apiVersion: string | null;
  eventCreatedAt: Date | null;
  lastDeliveryAt: Date;
  dueAt: Date;
  /** Null once the body is erased. */
  bodyBytes: number | null;
}

export async function readEventDetails(database: Database, id: string): Promise<EventDetails | undefined> {
  const row = await oneRow<{
    account: string | null;
    api_version: string | null;
    event_created_at: string | null;
    last_delivery_at: string;
    due_at: string;
    body_bytes: number | null;
  }>(
    database.executor,
    sql`select account, api_version, event_created_at, last_delivery_at, due_at, octet_length(body) as body_bytes
        from inbox.events where id = ${id}`,
  );
  if (row === undefined) return undefined;
  return {
    account: row.account,
    apiVersion: row.api_version,
    eventCreatedAt: date(row.event_created_at),
    lastDeliveryAt: new Date(row.last_delivery_at),
    dueAt: new Date(row.due_at),
    bodyBytes: row.body_bytes,
  };
}

/** A row that waits for a person, with what its job on the queue board is made of. */
export interface ParkedRow {
  id: string;
  /** Part of its job's id, together with the row's or the event's. */
  run: number;
  /** Of events only. */
  eventId: string | null;
  reasonCode: string;
  reason: string | null;
  /** When the effect was planned, or the event arrived. */
  since: Date;
}

/** Those of these rows that are parked now, or the next `limit` parked ones after an id, in the order of their ids. */
export async function readParked(
  database: Database,
  of: 'effects' | 'events',
  which: { ids: readonly string[] } | { after: string; limit: number },
): Promise<ParkedRow[]> {
  if ('ids' in which && which.ids.length === 0) return [];
  const columns =
    of === 'effects'
      ? sql`id, run, null as event_id, reason_code, reason, planned_at as since from effects.effects`
      : sql`id, run, event_id, reason_code, reason, received_at as since from inbox.events`;
  const condition =
    'ids' in which
      ? sql`id = any(${idArray(which.ids)}) order by id`
      : sql`id > ${which.after}::bigint order by id limit ${which.limit}`;
  const found = await rows<{
    id: string;
    run: number;
    event_id: string | null;
    reason_code: string;
    reason: string | null;
    since: string;
  }>(database.executor, sql`select ${columns} where state = 'parked' and ${condition}`);
  return found.map(({ event_id, reason_code, since, ...row }) => ({
    ...row,
    eventId: event_id,
    reasonCode: reason_code,
    since: new Date(since),
  }));
}

/** Which of these Stripe events are in the inbox, in any state. */
export async function readKnownEvents(database: Database, eventIds: readonly string[]): Promise<Set<string>> {
  if (eventIds.length === 0) return new Set();
  const found = await rows<{ eventId: string }>(
    database.executor,
    sql`select event_id as "eventId" from inbox.events where event_id = any(array[${sql.join(
      eventIds.map((id) => sql`${id}`),
      sql`, `,
    )}]::text[])`,
  );
  return new Set(found.map(({ eventId }) => eventId));
}
