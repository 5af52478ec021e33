import { channel } from 'node:diagnostics_channel';
import type { Pool, PoolClient } from 'pg';

/**
 * Every commit of this process tells this channel right before it is asked for and right after it was answered. Tests
 * listen, and kill the process there; nobody else does. See docs/decisions/0012-crash-points.md.
 */
const commits = channel('bridge:commit');

/** What the channel carries. The label names the statement or the tables, never a value. */
export interface CommitPoint {
  at: 'before-commit' | 'after-commit';
  label: string;
}

type Query = (...given: unknown[]) => Promise<unknown>;

/** Of each writing part of a statement; enough to tell our statements apart. */
const PART_CHARS = 80;
/** A statement that writes, with its table; not the `for update` of a lock, nor the `do update` of a conflict. */
const WRITES = /(?<!\bfor\s+|\bdo\s+)\b(insert\s+into|update|delete\s+from)\s+([a-z_]+(?:\.[a-z_]+)?)/gi;

function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  return typeof query === 'object' && query !== null && 'text' in query ? String(query.text) : '';
}

/** The beginnings of what a statement writes, without any value; undefined for one that only reads. */
export function statementLabel(text: string): string | undefined {
  const line = text.replace(/\s+/g, ' ');
  const parts = [...line.matchAll(WRITES)].map(({ index }) => line.slice(index, index + PART_CHARS).trim());
  return parts.length === 0 ? undefined : parts.join(' + ');
}

/** The tables that a transaction wrote, in the order of the first writing; undefined when it wrote none. */
export function transactionLabel(texts: readonly string[]): string | undefined {
  const tables = texts.flatMap((text) => [...text.matchAll(WRITES)].map((write) => write[2] ?? ''));
  return tables.length === 0 ? undefined : `transaction of ${[...new Set(tables)].join(', ')}`;
}

async function told<T>(label: string, commit: () => Promise<T>): Promise<T> {
  commits.publish({ at: 'before-commit', label } satisfies CommitPoint);
  const answer = await commit();
  commits.publish({ at: 'after-commit', label } satisfies CommitPoint);
  return answer;
}

/**
 * A statement outside a transaction is a commit of its own. Replaces the pool's `query` when somebody listens already,
 * which is decided once, so that a pool in production stays as pg made it.
 */
export function tellStatements(pool: Pool): void {
  if (!commits.hasSubscribers) return;
  const query = pool.query.bind(pool) as Query;
  const tellingQuery: Query = (...given) => {
    const label = statementLabel(textOf(given[0]));
    return label === undefined ? query(...given) : told(label, () => query(...given));
  };
  Object.assign(pool, { query: tellingQuery });
}

/** Ends the transaction whose statements were `texts`, and tells of it when somebody listens. */
export function tellCommit<T>(texts: readonly string[], commit: () => Promise<T>): Promise<T> {
  const label = commits.hasSubscribers ? transactionLabel(texts) : undefined;
  return label === undefined ? commit() : told(label, commit);
}

/** Notes what is asked on a transaction's connection until `end`; nothing when nobody listens. */
export function noteStatements(client: PoolClient): { texts: readonly string[]; end(): void } {
  const texts: string[] = [];
  if (!commits.hasSubscribers) return { texts, end: () => undefined };
  const query = client.query.bind(client) as Query;
  const notingQuery: Query = (...given) => {
    texts.push(textOf(given[0]));
    return query(...given);
  };
  Object.assign(client, { query: notingQuery });
  return { texts, end: () => Reflect.deleteProperty(client, 'query') };
}
