import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { flowMigrations } from '@bridge/flows';
import { allMigrations, readMoneyAtRisk } from '@bridge/operations';
import { createTestDatabase } from '@bridge/test-services';
import { type SQL, sql } from 'drizzle-orm';

let database: Database;
let drop: () => Promise<void>;

beforeEach(async () => {
  const test = await createTestDatabase();
  await migrate(test.url, allMigrations(flowMigrations));
  database = createDatabase({ url: test.url, poolMax: 2, applicationName: 'money-at-risk-test' });
  drop = test.drop;
});
afterEach(async () => {
  await database.close();
  await drop();
});

interface Payment {
  session: string;
  amount: number;
  currency?: string;
  status?: 'paid' | 'parked' | 'pending';
  /** Minutes; null: Stripe did not say when. */
  paidAgo?: number | null;
  seenAgo?: number;
}

const minutesAgo = (minutes: number): SQL => sql`clock_timestamp() - make_interval(mins => ${minutes}::int)`;

/** A payment as the flow writes it; a paid one with its effect, changed to how it stands now. */
async function pay(payment: Payment, effect?: SQL): Promise<void> {
  const { session, amount, currency = 'usd', status = 'paid', paidAgo = 11, seenAgo = 11 } = payment;
  const key = effect === undefined ? null : `invoice-paid:${session}`;
  await database.executor.execute(
    sql`insert into flow_invoices.payments (checkout_session_id, invoice_id, amount_total, currency, livemode, status, parked_code,
          effect_key, paid_at, first_seen, session_created_at)
        values (${session}, '1', ${amount}, ${currency}, false, ${status}, ${status === 'parked' ? 'NO_INVOICE_ID' : null}, ${key},
          ${paidAgo === null ? sql`null` : minutesAgo(paidAgo)}, ${minutesAgo(seenAgo)}, ${minutesAgo(60)})`,
  );
  if (effect === undefined || key === null) return;
  const { id } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key,
    lane: null,
    title: 'Mark invoice 1 paid',
    target: {},
    body: '{}',
    subject: { checkoutSessionId: session },
    origin: 'webhook',
    checkFirst: false,
  });
  await database.executor.execute(sql`update effects.effects set ${effect} where id = ${id}`);
}

const PLANNED = sql`state = 'planned'`;
const PARKED = sql`state = 'parked', reason_code = 'X'`;
const DONE = sql`state = 'done', verified = true, settled_at = clock_timestamp()`;

test('money is at risk while its effect is not done, summed by currency and by how the effect stands', async () => {
  await pay({ session: 'cs_1', amount: 100 }, PLANNED);
  await pay({ session: 'cs_2', amount: 20 }, PLANNED);
  await pay({ session: 'cs_3', amount: 7, currency: 'jpy' }, PLANNED);
  await pay({ session: 'cs_4', amount: 3_000_000_000 }, PARKED);
  await pay(
    { session: 'cs_5', amount: 5 },
    sql`state = 'unknown', unknown_since = clock_timestamp(), reason_code = 'X', attempts = 1`,
  );
  await pay(
    { session: 'cs_6', amount: 6 },
    sql`state = 'sending', claimed_by = 'w', attempts = 1, first_sent_at = clock_timestamp()`,
  );
  await pay({ session: 'cs_7', amount: 8, status: 'parked' });
  expect(await readMoneyAtRisk(database)).toEqual([
    { currency: 'jpy', class: 'planned', amount: 7 },
    { currency: 'usd', class: 'no-effect', amount: 8 },
    { currency: 'usd', class: 'parked', amount: 3_000_000_000 },
    { currency: 'usd', class: 'planned', amount: 120 },
    { currency: 'usd', class: 'sending', amount: 6 },
    { currency: 'usd', class: 'unknown', amount: 5 },
  ]);
});

