import { join } from 'node:path';
import { claimsMigrations } from '@bridge/claims';
import type { MigrationSource } from '@bridge/database';
import { effectsMigrations } from '@bridge/effects';
import { gatesMigrations } from '@bridge/gates';
import { inboxMigrations } from '@bridge/inbox';
import { installationMigrations } from '@bridge/installation';
import { reconciliationMigrations } from '@bridge/reconciliation';
import { sessionPoolMigrations } from '@bridge/session-pool';

/** The tables `operations.*`. */
export const operationsMigrations: MigrationSource = {
  owner: 'operations',
  directory: join(__dirname, '../migrations'),
};

/**
 * Every owner's migrations in the order in which they are applied. The flows come last and from the caller: the engine
 * does not know them.
 */
export function allMigrations(flowMigrations: readonly MigrationSource[]): MigrationSource[] {
  return [
    installationMigrations,
    claimsMigrations,
    gatesMigrations,
    inboxMigrations,
    effectsMigrations,
    sessionPoolMigrations,
    reconciliationMigrations,
    operationsMigrations,
    ...flowMigrations,
  ];
}
