import type { Layout } from './database-file';
import { FileMakerError } from './filemaker-error';
import { type Criterion, type CriterionContext, compareTyped, parseCriterion, wholeFieldText } from './find-criterion';
import type { FieldType, FieldValues, StoredRecord } from './table';

/** How values look in an answer. `dates` is the API's `dateformats`: 0 US, 1 file locale (here also US), 2 ISO 8601. */
export interface ValueFormat {
  readonly numbersAs: 'number' | 'string';
  readonly dates: 0 | 1 | 2;
}

export interface FindRequest {
  readonly query: readonly unknown[];
  readonly ignoreCase: boolean;
  readonly today: string;
}

export interface SortRule {
  readonly fieldName: string;
  readonly descending: boolean;
}

/** One record as the API shows it. */
export interface RecordAnswer {
  readonly fieldData: Readonly<Record<string, string | number>>;
  readonly portalData: Readonly<Record<string, never>>;
  readonly recordId: string;
  readonly modId: string;
}

/** Field values of a create or edit call as text; throws 102 for a field that is not on the layout, 960 for a bad value. */
export function readFieldData(layout: Layout, fieldData: unknown): FieldValues {
  if (!isPlainObject(fieldData)) throw new FileMakerError(958, 'fieldData');
  const entries = Object.entries(fieldData).map(([name, value]): [string, string] => {
    if (!layout.fields.includes(name)) throw new FileMakerError(102, name);
    if (typeof value !== 'string' && typeof value !== 'number') throw new FileMakerError(960, name);
    return [name, fieldType(layout, name) === 'timestamp' ? readTimestamp(String(value)) : String(value)];
  });
  return Object.fromEntries(entries);
}

export function showRecord(layout: Layout, record: StoredRecord, format: ValueFormat): RecordAnswer {
  const fieldData = Object.fromEntries(
    layout.fields.map((name) => [name, showValue(record.values[name] ?? '', fieldType(layout, name), format)]),
  );
  return { fieldData, portalData: {}, recordId: record.recordId, modId: String(record.modId) };
}

/**
 * The found set of a find call: objects in `query` are OR-ed in order, keys inside one are AND-ed, `omit` takes away
 * (Claris: Data API guide, perform-find-request). Throws 400 without criteria, 102 for an unknown field, 401 for nothing found.
 */
export function findRecords(layout: Layout, request: FindRequest): StoredRecord[] {
  const requests = request.query.map((entry) => readFindObject(layout, entry, request));
  if (requests.length === 0 || requests.every(({ criteria }) => criteria.length === 0)) throw new FileMakerError(400);
  const found = new Set<string>();
  const candidates = requests.map(({ omit, criteria }) => (omit ? undefined : candidatesOf(layout, criteria)));
  if (candidates.every((some) => some !== undefined)) {
    const matching = candidates.flatMap((some, at) =>
      some.filter((record) =>
        requests[at]?.criteria.every(({ field, meets }) => meets(record.values[field] ?? '', false)),
      ),
    );
    for (const { recordId } of matching) found.add(recordId);
    if (found.size === 0) throw new FileMakerError(401);
    return inOrder(matching);
  }
  const everything = layout.table.all();
  const repeats = new Map<string, ReadonlySet<string>>();
  for (const { criteria } of requests) {
    for (const { field, duplicates } of criteria) if (duplicates) repeats.set(field, repeatedValues(everything, field));
  }
  if (requests[0]?.omit === true) for (const { recordId } of everything) found.add(recordId);
  for (const { omit, criteria } of requests) {
    for (const record of everything) {
      const fits = criteria.every(({ field, meets }) => {
        const value = record.values[field] ?? '';
        return meets(value, repeats.get(field)?.has(value) ?? false);
      });
      if (!fits) continue;
      if (omit) found.delete(record.recordId);
      else found.add(record.recordId);
    }
  }
  if (found.size === 0) throw new FileMakerError(401);
  return everything.filter((record) => found.has(record.recordId));
}

/** The few records that can meet the criteria, where one of them asks for the whole text of a unique field. */
function candidatesOf(layout: Layout, criteria: ReadFindObject['criteria']): StoredRecord[] | undefined {
  // Whether a value stands twice only the whole table tells.
  if (criteria.some(({ duplicates }) => duplicates)) return undefined;
  for (const { field, whole } of criteria) {
    const some = whole === undefined ? undefined : layout.table.withFolded(field, whole);
    if (some !== undefined) return some;
  }
  return undefined;
}

