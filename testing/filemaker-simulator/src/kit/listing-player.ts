import type { DatabaseFile } from '../database-file';
import { FileMakerError } from '../filemaker-error';
import { parseCriterion } from '../find-criterion';
import type { RecordLocks } from '../record-locks';
import { type Change, commitChanges, type FieldValues, type Table } from '../table';
import { type CalculationContext, evaluate, type Value } from './calculation';

/** One step as `filemaker/tool/listing.cjs` reads it. */
export interface ListedStep {
  readonly line: number;
  readonly name: string;
  readonly [option: string]: unknown;
}

export interface ListingPlayerOptions {
  readonly database: DatabaseFile;
  readonly locks: RecordLocks;
  /** Who holds the records that these scripts open. */
  readonly owner: string;
  /** Listings by the name under which scripts call them. */
  readonly listings: ReadonlyMap<string, readonly ListedStep[]>;
  /** Called before each step; throws to stop everything there, as a killed server does. */
  readonly beforeStep?: (script: string, step: ListedStep, player: ListingPlayer) => void;
  /** A step that FileMaker refuses with this code; it does nothing. */
  readonly refuseStep?: (script: string, step: ListedStep) => string | undefined;
  /** A commit that FileMaker refuses with this code, once. */
  readonly refuseCommit?: () => string | undefined;
}

/** Steps that leave Get ( LastError ) as it was (Claris: Pro help, get-lasterror). */
const KEEP_ERROR = new Set(['#', 'If', 'Else If', 'Else', 'End If', 'Loop', 'Exit Loop If', 'End Loop', 'Exit Script']);
const STEPS_MAX = 10_000;
const TODAY = '2026-01-01';

/** The transaction is over before its Commit: the script that opened it goes on behind that step. */
class TransactionReverted extends Error {
  constructor(readonly code: string) {
    super(`reverted with ${code}`);
  }
}

interface OpenRecord {
  table: Table;
  recordId: string;
  created: boolean;
  values: Record<string, string>;
}

interface Frame {
  readonly script: string;
  readonly parameter: Value;
  readonly variables: Map<string, Value>;
  ownsTransaction: boolean;
}

/**
 * Plays the kit's listings as FileMaker would by its documentation: one window, one found set, records that stay open until
 * they are committed, transactions that hold everything back. Only the steps and functions that the kit uses.
 */
export class ListingPlayer {
  readonly #options: ListingPlayerOptions;
  readonly #open = new Map<string, OpenRecord>();
  /** Each table keeps its found set and its current record while the window shows another one. */
  readonly #places = new Map<Table, { found: string[]; current: string | undefined }>();
  #layout: { name: string; table: Table } | undefined;
  #current: string | undefined;
  #found: string[] = [];
  #criteria: Map<string, string> | undefined;
  #inTransaction = false;
  #lastError = '0';
  #scriptResult: Value = '';
  #steps = 0;

  constructor(options: ListingPlayerOptions) {
    this.#options = options;
  }

  /** Runs a script and answers with the text of Exit Script. */
  run(script: string, parameter: string): string {
    const result = this.#perform(script, parameter);
    // The end of the last script leaves the record.
    this.#commit();
    return String(result);
  }

  /** What New Window and its like do: everything is committed, and there is no transaction any more. */
  endTransaction(): void {
    this.#commit();
    this.#inTransaction = false;
  }

  #perform(script: string, parameter: Value): Value {
    const steps = this.#options.listings.get(script);
    if (steps === undefined) throw new Error(`no listing for ${script}`);
    const frame: Frame = { script, parameter, variables: new Map(), ownsTransaction: false };
    let at = 0;
    while (at < steps.length) {
      const step = steps[at];
      if (step === undefined) break;
      this.#steps += 1;
      if (this.#steps > STEPS_MAX) throw new Error('the script does not end');
      this.#options.beforeStep?.(script, step, this);
      if (step.name === 'Exit Script') return this.#value(frame, step.result);
      try {
        const next = this.#step(frame, step, steps, at);
        if (!KEEP_ERROR.has(step.name) && !next.failed) this.#lastError = '0';
        at = next.at;
      } catch (error) {
        if (error instanceof TransactionReverted && frame.ownsTransaction) {
          frame.ownsTransaction = false;
          this.#revert();
          this.#lastError = error.code;
          at = steps.findIndex(({ name }) => name === 'Commit Transaction') + 1;
        } else if (error instanceof FileMakerError) {
          this.#lastError = error.code;
          at += 1;
        } else throw error;
      }
    }
    return '';
  }

