import { FileMakerError } from './filemaker-error';

/** `always`: checked on every commit; `entry`: only during data entry, so `entrymode: script` passes it by. */
export type Validation = 'always' | 'entry';
export type FieldType = 'text' | 'number' | 'timestamp';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly unique?: Validation | undefined;
  readonly required?: Validation | undefined;
}

export type FieldValues = Readonly<Record<string, string>>;

/** One committed record. Values are kept as text, as they were entered; the layout shows numbers as numbers. */
export interface StoredRecord {
  readonly recordId: string;
  readonly modId: number;
  readonly committedAt: number;
  readonly values: FieldValues;
}

export type Change =
  | { readonly kind: 'create'; readonly table: Table; readonly values: FieldValues }
  | { readonly kind: 'edit'; readonly table: Table; readonly recordId: string; readonly values: FieldValues };

export interface CommitRules {
  /** Which validations apply: `entrymode: script` leaves out those made for data entry. */
  readonly validations: ReadonlySet<Validation>;
  /** Unique values are compared only with records committed up to this moment; undefined: with all. */
  readonly uniqueAsOf?: number | undefined;
}

export class Table {
  readonly name: string;
  readonly fields: ReadonlyMap<string, Field>;
  readonly #records = new Map<string, StoredRecord>();
  readonly #holdersByField = new Map<string, Map<string, Set<string>>>();
  /** The same without regard for case: a find need not read the whole table for a value of a unique field. */
  readonly #holdersByFolded = new Map<string, Map<string, Set<string>>>();
  #nextRecordId = 1;

  constructor(name: string, fields: readonly Field[]) {
    this.name = name;
    this.fields = new Map(fields.map((field) => [field.name, field]));
    for (const field of fields) {
      if (field.unique === undefined) continue;
      this.#holdersByField.set(field.name, new Map());
      this.#holdersByFolded.set(field.name, new Map());
    }
  }

  get size(): number {
    return this.#records.size;
  }

  all(): StoredRecord[] {
    return [...this.#records.values()];
  }

  get(recordId: string): StoredRecord | undefined {
    return this.#records.get(recordId);
  }

  /** Records whose field holds exactly this text: what a script's `==` find on an id sees. */
  withExactly(fieldName: string, value: string): StoredRecord[] {
    const holders = this.#holdersByField.get(fieldName);
    if (holders === undefined) return this.all().filter((record) => record.values[fieldName] === value);
    return [...(holders.get(value) ?? [])].flatMap((id) => this.#records.get(id) ?? []);
  }

  /** Records whose field holds this text in lower case, in the order of the table; undefined: only reading all can tell. */
  withFolded(fieldName: string, folded: string): StoredRecord[] | undefined {
    const holders = this.#holdersByFolded.get(fieldName);
    if (holders === undefined) return undefined;
    return [...(holders.get(folded) ?? [])].flatMap((id) => this.#records.get(id) ?? []);
  }

  takeRecordId(): string {
    return String(this.#nextRecordId++);
  }

  /** The id that the next created record will take. */
  peekRecordId(): string {
    return String(this.#nextRecordId);
  }

  put(record: StoredRecord): void {
    this.#forget(record.recordId);
    this.#records.set(record.recordId, record);
    for (const { holders, value } of this.#places(record)) {
      const ids = holders.get(value) ?? new Set();
      holders.set(value, ids.add(record.recordId));
    }
  }

  delete(recordId: string): void {
    this.#forget(recordId);
    this.#records.delete(recordId);
  }

  clear(): void {
    this.#records.clear();
    for (const holders of [...this.#holdersByField.values(), ...this.#holdersByFolded.values()]) holders.clear();
    this.#nextRecordId = 1;
  }

  #forget(recordId: string): void {
    const old = this.#records.get(recordId);
    if (old === undefined) return;
    for (const { holders, value } of this.#places(old)) {
      const ids = holders.get(value);
      ids?.delete(recordId);
      if (ids?.size === 0) holders.delete(value);
    }
  }

  /** Where a record stands in the indexes. */
  #places({ values }: StoredRecord): { holders: Map<string, Set<string>>; value: string }[] {
    const exact = [...this.#holdersByField].map(([name, holders]) => ({ holders, value: values[name] ?? '' }));
    const folded = [...this.#holdersByFolded].map(([name, holders]) => ({
      holders,
      value: (values[name] ?? '').toLowerCase(),
    }));
    return [...exact, ...folded];
  }
}

/**
 * Validates all changes, then writes all of them: all or nothing, as Commit Transaction does. A new record takes its
 * id before validation, so a reverted create leaves a gap (Claris: Pro help, revert-transaction).
 */
export function commitChanges(changes: readonly Change[], rules: CommitRules, now: number): StoredRecord[] {
  const next: { table: Table; record: StoredRecord }[] = changes.map((change) => {
    const old = change.kind === 'edit' ? change.table.get(change.recordId) : undefined;
    if (change.kind === 'edit' && old === undefined) throw new FileMakerError(101);
    const recordId = change.kind === 'create' ? change.table.takeRecordId() : change.recordId;
    const values = { ...old?.values, ...change.values };
    return { table: change.table, record: { recordId, modId: (old?.modId ?? -1) + 1, committedAt: now, values } };
  });
  for (const { table, record } of next) validate(table, record, rules);
  for (const { table, record } of next) table.put(record);
  return next.map(({ record }) => record);
}

function validate(table: Table, record: StoredRecord, rules: CommitRules): void {
  for (const field of table.fields.values()) {
    const value = record.values[field.name] ?? '';
    if (field.required !== undefined && rules.validations.has(field.required) && value === '') {
      throw new FileMakerError(509, field.name);
    }
    if (field.unique === undefined || value === '' || !rules.validations.has(field.unique)) continue;
    const holders = table.withExactly(field.name, value).filter((other) => other.recordId !== record.recordId);
    const seen = holders.filter((other) => rules.uniqueAsOf === undefined || other.committedAt <= rules.uniqueAsOf);
    if (seen.length > 0) throw new FileMakerError(504, field.name);
  }
}
