import { createHash } from 'node:crypto';
import { changed, type Database, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { auditedTransaction } from '../audit/audit';
import { parsePasswordHash, passwordMatches } from './password-hash';

/** Somebody who may log in at the console. `createdBy`: `cli:ada`, or `CONSOLE_ADMIN`. */
export interface Operator {
  name: string;
  createdAt: Date;
  createdBy: string;
}

/** What CONSOLE_ADMIN must look like: `name:scrypt$N$r$p$salt$hash`. */
export function parseConsoleAdmin(value: string): { name: string; passwordHash: string } | undefined {
  const colon = value.indexOf(':');
  const [name, passwordHash] = [value.slice(0, colon), value.slice(colon + 1)];
  if (!isOperatorName(name) || parsePasswordHash(passwordHash) === undefined) return undefined;
  return { name, passwordHash };
}

/** 1 to 64 characters, without spaces and colons: a colon ends the name in CONSOLE_ADMIN. */
export const isOperatorName = (name: string): boolean => /^[^\s:]{1,64}$/.test(name);

/**
 * Makes the operator that CONSOLE_ADMIN names. A value that was seen before changes nothing, so that a password changed
 * since then survives restarts; a new value takes effect and ends that operator's sessions. True: something changed.
 */
export async function seedOperator(
  database: Database,
  admin: { name: string; passwordHash: string },
): Promise<boolean> {
  const seed = createHash('sha256').update(`${admin.name}:${admin.passwordHash}`).digest();
  return database.transaction(async (tx) => {
    const seeded = await changed(
      tx,
      sql`insert into operations.operators as o (name, password_hash, created_by, seed)
          values (${admin.name}, ${admin.passwordHash}, 'CONSOLE_ADMIN', ${seed})
          on conflict (name) do update set password_hash = excluded.password_hash, seed = excluded.seed
          where o.seed is distinct from excluded.seed`,
    );
    if (seeded === 1) await changed(tx, sql`delete from operations.console_sessions where operator = ${admin.name}`);
    return seeded === 1;
  });
}

/** Adds an operator, or gives one a new password and ends all of that operator's sessions. */
export function putOperator(
  database: Database,
  operator: { name: string; passwordHash: string },
  by: string,
): Promise<'added' | 'changed'> {
  const { name, passwordHash } = operator;
  return auditedTransaction(
    database,
    { who: by, action: 'operator.put', object: `operator:${name}`, why: 'name and password given' },
    async (tx) => {
      const row = await oneRow<{ added: boolean }>(
        tx,
        sql`insert into operations.operators (name, password_hash, created_by) values (${name}, ${passwordHash}, ${by})
            on conflict (name) do update set password_hash = excluded.password_hash returning xmax = 0 as added`,
      );
      await changed(tx, sql`delete from operations.console_sessions where operator = ${name}`);
      return row?.added === true ? 'added' : 'changed';
    },
    (detail) => ({ outcome: 'done', detail }),
  );
}

/** By name; never their passwords. */
export async function listOperators(database: Database): Promise<Operator[]> {
  const found = await rows<{ name: string; created_at: string; created_by: string }>(
    database.executor,
    sql`select name, created_at, created_by from operations.operators order by name`,
  );
  return found.map((row) => ({ name: row.name, createdAt: new Date(row.created_at), createdBy: row.created_by }));
}

/** Takes as long for a name that is not there as for a wrong password, and tells no difference. */
export async function verifyOperator(database: Database, name: string, password: string): Promise<boolean> {
  const row = await oneRow<{ password_hash: string }>(
    database.executor,
    sql`select password_hash from operations.operators where name = ${name}`,
  );
  return passwordMatches(password, row?.password_hash);
}