  #step(frame: Frame, step: ListedStep, steps: readonly ListedStep[], at: number): { at: number; failed?: boolean } {
    const next = { at: at + 1 };
    const value = (option: unknown): Value => this.#value(frame, option);
    const truth = (option: unknown): boolean => Number(String(value(option)).replace(/[^0-9.-]/gu, '')) !== 0;
    const refused = this.#options.refuseStep?.(frame.script, step);
    if (refused !== undefined) throw new FileMakerError(refused);
    switch (step.name) {
      case '#':
      case 'Allow User Abort':
      case 'Set Error Capture':
      case 'End If':
      case 'Loop':
        return next;
      case 'If':
        return { at: truth(step.condition) ? at + 1 : this.#branch(frame, steps, at) };
      // Reached from above: the branch before it has run.
      case 'Else If':
      case 'Else':
        return { at: blockEnd(steps, at, 'If', 'End If') + 1 };
      case 'Exit Loop If':
        return { at: truth(step.condition) ? blockEnd(steps, at, 'Loop', 'End Loop') + 1 : at + 1 };
      case 'End Loop':
        return { at: loopStart(steps, at) + 1 };
      case 'Set Variable':
        frame.variables.set(String(step.variable), value(step.value));
        return next;
      case 'Perform Script':
        this.#scriptResult = this.#perform(String(step.script), value(step.parameter));
        return next;
      case 'Go to Layout':
        this.#leaveRecord();
        this.#goTo(String(step.layout));
        return next;
      case 'Enter Find Mode':
        this.#leaveRecord();
        this.#criteria = new Map();
        return next;
      case 'Perform Find':
        this.#find();
        return next;
      case 'Set Field':
        this.#setField(String(step.table), String(step.field), String(value(step.value)));
        return next;
      case 'New Record/Request': {
        this.#leaveRecord();
        const { table } = this.#here();
        const recordId = table.takeRecordId();
        this.#open.set(keyOf(table, recordId), { table, recordId, created: true, values: {} });
        this.#current = recordId;
        this.#found = [recordId];
        return next;
      }
      case 'Open Record/Request':
        this.#openCurrent();
        return next;
      case 'Open Transaction':
        this.#commit();
        this.#inTransaction = true;
        frame.ownsTransaction = true;
        return next;
      case 'Revert Transaction':
        if (!truth(step.condition)) return next;
        throw this.#inTransaction ? new TransactionReverted(String(step.errorCode)) : new FileMakerError(3);
      case 'Commit Transaction':
        if (!this.#inTransaction) throw new FileMakerError(3);
        try {
          this.#commit();
        } catch (error) {
          if (!(error instanceof FileMakerError)) throw error;
          throw new TransactionReverted(error.code);
        }
        this.#inTransaction = false;
        frame.ownsTransaction = false;
        return next;
      case 'Commit Records/Requests':
        this.#leaveRecord();
        return next;
      case 'Revert Record/Request':
        if (!this.#inTransaction) this.#revert();
        return next;
      default:
        throw new Error(`line ${step.line}: cannot play ${step.name}`);
    }
  }

  /** Where an If whose condition is not met goes on: in the first branch that fits, or behind the block. */
  #branch(frame: Frame, steps: readonly ListedStep[], from: number): number {
    let depth = 0;
    for (let at = from + 1; at < steps.length; at += 1) {
      const step = steps[at];
      if (step?.name === 'If') depth += 1;
      if (step?.name === 'End If') {
        if (depth === 0) return at + 1;
        depth -= 1;
      }
      if (depth > 0) continue;
      if (step?.name === 'Else') return at + 1;
      if (step?.name === 'Else If' && Number(this.#value(frame, step.condition)) !== 0) return at + 1;
    }
    throw new Error('End If is missing');
  }

  #value(frame: Frame, source: unknown): Value {
    const context: CalculationContext = {
      variable: (name) => frame.variables.get(name) ?? '',
      field: (table, field) => this.#fieldValue(table, field),
      get: (name) => this.#get(frame, name),
      select: (what, table, field, wanted) => {
        const found = this.#tableOf(table)
          .all()
          .filter((record) => record.values[field] === wanted);
        return what === 'COUNT(*)' ? String(found.length) : found.map(({ values }) => values[what] ?? '').join('¶');
      },
    };
    return evaluate(String(source), context);
  }

  #get(frame: Frame, name: string): Value {
    switch (name) {
      case 'ScriptParameter':
        return frame.parameter;
      case 'ScriptResult':
        return this.#scriptResult;
      case 'ScriptName':
        return frame.script;
      case 'LastError':
        return Number(this.#lastError);
      case 'FoundCount':
        return this.#found.length;
      case 'RecordID':
        return this.#current ?? '';
      case 'CurrentTimestamp':
        return `${TODAY}T00:00:00`;
      case 'TransactionOpenState':
        return this.#inTransaction ? 1 : 0;
      default:
        throw new Error(`no such Get: ${name}`);
    }
  }

  /** An occurrence is named as in the listing: after its layout, or after its table. */
  #tableOf(occurrence: string): Table {
    return this.#options.database.layouts.get(occurrence)?.table ?? this.#options.database.table(occurrence);
  }

  #here(): { name: string; table: Table } {
    if (this.#layout === undefined) throw new Error('no layout was gone to');
    return this.#layout;
  }

  #goTo(name: string): void {
    const layout = this.#options.database.layouts.get(name);
    if (layout === undefined) throw new FileMakerError(105);
    if (this.#layout !== undefined)
      this.#places.set(this.#layout.table, { found: this.#found, current: this.#current });
    // A window that has not shown a table yet begins with all of its records, and the first is the current one.
    const found = this.#places.get(layout.table)?.found ?? layout.table.all().map(({ recordId }) => recordId);
    const current = this.#places.has(layout.table) ? this.#places.get(layout.table)?.current : found[0];
    this.#layout = { name, table: layout.table };
    this.#current = current;
    this.#found = found;
    this.#criteria = undefined;
  }

  #find(): void {
    const { table } = this.#here();
    const criteria = [...(this.#criteria ?? [])].map(([field, wanted]) => {
      const type = table.fields.get(field)?.type ?? 'text';
      return { field, meets: parseCriterion(wanted, { type, ignoreCase: true, today: TODAY }) };
    });
    this.#criteria = undefined;
    if (criteria.length === 0) throw new FileMakerError(400);
    this.#found = table
      .all()
      .filter(({ values }) => criteria.every(({ field, meets }) => meets(values[field] ?? '', false)))
      .map(({ recordId }) => recordId);
    this.#current = this.#found[0];
    if (this.#found.length === 0) throw new FileMakerError(401);
  }

  #fieldValue(occurrence: string, field: string): Value {
    const table = this.#tableOf(occurrence);
    if (table !== this.#here().table || this.#current === undefined) return '';
    return this.#open.get(keyOf(table, this.#current))?.values[field] ?? table.get(this.#current)?.values[field] ?? '';
  }

  #setField(occurrence: string, field: string, value: string): void {
    const table = this.#tableOf(occurrence);
    if (!table.fields.has(field)) throw new Error(`${occurrence} has no field ${field}`);
    if (table !== this.#here().table) throw new FileMakerError(101);
    if (this.#criteria !== undefined) {
      this.#criteria.set(field, value);
      return;
    }
    this.#openCurrent().values[field] = value;
  }

  #openCurrent(): OpenRecord {
    const { table } = this.#here();
    if (this.#current === undefined) throw new FileMakerError(101);
    const key = keyOf(table, this.#current);
    const open = this.#open.get(key);
    if (open !== undefined) return open;
    if (!this.#options.locks.take(table, this.#current, this.#options.owner)) throw new FileMakerError(301);
    const opened = { table, recordId: this.#current, created: false, values: {} };
    this.#open.set(key, opened);
    return opened;
  }

  /** Going elsewhere commits what is open, unless a transaction holds it back. */
  #leaveRecord(): void {
    if (!this.#inTransaction) this.#commit();
  }

  #commit(): void {
    if (this.#open.size === 0) return;
    const refused = this.#options.refuseCommit?.();
    if (refused !== undefined) throw new FileMakerError(refused);
    const changes = [...this.#open.values()].map(
      ({ table, recordId, created, values }): Change =>
        created ? { kind: 'create', table, values } : { kind: 'edit', table, recordId, values: values as FieldValues },
    );
    const created = [...this.#open.values()].find((record) => record.created);
    const records = commitChanges(changes, { validations: new Set(['always']) }, 0);
    this.#release();
    // The store gives a new record its id when it is committed; what stands on it is the record last made.
    const index = changes.findIndex(({ kind }) => kind === 'create');
    if (created !== undefined && this.#current === created.recordId) this.#current = records[index]?.recordId;
  }

  /** A new record is gone with it; one that was there before stays the current one. */
  #revert(): void {
    const made = [...this.#open.values()].filter(({ created }) => created).map(({ recordId }) => recordId);
    this.#release();
    this.#inTransaction = false;
    if (this.#current !== undefined && made.includes(this.#current)) this.#current = undefined;
  }

  #release(): void {
    for (const { table, recordId } of this.#open.values())
      this.#options.locks.release(table, recordId, this.#options.owner);
    this.#open.clear();
  }
}

const keyOf = (table: Table, recordId: string): string => `${table.name} ${recordId}`;

function blockEnd(steps: readonly ListedStep[], from: number, opens: string, closes: string): number {
  let depth = 0;
  for (let at = from + 1; at < steps.length; at += 1) {
    if (steps[at]?.name === opens) depth += 1;
    if (steps[at]?.name === closes) {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  throw new Error(`${closes} is missing`);
}

function loopStart(steps: readonly ListedStep[], from: number): number {
  let depth = 0;
  for (let at = from - 1; at >= 0; at -= 1) {
    if (steps[at]?.name === 'End Loop') depth += 1;
    if (steps[at]?.name === 'Loop') {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  throw new Error('Loop is missing');
}
