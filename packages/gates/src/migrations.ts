import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export const gatesMigrations: MigrationSource = { owner: 'gates', directory: join(__dirname, '../migrations') };
