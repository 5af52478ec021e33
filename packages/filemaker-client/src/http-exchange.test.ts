import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createHttpExchange, type HttpExchange, type HttpExchangeOptions, type HttpRequest } from './http-exchange';

/** A deadline by which even a machine that stands still for a second or two has sent the request. */
const SENT_BY_THEN_MS = 4_000;
const GET: HttpRequest = { method: 'GET', path: '/x', headers: {} };

interface RawServer {
  readonly origin: string;
  /** Each request head that arrived, in order. */
  readonly heads: string[];
  connections(): number;
}

const cleanups: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** A server that speaks raw bytes: `answer` gets the socket whenever a request's head is complete. */
async function startRawServer(answer: (socket: Socket, requestNumber: number) => void): Promise<RawServer> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    let unread = '';
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      unread += chunk.toString('latin1');
      const end = unread.indexOf('\r\n\r\n');
      if (end === -1) return;
      heads.push(unread.slice(0, end));
      unread = '';
      answer(socket, heads.length);
    });
  });
  const port = await listen(server);
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { origin: `http://127.0.0.1:${port}`, heads, connections: () => connections };
}

function exchangeWith(origin: string, options: Partial<HttpExchangeOptions> = {}): HttpExchange {
  const exchange = createHttpExchange({
    origin,
    ca: undefined,
    timeoutMs: 20_000,
    connectTimeoutMs: 15_000,
    keepAliveMs: 30_000,
    answerBytesMax: 64 * 1024,
    ...options,
  });
  cleanups.push(() => exchange.close());
  return exchange;
}

const fixture = (name: string) => readFileSync(join(__dirname, '../test-fixtures', name), 'utf8');

async function startTlsServer() {
  const seen: string[] = [];
  const server = createTlsServer(
    { cert: fixture('test-localhost.pem'), key: fixture('test-localhost.key.pem') },
    (request, response) => {
      seen.push(request.url ?? '');
      response.end('{}');
    },
  );
  const port = await listen(server);
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port, seen };
}

const whole = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test('a whole answer comes back with its status and text', async () => {
  const server = await startRawServer((socket) => socket.write(whole('grüße')));
  await expect(exchangeWith(server.origin).send(GET)).resolves.toMatchObject({
    answered: true,
    status: 200,
    body: 'grüße',
  });
});

describe('not sent', () => {
  test('when nobody listens', async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    await expect(exchangeWith(`http://127.0.0.1:${port}`).send(GET)).resolves.toEqual({
      answered: false,
      fault: 'connect-failed',
      sent: false,
      status: undefined,
      transportCode: 'ECONNREFUSED',
    });
  });

  test('when the name is not known', async () => {
    await expect(exchangeWith('http://no-such-host.invalid').send(GET)).resolves.toMatchObject({
      answered: false,
      sent: false,
    });
  });

  test('when the deadline passes while the connection is still being made', async () => {
    // TLS never finishes: the server takes the connection and stays silent.
    const server = await startRawServer(() => undefined);
    const exchange = exchangeWith(server.origin.replace('http:', 'https:'), { timeoutMs: 150, connectTimeoutMs: 150 });
    await expect(exchange.send(GET)).resolves.toMatchObject({ answered: false, sent: false });
    expect(server.heads).toEqual([]);
  });

  test('when the connection stands only after the deadline has passed: not a byte follows', async () => {
    const secured = await startTlsServer();
    // A gate before the TLS server: the handshake begins when it opens.
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const passed: Promise<void>[] = [];
    const gate = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      passed.push(
        opened.then(
          () =>
            new Promise((resolve) => {
              const onward = connect(secured.port, '127.0.0.1');
              onward.on('error', () => onward.destroy());
              socket.pipe(onward).pipe(socket);
              onward.on('close', () => resolve());
            }),
        ),
      );
    });
    const port = await listen(gate);
    cleanups.push(async () => {
      await new Promise((resolve) => gate.close(resolve));
    });
    const exchange = exchangeWith(`https://localhost:${port}`, { timeoutMs: 100, ca: fixture('test-authority.pem') });
    const outcome = exchange.send(GET);
    await expect(outcome).resolves.toMatchObject({ answered: false, fault: 'deadline', sent: false });
    open();
    await Promise.all(passed);
    expect(secured.seen).toEqual([]);
  });

  test('when a header cannot be written', async () => {
    const server = await startRawServer((socket) => socket.write(whole('{}')));
    const request = { ...GET, headers: { authorization: 'Bearer a\r\nx: y' } };
    await expect(exchangeWith(server.origin).send(request)).resolves.toMatchObject({
      fault: 'request-unsendable',
      sent: false,
    });
    expect(server.heads).toEqual([]);
  });

  test('after close', async () => {
    const server = await startRawServer((socket) => socket.write(whole('{}')));
    const exchange = exchangeWith(server.origin);
    await exchange.close();
    await exchange.close();
    await expect(exchange.send(GET)).resolves.toMatchObject({ fault: 'client-closed', sent: false });
    expect(server.connections()).toBe(0);
  });
});

