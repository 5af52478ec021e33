import { changed, type Executor, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';

export interface PaymentRow {
  checkoutSessionId: string;
  paymentIntentId: string;
  chargeId: string | undefined;
  invoiceId: string | undefined;
  /** Minor units. */
  amountTotal: number;
  currency: string;
  livemode: boolean;
  status: 'pending' | 'paid' | 'failed' | 'expired' | 'parked';
  parkedCode: string | undefined;
  /** The event whose inbox row is parked for it. */
  parkedEvent: string | undefined;
  effectKey: string | undefined;
  /** When the charge was made. */
  paidAt: Date | undefined;
  /** When the money came, where an event told so: for a bank debit that is days after the charge was made. */
  succeededAt?: Date | undefined;
  sessionCreatedAt: Date;
}

export interface ReversalRow {
  id: string;
  kind: 'refund' | 'dispute';
  checkoutSessionId: string;
  invoiceId: string | undefined;
  amount: number;
  currency: string;
  status: string;
  effectKey: string | undefined;
  /** When Stripe made it, as Stripe told. */
  createdAt?: Date | undefined;
}

const sessionLock = (sessionId: string) =>
  sql`pg_advisory_xact_lock(hashtextextended(${`flow_invoices ${sessionId}`}, 0))`;

/**
 * Until the transaction ends, nobody else decides about this payment, nor about this invoice. Always in this order: two events
 * of one payment that name different invoices would else wait for each other, each holding what the other needs.
 */
export async function lockInvoice(tx: Executor, invoiceId: string, sessionId: string): Promise<void> {
  // One statement: the payment's lock is taken before the row is written. The update changes nothing, it locks what is there.
  await changed(
    tx,
    sql`insert into flow_invoices.invoices (invoice_id) select ${invoiceId}::text from (select ${sessionLock(sessionId)}) held
        on conflict (invoice_id) do update set invoice_id = excluded.invoice_id`,
  );
}

/** The same for a Session that names no invoice: two of its events cannot both find it unrecorded. */
export async function lockSession(tx: Executor, sessionId: string): Promise<void> {
  await rows(tx, sql`select ${sessionLock(sessionId)}`);
}

export type PaymentBefore = Pick<PaymentRow, 'status' | 'invoiceId' | 'parkedCode' | 'parkedEvent'>;

/** How this Session stood before, locked. */
export async function readPayment(tx: Executor, sessionId: string): Promise<PaymentBefore | undefined> {
  const row = await oneRow<{
    status: PaymentRow['status'];
    invoice_id: string | null;
    parked_code: string | null;
    parked_event: string | null;
  }>(
    tx,
    sql`select status, invoice_id, parked_code, parked_event from flow_invoices.payments where checkout_session_id = ${sessionId} for update`,
  );
  if (row === undefined) return undefined;
  return {
    status: row.status,
    invoiceId: row.invoice_id ?? undefined,
    parkedCode: row.parked_code ?? undefined,
    parkedEvent: row.parked_event ?? undefined,
  };
}

/** The Session that a payment belongs to, and how it stands, as of the last time it was read at Stripe. Locks nothing. */
export async function findPayment(
  records: Executor,
  by: { sessionId: string } | { paymentIntentId: string },
): Promise<{ sessionId: string; status: PaymentRow['status']; invoiceId: string | undefined } | undefined> {
  const where =
    'sessionId' in by ? sql`checkout_session_id = ${by.sessionId}` : sql`payment_intent_id = ${by.paymentIntentId}`;
  const [row] = await rows<{ checkout_session_id: string; status: PaymentRow['status']; invoice_id: string | null }>(
    records,
    sql`select checkout_session_id, status, invoice_id from flow_invoices.payments where ${where} limit 1`,
  );
  if (row === undefined) return undefined;
  return { sessionId: row.checkout_session_id, status: row.status, invoiceId: row.invoice_id ?? undefined };
}

/** Other Sessions that have an effect for this invoice. */
export async function otherPaymentsOfInvoice(tx: Executor, invoiceId: string, sessionId: string): Promise<string[]> {
  const found = await rows<{ checkout_session_id: string }>(
    tx,
    sql`select checkout_session_id from flow_invoices.payments
        where invoice_id = ${invoiceId} and checkout_session_id <> ${sessionId} and effect_key is not null order by first_seen`,
  );
  return found.map((row) => row.checkout_session_id);
}

/**
 * Two events about one payment have been decided at once, each under the lock of another invoice, and the other one was
 * first. Nothing of this one is kept; read again, it finds the payment recorded.
 */
export class PaymentRacedError extends Error {
  readonly code = 'PAYMENT_RACED';
  constructor(sessionId: string) {
    super(`Payment ${sessionId} was recorded or corrected by another event in the same moment`);
    this.name = 'PaymentRacedError';
  }
}

/** A payment that has its effect keeps its invoice: another one would part the record from what is sent. */
export async function writePayment(tx: Executor, row: PaymentRow): Promise<void> {
  const written = await changed(
    tx,
    sql`insert into flow_invoices.payments (checkout_session_id, payment_intent_id, charge_id, invoice_id, amount_total, currency, livemode,
          status, parked_code, parked_event, effect_key, paid_at, succeeded_at, session_created_at)
        values (${row.checkoutSessionId}, ${row.paymentIntentId === '' ? null : row.paymentIntentId}, ${row.chargeId ?? null}, ${row.invoiceId ?? null},
          ${row.amountTotal}, ${row.currency}, ${row.livemode}, ${row.status}, ${row.parkedCode ?? null}, ${row.parkedEvent ?? null}, ${row.effectKey ?? null},
          ${row.paidAt?.toISOString() ?? null}::timestamptz, ${row.succeededAt?.toISOString() ?? null}::timestamptz, ${row.sessionCreatedAt.toISOString()}::timestamptz)
        on conflict (checkout_session_id) do update set payment_intent_id = excluded.payment_intent_id, charge_id = excluded.charge_id,
          invoice_id = excluded.invoice_id, amount_total = excluded.amount_total, currency = excluded.currency, status = excluded.status,
          parked_code = excluded.parked_code, parked_event = excluded.parked_event, effect_key = excluded.effect_key, paid_at = excluded.paid_at,
          succeeded_at = coalesce(flow_invoices.payments.succeeded_at, excluded.succeeded_at), updated_at = clock_timestamp()
        where flow_invoices.payments.effect_key is null or flow_invoices.payments.invoice_id is not distinct from excluded.invoice_id`,
  );
  if (written === 0) throw new PaymentRacedError(row.checkoutSessionId);
}

/** A recorded payment belongs to another invoice than was thought. */
export interface InvoiceChange {
  checkoutSessionId: string;
  from: string | undefined;
  to: string;
}

export async function changeInvoice(tx: Executor, { checkoutSessionId, from, to }: InvoiceChange): Promise<void> {
  const written = await changed(
    tx,
    sql`update flow_invoices.payments set invoice_id = ${to}, updated_at = clock_timestamp()
        where checkout_session_id = ${checkoutSessionId} and invoice_id is not distinct from ${from ?? null}::text and effect_key is not null`,
  );
  if (written === 0) throw new PaymentRacedError(checkoutSessionId);
}

export async function writeReversal(tx: Executor, row: ReversalRow): Promise<void> {
  await changed(
    tx,
    sql`insert into flow_invoices.reversals (id, kind, checkout_session_id, invoice_id, amount, currency, status, effect_key, made_at)
        values (${row.id}, ${row.kind}, ${row.checkoutSessionId}, ${row.invoiceId ?? null}, ${row.amount}, ${row.currency}, ${row.status}, ${row.effectKey ?? null},
          ${row.createdAt?.toISOString() ?? null}::timestamptz)
        on conflict (id) do update set status = excluded.status, amount = excluded.amount,
          effect_key = coalesce(excluded.effect_key, flow_invoices.reversals.effect_key), made_at = coalesce(excluded.made_at, flow_invoices.reversals.made_at), updated_at = clock_timestamp()`,
  );
}
