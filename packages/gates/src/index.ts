export { type Closure, createGates, type Gates, PROBE_HOLD_MS } from './gates';
export type { MaintenanceWindow } from './maintenance-window';
export { gatesMigrations } from './migrations';
