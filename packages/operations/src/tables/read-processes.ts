import { type Database, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';

// Questions about processes, FileMaker sessions and the database itself, to tables of other owners. Reading only.

const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

/** A process whose heartbeat is heard. `app`: `worker`, `scheduler`, or `cli` while it holds FileMaker sessions. */
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

/** A worker on a machine that pauses is silent for seconds; one that was stopped has said so. */
const SILENT_MAX_SECONDS = 60;

/**
 * Whether anybody is there to take up what a command has written down: a worker that has not stopped and was heard in the
 * last minute, by PostgreSQL's clock. Its claims are free after five seconds of silence already; that is no sign that it is gone.
 */
export async function isWorkerThere(database: Database): Promise<boolean> {
  const row = await oneRow<{ there: boolean }>(
    database.executor,
    sql`select exists (select 1 from claims.workers where app = 'worker' and stopped_at is null
          and heartbeat_at > clock_timestamp() - make_interval(secs => ${SILENT_MAX_SECONDS})) as there`,
  );
  return row?.there === true;
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

/** A right to a FileMaker session as it stands in PostgreSQL; the token stays sealed there. */
export interface SessionRow {
  id: string;
  /** `opening` before the login is answered, `idle` open and not on loan, `leased`, `closing` before the logout is answered. */
  state: 'opening' | 'idle' | 'leased' | 'closing';
  openedAt: Date;
  /** The last call that FileMaker answered, as far as PostgreSQL was told; null while it is opening. */
  answeredAt: Date | null;
  /** Who has it on loan, since when: a process as `app host:pid`, or its number when it is not known any more. */
  leasedBy: string | null;
  leasedAt: Date | null;
  /** False: its holder is dead, and the session is about to be taken back. */
  holderAlive: boolean | null;
}

export async function readSessionRows(database: Database): Promise<SessionRow[]> {
  const found = await rows<{
    id: string;
    state: SessionRow['state'];
    opened_at: string;
    answered_at: string | null;
    leased_by: string | null;
    leased_at: string | null;
    holder_alive: boolean | null;
  }>(
    database.executor,
    sql`select s.id::text, case when s.state = 'open' then case when s.lease_id is null then 'idle' else 'leased' end
            else s.state end as state,
          s.opened_at, s.answered_at, case when s.lease_id is null then null else s.leased_at end as leased_at,
          coalesce(w.app || ' ' || w.host || ':' || w.pid, s.leased_by) as leased_by,
          case when s.leased_by is null then null else claims.is_alive(s.leased_by) end as holder_alive
        from session_pool.sessions s left join claims.workers w on w.id = s.leased_by
        order by s.id`,
  );
  return found.map((row) => ({
    id: row.id,
    state: row.state,
    openedAt: new Date(row.opened_at),
    answeredAt: date(row.answered_at),
    leasedBy: row.leased_by,
    leasedAt: date(row.leased_at),
    holderAlive: row.holder_alive,
  }));
}

/** Why nobody may log in to FileMaker just now, and how many places a full server has taken away for a while. */
export interface PoolHold {
  heldUntil: Date | null;
  heldBecause: string | null;
  placesTaken: number;
  placesTakenAt: Date | null;
}

export async function readPoolHold(database: Database): Promise<PoolHold> {
  const row = await oneRow<{
    held_until: string | null;
    held_because: string | null;
    shrunk_by: number;
    shrunk_at: string | null;
  }>(
    database.executor,
    sql`select case when held_until > clock_timestamp() then held_until end as held_until,
          case when held_until > clock_timestamp() then held_because end as held_because,
          shrunk_by, shrunk_at from session_pool.pool`,
  );
  return {
    heldUntil: date(row?.held_until ?? null),
    heldBecause: row?.held_because ?? null,
    placesTaken: row?.shrunk_by ?? 0,
    placesTakenAt: date(row?.shrunk_at ?? null),
  };
}

/** The fingerprint of the peer this database belongs to; null before the first worker has met it. */
export async function readPeerFingerprint(database: Database, peer: 'stripe' | 'filemaker'): Promise<string | null> {
  const column = peer === 'stripe' ? sql`stripe_fingerprint` : sql`filemaker_fingerprint`;
  const row = await oneRow<{ print: string | null }>(
    database.executor,
    sql`select ${column} as print from installation.installation`,
  );
  return row?.print ?? null;
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
