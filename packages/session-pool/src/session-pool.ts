import { randomBytes } from 'node:crypto';
import type { Database } from '@bridge/database';
import type { Redis } from 'ioredis';
import { PoolError } from './pool-error';
import { codeOf, type PoolEvent } from './pool-event';
import { redisKeys } from './redis-keys';
import { type KeeperCounts, noCounts, SessionKeeper } from './session-keeper';
import { type LendAnswer, SessionLender } from './session-lender';
import { type LoginResult, SessionLogins } from './session-logins';
import type { LoginHalts, SessionOpener, SessionUse } from './session-opener';
import { SessionRows } from './session-rows';
import { withinLimit } from './time-limit';
import { createTokenSeal } from './token-seal';
import { type LeasePriority, WaitingLine } from './waiting-line';

export interface SessionPoolOptions {
  database: Database;
  /** ioredis 5, the caller's, best with a commandTimeout. A subscriber is duplicated from it. No `keyPrefix`. */
  redis: Redis;
  /** Holds a hash tag, e.g. `{bridge:1234}:filemaker`. */
  keyPrefix: string;
  opener: SessionOpener;
  /** Sessions of all processes together, in every state. At least 1. */
  cap: number;
  /** A session whose last answered call is older is not lent but logged out. Default 13 min. */
  idleMs?: number;
  /** FileMaker drops a session this long after its last call. Default 15 min (Claris: Data API guide, connect-disconnect-database). */
  sessionLifeMs?: number;
  /** Added to `sessionLifeMs` before a session is believed dead unseen. Default 60 s. */
  lifeMarginMs?: number;
  /** The longest a script can run: how long a session is held off where FileMaker does not tell whether it is in use. */
  scriptMaxMs: number;
  /** A lease runs out this long after it was granted or last confirmed by `stillMine`. More than the longest call. */
  leaseMs: number;
  /** 32 bytes each. The first seals, all open. */
  tokenKeys: Buffer[];
  /** Names this run of the process, as its heartbeat does. Never used by two pools. */
  owner: string;
  /** Which of these owners live. The dead ones' leases are taken back at once. */
  isOwnerAlive: (owners: string[]) => Promise<Set<string>>;
  halts: LoginHalts;
  /** Must not throw. */
  onEvent?: (event: PoolEvent) => void;
  /** All processes together. Default 2. */
  loginsAtOnce?: number;
  /** All processes together, evenly spaced. Default 5. */
  loginsPerSecond?: number;
  /** After that a login counts as unheard. Default 30 s. */
  loginTimeoutMs?: number;
  /** Longest wait for a logout or a look. Default 5 s. */
  lookTimeoutMs?: number;
  /** Longest wait for one answer of Redis. Default 2 s. */
  redisTimeoutMs?: number;
  /** Least time between a lease taken back and its session lent again. Default 2 s. */
  quarantineMs?: number;
  /** A refusal for capacity takes one place away for so long. Default 3 min. */
  capacityHoldMs?: number;
  /** A cross-check that has waited so long goes before all work. Default 30 s. */
  crossCheckFirstMs?: number;
  /** How often waiters look without having been woken. Default and least 500 ms. */
  safetyPollMs?: number;
  /** How long an idle session waits for an older waiter in another process. Default 100 ms. */
  turnMs?: number;
  /** A process that gives no sign of life for so long loses its place in the line. Default 1.5 s. */
  lineStaleMs?: number;
  /** Time between two rounds of the keeper. Default 1 s. */
  keepEveryMs?: number;
}

/** One token on loan, for one request in flight. `token` is left out when the lease is printed or serialised. */
export interface Lease {
  readonly leaseId: string;
  readonly sessionId: string;
  readonly token: string;
  /** From a PostgreSQL sequence: larger than that of every earlier lease of the session. */
  readonly fence: string;
  readonly epoch: string;
}

export interface LeaseRequest {
  /** Longest wait; at least 50 ms, so that what is idle now can be lent. */
  waitMs: number;
  priority?: LeasePriority;
  /** What the same work has waited in earlier calls; keeps its place in the line. */
  waitedMs?: number;
  signal?: AbortSignal;
}

