import type { SimulatorSettingsPatch } from './settings';
import { paymentOf, TestCaller } from './test-caller';

let callers: TestCaller[] = [];

async function start(settings: SimulatorSettingsPatch = {}): Promise<TestCaller> {
  const caller = await TestCaller.start(settings);
  callers.push(caller);
  return caller;
}

afterEach(async () => {
  await Promise.all(callers.map((caller) => caller.stop()));
  callers = [];
});

describe('logging in', () => {
  test('the token comes in the header and in the body', async () => {
    const caller = await start();
    const answer = await caller.logIn();
    expect(answer).toMatchObject({ status: 200, code: '0' });
    expect(answer.response.token).toMatch(/^[0-9a-f]{48}$/);
    expect(answer.headers.get('x-fm-data-access-token')).toBe(answer.response.token);
  });

  test('a wrong password is 212 and opens nothing', async () => {
    const caller = await start();
    expect(await caller.logIn('Shop', 'wrong')).toMatchObject({ status: 401, code: '212' });
    expect(caller.summary()).toMatchObject({
      sessions: { opened: 0, present: 0 },
      logins: { refused: 1, refusedByCode: { '212': 1 } },
    });
  });

  test('a refused login may be an HTML page', async () => {
    const caller = await start({ loginRefusedBody: 'html' });
    const answer = await caller.logIn('Shop', 'wrong');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('content-type')).toContain('text/html');
  });

  test('after the set number of failures even the right password is 214', async () => {
    const caller = await start({ lockoutAfterFailures: 2 });
    await caller.logIn('Shop', 'wrong');
    await caller.logIn('Shop', 'wrong');
    expect((await caller.logIn()).code).toBe('214');
  });

  test.each([undefined, 'Bearer abc', 'Basic', 'Basic !!!', `Basic ${Buffer.from('no colon').toString('base64')}`])(
    'Authorization %j is malformed: 1702',
    async (authorization) => {
      const caller = await start();
      const headers = {
        'Content-Type': 'application/json',
        ...(authorization === undefined ? {} : { Authorization: authorization }),
      };
      const answer = await caller.request('POST', '/fmi/data/v2/databases/Shop/sessions', { headers, body: '{}' });
      expect(answer).toMatchObject({ status: 401, code: '1702' });
    },
  );

  test('a body that is not announced as JSON is 415, also without any type', async () => {
    const caller = await start();
    const Authorization = `Basic ${Buffer.from('bridge:bridge').toString('base64')}`;
    for (const type of ['text/plain', 'application/jsonx']) {
      const headers = { Authorization, 'Content-Type': type };
      const answer = await caller.request('POST', '/fmi/data/v2/databases/Shop/sessions', { headers, body: '{}' });
      expect(answer.status).toBe(415);
    }
    const bare = await caller.request('POST', '/fmi/data/v2/databases/Shop/sessions', { headers: { Authorization } });
    expect(bare.status).toBe(415);
    expect(caller.summary().sessions.opened).toBe(0);
  });

  test.each([
    ['accepted', 200],
    ['refused', 400],
  ] as const)('a charset beside the content type is %s', async (contentTypeWithCharset, status) => {
    const caller = await start({ contentTypeWithCharset });
    const Authorization = `Basic ${Buffer.from('bridge:bridge').toString('base64')}`;
    const headers = { Authorization, 'Content-Type': 'application/json; charset=utf-8' };
    const answer = await caller.request('POST', '/fmi/data/v2/databases/Shop/sessions', { headers, body: '{}' });
    expect(answer.status).toBe(status);
  });

  test('a file that does not exist is 802', async () => {
    const caller = await start();
    expect((await caller.logIn('Nowhere')).code).toBe('802');
  });
});

