import type { DataApiCall, Reply } from './data-api-call';
import { withScripts } from './data-api-scripts';
import type { Layout } from './database-file';
import { FileMakerError } from './filemaker-error';
import {
  findRecords,
  isPlainObject,
  readCount,
  readFieldData,
  readSort,
  showRecord,
  sortRecords,
  type ValueFormat,
} from './layout-records';
import { type CommitRules, commitChanges, type StoredRecord, type Validation } from './table';

const DEFAULT_LIMIT = 100;

export function createRecord(call: DataApiCall): Promise<Reply> {
  const { layout, world } = call;
  const rules = commitRules(call);
  return withScripts(call, () => {
    const values = readFieldData(layout, call.body.fieldData);
    if (!call.mayOn(layout, 'create')) throw new FileMakerError(200);
    const [record] = commitChanges([{ kind: 'create', table: layout.table, values }], rules, world.clock.now());
    if (record === undefined) throw new FileMakerError(-1);
    return { recordId: record.recordId, modId: String(record.modId) };
  });
}

/** Edits one record: 306 when `modId` is not the record's, 301 when somebody else holds it. */
export function editRecord(call: DataApiCall): Promise<Reply> {
  const { layout, world } = call;
  const rules = commitRules(call);
  return withScripts(call, () => {
    const values = readFieldData(layout, call.body.fieldData);
    const old = existing(layout, call.param('recordId'));
    if (!call.mayOn(layout, 'edit')) throw new FileMakerError(201);
    const modId = call.textOption('modId');
    if (modId !== undefined && modId !== String(old.modId)) throw new FileMakerError(306);
    requireUnlocked(call, layout, old);
    const change = { kind: 'edit', table: layout.table, recordId: old.recordId, values } as const;
    const [record] = commitChanges([change], rules, world.clock.now());
    return { modId: String(record?.modId) };
  });
}

export function deleteRecord(call: DataApiCall): Promise<Reply> {
  const { layout } = call;
  return withScripts(call, () => {
    const record = existing(layout, call.param('recordId'));
    if (!call.mayOn(layout, 'delete')) throw new FileMakerError(200);
    requireUnlocked(call, layout, record);
    layout.table.delete(record.recordId);
    return {};
  });
}

export function getRecord(call: DataApiCall): Promise<Reply> {
  const { layout } = call;
  const shown = responseLayout(call, layout);
  return withScripts(call, () => {
    const record = existing(layout, call.param('recordId'));
    return page(call, shown, [record], { limit: 1, offset: 1 });
  });
}

export function listRecords(call: DataApiCall): Promise<Reply> {
  const { layout } = call;
  const shown = responseLayout(call, layout);
  const range = {
    limit: readCount(call.query('_limit'), '_limit', DEFAULT_LIMIT),
    offset: readCount(call.query('_offset'), '_offset', 1),
  };
  const sort = readSort(layout, parsedSort(call.query('_sort')));
  return withScripts(call, () => page(call, shown, sortRecords(layout, layout.table.all(), sort), range));
}

/** `POST …/_find`: nothing found is code 401; without `limit` at most 100 rows come back, from 1-based `offset`. */
export function find(call: DataApiCall): Promise<Reply> {
  const { layout, world, body } = call;
  const shown = responseLayout(call, layout);
  const { query } = body;
  if (query === undefined) throw new FileMakerError(958, 'query');
  if (!Array.isArray(query)) throw new FileMakerError(960, 'query');
  const range = { limit: readCount(body.limit, 'limit', DEFAULT_LIMIT), offset: readCount(body.offset, 'offset', 1) };
  const sort = readSort(layout, body.sort);
  return withScripts(call, () => {
    // Records that may not be viewed are as good as not there.
    if (!call.mayOn(layout, 'view')) throw new FileMakerError(401);
    const found = findRecords(layout, {
      query,
      ignoreCase: world.settings.findIgnoresCase,
      today: world.clock.iso().slice(0, 10),
    });
    return page(call, shown, sortRecords(layout, found, sort), range);
  });
}

