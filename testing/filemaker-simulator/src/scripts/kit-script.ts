import { sha256 } from '../books';
import type { DatabaseFile } from '../database-file';
import { FileMakerError } from '../filemaker-error';
import { parseCriterion, wholeFieldText } from '../find-criterion';
import { isPlainObject } from '../layout-records';
import type { Change, StoredRecord, Table } from '../table';
import { type EffectName, effectChanges, invoiceTable, type Payload, parsePayload, text } from './effect-changes';
import type { ScriptContext, ScriptOutcome } from './script-context';

/** The kit's result envelope, one JSON object for every ending. `code` 0 or a FileMaker code or one of the kit's words. */
interface KitResult {
  readonly v: 1;
  readonly ok: boolean;
  readonly code: number | string;
  readonly key: string | null;
  readonly ran: boolean;
  readonly duplicate: boolean;
  readonly invoice: string;
  readonly logId: string;
}

interface KitOrder {
  readonly key: string;
  readonly invoiceId: string;
  readonly payload: Payload;
  readonly payloadHash: string;
  readonly handoff: StoredRecord | undefined;
}

/** The code of a reverted transaction, from the range that Revert Transaction leaves to scripts (5000-5499). */
const REVERTED = 5000;

/**
 * Ends as the kit's listings do (filemaker/scripts) in the cases of kit/kit-listing.test.ts, which plays both: the log row and
 * the invoice's changes are one transaction, so a row in the log means that the effect happened, once; a second run finds the
 * row and says so. What only the listings have to get right (each step as the last one, a log layout that is gone) is played
 * with the listings alone.
 */
export async function runKitScript(context: ScriptContext, effect: EffectName): Promise<ScriptOutcome> {
  const order = readOrder(context);
  if (!('payload' in order)) return ending(context, refusal(order.key, order.code), '0');
  const log = context.database.table('log');
  const early = earlierRun(log, order);
  if (early !== undefined) return ending(context, early, '0');

  const invoice = findInvoice(context, order.invoiceId);
  if (invoice === undefined) return ending(context, { ...refusal(order.key, 101), invoice: order.invoiceId }, '401');
  const invoices = invoiceTable(context.database);
  try {
    context.lock(invoices, invoice.recordId);
  } catch (error) {
    return ending(context, { ...refusal(order.key, codeOf(error)), invoice: order.invoiceId }, '301');
  }
  try {
    const meanwhile = earlierRun(log, order);
    if (meanwhile !== undefined) return ending(context, meanwhile, '0');
    return await carryOut(context, effect, order, invoice, log);
  } finally {
    context.unlock(invoices, invoice.recordId);
  }
}

async function carryOut(
  context: ScriptContext,
  effect: EffectName,
  order: KitOrder,
  invoice: StoredRecord,
  log: Table,
): Promise<ScriptOutcome> {
  const startedAt = context.timestamp();
  let started: StoredRecord | undefined;
  try {
    if (!context.settings.kitTransactions)
      started = context.commit([logRow(context, order, log, 'started', startedAt)])[0];
    await context.pause('before-commit');
    const result = done(order, log, started);
    if (effect === 'paid' && isStockUnclear(order.payload, context.database)) {
      const word = {
        ...refusal(order.key, started === undefined ? 'STOCK_UNCLEAR' : REVERTED),
        invoice: order.invoiceId,
      };
      return ending(context, started === undefined ? word : { ...word, ran: true, logId: started.recordId }, '0');
    }
    const fresh = invoiceTable(context.database).get(invoice.recordId) ?? invoice;
    const effects = effectChanges(effect, order.payload, fresh, context.database, context.timestamp());
    const row = finishedRow(context, order, log, result, startedAt, started);
    if (context.losesItsRow) {
      context.commit(effects);
      context.books.effectApplied(context.run);
      const answer = { ...refusal(order.key, 'LOG_ROW_MISSING'), ran: true, invoice: order.invoiceId };
      return ending(context, answer, '3');
    }
    if (started === undefined) {
      context.commit([row, ...effects]);
      context.books.effectApplied(context.run);
    } else {
      context.commit(effects);
      context.books.effectApplied(context.run);
      context.commit([row]);
    }
    // Only a note for whoever clears the table away: nothing depends on it.
    markHandoff(context, order, result);
    await context.pause('after-commit');
    return ending(context, result, '401');
  } catch (error) {
    if (!(error instanceof FileMakerError)) throw error;
    const winner = error.code === '504' ? earlierRun(log, order) : undefined;
    if (winner !== undefined) return ending(context, winner, '504');
    const code = error.code === '301' ? 301 : REVERTED;
    const ran = started !== undefined;
    return ending(context, { ...refusal(order.key, code), ran, invoice: order.invoiceId }, error.code);
  }
}

/** Reads the parameter, or the record that it points to; a missing or broken one is a refusal. */
function readOrder(context: ScriptContext): KitOrder | { key: string | null; code: string } {
  const parameter = parsePayload(context.parameter);
  const pointer = parameter === undefined ? '' : text(parameter.handoff);
  if (pointer === '') return orderFrom(context, context.parameter, undefined);
  const handoff = context.database.table('handoff').withExactly('idempotency_key', pointer)[0];
  context.run.key = pointer;
  if (handoff === undefined) return { key: pointer, code: 'HANDOFF_MISSING' };
  const payloadText = handoff.values.payload ?? '';
  context.books.payloadRead(context.run, payloadText);
  const order = orderFrom(context, payloadText, handoff);
  return 'payload' in order && order.key === pointer ? order : { key: pointer, code: 'BAD_PARAM' };
}

