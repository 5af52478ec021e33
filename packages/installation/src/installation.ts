import { createHash } from 'node:crypto';
import { type Database, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';

export interface Installation {
  /** 32 hex characters, made by the first migration. Part of every Redis key, so that two bridges can share one Redis. */
  id: string;
  /** Recovery never acts on money from before this moment unless RECONCILE_FROM says otherwise. */
  firstMigratedAt: Date;
}

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

export async function readInstallation(database: Database): Promise<Installation> {
  const row = await oneRow<{ id: string; first_migrated_at: string }>(
    database.executor,
    sql`select id, first_migrated_at from installation.installation`,
  );
  if (row === undefined) throw new Error('installation.installation has lost its only row; restore it from the backup');
  return { id: row.id, firstMigratedAt: new Date(row.first_migrated_at) };
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
export async function adoptPeers(database: Database): Promise<void> {
  await database.executor.execute(
    sql`update installation.installation set stripe_fingerprint = null, filemaker_fingerprint = null, adopted_at = clock_timestamp()`,
  );
}
