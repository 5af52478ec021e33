// Somebody types a wrong invoice at a replay. What can be taken back is, what cannot is said, and nothing runs twice.
import { createDatabase, type Database, rows } from '@bridge/database';
import { type EndedCommand, eventually, runBridge } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { type BridgeStand, startBridge } from './bridge-stand';

const PATIENCE_MS = 180_000;
/** The company's invoices. */
const INVOICES = ['18637', '18638', '18639', '18640', '18641', '18642'];

let stand: BridgeStand;
let database: Database;
beforeAll(async () => {
  stand = await startBridge({ workers: 2, filemaker: { missingInvoice: 'refuse', scriptMs: 1 } });
  database = createDatabase({ url: stand.databaseUrl, poolMax: 2, applicationName: 'mistyped-invoice' });
  await stand.filemaker.ask('POST', '/databases/Shop/tables/invoices/records', {
    records: INVOICES.map((invoice_id) => ({ invoice_id, status: 'open' })),
  });
}, 300_000);
afterAll(async () => {
  await database?.close();
  await stand?.stop();
}, 120_000);

interface Replayed {
  plan: { id: string; state: string };
  items: { verdict: string; reasonCode: string | null; outcome: string | null; reason: string | null }[];
}
const bridge = (...words: string[]): Promise<EndedCommand> =>
  runBridge(words, { DATABASE_URL: stand.databaseUrl }, { timeoutMs: PATIENCE_MS });
async function replay(...words: string[]): Promise<Replayed & { code: number | null }> {
  const { code, out, text } = await bridge('replay', ...words, '--json');
  if (!out.includes('"plan"'))
    throw new Error(`replay ${words.join(' ')} ended with ${code}: ${text}\n${stand.tail()}`);
  return { ...(JSON.parse(out) as Replayed), code };
}
/** Paid at Stripe; no webhook comes, and it names this invoice or none. */
async function dropped(sale: { invoiceId?: string } = {}): Promise<string> {
  const { sessionId } = await stand.stripe.ask<{ sessionId: string }>('POST', '/sales', { deliver: false, ...sale });
  return sessionId;
}
/** Invoices for which the script has run for this payment. */
async function ranFor(session: string): Promise<string[]> {
  const { runs } = await stand.filemakerBooks();
  return runs
    .filter(({ key, effectApplied }) => key === `invoice-paid:${session}` && effectApplied)
    .map(({ payload }) => String((JSON.parse(payload) as { invoice_id: string }).invoice_id));
}
async function books(session: string): Promise<{ recorded: string; frozen: string; state: string; effects: number }> {
  const [row] = await rows<{ recorded: string; frozen: string; state: string; effects: number }>(
    database.executor,
    sql`select p.invoice_id as recorded, e.subject ->> 'invoiceId' as frozen, e.state,
          (select count(*)::int from effects.effects o where o.subject ->> 'checkoutSessionId' = ${session}) as effects
        from flow_invoices.payments p join effects.effects e on e.key = p.effect_key where p.checkout_session_id = ${session}`,
  );
  if (row === undefined) throw new Error(`${session} is not recorded`);
  return row;
}

let settled: string;
let session: string;

test('an invoice that another payment has settled is shown as a second payment, with that payment, and not sent', async () => {
  settled = await dropped({ invoiceId: '18637' });
  expect(await replay(settled, '--yes')).toMatchObject({ code: 0, items: [{ outcome: 'applied' }] });
  session = await dropped();
  for (const words of [['--dry-run'], ['--yes']]) {
    const { code, text } = await bridge('replay', session, '--invoice', '18637', ...words);
    expect(code).toBe(1);
    for (const said of [
      'second payment',
      'Second payment of invoice 18637',
      settled,
      'Nothing can be sent',
      '--override --why',
    ])
      expect(text.replaceAll('\n', ' ')).toContain(said);
  }
  const unrecorded = sql`select 1 from flow_invoices.payments where checkout_session_id = ${session}`;
  expect(await rows(database.executor, unrecorded)).toEqual([]);
}, 600_000);

test('with --override it is noted and waits; two corrections that are sent at once make one effect, for the invoice that is recorded', async () => {
  const meant = ['--override', '--why', 'told so on the telephone', '--yes'];
  expect(await replay(session, '--invoice', '18637', ...meant)).toMatchObject({
    code: 1,
    items: [{ outcome: 'parked' }],
  });
  expect(await books(session)).toMatchObject({ recorded: '18637', state: 'parked', effects: 1 });
  expect(await replay(session, '--invoice', '18638', '--dry-run')).toMatchObject({
    code: 1,
    items: [{ verdict: 'refused', reasonCode: 'RECORDED_FOR_ANOTHER' }],
  });
  const plans: string[] = [];
  for (const invoice of ['18638', '18639']) {
    const shown = await replay(session, '--invoice', invoice, '--why', `18637 was a typing error`, '--dry-run');
    expect(shown).toMatchObject({ code: 0, items: [{ verdict: 'changes-invoice' }] });
    plans.push(shown.plan.id);
  }
  const sent = await Promise.all(plans.map((id) => replay('--plan', id)));
  await stand.settled();
  const ran = await ranFor(session);
  expect(ran).toHaveLength(1);
  expect(await books(session)).toEqual({ recorded: ran[0], frozen: ran[0], state: 'done', effects: 1 });
  expect(sent.filter(({ items }) => items[0]?.outcome === 'applied').length).toBeGreaterThanOrEqual(1);
  const audit = await rows<{ why: string }>(
    database.executor,
    sql`select why from operations.audit where action = 'effect.correct'`,
  );
  expect(audit).toContainEqual({ why: '18637 was a typing error' });
}, 600_000);

