import type { Database } from '@bridge/database';
import { countForGoLive, drawLine, type GoLiveCount, settleOlder } from '@bridge/effects';
import { type RecoveryStart, readRecoveryStart, setLiveFrom } from '@bridge/installation';
import { type Comparison, readLatestComparison } from '@bridge/reconciliation';
import { auditedTransaction } from '../audit/audit';
import type { Asked } from '../resolve/resolve-effect';

/** How many effects stand how on one side of the moment. */
export interface SideOfLine {
  done: number;
  /** Planned, and nothing was sent yet. */
  unsent: number;
  /** FileMaker was asked, and nothing showed that they have happened. */
  notShown: number;
  /** Parked for another reason. */
  parked: number;
  /** Sent, and the answer is not known yet. */
  underWay: number;
  cancelled: number;
}

/** What `golive --at` would do with what is recorded. */
export interface GoLivePlan {
  at: Date;
  /** As it is now. */
  start: RecoveryStart;
  older: SideOfLine;
  newer: SideOfLine;
  /** The last comparison that was made while observing. */
  comparison: Comparison | null;
}

/** Workers look for the moment each second; what they plan until then is drawn to its side by a second look. */
const HEARD_AFTER_MS = 2_500;

function sideOf(counts: readonly GoLiveCount[]): SideOfLine {
  const side: SideOfLine = { done: 0, unsent: 0, notShown: 0, parked: 0, underWay: 0, cancelled: 0 };
  for (const { state, notShown, count } of counts) {
    if (state === 'planned') side.unsent += count;
    else if (state === 'parked') side[notShown ? 'notShown' : 'parked'] += count;
    else if (state === 'sending' || state === 'unknown') side.underWay += count;
    else side[state] += count;
  }
  return side;
}

/** `at` undefined: as of the moment that holds now. */
export async function planGoLive(
  database: Database,
  { at, configured }: { at: Date | undefined; configured: Date | undefined },
): Promise<GoLivePlan> {
  const start = await readRecoveryStart(database.executor, configured);
  const line = at ?? start.at;
  const counts = await countForGoLive(database, line);
  return {
    at: line,
    start,
    older: sideOf(counts.filter(({ older }) => older)),
    newer: sideOf(counts.filter(({ older }) => !older)),
    comparison: (await readLatestComparison(database)) ?? null,
  };
}

/** What became of what was waiting when the bridge went live. */
export interface WentLive {
  at: Date;
  /** Effects of older money that are only asked about from now on. */
  asked: number;
  /** Effects of newer money that go on, beginning with a question. */
  goesOn: number;
}

/**
 * A person's word: from `at` on the bridge acts, and the older handler does not. Money from before is asked about and
 * never run by itself; what was planned while observing for money from `at` on goes on.
 */
export async function goLive(
  database: Database,
  { at, by, why }: Asked & { at: Date },
  wait: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
): Promise<WentLive> {
  const act = { who: by, action: 'golive', object: 'installation', why };
  const first = await auditedTransaction(
    database,
    act,
    async (tx) => {
      await setLiveFrom(tx, at);
      return drawLine(tx, at);
    },
    ({ asked, goesOn }) => ({
      outcome: 'done',
      detail: `from ${at.toISOString()}: ${asked} only asked about, ${goesOn} go on`,
    }),
  );
  await wait(HEARD_AFTER_MS);
  const second = await database.transaction((tx) => drawLine(tx, at));
  return { at, asked: first.asked + second.asked, goesOn: first.goesOn + second.goesOn };
}

/** A person's word about all older effects that FileMaker did not show: they have happened, or shall not. */
export function settleOlderEffects(
  database: Database,
  { as, by, why }: Asked & { as: 'done' | 'cancelled' },
): Promise<number> {
  return auditedTransaction(
    database,
    { who: by, action: 'golive.settle', object: 'effects', why },
    (tx) => settleOlder(tx, { as, result: { resolvedBy: by, why } }),
    (count) => ({ outcome: 'done', detail: `${count} ${as}` }),
  );
}
