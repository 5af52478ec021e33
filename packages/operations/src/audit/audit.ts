import { type Database, type Executor, rows, type Transaction } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** Something a person asks for. */
export interface AuditedAct {
  /** `ada` at the console, `cli:ada` at the command line. */
  who: string;
  action: string;
  object: string;
  why: string;
}

/** How the act ended; `detail` holds no secret and no customer data. */
export interface ActEnding {
  outcome: 'done' | 'refused';
  detail: string | null;
}

/** An act as it stands in the audit table, with its time and its end. */
export interface AuditRow extends AuditedAct {
  id: string;
  at: Date;
  /** Null: begun, and how it ended was not written down (the process died). */
  outcome: 'done' | 'refused' | 'failed' | null;
  detail: string | null;
}

const WHY_LENGTH_MAX = 500;

/** Commits the audit row, acts, then notes how it ended. An act whose row cannot be written does not happen. */
export async function audited<T>(
  database: Database,
  act: AuditedAct,
  work: () => Promise<T>,
  endingOf: (value: T) => ActEnding = () => ({ outcome: 'done', detail: null }),
): Promise<T> {
  const [row] = await rows<{ id: string }>(
    database.executor,
    sql`insert into operations.audit (who, action, object, why)
        values (${act.who}, ${act.action}, ${act.object}, ${act.why.slice(0, WHY_LENGTH_MAX)}) returning id`,
  );
  const end = (outcome: string, detail: string | null): Promise<unknown> =>
    database.executor.execute(
      sql`update operations.audit set outcome = ${outcome}, detail = ${detail}, ended_at = clock_timestamp() where id = ${row?.id ?? null}`,
    );
  let value: T;
  try {
    value = await work();
  } catch (error) {
    await end('failed', error instanceof Error ? error.name : 'unknown error');
    throw error;
  }
  const { outcome, detail } = endingOf(value);
  await end(outcome, detail);
  return value;
}

/**
 * The act and its record in one transaction: either both are kept or neither. An act that fails leaves a row of its own.
 * For acts on tables; what cannot be taken back goes through `audited`, which writes first.
 */
export async function auditedTransaction<T>(
  database: Database,
  act: AuditedAct,
  work: (tx: Transaction) => Promise<T>,
  endingOf: (value: T) => ActEnding,
): Promise<T> {
  const record = (executor: Executor, outcome: string, detail: string | null): Promise<unknown> =>
    executor.execute(
      sql`insert into operations.audit (who, action, object, why, outcome, detail, ended_at)
          values (${act.who}, ${act.action}, ${act.object}, ${act.why.slice(0, WHY_LENGTH_MAX)}, ${outcome}, ${detail}, clock_timestamp())`,
    );
  try {
    return await database.transaction(async (tx) => {
      const value = await work(tx);
      const { outcome, detail } = endingOf(value);
      await record(tx, outcome, detail);
      return value;
    });
  } catch (error) {
    // The caller needs the first failure, not the one of a database that is away altogether.
    await Promise.allSettled([
      record(database.executor, 'failed', error instanceof Error ? error.name : 'unknown error'),
    ]);
    throw error;
  }
}

/** The latest acts, the newest first; of one object when it is given. */
export async function listAudit(database: Database, filter: { object?: string; limit: number }): Promise<AuditRow[]> {
  const found = await rows<Omit<AuditRow, 'at'> & { at: string }>(
    database.executor,
    sql`select id, at, who, action, object, why, outcome, detail from operations.audit
        where ${filter.object ?? null}::text is null or object = ${filter.object ?? null} order by id desc limit ${filter.limit}`,
  );
  return found.map((row) => ({ ...row, at: new Date(row.at) }));
}
