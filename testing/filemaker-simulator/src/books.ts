import { createHash } from 'node:crypto';
import { Bell } from './bell';
import type { SimulatorClock } from './clock';
import type { SessionEnd } from './sessions';

export type Transport = 'get' | 'handoff' | 'create' | 'other';
type RunEnd = 'running' | 'finished' | 'cut';
type AnswerFate = 'pending' | 'answered' | 'unheard';

/** One script run as the server itself saw it, whatever the script wrote into its log table. */
export interface ScriptRun {
  seq: number;
  startedAt: string;
  finishedAt: string | null;
  script: string;
  key: string | null;
  invoiceId: string | null;
  /** The payload text as received: the parameter, or what the hand-off record held. */
  payload: string;
  sha256: string;
  session: number;
  transport: Transport;
  effectApplied: boolean;
  end: RunEnd;
  cutBy: string | null;
  result: string | null;
  scriptError: string | null;
  /** Whether the caller got the whole answer. */
  answer: AnswerFate;
}

/** One try to open a FileMaker session. */
export interface LoginEntry {
  seq: number;
  at: string;
  database: string;
  account: string;
  ok: boolean;
  code: string;
  session: number | null;
}

/** Counts of what truly happened. */
export interface BooksSummary {
  runs: number;
  running: number;
  finished: number;
  cut: number;
  effectsApplied: number;
  keysApplied: number;
  /** Keys and invoices whose effect happened more than once: for keys always wrong. */
  keysAppliedMoreThanOnce: string[];
  invoicesAppliedMoreThanOnce: string[];
  appliedWithoutKey: number;
  unheardAnswers: number;
  /** Runs that applied their effect although the caller never got the answer. */
  appliedUnheard: number;
  sessions: SessionCounts & { present: number };
  overlaps: number;
  deletedInUse: number;
  logins: { ok: number; refused: number; refusedByCode: Record<string, number> };
  /** `whileAway`: answered 502 or cut by the web tier; not in `total`. */
  requests: { total: number; byEndpoint: Record<string, number>; whileAway: number };
}

export interface SessionCounts {
  opened: number;
  peak: number;
  endedBy: Record<SessionEnd, number>;
}

/** What the books can be waited for; every given figure must be reached. */
export interface WaitCondition {
  applied?: number | undefined;
  running?: number | undefined;
  runs?: number | undefined;
  logins?: number | undefined;
  requests?: number | undefined;
  unheard?: number | undefined;
  /** True: no script is in mid-run. */
  idle?: boolean | undefined;
}

/** The oracle: counts what truly happened, apart from all tables and answers. */
export class Books {
  readonly runs: ScriptRun[] = [];
  readonly logins: LoginEntry[] = [];
  readonly applied = new Map<string, number>();
  readonly appliedByInvoice = new Map<string, number>();
  readonly requestsByEndpoint = new Map<string, number>();
  readonly #clock: SimulatorClock;
  readonly #bell = new Bell();
  readonly #presentSessions: () => number;
  #running = 0;
  #finished = 0;
  #effects = 0;
  #appliedWithoutKey = 0;
  #unheard = 0;
  #requests = 0;
  #requestsWhileAway = 0;
  overlaps = 0;
  deletedInUse = 0;
  #sessions: SessionCounts = emptySessionCounts();

  constructor(clock: SimulatorClock, presentSessions: () => number) {
    this.#clock = clock;
    this.#presentSessions = presentSessions;
  }

  request(endpoint: string): void {
    this.#requests += 1;
    this.requestsByEndpoint.set(endpoint, (this.requestsByEndpoint.get(endpoint) ?? 0) + 1);
    this.#bell.ring();
  }

  requestWhileAway(): void {
    this.#requestsWhileAway += 1;
  }

