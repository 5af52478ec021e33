import type { OpenerVerdict } from './session-opener';

/** What happened in the pool, for logs and metrics. Never holds a token. */
export type PoolEvent =
  | { kind: 'login'; sessionId: string; outcome: 'opened' | OpenerVerdict; durationMs: number }
  | { kind: 'lease'; sessionId: string; leaseId: string; waitedMs: number }
  | { kind: 'lease-refused'; code: string; waitedMs: number }
  /** A lease ended without being given back: its session goes to quarantine. */
  | { kind: 'lease-lost'; sessionId: string; because: string }
  | { kind: 'quarantine'; sessionId: string; because: string }
  | { kind: 'released'; sessionId: string; quarantinedForMs: number }
  /** No longer counted. */
  | { kind: 'forgotten'; sessionId: string; because: 'gone' | 'outlived' | 'closed' }
  | { kind: 'restored'; sessionId: string }
  | { kind: 'unreadable-token'; sessionId: string; code: string }
  | { kind: 'epoch'; epoch: string }
  | { kind: 'halted'; cause: string }
  | { kind: 'failed'; duty: string; code: string };

/** The stable code of an error, or its name: never its message, which might quote a peer. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code } = error as Error & { code?: unknown };
  return typeof code === 'string' ? code : error.name;
}
