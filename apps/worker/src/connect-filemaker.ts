import type { WorkerRegistration } from '@bridge/claims';
import type { ConfigByRole } from '@bridge/config';
import type { Database } from '@bridge/database';
import { createFileMakerClient, type FileMakerClient } from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { createSessionOpener, sessionTokenKeys } from '@bridge/operations';
import { createSessionPool, type PoolEvent, type SessionPool } from '@bridge/session-pool';
import type { Redis } from 'ioredis';
import { createFileMakerProbe, type FileMakerProbe } from './filemaker-probe';

/** A hand-off that is sent again looks, runs and verifies on one lease. */
const CALLS_PER_LEASE = 3;
/** Added to the client's patience: a lease must outlive its calls. */
const LEASE_MARGIN_MS = 15_000;
const PROBE_LEASE_WAIT_MS = 2_000;
/** Two calls and the wait for a session stay below `PROBE_HOLD_MS` of `gates`. */
const PROBE_CALL_MS = 2_500;

export interface FileMakerConnection {
  client: FileMakerClient;
  /** Not started yet. */
  pool: SessionPool;
  probe: FileMakerProbe;
  /** After the pool was stopped. */
  close(): Promise<unknown>;
}

/** Opens the ways to FileMaker: the client, its few sessions, and the look whether it is back. */
export function connectFileMaker(options: {
  config: NonNullable<ConfigByRole['worker']['filemaker']>;
  database: Database;
  redis: Redis;
  keyPrefix: string;
  gates: Gates;
  registration: WorkerRegistration;
  /** FileMaker is taken for away, by any process. */
  isAway(): boolean;
  onPoolEvent(event: PoolEvent): void;
  onError(error: Error): void;
}): FileMakerConnection {
  const { config, gates, registration } = options;
  const connect = (timeoutMs: number): FileMakerClient =>
    createFileMakerClient({
      url: config.url,
      database: config.database,
      username: config.username,
      password: config.password,
      ca: config.ca,
      timeoutMs,
    });
  const client = connect(config.timeoutSeconds * 1_000);
  const probeClient = connect(Math.min(PROBE_CALL_MS, config.timeoutSeconds * 1_000));
  const halt = (cause: string, detail: string) => gates.halt('filemaker', cause, detail, registration.id);
  const pool = createSessionPool({
    database: options.database,
    redis: options.redis,
    keyPrefix: options.keyPrefix,
    opener: createSessionOpener(client, {
      onHalt: (error) => halt(error.code, error.message).catch(options.onError),
      isAway: () => options.isAway() && !probe.hasAnswer(),
    }),
    cap: config.maxSessions,
    scriptMaxMs: config.scriptMaxSeconds * 1_000,
    leaseMs: config.timeoutSeconds * 1_000 * CALLS_PER_LEASE + LEASE_MARGIN_MS,
    tokenKeys: sessionTokenKeys(config),
    owner: registration.id,
    isOwnerAlive: (owners) => registration.notDead(owners),
    halts: {
      isHalted: async () => (await gates.closures(['filemaker'])).find((closure) => closure.kind === 'halt'),
      halt,
    },
    onEvent: options.onPoolEvent,
  });
  const probe = createFileMakerProbe({ client: probeClient, pool, leaseWaitMs: PROBE_LEASE_WAIT_MS });
  return { client, pool, probe, close: () => Promise.allSettled([client.close(), probeClient.close()]) };
}
