import type { OpenerVerdict } from './session-opener';

/** Durations in ms by PostgreSQL's clock, read while the pool row is locked. */
export interface LoginFacts {
  cap: number;
  /** Rows, whatever their state. */
  sessions: number;
  loginsUnderWay: number;
  /** Sessions that are open: FileMaker answered their logins. */
  open: number;
  /** How many may be under way together, and begin together after a rest. */
  loginsAtOnce: number;
  /** Between two logins at the even pace. */
  loginEveryMs: number;
  /** Until a login would be due at the even pace; 0 or less: now. */
  nextLoginInMs: number;
  heldForMs: number;
  heldBecause: OpenerVerdict | undefined;
  /** Failed logins in a row; those that were under way together count as one. */
  failures: number;
  /** FileMaker seems to have restarted, and no login has gone well since. */
  restartSuspected: boolean;
  shrunkBy: number;
  shrunkAgoMs: number;
  capacityHoldMs: number;
}

/** Why no (further) login may begin, and after how many ms asking again makes sense. `sessions`: those that count. */
export interface LoginRefusal {
  why: 'cap' | 'logins-at-once' | 'rate' | 'held';
  retryAfterMs: number;
  because?: OpenerVerdict;
  sessions: number;
}

/** How many of the wanted logins may begin; `refusal` says what keeps back the next one, where it is fewer. */
export interface LoginDecision {
  count: number;
  refusal?: LoginRefusal;
}

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

/** What keeps one more login from beginning; undefined: nothing. */
export function refuseLogin(facts: LoginFacts): LoginRefusal | undefined {
  const { sessions } = facts;
  if (sessions >= effectiveCap(facts)) return { why: 'cap', retryAfterMs: CAP_RETRY_MS, sessions };
  if (facts.heldForMs > 0 && facts.heldBecause !== undefined) {
    return { why: 'held', retryAfterMs: Math.ceil(facts.heldForMs), because: facts.heldBecause, sessions };
  }
  // After a failure or a restart, and where no session stands yet, one login tries the ground for all: each that is never
  // answered costs a place until the session that may exist has outlived itself, and a burst of them would cost all.
  const untried = facts.failures > 0 || facts.restartSuspected || facts.open === 0;
  const atOnce = untried ? 1 : facts.loginsAtOnce;
  if (facts.loginsUnderWay >= atOnce) return { why: 'logins-at-once', retryAfterMs: LOGIN_RETRY_MS, sessions };
  // A token bucket told as a time: each login moves the next one's due time on by `loginEveryMs`, and a rest lets it
  // fall behind, by a burst of `loginsAtOnce` at most.
  const earlyMs = (facts.loginsAtOnce - 1) * facts.loginEveryMs;
  const waitMs = facts.nextLoginInMs - earlyMs;
  if (waitMs > 0) return { why: 'rate', retryAfterMs: Math.ceil(waitMs), sessions };
  return undefined;
}

/** How many of `wanted` logins may begin together. */
export function decideLogins(facts: LoginFacts, wanted: number): LoginDecision {
  let ahead = facts;
  for (let count = 0; count < wanted; count += 1) {
    const refusal = refuseLogin(ahead);
    if (refusal !== undefined) return { count, refusal };
    ahead = {
      ...ahead,
      sessions: ahead.sessions + 1,
      loginsUnderWay: ahead.loginsUnderWay + 1,
      nextLoginInMs: Math.max(0, ahead.nextLoginInMs) + ahead.loginEveryMs,
    };
  }
  return { count: wanted };
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
