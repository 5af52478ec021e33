import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export const installationMigrations: MigrationSource = {
  owner: 'installation',
  directory: join(__dirname, '../migrations'),
};
