import { type Executor, rows } from '@bridge/database';
import type { FlowRecords, RecordedFact } from '@bridge/flow';
import { type SQL, sql } from 'drizzle-orm';
import { paidKey } from './decide-payment';
import { reversalKeys } from './decide-reversal';

const FOUND_MAX = 100;
const PAGE_ROWS = 500;

interface PaymentRecord {
  checkout_session_id: string;
  payment_intent_id: string | null;
  charge_id: string | null;
  invoice_id: string | null;
  amount_total: string;
  currency: string;
  livemode: boolean;
  status: string;
  parked_code: string | null;
  parked_event: string | null;
  effect_key: string | null;
  succeeded_at: string | null;
  first_seen: string;
}

interface ReversalRecord {
  id: string;
  kind: 'refund' | 'dispute';
  checkout_session_id: string;
  amount: string;
  currency: string;
  status: string;
  effect_key: string | null;
  at: string;
}

// Paid and parked rows are the ones whose money has come. An event's word on when it came is the best,
// then the charge's time; a Session over nothing has no charge: then our own clock.
const columns = sql`p.checkout_session_id, p.payment_intent_id, p.charge_id, p.invoice_id, p.amount_total, p.currency, p.livemode,
  p.status, p.parked_code, p.parked_event, p.effect_key, p.first_seen,
  case when p.status in ('paid', 'parked') then coalesce(p.succeeded_at, p.paid_at, p.first_seen) end as succeeded_at`;

/** Every key that a decision about this payment or its reversals can have planned; the payment's own first. */
function keysOf(payment: PaymentRecord, reversals: readonly ReversalRecord[]): string[] {
  const session = payment.checkout_session_id;
  const keys = [payment.effect_key ?? paidKey(session), `invoice-payment-failed:${session}`];
  for (const { id, kind, effect_key } of reversals) {
    keys.push(...reversalKeys(kind, id));
    if (effect_key !== null) keys.push(effect_key);
  }
  return [...new Set(keys)];
}

function toFact(payment: PaymentRecord, reversals: readonly ReversalRecord[]): RecordedFact {
  const { checkout_session_id, payment_intent_id, charge_id, invoice_id } = payment;
  const related = [invoice_id, payment_intent_id, charge_id, ...reversals.map(({ id }) => id)];
  return {
    id: checkout_session_id,
    relatedIds: related.filter((id) => id !== null),
    title: invoice_id === null ? `Checkout Session ${checkout_session_id}` : `Invoice ${invoice_id}`,
    amount: Number(payment.amount_total),
    currency: payment.currency,
    livemode: payment.livemode,
    succeededAt: payment.succeeded_at === null ? null : new Date(payment.succeeded_at),
    status: payment.status,
    parkedCode: payment.parked_code,
    parkedEvent: payment.parked_event,
    effectKeys: keysOf(payment, reversals),
    reversals: reversals.map(({ id, kind, amount, currency, status, effect_key, at }) => ({
      id,
      kind,
      amount: Number(amount),
      currency,
      status,
      effectKey: effect_key,
      at: new Date(at),
    })),
    recordedAt: new Date(payment.first_seen),
  };
}

async function withReversals(executor: Executor, payments: readonly PaymentRecord[]): Promise<RecordedFact[]> {
  if (payments.length === 0) return [];
  const sessions = sql.param(payments.map(({ checkout_session_id }) => checkout_session_id));
  const found = await rows<ReversalRecord>(
    executor,
    sql`select id, kind, checkout_session_id, amount, currency, status, effect_key, coalesce(made_at, first_seen) as at
        from flow_invoices.reversals where checkout_session_id = any(${sessions}::text[]) order by 8, id`,
  );
  const bySession = Map.groupBy(found, ({ checkout_session_id }) => checkout_session_id);
  return payments.map((payment) => toFact(payment, bySession.get(payment.checkout_session_id) ?? []));
}

