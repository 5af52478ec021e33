import { setTimeout as delay } from 'node:timers/promises';
import type { Bell } from '../bell';
import type { Books, ScriptRun } from '../books';
import type { SimulatorClock } from '../clock';
import type { DatabaseFile } from '../database-file';
import { FileMakerError } from '../filemaker-error';
import type { RecordLocks } from '../record-locks';
import type { SimulatorSettings } from '../settings';
import { type Change, type CommitRules, commitChanges, type StoredRecord, type Table } from '../table';
import type { Trouble } from '../trouble';

/** The server stopped the script: nothing after this point happened. */
export class ScriptCut extends Error {
  constructor(readonly why: string) {
    super(`The script was cut by ${why}.`);
    this.name = 'ScriptCut';
  }
}

/** What a script leaves behind: FileMaker's error of its last step, and the text of Exit Script. */
export interface ScriptOutcome {
  readonly scriptError: string;
  readonly scriptResult?: string;
}

export interface ScriptContextParts {
  readonly settings: () => SimulatorSettings;
  readonly clock: SimulatorClock;
  readonly books: Books;
  readonly locks: RecordLocks;
  readonly holdBell: Bell;
  readonly database: DatabaseFile;
  readonly run: ScriptRun;
  readonly parameter: string;
  readonly lockOwner: string;
  readonly durationMs: number;
  readonly cut: AbortSignal;
  readonly trouble: Trouble | undefined;
}

const HOLD_MAX_MS = 3_600_000;

/** A running script's view of the server: its file, its locks, its time. */
export class ScriptContext {
  readonly parameter: string;
  readonly database: DatabaseFile;
  readonly run: ScriptRun;
  readonly #parts: ScriptContextParts;
  readonly #startedAt: number;

  constructor(parts: ScriptContextParts) {
    this.#parts = parts;
    this.parameter = parts.parameter;
    this.database = parts.database;
    this.run = parts.run;
    this.#startedAt = parts.clock.now();
  }

  get settings(): SimulatorSettings {
    return this.#parts.settings();
  }

  get books(): Books {
    return this.#parts.books;
  }

  timestamp(): string {
    return this.#parts.clock.iso().slice(0, 19);
  }

  /** Lets the share of the script's time before or after its commit pass, and waits there while scripts are held. */
  async pause(point: 'before-commit' | 'after-commit'): Promise<void> {
    const { cut, durationMs, holdBell } = this.#parts;
    const share = this.settings.commitAtFraction;
    const ms = Math.round(durationMs * (point === 'before-commit' ? share : 1 - share));
    if (ms > 0 && !cut.aborted) await delay(ms, undefined, { signal: cut }).catch(() => undefined);
    await holdBell.until(() => this.settings.holdScripts !== point, HOLD_MAX_MS, cut);
    this.throwIfCut();
  }

  throwIfCut(): void {
    if (this.#parts.cut.aborted) throw new ScriptCut(String(this.#parts.cut.reason));
  }

  /** A step of the work commits it and ends the transaction, and the row of the log cannot be written after that. */
  get losesItsRow(): boolean {
    const { trouble } = this.#parts;
    return trouble?.kind === 'result' && trouble.result === 'row-missing';
  }

  /** Open Record/Request: throws 301 when somebody else holds the record. */
  lock(table: Table, recordId: string): void {
    if (!this.#parts.locks.take(table, recordId, this.#parts.lockOwner)) throw new FileMakerError(301);
  }

  unlock(table: Table, recordId: string): void {
    this.#parts.locks.release(table, recordId, this.#parts.lockOwner);
  }

  /** Commits all changes or none. A planned commit error stands for a step that failed inside of the transaction. */
  commit(changes: readonly Change[]): StoredRecord[] {
    const { trouble, locks, lockOwner, clock } = this.#parts;
    if (trouble?.kind === 'commit-error') throw new FileMakerError(trouble.code);
    for (const change of changes) {
      if (change.kind !== 'edit') continue;
      const owner = locks.ownerOf(change.table, change.recordId);
      if (owner !== undefined && owner !== lockOwner) throw new FileMakerError(301);
    }
    const racy = this.settings.uniqueUnderSimultaneousCommits === 'racy';
    const rules: CommitRules = {
      validations: new Set(['always']),
      uniqueAsOf: racy ? this.#startedAt : undefined,
    };
    return commitChanges(changes, rules, clock.now());
  }
}
