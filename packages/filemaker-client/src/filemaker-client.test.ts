import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import fc from 'fast-check';
import type { FileMakerClientOptions } from './client-options';
import { createFileMakerClient, type FileMakerClient } from './filemaker-client';
import { type FileMakerEndpoint, FileMakerError } from './filemaker-error';

const TOKEN = 'f00dfacecafe0123456789';
const PASSWORD = 'pä:ss wörd';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Reply {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body: unknown;
}

const cleanups: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const good = (response: unknown): Reply => ({ body: { response, messages: [{ code: '0', message: 'OK' }] } });
const bad = (code: string | number, status = 500, message = 'No'): Reply => ({
  status,
  body: { response: {}, messages: [{ code, message }] },
});
const html = (status: number): Reply => ({ status, body: '<html>Bad Gateway</html>' });

async function setup(reply: Reply | ((seen: Seen) => Reply), options: Partial<FileMakerClientOptions> = {}) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const one: Seen = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
      seen.push(one);
      const { status = 200, headers: extra = {}, body } = typeof reply === 'function' ? reply(one) : reply;
      response.writeHead(status, extra);
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createFileMakerClient({
    url: origin,
    database: 'Shop',
    username: 'brücke',
    password: PASSWORD,
    timeoutMs: 20_000,
    ...options,
  });
  cleanups.push(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { client, seen, origin };
}

async function failureOf(promise: Promise<unknown>): Promise<FileMakerError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof FileMakerError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

const CALLS: Record<FileMakerEndpoint, (client: FileMakerClient) => Promise<unknown>> = {
  login: (client) => client.login(),
  logout: (client) => client.logout(TOKEN),
  validateSession: (client) => client.validateSession(TOKEN),
  productInfo: (client) => client.productInfo(),
  runScript: (client) =>
    client.runScript(TOKEN, { layout: 'web', script: 'Run', parameter: '{"email":"a@b.example"}' }),
  createRecord: (client) => client.createRecord(TOKEN, { layout: 'web', fieldData: { email: 'a@b.example' } }),
  editRecord: (client) => client.editRecord(TOKEN, { layout: 'web', recordId: '7', fieldData: { a: 'b' } }),
  find: (client) => client.find(TOKEN, { layout: 'web', query: [{ email: '==a' }], limit: 2 }),
  layouts: (client) => client.layouts(TOKEN),
  scripts: (client) => client.scripts(TOKEN),
};
const ENDPOINTS = Object.keys(CALLS) as FileMakerEndpoint[];
const EFFECTS: FileMakerEndpoint[] = ['runScript', 'createRecord', 'editRecord'];

