import type { LoginRefusal } from './login-decision';
import type { LoginRows, LoginSettled, LoginSettlement } from './login-rows';
import { codeOf, type PoolEvent } from './pool-event';
import type { SessionLender } from './session-lender';
import type { LoginHalts, OpenerVerdict, SessionOpener } from './session-opener';
import { TimeLimitError, withinLimit } from './time-limit';
import type { TokenSeal } from './token-seal';

/** Which logins may begin now; `refusal` is what keeps back the rest. */
export type LoginPermission =
  | { kind: 'reserved'; sessionIds: string[]; refusal: LoginRefusal | undefined }
  | { kind: 'halted'; cause: string };

export type LoginResult =
  | { kind: 'opened' }
  /** `open`: sessions that may still be lent. */
  | { kind: 'failed'; verdict: OpenerVerdict; open: number };

export interface SessionLoginsOptions {
  rows: LoginRows;
  lender: SessionLender;
  opener: SessionOpener;
  halts: LoginHalts;
  seal: TokenSeal;
  loginTimeoutMs: number;
  onEvent: (event: PoolEvent) => void;
}

const SPARE_IDS = 10;

/**
 * Opens sessions: a row first (`reserve`), then the login (`logIn`), then the token into the row. Between the steps anything may die:
 * - before the row commits: nothing was sent;
 * - a row of ours without a login under way: removed, `settleOwed` tries until PostgreSQL answers;
 * - a login without an answer: the row counts until the session that may exist has outlived itself;
 * - an answer after the time limit still counts: the row waited for it.
 */
export class SessionLogins {
  readonly #options: SessionLoginsOptions;
  /** Ends that PostgreSQL has not taken yet. */
  readonly #owed = new Map<string, LoginSettlement>();
  readonly #spareIds: string[] = [];
  readonly #late = new Set<Promise<void>>();

  constructor(options: SessionLoginsOptions) {
    this.#options = options;
  }

  /** Writes the rows of as many logins as cap, pace and halts allow. Rejects with PoolError when a store is away. */
  async reserve(wanted: number): Promise<LoginPermission> {
    const { rows, halts } = this.#options;
    // Most of the time the pool is full: one question tells, without a lock and without wasting ids.
    const look = await rows.look(wanted);
    if (look.refusal?.why === 'cap' && look.count === 0) return nothing(look.refusal);
    const halted = await halts.isHalted();
    if (halted !== undefined) return { kind: 'halted', cause: halted.cause };
    if (look.count === 0) return nothing(look.refusal);
    const ids = await this.#takeIds(look.count);
    const decision = await this.#reserve(ids);
    this.#spareIds.push(...ids.slice(decision.count));
    return {
      kind: 'reserved',
      sessionIds: ids.slice(0, decision.count),
      refusal: decision.refusal ?? look.refusal,
    };
  }

  /** From the stock where it suffices: whoever waits for a login need not wait for its number too. */
  async #takeIds(count: number): Promise<string[]> {
    const ids = this.#spareIds.splice(0, count);
    if (ids.length === count) return ids;
    const fresh = await this.#options.rows.nextIds(count - ids.length + SPARE_IDS);
    this.#spareIds.push(...fresh.splice(count - ids.length));
    return [...ids, ...fresh];
  }

  async #reserve(sessionIds: readonly string[]) {
    try {
      return await this.#options.rows.reserve(sessionIds);
    } catch (error) {
      // The commit may have gone through unheard: no row must stay without a login.
      for (const sessionId of sessionIds) this.#owed.set(sessionId, { verdict: 'never-sent' });
      throw error;
    }
  }

  /** Writes the ends that PostgreSQL could not take before; answers how many it took now. */
  async settleOwed(): Promise<number> {
    let settled = 0;
    for (const [sessionId, settlement] of [...this.#owed]) {
      this.#owed.delete(sessionId);
      await this.#write(sessionId, settlement);
      settled += 1;
    }
    return settled;
  }

  /** Logins that answered after their time limit. */
  async lateAnswers(): Promise<void> {
    await Promise.allSettled(this.#late);
  }

  /** The login of a reserved row. Rejects with PoolError when a store is away. */
  async logIn(sessionId: string): Promise<LoginResult> {
    const { opener, loginTimeoutMs } = this.#options;
    const begun = performance.now();
    const login = (async () => opener.open())();
    try {
      const { token } = await withinLimit(login, loginTimeoutMs);
      this.#tellLogin(sessionId, 'opened', begun);
      await this.#keepToken(sessionId, token);
      return { kind: 'opened' };
    } catch (error) {
      if (isStoreError(error)) throw error;
      const verdict = this.#verdictOf(error);
      this.#tellLogin(sessionId, verdict, begun);
      if (error instanceof TimeLimitError) this.#takeLate(sessionId, login);
      const { open } = await this.#write(sessionId, { verdict });
      return { kind: 'failed', verdict, open };
    }
  }

  #tellLogin(sessionId: string, outcome: 'opened' | OpenerVerdict, begun: number): void {
    this.#options.onEvent({ kind: 'login', sessionId, outcome, durationMs: Math.round(performance.now() - begun) });
  }

  /** In doubt a session may exist. */
  #verdictOf(error: unknown): OpenerVerdict {
    if (error instanceof TimeLimitError) return 'unheard';
    try {
      return this.#options.opener.classify(error);
    } catch (fault) {
      this.#options.onEvent({ kind: 'failed', duty: 'classify', code: codeOf(fault) });
      return 'unheard';
    }
  }

  async #keepToken(sessionId: string, token: string): Promise<void> {
    await this.#write(sessionId, { verdict: 'opened', sealedToken: this.#options.seal.seal(sessionId, token) }, token);
  }

  #takeLate(sessionId: string, login: Promise<{ token: string }>): void {
    const taking = login
      .then(({ token }) => this.#keepToken(sessionId, token))
      .catch((error: unknown) => {
        this.#options.onEvent({ kind: 'failed', duty: 'late-login', code: codeOf(error) });
      })
      .finally(() => this.#late.delete(taking));
    this.#late.add(taking);
  }

  async #write(sessionId: string, settlement: LoginSettlement, token?: string): Promise<{ open: number }> {
    const { lender } = this.#options;
    const { known, changed, open, first } = await this.#settle(sessionId, settlement);
    if (settlement.verdict === 'credentials' && first) await this.#halt();
    if (settlement.verdict !== 'opened') return { open };
    // Written by an earlier try whose answer was lost: it may be lent already, the keeper sees to it.
    if (changed) {
      await lender.admit(sessionId);
    } else if (!known && token !== undefined) {
      // The row outlived its patience; this token has no right to exist.
      await this.#options.opener.close(token);
    }
    return { open };
  }

  async #settle(sessionId: string, settlement: LoginSettlement): Promise<LoginSettled> {
    try {
      return await this.#options.rows.settleLogin(sessionId, settlement);
    } catch (error) {
      this.#owed.set(sessionId, settlement);
      throw error;
    }
  }

  async #halt(): Promise<void> {
    const cause = 'FILEMAKER_CREDENTIALS';
    if ((await this.#options.halts.isHalted()) !== undefined) return;
    await this.#options.halts.halt(cause, 'FileMaker refused the account at login. Check name, password and fmrest.');
    this.#options.onEvent({ kind: 'halted', cause });
  }
}

const nothing = (refusal: LoginRefusal | undefined): LoginPermission => ({ kind: 'reserved', sessionIds: [], refusal });

function isStoreError(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'POOL_REDIS_DOWN' || code === 'POOL_DATABASE_DOWN';
}