/** Each once, in the order of the table: by creation. */
function inOrder(records: readonly StoredRecord[]): StoredRecord[] {
  return [...new Map(records.map((record) => [record.recordId, record])).values()].sort(
    (left, right) => Number(left.recordId) - Number(right.recordId),
  );
}

export function sortRecords(
  layout: Layout,
  records: readonly StoredRecord[],
  rules: readonly SortRule[],
): StoredRecord[] {
  return [...records].sort((left, right) => {
    for (const { fieldName, descending } of rules) {
      const type = fieldType(layout, fieldName);
      const order = compareTyped(left.values[fieldName] ?? '', right.values[fieldName] ?? '', {
        type,
        ignoreCase: true,
      });
      if (order !== 0 && !Number.isNaN(order)) return descending ? -order : order;
    }
    return 0;
  });
}

export function readSort(layout: Layout, sort: unknown): SortRule[] {
  if (sort === undefined) return [];
  if (!Array.isArray(sort)) throw new FileMakerError(960, 'sort');
  return sort.map((rule: unknown) => {
    const fieldName = isPlainObject(rule) ? rule.fieldName : undefined;
    if (typeof fieldName !== 'string') throw new FileMakerError(960, 'sort');
    if (!layout.fields.includes(fieldName)) throw new FileMakerError(102, fieldName);
    const order = isPlainObject(rule) ? (rule.sortOrder ?? 'ascend') : 'ascend';
    if (order !== 'ascend' && order !== 'descend') throw new FileMakerError(960, 'sortOrder');
    return { fieldName, descending: order === 'descend' };
  });
}

/** A whole number from 1 on, given as text or number. */
export function readCount(value: unknown, name: string, missing: number): number {
  if (value === undefined) return missing;
  const count =
    typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value)) ? Number(value) : Number.NaN;
  if (!Number.isInteger(count) || count < 1) throw new FileMakerError(960, name);
  return count;
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface ReadFindObject {
  readonly omit: boolean;
  readonly criteria: readonly {
    readonly field: string;
    readonly meets: Criterion;
    readonly duplicates: boolean;
    /** The text of a criterion for a whole field, in lower case. */
    readonly whole: string | undefined;
  }[];
}

function readFindObject(layout: Layout, entry: unknown, request: FindRequest): ReadFindObject {
  if (!isPlainObject(entry)) throw new FileMakerError(960, 'query');
  const { omit = 'false', ...fields } = entry;
  if (!['true', 'false', true, false].includes(omit as string | boolean)) throw new FileMakerError(960, 'omit');
  const criteria = Object.entries(fields).flatMap(([field, criterion]) => {
    if (!layout.fields.includes(field)) throw new FileMakerError(102, field);
    if (typeof criterion !== 'string' && typeof criterion !== 'number') throw new FileMakerError(960, field);
    const context: CriterionContext = {
      type: fieldType(layout, field),
      ignoreCase: request.ignoreCase,
      today: request.today,
    };
    const text = String(criterion);
    if (text.trim() === '') return [];
    const whole = wholeFieldText(text, context);
    return [{ field, meets: parseCriterion(text, context), duplicates: text.trim() === '!', whole }];
  });
  return { omit: String(omit) === 'true', criteria };
}

function repeatedValues(records: readonly StoredRecord[], field: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const record of records) {
    const value = record.values[field] ?? '';
    if (seen.has(value)) repeated.add(value);
    seen.add(value);
  }
  return repeated;
}

function fieldType(layout: Layout, name: string): FieldType {
  return layout.table.fields.get(name)?.type ?? 'text';
}

function showValue(value: string, type: FieldType, format: ValueFormat): string | number {
  if (type === 'number' && format.numbersAs === 'number' && value.trim() !== '') {
    const number = Number(value);
    return Number.isNaN(number) ? value : number;
  }
  if (type === 'timestamp' && format.dates !== 2) {
    const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}:\d{2}:\d{2})/.exec(value);
    return match === null ? value : `${match[2]}/${match[3]}/${match[1]} ${match[4]}`;
  }
  return value;
}

/** Timestamps are stored as ISO 8601 without zone; US input is turned round, anything else stays as entered. */
function readTimestamp(value: string): string {
  const us = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d{2}):(\d{2})$/.exec(value);
  if (us === null) return value;
  const two = (part: string | undefined): string => (part ?? '').padStart(2, '0');
  return `${us[3]}-${two(us[1])}-${two(us[2])}T${two(us[4])}:${us[5]}:${us[6]}`;
}
