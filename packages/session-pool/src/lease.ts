import type { LeasePriority } from './waiting-line';

/** One token on loan, for one request in flight. `token` is left out when the lease is printed or serialised. */
export interface Lease {
  /** Stays the same while the session is handed on among the callers of one process; the fence does not. */
  readonly leaseId: string;
  readonly sessionId: string;
  readonly token: string;
  /** From a PostgreSQL sequence: larger than that of every earlier lease of the session. */
  readonly fence: string;
  readonly epoch: string;
}

/** Times in ms. */
export interface LeaseRequest {
  /** Longest wait; at least 50 ms, so that what is idle now can be lent. */
  waitMs: number;
  priority?: LeasePriority;
  /** What the same work has waited in earlier calls; keeps its place in the line. */
  waitedMs?: number;
  signal?: AbortSignal;
}

/** How a caller's lease ended. */
export type LeaseEnding = 'idle' | 'quarantine' | 'gone';

export function makeLease(parts: Lease): Lease {
  const { leaseId, sessionId, fence, epoch, token } = parts;
  return Object.defineProperty({ leaseId, sessionId, fence, epoch, token }, 'token', {
    value: token,
    enumerable: false,
    writable: false,
  });
}
