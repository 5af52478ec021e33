/** Lets callers wait until something they watch has become true, without polling: whoever changes state rings. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Resolves true once `reached()` holds, or false after `timeoutMs` or when `signal` aborts. */
  until(reached: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (reached()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (value: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        signal?.removeEventListener('abort', giveUp);
        resolve(value);
      };
      const look = (): void => {
        if (reached()) finish(true);
      };
      const giveUp = (): void => finish(false);
      const timer = setTimeout(giveUp, timeoutMs);
      this.#waiting.add(look);
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  }
}
