import type { Executor } from '@bridge/database';
import type { FlowRecords, RecordedFact } from '@bridge/flow';
import { type Day, dayOf } from './calendar';
import type { DayEntry } from './day-contents';
import { readCounted } from './day-store';
import { ownKey, readStandings } from './standing';

/** A flow as closing needs it: its name, and what it has written down. */
export interface RecordingFlow {
  name: string;
  records: FlowRecords;
}

export interface GatherWindow {
  day: Day;
  timeZone: string;
  since: Date;
  until: Date;
  /** Records from before were looked at by the closing before this one. */
  writtenSince: Date;
  closedAt: Date;
}

/** A refund's money is gone when it succeeded; one that failed afterwards has come back. */
const REFUND_GONE = 'succeeded';
const REFUND_UNDONE: ReadonlySet<string> = new Set(['failed', 'canceled']);

/** What a fact and its reversals come to, before anything is known of how it stands. Pure. */
export function entriesOf(
  flow: string,
  fact: RecordedFact,
  counted: ReadonlySet<string>,
  { day, timeZone, since, until, closedAt }: Pick<GatherWindow, 'day' | 'timeZone' | 'since' | 'until' | 'closedAt'>,
): DayEntry[] {
  const base = {
    flow,
    factId: fact.id,
    title: fact.title,
    livemode: fact.livemode,
    effectKey: null,
    standing: 'none' as const,
    code: null,
    reason: null,
    next: null,
  };
  // A closed day of a zone that was configured before may have begun elsewhere: the windows decide, not the clock.
  const dayAt = (at: Date): Day => {
    if (at >= since) return day;
    const told = dayOf(at, timeZone);
    return told < day ? told : dayOf(new Date(at.getTime() - 86_400_000), timeZone);
  };
  const entries: DayEntry[] = [];
  const put = (entry: Pick<DayEntry, 'kind' | 'id' | 'at' | 'amount' | 'currency' | 'related'>): void => {
    if (entry.at >= until || counted.has(`${entry.kind}:${entry.id}`)) return;
    entries.push({ ...base, ...entry, day: dayAt(entry.at) });
  };
  if (fact.succeededAt !== null) {
    const { id, succeededAt: at, amount, currency, relatedIds: related } = fact;
    put({ kind: 'payment', id, at, amount, currency, related });
  }
  for (const { id, kind, amount, currency, status, at } of fact.reversals) {
    const related = [fact.id, ...fact.relatedIds.filter((one) => one !== id)];
    if (kind === 'dispute' || status === REFUND_GONE) put({ kind, id, at, amount, currency, related });
    else if (REFUND_UNDONE.has(status) && counted.has(`refund:${id}`)) {
      // When it failed is not recorded: it belongs to the day that learned of it.
      const learned = new Date(Math.min(closedAt.getTime(), until.getTime() - 1));
      put({ kind: 'refund-undone', id, at: learned, amount, currency, related });
    }
  }
  return entries;
}

/** Everything that the day counts: its own, and what belongs to an earlier one and became known since. */
export async function gatherEntries(
  tx: Executor,
  flows: readonly RecordingFlow[],
  window: GatherWindow,
): Promise<DayEntry[]> {
  const entries: DayEntry[] = [];
  for (const { name, records } of flows) {
    const seen = new Set<string>();
    const sources = [
      records.succeededBetween(tx, window),
      // Rows of this very minute may be committed later than they are dated; the next closing looks again.
      records.writtenBetween(tx, { since: window.writtenSince, until: window.closedAt }),
    ];
    for (const source of sources) {
      for await (const page of source) {
        const facts = page.filter(({ id }) => !seen.has(id));
        for (const { id } of facts) seen.add(id);
        const ids = facts.flatMap(({ id, reversals }) => [id, ...reversals.map((reversal) => reversal.id)]);
        const counted = await readCounted(tx, name, ids);
        const standings = await readStandings(tx, facts);
        for (const fact of facts) {
          for (const entry of entriesOf(name, fact, counted, window)) {
            const stands = entry.kind === 'payment' ? standings.get(fact.id) : undefined;
            entries.push(stands === undefined ? entry : { ...entry, ...stands, effectKey: ownKey(fact) });
          }
        }
      }
    }
  }
  return entries;
}
