import {
  exactly,
  type FieldData,
  type FileMakerClient,
  FileMakerError,
  type FoundRecord,
} from '@bridge/filemaker-client';
import { isDenied, orError, seen } from './failed-call';
import { type FileMakerFault, type FileMakerFaultCode, fault } from './faults';

/** More rows of one key than this need not be counted. */
const FOUND_MAX = 5;

export interface RowsToCheck {
  layout: string;
  keyField: string;
  /** A key of the bridge's own, which stands for no payment. */
  key: string;
  /** What the row gets beside its key. */
  values: FieldData;
  /** Fields that the layout must show, the key's among them. */
  fields: readonly string[];
  codes: {
    layoutMissing: FileMakerFaultCode;
    fieldMissing: FileMakerFaultCode;
    notWritable: FileMakerFaultCode;
    notReadable: FileMakerFaultCode;
    notUnique: FileMakerFaultCode;
  };
}

export type Ask = <T>(question: (token: string) => Promise<T>) => Promise<T>;
type Client = Pick<FileMakerClient, 'find' | 'createRecord'>;

/**
 * Looks whether rows of this layout can be created and found by their key, and whether the key is unique, with one row of
 * the bridge's own. Leaves that row behind; a second one only where the key is not unique, and then once. An error that says
 * nothing about the layout is thrown on.
 */
export async function checkRows(
  client: Client,
  ask: Ask,
  rows: RowsToCheck,
): Promise<{ faults: FileMakerFault[]; row?: FoundRecord }> {
  const { layout, keyField, key, codes } = rows;
  const find = async (): Promise<FoundRecord[] | FileMakerFault> => {
    const found = await orError(
      ask((token) => client.find(token, { layout, query: [{ [keyField]: exactly(key) }], limit: FOUND_MAX })),
    );
    if (!(found instanceof FileMakerError))
      return found.records.filter((record) => String(record.fieldData[keyField] ?? '') === key);
    if (found.code === 'FILEMAKER_LAYOUT_MISSING') return fault(codes.layoutMissing, layout);
    if (found.code === 'FILEMAKER_FIELD_MISSING') return fault(codes.fieldMissing, keyField);
    if (isDenied(found)) return fault(codes.notReadable, seen(found));
    throw found;
  };
  const create = (values: FieldData) =>
    orError(ask((token) => client.createRecord(token, { layout, fieldData: { [keyField]: key, ...values } })));

  let present = await find();
  if (!Array.isArray(present)) return { faults: [present] };
  if (present.length === 0) {
    const created = await create(rows.values);
    if (created instanceof FileMakerError) {
      if (created.code === 'FILEMAKER_DUPLICATE_VALUE') return { faults: [fault(codes.notReadable, seen(created))] };
      if (created.code === 'FILEMAKER_FIELD_MISSING')
        return { faults: [fault(codes.fieldMissing, Object.keys(rows.values).join(' or '))] };
      if (isDenied(created) || created.code === 'FILEMAKER_VALIDATION')
        return { faults: [fault(codes.notWritable, seen(created))] };
      throw created;
    }
    present = await find();
    if (!Array.isArray(present)) return { faults: [present] };
    if (present.length === 0) return { faults: [fault(codes.notReadable, 'created, and not in the next search')] };
  }
  const [row] = present;
  const shown = new Set(Object.keys(row?.fieldData ?? {}));
  const faults = rows.fields.filter((field) => !shown.has(field)).map((field) => fault(codes.fieldMissing, field));
  if (await takesTwice(present.length, () => create(rows.values))) faults.push(fault(codes.notUnique, keyField));
  return { faults, ...(row === undefined ? {} : { row }) };
}

/** Two rows are proof enough; only a single one is tried again. */
async function takesTwice(rows: number, create: () => Promise<unknown>): Promise<boolean> {
  if (rows > 1) return true;
  const second = await create();
  if (!(second instanceof FileMakerError)) return true;
  if (second.code === 'FILEMAKER_DUPLICATE_VALUE') return false;
  throw second;
}
