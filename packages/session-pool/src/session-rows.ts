import { changed, type Database, oneRow, rows, type Transaction } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import { decideLogin, effectiveCap, holdAfterFailureMs, type LoginDecision, stillShrunkBy } from './login-decision';
import { PoolError } from './pool-error';
import type { OpenerVerdict } from './session-opener';

export interface SessionRowsOptions {
  database: Database;
  owner: string;
  cap: number;
  loginsAtOnce: number;
  loginsPerSecond: number;
  loginTimeoutMs: number;
  capacityHoldMs: number;
  /** A session untouched for this long is surely dead at FileMaker. */
  surelyDeadMs: number;
  /** The same for one that may still have a script running. */
  surelyDeadAfterScriptMs: number;
}

export interface PoolFacts {
  epoch: string;
  effectiveCap: number;
  heldForMs: number;
  heldBecause: OpenerVerdict | undefined;
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

export type LoginSettlement =
  | { verdict: 'opened'; sealedToken: Buffer }
  | { verdict: 'never-sent' }
  | { verdict: OpenerVerdict };

interface PoolRow {
  epoch: string;
  next_login_in_ms: number;
  held_for_ms: number;
  held_because: OpenerVerdict | null;
  failures: number;
  shrunk_by: number;
  shrunk_ago_ms: number;
}

interface OpenRow {
  id: string;
  sealed_token: Buffer;
  lease_id: string | null;
  leased_by: string | null;
  fence: string | null;
  answered_ago_ms: number;
  surely_dead: boolean;
}

const msUntil = (moment: SQL) => sql`coalesce(extract(epoch from ${moment} - clock_timestamp()) * 1000, 0)::float8`;
const msSince = (moment: SQL) => sql`coalesce(extract(epoch from clock_timestamp() - ${moment}) * 1000, 0)::float8`;
const ms = (duration: number) => sql`${duration}::float8 * interval '1 millisecond'`;

const POOL_COLUMNS = sql`epoch::text, ${msUntil(sql`next_login_at`)} as next_login_in_ms,
  ${msUntil(sql`held_until`)} as held_for_ms, held_because, failures, shrunk_by, ${msSince(sql`shrunk_at`)} as shrunk_ago_ms`;

/**
 * Lets a statement commit without waiting for the disk. Only for what a crash may lose: who holds a session. A fence
 * that anything durable refers to is durable too, since the log is written in order.
 */
const WITHOUT_WAITING = sql`quick as (select set_config('synchronous_commit', 'off', true))`;

/** The PostgreSQL half of the pool: the right to a session. Every failure is a PoolError POOL_DATABASE_DOWN. */
export class SessionRows {
  readonly #options: SessionRowsOptions;

  constructor(options: SessionRowsOptions) {
    this.#options = options;
  }

  /** An id for a session about to be opened; known before its row, so that a lost commit can be undone. */
  async nextId(): Promise<string> {
    const row = await this.#one<{ id: string }>(sql`select nextval('session_pool.session_ids')::text as id`);
    return row?.id ?? '';
  }

