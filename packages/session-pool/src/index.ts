export { createLeaseRelay, type LeaseRelay, type LeaseRelayOptions, type LeaseTurn, TURN_WAIT_MS } from './lease-relay';
export { sessionPoolMigrations } from './migrations';
export { PoolError, type PoolErrorCode } from './pool-error';
export type { PoolEvent } from './pool-event';
export type { KeeperCounts } from './session-keeper';
export type { LoginHalts, OpenerVerdict, SessionOpener, SessionUse } from './session-opener';
export {
  createSessionPool,
  type Lease,
  type LeaseRequest,
  type PoolCensus,
  type SessionPool,
  type SessionPoolOptions,
} from './session-pool';
export { TokenSealError } from './token-seal';
export type { LeasePriority } from './waiting-line';
