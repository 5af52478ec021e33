import type { SimulatorSettingsPatch } from './settings';
import { kitAnswer, paymentOf, TestCaller } from './test-caller';
import type { TroubleRequest } from './trouble';

let callers: TestCaller[] = [];

async function setup(settings: SimulatorSettingsPatch = {}): Promise<{ caller: TestCaller; token: string }> {
  const caller = await TestCaller.start(settings);
  callers.push(caller);
  await caller.addInvoices('1', '2', '3');
  return { caller, token: await caller.token() };
}

async function plan(caller: TestCaller, ...troubles: TroubleRequest[]): Promise<void> {
  await caller.control('POST', '/trouble', troubles);
}

afterEach(async () => {
  await Promise.all(callers.map((caller) => caller.stop()));
  callers = [];
});

describe('answers that are cut', () => {
  test('cut before: the caller hears nothing and nothing ran', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'cut', when: 'before', on: ['run'] });
    await expect(caller.script(token, paymentOf('1'))).rejects.toThrow('fetch failed');
    expect(caller.summary()).toMatchObject({ runs: 0, effectsApplied: 0 });
    expect(kitAnswer(await caller.script(token, paymentOf('1')))).toMatchObject({ duplicate: false });
  });

  test('cut after: the caller hears nothing, the effect is there, the books know both', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'cut', when: 'after', on: ['run'] });
    await expect(caller.script(token, paymentOf('1'))).rejects.toThrow('fetch failed');
    expect(await caller.simulator.books.waitFor({ applied: 1, unheard: 1 }, 30_000)).toBe(true);
    expect(caller.simulator.books.runs[0]).toMatchObject({ effectApplied: true, answer: 'unheard', end: 'finished' });
    expect(kitAnswer(await caller.script(token, paymentOf('1')))).toMatchObject({ duplicate: true });
    expect(caller.summary()).toMatchObject({ appliedUnheard: 1, effectsApplied: 1 });
  });

  test('a login that is cut after it happened leaks its session', async () => {
    const { caller } = await setup();
    await plan(caller, { kind: 'cut', when: 'after', on: ['login'] });
    await expect(caller.logIn()).rejects.toThrow('fetch failed');
    expect(caller.summary().sessions.present).toBe(2);
  });

  test('truncate: half of the answer, then the end', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'truncate', on: ['script'] });
    await expect(caller.script(token, paymentOf('1'))).rejects.toThrow('terminated');
    expect(await caller.simulator.books.waitFor({ applied: 1, unheard: 1 }, 30_000)).toBe(true);
  });

  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)('hang %s: never an answer, %i effects', async (when, effects) => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'hang', when, on: ['script'] });
    const patience = new AbortController();
    const call = caller.script(token, paymentOf('1'), undefined, patience.signal).catch((error: Error) => error.name);
    await caller.simulator.books.waitFor({ requests: 2, applied: effects, unheard: effects }, 30_000);
    patience.abort();
    expect(await call).toBe('AbortError');
    expect(caller.summary().effectsApplied).toBe(effects);
  });

  test('the caller gives up while the script runs: the session stays in use until it ends', async () => {
    const { caller, token } = await setup({ holdScripts: 'before-commit' });
    const patience = new AbortController();
    const call = caller.script(token, paymentOf('1'), undefined, patience.signal).catch((error: Error) => error.name);
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    patience.abort();
    expect(await call).toBe('AbortError');
    await caller.simulator.books.waitFor({ unheard: 1 }, 30_000);
    expect((await caller.validate(token)).response.isSessionInUse).toBe(true);
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    await caller.simulator.books.waitFor({ applied: 1, idle: true }, 30_000);
    expect((await caller.validate(token)).response.isSessionInUse).toBe(false);
    expect(caller.summary().appliedUnheard).toBe(1);
  });

  test('where the switch says so, giving up cuts the script', async () => {
    const { caller, token } = await setup({ holdScripts: 'before-commit', clientAbort: 'cut' });
    const patience = new AbortController();
    const call = caller.script(token, paymentOf('1'), undefined, patience.signal).catch((error: Error) => error.name);
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    patience.abort();
    await call;
    await caller.simulator.books.waitFor({ idle: true }, 30_000);
    expect(caller.simulator.books.runs[0]).toMatchObject({ end: 'cut', cutBy: 'client abort', effectApplied: false });
  });

  test.each([
    ['runs', 1],
    ['dropped', 0],
  ] as const)('a queued request whose caller left is %s', async (abandonedQueuedRequest, effects) => {
    const { caller, token } = await setup({ holdScripts: 'after-commit', abandonedQueuedRequest });
    const first = caller.script(token, paymentOf('1'));
    await caller.simulator.books.waitFor({ applied: 1 }, 30_000);
    const patience = new AbortController();
    const second = caller.script(token, paymentOf('2'), undefined, patience.signal).catch((error: Error) => error.name);
    await caller.simulator.books.waitFor({ requests: 3 }, 30_000);
    patience.abort();
    expect(await second).toBe('AbortError');
    const third = caller.script(token, paymentOf('3'));
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    await Promise.all([first, third]);
    expect(caller.simulator.books.appliedByInvoice.get('2') ?? 0).toBe(effects);
  });
});

