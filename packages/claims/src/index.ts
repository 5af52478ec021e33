export { claimsMigrations } from './migrations';
export { registerWorker, type WorkerRegistration } from './worker-registration';
