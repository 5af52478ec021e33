import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

/** The tables of the pool. */
export const sessionPoolMigrations: MigrationSource = {
  owner: 'session-pool',
  directory: join(__dirname, '..', 'migrations'),
};