export interface PoolCensus {
  opening: number;
  idle: number;
  leased: number;
  quarantined: number;
  closing: number;
  cap: number;
  effectiveCap: number;
}

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
   * Asked right before the first byte; renews the deadline. False: lease anew, send nothing on this one.
   * Rejects with POOL_REDIS_DOWN, which means the same.
   */
  stillMine(lease: Lease): Promise<boolean>;
  /**
   * `idle`: the call was answered, or never begun. `quarantine`: it may be running. `gone`: FileMaker does not know the
   * token (952). False: the lease was lost before, and this changes nothing. Never rejects: what a store cannot take
   * now is told it again by the keeper.
   */
  giveBack(lease: Lease, how: 'idle' | 'quarantine' | 'gone'): Promise<boolean>;
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

interface WaitingCaller {
  priority: LeasePriority;
  arrivedAt: number;
  /** False when the caller has gone. */
  answer(result: Lease | PoolError): boolean;
}

const DEFAULTS = {
  idleMs: 13 * 60_000,
  sessionLifeMs: 15 * 60_000,
  lifeMarginMs: 60_000,
  loginsAtOnce: 2,
  loginsPerSecond: 5,
  loginTimeoutMs: 30_000,
  lookTimeoutMs: 5_000,
  redisTimeoutMs: 2_000,
  quarantineMs: 2_000,
  capacityHoldMs: 3 * 60_000,
  crossCheckFirstMs: 30_000,
  safetyPollMs: 500,
  turnMs: 100,
  lineStaleMs: 1_500,
  keepEveryMs: 1_000,
};

/** How long "no login now" is believed at most before PostgreSQL is asked again, unless somebody tells of room. */
const BELIEVED_MS = 500;

/**
 * Lends FileMaker sessions to all workers and never has more than the cap. A session is
 * `opening -> idle <-> leased -> quarantined -> idle`, and ends by `closing`, or at once when FileMaker says it is
 * gone; all five count. PostgreSQL holds the right to exist, Redis lends; each confirms the other.
 */
export function createSessionPool(options: SessionPoolOptions): SessionPool {
  return new PooledSessions(options);
}

class PooledSessions implements SessionPool {
  readonly #options: Required<Omit<SessionPoolOptions, 'onEvent'>> & { onEvent: (event: PoolEvent) => void };
  /** Tells leases of this object from those of others, also of an earlier run under the same owner. */
  readonly #instance = randomBytes(6).toString('hex');
  readonly #channel: string;
  readonly #rows: SessionRows;
  readonly #lender: SessionLender;
  readonly #logins: SessionLogins;
  readonly #keeper: SessionKeeper;
  readonly #seal: ReturnType<typeof createTokenSeal>;
  readonly #line: WaitingLine<WaitingCaller>;
  /** Lease id -> session, from before Redis is asked until Redis has taken it back. */
  readonly #held = new Map<string, string | undefined>();
  /** Leases whose end Redis has not taken yet. */
  readonly #owedReturns = new Map<string, { lease: Lease; how: 'idle' | 'quarantine' | 'gone' }>();
  readonly #tasks = new Set<Promise<void>>();
  #subscriber: Redis | undefined;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #stopping: Promise<void> | undefined;
  #leases = 0;
  #serving = false;
  #serveAgain = false;
  /** Local monotonic time; until then PostgreSQL's last answer is believed. */
  #noLoginBefore = 0;
  /** Why nobody need wait until then: no session is open and none may be opened. */
  #noHope: PoolError | undefined;
  #pollTimer: NodeJS.Timeout | undefined;
  #wakeTimer: NodeJS.Timeout | undefined;
  #keepTimer: NodeJS.Timeout | undefined;
  #keeping: Promise<KeeperCounts> | undefined;