/** `PATCH …/globals`: global fields live with the session. */
export function setGlobals(call: DataApiCall): Reply {
  const { globalFields } = call.body;
  if (!isPlainObject(globalFields)) throw new FileMakerError(958, 'globalFields');
  for (const [name, value] of Object.entries(globalFields)) {
    if (typeof value !== 'string' && typeof value !== 'number') throw new FileMakerError(960, name);
    call.session.globals.set(name, String(value));
  }
  return {};
}

export function listLayouts(call: DataApiCall): Reply {
  return {
    layouts: [...call.database.layouts.values()]
      .filter(({ name }) => call.account?.hiddenLayouts.includes(name) !== true)
      .map(({ name, table }) => ({ name, table: table.name })),
  };
}

export function listScripts(call: DataApiCall): Reply {
  const names = Object.keys(call.world.settings.scripts).filter(
    (name) => call.account?.hiddenScripts.includes(name) !== true,
  );
  return { scripts: names.map((name) => ({ name, isFolder: false })) };
}

export function describeLayout(call: DataApiCall): Reply {
  const { layout } = call;
  const fieldMetaData = layout.fields.map((name) => {
    const field = layout.table.fields.get(name);
    const type = field?.type === 'timestamp' ? 'timeStamp' : (field?.type ?? 'text');
    return {
      name,
      type: 'normal',
      displayType: 'editText',
      result: type,
      global: false,
      notEmpty: field?.required !== undefined,
    };
  });
  return { fieldMetaData, portalMetaData: {} };
}

function page(
  call: DataApiCall,
  layout: Layout,
  records: readonly StoredRecord[],
  range: { limit: number; offset: number },
): Reply {
  const format = valueFormat(call);
  const rows = records.slice(range.offset - 1, range.offset - 1 + range.limit);
  return {
    data: rows.map((record) => showRecord(layout, record, format)),
    dataInfo: {
      database: call.database.name,
      layout: layout.name,
      table: layout.table.name,
      totalRecordCount: layout.table.size,
      foundCount: records.length,
      returnedCount: rows.length,
    },
  };
}

function responseLayout(call: DataApiCall, layout: Layout): Layout {
  const name = call.textOption('layout.response');
  if (name === undefined) return layout;
  const other = call.layoutNamed(name);
  if (other.table !== layout.table) throw new FileMakerError(103);
  return other;
}

function valueFormat(call: DataApiCall): ValueFormat {
  const dates = String(call.textOption('dateformats') ?? '0');
  if (dates !== '0' && dates !== '1' && dates !== '2') throw new FileMakerError(960, 'dateformats');
  return { numbersAs: call.world.settings.numbersAs, dates: dates === '2' ? 2 : dates === '1' ? 1 : 0 };
}

/** `options.entrymode: script` passes by the validations of data entry (Claris: Data API guide, create-record). */
function commitRules(call: DataApiCall): CommitRules {
  const { options } = call.body;
  const entryMode = isPlainObject(options) ? (options.entrymode ?? 'user') : 'user';
  if (entryMode !== 'user' && entryMode !== 'script') throw new FileMakerError(960, 'entrymode');
  const { entryModeScriptBypassesAlwaysValidate, uniqueUnderSimultaneousCommits } = call.world.settings;
  const all: Validation[] = ['always', 'entry'];
  const left: Validation[] = entryModeScriptBypassesAlwaysValidate ? [] : ['always'];
  return {
    validations: new Set(entryMode === 'user' ? all : left),
    uniqueAsOf: uniqueUnderSimultaneousCommits === 'racy' ? call.arrivedAt : undefined,
  };
}

function existing(layout: Layout, recordId: string): StoredRecord {
  const record = layout.table.get(recordId);
  if (record === undefined) throw new FileMakerError(101);
  return record;
}

function requireUnlocked(call: DataApiCall, layout: Layout, record: StoredRecord): void {
  const owner = call.world.locks.ownerOf(layout.table, record.recordId);
  if (owner !== undefined && owner !== call.session.lockOwner) throw new FileMakerError(301);
}

function parsedSort(sort: string | undefined): unknown {
  if (sort === undefined) return undefined;
  try {
    return JSON.parse(sort);
  } catch (error) {
    if (error instanceof SyntaxError) throw new FileMakerError(960, '_sort');
    throw error;
  }
}