/** Reads on from the last row of each page, so that a page costs the same wherever it lies. */
async function* pages<Row extends object>(
  read: (after: Row | undefined) => Promise<Row[]>,
): AsyncIterable<readonly Row[]> {
  let last: Row | undefined;
  for (;;) {
    const page = await read(last);
    if (page.length > 0) yield page;
    if (page.length < PAGE_ROWS) return;
    last = page.at(-1);
  }
}

async function find(executor: Executor, id: string): Promise<RecordedFact[]> {
  const found = await rows<PaymentRecord>(
    executor,
    sql`select ${columns} from flow_invoices.payments p where p.checkout_session_id in (
          select checkout_session_id from flow_invoices.payments where checkout_session_id = ${id}
          union all select checkout_session_id from flow_invoices.payments where payment_intent_id = ${id}
          union all select checkout_session_id from flow_invoices.payments where charge_id = ${id}
          union all select checkout_session_id from flow_invoices.payments where invoice_id = ${id}
          union all select checkout_session_id from flow_invoices.reversals where id = ${id})
        order by coalesce(p.succeeded_at, p.paid_at, p.first_seen), p.checkout_session_id limit ${FOUND_MAX}`,
  );
  return withReversals(executor, found);
}

async function* succeededBetween(
  executor: Executor,
  window: { since: Date; until: Date },
): AsyncIterable<readonly RecordedFact[]> {
  const until = window.until.toISOString();
  const read = (after: PaymentRecord | undefined): Promise<PaymentRecord[]> => {
    // PostgreSQL's own text, since a Date would cut the microseconds off and read a row twice.
    const from: SQL =
      after === undefined
        ? sql`coalesce(p.succeeded_at, p.paid_at, p.first_seen) >= ${window.since.toISOString()}::timestamptz`
        : sql`(coalesce(p.succeeded_at, p.paid_at, p.first_seen), p.checkout_session_id) > (${after.succeeded_at}::timestamptz, ${after.checkout_session_id}::text)`;
    return rows<PaymentRecord>(
      executor,
      sql`select ${columns} from flow_invoices.payments p
          where p.status in ('paid', 'parked') and ${from} and coalesce(p.succeeded_at, p.paid_at, p.first_seen) < ${until}::timestamptz
          order by coalesce(p.succeeded_at, p.paid_at, p.first_seen), p.checkout_session_id limit ${PAGE_ROWS}`,
    );
  };
  for await (const page of pages(read)) yield await withReversals(executor, page);
}

/** Rows of one table whose `updated_at` lies in the time, in its order; only the Sessions they belong to. */
async function* writtenSessions(
  executor: Executor,
  table: { name: SQL; id: SQL },
  window: { since: Date; until: Date },
): AsyncIterable<readonly string[]> {
  interface Written {
    id: string;
    session: string;
    updated_at: string;
  }
  const read = (after: Written | undefined): Promise<Written[]> =>
    rows<Written>(
      executor,
      sql`select ${table.id} as id, checkout_session_id as session, updated_at from ${table.name}
          where (updated_at, ${table.id}) > (${after?.updated_at ?? window.since.toISOString()}::timestamptz, ${after?.id ?? ''}::text)
            and updated_at < ${window.until.toISOString()}::timestamptz
          order by updated_at, ${table.id} limit ${PAGE_ROWS}`,
    );
  for await (const page of pages(read)) yield page.map(({ session }) => session);
}

async function* writtenBetween(
  executor: Executor,
  window: { since: Date; until: Date },
): AsyncIterable<readonly RecordedFact[]> {
  const tables = [
    { name: sql`flow_invoices.payments`, id: sql`checkout_session_id` },
    { name: sql`flow_invoices.reversals`, id: sql`id` },
  ];
  for (const table of tables) {
    for await (const sessions of writtenSessions(executor, table, window)) {
      const ids = sql.param([...new Set(sessions)]);
      const found = await rows<PaymentRecord>(
        executor,
        sql`select ${columns} from flow_invoices.payments p where p.checkout_session_id = any(${ids}::text[])`,
      );
      yield await withReversals(executor, found);
    }
  }
}

/** What `flow_invoices.*` holds, for `prove`, the closing of the day and the report. */
export const invoicesRecords: FlowRecords = { find, succeededBetween, writtenBetween };
