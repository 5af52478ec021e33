/** Every way a lease can be refused. */
export type PoolErrorCode =
  /** All sessions are in use, or logins are being paced. */
  | 'POOL_BUSY'
  /** A person or an earlier refusal of our credentials stopped logins, and no session is left to wait for. */
  | 'POOL_HALTED'
  /** FileMaker did not give a session: not reachable, not answering, or refusing for a reason of its own. */
  | 'POOL_UNAVAILABLE'
  /** FileMaker has no room for another session (812, 956 ...) and no session of ours is left to wait for. */
  | 'POOL_CAPACITY'
  | 'POOL_REDIS_DOWN'
  | 'POOL_DATABASE_DOWN'
  /** The caller's signal. */
  | 'POOL_ABORTED'
  /** Not started, or stopping. */
  | 'POOL_STOPPED';

export interface PoolErrorDetail {
  /** After how many ms asking again makes sense. */
  retryAfterMs?: number;
  /** POOL_HALTED: why. */
  haltCause?: string;
  cause?: unknown;
}

/** Nothing was sent to FileMaker on behalf of the caller: trying again is always safe. */
export class PoolError extends Error {
  readonly code: PoolErrorCode;
  /** Whether trying again can help without a person acting. */
  readonly again: boolean;
  readonly retryAfterMs: number;
  readonly haltCause: string | undefined;

  constructor(code: PoolErrorCode, message: string, detail: PoolErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'PoolError';
    this.code = code;
    this.again = code !== 'POOL_HALTED' && code !== 'POOL_STOPPED' && code !== 'POOL_ABORTED';
    this.retryAfterMs = detail.retryAfterMs ?? 1_000;
    this.haltCause = detail.haltCause;
  }
}

export const refusedForHalt = (cause: string) =>
  new PoolError('POOL_HALTED', `Logins to FileMaker are halted: ${cause}`, { haltCause: cause });
export const refusedForCapacity = (retryAfterMs: number) =>
  new PoolError('POOL_CAPACITY', 'FileMaker has no room for a session', { retryAfterMs });
export const refusedUnavailable = (verdict: string) =>
  new PoolError('POOL_UNAVAILABLE', `FileMaker gave no session: ${verdict}`, { retryAfterMs: 1_000 });

/** Whatever the caller's own parts throw (halts live in PostgreSQL) is a store that is away. */
export function asPoolError(error: unknown): PoolError {
  if (error instanceof PoolError) return error;
  return new PoolError('POOL_DATABASE_DOWN', 'The state of FileMaker logins could not be read', { cause: error });
}
