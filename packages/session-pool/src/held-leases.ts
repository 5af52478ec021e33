import { randomBytes } from 'node:crypto';
import { type Lease, makeLease } from './lease';

/** The two clocks of this machine, in ms. The first stands still while the machine is suspended, the second can be set. */
export interface LocalClock {
  monotonicMs(): number;
  wallMs(): number;
}

export const LOCAL_CLOCK: LocalClock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** As many callers can a lease be handed on to; the sequence `session_pool.fences` grows by so much. */
export const FENCES_PER_LEASE = 1_000;

/** What PostgreSQL confirmed. */
export interface ConfirmedLease {
  fence: string;
  epoch: string;
  token: string;
}

/**
 * A session on loan to this process, by one lease that Redis and PostgreSQL know. Its callers come one after another:
 *
 *   asked ──► granted ──► with a caller ◄──► between two callers
 *                              │                  │
 *                              └────► over ◄──────┘
 *
 * `asked`: Redis may have lent, its answer is under way. `granted`: PostgreSQL has not confirmed it yet.
 */
export class HeldLease {
  readonly leaseId: string;
  readonly #clock: LocalClock;
  readonly #confirmedForMs: number;
  #sessionId: string | undefined;
  #current: Lease | undefined;
  #first: Lease | undefined;
  #handedOn = 0;
  #confirmed: { monotonicMs: number; wallMs: number } | undefined;
  #answeredAtMs: number | undefined;

  constructor(leaseId: string, clock: LocalClock, confirmedForMs: number) {
    this.leaseId = leaseId;
    this.#clock = clock;
    this.#confirmedForMs = confirmedForMs;
  }

  /** Undefined until Redis has answered. */
  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  /** The caller's lease; undefined while nobody has the session. */
  get current(): Lease | undefined {
    return this.#current;
  }

  /** The largest fence that a caller was given. */
  get fence(): string | undefined {
    return this.#first === undefined ? undefined : String(BigInt(this.#first.fence) + BigInt(this.#handedOn));
  }

  /** Whether PostgreSQL knows less than `fence`: it confirmed the first caller's. */
  get isHandedOn(): boolean {
    return this.#handedOn > 0;
  }

  /** Since its last answered call; undefined when it had none. */
  get answeredAgoMs(): number | undefined {
    return this.#answeredAtMs === undefined ? undefined : this.#clock.monotonicMs() - this.#answeredAtMs;
  }

  granted(sessionId: string): void {
    this.#sessionId = sessionId;
  }

  /** PostgreSQL confirmed it: the first caller's lease. */
  begin(confirmed: ConfirmedLease): Lease {
    this.#first = makeLease({ ...confirmed, leaseId: this.leaseId, sessionId: this.#sessionId ?? '' });
    this.#current = this.#first;
    return this.#current;
  }

  /** The caller's call was answered, or never begun. */
  endCall(): void {
    this.#current = undefined;
    this.#answeredAtMs = this.#clock.monotonicMs();
  }

  /** The caller is gone, and what became of its call is another matter. */
  end(): void {
    this.#current = undefined;
  }

  /** Whether its block of fences has a number left. */
  get canBeHandedOn(): boolean {
    return this.#first !== undefined && this.#handedOn + 1 < FENCES_PER_LEASE;
  }

  /** The next caller's lease. */
  handOn(): Lease | undefined {
    if (this.#first === undefined || !this.canBeHandedOn) return undefined;
    this.#handedOn += 1;
    this.#current = makeLease({ ...this.#first, token: this.#first.token, fence: this.fence ?? '' });
    return this.#current;
  }

  /** Call before asking Redis; the answer is as old as the question. */
  now(): { monotonicMs: number; wallMs: number } {
    return { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() };
  }

  confirm(askedAt: { monotonicMs: number; wallMs: number }): void {
    this.#confirmed = askedAt;
  }

  doubt(): void {
    this.#confirmed = undefined;
  }

  /**
   * Whether Redis said a moment ago that the session is ours. As good as asking again: from when Redis takes a lease
   * away (or forgets it), the session is not lent to anybody for longer than this. Both clocks have to agree, since
   * either alone is wrong after the machine was suspended or its time was set.
   */
  get isConfirmed(): boolean {
    if (this.#confirmed === undefined) return false;
    const now = this.now();
    const monotonicMs = now.monotonicMs - this.#confirmed.monotonicMs;
    const wallMs = now.wallMs - this.#confirmed.wallMs;
    return monotonicMs <= this.#confirmedForMs && wallMs >= 0 && wallMs <= this.#confirmedForMs;
  }
}

/** The leases of this process, from before Redis is asked until Redis has taken them back. */
export class HeldLeases {
  /** Tells leases of this object from those of others, also of an earlier run under the same owner. */
  readonly instance = randomBytes(6).toString('hex');
  readonly #held = new Map<string, HeldLease>();
  readonly #clock: LocalClock;
  readonly #confirmedForMs: number;
  #count = 0;

  constructor(options: { clock: LocalClock; confirmedForMs: number }) {
    this.#clock = options.clock;
    this.#confirmedForMs = options.confirmedForMs;
  }

  get size(): number {
    return this.#held.size;
  }

  all(): HeldLease[] {
    return [...this.#held.values()];
  }

  /** A lease about to be asked for. */
  ask(): HeldLease {
    this.#count += 1;
    const held = new HeldLease(`${this.instance}.${this.#count}`, this.#clock, this.#confirmedForMs);
    this.#held.set(held.leaseId, held);
    return held;
  }

  /** What the caller's lease is part of, while the caller has it. */
  of(lease: Lease): HeldLease | undefined {
    const held = this.#held.get(lease.leaseId);
    return held?.current?.fence === lease.fence && held.sessionId === lease.sessionId ? held : undefined;
  }

  ofSession(sessionId: string): HeldLease | undefined {
    return this.all().find((held) => held.sessionId === sessionId);
  }

  /** Whether this process holds the lease, or is about to. */
  holds(leaseId: string, sessionId: string): boolean {
    const held = this.#held.get(leaseId);
    return held !== undefined && (held.sessionId === undefined || held.sessionId === sessionId);
  }

  drop(held: HeldLease): void {
    held.end();
    this.#held.delete(held.leaseId);
  }

  /** Redis has to be asked again about each. */
  doubtAll(): void {
    for (const held of this.#held.values()) held.doubt();
  }
}