describe('the cap', () => {
  test.each([
    ['812', 500],
    ['956', 503],
  ])(
    'one session too many is code %s with status %i, and the peak stays at the cap',
    async (capacityCode, capacityHttpStatus) => {
      const caller = await start({ sessionsMax: 2, capacityCode, capacityHttpStatus });
      const answers = await Promise.all([caller.logIn(), caller.logIn(), caller.logIn()]);
      expect(answers.map(({ status, code }) => `${status} ${code}`).sort()).toEqual(
        ['200 0', '200 0', `${capacityHttpStatus} ${capacityCode}`].sort(),
      );
      expect(caller.summary().sessions).toMatchObject({ present: 2, peak: 2, opened: 2 });
    },
  );

  test('logging out makes room at once', async () => {
    const caller = await start({ sessionsMax: 1 });
    const token = await caller.token();
    expect((await caller.logOut(token)).code).toBe('0');
    expect((await caller.logIn()).code).toBe('0');
  });

  test('a leaked session holds its place until it has been idle long enough', async () => {
    const caller = await start({ sessionsMax: 1 });
    await caller.token();
    await caller.control('POST', '/clock', { advanceSeconds: 899 });
    expect((await caller.logIn()).code).toBe('812');
    await caller.control('POST', '/clock', { advanceSeconds: 1 });
    expect((await caller.logIn()).code).toBe('0');
    expect(caller.summary().sessions.endedBy.idle).toBe(1);
  });
});

describe('the life of a token', () => {
  test('every call slides the expiry', async () => {
    const caller = await start();
    const token = await caller.token();
    for (let round = 0; round < 3; round += 1) {
      await caller.control('POST', '/clock', { advanceSeconds: 800 });
      expect((await caller.call(token, 'GET', '/layouts')).code).toBe('0');
    }
    await caller.control('POST', '/clock', { advanceSeconds: 900 });
    expect(await caller.call(token, 'GET', '/layouts')).toMatchObject({ status: 401, code: '952' });
  });

  test.each([
    [true, '0'],
    [false, '952'],
  ])('with validateExtendsSession %j a validated token answers %s later', async (validateExtendsSession, code) => {
    const caller = await start({ validateExtendsSession });
    const token = await caller.token();
    await caller.control('POST', '/clock', { advanceSeconds: 800 });
    expect((await caller.validate(token)).code).toBe('0');
    await caller.control('POST', '/clock', { advanceSeconds: 800 });
    expect((await caller.validate(token)).code).toBe(code);
  });

  test('a token works only with the spelling of the database name it was opened with', async () => {
    const caller = await start();
    for (const [opened, other] of [
      ['Shop', 'shop'],
      ['shop', 'Shop'],
    ] as const) {
      const { response } = await caller.logIn(opened);
      const headers = { Authorization: `Bearer ${String(response.token)}` };
      const layouts = (name: string) => caller.request('GET', `/fmi/data/v2/databases/${name}/layouts`, { headers });
      expect((await layouts(other)).code).toBe('952');
      expect((await layouts(opened)).code).toBe('0');
    }
  });

  test('a token of one file is invalid in another', async () => {
    const caller = await start();
    await caller.control('PUT', '/databases/Other', { tables: { t: [{ name: 'f' }] }, layouts: { t: { table: 't' } } });
    const headers = { Authorization: `Bearer ${await caller.token()}` };
    expect((await caller.request('GET', '/fmi/data/v2/databases/Other/layouts', { headers })).code).toBe('952');
  });

  test('a token works in v1, v2 and vLatest and nowhere else', async () => {
    const caller = await start();
    const headers = { Authorization: `Bearer ${await caller.token()}` };
    for (const version of ['v1', 'v2', 'vLatest']) {
      expect((await caller.request('GET', `/fmi/data/${version}/databases/Shop/layouts`, { headers })).code).toBe('0');
    }
    expect((await caller.request('GET', '/fmi/data/v3/databases/Shop/layouts', { headers })).status).toBe(404);
  });

  test('a missing or malformed bearer header is 1702, an unknown token 952', async () => {
    const caller = await start();
    expect((await caller.request('GET', '/fmi/data/v2/validateSession')).code).toBe('1702');
    const headers = { Authorization: 'Token abc' };
    expect((await caller.request('GET', '/fmi/data/v2/validateSession', { headers })).code).toBe('1702');
    expect((await caller.validate('abc')).code).toBe('952');
  });

  test('productInfo needs no credentials and costs no session', async () => {
    const caller = await start();
    expect((await caller.request('GET', '/fmi/data/v2/productInfo')).response).toMatchObject({
      productInfo: { version: '22.0.4' },
    });
    expect(caller.summary().sessions.opened).toBe(0);
  });
});

