import type { Database } from '@bridge/database';
import type { Redis } from 'ioredis';
import { LOCAL_CLOCK, type LocalClock } from './held-leases';
import type { PoolEvent } from './pool-event';
import type { LoginHalts, SessionOpener } from './session-opener';

/** Times in ms. What has no default is needed. */
export interface SessionPoolOptions {
  database: Database;
  /** ioredis 5, the caller's, best with a commandTimeout. A subscriber is duplicated from it. No `keyPrefix`. */
  redis: Redis;
  /** Holds a hash tag, e.g. `{bridge:1234}:filemaker`. */
  keyPrefix: string;
  opener: SessionOpener;
  /** Sessions of all processes together, in every state. At least 1. */
  cap: number;
  /** A session whose last answered call is older is not lent but logged out. Default 13 min. */
  idleMs?: number;
  /** FileMaker drops a session this long after its last call. Default 15 min (Claris: Data API guide, connect-disconnect-database). */
  sessionLifeMs?: number;
  /** Added to `sessionLifeMs` before a session is believed dead unseen. Default 60 s. */
  lifeMarginMs?: number;
  /** The longest a script can run: how long a session is held off where FileMaker does not tell whether it is in use. */
  scriptMaxMs: number;
  /** A lease runs out this long after it was granted or last confirmed by `stillMine`, or a little later. More than the longest call. */
  leaseMs: number;
  /** 32 bytes each. The first seals, all open. */
  tokenKeys: Buffer[];
  /** Names this run of the process, as its heartbeat does. Never used by two pools. */
  owner: string;
  /** Which of these owners live. The dead ones' leases are taken back at once. */
  isOwnerAlive: (owners: string[]) => Promise<Set<string>>;
  halts: LoginHalts;
  /** Must not throw. */
  onEvent?: (event: PoolEvent) => void;
  /**
   * All processes together: logins under way, and the burst that may begin together after a rest. Default the cap. After
   * a failed login, and after a restart of FileMaker, it is one until a login has gone well. Where wrong credentials
   * soon lock the account, 1 or 2 risks less than a full burst.
   */
  loginsAtOnce?: number;
  /** All processes together: what the burst is refilled at. In any stretch of time, burst + this many a second. Default 5. */
  loginsPerSecond?: number;
  /** After that a login counts as unheard. Default 30 s. */
  loginTimeoutMs?: number;
  /** Longest wait for a logout or a look. Default 5 s. */
  lookTimeoutMs?: number;
  /** Longest wait for one answer of Redis. Default 2 s. */
  redisTimeoutMs?: number;
  /** Least time between a lease taken back and its session lent again. Default 2 s. */
  quarantineMs?: number;
  /**
   * The same when the holder's process is dead by `isOwnerAlive`, which takes seconds of silence already. More than
   * `confirmedForMs`. Default half of `quarantineMs`.
   */
  deadOwnerHoldMs?: number;
  /** So long a process believes Redis that a session is its own. At most half of `quarantineMs`; default a quarter. */
  confirmedForMs?: number;
  /** A refusal for capacity takes one place away for so long. Default 3 min. */
  capacityHoldMs?: number;
  /** A cross-check that has waited so long goes before all work. Default 30 s. */
  crossCheckFirstMs?: number;
  /** How often waiters look without having been woken. Default and least 500 ms. */
  safetyPollMs?: number;
  /** How long an idle session waits for an older waiter in another process. Default 100 ms. */
  turnMs?: number;
  /**
   * By how much a caller of another process must have waited longer than ours for this one to let go of a session that
   * came back answered: the order of arrival holds between processes to within this. Default 100 ms.
   */
  letGoAfterMs?: number;
  /** A process that gives no sign of life for so long loses its place in the line. Default 1.5 s. */
  lineStaleMs?: number;
  /** Time between two rounds of the keeper. Default 1 s; a quarter of it while callers wait and no session is here. */
  keepEveryMs?: number;
  /** For tests. */
  clock?: LocalClock;
}

export type PoolSettings = Required<SessionPoolOptions>;

const LEAST_POLL_MS = 500;

const DEFAULTS = {
  idleMs: 13 * 60_000,
  sessionLifeMs: 15 * 60_000,
  lifeMarginMs: 60_000,
  loginsPerSecond: 5,
  loginTimeoutMs: 30_000,
  lookTimeoutMs: 5_000,
  redisTimeoutMs: 2_000,
  quarantineMs: 2_000,
  capacityHoldMs: 3 * 60_000,
  crossCheckFirstMs: 30_000,
  safetyPollMs: 500,
  turnMs: 100,
  letGoAfterMs: 100,
  lineStaleMs: 1_500,
  keepEveryMs: 1_000,
  clock: LOCAL_CLOCK,
  onEvent: () => undefined,
};

/** The options with their defaults. Throws TypeError for what cannot work. */
export function poolSettings(given: SessionPoolOptions): PoolSettings {
  const quarantineMs = given.quarantineMs ?? DEFAULTS.quarantineMs;
  const derived = {
    loginsAtOnce: given.cap,
    deadOwnerHoldMs: quarantineMs / 2,
    confirmedForMs: quarantineMs / 4,
  };
  const settings = { ...DEFAULTS, ...derived, ...given };
  const { cap, redis, idleMs, sessionLifeMs, deadOwnerHoldMs, confirmedForMs } = settings;
  if (!Number.isInteger(cap) || cap < 1) throw new TypeError('The cap is a whole number, at least 1');
  if (redis.options.keyPrefix) throw new TypeError('The Redis connection must not have a keyPrefix');
  if (idleMs >= sessionLifeMs) throw new TypeError('idleMs must be less than sessionLifeMs');
  if (2 * confirmedForMs > quarantineMs) throw new TypeError('confirmedForMs is at most half of quarantineMs');
  if (confirmedForMs >= deadOwnerHoldMs) throw new TypeError('confirmedForMs must be less than deadOwnerHoldMs');
  return {
    ...settings,
    loginsAtOnce: Math.max(1, settings.loginsAtOnce),
    // A lease that is believed without asking again must still outlive its call.
    leaseMs: settings.leaseMs + confirmedForMs,
    safetyPollMs: Math.max(LEAST_POLL_MS, settings.safetyPollMs),
  };
}