  /** Inserts the row that is the right to log in, if the cap and the pace of logins allow it. */
  async reserve(sessionId: string): Promise<LoginDecision & { sessions: number }> {
    const { owner, loginsPerSecond } = this.#options;
    return this.#transaction(async (tx) => {
      const pool = await this.#lockPool(tx);
      // A statement of its own after the lock: it sees what the last holder of the lock committed.
      const counts = await oneRow<{ sessions: number; logins: number }>(
        tx,
        sql`select count(*)::int as sessions, (count(*) filter (where state = 'opening' and unheard_at is null
              and opened_at > clock_timestamp() - ${ms(this.#options.loginTimeoutMs)}))::int as logins
            from session_pool.sessions`,
      );
      const sessions = counts?.sessions ?? 0;
      const decision = decideLogin({
        cap: this.#options.cap,
        sessions,
        loginsUnderWay: counts?.logins ?? 0,
        loginsAtOnce: this.#options.loginsAtOnce,
        nextLoginInMs: pool.next_login_in_ms,
        heldForMs: pool.held_for_ms,
        heldBecause: pool.held_because ?? undefined,
        failures: pool.failures,
        shrunkBy: pool.shrunk_by,
        shrunkAgoMs: pool.shrunk_ago_ms,
        capacityHoldMs: this.#options.capacityHoldMs,
      });
      if (!decision.go) return { ...decision, sessions };
      await changed(
        tx,
        sql`insert into session_pool.sessions (id, state, epoch, opened_by)
            values (${sessionId}, 'opening', ${pool.epoch}, ${owner})`,
      );
      await changed(
        tx,
        sql`update session_pool.pool set next_login_at = clock_timestamp() + ${ms(1_000 / loginsPerSecond)}`,
      );
      return { ...decision, sessions: sessions + 1 };
    });
  }

  /**
   * Writes down how a login ended; may be told twice. `changed`: this call wrote it. `known`: the row stands as told.
   * `open` is the number of other sessions that may still be lent.
   * `first`: of logins under way together, the one that reports wrong credentials.
   */
  async settleLogin(
    sessionId: string,
    settlement: LoginSettlement,
  ): Promise<{ changed: boolean; known: boolean; open: number; first: boolean }> {
    const { verdict } = settlement;
    return this.#transaction(async (tx) => {
      const pool = await this.#lockPool(tx);
      const written = await this.#settleRow(tx, sessionId, settlement);
      let first = false;
      if (verdict === 'opened') {
        await changed(tx, sql`update session_pool.pool set failures = 0, held_until = null, held_because = null`);
      } else if (verdict !== 'never-sent') {
        if (written) first = await this.#noteFailure(tx, verdict, pool);
      }
      const sealed = verdict === 'opened' && 'sealedToken' in settlement ? settlement.sealedToken : null;
      const row = await oneRow<{ open: number; same: number }>(
        tx,
        sql`select (count(*) filter (where id <> ${sessionId}))::int as open,
              (count(*) filter (where id = ${sessionId} and sealed_token = ${sealed}::bytea))::int as same
            from session_pool.sessions where state = 'open'`,
      );
      return { changed: written, known: written || (row?.same ?? 0) > 0, open: row?.open ?? 0, first };
    });
  }

  async #settleRow(tx: Transaction, sessionId: string, settlement: LoginSettlement): Promise<boolean> {
    if (settlement.verdict === 'opened') {
      const opened = sql`update session_pool.sessions set state = 'open', sealed_token = ${settlement.sealedToken},
          unheard_at = null, answered_at = clock_timestamp(), touched_at = clock_timestamp()
        where id = ${sessionId} and state = 'opening'`;
      return (await changed(tx, opened)) === 1;
    }
    if (settlement.verdict === 'unheard') {
      const unheard = sql`update session_pool.sessions set unheard_at = clock_timestamp(), touched_at = clock_timestamp()
        where id = ${sessionId} and state = 'opening' and unheard_at is null`;
      return (await changed(tx, unheard)) === 1;
    }
    const removed = sql`delete from session_pool.sessions where id = ${sessionId} and state = 'opening'`;
    return (await changed(tx, removed)) === 1;
  }

  async #noteFailure(tx: Transaction, verdict: OpenerVerdict, pool: PoolRow): Promise<boolean> {
    const failures = pool.failures + 1;
    const holdMs = holdAfterFailureMs(verdict, failures);
    await changed(
      tx,
      sql`update session_pool.pool set failures = ${failures}, held_because = ${verdict},
            held_until = clock_timestamp() + ${ms(holdMs)}`,
    );
    if (verdict === 'capacity') {
      const { cap, capacityHoldMs } = this.#options;
      const shrunk = stillShrunkBy({ shrunkBy: pool.shrunk_by, shrunkAgoMs: pool.shrunk_ago_ms, capacityHoldMs }) + 1;
      await changed(
        tx,
        sql`update session_pool.pool set shrunk_by = ${Math.min(shrunk, cap - 1)}, shrunk_at = clock_timestamp()`,
      );
    }
    if (verdict !== 'credentials') return false;
    const told = sql`update session_pool.pool set credentials_refused_at = clock_timestamp()
      where credentials_refused_at is null or credentials_refused_at < clock_timestamp() - ${ms(holdMs)}`;
    return (await changed(tx, told)) === 1;
  }

  /** A look or a login elsewhere found FileMaker away: nobody tries before this has passed. */
  async hold(verdict: OpenerVerdict): Promise<void> {
    await this.#transaction(async (tx) => {
      const pool = await this.#lockPool(tx);
      await this.#noteFailure(tx, verdict, pool);
    });
  }

  async facts(): Promise<PoolFacts> {
    const pool = await this.#one<PoolRow>(sql`select ${POOL_COLUMNS} from session_pool.pool`);
    if (pool === undefined) throw new PoolError('POOL_DATABASE_DOWN', 'The row session_pool.pool is missing');
    const { cap, capacityHoldMs } = this.#options;
    return {
      epoch: pool.epoch,
      effectiveCap: effectiveCap({ cap, shrunkBy: pool.shrunk_by, shrunkAgoMs: pool.shrunk_ago_ms, capacityHoldMs }),
      heldForMs: Math.max(0, pool.held_for_ms),
      heldBecause: pool.held_because ?? undefined,
    };
  }

  /**
   * Confirms what Redis lent: the session still has the right to exist, belongs to this epoch, and the last lease we
   * know of is the one that Redis saw given back. Otherwise Redis forgot, or went back in time with a failover.
   */
  async confirmLease(
    sessionId: string,
    leaseId: string,
    returnedLeaseId: string,
  ): Promise<{ fence: string; epoch: string; sealedToken: Buffer } | 'doubtful' | 'no-right'> {
    const { owner } = this.#options;
    const row = await this.#one<{ fence: string; epoch: string; sealed_token: Buffer }>(
      sql`with ${WITHOUT_WAITING}
          update session_pool.sessions s
          set lease_id = ${leaseId}, leased_by = ${owner}, leased_at = clock_timestamp(),
              touched_at = clock_timestamp(), fence = nextval('session_pool.fences')
          from quick, session_pool.pool p
          where s.id = ${sessionId} and s.state = 'open' and s.epoch = p.epoch
            and (s.lease_id is null or s.lease_id = ${returnedLeaseId})
          returning s.fence::text, s.epoch::text, s.sealed_token`,
    );
    if (row !== undefined) return { fence: row.fence, epoch: row.epoch, sealedToken: row.sealed_token };
    return (await this.find(sessionId)) === undefined ? 'no-right' : 'doubtful';
  }

  /** After Redis: a later lease of the session is left alone. */
  async noteReturned(sessionId: string, leaseId: string, answered: boolean): Promise<void> {
    const at = answered ? sql`clock_timestamp()` : sql`s.answered_at`;
    await this.#changed(
      sql`with ${WITHOUT_WAITING}
          update session_pool.sessions s set lease_id = null, leased_by = null, answered_at = ${at}
          from quick where s.id = ${sessionId} and s.lease_id = ${leaseId}`,
    );
  }

  /** The session is not counted any more. With a lease: only if that is the last one known. */
  async remove(sessionId: string, leaseId?: string): Promise<boolean> {
    const fenced = leaseId === undefined ? sql`true` : sql`lease_id = ${leaseId}`;
    const gone = sql`delete from session_pool.sessions where id = ${sessionId} and state <> 'opening' and ${fenced}`;
    return (await this.#changed(gone)) === 1;
  }

  async find(sessionId: string): Promise<OpenSession | undefined> {
    const [found] = await this.#open(sql`id = ${sessionId}`);
    return found;
  }

  async openSessions(): Promise<OpenSession[]> {
    return this.#open(sql`true`);
  }

  async #open(which: SQL): Promise<OpenSession[]> {
    const found = await this.#rows<OpenRow>(
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
    await this.#changed(
      sql`update session_pool.sessions set touched_at = clock_timestamp() where id = ${sessionId} and state = 'open'`,
    );
  }

  /** A look found the session free: its last lease is over, whoever held it. */
  async clearLease(sessionId: string, leaseId: string | undefined): Promise<boolean> {
    const freed = sql`update session_pool.sessions s set lease_id = null, leased_by = null, epoch = p.epoch
      from session_pool.pool p
      where s.id = ${sessionId} and s.state = 'open' and s.lease_id is not distinct from ${leaseId ?? null}`;
    return (await this.#changed(freed)) === 1;
  }

  /** From here on it is never lent; it counts until FileMaker has answered the logout. */
  async beginClosing(sessionId: string, lastLeaseId: string | undefined): Promise<Buffer | undefined> {
    const row = await this.#one<{ sealed_token: Buffer }>(
      sql`update session_pool.sessions set state = 'closing', closing_by = ${this.#options.owner},
            closing_at = clock_timestamp(), touched_at = clock_timestamp(), lease_id = null, leased_by = null
          where id = ${sessionId} and state = 'open' and (lease_id is null or lease_id = ${lastLeaseId ?? null})
          returning sealed_token`,
    );
    return row?.sealed_token;
  }

  /** Closing sessions nobody has tried to log out for `quietMs`, claimed by this owner. */
  async claimStuckClosing(quietMs: number): Promise<{ sessionId: string; sealedToken: Buffer }[]> {
    const claimed = await this.#rows<{ id: string; sealed_token: Buffer }>(
      sql`update session_pool.sessions set closing_by = ${this.#options.owner}, closing_at = clock_timestamp()
          where state = 'closing' and closing_at < clock_timestamp() - ${ms(quietMs)}
            and touched_at > clock_timestamp() - ${ms(this.#options.surelyDeadMs)}
          returning id::text, sealed_token`,
    );
    return claimed.map((row) => ({ sessionId: row.id, sealedToken: row.sealed_token }));
  }

  /** Owners with a login under way, as far as their rows say. */
  async loginOwners(): Promise<string[]> {
    const owners = sql`select distinct opened_by from session_pool.sessions where state = 'opening' and unheard_at is null`;
    return (await this.#rows<{ opened_by: string }>(owners)).map((row) => row.opened_by);
  }

  /** Logins of the dead: nobody will hear their answer. */
  async markUnheard(owners: readonly string[]): Promise<number> {
    if (owners.length === 0) return 0;
    const names = sql.join(
      owners.map((owner) => sql`${owner}`),
      sql`, `,
    );
    return this.#changed(
      sql`update session_pool.sessions set unheard_at = clock_timestamp(), touched_at = clock_timestamp()
          where state = 'opening' and unheard_at is null and opened_by in (${names})`,
    );
  }

  /**
   * Drops what has outlived every session: unheard logins, logins whose owner never wrote an end, and logouts without
   * an answer.
   */
  async forgetOutlived(): Promise<string[]> {
    const { surelyDeadMs, loginTimeoutMs } = this.#options;
    const dead = await this.#rows<{ id: string }>(
      sql`delete from session_pool.sessions
          where (state = 'closing' and touched_at < clock_timestamp() - ${ms(surelyDeadMs)})
             or (state = 'opening' and touched_at < clock_timestamp()
                 - (case when unheard_at is null then ${ms(surelyDeadMs + loginTimeoutMs)} else ${ms(surelyDeadMs)} end))
          returning id::text`,
    );
    return dead.map((row) => row.id);
  }

  /** Raises the epoch, unless somebody did since `seen`. */
  async raiseEpoch(seen: string | undefined): Promise<boolean> {
    const same = seen === undefined ? sql`true` : sql`epoch = ${seen}`;
    return (await this.#changed(sql`update session_pool.pool set epoch = epoch + 1 where ${same}`)) === 1;
  }

  async counts(): Promise<{ opening: number; closing: number; openIds: string[] }> {
    const found = await this.#rows<{ id: string; state: string }>(
      sql`select id::text, state from session_pool.sessions`,
    );
    return {
      opening: found.filter((row) => row.state === 'opening').length,
      closing: found.filter((row) => row.state === 'closing').length,
      openIds: found.filter((row) => row.state === 'open').map((row) => row.id),
    };
  }

  async #lockPool(tx: Transaction): Promise<PoolRow> {
    const pool = await oneRow<PoolRow>(tx, sql`select ${POOL_COLUMNS} from session_pool.pool for update`);
    if (pool === undefined) throw new Error('The row session_pool.pool is missing');
    return pool;
  }

  async #one<Row extends object>(query: SQL): Promise<Row | undefined> {
    return this.#guard(() => oneRow<Row>(this.#options.database.executor, query));
  }

  async #rows<Row extends object>(query: SQL): Promise<Row[]> {
    return this.#guard(() => rows<Row>(this.#options.database.executor, query));
  }

  async #changed(query: SQL): Promise<number> {
    return this.#guard(() => changed(this.#options.database.executor, query));
  }

  async #transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#guard(() => this.#options.database.transaction(work));
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof PoolError) throw cause;
      // The parameters of a failed query (a sealed token among them) stay out of the message.
      throw new PoolError('POOL_DATABASE_DOWN', 'PostgreSQL could not be asked about FileMaker sessions', {
        cause: withoutParameters(cause),
      });
    }
  }
}

/** drizzle puts query and parameters into its message; the driver's own error below says what was wrong. */
function withoutParameters(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}