test('what is done, cancelled, unpaid or younger than ten minutes is not at risk', async () => {
  await pay({ session: 'cs_1', amount: 1 }, DONE);
  await pay({ session: 'cs_2', amount: 1 }, sql`state = 'cancelled', settled_at = clock_timestamp()`);
  await pay({ session: 'cs_3', amount: 1, status: 'pending' });
  await pay({ session: 'cs_4', amount: 1, paidAgo: 9, seenAgo: 11 }, PLANNED);
  await pay({ session: 'cs_5', amount: 1, paidAgo: null, seenAgo: 9 }, PARKED);
  expect(await readMoneyAtRisk(database)).toEqual([]);
});

test('the ten minutes count from the payment at Stripe, however late we heard of it; without it from when we first did', async () => {
  await pay({ session: 'cs_1', amount: 1, paidAgo: 600, seenAgo: 0 }, PLANNED);
  await pay({ session: 'cs_2', amount: 20, paidAgo: null, seenAgo: 11 }, PLANNED);
  expect(await readMoneyAtRisk(database)).toEqual([{ currency: 'usd', class: 'planned', amount: 21 }]);
});

test('a refund that is owed is not the money of the payment', async () => {
  await pay({ session: 'cs_1', amount: 100 }, DONE);
  await database.executor.execute(
    sql`insert into effects.effects (kind, flow, key, title, target, subject, origin, state)
        values ('filemaker-script', 'invoices', 'invoice-refunded:re_1', 'x', '{}', '{"checkoutSessionId":"cs_1"}', 'webhook', 'planned')`,
  );
  expect(await readMoneyAtRisk(database)).toEqual([]);
});

const find = (finding: {
  class: string;
  object: string;
  amount: number;
  beforeStart?: boolean;
  state?: string;
  replay?: boolean;
}) =>
  database.executor.execute(
    sql`insert into reconciliation.findings (flow, class, object_id, amount, currency, message, before_start, replay, first_run, last_run, state, accepted_at)
        values ('invoices', ${finding.class}, ${finding.object}, ${finding.amount}, 'usd', 'x', ${finding.beforeStart ?? false},
          ${finding.replay === true ? '{}' : null}::jsonb, 1, 1, ${finding.state ?? 'open'}, case when ${finding.state ?? 'open'} = 'accepted' then clock_timestamp() end)`,
  );

test('what reconciliation found and nobody closed counts by its class; older money stands apart', async () => {
  await find({ class: 'paid-not-recorded', object: 'cs_1', amount: 100, replay: true });
  await find({ class: 'paid-not-recorded', object: 'cs_2', amount: 30, replay: true });
  await find({ class: 'paid-not-recorded', object: 'cs_3', amount: 7, beforeStart: true });
  await find({ class: 'refund-not-recorded', object: 're_1', amount: 5 });
  await find({ class: 'amount-differs', object: 'cs_4', amount: 9, state: 'accepted' });
  await find({ class: 'status-differs', object: 'cs_5', amount: 0 });
  expect(await readMoneyAtRisk(database)).toEqual([
    { currency: 'usd', class: 'before-start', amount: 7 },
    { currency: 'usd', class: 'paid-not-recorded', amount: 130 },
    { currency: 'usd', class: 'refund-not-recorded', amount: 5 },
  ]);
});

test('the same money is counted once: as the effect stands where our records have it, and not at all once it was repaired', async () => {
  await pay({ session: 'cs_1', amount: 100 }, PARKED);
  await find({ class: 'paid-not-applied', object: 'cs_1', amount: 100 });
  await find({ class: 'paid-twice', object: 'cs_1', amount: 100 });
  await pay({ session: 'cs_2', amount: 50 }, DONE);
  await find({ class: 'paid-not-recorded', object: 'cs_2', amount: 50, replay: true });
  await pay({ session: 'cs_3', amount: 4 }, DONE);
  await find({ class: 'filemaker-row-not-done', object: 'cs_3', amount: 4 });
  expect(await readMoneyAtRisk(database)).toEqual([
    { currency: 'usd', class: 'filemaker-row-not-done', amount: 4 },
    { currency: 'usd', class: 'parked', amount: 100 },
  ]);
});
