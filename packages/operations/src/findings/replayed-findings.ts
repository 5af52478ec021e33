import type { Database } from '@bridge/database';
import type { FlowRecords } from '@bridge/flow';
import type { StoredFinding } from '@bridge/reconciliation';
import { nextForParkedEvent } from '../resolve/next-for-parked';
import { readEffectStandings, readProofEvents } from '../tables/read-proof-tables';

/** What has become of a finding that was replayed and is still open. */
export type ReplayedFinding =
  /** It is on its way: an event or an effect that goes on by itself. */
  | { kind: 'on-its-way' }
  /** Done, and only a comparison can tell whether all is right; see `readNextLook`. */
  | { kind: 'done' }
  | { kind: 'parked'; code: string; reason: string | null; next: string }
  /** A person has decided that it shall not happen, or nothing was owed. */
  | { kind: 'over'; code: string; next: string };

type Asked = Pick<StoredFinding, 'id' | 'objectId' | 'inboxId' | 'actedAt' | 'state'>;

/** By the finding's id; findings that nobody has replayed, or that are not open any more, are left out. */
export async function readReplayedFindings(
  database: Database,
  flows: readonly { records: Pick<FlowRecords, 'find'> }[],
  findings: readonly Asked[],
): Promise<Map<string, ReplayedFinding>> {
  const { executor } = database;
  const replayed = findings.filter(({ state, actedAt }) => state === 'open' && actedAt !== null);
  const found = new Map<string, ReplayedFinding>();
  if (replayed.length === 0) return found;
  const ids = replayed.flatMap(({ inboxId }) => inboxId ?? []);
  const events = new Map((await readProofEvents(executor, { ids })).map((event) => [event.id, event]));
  for (const { id, objectId, inboxId } of replayed) {
    const event = events.get(inboxId ?? '');
    const look = `./bridge prove ${objectId}`;
    if (event?.state === 'parked') {
      const next = nextForParkedEvent(event);
      found.set(id, { kind: 'parked', code: event.reasonCode ?? 'PARKED', reason: event.reason, next });
      continue;
    }
    const key = await effectKeyOf(database, flows, objectId);
    const effect = key === undefined ? undefined : (await readEffectStandings(executor, [key])).get(key);
    if (effect?.state === 'parked') {
      const next = `./bridge effects show ${effect.id}`;
      found.set(id, { kind: 'parked', code: effect.reasonCode ?? 'PARKED', reason: effect.reason, next });
    } else if (effect?.state === 'cancelled') found.set(id, { kind: 'over', code: 'CANCELLED', next: look });
    else if (effect?.state === 'done') found.set(id, { kind: 'done' });
    else if (effect === undefined && event?.state === 'ignored')
      found.set(id, { kind: 'over', code: event.reasonCode ?? 'IGNORED', next: look });
    else found.set(id, { kind: 'on-its-way' });
  }
  return found;
}

/** The effect of the very object: the payment's own, or that of its refund or dispute. */
async function effectKeyOf(
  { executor }: Database,
  flows: readonly { records: Pick<FlowRecords, 'find'> }[],
  objectId: string,
): Promise<string | undefined> {
  for (const { records } of flows) {
    const [fact] = await records.find(executor, objectId);
    if (fact === undefined) continue;
    return fact.id === objectId
      ? fact.effectKeys[0]
      : (fact.reversals.find(({ id }) => id === objectId)?.effectKey ?? undefined);
  }
  return undefined;
}
