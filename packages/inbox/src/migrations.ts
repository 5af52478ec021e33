import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export const inboxMigrations: MigrationSource = { owner: 'inbox', directory: join(__dirname, '../migrations') };
