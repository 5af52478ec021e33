import { changed, type Database, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { lockFindings } from './findings-lock';

/** A change that a replay has brought to its end. */
export interface Repair {
  flow: string;
  /** The object's id at Stripe. */
  objectId: string;
  /** When the change was planned, by PostgreSQL's clock: in the same commit our records took up what they had missed. */
  plannedAt: Date;
}

/**
 * Closes the findings that said that our records had missed this object, now that a replay has recorded it and its change is
 * done: no further comparison has to show that. Only those that an event puts right, and that nobody has seen since it was
 * planned; all others wait for the next comparison. Returns how many.
 */
export async function closeRepaired(database: Database, { flow, objectId, plannedAt }: Repair): Promise<number> {
  const repaired = sql`state = 'open' and flow = ${flow} and object_id = ${objectId}
    and (replay is not null or before_start) and last_seen < ${plannedAt.toISOString()}::timestamptz`;
  // Nearly always there is none, and then nobody else has to wait.
  const any = await oneRow(
    database.executor,
    sql`select 1 as one from reconciliation.findings where ${repaired} limit 1`,
  );
  if (any === undefined) return 0;
  return database.transaction(async (tx) => {
    await lockFindings(tx);
    return changed(
      tx,
      sql`update reconciliation.findings set state = 'fixed', fixed_at = clock_timestamp(), fixed_how = 'replayed' where ${repaired}`,
    );
  });
}
