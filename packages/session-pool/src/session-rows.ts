import { type SQL, sql } from 'drizzle-orm';
import { ms, msSince, type PoolDatabase, WITHOUT_WAITING } from './pool-database';

export interface SessionRowsOptions {
  database: PoolDatabase;
  owner: string;
  loginTimeoutMs: number;
  /** A session untouched for this long is surely dead at FileMaker. */
  surelyDeadMs: number;
  /** The same for one that may still have a script running. */
  surelyDeadAfterScriptMs: number;
}

export interface OpenSession {
  sessionId: string;
  sealedToken: Buffer;
  leaseId: string | undefined;
  leasedBy: string | undefined;
  fence: string | undefined;
  answeredAgoMs: number;
  /** No call of ours can have kept it alive: its life is over at FileMaker. */
  surelyDead: boolean;
}

/** What became of a lease since PostgreSQL confirmed it. */
export interface LeaseNote {
  sessionId: string;
  leaseId: string;
  /** The largest fence given to a caller. */
  fence: string;
  /** Undefined: none of its calls was answered. */
  answeredAgoMs: number | undefined;
  /** Redis has taken it back. */
  returned: boolean;
}

/** `knownLeaseId`: the last lease that PostgreSQL knows, which is not the one that Redis saw given back. */
export type LeaseConfirmation =
  | { kind: 'confirmed'; fence: string; epoch: string; sealedToken: Buffer }
  | { kind: 'doubtful'; knownLeaseId: string | undefined }
  | { kind: 'no-right' };

interface OpenRow {
  id: string;
  sealed_token: Buffer;
  lease_id: string | null;
  leased_by: string | null;
  fence: string | null;
  answered_ago_ms: number;
  surely_dead: boolean;
}

/** Open and closing sessions in PostgreSQL: whether a session may be lent, and the last lease known of it. */
export class SessionRows {
  readonly #options: SessionRowsOptions;
  readonly #database: PoolDatabase;

  constructor(options: SessionRowsOptions) {
    this.#options = options;
    this.#database = options.database;
  }

