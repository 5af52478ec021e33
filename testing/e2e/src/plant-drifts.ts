import { createDatabase, type Database } from '@bridge/database';
import type { BridgeStand } from './bridge-stand';

/** A difference that was planted between the three books, and what a right comparison says of it. */
export interface Drift {
  class: string;
  objectId: string;
  amount: number;
  currency: string;
}

export interface Planting {
  drifts: Drift[];
  /** Checkout Sessions at Stripe. */
  sessions: number;
  /** Payments of ours that Stripe does not know. */
  unknownAtStripe: number;
  /** Where the Sessions were born, by Stripe's clock. */
  since: Date;
  until: Date;
}

const CLASSES = [
  'paid-not-recorded',
  'refund-not-recorded',
  'dispute-not-recorded',
  'status-differs',
  'amount-differs',
  'currency-differs',
  'invoice-differs',
  'paid-twice',
  'recorded-not-at-stripe',
  'applied-not-in-filemaker',
  'filemaker-row-not-done',
  'done-in-filemaker-not-here',
  'paid-not-applied',
  'applied-not-paid',
] as const;
type DriftClass = (typeof CLASSES)[number];
export const DRIFT_CLASSES: readonly string[] = CLASSES;

/** Of so many Sessions each is born in the same second: the list's pages end in the middle of them. */
const BATCH = 250;
const ROWS = 5_000;
const DAY_MS = 86_400_000;

interface Sold {
  sessionId: string;
  paymentIntentId: string | null;
  chargeId: string | null;
  amountTotal: number | null;
}

/** One payment in all three books. */
interface Payment {
  sessionId: string;
  paymentIntentId: string | null;
  chargeId: string | null;
  invoiceId: string;
  amount: number;
  currency: string;
  bornAt: Date;
  status: 'pending' | 'paid' | null;
  effect: 'done' | 'parked' | null;
  row: 'done' | 'failed' | null;
}

const right = (sold: Sold, invoiceId: string, bornAt: Date): Payment => ({
  sessionId: sold.sessionId,
  paymentIntentId: sold.paymentIntentId,
  chargeId: sold.chargeId,
  invoiceId,
  amount: sold.amountTotal ?? 0,
  currency: 'usd',
  bornAt,
  status: 'paid',
  effect: 'done',
  row: 'done',
});

const REFUND = 123;
const DISPUTE = 321;
const AMOUNT_OFF = 77;

/** Makes one payment wrong in one way. Returns what is to be found; more payments may come of it. */
async function plant(on: BridgeStand, name: DriftClass, payment: Payment, all: Payment[]): Promise<Drift> {
  const whole = { class: name, objectId: payment.sessionId, amount: payment.amount, currency: 'usd' };
  const sale = `/sales/${payment.sessionId}`;
  switch (name) {
    case 'paid-not-recorded':
      Object.assign(payment, { status: null, effect: null, row: null });
      return whole;
    case 'refund-not-recorded': {
      const { refundId } = await on.stripe.ask<{ refundId: string }>('POST', `${sale}/refund`, { amount: REFUND });
      return { ...whole, objectId: refundId, amount: REFUND };
    }
    case 'dispute-not-recorded': {
      const { disputeId } = await on.stripe.ask<{ disputeId: string }>('POST', `${sale}/dispute`, { amount: DISPUTE });
      return { ...whole, objectId: disputeId, amount: DISPUTE };
    }
    case 'status-differs':
      Object.assign(payment, { status: 'pending', effect: null, row: null });
      return whole;
    case 'amount-differs':
      payment.amount += AMOUNT_OFF;
      return { ...whole, amount: AMOUNT_OFF };
    case 'currency-differs':
      payment.currency = 'chf';
      return whole;
    case 'invoice-differs':
      payment.invoiceId = `other-${payment.invoiceId}`;
      return whole;
    case 'paid-twice': {
      const created = Math.floor(payment.bornAt.getTime() / 1_000) + 1;
      const { invoiceId } = payment;
      const second = await on.stripe.ask<Sold>('POST', '/sales', { invoiceId, created });
      const paid = right(second, invoiceId, new Date(created * 1_000));
      all.push(paid);
      return { ...whole, objectId: paid.sessionId, amount: paid.amount };
    }
    case 'recorded-not-at-stripe': {
      const objectId = `${payment.sessionId}Gone`;
      all.push({ ...payment, sessionId: objectId, invoiceId: `gone-${payment.invoiceId}` });
      return { ...whole, objectId };
    }
    case 'applied-not-in-filemaker':
      payment.row = null;
      return whole;
    case 'filemaker-row-not-done':
      payment.row = 'failed';
      return whole;
    case 'done-in-filemaker-not-here':
      payment.effect = 'parked';
      return whole;
    case 'paid-not-applied':
      Object.assign(payment, { effect: 'parked', row: null });
      return whole;
    case 'applied-not-paid': {
      const created = Math.floor(payment.bornAt.getTime() / 1_000);
      const invoiceId = `unpaid-${payment.invoiceId}`;
      const unpaid = await on.stripe.ask<Sold>('POST', '/sales', { invoiceId, created, delayed: true });
      const told = right(unpaid, invoiceId, payment.bornAt);
      all.push(told);
      return { ...whole, objectId: told.sessionId, amount: told.amount };
    }
  }
}

const TARGET = JSON.stringify({
  layout: 'web_invoices',
  script: 'STRIPE_PAYMENTLINK_SUCCESS',
  contract: 'kit',
  transport: 'get',
  handoffLayout: null,
  probe: null,
  log: { layout: 'bridge_log', keyField: 'idempotency_key', stateField: 'state', resultField: 'result' },
});

