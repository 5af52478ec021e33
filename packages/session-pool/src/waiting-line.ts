/** `cross-check` goes first once it has waited `crossCheckFirstMs`. */
export type LeasePriority = 'work' | 'cross-check';

/** One caller in the line. `arrivedAt` is local monotonic time in ms, less what it waited in earlier calls. */
export interface Waiter {
  readonly priority: LeasePriority;
  readonly arrivedAt: number;
}

/**
 * The callers of this process that wait for a session: first come, first served, except that a cross-check that has
 * waited `crossCheckFirstMs` goes before all work.
 */
export class WaitingLine<W extends Waiter> {
  readonly #waiters: W[] = [];
  readonly #crossCheckFirstMs: number;

  constructor(crossCheckFirstMs: number) {
    this.#crossCheckFirstMs = crossCheckFirstMs;
  }

  get size(): number {
    return this.#waiters.length;
  }

  /** Kept in order of arrival; one that returns to the line gets its old place. */
  add(waiter: W): void {
    let at = this.#waiters.length;
    while (at > 0 && (this.#waiters[at - 1]?.arrivedAt ?? 0) > waiter.arrivedAt) at -= 1;
    this.#waiters.splice(at, 0, waiter);
  }

  /** False when it had left already. */
  remove(waiter: W): boolean {
    const at = this.#waiters.indexOf(waiter);
    if (at < 0) return false;
    this.#waiters.splice(at, 1);
    return true;
  }

  /** Who is served next at `now`, and who after that. */
  nextTwo(now: number): [W?, W?] {
    const urgent = this.#waiters.filter((waiter) => this.isUrgent(waiter, now));
    if (urgent.length === 0) return this.#waiters.slice(0, 2) as [W?, W?];
    const others = this.#waiters.filter((waiter) => !this.isUrgent(waiter, now));
    return [...urgent, ...others].slice(0, 2) as [W?, W?];
  }

  isUrgent(waiter: W, now: number): boolean {
    return waiter.priority === 'cross-check' && now - waiter.arrivedAt >= this.#crossCheckFirstMs;
  }

  takeAll(): W[] {
    return this.#waiters.splice(0);
  }
}
