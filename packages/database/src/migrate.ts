import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';

/** The migrations of one owner: a folder of `NNNN-what-it-does.sql`, applied in order of name. */
export interface MigrationSource {
  owner: string;
  directory: string;
}

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
    | 'MIGRATION_FAILED'
    | 'MIGRATION_PENDING';
  constructor(code: MigrationError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MigrationError';
    this.code = code;
  }
}

const FILE_NAME = /^\d{4}-[a-z0-9-]+\.sql$/;
/** An arbitrary but fixed number: processes that migrate the same database wait for each other. */
const ADVISORY_LOCK = 7_305_511_904;

export function readMigrations(sources: readonly MigrationSource[]): Migration[] {
  return sources.flatMap(({ owner, directory }) =>
    readdirSync(directory)
      .filter((name) => FILE_NAME.test(name))
      .sort()
      .map((name) => {
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
  });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
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
    await client.query('select pg_advisory_lock($1)', [ADVISORY_LOCK]);
    await client.query('create schema if not exists bridge');
    await client.query(
      `create table if not exists bridge.migrations (
         owner text not null, name text not null, sha256 text not null,
         applied_at timestamptz not null default clock_timestamp(), primary key (owner, name))`,
    );
    const pending = pendingMigrations(known, await readLedger(client));
    for (const migration of pending) {
      try {
        await client.query('begin');
        await client.query(migration.text);
        await client.query('insert into bridge.migrations (owner, name, sha256) values ($1, $2, $3)', [
          migration.owner,
          migration.name,
          migration.sha256,
        ]);
        await client.query('commit');
      } catch (cause) {
        await client.query('rollback');
        throw new MigrationError(
          'MIGRATION_FAILED',
          `${migration.owner}/${migration.name} failed: ${(cause as Error).message}`,
          { cause },
        );
      }
    }
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
