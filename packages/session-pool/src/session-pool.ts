import { HeldLeases } from './held-leases';
import { type KeeperCounts, noCounts } from './keeper-counts';
import type { Lease, LeaseEnding, LeaseRequest } from './lease';
import { LeaseReturns } from './lease-returns';
import { LendingDesk } from './lending-desk';
import { LoginDemand } from './login-demand';
import { LoginRows } from './login-rows';
import { PoolDatabase } from './pool-database';
import { PoolError } from './pool-error';
import { codeOf } from './pool-event';
import { type PoolSettings, poolSettings, type SessionPoolOptions } from './pool-options';
import { redisKeys } from './redis-keys';
import { RunningTasks } from './running-tasks';
import { SessionKeeper } from './session-keeper';
import { SessionLender } from './session-lender';
import { SessionLogins } from './session-logins';
import type { SessionUse } from './session-opener';
import { SessionRows } from './session-rows';
import { withinLimit } from './time-limit';
import { createTokenSeal, type TokenSeal } from './token-seal';
import { WakeChannel } from './wake-channel';

/**
 * How many FileMaker sessions stand how. `effectiveCap` is smaller than `cap` for a while after FileMaker had no room.
 */
export interface PoolCensus {
  opening: number;
  idle: number;
  leased: number;
  quarantined: number;
  closing: number;
  cap: number;
  effectiveCap: number;
}

/** All that callers do with the pool. Rejects with PoolError, whose code says which store is away or what is full. */
export interface SessionPool {
  /** Begins the keeper and listens for freed sessions. Works before Redis or FileMaker is there. */
  start(): Promise<void>;
  /**
   * Refuses new leases, waits for logins under way (`loginTimeoutMs` at most), quarantines what callers have not given back, and leaves idle
   * sessions to other workers. `closeIdle` logs them out instead.
   */
  stop(how?: { closeIdle?: boolean }): Promise<void>;
  /** Rejects with PoolError; nothing was sent then. */
  lease(request: LeaseRequest): Promise<Lease>;
  /**
   * Asked right before the first byte. False: lease anew, send nothing on this one. Rejects with POOL_REDIS_DOWN, which
   * means the same. Costs nothing when Redis confirmed the lease within `confirmedForMs`; asks it otherwise.
   */
  stillMine(lease: Lease): Promise<boolean>;
  /**
   * `idle`: the call was answered, or never begun. `quarantine`: it may be running. `gone`: FileMaker does not know the
   * token (952). False: the lease was lost before, and this changes nothing. Never rejects: what a store cannot take
   * now is told it again by the keeper. Call it as soon as the answer is here: the next caller waits for nothing else.
   */
  giveBack(lease: Lease, how: LeaseEnding): Promise<boolean>;
  /**
   * Whether the call of an earlier lease is over. With that lease's fence the answer is about that lease: `free` when
   * the session was lent again since. `gone` proves nothing about a script that may still run: hold off.
   * Rejects with what the opener throws, or PoolError.
   */
  ask(sessionId: string, fence?: string): Promise<SessionUse>;
  /**
   * After a FileMaker restart: no older session is lent before FileMaker has confirmed it, and those that it does not
   * know are dropped, now. `seenEpoch` (of the lease that met 952) makes late callers harmless.
   */
  flushEpoch(seenEpoch?: string): Promise<void>;
  /** One round of the keeper; `start` runs one every `keepEveryMs`. */
  keep(): Promise<KeeperCounts>;
  /** Rejects with PoolError POOL_DATABASE_DOWN; without Redis, what is open counts as quarantined. */
  census(): Promise<PoolCensus>;
}

/** A keeper is not called again at once, whatever is due. */
const LEAST_KEEP_MS = 50;

/**
 * Lends FileMaker sessions to all workers and never has more than the cap. A session is
 * `opening -> idle <-> leased -> quarantined -> idle`, and ends by `closing`, or at once when FileMaker says it is
 * gone; all five count. PostgreSQL holds the right to exist, Redis lends; each confirms the other.
 */
export function createSessionPool(options: SessionPoolOptions): SessionPool {
  return new PooledSessions(poolSettings(options));
}

