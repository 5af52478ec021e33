import type { DatabaseDefinition } from './database-file';

/** The file that exists from the start: invoices and stock, and the two tables of the script kit. */
export const SHOP_DATABASE: DatabaseDefinition = {
  tables: {
    invoices: [
      { name: 'invoice_id', unique: 'entry' },
      { name: 'status' },
      { name: 'total_cents', type: 'number' },
      { name: 'paid_cents', type: 'number' },
      { name: 'refunded_cents', type: 'number' },
      { name: 'currency' },
      { name: 'email' },
      { name: 'stripe_session_id' },
      { name: 'payment_intent_id' },
      { name: 'receipt_url' },
      { name: 'ship_name' },
      { name: 'ship_to' },
      { name: 'paid_at', type: 'timestamp' },
      { name: 'disputed' },
    ],
    stock: [{ name: 'code', unique: 'always' }, { name: 'name' }, { name: 'on_hand', type: 'number' }],
    log: [
      { name: 'idempotency_key', unique: 'always', required: 'always' },
      { name: 'state' },
      { name: 'result' },
      { name: 'script' },
      { name: 'payload_hash' },
      { name: 'invoice_id' },
      { name: 'started_at', type: 'timestamp' },
      { name: 'finished_at', type: 'timestamp' },
      { name: 'attempt', type: 'number' },
    ],
    handoff: [
      { name: 'idempotency_key', unique: 'always', required: 'always' },
      { name: 'payload' },
      { name: 'script' },
      { name: 'state' },
      { name: 'result' },
    ],
  },
  layouts: {
    web_invoices: { table: 'invoices' },
    stock: { table: 'stock' },
    bridge_log: { table: 'log' },
    bridge_handoff: { table: 'handoff' },
  },
};