  /**
   * Confirms what Redis lent: the session still has the right to exist, belongs to this epoch, and the last lease we
   * know of is the one that Redis saw given back. Otherwise Redis forgot, or went back in time with a failover.
   */
  async confirmLease(sessionId: string, leaseId: string, returnedLeaseId: string): Promise<LeaseConfirmation> {
    const { owner } = this.#options;
    const row = await this.#database.one<{ fence: string; epoch: string; sealed_token: Buffer }>(
      sql`with ${WITHOUT_WAITING}
          update session_pool.sessions s
          set lease_id = ${leaseId}, leased_by = ${owner}, leased_at = clock_timestamp(),
              touched_at = clock_timestamp(), fence = nextval('session_pool.fences')
          from quick, session_pool.pool p
          where s.id = ${sessionId} and s.state = 'open' and s.epoch = p.epoch
            and (s.lease_id is null or s.lease_id = ${returnedLeaseId})
          returning s.fence::text, s.epoch::text, s.sealed_token`,
    );
    if (row !== undefined)
      return { kind: 'confirmed', fence: row.fence, epoch: row.epoch, sealedToken: row.sealed_token };
    const session = await this.find(sessionId);
    return session === undefined ? { kind: 'no-right' } : { kind: 'doubtful', knownLeaseId: session.leaseId };
  }

  /** After Redis. A later lease of the session is left alone. */
  async noteLeases(notes: readonly LeaseNote[]): Promise<void> {
    if (notes.length === 0) return;
    const given = notes.map((note) => ({
      id: note.sessionId,
      lease_id: note.leaseId,
      fence: note.fence,
      answered_ago_ms: note.answeredAgoMs ?? null,
      returned: note.returned,
    }));
    await this.#database.changed(
      sql`with ${WITHOUT_WAITING}
          update session_pool.sessions s
          set lease_id = case when n.returned then null else s.lease_id end,
              leased_by = case when n.returned then null else s.leased_by end,
              fence = greatest(s.fence, n.fence),
              answered_at = greatest(s.answered_at,
                clock_timestamp() - n.answered_ago_ms * interval '1 millisecond')
          from quick, jsonb_to_recordset(${JSON.stringify(given)}::jsonb)
            as n (id bigint, lease_id text, fence bigint, answered_ago_ms float8, returned boolean)
          where s.id = n.id and s.lease_id = n.lease_id`,
    );
  }

  /** The session is not counted any more. With a lease: only if that is the last one known. */
  async remove(sessionId: string, leaseId?: string): Promise<boolean> {
    const fenced = leaseId === undefined ? sql`true` : sql`lease_id = ${leaseId}`;
    const gone = sql`delete from session_pool.sessions where id = ${sessionId} and state <> 'opening' and ${fenced}`;
    return (await this.#database.changed(gone)) === 1;
  }

  async find(sessionId: string): Promise<OpenSession | undefined> {
    const [found] = await this.#open(sql`id = ${sessionId}`);
    return found;
  }

  async openSessions(): Promise<OpenSession[]> {
    return this.#open(sql`true`);
  }

  async #open(which: SQL): Promise<OpenSession[]> {
    const found = await this.#database.rows<OpenRow>(
      sql`select id::text, sealed_token, lease_id, leased_by, fence::text, ${msSince(sql`answered_at`)} as answered_ago_ms,
            touched_at < clock_timestamp() - ${ms(this.#options.surelyDeadAfterScriptMs)} as surely_dead
          from session_pool.sessions where state = 'open' and ${which} order by id`,
    );
    return found.map((row) => ({
      sessionId: row.id,
      sealedToken: row.sealed_token,
      leaseId: row.lease_id ?? undefined,
      leasedBy: row.leased_by ?? undefined,
      fence: row.fence ?? undefined,
      answeredAgoMs: row.answered_ago_ms,
      surelyDead: row.surely_dead,
    }));
  }

  /** FileMaker may count the session's life anew from here. */
  async touch(sessionId: string): Promise<void> {
    await this.#database.changed(
      sql`update session_pool.sessions set touched_at = clock_timestamp() where id = ${sessionId} and state = 'open'`,
    );
  }

  /** A look found the session free: its last lease is over, whoever held it. */
  async clearLease(sessionId: string, leaseId: string | undefined): Promise<boolean> {
    const freed = sql`update session_pool.sessions s set lease_id = null, leased_by = null, epoch = p.epoch
      from session_pool.pool p
      where s.id = ${sessionId} and s.state = 'open' and s.lease_id is not distinct from ${leaseId ?? null}`;
    return (await this.#database.changed(freed)) === 1;
  }

  /** From here on it is never lent; it counts until FileMaker has answered the logout. */
  async beginClosing(sessionId: string, lastLeaseId: string | undefined): Promise<Buffer | undefined> {
    const row = await this.#database.one<{ sealed_token: Buffer }>(
      sql`update session_pool.sessions set state = 'closing', closing_by = ${this.#options.owner},
            closing_at = clock_timestamp(), touched_at = clock_timestamp(), lease_id = null, leased_by = null
          where id = ${sessionId} and state = 'open' and (lease_id is null or lease_id = ${lastLeaseId ?? null})
          returning sealed_token`,
    );
    return row?.sealed_token;
  }

  /** Closing sessions nobody has tried to log out for `quietMs`, claimed by this owner. */
  async claimStuckClosing(quietMs: number): Promise<{ sessionId: string; sealedToken: Buffer }[]> {
    const claimed = await this.#database.rows<{ id: string; sealed_token: Buffer }>(
      sql`update session_pool.sessions set closing_by = ${this.#options.owner}, closing_at = clock_timestamp()
          where state = 'closing' and closing_at < clock_timestamp() - ${ms(quietMs)}
            and touched_at > clock_timestamp() - ${ms(this.#options.surelyDeadMs)}
          returning id::text, sealed_token`,
    );
    return claimed.map((row) => ({ sessionId: row.id, sealedToken: row.sealed_token }));
  }

  /**
   * Drops what has outlived every session: unheard logins, logins whose owner never wrote an end, and logouts without
   * an answer.
   */
  async forgetOutlived(): Promise<string[]> {
    const { surelyDeadMs, loginTimeoutMs } = this.#options;
    const dead = await this.#database.rows<{ id: string }>(
      sql`delete from session_pool.sessions
          where (state = 'closing' and touched_at < clock_timestamp() - ${ms(surelyDeadMs)})
             or (state = 'opening' and touched_at < clock_timestamp()
                 - (case when unheard_at is null then ${ms(surelyDeadMs + loginTimeoutMs)} else ${ms(surelyDeadMs)} end))
          returning id::text`,
    );
    return dead.map((row) => row.id);
  }

  async counts(): Promise<{ opening: number; closing: number; openIds: string[] }> {
    const found = await this.#database.rows<{ id: string; state: string }>(
      sql`select id::text, state from session_pool.sessions`,
    );
    return {
      opening: found.filter((row) => row.state === 'opening').length,
      closing: found.filter((row) => row.state === 'closing').length,
      openIds: found.filter((row) => row.state === 'open').map((row) => row.id),
    };
  }
}
