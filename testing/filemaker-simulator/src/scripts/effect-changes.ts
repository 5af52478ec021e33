import type { DatabaseFile } from '../database-file';
import { isPlainObject } from '../layout-records';
import type { Change, StoredRecord, Table } from '../table';

export type EffectName = 'paid' | 'refunded' | 'disputed';
export type Payload = Readonly<Record<string, unknown>>;

/** What a script does to the company's own tables. The amounts only ever add up, so a second run of one effect shows. */
export function effectChanges(
  effect: EffectName,
  payload: Payload,
  invoice: StoredRecord,
  database: DatabaseFile,
  timestamp: string,
): Change[] {
  const invoices = invoiceTable(database);
  const edit = (values: Record<string, string>): Change => ({
    kind: 'edit',
    table: invoices,
    recordId: invoice.recordId,
    values: Object.fromEntries(Object.entries(values).filter(([name]) => invoices.fields.has(name))),
  });
  if (effect === 'refunded') {
    const refunded = numberIn(invoice.values.refunded_cents) + cents(payload, 'amount');
    return [edit({ status: 'refunded', refunded_cents: String(refunded) })];
  }
  if (effect === 'disputed') return [edit({ status: 'disputed', disputed: text(payload.dispute_id) || 'yes' })];
  const paid = numberIn(invoice.values.paid_cents) + cents(payload, 'invoicetotal_cents');
  const shipping = isPlainObject(payload.shipping) ? payload.shipping : {};
  return [
    edit({
      status: 'paid',
      paid_cents: String(paid),
      email: text(payload.email),
      currency: text(payload.currency),
      stripe_session_id: text(payload.checkout_session_id),
      payment_intent_id: text(payload.payment_intent_id),
      receipt_url: text(payload.receipt_url),
      ship_name: text(shipping.name),
      ship_to: shipping.address === undefined || shipping.address === null ? '' : JSON.stringify(shipping.address),
      paid_at: timestamp,
    }),
    ...stockChanges(payload, database),
  ];
}

export function invoiceTable(database: DatabaseFile): Table {
  return database.table('invoices');
}

export function parsePayload(parameter: string): Payload | undefined {
  try {
    const parsed: unknown = JSON.parse(parameter);
    return isPlainObject(parsed) ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function stockChanges(payload: Payload, database: DatabaseFile): Change[] {
  const stock = database.tables.get('stock');
  if (stock === undefined || !Array.isArray(payload.items)) return [];
  const sold = new Map<string, number>();
  for (const item of payload.items as unknown[]) {
    if (!isPlainObject(item)) continue;
    sold.set(text(item.code), (sold.get(text(item.code)) ?? 0) + numberIn(text(item.quantity)));
  }
  return [...sold].flatMap(([code, quantity]) =>
    (code === '' ? [] : stock.withExactly('code', code)).map((record): Change => {
      const values = { on_hand: String(numberIn(record.values.on_hand) - quantity) };
      return { kind: 'edit', table: stock, recordId: record.recordId, values };
    }),
  );
}

function cents(payload: Payload, name: string): number {
  return numberIn(text(payload[name]));
}

function numberIn(value: string | undefined): number {
  const number = Number(value ?? '');
  return Number.isFinite(number) ? number : 0;
}
