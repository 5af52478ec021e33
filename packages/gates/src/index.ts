import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export { type Closure, createGates, type Gates, PROBE_EVERY_MS, PROBE_HOLD_MS } from './gates';

export const gatesMigrations: MigrationSource = { owner: 'gates', directory: join(__dirname, '../migrations') };
