import { createDatabase, type Database, migrate } from '@bridge/database';
import type { RecordedFact } from '@bridge/flow';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { invoices } from './flow';
import { type PaymentRow, writePayment, writeReversal } from './ledger';
import { invoicesRecords as records } from './records';

let database: Database;
let end: () => Promise<void>;
beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [invoices.migrations]);
  database = createDatabase({ url: created.url, poolMax: 2, applicationName: 'records-test' });
  end = async () => {
    await database.close();
    await created.drop();
  };
});
beforeEach(() => database.executor.execute(sql`truncate flow_invoices.payments, flow_invoices.reversals`));
afterAll(() => end());

const NOON = new Date('2026-11-22T12:00:00Z');
const MADE = new Date('2026-11-22T15:00:00Z');
const after = (ms: number): Date => new Date(NOON.getTime() + ms);

async function payment(id: string, over: Partial<PaymentRow> = {}): Promise<void> {
  await writePayment(database.executor, {
    checkoutSessionId: `cs_${id}`,
    paymentIntentId: `pi_${id}`,
    chargeId: `ch_${id}`,
    invoiceId: `18${id}`,
    amountTotal: 18_000,
    currency: 'usd',
    livemode: true,
    status: 'paid',
    parkedCode: undefined,
    parkedEvent: undefined,
    effectKey: (over.status ?? 'paid') === 'paid' ? `invoice-paid:cs_${id}` : undefined,
    paidAt: NOON,
    sessionCreatedAt: NOON,
    ...over,
  });
}
const refund = (id: string, sessionId: string, status = 'succeeded'): Promise<void> =>
  writeReversal(database.executor, {
    id,
    kind: 'refund',
    checkoutSessionId: sessionId,
    invoiceId: undefined,
    amount: 5_000,
    currency: 'usd',
    status,
    effectKey: undefined,
    createdAt: MADE,
  });
async function collect(pages: AsyncIterable<readonly RecordedFact[]>): Promise<string[]> {
  const ids: string[] = [];
  for await (const page of pages) ids.push(...page.map(({ id }) => id));
  return ids;
}

test('a payment is found by each of its ids, and by none of another', async () => {
  await payment('1');
  await payment('2');
  await refund('re_1', 'cs_1');
  for (const id of ['cs_1', 'pi_1', 'ch_1', '181', 're_1']) {
    const found = await records.find(database.executor, id);
    expect(found.map((fact) => fact.id)).toEqual(['cs_1']);
  }
  expect(await records.find(database.executor, '18')).toEqual([]);
  expect((await records.find(database.executor, '181'))[0]).toEqual({
    id: 'cs_1',
    relatedIds: ['181', 'pi_1', 'ch_1', 're_1'],
    title: 'Invoice 181',
    amount: 18_000,
    currency: 'usd',
    livemode: true,
    succeededAt: NOON,
    status: 'paid',
    parkedCode: null,
    parkedEvent: null,
    effectKeys: [
      'invoice-paid:cs_1',
      'invoice-payment-failed:cs_1',
      'invoice-refunded:re_1',
      'invoice-refund-failed:re_1',
    ],
    reversals: [
      {
        id: 're_1',
        kind: 'refund',
        amount: 5_000,
        currency: 'usd',
        status: 'succeeded',
        effectKey: null,
        at: MADE,
      },
    ],
    recordedAt: expect.any(Date),
  });
});

test('both payments of one invoice are found by its number, the older first', async () => {
  await payment('2', { invoiceId: '18637', paidAt: after(1_000) });
  await payment('1', { invoiceId: '18637' });
  const found = await records.find(database.executor, '18637');
  expect(found.map(({ id }) => id)).toEqual(['cs_1', 'cs_2']);
});

test('money has come for paid and parked ones alone; without a charge our own clock counts', async () => {
  await payment('paid');
  await payment('parked', {
    status: 'parked',
    parkedCode: 'NO_INVOICE_ID',
    parkedEvent: 'evt_1',
    invoiceId: undefined,
  });
  await payment('pending', { status: 'pending' });
  await payment('failed', { status: 'failed' });
  await payment('free', { paidAt: undefined });
  const window = { since: after(-1), until: after(1) };
  expect((await collect(records.succeededBetween(database.executor, window))).sort()).toEqual(['cs_paid', 'cs_parked']);
  const [free] = await records.find(database.executor, 'cs_free');
  expect(free?.succeededAt).toEqual(free?.recordedAt);
  const [pending] = await records.find(database.executor, 'cs_pending');
  expect(pending?.succeededAt).toBeNull();
});

test('money of a bank debit came when its event said so, not when the charge was made days before; that stays', async () => {
  await payment('1', { status: 'pending', paidAt: after(-3 * 86_400_000) });
  await payment('1', { paidAt: after(-3 * 86_400_000), succeededAt: NOON });
  await payment('1', { paidAt: after(-3 * 86_400_000), succeededAt: undefined });
  expect(await collect(records.succeededBetween(database.executor, { since: NOON, until: after(1) }))).toEqual([
    'cs_1',
  ]);
});

test('a window holds its first moment and not its last, and pages give each payment once, also of one moment', async () => {
  await database.executor.execute(
    sql`insert into flow_invoices.payments (checkout_session_id, amount_total, currency, livemode, status, paid_at, session_created_at)
        select 'cs_' || n, 1, 'usd', true, 'paid', ${NOON.toISOString()}::timestamptz + (n / 400) * interval '1 microsecond', now()
        from generate_series(0, 1399) n`,
  );
  await payment('until', { paidAt: after(1) });
  const ids = await collect(records.succeededBetween(database.executor, { since: NOON, until: after(1) }));
  expect(ids).toHaveLength(1_400);
  expect(new Set(ids).size).toBe(1_400);
});

test('what was written in a window is told, by the payment or by its refund', async () => {
  await payment('old');
  await payment('refunded');
  await database.executor.execute(sql`update flow_invoices.payments set updated_at = updated_at - interval '1 day'`);
  await payment('new');
  await refund('re_1', 'cs_refunded');
  const hour = { since: new Date(Date.now() - 3_600_000), until: new Date(Date.now() + 60_000) };
  expect(await collect(records.writtenBetween(database.executor, hour))).toEqual(['cs_new', 'cs_refunded']);
  const day = { ...hour, since: new Date(Date.now() - 48 * 3_600_000) };
  expect(new Set(await collect(records.writtenBetween(database.executor, day)))).toEqual(
    new Set(['cs_old', 'cs_new', 'cs_refunded']),
  );
});
