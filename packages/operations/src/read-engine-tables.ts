import { type Database, oneRow, rows } from '@bridge/database';
import type { EffectState } from '@bridge/effects';
import type { EventState } from '@bridge/inbox';
import { sql } from 'drizzle-orm';

// Questions to tables of other owners that their packages do not answer yet. Reading only; all of them stand here, so
// that a change of such a table finds its reader.

export interface EffectRow {
  id: string;
  kind: string;
  title: string;
  state: EffectState;
  target: unknown;
  reason: string | null;
  /** When it was last claimed and not given back. */
  claimed: boolean;
}

export function readEffect(database: Database, id: string): Promise<EffectRow | undefined> {
  return oneRow<EffectRow>(
    database.executor,
    sql`select id, kind, title, state, target, reason, claimed_by is not null as claimed from effects.effects where id = ${id}`,
  );
}

export interface EventRow {
  id: string;
  eventId: string;
  eventType: string;
  state: EventState;
  hasBody: boolean;
}

export function readEvent(database: Database, id: string): Promise<EventRow | undefined> {
  return oneRow<EventRow>(
    database.executor,
    sql`select id, event_id as "eventId", event_type as "eventType", state, body is not null as "hasBody" from inbox.events where id = ${id}`,
  );
}

/** Which of these rows are parked now. */
export async function parkedAmong(
  database: Database,
  of: 'effects' | 'events',
  ids: readonly string[],
): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const table = of === 'effects' ? sql`effects.effects` : sql`inbox.events`;
  const found = await rows<{ id: string }>(
    database.executor,
    sql`select id from ${table} where state = 'parked' and id = any(array[${sql.join(
      ids.map((id) => sql`${id}`),
      sql`, `,
    )}]::text[]::bigint[])`,
  );
  return new Set(found.map((row) => row.id));
}

export async function countUnverified(database: Database): Promise<number> {
  const row = await oneRow<{ n: number }>(
    database.executor,
    sql`select count(*)::int as n from effects.effects where state = 'done' and not verified`,
  );
  return row?.n ?? 0;
}

export interface LivingProcess {
  id: string;
  app: string;
  host: string;
  pid: number;
  startedAt: Date;
}

/** Processes whose heartbeat is heard, and which apps were ever heard of. */
export async function readProcesses(database: Database): Promise<{ living: LivingProcess[]; everSeen: string[] }> {
  const found = await rows<Omit<LivingProcess, 'startedAt'> & { started_at: string; alive: boolean }>(
    database.executor,
    sql`select id, app, host, pid, started_at, claims.is_alive(id) as alive from claims.workers order by app, started_at`,
  );
  const living = found
    .filter((row) => row.alive)
    .map(({ id, app, host, pid, started_at }) => ({ id, app, host, pid, startedAt: new Date(started_at) }));
  return { living, everSeen: [...new Set(found.map((row) => row.app))] };
}

/** FileMaker sessions by what PostgreSQL knows of them. All count against FILEMAKER_MAX_SESSIONS. */
export interface SessionCensus {
  opening: number;
  /** Open and not on loan. */
  idle: number;
  leased: number;
  closing: number;
}

export async function readSessionCensus(database: Database): Promise<SessionCensus> {
  const row = await oneRow<SessionCensus>(
    database.executor,
    sql`select count(*) filter (where state = 'opening')::int as opening,
          count(*) filter (where state = 'open' and lease_id is null)::int as idle,
          count(*) filter (where state = 'open' and lease_id is not null)::int as leased,
          count(*) filter (where state = 'closing')::int as closing
        from session_pool.sessions`,
  );
  return row ?? { opening: 0, idle: 0, leased: 0, closing: 0 };
}

/** What the ledger of migrations says was applied; empty on a database that never saw the bridge. */
export async function readLedger(database: Database): Promise<{ owner: string; name: string; sha256: string }[]> {
  const ledger = await oneRow<{ name: string | null }>(
    database.executor,
    sql`select to_regclass('bridge.migrations')::text as name`,
  );
  if (ledger?.name == null) return [];
  return rows(
    database.executor,
    sql`select owner, name, sha256 from bridge.migrations order by applied_at, owner, name`,
  );
}

export async function readServerVersion(database: Database): Promise<string> {
  const row = await oneRow<{ server_version: string }>(database.executor, sql`show server_version`);
  return row?.server_version.split(' ')[0] ?? 'unknown';
}
