import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** How long at most, in milliseconds. Default 120,000. */
  withinMs?: number;
  /** From the end of one look to the next, in milliseconds. Default 100. */
  everyMs?: number;
  /** What else to say when it never came: the last lines of the processes, for instance. */
  tell?: () => string;
}

/**
 * Looks again and again until there is something, and resolves with what was found. For what gives no signal to wait
 * for: a row that another process writes, a process that is no child. A look that throws ends it.
 *
 * @param what named in the error: "the refund is recorded"
 * @throws Error when nothing was found in time; at least two looks are made, however slow the machine is
 */
export async function eventually<Found>(
  what: string,
  look: () => Promise<Found | false | undefined> | Found | false | undefined,
  { withinMs = 120_000, everyMs = 100, tell }: EventuallyOptions = {},
): Promise<Found> {
  const deadline = performance.now() + withinMs;
  for (let looks = 1; ; looks += 1) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (looks > 1 && performance.now() > deadline)
      throw new Error(`${what}: not within ${withinMs} ms${tell === undefined ? '' : `\n${tell()}`}`);
    await delay(everyMs);
  }
}
