import { createHash } from 'node:crypto';
import type { SimulatorSettingsPatch } from '../settings';
import { kitAnswer, paymentOf, TestCaller } from '../test-caller';

let callers: TestCaller[] = [];

async function setup(settings: SimulatorSettingsPatch = {}): Promise<{ caller: TestCaller; token: string }> {
  const caller = await TestCaller.start(settings);
  callers.push(caller);
  await caller.addInvoices('18637');
  return { caller, token: await caller.token() };
}

afterEach(async () => {
  await Promise.all(callers.map((caller) => caller.stop()));
  callers = [];
});

const PLAIN: SimulatorSettingsPatch = { scripts: { STRIPE_PAYMENTLINK_SUCCESS: { form: 'plain', effect: 'paid' } } };
const KEY = 'invoice-paid:cs_18637';

describe('a kit script', () => {
  test('marks the invoice paid, deducts stock and logs the run in one transaction', async () => {
    const { caller, token } = await setup();
    await caller.control('POST', '/databases/Shop/tables/stock/records', { fieldData: { code: 'L2999', on_hand: 10 } });
    const items = [
      { code: 'L2999', quantity: '2' },
      { code: 'L2999', quantity: '1' },
      { code: 'unknown', quantity: '1' },
    ];
    const payload = paymentOf('18637', KEY, { items, checkout_session_id: 'cs_18637', payment_intent_id: 'pi_1' });
    const answer = await caller.script(token, payload);
    expect(answer.response.scriptError).toBe('0');
    expect(kitAnswer(answer)).toEqual({
      v: 1,
      ok: true,
      code: 0,
      key: KEY,
      ran: true,
      duplicate: false,
      invoice: '18637',
      logId: '1',
    });
    expect((await caller.rows('invoices'))[0]?.fields).toMatchObject({
      status: 'paid',
      paid_cents: '18000',
      stripe_session_id: 'cs_18637',
      payment_intent_id: 'pi_1',
    });
    expect((await caller.rows('stock'))[0]?.fields.on_hand).toBe('7');
    const hash = createHash('sha256').update(payload).digest('hex');
    expect((await caller.rows('log'))[0]?.fields).toMatchObject({
      idempotency_key: KEY,
      state: 'done',
      payload_hash: hash,
      invoice_id: '18637',
    });
    expect(caller.simulator.books.runs[0]).toMatchObject({
      key: KEY,
      invoiceId: '18637',
      payload,
      sha256: hash,
      transport: 'get',
      effectApplied: true,
    });
  });

  test.each([
    ['none', {}, ''],
    ['no address', { address: null }, ''],
    ['an address', { address: { city: 'Graz' } }, '{"city":"Graz"}'],
  ])('shipping with %s is kept as it is, and no word stands for nothing', async (_what, shipping, kept) => {
    const { caller, token } = await setup();
    await caller.script(token, paymentOf('18637', KEY, { shipping }));
    expect((await caller.rows('invoices'))[0]?.fields.ship_to).toBe(kept);
  });

  test('a second run with the same bytes is a duplicate and changes nothing', async () => {
    const { caller, token } = await setup();
    await caller.script(token, paymentOf('18637'));
    const before = await caller.rows('invoices');
    expect(kitAnswer(await caller.script(token, paymentOf('18637')))).toMatchObject({
      ok: true,
      duplicate: true,
      ran: true,
      logId: '1',
    });
    expect(await caller.rows('invoices')).toEqual(before);
    expect(caller.simulator.books.applied.get(KEY)).toBe(1);
  });

  test('the same key with other bytes is KEY_CONFLICT and changes nothing', async () => {
    const { caller, token } = await setup();
    await caller.script(token, paymentOf('18637'));
    const other = paymentOf('18637', KEY, { invoicetotal_cents: 1 });
    expect(kitAnswer(await caller.script(token, other))).toMatchObject({ ok: false, code: 'KEY_CONFLICT', ran: false });
    expect((await caller.rows('invoices'))[0]?.fields.paid_cents).toBe('18000');
  });

  test('a locked invoice is code 301 with ran false, and runs once it is free', async () => {
    const { caller, token } = await setup();
    await caller.control('POST', '/locks', { invoice: '18637', owner: 'Rhonda' });
    const refused = await caller.script(token, paymentOf('18637'));
    expect(refused).toMatchObject({ status: 200, code: '0' });
    expect(kitAnswer(refused)).toMatchObject({ ok: false, code: 301, ran: false, key: KEY });
    await caller.control('DELETE', '/locks');
    expect(kitAnswer(await caller.script(token, paymentOf('18637')))).toMatchObject({ ok: true, duplicate: false });
  });

  test('two sessions with one key at the same instant: one runs, the other meets the lock', async () => {
    const { caller, token } = await setup({ holdScripts: 'before-commit' });
    const first = caller.script(token, paymentOf('18637'));
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    expect(kitAnswer(await caller.script(await caller.token(), paymentOf('18637')))).toMatchObject({
      code: 301,
      ran: false,
    });
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    expect(kitAnswer(await first)).toMatchObject({ ok: true, duplicate: false });
    expect(caller.summary()).toMatchObject({ effectsApplied: 1, keysAppliedMoreThanOnce: [] });
  });

  test.each([
    ['no JSON', 'BAD_PARAM'],
    ['[]', 'BAD_PARAM'],
    ['{"invoice_id":"18637"}', 'BAD_PARAM'],
    ['{"idempotency_key":"k"}', 'BAD_PARAM'],
    ['{"handoff":"k"}', 'HANDOFF_MISSING'],
    ['{"idempotency_key":"k","invoice_id":"1"}', 101],
  ])('the parameter %j is refused as %j', async (parameter, code) => {
    const { caller, token } = await setup();
    expect(kitAnswer(await caller.script(token, parameter))).toMatchObject({ ok: false, code, ran: false });
    expect(caller.summary().effectsApplied).toBe(0);
  });

  test('a missing invoice is created where the switch says so', async () => {
    const { caller, token } = await setup({ missingInvoice: 'create' });
    expect(kitAnswer(await caller.script(token, paymentOf('7')))).toMatchObject({ ok: true });
    expect((await caller.rows('invoices'))[1]?.fields).toMatchObject({ invoice_id: '7', status: 'paid' });
  });

  test('a step that fails inside the transaction rolls everything back', async () => {
    const { caller, token } = await setup();
    await caller.control('POST', '/trouble', { kind: 'commit-error', code: 509, on: ['script'] });
    expect(kitAnswer(await caller.script(token, paymentOf('18637')))).toMatchObject({
      ok: false,
      code: 5000,
      ran: false,
    });
    expect(await caller.rows('log')).toEqual([]);
    expect((await caller.rows('invoices'))[0]?.fields.status).toBe('open');
    expect(kitAnswer(await caller.script(token, paymentOf('18637')))).toMatchObject({ ok: true, duplicate: false });
  });

  test('without transactions a cut script leaves a started row, which the next run reports', async () => {
    const { caller, token } = await setup({ kitTransactions: false, holdScripts: 'before-commit' });
    const run = caller.script(token, paymentOf('18637')).catch((error: Error) => error.message);
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    await caller.control('POST', '/restart', { scripts: 'cut' });
    expect(await run).toBe('fetch failed');
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    expect((await caller.rows('log'))[0]?.fields.state).toBe('started');
    expect(kitAnswer(await caller.script(await caller.token(), paymentOf('18637')))).toMatchObject({
      ok: false,
      code: 'STARTED_EARLIER',
      ran: true,
    });
    expect(caller.summary().effectsApplied).toBe(0);
  });

  test('without transactions a finished run still reads as done', async () => {
    const { caller, token } = await setup({ kitTransactions: false });
    expect(kitAnswer(await caller.script(token, paymentOf('18637')))).toMatchObject({ ok: true, logId: '1' });
    expect(kitAnswer(await caller.script(token, paymentOf('18637')))).toMatchObject({ ok: true, duplicate: true });
    expect((await caller.rows('log')).map((row) => row.fields.state)).toEqual(['done']);
  });

  test('a handled inner error shows in scriptError only where the switch says so', async () => {
    const { caller, token } = await setup({ handledErrorInScriptError: true });
    const answer = await caller.script(token, paymentOf('18637'));
    expect(answer.response.scriptError).toBe('401');
    expect(kitAnswer(answer)).toMatchObject({ ok: true });
  });

  test('unique keys may be passed by simultaneous commits, where the switch says so', async () => {
    const { caller, token } = await setup({ uniqueUnderSimultaneousCommits: 'racy', holdScripts: 'before-commit' });
    await caller.addInvoices('2');
    const runs = [
      caller.script(token, paymentOf('18637', 'k')),
      caller.script(await caller.token(), paymentOf('2', 'k')),
    ];
    await caller.simulator.books.waitFor({ running: 2 }, 30_000);
    await caller.control('POST', '/clock', { advanceMs: 10 });
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    await Promise.all(runs);
    expect(caller.simulator.books.applied.get('k')).toBe(2);
    expect(caller.summary().keysAppliedMoreThanOnce).toEqual(['k']);
  });

  test('the same race with strict validation ends in one effect and a conflict', async () => {
    const { caller, token } = await setup({ holdScripts: 'before-commit' });
    await caller.addInvoices('2');
    const runs = [
      caller.script(token, paymentOf('18637', 'k')),
      caller.script(await caller.token(), paymentOf('2', 'k')),
    ];
    await caller.simulator.books.waitFor({ running: 2 }, 30_000);
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    const codes = (await Promise.all(runs)).map((answer) => kitAnswer(answer).code);
    expect(codes.map(String).sort()).toEqual(['0', 'KEY_CONFLICT']);
    expect(caller.simulator.books.applied.get('k')).toBe(1);
  });

  test('refund and dispute are facts of their own with their own keys', async () => {
    const { caller, token } = await setup();
    await caller.script(token, paymentOf('18637'));
    const refund = JSON.stringify({
      invoice_id: '18637',
      refund_id: 're_1',
      amount: 3_000,
      idempotency_key: 'refund:re_1',
    });
    expect(kitAnswer(await caller.script(token, refund, 'STRIPE_REFUND'))).toMatchObject({
      ok: true,
      key: 'refund:re_1',
    });
    const dispute = JSON.stringify({
      invoice_id: '18637',
      dispute_id: 'dp_1',
      amount: 3_000,
      idempotency_key: 'dispute:dp_1',
    });
    expect(kitAnswer(await caller.script(token, dispute, 'STRIPE_DISPUTE'))).toMatchObject({
      ok: true,
      key: 'dispute:dp_1',
    });
    expect((await caller.rows('invoices'))[0]?.fields).toMatchObject({
      paid_cents: '18000',
      refunded_cents: '3000',
      disputed: 'dp_1',
    });
  });
});

