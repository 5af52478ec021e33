import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

/** The schema `installation`: one row, made by the first migration. */
export const installationMigrations: MigrationSource = {
  owner: 'installation',
  directory: join(__dirname, '../migrations'),
};
