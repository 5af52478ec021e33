import fc from 'fast-check';
import type { SimulatorSettingsPatch } from './settings';
import { kitAnswer, paymentOf, TestCaller } from './test-caller';

let callers: TestCaller[] = [];

async function setup(settings: SimulatorSettingsPatch = {}): Promise<{ caller: TestCaller; token: string }> {
  const caller = await TestCaller.start(settings);
  callers.push(caller);
  return { caller, token: await caller.token() };
}

afterEach(async () => {
  await Promise.all(callers.map((caller) => caller.stop()));
  callers = [];
});

const LOG = '/layouts/bridge_log/records';

describe('records', () => {
  test('ids and modification ids are strings, and an edit raises the modification id', async () => {
    const { caller, token } = await setup();
    const created = await caller.call(token, 'POST', LOG, { fieldData: { idempotency_key: 'k', attempt: 1 } });
    expect(created.response).toEqual({ recordId: '1', modId: '0' });
    expect((await caller.call(token, 'PATCH', `${LOG}/1`, { fieldData: { state: 'done' } })).response).toEqual({
      modId: '1',
    });
    const { response } = await caller.call(token, 'GET', `${LOG}/1`);
    expect(response.data).toEqual([
      expect.objectContaining({
        recordId: '1',
        modId: '1',
        fieldData: expect.objectContaining({ idempotency_key: 'k', state: 'done', attempt: 1 }),
      }),
    ]);
  });

  test('number fields may come back as text', async () => {
    const { caller, token } = await setup({ numbersAs: 'string' });
    await caller.call(token, 'POST', LOG, { fieldData: { idempotency_key: 'k', attempt: 1 } });
    const { response } = await caller.call(token, 'GET', `${LOG}/1`);
    expect(response.data).toEqual([expect.objectContaining({ fieldData: expect.objectContaining({ attempt: '1' }) })]);
  });

  test('an edit with an old modification id is 306 and changes nothing', async () => {
    const { caller, token } = await setup();
    await caller.call(token, 'POST', LOG, { fieldData: { idempotency_key: 'k' } });
    expect((await caller.call(token, 'PATCH', `${LOG}/1`, { fieldData: { state: 'a' }, modId: '0' })).code).toBe('0');
    expect((await caller.call(token, 'PATCH', `${LOG}/1`, { fieldData: { state: 'b' }, modId: '0' })).code).toBe('306');
    expect((await caller.rows('log'))[0]?.fields.state).toBe('a');
  });

  test('a locked record is 301 for edit and delete, and free again after the lock is gone', async () => {
    const { caller, token } = await setup();
    await caller.addInvoices('18637');
    await caller.control('POST', '/locks', { invoice: '18637', owner: 'Rhonda' });
    const path = '/layouts/web_invoices/records/1';
    expect((await caller.call(token, 'PATCH', path, { fieldData: { status: 'x' } })).code).toBe('301');
    expect((await caller.call(token, 'DELETE', path)).code).toBe('301');
    await caller.control('DELETE', '/locks', { invoice: '18637' });
    expect((await caller.call(token, 'DELETE', path)).code).toBe('0');
    expect((await caller.call(token, 'GET', path)).code).toBe('101');
  });

  test('a unique key that is taken is 504 and creates nothing', async () => {
    const { caller, token } = await setup();
    await caller.call(token, 'POST', LOG, { fieldData: { idempotency_key: 'k' } });
    const script = { options: { entrymode: 'script' } };
    for (const options of [{}, script]) {
      const again = await caller.call(token, 'POST', LOG, { fieldData: { idempotency_key: 'k' }, ...options });
      expect(again).toMatchObject({ status: 500, code: '504' });
    }
    expect(await caller.rows('log')).toHaveLength(1);
  });

  test('entrymode script passes by validation made for data entry', async () => {
    const { caller, token } = await setup();
    await caller.addInvoices('18637');
    const fieldData = { invoice_id: '18637' };
    const path = '/layouts/web_invoices/records';
    expect((await caller.call(token, 'POST', path, { fieldData })).code).toBe('504');
    expect((await caller.call(token, 'POST', path, { fieldData, options: { entrymode: 'script' } })).code).toBe('0');
  });

  test('entrymode script may pass by "Always validate" too, where the switch says so', async () => {
    const { caller, token } = await setup({ entryModeScriptBypassesAlwaysValidate: true });
    const body = { fieldData: { idempotency_key: 'k' }, options: { entrymode: 'script' } };
    await caller.call(token, 'POST', LOG, body);
    expect((await caller.call(token, 'POST', LOG, body)).code).toBe('0');
  });

  test.each([
    ['an unknown layout', 'POST', '/layouts/nothing/records', { fieldData: {} }, '105'],
    ['an unknown field', 'POST', LOG, { fieldData: { nothing: 'x' } }, '102'],
    ['no fieldData', 'POST', LOG, {}, '958'],
    ['a field value that is an object', 'POST', LOG, { fieldData: { state: {} } }, '960'],
    ['a required field left empty', 'POST', LOG, { fieldData: { state: 'x' } }, '509'],
    ['a record that is missing', 'PATCH', `${LOG}/99`, { fieldData: {} }, '101'],
    ['a verb the resource does not know', 'PATCH', LOG, {}, '1704'],
    ['a path that does not exist', 'POST', '/layouts/bridge_log/nothing', {}, '1700'],
    ['a body that is no object', 'POST', LOG, [], '1710'],
    [
      'an attached script that is missing',
      'POST',
      LOG,
      { fieldData: { idempotency_key: 'k' }, script: 'NOTHING' },
      '104',
    ],
  ])('%s is refused by its code', async (_what, method, path, body, code) => {
    const { caller, token } = await setup();
    expect((await caller.call(token, method, path, body)).code).toBe(code);
    expect(await caller.rows('log')).toEqual([]);
  });

  test('a layout hidden from the account is 105, whatever is in its table', async () => {
    const accounts = [{ name: 'bridge', password: 'bridge', hiddenLayouts: ['bridge_log'] }];
    const { caller, token } = await setup({ accounts });
    expect((await caller.find(token, 'bridge_log', { query: [{ idempotency_key: '*' }] })).code).toBe('105');
  });

  test('timestamps follow dateformats', async () => {
    const { caller, token } = await setup();
    await caller.addInvoices('1');
    await caller.script(token, paymentOf('1'));
    const shown = async (dateformats: number): Promise<string> => {
      const { response } = await caller.find(token, 'bridge_log', { query: [{ invoice_id: '==1' }], dateformats });
      return String((response.data as { fieldData: { started_at: string } }[])[0]?.fieldData.started_at);
    };
    expect(await shown(2)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
    expect(await shown(0)).toMatch(/^\d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d$/);
  });

  test('globals, layouts and scripts answer; names with a slash are percent-encoded', async () => {
    const { caller, token } = await setup();
    expect((await caller.call(token, 'PATCH', '/globals', { globalFields: { 'log::g': 'x' } })).code).toBe('0');
    expect((await caller.call(token, 'GET', '/scripts')).response.scripts).toContainEqual({
      name: 'STRIPE_REFUND',
      isFolder: false,
    });
    await caller.control('PUT', '/databases/Shop', {
      tables: { t: [{ name: 'f' }] },
      layouts: { 'a/b': { table: 't' } },
    });
    expect((await caller.call(token, 'POST', '/layouts/a%2Fb/records', { fieldData: { f: '1' } })).code).toBe('0');
  });
});

describe('find', () => {
  async function withKeys(count: number): Promise<{ caller: TestCaller; token: string }> {
    const bundle = await setup();
    const records = Array.from({ length: count }, (_, index) => ({
      idempotency_key: `key-${index}`,
      attempt: index % 7,
    }));
    await bundle.caller.control('POST', '/databases/Shop/tables/log/records', { records });
    return bundle;
  }

  const keysOf = (response: Readonly<Record<string, unknown>>): string[] =>
    (response.data as { fieldData: { idempotency_key: string } }[]).map((row) => row.fieldData.idempotency_key);

  test('nothing found is code 401, its status by setting', async () => {
    const { caller, token } = await setup();
    expect(await caller.find(token, 'bridge_log', { query: [{ state: 'x' }] })).toMatchObject({
      status: 500,
      code: '401',
    });
    await caller.control('POST', '/settings', { httpStatuses: { '401': 404 } });
    expect(await caller.find(token, 'bridge_log', { query: [{ state: 'x' }] })).toMatchObject({
      status: 404,
      code: '401',
    });
  });

  test('without a limit at most 100 rows come back, and foundCount tells of the others', async () => {
    const { caller, token } = await withKeys(150);
    const { response } = await caller.find(token, 'bridge_log', { query: [{ idempotency_key: 'key' }] });
    expect(keysOf(response)).toHaveLength(100);
    expect(response.dataInfo).toMatchObject({
      foundCount: 150,
      returnedCount: 100,
      totalRecordCount: 150,
      layout: 'bridge_log',
    });
  });

  test('limit and offset work as strings and as numbers, offset counts from 1', async () => {
    const { caller, token } = await withKeys(10);
    for (const range of [
      { limit: '2', offset: '4' },
      { limit: 2, offset: 4 },
    ]) {
      const { response } = await caller.find(token, 'bridge_log', { query: [{ idempotency_key: '*' }], ...range });
      expect(keysOf(response)).toEqual(['key-3', 'key-4']);
    }
    expect((await caller.find(token, 'bridge_log', { query: [{ idempotency_key: '*' }], offset: '0' })).code).toBe(
      '960',
    );
  });

  test('objects are OR-ed, keys inside one AND-ed, omit takes away', async () => {
    const { caller, token } = await withKeys(15);
    const query = [
      { attempt: '==3' },
      { attempt: '==5', idempotency_key: '==key-12' },
      { idempotency_key: '==key-3', omit: 'true' },
    ];
    const { response } = await caller.find(token, 'bridge_log', { query });
    expect(keysOf(response)).toEqual(['key-10', 'key-12']);
  });

  test('many keys are asked for in one call, and only those present come back', async () => {
    const { caller, token } = await withKeys(60);
    const asked = fc.uniqueArray(fc.integer({ min: 0, max: 119 }), { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(asked, async (numbers) => {
        const query = numbers.map((number) => ({ idempotency_key: `==key-${number}` }));
        const { response, code } = await caller.find(token, 'bridge_log', { query, limit: '200' });
        const present = numbers.filter((number) => number < 60).sort((a, b) => a - b);
        expect(code).toBe(present.length === 0 ? '401' : '0');
        if (present.length > 0) expect(keysOf(response)).toEqual(present.map((number) => `key-${number}`));
      }),
      { numRuns: 25 },
    );
  });

  test('for any data, AND, OR and omit agree with set arithmetic', async () => {
    const { caller, token } = await setup();
    const word = fc.constantFrom('red', 'green', 'blue');
    const rows = fc.array(fc.record({ state: word, script: word }), { minLength: 1, maxLength: 12 });
    const request = fc.record({ state: fc.option(word, { nil: undefined }), script: word, omit: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(rows, fc.array(request, { minLength: 1, maxLength: 4 }), async (data, requests) => {
        await caller.control('DELETE', '/databases/Shop/tables/log/records');
        const records = data.map((row, index) => ({ ...row, idempotency_key: `k${index}` }));
        await caller.control('POST', '/databases/Shop/tables/log/records', { records });
        let expected = new Set(requests[0]?.omit === true ? records.map((row) => row.idempotency_key) : []);
        for (const { state, script, omit } of requests) {
          const hit = records.filter((row) => (state === undefined || row.state === state) && row.script === script);
          const hits = new Set(hit.map((row) => row.idempotency_key));
          expected = new Set(omit ? [...expected].filter((key) => !hits.has(key)) : [...expected, ...hits]);
        }
        const query = requests.map(({ state, script, omit }) => ({
          ...(state === undefined ? {} : { state: `==${state}` }),
          script: `==${script}`,
          omit: String(omit),
        }));
        const { response, code } = await caller.find(token, 'bridge_log', { query });
        expect(code === '401' ? [] : keysOf(response)).toEqual(
          records.map((row) => row.idempotency_key).filter((key) => expected.has(key)),
        );
      }),
      { numRuns: 40 },
    );
  });

  test('! finds values that stand in more than one record', async () => {
    const { caller, token } = await withKeys(8);
    const { response } = await caller.find(token, 'bridge_log', { query: [{ attempt: '!' }] });
    expect(keysOf(response)).toEqual(['key-0', 'key-7']);
  });

  test('sort, both ways, and by number', async () => {
    const { caller, token } = await withKeys(9);
    const sort = [
      { fieldName: 'attempt', sortOrder: 'descend' },
      { fieldName: 'idempotency_key', sortOrder: 'ascend' },
    ];
    const { response } = await caller.find(token, 'bridge_log', {
      query: [{ idempotency_key: '*' }],
      sort,
      limit: '4',
    });
    expect(keysOf(response)).toEqual(['key-6', 'key-5', 'key-4', 'key-3']);
    const listed = await caller.call(
      token,
      'GET',
      `/layouts/bridge_log/records?_limit=1&_offset=9&_sort=${encodeURIComponent(JSON.stringify(sort))}`,
    );
    expect(keysOf(listed.response)).toEqual(['key-7']);
  });

  test('find does not respect case unless the switch says so', async () => {
    const { caller, token } = await withKeys(1);
    expect((await caller.find(token, 'bridge_log', { query: [{ idempotency_key: '==KEY-0' }] })).code).toBe('0');
    await caller.control('POST', '/settings', { findIgnoresCase: false });
    expect((await caller.find(token, 'bridge_log', { query: [{ idempotency_key: '==KEY-0' }] })).code).toBe('401');
  });

  test.each([
    [{ query: [{}] }, '400'],
    [{ query: [{ state: ' ' }] }, '400'],
    [{}, '958'],
    [{ query: 'x' }, '960'],
    [{ query: [{ nothing: 'x' }] }, '102'],
    [{ query: [{ state: 'x' }], sort: [{ fieldName: 'nothing' }] }, '102'],
    [{ query: [{ state: 'x' }], limit: 'many' }, '960'],
  ])('a find with %j is refused with %s', async (body, code) => {
    const { caller, token } = await setup();
    expect((await caller.find(token, 'bridge_log', body)).code).toBe(code);
  });
});

describe('creating a record with a script', () => {
  const handoff = (payload: string): Record<string, unknown> => ({
    fieldData: { idempotency_key: 'invoice-paid:cs_1', payload, script: 'STRIPE_PAYMENTLINK_SUCCESS', state: 'new' },
    script: 'STRIPE_PAYMENTLINK_SUCCESS',
    'script.param': JSON.stringify({ handoff: 'invoice-paid:cs_1' }),
  });

  test('the script reads the payload from the hand-off record and closes it in the same transaction', async () => {
    const { caller, token } = await setup();
    await caller.addInvoices('1');
    const payload = paymentOf('1', 'invoice-paid:cs_1', { note: 'x'.repeat(20_000) });
    const answer = await caller.call(token, 'POST', '/layouts/bridge_handoff/records', handoff(payload));
    expect(answer.response).toMatchObject({ recordId: '1', modId: '0', scriptError: '0' });
    expect(kitAnswer(answer)).toMatchObject({ ok: true, ran: true, key: 'invoice-paid:cs_1' });
    expect((await caller.rows('handoff'))[0]?.fields.state).toBe('done');
    expect(caller.simulator.books.runs[0]).toMatchObject({
      transport: 'handoff',
      payload,
      effectApplied: true,
      answer: 'answered',
    });
  });

  test('a pointer to a hand-off record of another key is refused, and nothing happens', async () => {
    const { caller, token } = await setup();
    await caller.addInvoices('1');
    const answer = await caller.call(
      token,
      'POST',
      '/layouts/bridge_handoff/records',
      handoff(paymentOf('1', 'another key')),
    );
    expect(kitAnswer(answer)).toMatchObject({ ok: false, code: 'BAD_PARAM', ran: false, key: 'invoice-paid:cs_1' });
    expect(caller.summary().effectsApplied).toBe(0);
  });

  test.each([
    ['skipped', 1, undefined],
    ['runs', 2, '0'],
    ['runs-unreported', 2, undefined],
  ] as const)('after a failed create the script is %s', async (scriptAfterFailedCreate, runs, scriptError) => {
    const { caller, token } = await setup({ scriptAfterFailedCreate });
    await caller.addInvoices('1');
    const body = handoff(paymentOf('1', 'invoice-paid:cs_1'));
    await caller.call(token, 'POST', '/layouts/bridge_handoff/records', body);
    const again = await caller.call(token, 'POST', '/layouts/bridge_handoff/records', body);
    expect(again.code).toBe('504');
    expect(again.response.scriptError).toBe(scriptError);
    expect(caller.summary()).toMatchObject({ runs, effectsApplied: 1 });
  });

  test('prerequest runs before the action, presort and script after it', async () => {
    const { caller, token } = await setup();
    await caller.addInvoices('1', '2', '3');
    const name = 'STRIPE_PAYMENTLINK_SUCCESS';
    const answer = await caller.call(token, 'POST', '/layouts/stock/records', {
      fieldData: { code: 'L2999' },
      'script.prerequest': name,
      'script.prerequest.param': paymentOf('1'),
      'script.presort': name,
      'script.presort.param': paymentOf('2'),
      script: name,
      'script.param': paymentOf('3'),
    });
    expect(answer.response).toMatchObject({
      scriptError: '0',
      'scriptError.prerequest': '0',
      'scriptError.presort': '0',
    });
    expect(caller.simulator.books.runs.map((run) => run.invoiceId)).toEqual(['1', '2', '3']);
  });
});