describe('one request at a time', () => {
  test('a second request on a token waits for the first and is counted as an overlap', async () => {
    const caller = await start({ holdScripts: 'before-commit' });
    await caller.addInvoices('1');
    const token = await caller.token();
    const first = caller.script(token, paymentOf('1'));
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    let secondAnswered = false;
    const second = caller.call(token, 'GET', '/layouts').then((answer) => {
      secondAnswered = true;
      return answer;
    });
    await caller.simulator.books.waitFor({ requests: 3 }, 30_000);
    expect((await caller.validate(token)).response.isSessionInUse).toBe(true);
    expect(secondAnswered).toBe(false);
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    expect((await first).code).toBe('0');
    expect((await second).code).toBe('0');
    expect((await caller.validate(token)).response.isSessionInUse).toBe(false);
    expect(caller.summary().overlaps).toBe(1);
  });

  test('two tokens run side by side', async () => {
    const caller = await start({ holdScripts: 'before-commit' });
    await caller.addInvoices('1', '2');
    const runs = [
      caller.script(await caller.token(), paymentOf('1')),
      caller.script(await caller.token(), paymentOf('2')),
    ];
    expect(await caller.simulator.books.waitFor({ running: 2 }, 30_000)).toBe(true);
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    await Promise.all(runs);
    expect(caller.summary()).toMatchObject({ overlaps: 0, effectsApplied: 2 });
  });

  test('older servers answer validateSession without the flag', async () => {
    const caller = await start({ isSessionInUseFlag: 'absent' });
    expect((await caller.validate(await caller.token())).response).toEqual({});
  });

  test('validateSession may queue behind the running script', async () => {
    const caller = await start({ holdScripts: 'before-commit', validateWhileRunning: 'queues' });
    await caller.addInvoices('1');
    const token = await caller.token();
    const run = caller.script(token, paymentOf('1'));
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    const order: string[] = [];
    const validated = caller.validate(token).then((answer) => {
      order.push(`validated, in use ${String(answer.response.isSessionInUse)}`);
    });
    await caller.simulator.books.waitFor({ requests: 3 }, 30_000);
    order.push('released');
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    await Promise.all([run, validated]);
    expect(order).toEqual(['released', 'validated, in use false']);
  });
});

describe('ending a session in the middle of a script', () => {
  async function inTheMiddle(
    settings: SimulatorSettingsPatch,
  ): Promise<{ caller: TestCaller; token: string; run: ReturnType<TestCaller['script']> }> {
    const caller = await start({ holdScripts: 'before-commit', ...settings });
    await caller.addInvoices('1');
    const token = await caller.token();
    const run = caller.script(token, paymentOf('1'));
    await caller.simulator.books.waitFor({ running: 1 }, 30_000);
    return { caller, token, run };
  }

  test('DELETE answers 112 to the call in it, and the script goes on where the switch says so', async () => {
    const { caller, token, run } = await inTheMiddle({ deleteDuringScript: 'survives' });
    expect((await caller.logOut(token)).code).toBe('0');
    expect((await run).code).toBe('112');
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    expect(await caller.simulator.books.waitFor({ applied: 1 }, 30_000)).toBe(true);
    expect(caller.summary()).toMatchObject({ deletedInUse: 1, appliedUnheard: 1 });
  });

  test('DELETE cuts the script where the switch says so, and nothing of it stays', async () => {
    const { caller, token, run } = await inTheMiddle({ deleteDuringScript: 'cut' });
    await caller.logOut(token);
    expect((await run).code).toBe('112');
    await caller.simulator.books.waitFor({ idle: true }, 30_000);
    expect(caller.summary()).toMatchObject({ effectsApplied: 0, cut: 1 });
    expect(await caller.rows('log')).toEqual([]);
  });

  test('DELETE waits for the script where the switch says so', async () => {
    const { caller, token, run } = await inTheMiddle({ deleteDuringScript: 'waits' });
    const out = caller.logOut(token);
    await caller.simulator.books.waitFor({ requests: 3 }, 30_000);
    await caller.control('POST', '/settings', { holdScripts: 'none' });
    expect((await run).code).toBe('0');
    expect((await out).code).toBe('0');
    expect(caller.summary().sessions.present).toBe(0);
  });

  test.each([
    [true, 1, 0],
    [false, 0, 1],
  ])(
    'a script longer than the idle time keeps its session alive: %j',
    async (runningScriptKeepsSession, present, idle) => {
      const { caller, run } = await inTheMiddle({ runningScriptKeepsSession });
      await caller.control('POST', '/clock', { advanceSeconds: 1_000 });
      expect(caller.summary().sessions).toMatchObject({ present, endedBy: { idle } });
      await caller.control('POST', '/settings', { holdScripts: 'none' });
      expect((await run).code).toBe(runningScriptKeepsSession ? '0' : '112');
    },
  );
});
