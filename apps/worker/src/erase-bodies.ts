import type { EffectStore } from '@bridge/effects';
import type { Inbox } from '@bridge/inbox';

/** Rows looked at in one statement: short enough that nobody waits for it. */
const BATCH = 1_000;
const BATCHES_MAX = 10_000;
const DAY_MS = 86_400_000;

export interface ErasedBodies {
  events: number;
  effects: number;
}

/**
 * Erases what holds customer data and is older than so many days: the bodies of events and effects that are finished,
 * FileMaker's answers. What is not settled keeps its own. The record of who did what and why stays whole: only
 * `./bridge forget` touches it. Going through the tables in small batches, it begins anew each night: most of what it passes
 * is erased already.
 */
export async function eraseBodies(options: {
  inbox: Pick<Inbox, 'eraseBodies'>;
  effects: Pick<EffectStore, 'eraseBodies'>;
  days: number;
  now?: () => Date;
  batch?: number;
}): Promise<ErasedBodies> {
  const before = new Date((options.now?.() ?? new Date()).getTime() - options.days * DAY_MS);
  const limit = options.batch ?? BATCH;
  return {
    events: await inBatches((after) => options.inbox.eraseBodies({ before, after, limit })),
    effects: await inBatches((after) => options.effects.eraseBodies({ before, after, limit })),
  };
}

async function inBatches(erase: (after: string) => Promise<{ erased: number; last?: string }>): Promise<number> {
  let [erased, after] = [0, '0'];
  for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
    const done = await erase(after);
    erased += done.erased;
    if (done.last === undefined) break;
    after = done.last;
  }
  return erased;
}
