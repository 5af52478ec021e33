import { createHash } from 'node:crypto';
import { DrizzleQueryError, type SQL } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import { type CustomTypesConfig, type Pool, type PoolClient, type QueryResult, types } from 'pg';

/**
 * Statements of a process that get a name. Texts are written in the code, so there are a few hundred; a statement whose
 * text grows with its input (a list of rows) must not fill every connection's memory with variants.
 */
const NAMES_MAX = 400;
const TEXT_MAX = 4_000;

const dialect = new PgDialect();
const names = new Map<string, string>();

/** PostgreSQL parses and plans a named statement once for each connection; parsing costs more than most of ours do. */
function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= NAMES_MAX || text.length > TEXT_MAX) return known;
  const name = `bridge_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`;
  names.set(text, name);
  return name;
}

/** Times stay text, as in drizzle's own raw results: a Date would cut microseconds. */
const asText = (value: string): string => value;
const { TIMESTAMPTZ, TIMESTAMP, DATE, INTERVAL } = types.builtins;
const textTypes: ReadonlySet<number> = new Set([TIMESTAMPTZ, TIMESTAMP, DATE, INTERVAL]);
const parsers: CustomTypesConfig = {
  getTypeParser: (id: number, format?: 'text' | 'binary') =>
    textTypes.has(id) ? asText : types.getTypeParser(id, format as 'text'),
};

/** Runs one statement, prepared where its text is short enough to be one of ours. Errors are drizzle's. */
export async function runPrepared(
  executor: { readonly $client: Pick<Pool | PoolClient, 'query'> },
  query: SQL,
): Promise<QueryResult<Record<string, unknown>>> {
  const { sql: text, params } = dialect.sqlToQuery(query);
  const name = nameOf(text);
  try {
    return await executor.$client.query({
      text,
      values: params,
      types: parsers,
      ...(name === undefined ? {} : { name }),
    });
  } catch (error) {
    throw new DrizzleQueryError(text, params, error instanceof Error ? error : undefined);
  }
}