describe('what is sent', () => {
  test('login: UTF-8 basic credentials, an empty object, and exactly application/json', async () => {
    const { client, seen } = await setup(good({ token: TOKEN }));
    await expect(client.login()).resolves.toEqual({ token: TOKEN });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/fmi/data/v2/databases/Shop/sessions', body: '{}' });
    expect(seen[0]?.headers['content-type']).toBe('application/json');
    const [scheme, encoded] = (seen[0]?.headers.authorization ?? '').split(' ');
    expect(scheme).toBe('Basic');
    expect(Buffer.from(encoded ?? '', 'base64').toString('utf8')).toBe(`brücke:${PASSWORD}`);
  });

  test('login: the token of the header will do', async () => {
    const { client } = await setup({ ...good({}), headers: { 'X-FM-Data-Access-Token': TOKEN } });
    await expect(client.login()).resolves.toEqual({ token: TOKEN });
  });

  test.each<[FileMakerEndpoint, string, string, unknown]>([
    ['logout', 'DELETE', `/databases/Shop/sessions/${TOKEN}`, {}],
    ['validateSession', 'GET', '/validateSession', { isSessionInUse: false }],
    ['productInfo', 'GET', '/productInfo', { productInfo: {} }],
    [
      'runScript',
      'GET',
      '/databases/Shop/layouts/web/script/Run?script.param=%7B%22email%22%3A%22a%40b.example%22%7D',
      { scriptError: '0' },
    ],
    ['createRecord', 'POST', '/databases/Shop/layouts/web/records', { recordId: '1', modId: '0' }],
    ['editRecord', 'PATCH', '/databases/Shop/layouts/web/records/7', { modId: '1' }],
    ['find', 'POST', '/databases/Shop/layouts/web/_find', { data: [], dataInfo: { foundCount: 0 } }],
    ['layouts', 'GET', '/databases/Shop/layouts', { layouts: [] }],
    ['scripts', 'GET', '/databases/Shop/scripts', { scripts: [] }],
  ])('%s: %s %s, with the token only where it belongs', async (endpoint, method, path, response) => {
    const { client, seen } = await setup(good(response));
    await CALLS[endpoint](client);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method, url: `/fmi/data/v2${path}` });
    expect(seen[0]?.headers['content-type']).toBe('application/json');
    const carriesToken = endpoint !== 'productInfo' && endpoint !== 'logout';
    expect(seen[0]?.headers.authorization).toBe(carriesToken ? `Bearer ${TOKEN}` : undefined);
  });

  test('a find sends its limits as text, and the layout to answer with', async () => {
    const { client, seen } = await setup(good({ data: [], dataInfo: { foundCount: 0, returnedCount: 0 } }));
    await client.find(TOKEN, {
      layout: 'log',
      query: [{ key: '==a' }, { key: '==b' }],
      limit: 100,
      offset: 2,
      responseLayout: 'log small',
    });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      query: [{ key: '==a' }, { key: '==b' }],
      limit: '100',
      offset: '2',
      'layout.response': 'log small',
    });
  });

  test('a created record carries script and parameter in its body, unchanged', async () => {
    const { client, seen } = await setup(good({ recordId: 12, modId: 0, scriptError: 0, scriptResult: '{"ok":true}' }));
    const parameter = '{"name":"Zoë \\u0000 😀 \\"x\\""}';
    await expect(
      client.createRecord(TOKEN, { layout: 'in', fieldData: { key: 'k', n: 3 }, script: 'Run', parameter }),
    ).resolves.toEqual({ recordId: '12', modId: '0', script: { scriptError: '0', scriptResult: '{"ok":true}' } });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      fieldData: { key: 'k', n: 3 },
      script: 'Run',
      'script.param': parameter,
    });
  });

  test('an edit sends modId only when it is given', async () => {
    const { client, seen } = await setup(good({ modId: '4' }));
    await expect(
      client.editRecord(TOKEN, { layout: 'a', recordId: '7', fieldData: { x: '1' }, modId: '3' }),
    ).resolves.toEqual({ modId: '4' });
    await client.editRecord(TOKEN, { layout: 'a', recordId: '7', fieldData: { x: '1' } });
    expect(seen.map(({ body }) => JSON.parse(body))).toEqual([
      { fieldData: { x: '1' }, modId: '3' },
      { fieldData: { x: '1' } },
    ]);
  });

  test('scriptUrlLength is the length of the URL that is requested, and the server reads every name back', async () => {
    const { client, seen, origin } = await setup(good({ scriptError: '0' }));
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        name,
        name,
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        async (layout, script, parameter) => {
          await client.runScript(TOKEN, { layout, script, parameter });
          const url = seen.at(-1)?.url ?? '';
          expect(client.scriptUrlLength({ layout, script, parameter })).toBe(`${origin}${url}`.length);
          const [path = '', query = ''] = url.split('?');
          expect(path.split('/').slice(7).map(decodeURIComponent)).toEqual([layout, 'script', script]);
          expect(decodeURIComponent(query.replace('script.param=', ''))).toBe(parameter);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a path before /fmi is kept, in the request and in the length', async () => {
    const { client, seen, origin } = await setup(good({ scriptError: '0' }));
    const behind = createFileMakerClient({
      url: `${origin}/proxy/`,
      database: 'Shop',
      username: 'u',
      password: 'p',
      timeoutMs: 20_000,
    });
    cleanups.push(() => behind.close());
    const call = { layout: 'web', script: 'Run', parameter: 'x' };
    await behind.runScript(TOKEN, call);
    expect(seen[0]?.url).toBe('/proxy/fmi/data/v2/databases/Shop/layouts/web/script/Run?script.param=x');
    expect(behind.scriptUrlLength(call) - client.scriptUrlLength(call)).toBe('/proxy'.length);
  });
});