/** Written long ago, so that nothing looks as if it were under way. */
async function writeRecords(database: Database, payments: readonly Payment[]): Promise<void> {
  const recorded = payments.filter(({ status }) => status !== null);
  await database.pool.query(
    `insert into flow_invoices.payments (checkout_session_id, payment_intent_id, charge_id, invoice_id, amount_total, currency,
       livemode, status, effect_key, paid_at, session_created_at, first_seen, updated_at)
     select session, intent, charge, invoice, amount, currency, false, status,
       case when status = 'paid' then 'invoice-paid:' || session end, case when status = 'paid' then born end, born, born, born
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::timestamptz[])
       as p (session, intent, charge, invoice, amount, currency, status, born)`,
    [
      recorded.map((one) => one.sessionId),
      recorded.map((one) => one.paymentIntentId),
      recorded.map((one) => one.chargeId),
      recorded.map((one) => one.invoiceId),
      recorded.map((one) => one.amount),
      recorded.map((one) => one.currency),
      recorded.map((one) => one.status),
      recorded.map((one) => one.bornAt.toISOString()),
    ],
  );
  const owed = payments.filter(({ effect }) => effect !== null);
  await database.pool.query(
    `insert into effects.effects (kind, flow, key, title, target, subject, origin, state, attempts, first_sent_at, last_sent_at,
       reason_code, verified, planned_at, settled_at)
     select 'filemaker-script', 'invoices', 'invoice-paid:' || session, 'Mark it paid', $1::jsonb,
       jsonb_build_object('checkoutSessionId', session), 'webhook', state, 1, born, born,
       case when state = 'parked' then 'LOG_NOT_DONE' end, case when state = 'done' then true end, born,
       case when state = 'done' then born end
     from unnest($2::text[], $3::text[], $4::timestamptz[]) as e (session, state, born)`,
    [
      TARGET,
      owed.map((one) => one.sessionId),
      owed.map((one) => one.effect),
      owed.map((one) => one.bornAt.toISOString()),
    ],
  );
}

async function writeLog(on: BridgeStand, payments: readonly Payment[]): Promise<void> {
  const records = payments.flatMap(({ row, sessionId, invoiceId }) =>
    row === null
      ? []
      : [{ idempotency_key: `invoice-paid:${sessionId}`, state: row, result: '{"ok":true}', invoice_id: invoiceId }],
  );
  if (records.length > 0) await on.filemaker.ask('POST', '/databases/Shop/tables/log/records', { records });
}

/**
 * Many payments in Stripe's, our and FileMaker's books, alike but for the drifts, which lie spread among them. Written
 * straight into the books: no webhook, no script.
 */
export async function plantDrifts(on: BridgeStand, size: { sessions: number; drifts: number }): Promise<Planting> {
  await on.stripe.ask('POST', '/settings', { delivery: { neverGeneratedFraction: 1 } });
  const batches = Math.ceil(size.sessions / BATCH);
  // Over ten days that ended two hours ago.
  const until = Math.floor(Date.now() / 1_000) - 7_200;
  const stepSeconds = Math.max(1, Math.floor((10 * DAY_MS) / 1_000 / batches));
  const since = until - stepSeconds * batches;
  const every = Math.max(1, Math.floor(size.sessions / size.drifts));
  const drifts: Drift[] = [];
  let made = 0;
  let unknownAtStripe = 0;
  let extra = 0;
  const database = createDatabase({
    url: on.databaseUrl,
    poolMax: 1,
    applicationName: 'plant-drifts',
    statementTimeoutMs: 60_000,
  });
  try {
    let waiting: Payment[] = [];
    const write = async (): Promise<void> => {
      await writeRecords(database, waiting);
      await writeLog(on, waiting);
      waiting = [];
    };
    for (let batch = 0; batch < batches; batch += 1) {
      const created = since + batch * stepSeconds;
      const count = Math.min(BATCH, size.sessions - made);
      await on.stripe.ask('POST', '/clock', { now: created, frozen: true });
      const { sales } = await on.stripe.ask<{ sales: Sold[] }>('POST', '/sales/bulk', {
        count,
        seed: batch + 1,
        linesMax: 1,
        currency: 'usd',
        paymentLinkFraction: 0,
        firstInvoiceId: 100_000 + made,
      });
      for (const [index, sold] of sales.entries()) {
        const payment = right(sold, String(100_000 + made + index), new Date(created * 1_000));
        waiting.push(payment);
        const number = Math.floor((made + index) / every);
        if ((made + index) % every !== every - 1 || drifts.length >= size.drifts) continue;
        const name = CLASSES[number % CLASSES.length];
        if (name === undefined) throw new Error('no class');
        drifts.push(await plant(on, name, payment, waiting));
        if (name === 'recorded-not-at-stripe') unknownAtStripe += 1;
        if (name === 'paid-twice' || name === 'applied-not-paid') extra += 1;
      }
      made += count;
      if (waiting.length >= ROWS) await write();
    }
    await write();
    await database.pool.query('analyze flow_invoices.payments; analyze effects.effects');
  } finally {
    await database.close();
  }
  await on.stripe.ask('POST', '/clock', { now: Math.floor(Date.now() / 1_000), frozen: false });
  return {
    drifts,
    sessions: made + extra,
    unknownAtStripe,
    since: new Date((since - 60) * 1_000),
    until: new Date((until + 60) * 1_000),
  };
}
