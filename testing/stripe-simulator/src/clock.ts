export interface ClockChange {
  /** The instant the clock shall show, in ms since 1970. */
  nowMs?: number | undefined;
  /** How far to move on, in ms. */
  advanceMs?: number | undefined;
  /** True stops the clock, false lets it run on from where it stands. */
  frozen?: boolean | undefined;
}

/** The simulator's time: runs with the machine's clock until someone sets, moves or stops it. */
export class Clock {
  #offsetMs = 0;
  #frozenAtMs: number | null = null;
  readonly #listeners = new Set<() => void>();

  nowMs(): number {
    return this.#frozenAtMs ?? Date.now() + this.#offsetMs;
  }

  /** Whole seconds, as Stripe's `created` has them. */
  nowSeconds(): number {
    return Math.floor(this.nowMs() / 1000);
  }

  change({ nowMs, advanceMs, frozen }: ClockChange): void {
    const target = (nowMs ?? this.nowMs()) + (advanceMs ?? 0);
    const stopped = frozen ?? this.#frozenAtMs !== null;
    this.#offsetMs = target - Date.now();
    this.#frozenAtMs = stopped ? target : null;
    for (const listener of this.#listeners) listener();
  }

  reset(): void {
    this.#offsetMs = 0;
    this.#frozenAtMs = null;
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }
}