describe('what is read', () => {
  test.each([
    [{ isSessionInUse: true }, true],
    [{ isSessionInUse: 'false' }, false],
    [{}, undefined],
    [{ isSessionInUse: 'perhaps' }, undefined],
    [undefined, undefined],
  ])('validateSession: %j means %p', async (response, inUse) => {
    const { client } = await setup(good(response));
    await expect(client.validateSession(TOKEN)).resolves.toEqual({ inUse });
  });

  test('productInfo: what the server leaves out is undefined', async () => {
    const { client } = await setup(good({ productInfo: { name: 'FileMaker Data API Engine', version: 22.1 } }));
    await expect(client.productInfo()).resolves.toEqual({ name: 'FileMaker Data API Engine', version: '22.1' });
  });

  test('serverTime: the clock of the answer, or null where none is told', async () => {
    const date = 'Mon, 23 Nov 2026 05:00:00 GMT';
    const told = await setup({ ...good({ productInfo: {} }), headers: { date } });
    await expect(told.client.serverTime()).resolves.toEqual(new Date(date));
    const untold = await setup({ ...good({ productInfo: {} }), headers: { date: 'some day' } });
    await expect(untold.client.serverTime()).resolves.toBeNull();
  });

  test.each([undefined, {}, { productInfo: null }])(
    'productInfo: %j is an answer, and that is all it is asked for',
    async (response) => {
      const { client } = await setup(good(response));
      await expect(client.productInfo()).resolves.toEqual({});
    },
  );

  test.each([
    [
      { scriptError: '0', scriptResult: 'x' },
      { scriptError: '0', scriptResult: 'x' },
    ],
    [{ scriptError: 301 }, { scriptError: '301', scriptResult: undefined }],
    [
      { scriptError: '0', scriptResult: { ok: true } },
      { scriptError: '0', scriptResult: '{"ok":true}' },
    ],
  ])('runScript: %j, a script error is an answer and not an exception', async (response, answer) => {
    const { client } = await setup({ ...good(response), status: 500 });
    await expect(client.runScript(TOKEN, { layout: 'a', script: 'b', parameter: '' })).resolves.toEqual(answer);
  });

  test('find: numbers as text, and the records in hand are counted', async () => {
    const record = { recordId: 1, modId: '2', fieldData: { key: 'a', n: 5 }, portalData: {} };
    const { client } = await setup(good({ data: [record], dataInfo: { foundCount: '3', returnedCount: 3 } }));
    await expect(client.find(TOKEN, { layout: 'a', query: [{ key: '==a' }], limit: 1 })).resolves.toEqual({
      records: [{ recordId: '1', modId: '2', fieldData: { key: 'a', n: 5 } }],
      foundCount: 3,
      returnedCount: 1,
    });
  });

  test.each<[string, unknown, number, number | undefined, number, number]>([
    ['nothing', undefined, 0, undefined, 0, 0],
    ['no count', {}, 2, undefined, 2, 2],
    ['an empty count', { foundCount: null }, 2, undefined, 2, 2],
    ['no count of a full list', { database: 'Shop' }, 3, undefined, 4, 3],
    ['no count of a last page', {}, 1, 7, 7, 1],
    ['no count of a full page', {}, 3, 4, 7, 3],
  ])(
    'find: a server that tells %s of what it found is read by its records, and a full list is never all',
    async (_what, dataInfo, records, offset, foundCount, returnedCount) => {
      const data = Array.from({ length: records }, (_, index) => ({
        recordId: index,
        modId: 0,
        fieldData: { key: 'a' },
      }));
      const { client } = await setup(good({ data, ...(dataInfo === undefined ? {} : { dataInfo }) }));
      const found = await client.find(TOKEN, { layout: 'a', query: [{ key: '==a' }], limit: 3, offset });
      expect(found).toMatchObject({ foundCount, returnedCount });
      expect(found.records).toHaveLength(records);
    },
  );

  test('numbers where FileMaker writes text are read as the same text', async () => {
    const messages = [{ code: 0, message: 'OK' }];
    const response = { recordId: 12, modId: 3, scriptError: 0, data: [{ recordId: 12, modId: 3, fieldData: {} }] };
    const { client } = await setup({ body: { response, messages } });
    const call = { layout: 'a', fieldData: {} };
    await expect(client.createRecord(TOKEN, { ...call, script: 'Run' })).resolves.toEqual({
      recordId: '12',
      modId: '3',
      script: { scriptError: '0', scriptResult: undefined },
    });
    await expect(client.editRecord(TOKEN, { ...call, recordId: '12' })).resolves.toEqual({ modId: '3' });
    await expect(CALLS.find(client)).resolves.toMatchObject({ records: [{ recordId: '12', modId: '3' }] });
    const { client: other } = await setup({ status: 500, body: { messages: [{ code: 301 }] } });
    expect(await failureOf(CALLS.runScript(other))).toMatchObject({ apiCode: '301', code: 'FILEMAKER_RECORD_LOCKED' });
  });

  test.each([200, 400, 404, 500])('find: code 401 with HTTP %p is an empty result', async (status) => {
    const { client } = await setup(bad('401', status));
    await expect(CALLS.find(client)).resolves.toEqual({ records: [], foundCount: 0, returnedCount: 0 });
  });

  test('names are listed with their folders opened', async () => {
    const scripts = [
      { name: 'A', isFolder: false },
      {
        name: 'folder',
        isFolder: true,
        folderScriptNames: [{ name: 'B' }, { name: 'in', isFolder: true, folderScriptNames: [{ name: 'C' }] }],
      },
      { name: 'empty', isFolder: true },
      { name: 'A', isFolder: false },
    ];
    const layouts = [
      { name: 'web', table: 't' },
      { name: 'f', isFolder: true, folderLayoutNames: [{ name: 'log', table: '' }] },
    ];
    const { client } = await setup(good({ scripts, layouts }));
    await expect(client.scripts(TOKEN)).resolves.toEqual(['A', 'B', 'C', 'A']);
    await expect(client.layouts(TOKEN)).resolves.toEqual(['web', 'log']);
  });
});

