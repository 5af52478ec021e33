import { type SQL, sql } from 'drizzle-orm';
import { drizzle, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import { Pool, type PoolClient } from 'pg';
import { noteStatements, tellCommit, tellStatements } from './commit-points';
import { runPrepared } from './prepared-statement';

/** What a query runs on: the pool, or the transaction that is open. */
export type Executor = Omit<PgDatabase<NodePgQueryResultHKT>, 'transaction'> & {
  readonly $client: Pick<Pool | PoolClient, 'query'>;
};

/** An open transaction. A function that takes one never commits by itself and opens no other inside it. */
export type Transaction = Executor;

/** A statement failed, the work went on regardless, and PostgreSQL answered the commit with a rollback: nothing was kept. */
export class TransactionRolledBackError extends Error {
  readonly code = 'TRANSACTION_ROLLED_BACK';
  constructor() {
    super(
      'PostgreSQL rolled the transaction back: one of its statements had failed, and the work resolved all the same',
    );
    this.name = 'TransactionRolledBackError';
  }
}

/** A statement was asked for after its transaction's work had ended: outside of it, it would be kept whatever became of that. */
export class TransactionOverError extends Error {
  readonly code = 'TRANSACTION_OVER';
  constructor() {
    super('A statement was asked for after the work of its transaction had ended');
    this.name = 'TransactionOverError';
  }
}

/** Times in ms. The URL is secret. */
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

/**
 * What all packages reach PostgreSQL through. A statement that fails rejects with drizzle's error, whose message holds
 * the statement's values: never show it as it is.
 */
export interface Database {
  /** For single statements; each is its own transaction. */
  readonly executor: Executor;
  readonly pool: Pick<Pool, 'query' | 'options' | 'on' | 'totalCount' | 'idleCount' | 'waitingCount'>;
  /**
   * Runs `work` in one transaction and commits when it resolves. Nothing that touches the network may happen inside:
   * an open transaction holds locks, and an answer that never comes would hold them for ever. When it rejects, nothing
   * was kept, unless the answer to the commit itself was lost. Statements run in the order in which they were asked for,
   * whether or not the answers before were awaited; after one has failed, the others do too.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Resolves when the server answers, rejects after `connectTimeoutMs` and two seconds at the latest. */
  ping(): Promise<void>;
  /** Waits for connections in use, five seconds at most; then they are cut. */
  close(): Promise<void>;
}

const PING_MS = 2_000;
const ROLLBACK_MS = 1_000;
const CLOSE_MS = 5_000;

/** Ends a transaction that failed. Returns why the connection must not be used again, if so. */
async function rollBack(client: PoolClient): Promise<Error | undefined> {
  try {
    // A statement that still hangs on this connection would let the rollback wait its turn: not for long.
    await client.query({ text: 'rollback', query_timeout: ROLLBACK_MS } as { text: string });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** pg offers no way to drop a connection without a word to a server that may be hanging. */
function cut(client: PoolClient): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

/**
 * The connection of one transaction, as its work sees it. What the work leaves running when it ends (it fails while several
 * statements are out) can ask for nothing more: behind the rollback it would be written down for good.
 */
function workingClient(client: PoolClient): { client: PoolClient; end(): void } {
  let over = false;
  const query = (...given: unknown[]): unknown =>
    over ? Promise.reject(new TransactionOverError()) : Reflect.apply(client.query, client, given);
  return {
    client: Object.create(client, { query: { value: query } }) as PoolClient,
    end: () => {
      over = true;
    },
  };
}

/**
 * With a callback and not a promise, so that somebody listens from the first moment on. A connection can go from one user
 * to the next in the middle of what the server has sent; when a farewell stands in the same packet (57P01, PostgreSQL is
 * being stopped), a promise's user comes too late, and the error ends the process.
 */
function checkOut(pool: Pool, onError: (error: Error) => void): Promise<PoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) {
        reject(error ?? new Error('the pool gave no connection'));
        return;
      }
      client.on('error', onError);
      resolve(client);
    });
  });
}

/** A pool of connections; none is opened before the first statement. Times are in ms. */
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
    // Statements of a transaction that do not need each other's answers go out together; they still run one after the other.
    pipeline: true,
  });
  const onConnectionError = (error: Error): void => options.onConnectionError?.(error);
  const connections = new Set<PoolClient>();
  pool.on('error', onConnectionError);
  pool.on('connect', (client) => connections.add(client));
  pool.on('remove', (client) => connections.delete(client));
  tellStatements(pool);
  const orm = drizzle(pool);

  /**
   * Not drizzle's own: that one gives a connection back to the pool whose rollback was never heard of, and the next
   * caller's statements would run, unnoticed, in a transaction that nobody commits.
   */
  async function transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    let broken: Error | undefined;
    // The pool listens to idle connections only; an error that nobody hears would end the process.
    const onError = (error: Error): void => {
      broken = error;
      onConnectionError(error);
    };
    const client = await checkOut(pool, onError);
    const noted = noteStatements(client);
    const working = workingClient(client);
    try {
      // With the first statement, and not awaited before it. Without a transaction nothing may be written: should it fail, the
      // connection is cut before an answer to what went out with it is acted upon.
      const begun = client.query('begin').catch((error: unknown) => {
        cut(client);
        throw error;
      });
      const [result] = await Promise.all([work(drizzle(working.client)), begun]);
      working.end();
      const ended = await tellCommit(noted.texts, () => client.query('commit'));
      if (ended.command !== 'COMMIT') throw new TransactionRolledBackError();
      return result;
    } catch (error) {
      working.end();
      broken ??= await rollBack(client);
      throw error;
    } finally {
      noted.end();
      if (broken === undefined) client.off('error', onError);
      client.release(broken);
    }
  }

  let closed: Promise<void> | undefined;
  async function close(): Promise<void> {
    // Cutting ends every wait below: whatever still runs on a connection fails, and the goodbye needs no answer.
    const timer = setTimeout(() => {
      for (const client of connections) cut(client);
    }, CLOSE_MS);
    const gone = new Promise<void>((resolve) => {
      const look = (): void => {
        if (connections.size === 0) resolve();
      };
      pool.on('remove', look);
      look();
    });
    try {
      // `end` counts a connection out before its goodbye is answered.
      await Promise.all([pool.end(), gone]);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    executor: orm,
    pool,
    transaction,
    ping: async () => {
      await pool.query({ text: 'select 1', query_timeout: PING_MS } as { text: string });
    },
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

/** The rows of a hand-written query; the caller names their shape beside the SQL. */
export async function rows<Row extends object>(executor: Executor, query: SQL): Promise<Row[]> {
  const result = await runPrepared(executor, query);
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
  const result = await runPrepared(executor, query);
  return result.rowCount ?? 0;
}

/**
 * For a statement's `with`; the statement must name `quick` in its `from`. It commits without waiting for the disk: after
 * a crash of PostgreSQL itself (not of ours) it may not have happened. Whatever commits later and does wait is proof that
 * it did, since the log is written in order. A sequence's number taken so may be given out again after such a crash.
 */
export const quickCommit: SQL = sql`quick as (select set_config('synchronous_commit', 'off', true))`;
