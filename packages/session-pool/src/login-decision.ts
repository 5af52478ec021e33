import type { OpenerVerdict } from './session-opener';

/** Durations in ms by PostgreSQL's clock, read while the pool row is locked. */
export interface LoginFacts {
  cap: number;
  /** Rows, whatever their state. */
  sessions: number;
  loginsUnderWay: number;
  loginsAtOnce: number;
  /** Until the shared rate allows the next login; 0 or less: now. */
  nextLoginInMs: number;
  heldForMs: number;
  heldBecause: OpenerVerdict | undefined;
  /** Failed logins in a row. */
  failures: number;
  shrunkBy: number;
  shrunkAgoMs: number;
  capacityHoldMs: number;
}

export type LoginDecision =
  | { go: true }
  | { go: false; why: 'cap' | 'logins-at-once' | 'rate' | 'held'; retryAfterMs: number; because?: OpenerVerdict };

/**
 * The cap after refusals for capacity: each took one away, and one comes back for every `capacityHoldMs` since the
 * last. Never below 1, or the pool could not find out that there is room again.
 */
export function effectiveCap(facts: Pick<LoginFacts, 'cap' | 'shrunkBy' | 'shrunkAgoMs' | 'capacityHoldMs'>): number {
  return Math.max(1, facts.cap - stillShrunkBy(facts));
}

/** How many of the places taken by refusals are still missing. */
export function stillShrunkBy(facts: Pick<LoginFacts, 'shrunkBy' | 'shrunkAgoMs' | 'capacityHoldMs'>): number {
  return Math.max(0, facts.shrunkBy - Math.floor(Math.max(0, facts.shrunkAgoMs) / facts.capacityHoldMs));
}

const CAP_RETRY_MS = 500;
const LOGIN_RETRY_MS = 100;

/** Whether one more login may begin. */
export function decideLogin(facts: LoginFacts): LoginDecision {
  if (facts.sessions >= effectiveCap(facts)) return { go: false, why: 'cap', retryAfterMs: CAP_RETRY_MS };
  if (facts.heldForMs > 0 && facts.heldBecause !== undefined) {
    return { go: false, why: 'held', retryAfterMs: Math.ceil(facts.heldForMs), because: facts.heldBecause };
  }
  // After a failure one login tries the ground for all.
  const atOnce = facts.failures > 0 ? 1 : facts.loginsAtOnce;
  if (facts.loginsUnderWay >= atOnce) return { go: false, why: 'logins-at-once', retryAfterMs: LOGIN_RETRY_MS };
  if (facts.nextLoginInMs > 0) return { go: false, why: 'rate', retryAfterMs: Math.ceil(facts.nextLoginInMs) };
  return { go: true };
}

/**
 * How long nobody logs in after the `failures`-th failure in a row, in ms. A server that cannot be reached is asked
 * about once a second, so that work resumes within a second of its return; one that may keep half-made sessions or
 * has no room is asked ever more rarely, since every try costs a place.
 */
export function holdAfterFailureMs(verdict: OpenerVerdict, failures: number): number {
  const doubled = (firstMs: number, mostMs: number) => Math.min(mostMs, firstMs * 2 ** Math.min(20, failures - 1));
  switch (verdict) {
    case 'unavailable':
      return Math.min(800, 200 * failures);
    case 'capacity':
      return doubled(1_000, 60_000);
    case 'unheard':
      return doubled(2_000, 60_000);
    case 'credentials':
      return 5_000;
    case 'other':
      return doubled(1_000, 30_000);
  }
}
