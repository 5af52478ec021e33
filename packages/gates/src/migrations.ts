import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

/** The schema `gates`: `closures` (pauses and halts) and `circuits`. */
export const gatesMigrations: MigrationSource = { owner: 'gates', directory: join(__dirname, '../migrations') };
