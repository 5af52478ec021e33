export { type Closure, createGates, type Gates, PROBE_EVERY_MS, PROBE_HOLD_MS } from './gates';
export { gatesMigrations } from './migrations';
