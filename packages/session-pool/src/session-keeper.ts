import type { LoginRows } from './login-rows';
import { codeOf, type PoolEvent } from './pool-event';
import type { LentSessions, QuarantineCase, SessionLender } from './session-lender';
import type { SessionLogins } from './session-logins';
import type { SessionOpener, SessionUse } from './session-opener';
import type { OpenSession, SessionRows } from './session-rows';
import { withinLimit } from './time-limit';
import type { TokenSeal } from './token-seal';

/** What one round of the keeper did. */
export interface KeeperCounts {
  /** Ends of logins that PostgreSQL had missed and has now. */
  settledLate: number;
  /** Logins of dead workers, counted until they have outlived themselves. */
  unheard: number;
  /** Leases taken back: deadline passed. */
  expired: number;
  /** Leases taken back: the worker is dead. */
  ownerDead: number;
  /** Leases of this instance that nobody here holds: their answer was lost. */
  orphaned: number;
  /** Sessions of PostgreSQL that Redis did not know. */
  restored: number;
  /** Quarantined sessions asked about. */
  looked: number;
  /** Lent again. */
  released: number;
  /** Still working on a call, or within the hold-off. */
  waiting: number;
  /** FileMaker did not answer the look. */
  unanswered: number;
  /** Logged out because unused. */
  closed: number;
  /** No longer counted: FileMaker does not know them, or they outlived themselves. */
  forgotten: number;
}

export const noCounts = (): KeeperCounts => ({
  settledLate: 0,
  unheard: 0,
  expired: 0,
  ownerDead: 0,
  orphaned: 0,
  restored: 0,
  looked: 0,
  released: 0,
  waiting: 0,
  unanswered: 0,
  closed: 0,
  forgotten: 0,
});

export interface SessionKeeperOptions {
  rows: SessionRows;
  loginRows: LoginRows;
  lender: SessionLender;
  logins: SessionLogins;
  opener: SessionOpener;
  seal: TokenSeal;
  owner: string;
  instance: string;
  isOwnerAlive: (owners: string[]) => Promise<Set<string>>;
  /** Whether this process holds the lease, or is about to. */
  holds: (leaseId: string, sessionId: string) => boolean;
  idleMs: number;
  scriptMaxMs: number;
  lookTimeoutMs: number;
  /** Least time between a lease taken back and its session lent again. */
  quarantineMs: number;
  /** The same when its owner is dead: it was silent for seconds already. */
  deadOwnerHoldMs: number;
  onEvent: (event: PoolEvent) => void;
}

/** Looks claimed in one round. */
const LOOKS_MAX = 100;
/** FileMaker away: the next look, by one keeper for all. */
const AWAY_LOOK_MS = 800;
const BUSY_LOOK_MOST_MS = 5_000;
/** Nobody here can read its token: only its age can tell. */
const UNREADABLE_LOOK_MS = 60_000;
/** A logout without an answer is tried again after so long. */
const STUCK_CLOSING_MS = 30_000;

/**
 * Puts right what crashes, lost answers and a forgetful Redis leave behind. Any number of keepers may run at once:
 * every step is conditional on what it saw. Known limit: a session whose sealed token no key opens is counted until
 * it has outlived itself.
 */
