/** The work did not end in time. It may still end: nothing stops it. */
export class TimeLimitError extends Error {
  readonly code = 'TIME_LIMIT';
  constructor(limitMs: number) {
    super(`Not ended within ${limitMs} ms`);
    this.name = 'TimeLimitError';
  }
}

/** Waits for `work` no longer than `limitMs`, then rejects with TimeLimitError. */
export async function withinLimit<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeLimitError(limitMs)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
