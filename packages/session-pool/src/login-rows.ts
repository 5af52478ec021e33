import { changed, oneRow, type Transaction } from '@bridge/database';
import { sql } from 'drizzle-orm';
import {
  decideLogins,
  effectiveCap,
  holdAfterFailureMs,
  type LoginDecision,
  type LoginFacts,
  stillShrunkBy,
} from './login-decision';
import { ms, msSince, msUntil, type PoolDatabase } from './pool-database';
import { PoolError } from './pool-error';
import type { OpenerVerdict } from './session-opener';

export interface LoginRowsOptions {
  database: PoolDatabase;
  owner: string;
  cap: number;
  loginsAtOnce: number;
  loginsPerSecond: number;
  loginTimeoutMs: number;
  capacityHoldMs: number;
}

export interface PoolFacts {
  epoch: string;
  effectiveCap: number;
  heldForMs: number;
  heldBecause: OpenerVerdict | undefined;
}

export type LoginSettlement =
  | { verdict: 'opened'; sealedToken: Buffer }
  | { verdict: 'never-sent' }
  | { verdict: OpenerVerdict };

/** How a login's end was taken. */
export interface LoginSettled {
  /** This call wrote it. */
  changed: boolean;
  /** The row stands as told, whoever wrote it. */
  known: boolean;
  /** Other sessions that may still be lent; told of failures only. */
  open: number;
  /** Of logins under way together, the one that reports wrong credentials. */
  first: boolean;
}

interface SessionCounts {
  sessions: number;
  logins: number;
  open: number;
}

interface PoolRow {
  epoch: string;
  next_login_in_ms: number;
  held_for_ms: number;
  held_because: OpenerVerdict | null;
  failures: number;
  restart_suspected: boolean;
  shrunk_by: number;
  shrunk_ago_ms: number;
}

const POOL_COLUMNS = sql`epoch::text, ${msUntil(sql`next_login_at`)} as next_login_in_ms,
  ${msUntil(sql`held_until`)} as held_for_ms, held_because, failures, restart_suspected,
  shrunk_by, ${msSince(sql`shrunk_at`)} as shrunk_ago_ms`;

/** Logins in PostgreSQL: the right to open a session, their shared pace, what failures mean for everybody. */
export class LoginRows {
  readonly #options: LoginRowsOptions;
  readonly #database: PoolDatabase;

  constructor(options: LoginRowsOptions) {
    this.#options = options;
    this.#database = options.database;
  }

  /** Whether `wanted` logins may begin, as far as a look without a lock tells. */
  async look(wanted: number): Promise<LoginDecision> {
    const pool = await this.#database.one<PoolRow & SessionCounts>(
      sql`select ${POOL_COLUMNS}, ${this.#counts()} from session_pool.pool`,
    );
    if (pool === undefined) throw new PoolError('POOL_DATABASE_DOWN', 'The row session_pool.pool is missing');
    return decideLogins(this.#factsOf(pool, pool), wanted);
  }