test('once FileMaker has applied a number, another one is not sent: what is to be done by hand is said, and recorded', async () => {
  const [wrong] = await ranFor(session);
  const { code, text } = await bridge('replay', session, '--invoice', '18640', '--why', 'typed wrong', '--yes');
  expect(code).toBe(1);
  for (const said of [`FileMaker has applied it to invoice ${wrong}`, 'by hand', '--invoice 18640 --by-hand --why'])
    expect(text.replaceAll('\n', ' ')).toContain(said);
  const recorded = await replay(session, '--invoice', '18640', '--by-hand', '--why', 'moved in FileMaker', '--yes');
  expect(recorded).toMatchObject({ code: 0, items: [{ verdict: 'by-hand', outcome: 'recorded' }] });
  expect(await books(session)).toMatchObject({ recorded: '18640', frozen: wrong, state: 'done', effects: 1 });
  expect(await ranFor(session)).toEqual([wrong]);
  // What comes later goes by the right invoice, and asking again finds nothing to do.
  await stand.stripe.ask('POST', `/sales/${session}/refund`, {});
  const refund = sql`select invoice_id from flow_invoices.reversals where checkout_session_id = ${session}`;
  await eventually('the refund is recorded', async () => (await rows(database.executor, refund)).length > 0, {
    withinMs: PATIENCE_MS,
    tell: stand.tail,
  });
  expect(await rows(database.executor, refund)).toEqual([{ invoice_id: '18640' }]);
  const again = await bridge('replay', session, '--yes');
  expect([again.code, again.text]).toEqual([0, expect.stringContaining('all of it is applied already')]);
}, 600_000);

test('while FileMaker is paused the number can be changed, and only the new one runs when it is resumed', async () => {
  const held = await dropped();
  const meant = ['--override', '--why', 'told so', '--yes'];
  expect(await replay(held, '--invoice', '18637', ...meant)).toMatchObject({ items: [{ outcome: 'parked' }] });
  expect(await bridge('pause', 'filemaker', '--why', 'update')).toMatchObject({ code: 0 });
  const changing = replay(held, '--invoice', '18639', '--override', '--why', 'typed wrong', '--yes');
  await eventually('the number is changed', async () => (await books(held)).frozen === '18639', {
    withinMs: PATIENCE_MS,
    tell: stand.tail,
  });
  expect(await ranFor(held)).toEqual([]);
  expect(await bridge('resume', 'filemaker', '--why', 'over')).toMatchObject({ code: 0 });
  const [item] = (await changing).items;
  expect(['applied', 'on-its-way', 'parked']).toContain(item?.outcome);
  await stand.settled();
  if ((await books(held)).state === 'parked')
    expect(
      await bridge('effects', 'resolve', `invoice-paid:${held}`, '--as', 'again', '--why', 'instalment'),
    ).toMatchObject({
      code: 0,
    });
  await eventually('it has run', async () => (await ranFor(held)).length > 0, {
    withinMs: PATIENCE_MS,
    tell: stand.tail,
  });
  await stand.settled();
  expect(await ranFor(held)).toEqual(['18639']);
}, 600_000);

test('a number that FileMaker does not know can be changed; the hand-off record that holds it is never run', async () => {
  const unknown = await dropped();
  const key = `invoice-paid:${unknown}`;
  expect(await replay(unknown, '--invoice', '81637', '--yes')).toMatchObject({
    code: 1,
    items: [{ outcome: 'parked' }],
  });
  const changed = await replay(unknown, '--invoice', '18641', '--why', 'typed wrong', '--yes');
  expect(changed).toMatchObject({ code: 1, items: [{ verdict: 'changes-invoice', outcome: 'parked' }] });
  expect(await books(unknown)).toMatchObject({ recorded: '18641', frozen: '18641', state: 'parked', effects: 1 });
  expect(await bridge('effects', 'show', key)).toMatchObject({ text: expect.stringContaining('HANDOFF_OLD') });
  expect(await ranFor(unknown)).toEqual([]);
  // As the runbook says: a person deletes the record, and releases the payment.
  await stand.filemaker.ask('DELETE', '/databases/Shop/tables/handoff/records');
  expect(await bridge('effects', 'resolve', key, '--as', 'again', '--why', 'record deleted')).toMatchObject({
    code: 0,
  });
  await eventually('it has run', async () => (await ranFor(unknown)).length > 0, {
    withinMs: PATIENCE_MS,
    tell: stand.tail,
  });
  await stand.settled();
  expect(await ranFor(unknown)).toEqual(['18641']);
  expect(await books(unknown)).toMatchObject({ state: 'done', effects: 1 });
}, 600_000);

test('what a person has cancelled is entered by hand and recorded', async () => {
  const given = await dropped();
  expect(await replay(given, '--invoice', '81638', '--yes')).toMatchObject({ code: 1, items: [{ outcome: 'parked' }] });
  expect(
    await bridge('effects', 'resolve', `invoice-paid:${given}`, '--as', 'cancelled', '--why', 'by hand'),
  ).toMatchObject({ code: 0 });
  const words = [given, '--invoice', '18642', '--why', 'by hand', '--yes'];
  expect(await replay(...words)).toMatchObject({ code: 1, items: [{ reasonCode: 'CANCELLED_FOR_ANOTHER' }] });
  expect(await replay(...words, '--by-hand')).toMatchObject({ code: 0, items: [{ outcome: 'recorded' }] });
  expect(await books(given)).toMatchObject({ recorded: '18642', state: 'cancelled', effects: 1 });
  expect(await ranFor(given)).toEqual([]);
}, 600_000);
