import { type Database, type Executor, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** A scheduled pass came to its end now. `schedule` is the schedule's id, for instance `reconcile-invoices`. */
export async function recordScheduleSuccess(executor: Executor, schedule: string): Promise<void> {
  await executor.execute(
    sql`insert into operations.schedule_runs (schedule, succeeded_at) values (${schedule}, clock_timestamp())
        on conflict (schedule) do update set succeeded_at = greatest(schedule_runs.succeeded_at, excluded.succeeded_at)`,
  );
}

/** When each schedule last came to its end; one that never did is not among them. */
export async function listScheduleRuns(database: Database): Promise<{ schedule: string; succeededAt: Date }[]> {
  const found = await rows<{ schedule: string; succeeded_at: string }>(
    database.executor,
    sql`select schedule, succeeded_at from operations.schedule_runs order by schedule`,
  );
  return found.map((row) => ({ schedule: row.schedule, succeededAt: new Date(row.succeeded_at) }));
}
