import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

export { DEAD_AFTER_MS, HEARTBEAT_MS, registerWorker, type WorkerRegistration } from './worker-registration';

export const claimsMigrations: MigrationSource = { owner: 'claims', directory: join(__dirname, '../migrations') };