describe('a plain script', () => {
  test('does the effect every time it is asked and answers free text', async () => {
    const { caller, token } = await setup(PLAIN);
    const answer = await caller.script(token, paymentOf('18637'));
    expect(answer.response).toEqual({ scriptError: '0', scriptResult: 'Invoice 18637 updated' });
    await caller.script(token, paymentOf('18637'));
    expect((await caller.rows('invoices'))[0]?.fields.paid_cents).toBe('36000');
    expect(caller.summary().keysAppliedMoreThanOnce).toEqual([KEY]);
    expect(await caller.rows('log')).toEqual([]);
  });

  test('may answer without any result', async () => {
    const { caller, token } = await setup({ ...PLAIN, plainScriptResult: 'empty' });
    expect((await caller.script(token, paymentOf('18637'))).response).toEqual({ scriptError: '0' });
  });

  test('a locked record and a missing invoice are scriptError 301 and 401 in an envelope that says 0', async () => {
    const { caller, token } = await setup(PLAIN);
    await caller.control('POST', '/locks', { invoice: '18637', owner: 'Rhonda' });
    expect(await caller.script(token, paymentOf('18637'))).toMatchObject({
      status: 200,
      code: '0',
      response: { scriptError: '301' },
    });
    expect((await caller.script(token, paymentOf('7'))).response).toEqual({ scriptError: '401' });
    expect(caller.summary().effectsApplied).toBe(0);
  });

  test('a record left open stays locked for the life of the session, where the switches say so', async () => {
    const { caller, token } = await setup({ ...PLAIN, plainScriptLeavesRecordOpen: true });
    await caller.script(token, paymentOf('18637'));
    const other = await caller.token();
    expect((await caller.script(other, paymentOf('18637'))).response.scriptError).toBe('301');
    await caller.logOut(token);
    expect((await caller.script(other, paymentOf('18637'))).response.scriptError).toBe('0');
  });

  test('a record left open is free with the script, where the switches say so', async () => {
    const { caller, token } = await setup({ ...PLAIN, plainScriptLeavesRecordOpen: true, openRecordLock: 'script' });
    await caller.script(token, paymentOf('18637'));
    expect((await caller.script(await caller.token(), paymentOf('18637'))).response.scriptError).toBe('0');
  });
});

