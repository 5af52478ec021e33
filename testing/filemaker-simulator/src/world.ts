import { Books } from './books';
import { SimulatorClock } from './clock';
import { DatabaseFile } from './database-file';
import { RecordLocks } from './record-locks';
import { ScriptRunner } from './scripts/script-runner';
import { SeededRandom } from './seeded-random';
import { type FileMakerSession, type SessionEnd, SessionStore } from './sessions';
import { applySettings, DEFAULT_SETTINGS, type SimulatorSettings, type SimulatorSettingsPatch } from './settings';
import { SHOP_DATABASE } from './shop-database';
import { TroubleQueue } from './trouble';

/** The server's whole state: what the Data API and the control API both work on. */
export class World {
  readonly clock = new SimulatorClock();
  readonly locks = new RecordLocks();
  readonly troubles = new TroubleQueue();
  readonly databases = new Map<string, DatabaseFile>();
  readonly books: Books;
  readonly sessions: SessionStore;
  readonly scripts: ScriptRunner;
  readonly #initial: SimulatorSettings;
  #settings: SimulatorSettings;
  #random: SeededRandom;
  #luck: SeededRandom;
  /** Wrong passwords since the last good login. */
  failedLogins = 0;

  constructor(patch: SimulatorSettingsPatch) {
    this.#initial = applySettings(DEFAULT_SETTINGS, patch);
    this.#settings = this.#initial;
    this.#random = new SeededRandom(this.#initial.seed);
    this.#luck = new SeededRandom(this.#initial.seed);
    this.sessions = new SessionStore(
      () => this.#settings,
      this.clock,
      (session, end) => this.#sessionEnded(session, end),
    );
    this.books = new Books(this.clock, () => this.sessions.present().length);
    this.scripts = new ScriptRunner(
      () => this.#settings,
      this.clock,
      this.books,
      this.locks,
      () => this.#random,
    );
    this.databases.set('Shop', new DatabaseFile('Shop', SHOP_DATABASE));
  }

  /** A hosted file by its name in any spelling; what a token may be used with is the session's business. */
  database(name: string): DatabaseFile | undefined {
    const wanted = name.toLowerCase();
    return [...this.databases.values()].find((database) => database.name.toLowerCase() === wanted);
  }

  get settings(): SimulatorSettings {
    return this.#settings;
  }

  /** For durations. */
  get random(): SeededRandom {
    return this.#random;
  }

  /** For trouble alone: which call is struck must not depend on how scripts and logins interleave. */
  get luck(): SeededRandom {
    return this.#luck;
  }

  /** Changes settings while running. A new seed starts its numbers from the beginning. */
  change(patch: unknown): SimulatorSettings {
    const next = applySettings(this.#settings, patch);
    if (next.seed !== this.#settings.seed) this.#seed(next.seed);
    this.#settings = next;
    this.scripts.holdBell.ring();
    return next;
  }

  /** All tokens void; scripts cut or going on. Dropping the connections is the server's part. */
  restartEngine(scripts: 'survives' | 'cut'): { sessions: number; scriptsCut: number } {
    const scriptsCut = scripts === 'cut' ? this.scripts.cut('restart') : 0;
    return { sessions: this.sessions.endAll('restart'), scriptsCut };
  }

  closeFile(database: DatabaseFile, code: string): number {
    database.closedWith = code;
    return this.sessions.endAll('closed-file', (session) => this.database(session.database) === database);
  }

  /** As freshly started: settings, files, records, sessions, troubles, books. */
  reset(): void {
    this.scripts.cut('reset');
    this.sessions.endAll('restart');
    this.locks.clear();
    this.troubles.clear();
    this.books.clear();
    this.databases.clear();
    this.databases.set('Shop', new DatabaseFile('Shop', SHOP_DATABASE));
    this.failedLogins = 0;
    this.#settings = this.#initial;
    this.#seed(this.#initial.seed);
    this.scripts.holdBell.ring();
  }

  #seed(seed: number): void {
    this.#random = new SeededRandom(seed);
    this.#luck = new SeededRandom(seed);
  }

  #sessionEnded(session: FileMakerSession, end: SessionEnd): void {
    this.books.sessionEnded(end);
    const settings = this.#settings;
    const ofSession = (_run: unknown, owner: FileMakerSession): boolean => owner === session;
    if (end === 'idle' && settings.expiryDuringScript === 'cut') this.scripts.cut('idle expiry', ofSession);
    const keepsLock = end === 'logout' && !settings.deleteReleasesOpenRecord;
    if (session.runningScripts === 0 && !keepsLock) this.locks.releaseAllOf(session.lockOwner);
    session.killed.abort();
  }
}
