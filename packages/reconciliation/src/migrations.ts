import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

/** The tables `reconciliation.*`. */
export const reconciliationMigrations: MigrationSource = {
  owner: 'reconciliation',
  directory: join(__dirname, '../migrations'),
};
