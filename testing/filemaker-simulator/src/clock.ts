/** Wall time plus an offset that tests move forward. Latencies are real time and do not follow it. */
export class SimulatorClock {
  #offsetMs = 0;

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  iso(): string {
    return new Date(this.now()).toISOString();
  }

  advance(ms: number): void {
    this.#offsetMs += ms;
  }
}