/** Joins the parts and runs them: the desk serves callers, the demand logs in, the returns give back, the keeper mends. */
class PooledSessions implements SessionPool {
  readonly #settings: PoolSettings;
  readonly #rows: SessionRows;
  readonly #loginRows: LoginRows;
  readonly #lender: SessionLender;
  readonly #logins: SessionLogins;
  readonly #keeper: SessionKeeper;
  readonly #seal: TokenSeal;
  readonly #held: HeldLeases;
  readonly #tasks: RunningTasks;
  readonly #returns: LeaseReturns;
  readonly #demand: LoginDemand;
  readonly #desk: LendingDesk;
  readonly #channel: WakeChannel;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #stopping: Promise<void> | undefined;
  #keepTimer: NodeJS.Timeout | undefined;
  #keeping: Promise<KeeperCounts> | undefined;
  /** Local monotonic time of the last round's end. */
  #keptAt = 0;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    const { onEvent } = settings;
    const keys = redisKeys(settings.keyPrefix);
    const surelyDeadMs = settings.sessionLifeMs + settings.lifeMarginMs;
    const database = new PoolDatabase(settings.database);
    this.#seal = createTokenSeal(settings.tokenKeys);
    this.#tasks = new RunningTasks(onEvent);
    this.#held = new HeldLeases(settings);
    this.#loginRows = new LoginRows({ ...settings, database });
    this.#rows = new SessionRows({
      ...settings,
      database,
      surelyDeadMs,
      surelyDeadAfterScriptMs: surelyDeadMs + settings.scriptMaxMs,
    });
    this.#lender = new SessionLender({ ...settings, keys });
    this.#logins = new SessionLogins({ ...settings, rows: this.#loginRows, lender: this.#lender, seal: this.#seal });
    const parts = { ...settings, rows: this.#rows, lender: this.#lender, seal: this.#seal };
    this.#keeper = new SessionKeeper({
      ...parts,
      loginRows: this.#loginRows,
      logins: this.#logins,
      instance: this.#held.instance,
      holds: (leaseId, sessionId) => this.#held.holds(leaseId, sessionId),
    });
    this.#returns = new LeaseReturns({ ...parts, held: this.#held, tasks: this.#tasks });
    this.#desk = new LendingDesk({
      ...parts,
      held: this.#held,
      returns: this.#returns,
      tasks: this.#tasks,
      openFor: (callers) => this.#demand.openFor(callers),
    });
    this.#demand = new LoginDemand({
      ...settings,
      logins: this.#logins,
      rows: this.#rows,
      tasks: this.#tasks,
      callers: () => this.#desk.waiting,
      onLoginEnded: () => this.#desk.serveSoon(),
      onRefusal: (error) => this.#desk.refuseAll(error),
    });
    this.#channel = new WakeChannel({
      redis: settings.redis,
      channel: keys.channel,
      onMessage: (message) => {
        if (message === 'room') this.#demand.askAgain();
        this.#desk.hear(message);
      },
      // Another server may answer from now on, with less in its memory.
      onConnectionLost: () => this.#held.doubtAll(),
      onFailure: (error) => onEvent({ kind: 'failed', duty: 'listen', code: codeOf(error) }),
    });
  }

  // ---- lifecycle ----

  async start(): Promise<void> {
    if (this.#state === 'stopped') throw new PoolError('POOL_STOPPED', 'A stopped pool cannot be started again');
    if (this.#state === 'running') return;
    this.#state = 'running';
    this.#desk.open();
    this.#tasks.track('listen', this.#channel.open());
    this.#keepAgain(0, () => this.keep());
  }

  stop(how: { closeIdle?: boolean } = {}): Promise<void> {
    this.#stopping ??= this.#stop(how.closeIdle === true);
    return this.#stopping;
  }

  async #stop(closeIdle: boolean): Promise<void> {
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    clearTimeout(this.#keepTimer);
    this.#desk.close(new PoolError('POOL_STOPPED', 'The pool is stopping'));
    this.#demand.close();
    this.#channel.close();
    await this.#tasks.settled();
    await this.#quietly('stop', () => withinLimit(this.#logins.lateAnswers(), this.#settings.loginTimeoutMs));
    if (!wasRunning) return;
    for (const held of this.#held.all()) {
      if (held.sessionId === undefined || this.#returns.isOwed(held)) continue;
      await this.#returns.giveBack(held, 'quarantine');
    }
    await this.#returns.payOwed();
    await this.#quietly('stop', () => this.#returns.writeNotes());
    await this.#quietly('stop', () => this.#lender.leaveLine(this.#held.instance));
    await this.#quietly('stop', () => this.#logins.settleOwed());
    if (closeIdle) await this.#quietly('stop', () => this.#keeper.closeIdle());
    await this.#tasks.settled();
  }

  async #quietly(duty: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#settings.onEvent({ kind: 'failed', duty, code: codeOf(error) });
    }
  }

  // ---- what callers do ----

  lease(request: LeaseRequest): Promise<Lease> {
    return this.#desk.lease(request);
  }

  async stillMine(lease: Lease): Promise<boolean> {
    const held = this.#held.of(lease);
    if (held === undefined) return false;
    if (held.isConfirmed) return true;
    const askedAt = held.now();
    const mine = await this.#lender.stillMine(lease.sessionId, lease.leaseId, held.answeredAgoMs);
    if (!mine || this.#held.of(lease) !== held) return false;
    held.confirm(askedAt);
    return true;
  }

  async giveBack(lease: Lease, how: LeaseEnding): Promise<boolean> {
    const held = this.#held.of(lease);
    if (held === undefined) return false;
    if (how === 'idle') {
      held.endCall();
      if (await this.#desk.handOn(held)) return true;
    }
    const done = await this.#returns.giveBack(held, how);
    this.#desk.serveSoon();
    return done;
  }

  async ask(sessionId: string, fence?: string): Promise<SessionUse> {
    // It is only lent again after it was seen free, held off long enough or given back answered.
    const lentSince = (last: string | undefined) =>
      fence !== undefined && last !== undefined && BigInt(last) > BigInt(fence);
    if (lentSince(this.#held.ofSession(sessionId)?.fence)) return 'free';
    const session = /^\d{1,18}$/.test(sessionId) ? await this.#rows.find(sessionId) : undefined;
    if (session === undefined) return 'gone';
    if (lentSince(session.fence)) return 'free';
    const use = await withinLimit(
      this.#settings.opener.validate(this.#seal.open(sessionId, session.sealedToken)),
      this.#settings.lookTimeoutMs,
    );
    await this.#rows.touch(sessionId);
    return use;
  }

  async flushEpoch(seenEpoch?: string): Promise<void> {
    if (!(await this.#loginRows.raiseEpoch(seenEpoch))) return;
    const { epoch } = await this.#loginRows.facts();
    this.#settings.onEvent({ kind: 'epoch', epoch });
    this.#held.doubtAll();
    // From here PostgreSQL confirms no lease of an older session, whatever Redis says.
    for (const session of await this.#rows.openSessions()) {
      await this.#lender.quarantine({
        sessionId: session.sessionId,
        which: 'force',
        firstLookMs: 0,
        callMayRun: false,
        answeredAgoMs: session.answeredAgoMs,
        reason: 'epoch',
        leaseId: session.leaseId,
      });
    }
    await this.#keeper.look(noCounts());
    this.#desk.serveSoon();
  }

  async census(): Promise<PoolCensus> {
    const { opening, closing, openIds } = await this.#rows.counts();
    const { effectiveCap } = await this.#loginRows.facts();
    const open = new Set(openIds);
    let idle = 0;
    let leased = 0;
    try {
      const lent = await this.#lender.list();
      idle = lent.idle.filter((id) => open.has(id)).length;
      leased = lent.leased.filter(({ sessionId }) => open.has(sessionId)).length;
    } catch (error) {
      this.#settings.onEvent({ kind: 'failed', duty: 'census', code: codeOf(error) });
    }
    const quarantined = open.size - idle - leased;
    return { opening, idle, leased, quarantined, closing, cap: this.#settings.cap, effectiveCap };
  }

  // ---- keeper ----

  keep(): Promise<KeeperCounts> {
    this.#keeping ??= this.#keepOnce().finally(() => {
      this.#keeping = undefined;
      this.#keptAt = performance.now();
    });
    return this.#keeping;
  }

  async #keepOnce(): Promise<KeeperCounts> {
    await this.#returns.payOwed();
    await this.#quietly('notes', () => this.#returns.writeNotes());
    const counts = await this.#keeper.keep();
    this.#desk.leaveLine();
    // Much may have changed: halts ended, room made.
    this.#demand.askAgain();
    if (this.#desk.waiting > 0) this.#desk.serveSoon();
    return counts;
  }

  #keepAgain(delayMs: number, round: () => Promise<unknown>): void {
    if (this.#state !== 'running') return;
    this.#keepTimer = setTimeout(() => {
      const kept = round()
        .then(() => this.#planNextRound())
        .catch((error: unknown) => {
          this.#settings.onEvent({ kind: 'failed', duty: 'keeper', code: codeOf(error) });
          this.#keepAgain(this.#settings.keepEveryMs, () => this.keep());
        });
      this.#tasks.track('keeper', kept);
    }, delayMs);
  }

  /** A session whose quarantine ends before the next round is looked at in that moment: somebody may wait for it. */
  async #planNextRound(): Promise<void> {
    const starved = this.#desk.waiting > 0 && this.#held.size === 0;
    const roundAt = this.#keptAt + this.#settings.keepEveryMs / (starved ? 4 : 1);
    const roundInMs = Math.max(LEAST_KEEP_MS, roundAt - performance.now());
    const lookInMs = Math.max(LEAST_KEEP_MS, (await this.#keeper.nextLookInMs()) ?? roundInMs);
    if (lookInMs < roundInMs) this.#keepAgain(lookInMs, () => this.#keeper.look(noCounts()));
    else this.#keepAgain(roundInMs, () => this.keep());
  }
}
