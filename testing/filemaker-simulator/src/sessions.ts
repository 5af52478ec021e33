import { randomBytes } from 'node:crypto';
import type { SimulatorClock } from './clock';
import { FileMakerError } from './filemaker-error';
import type { SimulatorSettings } from './settings';

export type SessionEnd = 'logout' | 'idle' | 'killed' | 'restart' | 'closed-file';

/** One login: a token, its place in the cap, and the queue that lets one request at a time through. */
export class FileMakerSession {
  readonly number: number;
  readonly token: string;
  readonly database: string;
  readonly account: string;
  readonly globals = new Map<string, string>();
  lastUsedAt: number;
  /** Requests that hold the session or wait for it. */
  inUse = 0;
  runningScripts = 0;
  ended: SessionEnd | null = null;
  /** Aborts when the session is killed while a call is in it. */
  readonly killed = new AbortController();
  #tail: Promise<void> = Promise.resolve();

  constructor(number: number, database: string, account: string, now: number) {
    this.number = number;
    this.token = randomBytes(24).toString('hex');
    this.database = database;
    this.account = account;
    this.lastUsedAt = now;
  }

  get lockOwner(): string {
    return `session ${this.number}`;
  }

  /** Runs `work` when everything that came before on this token is done (seen by fmdapi issue 18, fms-api-client issue 110). */
  async queue<T>(work: () => Promise<T>): Promise<T> {
    this.inUse += 1;
    const before = this.#tail;
    let done = (): void => undefined;
    this.#tail = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    try {
      return await work();
    } finally {
      this.inUse -= 1;
      done();
    }
  }
}

/** All present sessions under the cap. Idle ones leave when somebody next looks. */
export class SessionStore {
  readonly #settings: () => SimulatorSettings;
  readonly #clock: SimulatorClock;
  readonly #onEnd: (session: FileMakerSession, end: SessionEnd) => void;
  readonly #byToken = new Map<string, FileMakerSession>();
  #nextNumber = 1;

  constructor(
    settings: () => SimulatorSettings,
    clock: SimulatorClock,
    onEnd: (session: FileMakerSession, end: SessionEnd) => void,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  present(): FileMakerSession[] {
    this.#expireIdle();
    return [...this.#byToken.values()];
  }

  open(database: string, account: string): FileMakerSession {
    const { sessionsMax, capacityCode } = this.#settings();
    if (this.present().length >= sessionsMax) throw new FileMakerError(capacityCode);
    const session = new FileMakerSession(this.#nextNumber++, database, account, this.#clock.now());
    this.#byToken.set(session.token, session);
    return session;
  }

  /** The session of a token; `database` is compared to the letter, and another spelling reads as an invalid token. */
  find(token: string, database?: string): FileMakerSession {
    this.#expireIdle();
    const session = this.#byToken.get(token);
    if (session === undefined || (database !== undefined && session.database !== database))
      throw new FileMakerError(952);
    return session;
  }

  touch(session: FileMakerSession): void {
    session.lastUsedAt = this.#clock.now();
  }

  end(session: FileMakerSession, end: SessionEnd): void {
    if (!this.#byToken.delete(session.token)) return;
    session.ended = end;
    this.#onEnd(session, end);
  }

  endAll(end: SessionEnd, where: (session: FileMakerSession) => boolean = () => true): number {
    const sessions = [...this.#byToken.values()].filter(where);
    for (const session of sessions) this.end(session, end);
    return sessions.length;
  }

  #expireIdle(): void {
    const { sessionIdleSeconds, runningScriptKeepsSession } = this.#settings();
    const oldest = this.#clock.now() - sessionIdleSeconds * 1_000;
    for (const session of [...this.#byToken.values()]) {
      const kept = runningScriptKeepsSession && session.inUse > 0;
      if (session.lastUsedAt <= oldest && !kept) this.end(session, 'idle');
    }
  }
}
