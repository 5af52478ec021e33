import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

/** The schema `inbox`: `events` and `rejections`. */
export const inboxMigrations: MigrationSource = { owner: 'inbox', directory: join(__dirname, '../migrations') };
