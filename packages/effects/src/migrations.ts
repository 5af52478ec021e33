import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export const effectsMigrations: MigrationSource = { owner: 'effects', directory: join(__dirname, '../migrations') };
