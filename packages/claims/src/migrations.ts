import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export const claimsMigrations: MigrationSource = { owner: 'claims', directory: join(__dirname, '../migrations') };
