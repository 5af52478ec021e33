import { Bell } from '../bell';
import type { Books, ScriptRun, Transport } from '../books';
import type { SimulatorClock } from '../clock';
import type { DatabaseFile } from '../database-file';
import { FileMakerError } from '../filemaker-error';
import type { RecordLocks } from '../record-locks';
import type { SeededRandom } from '../seeded-random';
import type { FileMakerSession } from '../sessions';
import type { SimulatorSettings } from '../settings';
import type { Trouble } from '../trouble';
import { parsePayload, text } from './effect-changes';
import { runKitScript } from './kit-script';
import { runPlainScript } from './plain-script';
import { ScriptContext, ScriptCut, type ScriptOutcome } from './script-context';

export interface ScriptCall {
  readonly script: string;
  readonly parameter: string;
  readonly database: DatabaseFile;
  readonly session: FileMakerSession;
  readonly transport: Transport;
  readonly trouble: Trouble | undefined;
  /** Told at once when the run is in the books, before any of its time has passed. */
  readonly onRun: (run: ScriptRun) => void;
}

interface ActiveRun {
  readonly run: ScriptRun;
  readonly session: FileMakerSession;
  readonly cut: AbortController;
}

/** The script engine: starts scripts, lets others cut them, writes each run into the books. */
export class ScriptRunner {
  readonly #settings: () => SimulatorSettings;
  readonly #clock: SimulatorClock;
  readonly #books: Books;
  readonly #locks: RecordLocks;
  readonly #random: () => SeededRandom;
  readonly #active = new Set<ActiveRun>();
  /** Rung when settings change, for scripts that are held. */
  readonly holdBell = new Bell();

  constructor(
    settings: () => SimulatorSettings,
    clock: SimulatorClock,
    books: Books,
    locks: RecordLocks,
    random: () => SeededRandom,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#books = books;
    this.#locks = locks;
    this.#random = random;
  }

  /** Throws 104 for an unknown script, 812 above `scriptSessionsMax`, `ScriptCut` when the server stopped it. */
  async run(call: ScriptCall): Promise<ScriptOutcome> {
    const settings = this.#settings();
    const definition = settings.scripts[call.script];
    if (definition === undefined) throw new FileMakerError(104);
    if (settings.scriptSessionsMax !== null && this.#active.size >= settings.scriptSessionsMax)
      throw new FileMakerError(812);
    if (call.parameter.length > settings.scriptParameterCharsMax) throw new FileMakerError(1708, 'script.param');
    const run = this.#books.runStarted({
      script: call.script,
      payload: call.parameter,
      session: call.session.number,
      transport: call.transport,
    });
    const active: ActiveRun = { run, session: call.session, cut: new AbortController() };
    this.#active.add(active);
    call.session.runningScripts += 1;
    call.onRun(run);
    try {
      const outcome = altered(await this.#perform(call, active, definition), call.trouble);
      this.#books.runEnded(run, { result: outcome.scriptResult ?? null, scriptError: outcome.scriptError });
      return outcome;
    } catch (error) {
      if (run.end === 'running')
        this.#books.runEnded(run, { cutBy: error instanceof ScriptCut ? error.why : String(error) });
      throw error;
    } finally {
      this.#active.delete(active);
      call.session.runningScripts -= 1;
      if (call.session.ended !== null) this.#locks.releaseAllOf(call.session.lockOwner);
    }
  }

  /** Stops the running scripts that `which` picks; their transactions are reverted unless already committed. */
  cut(why: string, which: (run: ScriptRun, session: FileMakerSession) => boolean = () => true): number {
    const chosen = [...this.#active].filter(({ run, session }) => which(run, session));
    for (const { cut } of chosen) cut.abort(why);
    return chosen.length;
  }

  async #perform(
    call: ScriptCall,
    active: ActiveRun,
    definition: SimulatorSettings['scripts'][string],
  ): Promise<ScriptOutcome> {
    const settings = this.#settings();
    const { run, cut } = active;
    if (call.trouble?.kind === 'script-error') {
      const payload = parsePayload(call.parameter);
      run.key = text(payload?.idempotency_key) || text(payload?.handoff) || null;
      run.invoiceId = text(payload?.invoice_id) || null;
      return { scriptError: call.trouble.code };
    }
    const context = new ScriptContext({
      settings: this.#settings,
      clock: this.#clock,
      books: this.#books,
      locks: this.#locks,
      holdBell: this.holdBell,
      database: call.database,
      run,
      parameter: call.parameter,
      lockOwner: call.session.lockOwner,
      durationMs: this.#random().around(settings.scriptMs, settings.scriptSpreadMs),
      cut: cut.signal,
      trouble: call.trouble,
    });
    return definition.form === 'kit'
      ? runKitScript(context, definition.effect)
      : runPlainScript(context, definition.effect);
  }
}

function altered(outcome: ScriptOutcome, trouble: Trouble | undefined): ScriptOutcome {
  // A script that leaves no row says so itself.
  if (trouble?.kind !== 'result' || trouble.result === 'row-missing') return outcome;
  if (trouble.result === 'missing') return { scriptError: outcome.scriptError };
  if (trouble.result === 'garbage') return { ...outcome, scriptResult: '? * line 1, column 1' };
  const answer = parsePayload(outcome.scriptResult ?? '{}') ?? {};
  return { ...outcome, scriptResult: JSON.stringify({ ...answer, key: 'the key of another call' }) };
}