  constructor(given: SessionPoolOptions) {
    const { onEvent = () => undefined, ...rest } = given;
    const options = { ...DEFAULTS, ...rest, onEvent };
    if (!Number.isInteger(options.cap) || options.cap < 1) throw new TypeError('The cap is a whole number, at least 1');
    if (options.redis.options.keyPrefix) throw new TypeError('The Redis connection must not have a keyPrefix');
    if (options.idleMs >= options.sessionLifeMs) throw new TypeError('idleMs must be less than sessionLifeMs');
    this.#options = { ...options, safetyPollMs: Math.max(500, options.safetyPollMs) };
    const keys = redisKeys(options.keyPrefix);
    this.#channel = keys.channel;
    this.#seal = createTokenSeal(options.tokenKeys);
    this.#line = new WaitingLine(options.crossCheckFirstMs);
    const surelyDeadMs = options.sessionLifeMs + options.lifeMarginMs;
    this.#rows = new SessionRows({
      ...options,
      surelyDeadMs,
      surelyDeadAfterScriptMs: surelyDeadMs + options.scriptMaxMs,
    });
    this.#lender = new SessionLender({ ...options, keys });
    const parts = { ...options, rows: this.#rows, lender: this.#lender, seal: this.#seal };
    this.#logins = new SessionLogins(parts);
    this.#keeper = new SessionKeeper({
      ...parts,
      logins: this.#logins,
      instance: this.#instance,
      holds: (leaseId, sessionId) => {
        if (!this.#held.has(leaseId)) return false;
        const held = this.#held.get(leaseId);
        return held === undefined || held === sessionId;
      },
    });
  }

  async start(): Promise<void> {
    if (this.#state === 'stopped') throw new PoolError('POOL_STOPPED', 'A stopped pool cannot be started again');
    if (this.#state === 'running') return;
    this.#state = 'running';
    this.#subscribe();
    this.#scheduleKeeper(0);
  }

  stop(how: { closeIdle?: boolean } = {}): Promise<void> {
    this.#stopping ??= this.#stop(how.closeIdle === true);
    return this.#stopping;
  }

  async lease(request: LeaseRequest): Promise<Lease> {
    const begun = performance.now();
    try {
      return await this.#wait(request, begun);
    } catch (error) {
      const waitedMs = Math.round(performance.now() - begun);
      this.#options.onEvent({ kind: 'lease-refused', code: codeOf(error), waitedMs });
      throw error;
    }
  }

  stillMine(lease: Lease): Promise<boolean> {
    if (this.#held.get(lease.leaseId) !== lease.sessionId) return Promise.resolve(false);
    return this.#lender.stillMine(lease.sessionId, lease.leaseId);
  }

  async giveBack(lease: Lease, how: 'idle' | 'quarantine' | 'gone'): Promise<boolean> {
    if (this.#held.get(lease.leaseId) !== lease.sessionId || this.#owedReturns.has(lease.leaseId)) return false;
    this.#owedReturns.set(lease.leaseId, { lease, how });
    return this.#payReturn(lease.leaseId);
  }

  async ask(sessionId: string, fence?: string): Promise<SessionUse> {
    const session = /^\d{1,18}$/.test(sessionId) ? await this.#rows.find(sessionId) : undefined;
    if (session === undefined) return 'gone';
    const lentSince = fence !== undefined && session.fence !== undefined && BigInt(session.fence) > BigInt(fence);
    // It is only lent again after it was seen free or held off long enough.
    if (lentSince) return 'free';
    const use = await withinLimit(
      this.#options.opener.validate(this.#seal.open(sessionId, session.sealedToken)),
      this.#options.lookTimeoutMs,
    );
    await this.#rows.touch(sessionId);
    return use;
  }

  async flushEpoch(seenEpoch?: string): Promise<void> {
    if (!(await this.#rows.raiseEpoch(seenEpoch))) return;
    const { epoch } = await this.#rows.facts();
    this.#options.onEvent({ kind: 'epoch', epoch });
    // From here PostgreSQL confirms no lease of an older session, whatever Redis says.
    for (const session of await this.#rows.openSessions()) {
      await this.#lender.quarantine({
        sessionId: session.sessionId,
        which: 'force',
        firstLookMs: 0,
        callMayRun: false,
        answeredAgoMs: session.answeredAgoMs,
        reason: 'epoch',
      });
    }
    await this.#keeper.look(noCounts());
    this.#serveSoon();
  }

  keep(): Promise<KeeperCounts> {
    this.#keeping ??= this.#keepOnce().finally(() => {
      this.#keeping = undefined;
    });
    return this.#keeping;
  }

  async census(): Promise<PoolCensus> {
    const { opening, closing, openIds } = await this.#rows.counts();
    const { effectiveCap } = await this.#rows.facts();
    const open = new Set(openIds);
    let idle = 0;
    let leased = 0;
    try {
      const lent = await this.#lender.list();
      idle = lent.idle.filter((id) => open.has(id)).length;
      leased = lent.leased.filter(({ sessionId }) => open.has(sessionId)).length;
    } catch (error) {
      this.#options.onEvent({ kind: 'failed', duty: 'census', code: codeOf(error) });
    }
    const quarantined = open.size - idle - leased;
    return { opening, idle, leased, quarantined, closing, cap: this.#options.cap, effectiveCap };
  }

  // ---- waiting ----

  #wait(request: LeaseRequest, begun: number): Promise<Lease> {
    const { waitMs, signal, priority = 'work', waitedMs = 0 } = request;
    if (this.#state !== 'running') return Promise.reject(new PoolError('POOL_STOPPED', 'The pool is not running'));
    if (signal?.aborted) return Promise.reject(aborted());
    return new Promise<Lease>((resolve, reject) => {
      let waiting = true;
      const leave = () => {
        waiting = false;
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const caller: WaitingCaller = {
        priority,
        arrivedAt: begun - waitedMs,
        answer: (result) => {
          if (!waiting) return false;
          leave();
          if (result instanceof PoolError) reject(result);
          else resolve(result);
          return true;
        },
      };
      const onAbort = () => {
        this.#line.remove(caller);
        caller.answer(aborted());
      };
      const timer = setTimeout(
        () => {
          this.#line.remove(caller);
          const retryAfterMs = 250 + Math.floor(Math.random() * 500);
          caller.answer(new PoolError('POOL_BUSY', 'No FileMaker session became free in time', { retryAfterMs }));
        },
        Math.max(50, waitMs),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#line.add(caller);
      this.#serveSoon();
    });
  }

  #refuseAll(error: PoolError): void {
    for (const caller of this.#line.takeAll()) caller.answer(error);
  }

  // ---- serving ----

  /** Lends what is idle to whoever waits. One run at a time; a call meanwhile makes it run once more. */
  #serveSoon(): void {
    this.#serveAgain = true;
    if (this.#serving || this.#state !== 'running') return;
    this.#serving = true;
    this.#track(this.#serve());
  }

  async #serve(): Promise<void> {
    try {
      while (this.#serveAgain && this.#state === 'running') {
        this.#serveAgain = false;
        await this.#serveLine();
      }
    } catch (error) {
      this.#refuseAll(asPoolError(error));
    } finally {
      this.#serving = false;
      this.#keepPolling();
      // A caller that came while the last answer was on its way.
      if (this.#serveAgain && this.#line.size > 0) this.#serveSoon();
    }
  }

  async #serveLine(): Promise<void> {
    while (this.#state === 'running') {
      const now = performance.now();
      const [head, next] = this.#line.nextTwo(now);
      if (head === undefined) return;
      const leaseId = this.#newLeaseId();
      this.#held.set(leaseId, undefined);
      let answer: LendAnswer;
      try {
        answer = await this.#lender.lease({
          leaseId,
          owner: this.#options.owner,
          instance: this.#instance,
          waitedMs: this.#seniority(head, now),
          nextWaitedMs: next === undefined ? -1 : this.#seniority(next, now),
        });
      } catch (error) {
        // Should Redis have lent all the same, the keeper finds a lease that nobody holds.
        this.#held.delete(leaseId);
        throw error;
      }
      if (!answer.lent) {
        this.#held.delete(leaseId);
        if (answer.turnInMs === undefined) this.#openMore();
        else this.#wakeIn(answer.turnInMs);
        return;
      }
      this.#held.set(leaseId, answer.sessionId);
      // Whoever is first now: the line may have changed while Redis answered.
      const [caller] = this.#line.nextTwo(performance.now());
      if (caller !== undefined) this.#line.remove(caller);
      this.#track(this.#hand(caller, leaseId, answer.sessionId, answer.returnedLeaseId));
    }
  }

  /** What Redis compares between processes: ms waited, with a lead of eleven days for an urgent cross-check. */
  #seniority(caller: WaitingCaller, now: number): number {
    const waited = Math.max(0, now - caller.arrivedAt);
    return this.#line.isUrgent(caller, now) ? waited + 1e9 : waited;
  }

  async #hand(
    caller: WaitingCaller | undefined,
    leaseId: string,
    sessionId: string,
    returnedLeaseId: string,
  ): Promise<void> {
    try {
      const confirmed = caller === undefined ? undefined : await this.#confirm(leaseId, sessionId, returnedLeaseId);
      if (caller === undefined || confirmed === undefined) {
        // Nobody waits, or the session must not be lent: the caller goes back to its place.
        await this.#dropLease(leaseId, sessionId, caller === undefined ? 'unused' : 'no-right');
        if (caller !== undefined) this.#line.add(caller);
        this.#serveSoon();
        return;
      }
      if (confirmed === 'doubtful') {
        await this.#dropLease(leaseId, sessionId, 'doubtful');
        this.#line.add(caller);
        this.#serveSoon();
        return;
      }
      if (!caller.answer(confirmed)) {
        await this.#dropLease(leaseId, sessionId, 'unused');
        return;
      }
      const waitedMs = Math.round(performance.now() - caller.arrivedAt);
      this.#options.onEvent({ kind: 'lease', sessionId, leaseId, waitedMs });
    } catch (error) {
      // The keeper takes the lease back: nobody holds it.
      this.#held.delete(leaseId);
      caller?.answer(asPoolError(error));
    }
  }

  /** Undefined: the session has lost its right. `doubtful`: Redis and PostgreSQL disagree about its last lease. */
  async #confirm(leaseId: string, sessionId: string, returnedLeaseId: string): Promise<Lease | 'doubtful' | undefined> {
    const confirmed = await this.#rows.confirmLease(sessionId, leaseId, returnedLeaseId);
    if (confirmed === 'no-right') return undefined;
    if (confirmed === 'doubtful') return 'doubtful';
    let token: string;
    try {
      token = this.#seal.open(sessionId, confirmed.sealedToken);
    } catch (error) {
      this.#options.onEvent({ kind: 'unreadable-token', sessionId, code: codeOf(error) });
      return 'doubtful';
    }
    const lease = { leaseId, sessionId, fence: confirmed.fence, epoch: confirmed.epoch, token };
    return Object.defineProperty(lease, 'token', { value: token, enumerable: false, writable: false });
  }

  async #dropLease(leaseId: string, sessionId: string, why: 'unused' | 'no-right' | 'doubtful'): Promise<void> {
    const how = why === 'unused' ? 'unused' : why === 'no-right' ? 'gone' : 'quarantine';
    await this.#lender.giveBack(sessionId, leaseId, how, why);
    this.#held.delete(leaseId);
    if (why === 'unused') await this.#rows.noteReturned(sessionId, leaseId, false);
    if (why === 'doubtful') this.#options.onEvent({ kind: 'quarantine', sessionId, because: why });
  }

  #newLeaseId(): string {
    this.#leases += 1;
    return `${this.#instance}.${this.#leases}`;
  }

  #wakeIn(delayMs: number): void {
    clearTimeout(this.#wakeTimer);
    this.#wakeTimer = setTimeout(() => this.#serveSoon(), delayMs);
  }

  /** Waiters look by themselves now and then, should a message be lost; without waiters the place in the line goes. */
  #keepPolling(): void {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = undefined;
    if (this.#line.size === 0 || this.#state !== 'running') return;
    this.#pollTimer = setTimeout(() => this.#serveSoon(), this.#options.safetyPollMs);
  }

  // ---- logins ----

  /** Opens as many sessions as callers wait for, less those under way. */
  #openMore(): void {
    const waitMs = this.#noLoginBefore - performance.now();
    if (waitMs > 0) {
      if (this.#noHope === undefined) this.#wakeIn(Math.ceil(waitMs));
      else this.#refuseAll(this.#noHope);
      return;
    }
    this.#noHope = undefined;
    const wanted = Math.min(this.#line.size, this.#options.loginsAtOnce) - this.#logins.underWay;
    for (let at = 0; at < wanted; at += 1) this.#track(this.#openOne());
  }

  async #openOne(): Promise<void> {
    try {
      this.#afterLogin(await this.#logins.open());
    } catch (error) {
      this.#refuseAll(asPoolError(error));
    }
    this.#serveSoon();
  }

  #afterLogin(result: LoginResult): void {
    if (result.kind === 'opened') return;
    if (result.kind === 'halted') {
      this.#noLoginFor(BELIEVED_MS);
      this.#track(this.#refuseWithoutHope(haltedError(result.cause)));
      return;
    }
    if (result.kind === 'not-now') {
      const { decision, sessions } = result;
      this.#noLoginFor(Math.min(BELIEVED_MS, Math.max(20, decision.retryAfterMs)));
      const noRoom = decision.why === 'held' && decision.because === 'capacity' && sessions === 0;
      if (noRoom) this.#refuseFromNow(capacityError(decision.retryAfterMs));
      return;
    }
    const error = result.verdict === 'capacity' ? capacityError(1_000) : unavailableError(result.verdict);
    if (result.verdict === 'unavailable') this.#refuseAll(error);
    else if (result.verdict === 'credentials')
      this.#track(this.#refuseWithoutHope(haltedError('filemaker-credentials')));
    else if (result.open === 0) this.#refuseAll(error);
  }

  #noLoginFor(durationMs: number): void {
    this.#noLoginBefore = performance.now() + durationMs;
  }

  #refuseFromNow(error: PoolError): void {
    this.#noHope = error;
    this.#refuseAll(error);
  }

  /** Logins are halted: whoever waits can only hope for a session that is open already. */
  async #refuseWithoutHope(error: PoolError): Promise<void> {
    try {
      if ((await this.#rows.counts()).openIds.length === 0) this.#refuseFromNow(error);
    } catch (failure) {
      this.#refuseAll(asPoolError(failure));
    }
  }

  // ---- giving back ----

  /** Tells Redis first: the session is lent on at once. PostgreSQL's note is only for the day Redis forgets. */
  async #payReturn(leaseId: string): Promise<boolean> {
    const owed = this.#owedReturns.get(leaseId);
    if (owed === undefined) return false;
    const { lease, how } = owed;
    try {
      const answer = await this.#lender.giveBack(lease.sessionId, leaseId, how, 'unanswered');
      this.#owedReturns.delete(leaseId);
      this.#held.delete(leaseId);
      this.#serveSoon();
      if (answer === 'refused') return false;
      if (how === 'quarantine' || answer === 'late') {
        this.#options.onEvent({ kind: 'quarantine', sessionId: lease.sessionId, because: how });
      }
      if (how === 'idle' && answer === 'done') await this.#rows.noteReturned(lease.sessionId, leaseId, true);
      if (how === 'gone') await this.#removeGone(lease);
      return answer === 'done';
    } catch (error) {
      this.#options.onEvent({ kind: 'failed', duty: 'give-back', code: codeOf(error) });
      return false;
    }
  }

  async #removeGone(lease: Lease): Promise<void> {
    if (!(await this.#rows.remove(lease.sessionId, lease.leaseId))) return;
    this.#options.onEvent({ kind: 'forgotten', sessionId: lease.sessionId, because: 'gone' });
    await this.#lender.tellRoom();
  }

  // ---- keeper ----

  async #keepOnce(): Promise<KeeperCounts> {
    for (const leaseId of [...this.#owedReturns.keys()]) await this.#payReturn(leaseId);
    const counts = await this.#keeper.keep();
    if (this.#line.size === 0 && this.#state === 'running') await this.#lender.leaveLine(this.#instance);
    // Much may have changed: halts ended, room made.
    this.#noLoginBefore = 0;
    if (this.#line.size > 0) this.#serveSoon();
    return counts;
  }

  #scheduleKeeper(delayMs: number): void {
    if (this.#state !== 'running') return;
    this.#keepTimer = setTimeout(() => {
      const round = this.keep()
        .then(() => undefined)
        .catch((error: unknown) => this.#options.onEvent({ kind: 'failed', duty: 'keeper', code: codeOf(error) }))
        .finally(() => this.#scheduleKeeper(this.#options.keepEveryMs));
      this.#track(round);
    }, delayMs);
  }

  #subscribe(): void {
    const subscriber = this.#options.redis.duplicate({ maxRetriesPerRequest: null, enableOfflineQueue: true });
    this.#subscriber = subscriber;
    subscriber.on('error', (error) => this.#options.onEvent({ kind: 'failed', duty: 'listen', code: codeOf(error) }));
    subscriber.on('message', (_channel, message) => {
      if (message === 'room') this.#noLoginBefore = 0;
      if (this.#line.size > 0) this.#serveSoon();
    });
    const listening = subscriber
      .subscribe(this.#channel)
      .then(() => undefined)
      // Without the channel the safety poll still serves.
      .catch((error: unknown) => this.#options.onEvent({ kind: 'failed', duty: 'listen', code: codeOf(error) }));
    this.#track(listening);
  }

  async #stop(closeIdle: boolean): Promise<void> {
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    clearTimeout(this.#keepTimer);
    clearTimeout(this.#pollTimer);
    clearTimeout(this.#wakeTimer);
    this.#refuseAll(new PoolError('POOL_STOPPED', 'The pool is stopping'));
    this.#subscriber?.disconnect();
    await Promise.allSettled(this.#tasks);
    await this.#quietly('stop', () => withinLimit(this.#logins.lateAnswers(), this.#options.loginTimeoutMs));
    if (!wasRunning) return;
    for (const [leaseId, sessionId] of [...this.#held]) {
      if (sessionId === undefined || this.#owedReturns.has(leaseId)) continue;
      await this.#quietly('stop', () => this.#lender.giveBack(sessionId, leaseId, 'quarantine', 'stopped'));
      this.#held.delete(leaseId);
    }
    for (const leaseId of [...this.#owedReturns.keys()]) await this.#payReturn(leaseId);
    await this.#quietly('stop', () => this.#lender.leaveLine(this.#instance));
    await this.#quietly('stop', () => this.#logins.settleOwed());
    if (closeIdle) await this.#quietly('stop', () => this.#keeper.closeIdle());
  }

  async #quietly(duty: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.onEvent({ kind: 'failed', duty, code: codeOf(error) });
    }
  }

  #track(work: Promise<void>): void {
    const task = work
      .catch((error: unknown) => this.#options.onEvent({ kind: 'failed', duty: 'pool', code: codeOf(error) }))
      .finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }
}

const aborted = () => new PoolError('POOL_ABORTED', 'The caller no longer wants a FileMaker session');
const haltedError = (cause: string) =>
  new PoolError('POOL_HALTED', `Logins to FileMaker are halted: ${cause}`, { haltCause: cause });
const capacityError = (retryAfterMs: number) =>
  new PoolError('POOL_CAPACITY', 'FileMaker has no room for a session', { retryAfterMs });
const unavailableError = (verdict: string) =>
  new PoolError('POOL_UNAVAILABLE', `FileMaker gave no session: ${verdict}`, { retryAfterMs: 1_000 });

/** Whatever the caller's own parts throw (halts live in PostgreSQL) is a store that is away. */
function asPoolError(error: unknown): PoolError {
  if (error instanceof PoolError) return error;
  return new PoolError('POOL_DATABASE_DOWN', 'The state of FileMaker logins could not be read', { cause: error });
}
