import { changed, type Database, oneRow, rows, type Transaction } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import { PoolError } from './pool-error';

export const msUntil = (moment: SQL) =>
  sql`coalesce(extract(epoch from ${moment} - clock_timestamp()) * 1000, 0)::float8`;
export const msSince = (moment: SQL) =>
  sql`coalesce(extract(epoch from clock_timestamp() - ${moment}) * 1000, 0)::float8`;
export const ms = (duration: number) => sql`${duration}::float8 * interval '1 millisecond'`;

/**
 * Lets a statement commit without waiting for the disk. Only for what a crash may lose: who holds a session. A fence
 * that anything durable refers to is durable too, since the log is written in order.
 */
export const WITHOUT_WAITING = sql`quick as (select set_config('synchronous_commit', 'off', true))`;

/** Statements of the pool. Every failure is a PoolError POOL_DATABASE_DOWN. */
export class PoolDatabase {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  one<Row extends object>(query: SQL): Promise<Row | undefined> {
    return guarded(() => oneRow<Row>(this.#database.executor, query));
  }

  rows<Row extends object>(query: SQL): Promise<Row[]> {
    return guarded(() => rows<Row>(this.#database.executor, query));
  }

  changed(query: SQL): Promise<number> {
    return guarded(() => changed(this.#database.executor, query));
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return guarded(() => this.#database.transaction(work));
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof PoolError) throw cause;
    // The parameters of a failed query (a sealed token among them) stay out of the message.
    throw new PoolError('POOL_DATABASE_DOWN', 'PostgreSQL could not be asked about FileMaker sessions', {
      cause: withoutParameters(cause),
    });
  }
}

/** drizzle puts query and parameters into its message; the driver's own error below says what was wrong. */
function withoutParameters(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}
