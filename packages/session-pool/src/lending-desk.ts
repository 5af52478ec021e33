import type { HeldLease, HeldLeases } from './held-leases';
import type { Lease, LeaseRequest } from './lease';
import type { LeaseReturns } from './lease-returns';
import { asPoolError, PoolError } from './pool-error';
import { codeOf, type PoolEvent } from './pool-event';
import type { RunningTasks } from './running-tasks';
import type { Asking, LendAnswer, SessionLender } from './session-lender';
import type { SessionRows } from './session-rows';
import type { TokenSeal } from './token-seal';
import { type LeasePriority, WaitingLine } from './waiting-line';

export interface LendingDeskOptions {
  lender: SessionLender;
  rows: SessionRows;
  seal: TokenSeal;
  held: HeldLeases;
  returns: LeaseReturns;
  tasks: RunningTasks;
  owner: string;
  crossCheckFirstMs: number;
  safetyPollMs: number;
  /** Nothing is idle: opens sessions for so many callers, if it may. */
  openFor: (callers: number) => void;
  onEvent: (event: PoolEvent) => void;
}

interface WaitingCaller {
  priority: LeasePriority;
  arrivedAt: number;
  /** False when the caller has gone. */
  answer(result: Lease | PoolError): boolean;
}

const LEAST_WAIT_MS = 50;

/**
 * Where the callers of this process wait and are served. A session that comes back answered goes to the next caller
 * here without a word to PostgreSQL, and without one to Redis while nobody waits elsewhere and Redis has confirmed the
 * lease a moment ago. What is idle, and what other processes give back, is asked of Redis, oldest waiter of all first.
 */