describe('sent and unheard, and never sent again', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['the connection is closed before the first byte of an answer', (socket) => socket.end()],
    ['the connection is reset before the first byte of an answer', (socket) => socket.resetAndDestroy()],
    ['the answer stops inside its head', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le')],
    [
      'the answer stops inside its body',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"messages"'),
    ],
    [
      'a chunked answer stops in the middle',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"mes'),
    ],
    ['the answer is not HTTP', (socket) => socket.end('I am not a web server\r\n\r\n')],
  ])('%s', async (_what, answer) => {
    const server = await startRawServer(answer);
    const exchange = exchangeWith(server.origin);
    await expect(exchange.send(GET)).resolves.toMatchObject({ answered: false, fault: 'connection-lost', sent: true });
    // A second request proves that the first was not waiting to be sent again.
    await exchange.send({ ...GET, path: '/second' });
    expect(server.heads.map((head) => head.split(' ')[1])).toEqual(['/x', '/second']);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['closes', (socket) => socket.destroy()],
    ['resets', (socket) => socket.resetAndDestroy()],
  ])('the server %s a kept connection when the second request has arrived', async (_what, cut) => {
    const server = await startRawServer((socket, number) => (number === 1 ? socket.write(whole('{}')) : cut(socket)));
    const exchange = exchangeWith(server.origin);
    await exchange.send(GET);
    // undici hands a socket out again only after a turn of the event loop.
    await new Promise(setImmediate);
    await expect(exchange.send(GET)).resolves.toMatchObject({ answered: false, fault: 'connection-lost', sent: true });
    expect(server.connections()).toBe(1);
    expect(server.heads).toHaveLength(2);
  });

  test('the deadline passes before the answer begins', async () => {
    const server = await startRawServer(() => undefined);
    const outcome = await exchangeWith(server.origin, { timeoutMs: SENT_BY_THEN_MS }).send(GET);
    expect(outcome).toMatchObject({ answered: false, fault: 'deadline', sent: true });
    expect(server.heads).toHaveLength(1);
  });

  test('the deadline counts the whole call, though bytes keep dripping in', async () => {
    let drip: NodeJS.Timeout | undefined;
    const server = await startRawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
      drip = setInterval(() => socket.write('x'), 20);
    });
    const outcome = await exchangeWith(server.origin, { timeoutMs: SENT_BY_THEN_MS }).send(GET);
    clearInterval(drip);
    expect(outcome).toMatchObject({ answered: false, fault: 'deadline', sent: true, status: 200 });
  });

  test('an answer larger than the limit is cut off', async () => {
    const server = await startRawServer((socket) => socket.write(whole('x'.repeat(2_000))));
    const exchange = exchangeWith(server.origin, { answerBytesMax: 1_999 });
    await expect(exchange.send(GET)).resolves.toMatchObject({ fault: 'answer-too-large', sent: true, status: 200 });
    await expect(exchangeWith(server.origin, { answerBytesMax: 2_000 }).send(GET)).resolves.toMatchObject({
      answered: true,
    });
  });
});

test('requests at the same time each have a connection of their own', async () => {
  const waiting: Socket[] = [];
  const server = await startRawServer((socket) => {
    waiting.push(socket);
    if (waiting.length === 3) for (const each of waiting) each.write(whole('{}'));
  });
  const exchange = exchangeWith(server.origin);
  const outcomes = await Promise.all([exchange.send(GET), exchange.send(GET), exchange.send(GET)]);
  expect(outcomes.map((outcome) => outcome.answered)).toEqual([true, true, true]);
  expect(server.connections()).toBe(3);
});

test('close waits for the answer that is under way', async () => {
  let arrived: (socket: Socket) => void = () => undefined;
  const request = new Promise<Socket>((resolve) => {
    arrived = resolve;
  });
  const server = await startRawServer((socket) => arrived(socket));
  const exchange = exchangeWith(server.origin);
  const sending = exchange.send(GET);
  const socket = await request;
  const closing = exchange.close();
  socket.write(whole('late'));
  await expect(sending).resolves.toMatchObject({ answered: true, body: 'late' });
  await closing;
});

describe('TLS', () => {
  test("our own authority is trusted when it is given, and the server's name is checked", async () => {
    const { port } = await startTlsServer();
    const ca = fixture('test-authority.pem');
    await expect(exchangeWith(`https://localhost:${port}`, { ca }).send(GET)).resolves.toMatchObject({
      answered: true,
    });
    await expect(exchangeWith(`https://127.0.0.1:${port}`, { ca }).send(GET)).resolves.toEqual({
      answered: false,
      fault: 'certificate',
      sent: false,
      status: undefined,
      transportCode: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });

  test.each([
    ['without an authority', undefined],
    ['with another authority', fixture('test-other-authority.pem')],
  ])('%s nothing is sent', async (_what, ca) => {
    const { port, seen } = await startTlsServer();
    const outcome = await exchangeWith(`https://localhost:${port}`, { ca }).send(GET);
    expect(outcome).toMatchObject({ answered: false, fault: 'certificate', sent: false });
    expect(seen).toEqual([]);
  });

  test('NODE_TLS_REJECT_UNAUTHORIZED=0 does not switch verification off', async () => {
    const { port, seen } = await startTlsServer();
    // In a process of its own: the test runner hands tests a copy of the environment, which TLS does not read.
    const program = `
      import { createHttpExchange } from ${JSON.stringify(pathToFileURL(join(__dirname, 'http-exchange.ts')).href)};
      const exchange = createHttpExchange({ origin: 'https://localhost:${port}', ca: undefined, timeoutMs: 20000,
        connectTimeoutMs: 5000, keepAliveMs: 4000, answerBytesMax: 1000 });
      console.log(JSON.stringify(await exchange.send({ method: 'GET', path: '/x', headers: {} })));
      await exchange.close();`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      env: { PATH: process.env.PATH ?? '', NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    });
    expect(JSON.parse(stdout)).toMatchObject({ answered: false, fault: 'certificate', sent: false });
    expect(seen).toEqual([]);
  });
});
