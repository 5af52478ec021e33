import { type SQL, sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import { Pool } from 'pg';

/** What a query runs on: the pool, or the transaction that is open. */
export type Executor = PgDatabase<NodePgQueryResultHKT>;

/** An open transaction. A function that takes one never commits by itself. */
export type Transaction = Executor & { rollback(): never };

export interface DatabaseOptions {
  url: string;
  /** Connections at most. A process waits `connectTimeoutMs` for a free one, then fails. */
  poolMax: number;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** Default 5,000. */
  connectTimeoutMs?: number;
  /** Longest a statement may run on the server. Default 15,000; migrations set their own. */
  statementTimeoutMs?: number;
  /** Told of every error on an idle connection; without a listener Node would end the process. */
  onConnectionError?: (error: Error) => void;
}

export interface Database {
  /** For single statements; each is its own transaction. */
  readonly executor: Executor;
  readonly pool: Pool;
  /**
   * Runs `work` in one transaction and commits when it resolves. Nothing that touches the network may happen inside:
   * an open transaction holds locks, and an answer that never comes would hold them for ever.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Resolves when the server answers, rejects otherwise. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export function createDatabase(options: DatabaseOptions): Database {
  const statementTimeoutMs = options.statementTimeoutMs ?? 15_000;
  const pool = new Pool({
    connectionString: options.url,
    max: options.poolMax,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    statement_timeout: statementTimeoutMs,
    // The server's time-out cannot fire when the server is gone: the client gives up a little later.
    query_timeout: statementTimeoutMs + 2_000,
    idle_in_transaction_session_timeout: 30_000,
    keepAlive: true,
  });
  pool.on('error', (error) => options.onConnectionError?.(error));
  const orm: NodePgDatabase = drizzle(pool);
  let closed: Promise<void> | undefined;
  return {
    executor: orm,
    pool,
    transaction: (work) => orm.transaction((tx) => work(tx)),
    ping: async () => {
      await orm.execute(sql`select 1`);
    },
    close: () => {
      closed ??= pool.end();
      return closed;
    },
  };
}

/** The rows of a hand-written query; the caller names their shape beside the SQL. */
export async function rows<Row extends object>(executor: Executor, query: SQL): Promise<Row[]> {
  const result = await executor.execute<Record<string, unknown>>(query);
  return result.rows as Row[];
}

/** The only row, or undefined when there is none. More than one is a fault of the query. */
export async function oneRow<Row extends object>(executor: Executor, query: SQL): Promise<Row | undefined> {
  const found = await rows<Row>(executor, query);
  if (found.length > 1) throw new Error(`A query for one row gave ${found.length}`);
  return found[0];
}

/** How many rows a statement changed. */
export async function changed(executor: Executor, query: SQL): Promise<number> {
  const result = await executor.execute(query);
  return result.rowCount ?? 0;
}
