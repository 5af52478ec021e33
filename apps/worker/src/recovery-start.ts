import type { Database } from '@bridge/database';
import { askAllFirst } from '@bridge/effects';
import type { Caution } from '@bridge/flow';
import type { EventSource } from '@bridge/inbox';
import { livesElsewhere, noticeRestore, type RecoveryStart, readRecoveryStart } from '@bridge/installation';
import { type Repeating, repeat } from './repeat';

/** How soon a person's `golive` is heard by a worker that runs. `./bridge golive` waits longer than that. */
const LOOK_EVERY_MS = 1_000;

export interface RecoveryStartWatch extends Repeating {
  /** As of a second ago. */
  current(): RecoveryStart;
}

/**
 * Follows the moment from which on the bridge acts, and notices a restored database: what is planned then begins with a
 * question, since it may have been sent in the time that was forgotten.
 */
export async function watchRecoveryStart(
  database: Database,
  options: {
    configured: Date | undefined;
    onRestored(planned: number): void;
    onError: (error: Error) => void;
  },
): Promise<RecoveryStartWatch> {
  async function look(): Promise<RecoveryStart> {
    if (await livesElsewhere(database.executor)) {
      const planned = await database.transaction(async (tx) =>
        (await noticeRestore(tx)) ? askAllFirst(tx) : undefined,
      );
      if (planned !== undefined) options.onRestored(planned);
    }
    return readRecoveryStart(database.executor, options.configured);
  }
  let start = await look();
  const looking = repeat(
    async () => {
      start = await look();
    },
    LOOK_EVERY_MS,
    options.onError,
  );
  return { current: () => start, stop: () => looking.stop() };
}

/**
 * How careful to be with an effect. Money from before a person's `golive` is the older handler's, whatever brings it;
 * recovery acts on no older money at all; and what is planned while observing waits for that word, as long as the bridge
 * has never performed here. Money from before a restore may have been handled in the time that was forgotten. What a
 * person orders is that person's to judge, but for the restore, which nobody may know of.
 */
export function cautionFor(
  { movedAt, source }: { movedAt: Date; source: EventSource },
  { start, observe }: { start: RecoveryStart; observe: boolean },
): Caution {
  if (source !== 'operator') {
    const older = movedAt < start.at;
    if (older && (start.because === 'golive' || source === 'reconciliation')) return 'ask-only';
    if (observe && !start.live) return 'ask-only';
  }
  return start.restoredAt !== null && movedAt < start.restoredAt ? 'ask-first' : 'none';
}
