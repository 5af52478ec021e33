import fc from 'fast-check';
import { createFileMakerSimulator } from './filemaker-simulator';
import { maskPath } from './request-log';
import type { SimulatorSettingsPatch } from './settings';
import { paymentOf, TestCaller } from './test-caller';

let callers: TestCaller[] = [];

async function setup(settings: SimulatorSettingsPatch = {}): Promise<TestCaller> {
  const caller = await TestCaller.start(settings);
  callers.push(caller);
  return caller;
}

afterEach(async () => {
  await Promise.all(callers.map((caller) => caller.stop()));
  callers = [];
});

describe('the control API', () => {
  test('wait answers when so many effects are applied, and says so when they are not', async () => {
    const caller = await setup();
    await caller.addInvoices('1');
    const token = await caller.token();
    expect(await caller.control('GET', '/wait?applied=1&timeoutMs=20')).toMatchObject({ reached: false });
    const waiting = caller.control('GET', '/wait?applied=1&idle=true&timeoutMs=30000');
    await caller.script(token, paymentOf('1'));
    expect(await waiting).toMatchObject({ reached: true, summary: { effectsApplied: 1, running: 0 } });
  });

  test('wait can stand in the middle of running scripts', async () => {
    const caller = await setup({ holdScripts: 'before-commit' });
    await caller.addInvoices('1');
    const run = caller.script(await caller.token(), paymentOf('1'));
    expect(await caller.control('GET', '/wait?running=1')).toMatchObject({
      reached: true,
      summary: { running: 1, effectsApplied: 0 },
    });
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    expect((await run).code).toBe('0');
  });

  test('the books hold runs, logins and applied effects per key and invoice, and never a token', async () => {
    const caller = await setup();
    await caller.addInvoices('1');
    const token = await caller.token();
    await caller.script(token, paymentOf('1'));
    const books = await caller.control('GET', '/books');
    expect(books).toMatchObject({
      applied: { 'invoice-paid:cs_1': 1 },
      appliedByInvoice: { '1': 1 },
      logins: [{ seq: 1, ok: true, code: '0', session: 1 }],
      runs: [{ seq: 1, session: 1, transport: 'get' }],
      summary: { requests: { byEndpoint: { login: 1, script: 1 } } },
    });
    expect(JSON.stringify(books)).not.toContain(token);
  });

  test.each([
    ['POST', '/settings', { sessionMax: 3 }],
    ['POST', '/settings', { sessionsMax: -1 }],
    ['POST', '/trouble', { kind: 'nothing' }],
    ['POST', '/trouble', { kind: 'cut' }],
    ['POST', '/restart', { downMs: 0 }],
    ['POST', '/databases/Shop/tables/invoices/records', { records: [{ nothing: 1 }] }],
    ['PUT', '/databases/X', { tables: {} }],
  ])('%s %s with %j is refused with the reason, and changes nothing', async (method, path, body) => {
    const caller = await setup();
    const before = await caller.control('GET', '/settings');
    const answer = await fetch(`${caller.url}/_simulator${path}`, { method, body: JSON.stringify(body) });
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error.length).toBeGreaterThan(0);
    expect(await caller.control('GET', '/settings')).toEqual(before);
    expect(await caller.control('GET', '/trouble')).toEqual({ troubles: [] });
  });

  test('an unknown control, database or table is 404', async () => {
    const caller = await setup();
    for (const path of ['/nothing', '/databases/X/tables/t/records', '/databases/Shop/tables/t/records']) {
      expect((await fetch(`${caller.url}/_simulator${path}`)).status).toBe(404);
    }
  });

  test('reset makes everything as freshly started, and cuts what runs', async () => {
    const caller = await setup({ sessionsMax: 3, holdScripts: 'before-commit' });
    await caller.addInvoices('1');
    const token = await caller.token();
    const run = caller.script(token, paymentOf('1')).catch((error: Error) => error.message);
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    await caller.control('POST', '/settings', { sessionsMax: 1 });
    await caller.control('POST', '/trouble', { kind: 'html', on: ['login'] });
    await caller.control('POST', '/reset');
    await run;
    expect(await caller.control('GET', '/settings')).toMatchObject({ sessionsMax: 3 });
    expect(await caller.control('GET', '/trouble')).toEqual({ troubles: [] });
    expect(caller.summary()).toMatchObject({
      runs: 0,
      running: 0,
      effectsApplied: 0,
      sessions: { opened: 0, present: 0 },
      requests: { total: 0 },
    });
    expect(await caller.rows('invoices')).toEqual([]);
  });

  test('a database of one’s own can be defined and used', async () => {
    const caller = await setup();
    await caller.control('PUT', '/databases/Other', {
      tables: { t: [{ name: 'seen' }, { name: 'unseen' }] },
      layouts: { narrow: { table: 't', fields: ['seen'] } },
    });
    const { response } = await caller.logIn('Other');
    const headers = { Authorization: `Bearer ${String(response.token)}`, 'Content-Type': 'application/json' };
    const path = '/fmi/data/v2/databases/Other/layouts/narrow/records';
    expect((await caller.request('POST', path, { headers, body: '{"fieldData":{"unseen":"x"}}' })).code).toBe('102');
    expect((await caller.request('POST', path, { headers, body: '{"fieldData":{"seen":"x"}}' })).code).toBe('0');
  });

  test('stop accepting connections: refused until the time is over, then the same port answers', async () => {
    const caller = await setup();
    await caller.control('POST', '/down', { forMs: 3_000, mode: 'refuse' });
    const patience = performance.now() + 60_000;
    const seen = new Set<unknown>();
    while (!seen.has(200) && performance.now() < patience) {
      const call = caller.request('GET', '/fmi/data/v2/productInfo');
      seen.add(await call.then(({ status }) => status).catch((error: Error) => (error.cause as { code: string }).code));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([...seen].filter((sight) => sight !== 'ECONNRESET' && sight !== 'UND_ERR_SOCKET')).toEqual([
      'ECONNREFUSED',
      200,
    ]);
  }, 90_000);

  test('a closed simulator refuses connections, and closing twice is fine', async () => {
    const simulator = createFileMakerSimulator();
    const { url } = await simulator.listen();
    expect((await fetch(`${url}/fmi/data/v2/productInfo`)).status).toBe(200);
    await simulator.close();
    await simulator.close();
    await expect(fetch(`${url}/fmi/data/v2/productInfo`)).rejects.toThrow('fetch failed');
  });

  test('logged paths carry neither tokens nor parameters', () => {
    expect(maskPath('/fmi/data/v2/databases/Shop/sessions/abc123')).toBe('/fmi/data/v2/databases/Shop/sessions/***');
    expect(maskPath('/x/script/S?script.param=%7B%22email%22')).toBe('/x/script/S');
  });
});