describe('the script endpoint', () => {
  test('an unknown script is 104, an unknown layout 105, another verb 405', async () => {
    const { caller, token } = await setup();
    expect((await caller.script(token, '', 'NOTHING')).code).toBe('104');
    expect((await caller.call(token, 'GET', '/layouts/nothing/script/STRIPE_REFUND')).code).toBe('105');
    expect((await caller.call(token, 'POST', '/layouts/web_invoices/script/STRIPE_REFUND', {})).status).toBe(405);
    expect(caller.summary().runs).toBe(0);
  });

  test('each parameter may be given once', async () => {
    const { caller, token } = await setup();
    const path = '/layouts/web_invoices/script/STRIPE_REFUND?script.param=a&script.param=b';
    expect((await caller.call(token, 'GET', path)).code).toBe('960');
  });

  test('a URL over the limit gets no answer at all, or 414, and nothing runs', async () => {
    const { caller, token } = await setup();
    const long = paymentOf('18637', KEY, { note: 'x'.repeat(9_000) });
    await expect(caller.script(token, long)).rejects.toThrow('fetch failed');
    await caller.control('POST', '/settings', { oversizeRequestLine: '414' });
    expect((await caller.script(token, long)).status).toBe(414);
    await caller.control('POST', '/settings', { requestLineBytesMax: 20_000 });
    expect(kitAnswer(await caller.script(token, long))).toMatchObject({ ok: true });
    expect(caller.summary().runs).toBe(1);
  });

  test('above scriptSessionsMax a script is refused with 812 and does not run', async () => {
    const { caller, token } = await setup({ scriptSessionsMax: 1, holdScripts: 'before-commit' });
    const first = caller.script(token, paymentOf('18637'));
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    expect((await caller.script(await caller.token(), paymentOf('18637'))).code).toBe('812');
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    expect((await first).code).toBe('0');
    expect(caller.summary().runs).toBe(1);
  });
});
