import { codeOf, type PoolEvent } from './pool-event';

/** Work that nobody waits for until the pool stops. Its failures are told as events. */
export class RunningTasks {
  readonly #tasks = new Set<Promise<void>>();
  readonly #onEvent: (event: PoolEvent) => void;

  constructor(onEvent: (event: PoolEvent) => void) {
    this.#onEvent = onEvent;
  }

  track(duty: string, work: Promise<unknown>): void {
    const task = work
      .then(() => undefined)
      .catch((error: unknown) => this.#onEvent({ kind: 'failed', duty, code: codeOf(error) }))
      .finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#tasks);
  }
}
