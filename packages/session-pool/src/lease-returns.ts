import type { HeldLease, HeldLeases } from './held-leases';
import type { LeaseEnding } from './lease';
import { codeOf, type PoolEvent } from './pool-event';
import type { RunningTasks } from './running-tasks';
import type { SessionLender } from './session-lender';
import type { LeaseNote, SessionRows } from './session-rows';

export interface LeaseReturnsOptions {
  lender: SessionLender;
  rows: SessionRows;
  held: HeldLeases;
  tasks: RunningTasks;
  onEvent: (event: PoolEvent) => void;
}

/**
 * Gives sessions back: to Redis first, which lends them on at once. What PostgreSQL has to know of it is only for the
 * day Redis forgets, so that it is told once a round of the keeper, of all leases together. Until then it takes the
 * session for one on loan, and after a crash or a flush it is looked at for longer than it need be.
 */
export class LeaseReturns {
  readonly #options: LeaseReturnsOptions;
  /** Leases whose end Redis has not taken yet. */
  readonly #owed = new Map<HeldLease, LeaseEnding>();
  /** Returned leases that PostgreSQL has not heard of, with the local time of their last answered call. */
  readonly #returned = new Map<string, { note: LeaseNote; notedAt: number }>();
  /** The fence of each lease handed on that PostgreSQL was told. */
  readonly #notedFences = new WeakMap<HeldLease, string>();

  constructor(options: LeaseReturnsOptions) {
    this.#options = options;
  }

  /** False: the lease was lost before, or Redis cannot be told now; the keeper tells it then. Never rejects. */
  giveBack(held: HeldLease, how: LeaseEnding): Promise<boolean> {
    held.end();
    this.#owed.set(held, how);
    return this.#pay(held, how);
  }

  /** Leases that could not be given back before. */
  async payOwed(): Promise<void> {
    for (const [held, how] of [...this.#owed]) await this.#pay(held, how);
  }

  isOwed(held: HeldLease): boolean {
    return this.#owed.has(held);
  }

  /** Redis has the session back. */
  taken(held: HeldLease): void {
    this.#options.held.drop(held);
    this.#owed.delete(held);
    if (held.sessionId === undefined) return;
    const { leaseId, sessionId, answeredAgoMs, fence = '0' } = held;
    const note = { leaseId, sessionId, fence, answeredAgoMs, returned: true };
    this.#returned.set(leaseId, { note, notedAt: performance.now() });
  }

  /** Ends a lease that no caller has used. `about`: the lease that PostgreSQL knows instead, when it is doubtful. */
  async drop(held: HeldLease, why: 'unused' | 'no-right' | 'doubtful', about?: string): Promise<void> {
    const { lender, onEvent } = this.#options;
    const { sessionId = '', leaseId } = held;
    const how = why === 'unused' ? 'unused' : why === 'no-right' ? 'gone' : 'quarantine';
    await lender.giveBack(sessionId, leaseId, how, why, about ?? leaseId);
    if (why === 'unused') this.taken(held);
    else this.#options.held.drop(held);
    if (why === 'doubtful') onEvent({ kind: 'quarantine', sessionId, because: why });
  }

  /** Tells PostgreSQL of returned leases, and how far those on loan were handed on. Rejects when it is away. */
  async writeNotes(): Promise<void> {
    const now = performance.now();
    const returned = [...this.#returned.values()].map(({ note, notedAt }) => ({
      ...note,
      answeredAgoMs: note.answeredAgoMs === undefined ? undefined : note.answeredAgoMs + now - notedAt,
    }));
    const handedOn = this.#options.held
      .all()
      .filter((held) => held.isHandedOn && this.#notedFences.get(held) !== held.fence);
    const running = handedOn.map((held) => ({ held, fence: held.fence ?? '0' }));
    await this.#options.rows.noteLeases([
      ...returned,
      ...running.map(({ held, fence }) => ({
        leaseId: held.leaseId,
        sessionId: held.sessionId ?? '0',
        fence,
        answeredAgoMs: held.answeredAgoMs,
        returned: false,
      })),
    ]);
    for (const { leaseId } of returned) this.#returned.delete(leaseId);
    for (const { held, fence } of running) this.#notedFences.set(held, fence);
  }

  /** Tells Redis first: the session is lent on at once. */
  async #pay(held: HeldLease, how: LeaseEnding): Promise<boolean> {
    const { lender, onEvent, tasks } = this.#options;
    const { leaseId, sessionId = '' } = held;
    try {
      const answer = await lender.giveBack(sessionId, leaseId, how, 'unanswered');
      if (how === 'idle' && answer === 'done') {
        this.taken(held);
        return true;
      }
      this.#owed.delete(held);
      this.#options.held.drop(held);
      if (answer === 'refused') return false;
      if (how === 'quarantine' || answer === 'late') onEvent({ kind: 'quarantine', sessionId, because: how });
      if (how === 'gone') tasks.track('give-back', this.#removeGone(sessionId, leaseId));
      return answer === 'done';
    } catch (error) {
      onEvent({ kind: 'failed', duty: 'give-back', code: codeOf(error) });
      return false;
    }
  }

  async #removeGone(sessionId: string, leaseId: string): Promise<void> {
    const { rows, lender, onEvent } = this.#options;
    if (!(await rows.remove(sessionId, leaseId))) return;
    onEvent({ kind: 'forgotten', sessionId, because: 'gone' });
    await lender.tellRoom();
  }
}
