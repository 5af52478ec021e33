import type { WaitingEffects } from '@bridge/effects';
import { type Repeating, repeat, settledWithin } from './repeat';

export interface AskingOptions {
  waiting: Pick<WaitingEffects, 'toAsk'>;
  /** One turn with an effect, with all that its job would do after it. Must end within a bounded time. */
  perform(effectId: string): Promise<unknown>;
  /** While the peer is closed, turns would only come back. */
  closed(): Promise<boolean>;
  /** One process asks for all, so that questions are not spread over many finds. */
  takeDuty(): Promise<boolean>;
  dropDuty(): Promise<void>;
  /** Without Redis no session can be lent here, and a process that has it must not be kept from asking. */
  redisAnswers(): Promise<boolean>;
  onError: (error: Error) => void;
  everyMs?: number;
}

export interface Asking {
  /** Takes nothing new and waits for the turns in hand, at most `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
  /** Turns in hand. */
  inHand(): number;
}

const EVERY_MS = 1_000;
/** As many as one find takes; those that are proved not there go on to be sent, and hold their place until then. */
const IN_HAND_MAX = 50;
/** The queue has had its chance by then: an effect's job waits behind the whole backlog each time it comes back. */
const OVERDUE_MS = 1_000;
/** PostgreSQL may be away; the end of the process lays the duty down too. */
const LAY_DOWN_MS = 2_000;

/**
 * Settles unknown effects beside the queue. A job that comes back after a wait stands at the end of the queue's line, so
 * that behind a long backlog a question would not be asked for minutes and its lane not go on. Taking those that are due
 * from PostgreSQL, the longest first and many at once, also lets them share a find, whatever the queue's concurrency.
 * The claim decides between such a turn and the effect's own job.
 */
export function startAsking(options: AskingOptions): Asking {
  const turns = new Set<Promise<void>>();

  function begin(effectId: string): void {
    const turn = options
      .perform(effectId)
      .then(() => undefined)
      .catch((error: unknown) => options.onError(error instanceof Error ? error : new Error(String(error))))
      .finally(() => turns.delete(turn));
    turns.add(turn);
  }

  const looking: Repeating = repeat(
    async () => {
      if (!(await options.redisAnswers())) return options.dropDuty();
      const room = IN_HAND_MAX - turns.size;
      if (room <= 0 || (await options.closed()) || !(await options.takeDuty())) return;
      for (const effectId of await options.waiting.toAsk(room, OVERDUE_MS)) begin(effectId);
    },
    options.everyMs ?? EVERY_MS,
    options.onError,
  );

  return {
    inHand: () => turns.size,
    stop: async (deadlineMs) => {
      await looking.stop();
      // Turns in hand may last; another process asks meanwhile.
      await Promise.all([
        settledWithin(options.dropDuty().catch(options.onError), LAY_DOWN_MS),
        settledWithin(Promise.allSettled([...turns]), deadlineMs),
      ]);
    },
  };
}
