import { randomUUID } from 'node:crypto';
import type { OpenerVerdict, SessionOpener, SessionUse } from '../src/session-opener';

/** A login or look that fails as told. */
export class FakeRefusal extends Error {
  readonly verdict: OpenerVerdict;
  constructor(verdict: OpenerVerdict) {
    super(`refused: ${verdict}`);
    this.verdict = verdict;
  }
}

/** What the next login does: opens, fails, or opens a session and loses the answer. */
export type LoginMode = 'open' | 'lost-answer' | OpenerVerdict;

interface FakeSession {
  lastCallAt: number;
  running: number;
}

/**
 * FileMaker as the pool sees it: sessions that live `lifeMs` after their last call, logins, looks, and calls that take
 * as long as the test wants. Its book of live sessions is the oracle: `mostLive` never passes the cap.
 */
export class FakeFileMaker implements SessionOpener {
  readonly sessions = new Map<string, FakeSession>();
  readonly #lifeMs: number;
  readonly #modes: LoginMode[] = [];
  mode: LoginMode = 'open';
  tellsUse = true;
  reachable = true;
  mostLive = 0;
  mostLoginsAtOnce = 0;
  logins = 0;
  loginTimes: number[] = [];
  looks = 0;
  closes = 0;
  /** Two calls at once on one token would mean that the pool lent it twice. */
  overlaps = 0;
  /** A logout while a call runs. */
  unsafeCloses = 0;
  #loginsUnderWay = 0;
  #clockAheadMs = 0;
  /** Set: a login waits for it. */
  loginGate: Promise<void> | undefined;

  constructor(lifeMs = 15 * 60_000) {
    this.#lifeMs = lifeMs;
  }

  now(): number {
    return performance.now() + this.#clockAheadMs;
  }

  pass(ms: number): void {
    this.#clockAheadMs += ms;
    this.#expire();
  }

  next(...modes: LoginMode[]): void {
    this.#modes.push(...modes);
  }

  /** From now on every login opens. */
  behave(): void {
    this.#modes.splice(0);
    this.mode = 'open';
  }

  restart(): void {
    this.sessions.clear();
  }

  live(): number {
    this.#expire();
    return this.sessions.size;
  }

  async open(): Promise<{ token: string }> {
    this.logins += 1;
    this.loginTimes.push(performance.now());
    this.#loginsUnderWay += 1;
    this.mostLoginsAtOnce = Math.max(this.mostLoginsAtOnce, this.#loginsUnderWay);
    const mode = this.#modes.shift() ?? this.mode;
    try {
      await this.loginGate;
      await new Promise(setImmediate);
      if (!this.reachable) throw new FakeRefusal('unavailable');
      if (mode !== 'open' && mode !== 'lost-answer') throw new FakeRefusal(mode);
      const token = randomUUID();
      this.sessions.set(token, { lastCallAt: this.now(), running: 0 });
      this.mostLive = Math.max(this.mostLive, this.live());
      if (mode === 'lost-answer') throw new FakeRefusal('unheard');
      return { token };
    } finally {
      this.#loginsUnderWay -= 1;
    }
  }

  async close(token: string): Promise<void> {
    this.closes += 1;
    if (!this.reachable) throw new FakeRefusal('unavailable');
    if ((this.sessions.get(token)?.running ?? 0) > 0) this.unsafeCloses += 1;
    this.sessions.delete(token);
  }

  async validate(token: string): Promise<SessionUse> {
    this.looks += 1;
    if (!this.reachable) throw new FakeRefusal('unavailable');
    this.#expire();
    const session = this.sessions.get(token);
    if (session === undefined) return 'gone';
    session.lastCallAt = this.now();
    if (!this.tellsUse) return 'untold';
    return session.running > 0 ? 'busy' : 'free';
  }

  classify(error: unknown): OpenerVerdict {
    return error instanceof FakeRefusal ? error.verdict : 'unheard';
  }

  /** A call begins; the returned function ends it. Undefined: 952. */
  begin(token: string): (() => void) | undefined {
    this.#expire();
    const session = this.sessions.get(token);
    if (session === undefined) return undefined;
    if (session.running > 0) this.overlaps += 1;
    session.running += 1;
    session.lastCallAt = this.now();
    return () => {
      session.running -= 1;
      session.lastCallAt = this.now();
    };
  }

  #expire(): void {
    for (const [token, session] of this.sessions) {
      if (session.running === 0 && this.now() - session.lastCallAt > this.#lifeMs) this.sessions.delete(token);
    }
  }
}
