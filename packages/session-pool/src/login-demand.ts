import type { LoginRefusal } from './login-decision';
import { asPoolError, type PoolError, refusedForCapacity, refusedForHalt, refusedUnavailable } from './pool-error';
import type { RunningTasks } from './running-tasks';
import type { LoginResult, SessionLogins } from './session-logins';
import type { SessionRows } from './session-rows';

export interface LoginDemandOptions {
  logins: SessionLogins;
  rows: SessionRows;
  tasks: RunningTasks;
  /** Logins of this process at most. */
  loginsAtOnce: number;
  /** How many wait here. */
  callers: () => number;
  /** A session may be open that was not. */
  onLoginEnded: () => void;
  /** Tells everybody who waits here. */
  onRefusal: (error: PoolError) => void;
}

/** How long "no login now" is believed at most before PostgreSQL is asked again, unless somebody tells of room. */
const BELIEVED_MS = 500;
const BELIEVED_LEAST_MS = 20;

/** Opens sessions for callers that wait in vain, and tells them when there is no hope. */
export class LoginDemand {
  readonly #options: LoginDemandOptions;
  /** Logins and the wish for them, until each has ended. */
  #underWay = 0;
  /** Local monotonic time; until then PostgreSQL's last answer is believed. */
  #notBefore = 0;
  /** Why nobody need wait until then: no session is open and none may be opened. */
  #noHope: PoolError | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LoginDemandOptions) {
    this.#options = options;
  }

  /** What PostgreSQL said last may not be true any more. */
  askAgain(): void {
    this.#notBefore = 0;
  }

  /** Opens as many sessions as callers wait for, less those under way. */
  openFor(callers: number): void {
    const waitMs = this.#notBefore - performance.now();
    if (waitMs > 0) {
      if (this.#noHope === undefined) this.#askIn(waitMs);
      else this.#options.onRefusal(this.#noHope);
      return;
    }
    this.#noHope = undefined;
    const wanted = Math.min(callers, this.#options.loginsAtOnce) - this.#underWay;
    if (wanted > 0) this.#options.tasks.track('login', this.#open(wanted));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #askIn(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const callers = this.#options.callers();
      if (callers > 0) this.openFor(callers);
    }, Math.ceil(delayMs));
  }

  async #open(wanted: number): Promise<void> {
    const { logins, tasks } = this.#options;
    this.#underWay += wanted;
    let begun = 0;
    try {
      const permission = await logins.reserve(wanted);
      if (permission.kind === 'halted') {
        this.#believe(BELIEVED_MS);
        await this.#refuseWithoutHope(refusedForHalt(permission.cause));
        this.#askIn(BELIEVED_MS);
        return;
      }
      for (const sessionId of permission.sessionIds) {
        begun += 1;
        tasks.track('login', this.#logIn(sessionId));
      }
      if (permission.refusal !== undefined) this.#heed(permission.refusal);
    } catch (error) {
      this.#options.onRefusal(asPoolError(error));
    } finally {
      this.#underWay -= wanted - begun;
    }
  }

  async #logIn(sessionId: string): Promise<void> {
    try {
      await this.#afterLogin(await this.#options.logins.logIn(sessionId));
    } catch (error) {
      this.#options.onRefusal(asPoolError(error));
    } finally {
      this.#underWay -= 1;
    }
    this.#options.onLoginEnded();
  }

  #heed(refusal: LoginRefusal): void {
    this.#believe(Math.min(BELIEVED_MS, Math.max(BELIEVED_LEAST_MS, refusal.retryAfterMs)));
    const noRoom = refusal.why === 'held' && refusal.because === 'capacity' && refusal.sessions === 0;
    if (noRoom) this.#refuseFromNow(refusedForCapacity(refusal.retryAfterMs));
    else this.#askIn(this.#notBefore - performance.now());
  }

  async #afterLogin(result: LoginResult): Promise<void> {
    const { onRefusal } = this.#options;
    if (result.kind === 'opened') {
      // The ground is tried: those who waited for that may follow at once.
      this.#believe(0);
      return;
    }
    if (result.verdict === 'credentials') await this.#refuseWithoutHope(refusedForHalt('FILEMAKER_CREDENTIALS'));
    else if (result.verdict === 'unavailable') onRefusal(refusedUnavailable(result.verdict));
    else if (result.open === 0) {
      onRefusal(result.verdict === 'capacity' ? refusedForCapacity(1_000) : refusedUnavailable(result.verdict));
    }
  }

  #believe(durationMs: number): void {
    this.#notBefore = performance.now() + durationMs;
  }

  #refuseFromNow(error: PoolError): void {
    this.#noHope = error;
    this.#options.onRefusal(error);
  }

  /** Logins are halted: whoever waits can only hope for a session that is open already. */
  async #refuseWithoutHope(error: PoolError): Promise<void> {
    if ((await this.#options.rows.counts()).openIds.length === 0) this.#refuseFromNow(error);
  }
}