export class LendingDesk {
  readonly #options: LendingDeskOptions;
  readonly #line: WaitingLine<WaitingCaller>;
  #open = false;
  #serving = false;
  #serveAgain = false;
  /** Local monotonic time; until then "nothing is idle" is believed, unless a message says otherwise. */
  #nothingIdleUntil = 0;
  /** Whether Redis has us in the line of all processes. */
  #inLine = false;
  /** Whether callers of other processes wait, as far as this one has heard. */
  #othersWait = false;
  #pollTimer: NodeJS.Timeout | undefined;
  #wakeTimer: NodeJS.Timeout | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(options: LendingDeskOptions) {
    this.#options = options;
    this.#line = new WaitingLine(options.crossCheckFirstMs);
  }

  get waiting(): number {
    return this.#line.size;
  }

  open(): void {
    this.#open = true;
  }

  /** Refuses whoever waits, and serves nobody any more. */
  close(error: PoolError): void {
    this.#open = false;
    clearTimeout(this.#pollTimer);
    clearTimeout(this.#wakeTimer);
    this.refuseAll(error);
  }

  /** Waits in the line for a session. Rejects with PoolError. */
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

  refuseAll(error: PoolError): void {
    for (const caller of this.#line.takeAll()) caller.answer(error);
  }

  /** A message of another process, or of this one. */
  hear(message: string): void {
    const [what, instance] = message.split(' ');
    if (what !== 'waiting') {
      this.#nothingIdleUntil = 0;
      if (this.#line.size > 0) this.serveSoon();
      return;
    }
    if (instance === this.#options.held.instance) return;
    this.#othersWait = true;
    // Our place is from a time when somebody waited here: nobody has to stand behind it.
    if (this.#line.size === 0) this.leaveLine();
  }

  /** Gives up the place among all processes, when nobody waits here. */
  leaveLine(): void {
    if (!this.#inLine || this.#line.size > 0) return;
    this.#inLine = false;
    this.#options.tasks.track('leave-line', this.#options.lender.leaveLine(this.#options.held.instance));
  }

  /** Looks again then, or before if that was agreed already. */
  #wakeIn(delayMs: number): void {
    const at = performance.now() + delayMs;
    if (this.#wakeAt <= at) return;
    clearTimeout(this.#wakeTimer);
    this.#wakeAt = at;
    this.#wakeTimer = setTimeout(() => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#look();
    }, delayMs);
  }

  // ---- waiting ----

  #wait(request: LeaseRequest, begun: number): Promise<Lease> {
    const { waitMs, signal, priority = 'work', waitedMs = 0 } = request;
    if (!this.#open) return Promise.reject(new PoolError('POOL_STOPPED', 'The pool is not running'));
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
        Math.max(LEAST_WAIT_MS, waitMs),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#line.add(caller);
      this.#joined();
    });
  }

  /** Behind others who wait here in vain, Redis need not be asked once more for each caller. */
  #joined(): void {
    const known = this.#line.size > 1 && performance.now() < this.#nothingIdleUntil;
    if (known) this.#options.openFor(this.#line.size);
    else this.serveSoon();
  }

  /** Waiters look by themselves now and then, should a message be lost; without waiters the place in the line goes. */
  #keepPolling(): void {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = undefined;
    if (this.#line.size === 0 || !this.#open) return;
    this.#pollTimer = setTimeout(() => this.#look(), this.#options.safetyPollMs);
  }

  #look(): void {
    this.#nothingIdleUntil = 0;
    this.serveSoon();
  }

  // ---- serving what is idle ----

  /** Lends what is idle to whoever waits. One run at a time; a call meanwhile makes it run once more. */
  serveSoon(): void {
    this.#serveAgain = true;
    if (this.#serving || !this.#open) return;
    this.#serving = true;
    this.#options.tasks.track('serve', this.#serve());
  }

  async #serve(): Promise<void> {
    try {
      while (this.#serveAgain && this.#open) {
        this.#serveAgain = false;
        await this.#serveLine();
      }
    } catch (error) {
      this.refuseAll(asPoolError(error));
    } finally {
      this.#serving = false;
      this.#keepPolling();
      // A caller that came while the last answer was on its way.
      if (this.#serveAgain && this.#line.size > 0) this.serveSoon();
    }
  }

  async #serveLine(): Promise<void> {
    const { held, tasks } = this.#options;
    while (this.#open) {
      const asking = this.#asking();
      if (asking === undefined) return;
      const lease = held.ask();
      const askedAt = lease.now();
      const answer = await this.#askRedis(lease, asking);
      this.#othersWait = answer.others > 0;
      this.#inLine = !answer.lent || asking.nextWaitedMs >= 0;
      if (!answer.lent) {
        held.drop(lease);
        if (answer.turnInMs !== undefined) {
          this.#wakeIn(answer.turnInMs);
        } else {
          this.#nothingIdleUntil = performance.now() + this.#options.safetyPollMs;
          this.#options.openFor(this.#line.size);
        }
        return;
      }
      lease.granted(answer.sessionId);
      lease.confirm(askedAt);
      // Whoever is first now: the line may have changed while Redis answered.
      const [caller] = this.#line.nextTwo(performance.now());
      if (caller !== undefined) this.#line.remove(caller);
      tasks.track('lend', this.#lend(caller, lease, answer.returnedLeaseId));
    }
  }

  async #askRedis(lease: HeldLease, asking: Asking): Promise<LendAnswer> {
    const { lender, held, owner } = this.#options;
    try {
      return await lender.lease(lease.leaseId, owner, asking);
    } catch (error) {
      // Should Redis have lent all the same, the keeper finds a lease that nobody holds.
      held.drop(lease);
      throw error;
    }
  }

  /** For whom Redis is asked; undefined: nobody waits here. */
  #asking(): Asking | undefined {
    const now = performance.now();
    const [head, next] = this.#line.nextTwo(now);
    if (head === undefined) return undefined;
    return {
      instance: this.#options.held.instance,
      waitedMs: this.#seniority(head, now),
      nextWaitedMs: next === undefined ? -1 : this.#seniority(next, now),
    };
  }

  /** What Redis compares between processes: ms waited, with a lead of eleven days for an urgent cross-check. */
  #seniority(caller: WaitingCaller, now: number): number {
    const waited = Math.max(0, now - caller.arrivedAt);
    return this.#line.isUrgent(caller, now) ? waited + 1e9 : waited;
  }

  async #lend(caller: WaitingCaller | undefined, held: HeldLease, returnedLeaseId: string): Promise<void> {
    const { returns } = this.#options;
    try {
      if (caller === undefined) {
        await returns.drop(held, 'unused');
        return;
      }
      const confirmed = await this.#confirm(held, returnedLeaseId);
      if (confirmed.kind !== 'confirmed') {
        await returns.drop(held, confirmed.kind, confirmed.about);
        // The session must not be lent: the caller goes back to its place.
        this.#line.add(caller);
        this.serveSoon();
        return;
      }
      if (this.#answer(caller, held, confirmed.lease)) return;
      held.end();
      if (!(await this.handOn(held))) await returns.drop(held, 'unused');
    } catch (error) {
      // The keeper takes the lease back: nobody holds it.
      this.#options.held.drop(held);
      caller?.answer(asPoolError(error));
    }
  }

  #answer(caller: WaitingCaller, held: HeldLease, lease: Lease): boolean {
    if (!caller.answer(lease)) return false;
    const waitedMs = Math.round(performance.now() - caller.arrivedAt);
    this.#options.onEvent({ kind: 'lease', sessionId: lease.sessionId, leaseId: held.leaseId, waitedMs });
    return true;
  }

  /** `no-right`: the session is over. `doubtful`: Redis and PostgreSQL disagree about its last lease (`about`). */
  async #confirm(
    held: HeldLease,
    returnedLeaseId: string,
  ): Promise<{ kind: 'confirmed'; lease: Lease } | { kind: 'no-right' | 'doubtful'; about?: string | undefined }> {
    const { rows, seal, onEvent } = this.#options;
    const sessionId = held.sessionId ?? '';
    const answer = await rows.confirmLease(sessionId, held.leaseId, returnedLeaseId);
    if (answer.kind === 'no-right') return { kind: 'no-right' };
    if (answer.kind === 'doubtful') return { kind: 'doubtful', about: answer.knownLeaseId };
    try {
      const token = seal.open(sessionId, answer.sealedToken);
      return { kind: 'confirmed', lease: held.begin({ fence: answer.fence, epoch: answer.epoch, token }) };
    } catch (error) {
      onEvent({ kind: 'unreadable-token', sessionId, code: codeOf(error) });
      return { kind: 'doubtful' };
    }
  }

  // ---- handing on ----

  /**
   * Lends a session that has come back answered to the next caller here. False: nobody waits, or this lease cannot be
   * handed on; it has to be given back. Never rejects.
   */
  async handOn(held: HeldLease): Promise<boolean> {
    const asking = this.#open && held.canBeHandedOn ? this.#asking() : undefined;
    if (asking === undefined || held.sessionId === undefined) return false;
    if (!held.isConfirmed || this.#othersWait) {
      const outcome = await this.#askToHandOn(held, held.sessionId, asking);
      if (outcome === 'given-back') return true;
      if (outcome !== 'renewed') return false;
    }
    // Whoever is first now: the line may have changed while Redis answered.
    const [caller] = this.#line.nextTwo(performance.now());
    if (caller === undefined) return false;
    this.#line.remove(caller);
    const lease = held.handOn();
    if (lease !== undefined && this.#answer(caller, held, lease)) return true;
    held.end();
    return false;
  }

  async #askToHandOn(held: HeldLease, sessionId: string, asking: Asking) {
    const { lender, returns, onEvent } = this.#options;
    const askedAt = held.now();
    try {
      const { outcome, others } = await lender.handOn(sessionId, held.leaseId, asking);
      this.#othersWait = others > 0;
      this.#inLine = outcome !== 'renewed' || asking.nextWaitedMs >= 0;
      if (outcome === 'renewed') held.confirm(askedAt);
      if (outcome === 'given-back') {
        returns.taken(held);
        this.serveSoon();
      }
      return outcome;
    } catch (error) {
      onEvent({ kind: 'failed', duty: 'hand-on', code: codeOf(error) });
      return 'unheard';
    }
  }
}

const aborted = () => new PoolError('POOL_ABORTED', 'The caller no longer wants a FileMaker session');