  /** Ids for sessions about to be opened; known before their rows, so that a lost commit can be undone. */
  async nextIds(count: number): Promise<string[]> {
    const ids = await this.#database.rows<{ id: string }>(
      sql`select nextval('session_pool.session_ids')::text as id from generate_series(1, ${count}::int)`,
    );
    return ids.map((row) => row.id);
  }

  /** Inserts the rows that are the right to log in, as many of these as the cap and the pace of logins allow. */
  async reserve(sessionIds: readonly string[]): Promise<LoginDecision> {
    const { owner } = this.#options;
    return this.#database.transaction(async (tx) => {
      const pool = await this.#lockPool(tx);
      // A statement of its own after the lock: it sees what the last holder of the lock committed.
      const counts = await oneRow<SessionCounts>(tx, sql`select ${this.#counts()}`);
      const decision = decideLogins(
        this.#factsOf(pool, counts ?? { sessions: 0, logins: 0, open: 0 }),
        sessionIds.length,
      );
      if (decision.count === 0) return decision;
      await changed(
        tx,
        sql`with reserved as (
              insert into session_pool.sessions (id, state, epoch, opened_by)
              select id::bigint, 'opening', ${pool.epoch}::bigint, ${owner}
              from jsonb_array_elements_text(${JSON.stringify(sessionIds.slice(0, decision.count))}::jsonb) as ids (id)
            )
            update session_pool.pool set next_login_at = greatest(next_login_at, clock_timestamp())
              + ${ms(decision.count * this.#loginEveryMs)}`,
      );
      return decision;
    });
  }

  get #loginEveryMs(): number {
    return 1_000 / this.#options.loginsPerSecond;
  }

  #counts() {
    return sql`(${this.#countOf(sql`true`)}) as sessions, (${this.#countOf(this.#underWay())}) as logins,
      (${this.#countOf(sql`state = 'open'`)}) as open`;
  }

  #countOf(which: ReturnType<typeof sql>) {
    return sql`select count(*)::int from session_pool.sessions where ${which}`;
  }

  #underWay() {
    return sql`state = 'opening' and unheard_at is null
      and opened_at > clock_timestamp() - ${ms(this.#options.loginTimeoutMs)}`;
  }

  #factsOf(pool: PoolRow, counts: SessionCounts): LoginFacts {
    return {
      cap: this.#options.cap,
      sessions: counts.sessions,
      loginsUnderWay: counts.logins,
      open: counts.open,
      loginsAtOnce: this.#options.loginsAtOnce,
      loginEveryMs: this.#loginEveryMs,
      nextLoginInMs: pool.next_login_in_ms,
      heldForMs: pool.held_for_ms,
      heldBecause: pool.held_because ?? undefined,
      failures: pool.failures,
      restartSuspected: pool.restart_suspected,
      shrunkBy: pool.shrunk_by,
      shrunkAgoMs: pool.shrunk_ago_ms,
      capacityHoldMs: this.#options.capacityHoldMs,
    };
  }

  /** Writes down how a login ended; may be told twice. */
  settleLogin(sessionId: string, settlement: LoginSettlement): Promise<LoginSettled> {
    return settlement.verdict === 'opened' && 'sealedToken' in settlement
      ? this.#settleOpened(sessionId, settlement.sealedToken)
      : this.#settleFailed(sessionId, settlement.verdict as OpenerVerdict | 'never-sent');
  }

  /** Without the lock on the pool's row, so that logins that end together do not wait for each other's commit. */
  async #settleOpened(sessionId: string, sealedToken: Buffer): Promise<LoginSettled> {
    const opened = await this.#database.one<{ written: number; calm: number }>(
      sql`with opened as (
            update session_pool.sessions set state = 'open', sealed_token = ${sealedToken}, unheard_at = null,
              answered_at = clock_timestamp(), touched_at = clock_timestamp()
            where id = ${sessionId} and state = 'opening' returning id
          ), calmed as (
            update session_pool.pool set failures = 0, restart_suspected = false, held_until = null, held_because = null
            where failures > 0 or restart_suspected or held_until is not null returning 1
          )
          select (select count(*)::int from opened) as written, (select count(*)::int from calmed) as calm`,
    );
    if (opened?.written === 1) return { changed: true, known: true, open: 0, first: false };
    const same = await this.#database.one(
      sql`select 1 from session_pool.sessions
          where id = ${sessionId} and state = 'open' and sealed_token = ${sealedToken}::bytea`,
    );
    return { changed: false, known: same !== undefined, open: 0, first: false };
  }

  async #settleFailed(sessionId: string, verdict: OpenerVerdict | 'never-sent'): Promise<LoginSettled> {
    return this.#database.transaction(async (tx) => {
      const pool = await this.#lockPool(tx);
      const ended = await this.#endRow(tx, sessionId, verdict);
      let first = false;
      if (verdict !== 'never-sent' && ended !== undefined) {
        first = await this.#noteFailure(tx, verdict, pool, ended.same_failure);
      }
      const row = await oneRow<{ open: number }>(
        tx,
        sql`select count(*)::int as open from session_pool.sessions where state = 'open' and id <> ${sessionId}`,
      );
      const changedHere = ended !== undefined;
      return { changed: changedHere, known: changedHere, open: row?.open ?? 0, first };
    });
  }

  /** `same_failure`: the login had begun before a failure was last noted. */
  async #endRow(
    tx: Transaction,
    sessionId: string,
    verdict: OpenerVerdict | 'never-sent',
  ): Promise<{ same_failure: boolean } | undefined> {
    const same = sql`coalesce((select opened_at <= failed_at from session_pool.pool), false) as same_failure`;
    if (verdict === 'unheard') {
      return oneRow(
        tx,
        sql`update session_pool.sessions set unheard_at = clock_timestamp(), touched_at = clock_timestamp()
            where id = ${sessionId} and state = 'opening' and unheard_at is null returning ${same}`,
      );
    }
    return oneRow(
      tx,
      sql`delete from session_pool.sessions where id = ${sessionId} and state = 'opening' returning ${same}`,
    );
  }

  /** True: of refusals of our credentials that came together, this is the first. */
  async #noteFailure(tx: Transaction, verdict: OpenerVerdict, pool: PoolRow, sameFailure: boolean): Promise<boolean> {
    const failures = Math.max(1, sameFailure ? pool.failures : pool.failures + 1);
    const holdMs = holdAfterFailureMs(verdict, failures);
    await changed(
      tx,
      sql`update session_pool.pool set failures = ${failures}, failed_at = clock_timestamp(), held_because = ${verdict},
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

  /** A look elsewhere found FileMaker away: nobody tries before this has passed. */
  async hold(verdict: OpenerVerdict): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const pool = await this.#lockPool(tx);
      await this.#noteFailure(tx, verdict, pool, false);
    });
  }

  async facts(): Promise<PoolFacts> {
    const pool = await this.#database.one<PoolRow>(sql`select ${POOL_COLUMNS} from session_pool.pool`);
    if (pool === undefined) throw new PoolError('POOL_DATABASE_DOWN', 'The row session_pool.pool is missing');
    const { cap, capacityHoldMs } = this.#options;
    return {
      epoch: pool.epoch,
      effectiveCap: effectiveCap({ cap, shrunkBy: pool.shrunk_by, shrunkAgoMs: pool.shrunk_ago_ms, capacityHoldMs }),
      heldForMs: Math.max(0, pool.held_for_ms),
      heldBecause: pool.held_because ?? undefined,
    };
  }

  /** Raises the epoch, unless somebody did since `seen`. One login then tries the ground before others follow. */
  async raiseEpoch(seen: string | undefined): Promise<boolean> {
    const same = seen === undefined ? sql`true` : sql`epoch = ${seen}`;
    const raised = sql`update session_pool.pool set epoch = epoch + 1, restart_suspected = true where ${same}`;
    return (await this.#database.changed(raised)) === 1;
  }

  /** Owners with a login under way, as far as their rows say. */
  async loginOwners(): Promise<string[]> {
    const owners = sql`select distinct opened_by from session_pool.sessions where state = 'opening' and unheard_at is null`;
    return (await this.#database.rows<{ opened_by: string }>(owners)).map((row) => row.opened_by);
  }

  /** Logins of the dead: nobody will hear their answer. */
  async markUnheard(owners: readonly string[]): Promise<number> {
    if (owners.length === 0) return 0;
    const names = sql.join(
      owners.map((owner) => sql`${owner}`),
      sql`, `,
    );
    return this.#database.changed(
      sql`update session_pool.sessions set unheard_at = clock_timestamp(), touched_at = clock_timestamp()
          where state = 'opening' and unheard_at is null and opened_by in (${names})`,
    );
  }

  async #lockPool(tx: Transaction): Promise<PoolRow> {
    const pool = await oneRow<PoolRow>(tx, sql`select ${POOL_COLUMNS} from session_pool.pool for update`);
    if (pool === undefined) throw new Error('The row session_pool.pool is missing');
    return pool;
  }
}