describe('what went wrong', () => {
  test.each(ENDPOINTS)('%s: HTTP 200 with an error code is an error, sent once', async (endpoint) => {
    const { client, seen } = await setup(bad('105', 200));
    const error = await failureOf(CALLS[endpoint](client));
    expect(error).toMatchObject({
      endpoint,
      stage: 'refused',
      code: 'FILEMAKER_LAYOUT_MISSING',
      halt: 'layout-missing',
      apiCode: '105',
      httpStatus: 200,
    });
    expect(seen).toHaveLength(1);
  });

  test.each(ENDPOINTS)('%s: 952 is never repeated here', async (endpoint) => {
    const { client, seen } = await setup(bad(952, 401));
    const error = await failureOf(CALLS[endpoint](client));
    expect(error).toMatchObject({
      code: 'FILEMAKER_INVALID_TOKEN',
      resend: 'yes',
      session: endpoint === 'productInfo' ? 'keep' : 'drop',
    });
    expect(seen).toHaveLength(1);
  });

  test.each(ENDPOINTS)('%s: a web page instead of an answer is unheard, sent once', async (endpoint) => {
    for (const status of [200, 302, 401, 500, 502, 503, 504]) {
      const { client, seen } = await setup({ ...html(status), headers: { location: '/elsewhere' } });
      const error = await failureOf(CALLS[endpoint](client));
      expect(error).toMatchObject({
        stage: 'unheard',
        fault: 'answer-unreadable',
        httpStatus: status,
        resend: EFFECTS.includes(endpoint) ? 'check' : 'yes',
      });
      if (EFFECTS.includes(endpoint)) expect(error).toMatchObject({ code: 'FILEMAKER_UNHEARD', session: 'quarantine' });
      if (status >= 502) expect(error.circuit).toBe(true);
      expect(seen).toHaveLength(1);
    }
  });

  test.each<[string, unknown]>([
    ['an empty body', ''],
    ['half a body', '{"response":{"scriptError":"0"},"messages":[{"co'],
    ['another JSON', { error: 'bad gateway' }],
    ['no message', { response: { scriptError: '0' }, messages: [] }],
    ['no code', { response: { scriptError: '0' }, messages: [{ message: 'OK' }] }],
    ['no script error', { response: {}, messages: [{ code: '0' }] }],
    ['no response', { messages: [{ code: '0' }] }],
  ])('a script call answered with %s is unheard', async (_what, body) => {
    const { client } = await setup({ body });
    expect(await failureOf(CALLS.runScript(client))).toMatchObject({
      stage: 'unheard',
      resend: 'check',
      session: 'quarantine',
    });
  });

  test('a record that was created without a word about its script is unheard', async () => {
    const { client } = await setup(good({ recordId: '1', modId: '0' }));
    const creating = client.createRecord(TOKEN, { layout: 'in', fieldData: {}, script: 'Run', parameter: 'x' });
    expect(await failureOf(creating)).toMatchObject({ stage: 'unheard', resend: 'check' });
  });

  test('a login that is called good but brings no token may have opened a session', async () => {
    const { client } = await setup(good({}));
    expect(await failureOf(client.login())).toMatchObject({ stage: 'unheard', session: 'quarantine' });
  });

  test.each([
    {},
    { dataInfo: { foundCount: 0 } },
    { data: [], dataInfo: { foundCount: 'many' } },
    { data: [{ fieldData: {} }] },
  ])('a find answered with %j is an error: what cannot be read must not read as absence', async (response) => {
    const { client } = await setup(good(response));
    expect(await failureOf(CALLS.find(client))).toMatchObject({ code: 'FILEMAKER_ANSWER_INVALID' });
  });

  test.each<[string, Reply]>([
    ['its own "no such resource"', bad('1700', 404)],
    ['its own "not by this verb"', bad('1704', 405)],
    ['a number', bad(1700, 404)],
    ['a page', html(404)],
    ['a page that forbids the verb', html(405)],
    ["somebody else's JSON", { status: 404, body: { error: 'Not Found' } }],
  ])('validateSession and productInfo on a server without them, told by %s', async (_what, reply) => {
    const { client } = await setup(reply);
    for (const endpoint of ['validateSession', 'productInfo'] as const) {
      expect(await failureOf(CALLS[endpoint](client))).toMatchObject({
        code: 'FILEMAKER_COMMAND_UNAVAILABLE',
        stage: 'refused',
        session: 'keep',
        circuit: false,
      });
    }
  });

  test('silence ends with the deadline: a script is looked up, a find may be repeated, and both sessions are quarantined', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    // By then even a machine that stands still for a second or two has sent both.
    const client = createFileMakerClient({ url, database: 'Shop', username: 'u', password: 'p', timeoutMs: 4_000 });
    cleanups.push(async () => {
      await client.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    const [script, find] = await Promise.all([failureOf(CALLS.runScript(client)), failureOf(CALLS.find(client))]);
    expect(script).toMatchObject({
      stage: 'unheard',
      fault: 'deadline',
      resend: 'check',
      session: 'quarantine',
      circuit: false,
    });
    expect(find).toMatchObject({ stage: 'unheard', fault: 'deadline', resend: 'yes', session: 'quarantine' });
  });

  test('an answer that is too large is unheard for a script, and not asked for again by a find', async () => {
    const { client } = await setup({ body: 'x'.repeat(1_001) }, { answerBytesMax: 1_000 });
    expect(await failureOf(CALLS.runScript(client))).toMatchObject({
      code: 'FILEMAKER_ANSWER_TOO_LARGE',
      stage: 'unheard',
      resend: 'check',
    });
    expect(await failureOf(CALLS.find(client))).toMatchObject({ code: 'FILEMAKER_ANSWER_TOO_LARGE', resend: 'no' });
  });

  test('nobody there: not sent at every endpoint, and the session is kept', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const client = createFileMakerClient({
      url: `http://127.0.0.1:${port}`,
      database: 'Shop',
      username: 'u',
      password: 'p',
      timeoutMs: 20_000,
    });
    for (const endpoint of ENDPOINTS) {
      expect(await failureOf(CALLS[endpoint](client))).toMatchObject({
        code: 'FILEMAKER_NOT_SENT',
        stage: 'not-sent',
        resend: 'yes',
        session: endpoint === 'login' ? 'drop' : 'keep',
        circuit: true,
        transportCode: 'ECONNREFUSED',
      });
    }
    await client.close();
  });

  test.each<[string, (client: FileMakerClient) => Promise<unknown>]>([
    ['an empty find', (client) => client.find(TOKEN, { layout: 'a', query: [], limit: 1 })],
    ['a find without criteria', (client) => client.find(TOKEN, { layout: 'a', query: [{}], limit: 1 })],
    ['a limit of 0', (client) => client.find(TOKEN, { layout: 'a', query: [{ a: '==b' }], limit: 0 })],
    ['an empty layout', (client) => client.runScript(TOKEN, { layout: '', script: 'Run', parameter: 'x' })],
    ['an empty record id', (client) => client.editRecord(TOKEN, { layout: 'a', recordId: '', fieldData: {} })],
    ['an empty token', (client) => client.logout('')],
    ['a token with a line break', (client) => client.layouts('a\r\nb')],
  ])('%s is turned down before anything is sent, for good', async (_what, call) => {
    const { client, seen } = await setup(good({}));
    expect(await failureOf(call(client))).toMatchObject({
      code: 'FILEMAKER_REQUEST_INVALID',
      stage: 'not-sent',
      resend: 'no',
      circuit: false,
    });
    expect(seen).toEqual([]);
  });
});

