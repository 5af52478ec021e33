import { changed, type Database, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** What the bridge would have done while it observed, beside what FileMaker shows. */
export interface Comparison {
  at: Date;
  compared: number;
  /** FileMaker shows that it has happened: the older handler did the same. */
  shown: number;
  /** FileMaker shows nothing of it. */
  notShown: number;
  /** There is nowhere to look, or what is found there proves nothing. */
  cannotTell: number;
  /** The first of those not shown. Titles are sentences without customer data. */
  differing: { effectId: string; title: string }[];
}

const KEPT = 400;

/** Keeps the report of one night; about a year of them stays. */
export async function recordComparison(database: Database, comparison: Omit<Comparison, 'at'>): Promise<void> {
  await database.transaction(async (tx) => {
    await changed(
      tx,
      sql`insert into reconciliation.comparisons (compared, shown, not_shown, cannot_tell, differing)
          values (${comparison.compared}, ${comparison.shown}, ${comparison.notShown}, ${comparison.cannotTell},
            ${JSON.stringify(comparison.differing)}::jsonb)`,
    );
    await changed(
      tx,
      sql`delete from reconciliation.comparisons
          where id <= (select id from reconciliation.comparisons order by id desc offset ${KEPT} limit 1)`,
    );
  });
}

/** Last night's report; undefined before the first. */
export async function readLatestComparison(database: Database): Promise<Comparison | undefined> {
  const row = await oneRow<{
    at: string;
    compared: number;
    shown: number;
    not_shown: number;
    cannot_tell: number;
    differing: Comparison['differing'];
  }>(
    database.executor,
    sql`select at, compared, shown, not_shown, cannot_tell, differing from reconciliation.comparisons
        order by id desc limit 1`,
  );
  if (row === undefined) return undefined;
  const { at, not_shown, cannot_tell, ...rest } = row;
  return { at: new Date(at), ...rest, notShown: not_shown, cannotTell: cannot_tell };
}
