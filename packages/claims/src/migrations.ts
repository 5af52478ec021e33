import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

/** The schema `claims`: `workers`, `duties`, the sequence `claim_no`, the functions `is_alive` and `has_ended`. */
export const claimsMigrations: MigrationSource = { owner: 'claims', directory: join(__dirname, '../migrations') };
