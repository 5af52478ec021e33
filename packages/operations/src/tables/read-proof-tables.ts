import { type Executor, oneRow, rows } from '@bridge/database';
import type { EffectState } from '@bridge/effects';
import { type SQL, sql } from 'drizzle-orm';

// Questions of `prove`, the closing of the day and the report to tables of other owners. Reading only; like those of
// read-engine-tables.ts they stand together, so that a change of such a table finds its reader.

const textArray = (values: readonly string[]): SQL => sql`${sql.param([...values])}::text[]`;

/** How the effect of a key stands. */
export interface EffectStanding {
  id: string;
  key: string;
  state: EffectState;
  verified: boolean | null;
  reasonCode: string | null;
  reason: string | null;
  settledAt: Date | null;
}

export async function readEffectStandings(
  executor: Executor,
  keys: readonly string[],
): Promise<Map<string, EffectStanding>> {
  if (keys.length === 0) return new Map();
  const found = await rows<Omit<EffectStanding, 'settledAt'> & { settledAt: string | null }>(
    executor,
    sql`select id, key, state, verified, reason_code as "reasonCode", reason, settled_at as "settledAt"
        from effects.effects where key = any(${textArray(keys)})`,
  );
  return new Map(
    found.map((row) => [row.key, { ...row, settledAt: row.settledAt === null ? null : new Date(row.settledAt) }]),
  );
}

/** Why events are parked, by event id; events that are not parked any more are left out. */
export async function readParkedReasons(
  executor: Executor,
  eventIds: readonly string[],
): Promise<Map<string, { id: string; reason: string | null }>> {
  if (eventIds.length === 0) return new Map();
  const found = await rows<{ id: string; eventId: string; reason: string | null }>(
    executor,
    sql`select id, event_id as "eventId", reason from inbox.events where event_id = any(${textArray(eventIds)}) and state = 'parked'`,
  );
  return new Map(found.map(({ eventId, ...row }) => [eventId, row]));
}

/** An event of the inbox with its times, without its body. */
export interface ProofEvent {
  id: string;
  eventId: string;
  eventType: string;
  source: 'webhook' | 'pull' | 'operator' | 'reconciliation';
  /** Who made the event: `bridge` where a person or reconciliation did. */
  peer: 'stripe' | 'amberflo' | 'bridge';
  objectId: string | null;
  state: 'received' | 'processing' | 'processed' | 'ignored' | 'parked';
  deliveries: number;
  reasonCode: string | null;
  reason: string | null;
  createdAt: Date | null;
  receivedAt: Date;
  lastDeliveryAt: Date;
  finishedAt: Date | null;
}

const EVENTS_MAX = 500;
const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

/** Events by row id, event id, or the object they are about; the oldest first. */
export async function readProofEvents(
  executor: Executor,
  by: { ids?: readonly string[]; eventIds?: readonly string[]; objectIds?: readonly string[] },
): Promise<ProofEvent[]> {
  const found = await rows<
    Omit<ProofEvent, 'createdAt' | 'receivedAt' | 'lastDeliveryAt' | 'finishedAt'> & {
      created_at: string | null;
      received_at: string;
      last_delivery_at: string;
      finished_at: string | null;
    }
  >(
    executor,
    sql`select id, event_id as "eventId", event_type as "eventType", source, peer, object_id as "objectId", state, deliveries,
          reason_code as "reasonCode", reason, event_created_at as created_at, received_at, last_delivery_at, finished_at
        from inbox.events
        where id = any(${textArray(by.ids ?? [])}::bigint[]) or event_id = any(${textArray(by.eventIds ?? [])})
          or object_id = any(${textArray(by.objectIds ?? [])})
        order by received_at, id limit ${EVENTS_MAX}`,
  );
  return found.map(({ created_at, received_at, last_delivery_at, finished_at, ...row }) => ({
    ...row,
    createdAt: date(created_at),
    receivedAt: new Date(received_at),
    lastDeliveryAt: new Date(last_delivery_at),
    finishedAt: date(finished_at),
  }));
}

/** An effect with everything but its bytes. */
export interface ProofEffect extends EffectStanding {
  kind: string;
  title: string;
  lane: string | null;
  target: unknown;
  subject: Record<string, unknown>;
  origin: string;
  checkFirst: boolean;
  attempts: number;
  plannedAt: Date;
  unknownSince: Date | null;
  result: unknown;
}

const EFFECTS_MAX = 200;

/** Effects by row id or key, the oldest first. */
export async function readProofEffects(
  executor: Executor,
  by: { ids?: readonly string[]; keys?: readonly string[] },
): Promise<ProofEffect[]> {
  const found = await rows<
    Omit<ProofEffect, 'settledAt' | 'plannedAt' | 'unknownSince'> & {
      settled_at: string | null;
      planned_at: string;
      unknown_since: string | null;
    }
  >(
    executor,
    sql`select id, key, kind, title, lane, target, subject, origin, state, verified, attempts, reason_code as "reasonCode", reason,
          check_first as "checkFirst", planned_at, unknown_since, settled_at, result
        from effects.effects where id = any(${textArray(by.ids ?? [])}::bigint[]) or key = any(${textArray(by.keys ?? [])})
        order by planned_at, id limit ${EFFECTS_MAX}`,
  );
  return found.map(({ settled_at, planned_at, unknown_since, ...row }) => ({
    ...row,
    settledAt: date(settled_at),
    plannedAt: new Date(planned_at),
    unknownSince: date(unknown_since),
  }));
}

/** `12/345`, or the session alone: `12`. */
const SESSION = /^\d{1,18}(?:\/\d{1,18})?$/;

/** Effects that a FileMaker session carried, the latest first. */
export async function readEffectsOfSession(executor: Executor, sessionId: string): Promise<string[]> {
  if (!SESSION.test(sessionId)) return [];
  // The index compares byte by byte, whatever the database's language: `0` is the sign behind `/`.
  const within = sessionId.includes('/')
    ? sql`session_id = ${sessionId}`
    : sql`(session_id = ${sessionId} or (session_id ~>=~ ${`${sessionId}/`} and session_id ~<~ ${`${sessionId}0`}))`;
  const found = await rows<{ effect_id: string }>(
    executor,
    sql`select effect_id from (select effect_id, max(id) as latest from effects.attempts where ${within} group by effect_id) seen
        order by latest desc limit 20`,
  );
  return found.map(({ effect_id }) => effect_id);
}

/** The effect that an attempt was about, by the attempt's number. */
export async function readEffectOfAttempt(executor: Executor, attemptId: string): Promise<string | undefined> {
  const row = await oneRow<{ effect_id: string }>(
    executor,
    sql`select effect_id from effects.attempts where id = ${attemptId}`,
  );
  return row?.effect_id;
}

/** A process that worked, by the id that log lines and attempts carry. */
export function readWorkerRow(
  executor: Executor,
  id: string,
): Promise<{ app: string; host: string; pid: number; started_at: string; alive: boolean } | undefined> {
  return oneRow(
    executor,
    sql`select app, host, pid, started_at, claims.is_alive(id) as alive from claims.workers where id = ${id}`,
  );
}

/** Whether a table is there: parts of the product come later than others. */
export async function hasTable(executor: Executor, name: string): Promise<boolean> {
  const row = await oneRow<{ there: boolean }>(executor, sql`select to_regclass(${name}) is not null as there`);
  return row?.there ?? false;
}