  login(entry: Omit<LoginEntry, 'seq' | 'at'>): void {
    this.logins.push({ seq: this.logins.length + 1, at: this.#clock.iso(), ...entry });
    if (entry.ok) {
      this.#sessions.opened += 1;
      this.#sessions.peak = Math.max(this.#sessions.peak, this.#presentSessions());
    }
    this.#bell.ring();
  }

  sessionEnded(end: SessionEnd): void {
    this.#sessions.endedBy[end] += 1;
  }

  runStarted(run: Pick<ScriptRun, 'script' | 'payload' | 'session' | 'transport'>): ScriptRun {
    const entry: ScriptRun = {
      seq: this.runs.length + 1,
      startedAt: this.#clock.iso(),
      finishedAt: null,
      key: null,
      invoiceId: null,
      sha256: sha256(run.payload),
      effectApplied: false,
      end: 'running',
      cutBy: null,
      result: null,
      scriptError: null,
      answer: 'pending',
      ...run,
    };
    this.runs.push(entry);
    this.#running += 1;
    this.#bell.ring();
    return entry;
  }

  /** A hand-off script has read its record: from here on the payload is the record's. */
  payloadRead(run: ScriptRun, payload: string): void {
    run.payload = payload;
    run.sha256 = sha256(payload);
    run.transport = 'handoff';
  }

  effectApplied(run: ScriptRun): void {
    run.effectApplied = true;
    this.#effects += 1;
    if (run.key === null) this.#appliedWithoutKey += 1;
    else this.applied.set(run.key, (this.applied.get(run.key) ?? 0) + 1);
    if (run.invoiceId !== null) {
      this.appliedByInvoice.set(run.invoiceId, (this.appliedByInvoice.get(run.invoiceId) ?? 0) + 1);
    }
    this.#bell.ring();
  }

  runEnded(run: ScriptRun, end: { result: string | null; scriptError: string } | { cutBy: string }): void {
    run.finishedAt = this.#clock.iso();
    if ('cutBy' in end) {
      run.end = 'cut';
      run.cutBy = end.cutBy;
    } else {
      run.end = 'finished';
      run.result = end.result;
      run.scriptError = end.scriptError;
      this.#finished += 1;
    }
    this.#running -= 1;
    this.#bell.ring();
  }

  answered(run: ScriptRun, heard: boolean): void {
    if (run.answer !== 'pending') return;
    run.answer = heard ? 'answered' : 'unheard';
    if (!heard) this.#unheard += 1;
    this.#bell.ring();
  }

  /** Resolves true once the figures are reached, false after `timeoutMs` or on abort. */
  waitFor(condition: WaitCondition, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#bell.until(() => this.#meets(condition), timeoutMs, signal);
  }

  summary(): BooksSummary {
    const refusedByCode: Record<string, number> = {};
    for (const { ok, code } of this.logins) if (!ok) refusedByCode[code] = (refusedByCode[code] ?? 0) + 1;
    const refused = Object.values(refusedByCode).reduce((sum, count) => sum + count, 0);
    return {
      runs: this.runs.length,
      running: this.#running,
      finished: this.#finished,
      cut: this.runs.length - this.#running - this.#finished,
      effectsApplied: this.#effects,
      keysApplied: this.applied.size,
      keysAppliedMoreThanOnce: moreThanOnce(this.applied),
      invoicesAppliedMoreThanOnce: moreThanOnce(this.appliedByInvoice),
      appliedWithoutKey: this.#appliedWithoutKey,
      unheardAnswers: this.#unheard,
      appliedUnheard: this.runs.filter((run) => run.effectApplied && run.answer === 'unheard').length,
      sessions: { ...this.#sessions, present: this.#presentSessions() },
      overlaps: this.overlaps,
      deletedInUse: this.deletedInUse,
      logins: { ok: this.logins.length - refused, refused, refusedByCode },
      requests: {
        total: this.#requests,
        byEndpoint: Object.fromEntries(this.requestsByEndpoint),
        whileAway: this.#requestsWhileAway,
      },
    };
  }

  clear(): void {
    for (const run of this.runs) if (run.end === 'running') this.runEnded(run, { cutBy: 'reset' });
    this.runs.length = 0;
    this.logins.length = 0;
    this.applied.clear();
    this.appliedByInvoice.clear();
    this.requestsByEndpoint.clear();
    this.#finished = 0;
    this.#running = 0;
    this.#effects = 0;
    this.#appliedWithoutKey = 0;
    this.#unheard = 0;
    this.#requests = 0;
    this.#requestsWhileAway = 0;
    this.overlaps = 0;
    this.deletedInUse = 0;
    this.#sessions = emptySessionCounts();
  }

  #meets(condition: WaitCondition): boolean {
    const reached = (wanted: number | undefined, figure: number): boolean => wanted === undefined || figure >= wanted;
    return (
      reached(condition.applied, this.#effects) &&
      reached(condition.running, this.#running) &&
      reached(condition.runs, this.runs.length - this.#running) &&
      reached(condition.logins, this.logins.length) &&
      reached(condition.requests, this.#requests) &&
      reached(condition.unheard, this.#unheard) &&
      (condition.idle !== true || this.#running === 0)
    );
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function moreThanOnce(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].filter(([, count]) => count > 1).map(([name]) => name);
}

function emptySessionCounts(): SessionCounts {
  return { opened: 0, peak: 0, endedBy: { logout: 0, idle: 0, killed: 0, restart: 0, 'closed-file': 0 } };
}
