import type { Executor } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** Any number that no other lock of this database has. */
const FINDINGS_LOCK = 7_402_311;

/**
 * Whoever changes several findings at once does so alone, until the transaction ends. What a page finds and what it closes lie
 * in no order that two pages could share: one may find what the other closes, and the other way round. A page is written in
 * milliseconds; one that waited for another has lost nothing.
 */
export const lockFindings = (tx: Executor): Promise<unknown> =>
  tx.execute(sql`select pg_advisory_xact_lock(${FINDINGS_LOCK})`);
