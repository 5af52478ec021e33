export { claimsMigrations } from './migrations';
export { DEAD_AFTER_MS, HEARTBEAT_MS, registerWorker, type WorkerRegistration } from './worker-registration';
