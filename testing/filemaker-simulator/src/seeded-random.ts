/** Numbers in [0, 1) that repeat for the same seed (mulberry32), so that a run with random trouble can be replayed. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number around `middle`, at most `spread` away from it, never below 0. */
  around(middle: number, spread: number): number {
    return Math.max(0, Math.round(middle + (this.next() * 2 - 1) * spread));
  }
}