describe('secrets', () => {
  const REPLIES: Array<[string, Reply]> = [
    ['an error code', bad('952', 401)],
    ['an error that quotes everything', bad('951', 500, `no ${TOKEN} ${PASSWORD} at /sessions/${TOKEN}`)],
    ['a code that quotes the token', bad(`x${TOKEN}`, 500)],
    ['a web page that quotes the token', { status: 502, body: `<p>/sessions/${TOKEN}?a@b.example</p>` }],
  ];

  test.each(REPLIES)('neither token, password nor data stand in an error after %s', async (_what, reply) => {
    const { client } = await setup(reply);
    for (const endpoint of ENDPOINTS) {
      const error = await failureOf(CALLS[endpoint](client));
      const shown = [
        error.message,
        error.stack,
        String(error),
        JSON.stringify(error),
        inspect(error, { depth: 9, showHidden: true }),
      ].join('\n');
      const basic = Buffer.from(`brücke:${PASSWORD}`).toString('base64');
      const secrets = [
        PASSWORD,
        basic,
        'a@b.example',
        ...(endpoint === 'login' || endpoint === 'productInfo' ? [] : [TOKEN]),
      ];
      for (const secret of secrets) expect(shown).not.toContain(secret);
    }
  });

  test('a long message from the server is cut', async () => {
    const { client } = await setup(bad('951', 500, 'm'.repeat(5_000)));
    expect((await failureOf(client.layouts(TOKEN))).apiMessage).toHaveLength(200);
  });

  test('the client itself shows none of them', async () => {
    const { client } = await setup(good({}));
    const shown = `${inspect(client, { depth: 9, showHidden: true })}${JSON.stringify(client)}`;
    expect(shown).not.toContain(PASSWORD);
    expect(shown).not.toContain(Buffer.from(`brücke:${PASSWORD}`).toString('base64'));
  });
});

test('after close a call is not sent', async () => {
  const { client, seen } = await setup(good({ token: TOKEN }));
  await client.close();
  expect(await failureOf(client.login())).toMatchObject({
    stage: 'not-sent',
    resend: 'yes',
    circuit: false,
    fault: 'client-closed',
  });
  expect(seen).toEqual([]);
});