// The books are the oracle of every other test: whatever goes wrong, they must agree with what the tables hold.
describe('the books agree with the tables', () => {
  const trouble = fc.oneof(
    fc.constantFrom(
      { kind: 'cut', when: 'before' },
      { kind: 'cut', when: 'after' },
      { kind: 'html' },
      { kind: 'html', when: 'after' },
      { kind: 'truncate' },
    ),
    fc.constantFrom(
      { kind: 'kill', script: 'survives' },
      { kind: 'kill', script: 'cut' },
      { kind: 'commit-error', code: 509 },
      { kind: 'script-error', code: 3 },
    ),
    fc.constantFrom(
      { kind: 'refuse', code: 952 },
      { kind: 'result', result: 'missing' },
      { kind: 'restart' },
      { kind: 'none' },
    ),
  );
  const steps = fc.array(fc.record({ invoice: fc.constantFrom('1', '2'), trouble }), { minLength: 1, maxLength: 8 });

  test.each(['kit', 'plain'] as const)('for any row of calls and troubles, with %s scripts', async (form) => {
    const caller = await setup({
      commitAtFraction: 0.5,
      scriptMs: 2,
      scripts: { STRIPE_PAYMENTLINK_SUCCESS: { form, effect: 'paid' } },
    });
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        await caller.control('POST', '/reset');
        await caller.addInvoices('1', '2');
        for (const step of plan) {
          const token = await caller.token();
          const strike = step.trouble.kind;
          if (strike !== 'restart' && strike !== 'none')
            await caller.control('POST', '/trouble', { ...step.trouble, on: ['run'] });
          const call = caller.script(token, paymentOf(step.invoice)).catch((error: Error) => error.message);
          if (strike === 'restart') await caller.control('POST', '/restart');
          await call;
          await caller.control('DELETE', '/trouble');
        }
        await caller.simulator.books.waitFor({ idle: true }, 30_000);
        const { books } = caller.simulator;
        const logged = (await caller.rows('log')).map((row) => row.fields.idempotency_key);
        for (const { fields } of await caller.rows('invoices')) {
          const applied = books.appliedByInvoice.get(String(fields.invoice_id)) ?? 0;
          expect(Number(fields.paid_cents ?? 0)).toBe(applied * 18_000);
          if (form === 'kit') expect(applied).toBe(logged.includes(`invoice-paid:cs_${fields.invoice_id}`) ? 1 : 0);
        }
        const flagged = books.runs.filter((run) => run.effectApplied).length;
        expect(flagged).toBe(caller.summary().effectsApplied);
      }),
      { numRuns: 25 },
    );
  });
});