describe('answers that mislead', () => {
  test.each(['script', 'login', 'find'] as const)('a 502 page instead of an answer to %s', async (endpoint) => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'html', on: [endpoint] });
    const call = {
      script: () => caller.script(token, paymentOf('1')),
      login: () => caller.logIn(),
      find: () => caller.find(token, 'bridge_log', {}),
    };
    const answer = await call[endpoint]();
    expect(answer.status).toBe(502);
    expect(answer.text).toContain('<html>');
    expect(caller.summary().runs).toBe(0);
  });

  test('a 502 page may come after the script ran', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'html', when: 'after', on: ['script'] });
    expect((await caller.script(token, paymentOf('1'))).status).toBe(502);
    await caller.simulator.books.waitFor({ unheard: 1 }, 30_000);
    expect(caller.summary()).toMatchObject({ appliedUnheard: 1 });
  });

  test('401 with an HTML body', async () => {
    const { caller } = await setup();
    await plan(caller, { kind: 'html', httpStatus: 401, on: ['login'] });
    const answer = await caller.logIn();
    expect([answer.status, answer.headers.get('content-type')]).toEqual([401, expect.stringContaining('text/html')]);
  });

  test('HTTP 200 that carries an error code', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'refuse', code: 105, httpStatus: 200, on: ['script'] });
    expect(await caller.script(token, paymentOf('1'))).toMatchObject({ status: 200, code: '105' });
    expect(caller.summary().runs).toBe(0);
  });

  test('a script error without effect', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'script-error', code: 1212, on: ['run'] });
    expect(await caller.script(token, paymentOf('1'))).toMatchObject({ code: '0', response: { scriptError: '1212' } });
    expect(caller.simulator.books.runs[0]).toMatchObject({ key: 'invoice-paid:cs_1', effectApplied: false });
  });

  test.each(['missing', 'garbage', 'other-key'] as const)(
    'the result is %s although the effect is there',
    async (result) => {
      const { caller, token } = await setup();
      await plan(caller, { kind: 'result', result, on: ['script'] });
      const { response } = await caller.script(token, paymentOf('1'));
      if (result === 'missing') expect(response).toEqual({ scriptError: '0' });
      if (result === 'garbage') expect(() => JSON.parse(String(response.scriptResult))).toThrow(SyntaxError);
      if (result === 'other-key') expect(JSON.parse(String(response.scriptResult)).key).not.toBe('invoice-paid:cs_1');
      expect(caller.summary().effectsApplied).toBe(1);
    },
  );

  test('the effect is there without its row in the log, and the kit script says so', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'result', result: 'row-missing', on: ['script'] });
    const { response } = await caller.script(token, paymentOf('1'));
    expect(JSON.parse(String(response.scriptResult))).toMatchObject({ ok: false, ran: true, code: 'LOG_ROW_MISSING' });
    expect(caller.summary().effectsApplied).toBe(1);
    expect(await caller.rows('log')).toEqual([]);
  });

  test('the proxy gives up with 504 while the script goes on', async () => {
    const { caller, token } = await setup({ proxyReadTimeoutMs: 1_500, holdScripts: 'before-commit' });
    expect((await caller.script(token, paymentOf('1'))).status).toBe(504);
    expect(caller.summary().running).toBe(1);
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    await caller.simulator.books.waitFor({ idle: true }, 30_000);
    expect(caller.summary()).toMatchObject({ appliedUnheard: 1 });
  });

  test('slow: the call still ends well', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'slow', ms: 20, on: ['script'] });
    expect((await caller.script(token, paymentOf('1'))).code).toBe('0');
    expect(caller.summary().effectsApplied).toBe(1);
  });
});

