import { type KeeperCounts, noCounts } from './keeper-counts';
import type { LoginRows } from './login-rows';
import { codeOf, type PoolEvent } from './pool-event';
import { QuarantineLooks } from './quarantine-looks';
import { SessionEndings } from './session-endings';
import type { LentSessions, SessionLender } from './session-lender';
import type { SessionLogins } from './session-logins';
import type { SessionOpener } from './session-opener';
import type { OpenSession, SessionRows } from './session-rows';
import type { TokenSeal } from './token-seal';

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

/** A logout without an answer is tried again after so long. */
const STUCK_CLOSING_MS = 30_000;

/**
 * Puts right what crashes, lost answers and a forgetful Redis leave behind. Any number of keepers may run at once:
 * every step is conditional on what it saw. Known limit: a session whose sealed token no key opens is counted until
 * it has outlived itself.
 */
export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  readonly #endings: SessionEndings;
  readonly #looks: QuarantineLooks;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
    this.#endings = new SessionEndings(options);
    this.#looks = new QuarantineLooks({ ...options, endings: this.#endings });
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
    for (const sessionId of outlived) this.#endings.forgotten(sessionId, 'outlived', counts);
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
      await this.#endings.close(sessionId, sealedToken, counts);
    });
    await Promise.all(closing);
  }

  async #closeStuck(counts: KeeperCounts): Promise<void> {
    const stuck = await this.#options.rows.claimStuckClosing(STUCK_CLOSING_MS);
    await Promise.all(stuck.map(({ sessionId, sealedToken }) => this.#endings.close(sessionId, sealedToken, counts)));
  }

  /** Ms until a quarantined session is due; undefined: none is quarantined. */
  nextLookInMs(): Promise<number | undefined> {
    return this.#looks.nextLookInMs();
  }

  /** Looks at every quarantined session that is due. */
  look(counts: KeeperCounts): Promise<void> {
    return this.#looks.look(counts);
  }
}
