import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { tellCommit } from './commit-points';

/** The migrations of one owner: a folder of `NNNN-what-it-does.sql`, applied in order of name. */
export interface MigrationSource {
  owner: string;
  directory: string;
}

/** One SQL file of an owner, as it is compared with the ledger `bridge.migrations`. */
export interface Migration {
  owner: string;
  name: string;
  sha256: string;
  text: string;
}

/** The ledger and the folders tell different pasts; a person has to look before anything runs. */
export class MigrationError extends Error {
  readonly code:
    | 'MIGRATION_CHANGED'
    | 'MIGRATION_MISSING'
    | 'MIGRATION_OUT_OF_ORDER'
    | 'MIGRATION_MISNAMED'
    | 'MIGRATION_BUSY'
    | 'MIGRATION_FAILED'
    | 'MIGRATION_PENDING';
  constructor(code: MigrationError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MigrationError';
    this.code = code;
  }
}

/** Longest wait for another process that migrates. */
const WAIT_FOR_OTHERS_MS = 120_000;
/** Longest wait for a table in use; while a migration waits, everybody else waits behind it. */
const TABLE_LOCK_MS = 15_000;
/** Longest a statement of a migration may run on the server. */
const STATEMENT_MS = 10 * 60_000;

const FILE_NAME = /^\d{4}-[a-z0-9-]+\.sql$/;
/** An arbitrary but fixed number: processes that migrate the same database wait for each other. */
const ADVISORY_LOCK = 7_305_511_904;

/** Reads the folders. Throws MigrationError `MIGRATION_MISNAMED` for an SQL file that would never be applied. */
export function readMigrations(sources: readonly MigrationSource[]): Migration[] {
  return sources.flatMap(({ owner, directory }) =>
    readdirSync(directory)
      .filter((name) => name.endsWith('.sql'))
      .sort()
      .map((name) => {
        if (!FILE_NAME.test(name))
          throw new MigrationError('MIGRATION_MISNAMED', `${owner}/${name} is not named NNNN-what-it-does.sql`);
        const text = readFileSync(join(directory, name), 'utf8');
        return { owner, name, text, sha256: createHash('sha256').update(text).digest('hex') };
      }),
  );
}

/**
 * What is still to be applied, in order.
 * Throws MigrationError when an applied migration is missing, was changed, or when a new one sorts before an applied one.
 * Owners that this build does not know are left alone: a newer version may have been here (rolling back is allowed).
 */
export function pendingMigrations(
  known: readonly Migration[],
  applied: readonly { owner: string; name: string; sha256: string }[],
): Migration[] {
  const owners = new Set(known.map((migration) => migration.owner));
  for (const past of applied) {
    if (!owners.has(past.owner)) continue;
    const match = known.find((migration) => migration.owner === past.owner && migration.name === past.name);
    if (match === undefined) {
      throw new MigrationError(
        'MIGRATION_MISSING',
        `Applied migration ${past.owner}/${past.name} is not in this build`,
      );
    }
    if (match.sha256 !== past.sha256) {
      throw new MigrationError(
        'MIGRATION_CHANGED',
        `Applied migration ${past.owner}/${past.name} was edited afterwards; add a new one instead`,
      );
    }
  }
  return known.filter((migration) => {
    const sameOwner = applied.filter((past) => past.owner === migration.owner);
    if (sameOwner.some((past) => past.name === migration.name)) return false;
    const later = sameOwner.find((past) => past.name > migration.name);
    if (later !== undefined) {
      throw new MigrationError(
        'MIGRATION_OUT_OF_ORDER',
        `${migration.owner}/${migration.name} sorts before ${later.name}, which is applied already`,
      );
    }
    return true;
  });
}

async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: url,
    application_name: 'bridge-migrate',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    // The server's own limits come first; this one is for a server that is gone.
    query_timeout: Math.max(STATEMENT_MS, WAIT_FOR_OTHERS_MS) + 10_000,
  });
  // A connection that breaks between two statements: the next one reports it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** One process at a time migrates a database; the lock ends with the connection. */
async function waitForOthers(client: Client): Promise<void> {
  await client.query(`set lock_timeout = ${WAIT_FOR_OTHERS_MS}`);
  try {
    await client.query('select pg_advisory_lock($1)', [ADVISORY_LOCK]);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== '55P03') throw cause;
    throw new MigrationError(
      'MIGRATION_BUSY',
      `Another process has been migrating this database for ${WAIT_FOR_OTHERS_MS / 1000} s; try again when it has ended`,
      { cause },
    );
  }
  await client.query(`set lock_timeout = ${TABLE_LOCK_MS}`);
  await client.query(`set statement_timeout = ${STATEMENT_MS}`);
}

async function apply(client: Client, migration: Migration): Promise<void> {
  try {
    await client.query('begin');
    await client.query(migration.text);
    await client.query('insert into bridge.migrations (owner, name, sha256) values ($1, $2, $3)', [
      migration.owner,
      migration.name,
      migration.sha256,
    ]);
    await tellCommit([migration.text, 'insert into bridge.migrations'], () => client.query('commit'));
  } catch (cause) {
    // When the connection is gone, so is the transaction: the first error is the one to tell.
    await client.query('rollback').catch(() => undefined);
    throw new MigrationError(
      'MIGRATION_FAILED',
      `${migration.owner}/${migration.name} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

async function readLedger(client: Client): Promise<{ owner: string; name: string; sha256: string }[]> {
  const exists = await client.query<{ ledger: string | null }>(
    `select to_regclass('bridge.migrations')::text as ledger`,
  );
  if (exists.rows[0]?.ledger == null) return [];
  const { rows } = await client.query<{ owner: string; name: string; sha256: string }>(
    'select owner, name, sha256 from bridge.migrations order by applied_at, owner, name',
  );
  return rows;
}

/**
 * Applies what is missing, each migration in a transaction of its own together with its line in the ledger, so that a
 * kill leaves a whole number of migrations. Several processes may call it at once. Returns what was applied.
 */
export async function migrate(url: string, sources: readonly MigrationSource[]): Promise<Migration[]> {
  const known = readMigrations(sources);
  return connected(url, async (client) => {
    await waitForOthers(client);
    await client.query('create schema if not exists bridge');
    await client.query(
      `create table if not exists bridge.migrations (
         owner text not null, name text not null, sha256 text not null,
         applied_at timestamptz not null default clock_timestamp(), primary key (owner, name))`,
    );
    const pending = pendingMigrations(known, await readLedger(client));
    for (const migration of pending) await apply(client, migration);
    return pending;
  });
}

/** Throws MigrationError `MIGRATION_PENDING` unless every migration of this build is applied. */
export async function assertMigrated(url: string, sources: readonly MigrationSource[]): Promise<void> {
  const pending = await connected(url, async (client) =>
    pendingMigrations(readMigrations(sources), await readLedger(client)),
  );
  if (pending.length > 0) {
    const names = pending.map((migration) => `${migration.owner}/${migration.name}`).join(', ');
    throw new MigrationError('MIGRATION_PENDING', `The database lacks ${names}. Run: ./bridge migrate`);
  }
}