describe('tokens and sessions in trouble', () => {
  test('a storm of 952 voids each token it strikes, and a fresh one works', async () => {
    const { caller, token } = await setup();
    const second = await caller.token();
    await plan(caller, { kind: 'refuse', code: 952, times: 2, on: ['script'] });
    expect((await caller.script(token, paymentOf('1'))).code).toBe('952');
    expect((await caller.script(second, paymentOf('1'))).code).toBe('952');
    expect((await caller.call(token, 'GET', '/layouts')).code).toBe('952');
    expect(caller.summary().sessions.present).toBe(0);
    expect((await caller.script(await caller.token(), paymentOf('1'))).code).toBe('0');
  });

  test('logins refused with a code, so many times', async () => {
    const { caller } = await setup();
    await plan(caller, { kind: 'refuse', code: 812, times: 2, on: ['login'] });
    expect([(await caller.logIn()).code, (await caller.logIn()).code, (await caller.logIn()).code]).toEqual([
      '812',
      '812',
      '0',
    ]);
    expect(caller.summary().logins).toEqual({ ok: 2, refused: 2, refusedByCode: { '812': 2 } });
  });

  test.each([
    ['survives', 1],
    ['cut', 0],
  ] as const)('a session killed in mid-call answers 112; its script %s', async (script, effects) => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'kill', script, on: ['script'] });
    expect((await caller.script(token, paymentOf('1'))).code).toBe('112');
    await caller.simulator.books.waitFor({ idle: true }, 30_000);
    expect(caller.summary().effectsApplied).toBe(effects);
    expect((await caller.validate(token)).code).toBe('952');
  });

  test('a fraction strikes the same calls for the same seed', async () => {
    const pattern = async (seed: number): Promise<string> => {
      const { caller, token } = await setup({ seed });
      await plan(caller, { kind: 'refuse', code: 802, times: null, fraction: 0.5, on: ['metadata'] });
      let codes = '';
      for (let call = 0; call < 30; call += 1)
        codes += (await caller.call(token, 'GET', '/layouts')).code === '0' ? '.' : 'x';
      return codes;
    };
    const first = await pattern(7);
    expect(await pattern(7)).toBe(first);
    expect(await pattern(8)).not.toBe(first);
    expect(first).toMatch(/x/);
    expect(first).toMatch(/\./);
  });

  test('a trouble may wait for one key, and end by itself', async () => {
    const { caller, token } = await setup();
    await plan(caller, { kind: 'refuse', code: 802, about: 'invoice-paid:cs_2', times: null, forMs: 60_000 });
    expect((await caller.script(token, paymentOf('1'))).code).toBe('0');
    expect((await caller.script(token, paymentOf('2'))).code).toBe('802');
    await caller.control('POST', '/clock', { advanceMs: 60_000 });
    expect((await caller.script(token, paymentOf('2'))).code).toBe('0');
  });
});

describe('the server goes away', () => {
  test.each([
    ['cut', 0],
    ['survives', 1],
  ] as const)('restart: tokens void, connections dropped, running scripts: %s', async (scripts, effects) => {
    const { caller, token } = await setup({ holdScripts: 'before-commit' });
    const call = caller.script(token, paymentOf('1')).catch((error: Error) => error.message);
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    expect(await caller.control('POST', '/restart', { scripts })).toEqual({ sessions: 1, scriptsCut: 1 - effects });
    expect(await call).toMatch(/fetch failed|terminated/);
    expect((await caller.call(token, 'GET', '/layouts')).code).toBe('952');
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    await caller.simulator.books.waitFor({ idle: true }, 30_000);
    expect(caller.summary()).toMatchObject({ effectsApplied: effects, appliedUnheard: effects });
  });

  test('a script cut after its commit has done its work', async () => {
    const { caller, token } = await setup({ holdScripts: 'after-commit' });
    const call = caller.script(token, paymentOf('1')).catch((error: Error) => error.message);
    await caller.simulator.books.waitFor({ applied: 1 }, 30_000);
    await caller.control('POST', '/restart', { scripts: 'cut' });
    await call;
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    expect(caller.simulator.books.runs[0]).toMatchObject({ end: 'cut', effectApplied: true, answer: 'unheard' });
    expect(kitAnswer(await caller.script(await caller.token(), paymentOf('1')))).toMatchObject({ duplicate: true });
  });

  test('down as 502: the web tier answers, the control API too, and up ends it', async () => {
    const { caller } = await setup();
    await caller.control('POST', '/restart', { downMs: 60_000 });
    expect((await caller.request('GET', '/fmi/data/v2/productInfo')).status).toBe(502);
    expect(await caller.control('POST', '/up')).toEqual({ up: true });
    expect((await caller.request('GET', '/fmi/data/v2/productInfo')).status).toBe(200);
  });

  test('down as reset: connections break without an answer', async () => {
    const { caller } = await setup();
    await caller.control('POST', '/down', { forMs: 60_000, mode: 'reset' });
    await expect(caller.request('GET', '/fmi/data/v2/productInfo')).rejects.toThrow('fetch failed');
    await caller.control('POST', '/up');
    expect((await caller.request('GET', '/fmi/data/v2/productInfo')).status).toBe(200);
  });

  test('a closed file voids its tokens and refuses logins until it is open again', async () => {
    const { caller, token } = await setup();
    await caller.control('POST', '/databases/Shop/close', { code: '100' });
    expect((await caller.call(token, 'GET', '/layouts')).code).toBe('952');
    expect((await caller.logIn()).code).toBe('100');
    await caller.control('POST', '/databases/Shop/open');
    expect((await caller.logIn()).code).toBe('0');
  });
});
