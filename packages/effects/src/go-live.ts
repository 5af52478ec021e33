import { changed, type Database, type Executor, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import type { EffectState } from './effect';
import { storableJson } from './storable-json';

/** Parked because nothing shows that it happened, and its money is from before the bridge went live. */
export const BEFORE_GO_LIVE = 'BEFORE_GO_LIVE';

/** Asked, and nothing proved that it has happened. */
const NOT_SHOWN = sql`state = 'parked' and ask_only
  and reason_code in (${BEFORE_GO_LIVE}, 'CANNOT_BE_ASKED', 'PROBE_FOUND_NOTHING', 'PROBE_CANNOT_PROVE')`;

/** How many effects stand how, on each side of a moment. */
export interface GoLiveCount {
  /** The money moved before the moment. */
  older: boolean;
  state: EffectState;
  /** The peer is only asked. */
  askOnly: boolean;
  /** Parked, since nothing showed that it has happened. */
  notShown: boolean;
  count: number;
}

/** When the money moved, as the flow knows it; else when the effect was planned. */
const movedAt = sql`coalesce((subject ->> 'occurredAt')::timestamptz, planned_at)`;
const timeOf = (date: Date): SQL => sql`${date.toISOString()}::timestamptz`;

/** How all effects stand on each side of `at`. Changes nothing. */
export async function countForGoLive(database: Database, at: Date): Promise<GoLiveCount[]> {
  return rows<GoLiveCount>(
    database.executor,
    sql`select ${movedAt} < ${timeOf(at)} as older, state, ask_only as "askOnly",
          (${NOT_SHOWN}) as "notShown", count(*)::int as count
        from effects.effects group by 1, 2, 3, 4 order by 1 desc, 2, 3, 4`,
  );
}

/**
 * The moment from which on the bridge acts: what is older and was never sent is only asked about, what is newer goes on,
 * beginning with a question. Safe to do again, also for another moment. Returns how many changed on each side.
 */
export async function drawLine(tx: Executor, at: Date): Promise<{ asked: number; goesOn: number }> {
  const asked = await changed(
    tx,
    sql`update effects.effects set ask_only = true, check_first = true, due_at = clock_timestamp(), run = run + 1, queued_at = null
        where state = 'planned' and attempts = 0 and not ask_only and ${movedAt} < ${timeOf(at)}`,
  );
  const goesOn = await changed(
    tx,
    sql`update effects.effects set state = 'planned', ask_only = false, check_first = true, reason_code = null, reason = null,
          due_at = clock_timestamp(), run = run + 1, queued_at = null
        where ask_only and (state = 'planned' or (${NOT_SHOWN}))
          and ${movedAt} >= ${timeOf(at)}`,
  );
  return { asked, goesOn };
}

/**
 * After a restore: what is planned may have been sent in the time that was forgotten, so the peer is asked first. Returns
 * how many.
 */
export function askAllFirst(tx: Executor): Promise<number> {
  return changed(tx, sql`update effects.effects set check_first = true where state = 'planned' and not check_first`);
}

/** A person's word about all that was only asked about and could not be shown: it has happened, or shall not. */
export async function settleOlder(
  tx: Executor,
  resolution: { as: 'done' | 'cancelled'; result: unknown },
): Promise<number> {
  return changed(
    tx,
    sql`update effects.effects set state = ${resolution.as}, verified = ${resolution.as === 'done' ? false : null},
          result = ${storableJson(resolution.result)}::jsonb, settled_at = clock_timestamp(), run = run + 1, queued_at = null
        where ${NOT_SHOWN}`,
  );
}

/** An effect that was planned and never sent, for a comparison with what the peer shows. */
export interface UnsentEffect {
  id: string;
  kind: string;
  key: string;
  title: string;
  target: unknown;
}

/** What waits and was never sent, in the order of the ids, behind `after`. */
export function listUnsent(database: Database, page: { after: string; limit: number }): Promise<UnsentEffect[]> {
  return rows<UnsentEffect>(
    database.executor,
    sql`select id, kind, key, title, target from effects.effects
        where state = 'planned' and attempts = 0 and id > ${page.after}::bigint order by id limit ${page.limit}`,
  );
}