function orderFrom(
  context: ScriptContext,
  payloadText: string,
  handoff: StoredRecord | undefined,
): KitOrder | { key: string | null; code: string } {
  const payload = parsePayload(payloadText);
  const key = payload === undefined ? '' : text(payload.idempotency_key);
  const invoiceId = payload === undefined ? '' : text(payload.invoice_id);
  if (payload === undefined || key === '' || invoiceId === '')
    return { key: key === '' ? null : key, code: 'BAD_PARAM' };
  context.run.key = key;
  context.run.invoiceId = invoiceId;
  return { key, invoiceId, payload, payloadHash: sha256(payloadText), handoff };
}

/** What an existing log row says to this call; undefined when there is none. */
function earlierRun(log: Table, order: KitOrder): KitResult | undefined {
  const row = log.withExactly('idempotency_key', order.key)[0];
  if (row === undefined) return undefined;
  const about = { invoice: order.invoiceId };
  if (row.values.payload_hash !== order.payloadHash) return { ...refusal(order.key, 'KEY_CONFLICT'), ...about };
  if (row.values.state === 'done') return { ...storedResult(row, order), duplicate: true };
  const code = row.values.state === 'started' ? 'STARTED_EARLIER' : 'FAILED_EARLIER';
  return { ...refusal(order.key, code), ...about, ran: true };
}

function storedResult(row: StoredRecord, order: KitOrder): KitResult {
  const fallback: KitResult = {
    ...refusal(order.key, 0),
    ok: true,
    ran: true,
    invoice: order.invoiceId,
  };
  const stored = parsePayload(row.values.result ?? '');
  return isPlainObject(stored) ? { ...fallback, ...stored } : fallback;
}

function findInvoice(context: ScriptContext, invoiceId: string): StoredRecord | undefined {
  const invoices = invoiceTable(context.database);
  const found = foundWhole(invoices, 'invoice_id', invoiceId);
  // A find operator in the number, or another case of letters, may have met others: only the very one will do.
  if (found.length > 0) return found.length === 1 && found[0]?.values.invoice_id === invoiceId ? found[0] : undefined;
  if (context.settings.missingInvoice === 'refuse') return undefined;
  return context.commit([{ kind: 'create', table: invoices, values: { invoice_id: invoiceId, status: 'open' } }])[0];
}

/** Whose stock a line of the cart takes cannot be told: its code meets two records, or another one's. */
function isStockUnclear(payload: Payload, database: DatabaseFile): boolean {
  const stock = database.tables.get('stock');
  if (stock === undefined || !Array.isArray(payload.items)) return false;
  return (payload.items as unknown[]).some((item) => {
    const code = isPlainObject(item) ? text(item.code) : '';
    const found = code === '' ? [] : foundWhole(stock, 'code', code);
    return found.length > 1 || (found.length === 1 && found[0]?.values.code !== code);
  });
}

/** What a script finds with `==` and this text, which FileMaker reads in its find language. */
function foundWhole(table: Table, field: string, wanted: string): StoredRecord[] {
  const criterion = `==${wanted}`;
  const context = { type: table.fields.get(field)?.type ?? 'text', ignoreCase: true, today: '' };
  const plain = wholeFieldText(criterion, context);
  const indexed = plain === undefined ? undefined : table.withFolded(field, plain);
  if (indexed !== undefined) return indexed;
  const meets = parseCriterion(criterion, context);
  return table.all().filter(({ values }) => meets(values[field] ?? '', false));
}

function logRow(context: ScriptContext, order: KitOrder, log: Table, state: string, startedAt: string): Change {
  const values = {
    idempotency_key: order.key,
    state,
    script: context.run.script,
    payload_hash: order.payloadHash,
    invoice_id: order.invoiceId,
    started_at: startedAt,
    attempt: '1',
  };
  return { kind: 'create', table: log, values };
}

function finishedRow(
  context: ScriptContext,
  order: KitOrder,
  log: Table,
  result: KitResult,
  startedAt: string,
  started: StoredRecord | undefined,
): Change {
  const finished = { state: 'done', result: JSON.stringify(result), finished_at: context.timestamp() };
  if (started !== undefined) return { kind: 'edit', table: log, recordId: started.recordId, values: finished };
  const row = logRow(context, order, log, 'done', startedAt);
  return { ...row, values: { ...row.values, ...finished } };
}

function markHandoff(context: ScriptContext, { handoff }: KitOrder, result: KitResult): void {
  const table = context.database.table('handoff');
  if (handoff === undefined || table.get(handoff.recordId) === undefined) return;
  const values = { state: 'done', result: JSON.stringify(result) };
  context.commit([{ kind: 'edit', table, recordId: handoff.recordId, values }]);
}

function done(order: KitOrder, log: Table, started: StoredRecord | undefined): KitResult {
  const logId = started?.recordId ?? log.peekRecordId();
  return { v: 1, ok: true, code: 0, key: order.key, ran: true, duplicate: false, invoice: order.invoiceId, logId };
}

function refusal(key: string | null, code: number | string): KitResult {
  return { v: 1, ok: false, code, key, ran: false, duplicate: false, invoice: '', logId: '' };
}

function codeOf(error: unknown): number {
  if (error instanceof FileMakerError) return Number(error.code);
  throw error;
}

/** Exit Script. The kit ends with an error-free step; whether a handled inner error still shows is a setting. */
function ending(context: ScriptContext, result: KitResult, handledError: string): ScriptOutcome {
  const scriptError = context.settings.handledErrorInScriptError ? handledError : '0';
  return { scriptError, scriptResult: JSON.stringify(result) };
}
