import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

/** The schema `effects`: `effects` and `attempts`, with the rules of their states as constraints. */
export const effectsMigrations: MigrationSource = { owner: 'effects', directory: join(__dirname, '../migrations') };
