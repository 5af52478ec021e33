import type { KeeperCounts } from './keeper-counts';
import type { LoginRows } from './login-rows';
import { codeOf, type PoolEvent } from './pool-event';
import type { SessionEndings } from './session-endings';
import type { QuarantineCase, SessionLender } from './session-lender';
import type { SessionOpener, SessionUse } from './session-opener';
import type { OpenSession, SessionRows } from './session-rows';
import { withinLimit } from './time-limit';

export interface QuarantineLooksOptions {
  rows: SessionRows;
  loginRows: LoginRows;
  lender: SessionLender;
  opener: SessionOpener;
  endings: SessionEndings;
  idleMs: number;
  scriptMaxMs: number;
  lookTimeoutMs: number;
  onEvent: (event: PoolEvent) => void;
}

/** Looks claimed in one round. */
const LOOKS_MAX = 100;
/** FileMaker away: the next look, by one keeper for all. */
const AWAY_LOOK_MS = 800;
const BUSY_LOOK_MOST_MS = 5_000;
/** Nobody here can read its token: only its age can tell. */
const UNREADABLE_LOOK_MS = 60_000;

/**
 * Asks FileMaker about each quarantined session that is due, and does as it says: lent again, looked at later, logged out
 * or forgotten. Any number of processes may look at once: each case is claimed.
 */
export class QuarantineLooks {
  readonly #options: QuarantineLooksOptions;

  constructor(options: QuarantineLooksOptions) {
    this.#options = options;
  }

  /** Ms until a quarantined session is due; undefined: none is quarantined. */
  nextLookInMs(): Promise<number | undefined> {
    return this.#options.lender.nextLookInMs();
  }

  /** Looks at every quarantined session that is due: the first alone, so that an absent FileMaker costs one call. */
  async look(counts: KeeperCounts): Promise<void> {
    const { loginRows, lender } = this.#options;
    const { heldForMs, heldBecause } = await loginRows.facts();
    if (heldBecause === 'unavailable' && heldForMs > 0) return;
    const [first, ...others] = await lender.claimDueCases(LOOKS_MAX);
    if (first === undefined) return;
    const reachable = await this.#lookAt(first, counts);
    if (reachable) {
      await Promise.all(others.map((entry) => this.#lookAt(entry, counts)));
      return;
    }
    for (const entry of others) await lender.settle(entry, 'later', AWAY_LOOK_MS);
  }

  /** False when FileMaker cannot be reached at all. */
  async #lookAt(entry: QuarantineCase, counts: KeeperCounts): Promise<boolean> {
    const { rows, lender } = this.#options;
    const session = await rows.find(entry.sessionId);
    if (session === undefined) {
      await lender.settle(entry, 'forget');
      return true;
    }
    if (session.leaseId !== undefined && session.leaseId !== entry.leaseId) {
      // A Redis that went back in time: its case is about an earlier lease, and the later one may be in use this moment.
      counts.waiting += 1;
      await lender.beginAnew(entry, session.leaseId);
      return true;
    }
    const token = this.#options.endings.unseal(entry.sessionId, session.sealedToken);
    if (entry.look === 1) await rows.touch(entry.sessionId);
    // Age alone only decides where FileMaker cannot be asked, and once a look of ours has set the clock: before, the
    // last holder may have used the session unseen.
    const outlived = entry.look > 1 && session.surelyDead;
    if (token === undefined) {
      if (outlived) await this.#forget(entry, 'outlived', counts);
      else await lender.settle(entry, 'later', UNREADABLE_LOOK_MS);
      return true;
    }
    counts.looked += 1;
    const use = await this.#ask(token, entry, counts);
    if (outlived && (use === 'away' || use === 'unanswered')) await this.#forget(entry, 'outlived', counts);
    if (use === 'away') return false;
    if (use !== 'unanswered') await this.#settle(entry, session, use, counts);
    return true;
  }

  /** `away`: FileMaker cannot be reached. `unanswered`: no usable answer for this session. Both postpone the look. */
  async #ask(token: string, entry: QuarantineCase, counts: KeeperCounts): Promise<SessionUse | 'away' | 'unanswered'> {
    const { opener, lender, rows, loginRows, lookTimeoutMs, onEvent } = this.#options;
    try {
      const use = await withinLimit(opener.validate(token), lookTimeoutMs);
      await rows.touch(entry.sessionId);
      return use;
    } catch (error) {
      if (codeOf(error) === 'POOL_DATABASE_DOWN') throw error;
      counts.unanswered += 1;
      onEvent({ kind: 'failed', duty: 'look', code: codeOf(error) });
      const away = this.#isAway(error);
      if (!away) await rows.touch(entry.sessionId);
      await lender.settle(entry, 'later', AWAY_LOOK_MS);
      if (away) await loginRows.hold('unavailable');
      return away ? 'away' : 'unanswered';
    }
  }

  #isAway(error: unknown): boolean {
    try {
      return this.#options.opener.classify(error) === 'unavailable';
    } catch {
      return false;
    }
  }

  async #settle(entry: QuarantineCase, session: OpenSession, use: SessionUse, counts: KeeperCounts): Promise<void> {
    const { lender, idleMs } = this.#options;
    if (use === 'gone') {
      await this.#forget(entry, 'gone', counts);
      return;
    }
    const waitMs = this.#waitMs(entry, use);
    if (waitMs > 0) {
      counts.waiting += 1;
      await lender.settle(entry, 'later', waitMs);
      return;
    }
    if (entry.answeredAgoMs >= idleMs) {
      await this.#closeFromQuarantine(entry, session, counts);
      return;
    }
    await this.#release(entry, session, counts);
  }

  /** How much longer it must not be lent; 0: it may be. */
  #waitMs(entry: QuarantineCase, use: SessionUse): number {
    if (use === 'busy') return Math.min(BUSY_LOOK_MOST_MS, 500 * 2 ** Math.min(10, entry.look - 1));
    if (use === 'untold' && entry.callMayRun) {
      return Math.max(entry.notBeforeMs, this.#options.scriptMaxMs - entry.quarantinedForMs);
    }
    return entry.notBeforeMs;
  }

  async #release(entry: QuarantineCase, session: OpenSession, counts: KeeperCounts): Promise<void> {
    const { rows, lender, onEvent } = this.#options;
    if (!(await rows.clearLease(entry.sessionId, session.leaseId))) return;
    if (!(await lender.settle(entry, 'idle'))) return;
    counts.released += 1;
    onEvent({ kind: 'released', sessionId: entry.sessionId, quarantinedForMs: entry.quarantinedForMs });
  }

  async #closeFromQuarantine(entry: QuarantineCase, session: OpenSession, counts: KeeperCounts): Promise<void> {
    const { rows, lender } = this.#options;
    const sealedToken = await rows.beginClosing(entry.sessionId, session.leaseId);
    if (sealedToken === undefined) return;
    await lender.settle(entry, 'forget');
    await this.#options.endings.close(entry.sessionId, sealedToken, counts);
  }

  async #forget(entry: QuarantineCase, because: 'gone' | 'outlived', counts: KeeperCounts): Promise<void> {
    const { rows, lender } = this.#options;
    const removed = await rows.remove(entry.sessionId);
    await lender.settle(entry, 'forget');
    if (!removed) return;
    this.#options.endings.forgotten(entry.sessionId, because, counts);
    await lender.tellRoom();
  }
}