export class SessionKeeper {
  readonly #options: SessionKeeperOptions;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
  }

  /** One round. Rejects with PoolError when a store is away; what was done before stays done. */
  async keep(): Promise<KeeperCounts> {
    const counts = noCounts();
    const { logins, rows } = this.#options;
    counts.settledLate = await logins.settleOwed();
    await this.#forgetOutlived(counts);
    const open = await rows.openSessions();
    const lent = await this.#options.lender.list();
    await this.#takeBack(lent, counts);
    await this.#restore(open, lent, counts);
    await this.#dropUnknown(open, lent);
    await this.#closeOld(this.#options.idleMs, counts);
    await this.#closeStuck(counts);
    await this.look(counts);
    return counts;
  }

  /** Logs out what is idle now. */
  async closeIdle(): Promise<number> {
    const counts = noCounts();
    await this.#closeOld(-1, counts);
    return counts.closed;
  }

  async #forgetOutlived(counts: KeeperCounts): Promise<void> {
    const outlived = await this.#options.rows.forgetOutlived();
    for (const sessionId of outlived) this.#forgotten(sessionId, 'outlived', counts);
    if (outlived.length > 0) await this.#options.lender.tellRoom();
  }

  async #takeBack(lent: LentSessions, counts: KeeperCounts): Promise<void> {
    const { lender, loginRows, owner, instance, holds, isOwnerAlive, onEvent } = this.#options;
    const { quarantineMs, deadOwnerHoldMs } = this.#options;
    const mine = lent.leased.filter((lease) => lease.leaseId.startsWith(`${instance}.`));
    const orphans = mine.filter((lease) => !holds(lease.leaseId, lease.sessionId));
    const others = new Set([...lent.leased.map((lease) => lease.owner), ...(await loginRows.loginOwners())]);
    others.delete(owner);
    others.delete('');
    let dead: string[] = [];
    if (others.size > 0) {
      try {
        const alive = await isOwnerAlive([...others]);
        dead = [...others].filter((other) => !alive.has(other));
      } catch (error) {
        // Not knowing is not death: their deadlines still hold.
        onEvent({ kind: 'failed', duty: 'is-owner-alive', code: codeOf(error) });
      }
    }
    counts.unheard = await loginRows.markUnheard(dead);
    const ofDead = lent.leased.filter((lease) => dead.includes(lease.owner));
    const taken = await lender.takeBack([
      ...orphans.map((lease) => ({ ...lease, reason: 'orphan', holdMs: quarantineMs })),
      ...ofDead.map((lease) => ({ ...lease, reason: 'owner-dead', holdMs: deadOwnerHoldMs })),
    ]);
    for (const { sessionId, reason } of taken) {
      if (reason === 'orphan') counts.orphaned += 1;
      else if (reason === 'owner-dead') counts.ownerDead += 1;
      else counts.expired += 1;
      onEvent({ kind: 'lease-lost', sessionId, because: reason });
    }
  }

  /** What Redis has lost comes back through quarantine; what was on loan stays there for its least time. */
  async #restore(open: readonly OpenSession[], lent: LentSessions, counts: KeeperCounts): Promise<void> {
    const known = new Set([...lent.idle, ...lent.leased.map((lease) => lease.sessionId), ...lent.quarantined]);
    const { lender, rows, onEvent } = this.#options;
    for (const session of open.filter(({ sessionId }) => !known.has(sessionId))) {
      const { sessionId, leaseId, answeredAgoMs } = session;
      const onLoan = leaseId !== undefined;
      const restored = await lender.quarantine({
        sessionId,
        which: 'missing',
        firstLookMs: 0,
        callMayRun: onLoan,
        answeredAgoMs,
        reason: onLoan ? 'lost-on-loan' : 'lost-idle',
        leaseId,
      });
      if (!restored) continue;
      // Whoever held it may have used it until now.
      if (onLoan) await rows.touch(sessionId);
      counts.restored += 1;
      onEvent({ kind: 'restored', sessionId });
    }
  }

  /** A Redis that went back in time may know sessions that are over. */
  async #dropUnknown(open: readonly OpenSession[], lent: LentSessions): Promise<void> {
    const known = new Set(open.map(({ sessionId }) => sessionId));
    const { lender, rows } = this.#options;
    for (const sessionId of [...lent.idle, ...lent.quarantined]) {
      if (known.has(sessionId)) continue;
      // It may have been opened after the rows were read: ask again before dropping.
      if ((await rows.find(sessionId)) === undefined) await lender.forget(sessionId);
    }
  }

  async #closeOld(olderThanMs: number, counts: KeeperCounts): Promise<void> {
    const { lender, rows } = this.#options;
    const old = await lender.takeOldIdle(olderThanMs);
    const closing = old.map(async ({ sessionId, returnedLeaseId }) => {
      const sealedToken = await rows.beginClosing(sessionId, returnedLeaseId);
      // Without the right to close, the case stays in quarantine and is looked at like any other.
      if (sealedToken === undefined) return;
      await lender.forget(sessionId);
      await this.#close(sessionId, sealedToken, counts);
    });
    await Promise.all(closing);
  }

  async #closeStuck(counts: KeeperCounts): Promise<void> {
    const stuck = await this.#options.rows.claimStuckClosing(STUCK_CLOSING_MS);
    await Promise.all(stuck.map(({ sessionId, sealedToken }) => this.#close(sessionId, sealedToken, counts)));
  }

  /** Counts until FileMaker has answered; then there is room. */
  async #close(sessionId: string, sealedToken: Buffer, counts: KeeperCounts): Promise<void> {
    const { opener, rows, lender, lookTimeoutMs, onEvent } = this.#options;
    const token = this.#unseal(sessionId, sealedToken);
    if (token === undefined) return;
    try {
      await withinLimit(opener.close(token), lookTimeoutMs);
    } catch (error) {
      onEvent({ kind: 'failed', duty: 'close', code: codeOf(error) });
      return;
    }
    if (!(await rows.remove(sessionId))) return;
    counts.closed += 1;
    onEvent({ kind: 'forgotten', sessionId, because: 'closed' });
    await lender.tellRoom();
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
    const token = this.#unseal(entry.sessionId, session.sealedToken);
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
    await this.#close(entry.sessionId, sealedToken, counts);
  }

  async #forget(entry: QuarantineCase, because: 'gone' | 'outlived', counts: KeeperCounts): Promise<void> {
    const { rows, lender } = this.#options;
    const removed = await rows.remove(entry.sessionId);
    await lender.settle(entry, 'forget');
    if (!removed) return;
    this.#forgotten(entry.sessionId, because, counts);
    await lender.tellRoom();
  }

  #forgotten(sessionId: string, because: 'gone' | 'outlived', counts: KeeperCounts): void {
    counts.forgotten += 1;
    this.#options.onEvent({ kind: 'forgotten', sessionId, because });
  }

  #unseal(sessionId: string, sealedToken: Buffer): string | undefined {
    try {
      return this.#options.seal.open(sessionId, sealedToken);
    } catch (error) {
      this.#options.onEvent({ kind: 'unreadable-token', sessionId, code: codeOf(error) });
      return undefined;
    }
  }
}
