import { createHash } from 'node:crypto';
import { changed, type Database, type Executor, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** The one row of `installation.installation`. */
export interface Installation {
  /** 32 hex characters, made by the first migration. Part of every Redis key, so that two bridges can share one Redis. */
  id: string;
  /** Recovery never acts on money from before this moment unless RECONCILE_FROM says otherwise. */
  firstMigratedAt: Date;
}

/** What a bridge is tied to: one account, one file. */
export type Peer = 'stripe' | 'filemaker';

/** This database belongs to another account or file: going on would mix two companies' money. */
export class OtherPeerError extends Error {
  readonly code = 'OTHER_PEER';
  constructor(readonly peer: Peer) {
    super(
      `This database belongs to another ${peer === 'stripe' ? 'Stripe account' : 'FileMaker file'}. ` +
        'Point it at the old one, use a new database, or take over knowingly with: ./bridge adopt',
    );
    this.name = 'OtherPeerError';
  }
}

/** A short digest: enough to notice another peer, useless to anyone who reads it. */
export function fingerprint(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** Rejects when the row is missing: without it no bridge is safe to run. */
export async function readInstallation(database: Database): Promise<Installation> {
  const row = await oneRow<{ id: string; first_migrated_at: string }>(
    database.executor,
    sql`select id, first_migrated_at from installation.installation`,
  );
  if (row === undefined) throw new Error('installation.installation has lost its only row; restore it from the backup');
  return { id: row.id, firstMigratedAt: new Date(row.first_migrated_at) };
}

/** From which moment on recovery acts, and who said so. Older money is only asked about. */
export interface RecoveryStart {
  at: Date;
  because: 'golive' | 'RECONCILE_FROM' | 'first-migration';
  /** A worker has performed effects here before, or a person has said when that begins: it does not only observe. */
  live: boolean;
  /** When it was last noticed that the database was restored: what happened before may be unknown here. */
  restoredAt: Date | null;
}

/** A person's word first, then the configuration's, else the first migration. */
export async function readRecoveryStart(executor: Executor, configured: Date | undefined): Promise<RecoveryStart> {
  const row = await oneRow<{
    first_migrated_at: string;
    live_from: string | null;
    first_live_at: string | null;
    restored_at: string | null;
  }>(executor, sql`select first_migrated_at, live_from, first_live_at, restored_at from installation.installation`);
  if (row === undefined) throw new Error('installation.installation has lost its only row; restore it from the backup');
  const live = row.live_from !== null || row.first_live_at !== null;
  const restoredAt = row.restored_at === null ? null : new Date(row.restored_at);
  if (row.live_from !== null) return { at: new Date(row.live_from), because: 'golive', live, restoredAt };
  if (configured !== undefined) return { at: configured, because: 'RECONCILE_FROM', live, restoredAt };
  return { at: new Date(row.first_migrated_at), because: 'first-migration', live, restoredAt };
}

/** A person's word: from this moment on the bridge acts, and nobody else does. */
export async function setLiveFrom(tx: Executor, at: Date): Promise<void> {
  await changed(
    tx,
    sql`update installation.installation set live_from = ${at.toISOString()}::timestamptz, live_said_at = clock_timestamp()`,
  );
}

/**
 * Where a database lives. A dump that is loaded makes other tables, if not another database, and a server that was set back
 * to an earlier time, or a replica that took over, another timeline. A copy of the whole server's disk looks the same.
 */
async function readHome(executor: Executor): Promise<string> {
  const row = await oneRow<{ oid: string; told: boolean }>(
    executor,
    sql`select oid::text || '/' || 'installation.installation'::regclass::oid as oid, has_function_privilege('pg_control_system()', 'execute')
          and has_function_privilege('pg_control_checkpoint()', 'execute') as told
        from pg_database where datname = current_database()`,
  );
  if (row?.told !== true) return `database ${row?.oid}`;
  const control = await oneRow<{ system: string; timeline: string }>(
    executor,
    sql`select (select system_identifier::text from pg_control_system()) as system,
          (select timeline_id::text from pg_control_checkpoint()) as timeline`,
  );
  return `database ${row.oid}, server ${control?.system}, timeline ${control?.timeline}`;
}

/**
 * Compares where the database lives with where it lived. True when it was restored from a backup since, noted with the
 * moment: one process hears it, in whose transaction it does what follows.
 */
export async function noticeRestore(tx: Executor): Promise<boolean> {
  const [home, known] = [await readHome(tx), await readKnownHome(tx)];
  if (known === undefined || known.home === home) return false;
  const noted = await changed(
    tx,
    sql`update installation.installation set home = ${home},
          restored_at = case when home is null then restored_at else clock_timestamp() end
        where home is distinct from ${home}`,
  );
  return noted === 1 && known.home !== null;
}

const readKnownHome = (executor: Executor): Promise<{ home: string | null } | undefined> =>
  oneRow<{ home: string | null }>(executor, sql`select home from installation.installation`);

/** Whether there is something for `noticeRestore` to notice; only looks. */
export async function livesElsewhere(executor: Executor): Promise<boolean> {
  const known = await readKnownHome(executor);
  return known !== undefined && known.home !== (await readHome(executor));
}

/** A worker starts to perform. True at the first time of all. */
export async function noteFirstLive(executor: Executor): Promise<boolean> {
  const noted = await changed(
    executor,
    sql`update installation.installation set first_live_at = clock_timestamp() where first_live_at is null`,
  );
  return noted === 1;
}

/** Stores the fingerprint at the first call, compares it at every later one. Throws OtherPeerError. */
export async function confirmPeer(database: Database, peer: Peer, print: string): Promise<void> {
  const column = peer === 'stripe' ? sql`stripe_fingerprint` : sql`filemaker_fingerprint`;
  const row = await oneRow<{ print: string }>(
    database.executor,
    sql`update installation.installation set ${column} = coalesce(${column}, ${print}) returning ${column} as print`,
  );
  if (row?.print !== print) throw new OtherPeerError(peer);
}

/** Forgets both fingerprints: the peers met next are taken as the right ones. A person's act, never a process's. */
export async function adoptPeers(executor: Executor): Promise<void> {
  await executor.execute(
    sql`update installation.installation set stripe_fingerprint = null, filemaker_fingerprint = null, adopted_at = clock_timestamp()`,
  );
}
