export {
  appValues,
  type RunningApp,
  type RunningSimulator,
  SimulatorControl,
  startApp,
  startSimulator,
  type Values,
  wantedEvents,
} from './bridge-programs';
export { type EnsureChromiumOptions, ensureChromium } from './chromium';
export { createTestDatabase } from './create-test-database';
export { type EventuallyOptions, eventually } from './eventually';
export { freePort } from './free-port';
export { type EnsureRedisOptions, ensureRedisServer, type RedisServer } from './redis-server';
export { type BridgeCommandOptions, type EndedCommand, runBridge } from './run-bridge';
export { ServiceError, type ServiceErrorCode } from './service-error';
export { type FileMakerBooks, type FileMakerSummary, repeatedRuns, type StripeBooks } from './simulator-books';
export { type PostgresOptions, type PostgresService, startPostgres, type TestDatabase } from './start-postgres';
export { type ProcessOptions, type RunningProcess, startProcess } from './start-process';
export { type RedisOptions, type RedisService, startRedis } from './start-redis';
