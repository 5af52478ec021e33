import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpExchange } from './http-exchange';

const TOKEN = 'c7e2a9f0b1d4556677';
const requests: string[] = [];
let server: Server;
let told: string[] = [];
const listen = (message: unknown): void => {
  const { at, label } = message as { at: string; label: string };
  told.push(`${at}: ${label} (${requests.length} requests have arrived)`);
};

beforeEach(async () => {
  told = [];
  requests.length = 0;
  subscribe('bridge:outside-call', listen);
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (request.url?.includes('cut')) request.socket.destroy();
    else response.end('{}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
});
afterEach(async () => {
  unsubscribe('bridge:outside-call', listen);
  await new Promise((resolve) => server.close(resolve));
});

async function send(...paths: string[]): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const exchange = createHttpExchange({
    origin: `http://127.0.0.1:${port}`,
    ca: undefined,
    timeoutMs: 30_000,
    connectTimeoutMs: 15_000,
    keepAliveMs: 1_000,
    answerBytesMax: 10_000,
  });
  for (const path of paths) await exchange.send({ method: 'GET', path, headers: {} });
  await exchange.close();
}

test('a request is told before its first byte and after its answer; one that is not answered only before', async () => {
  await send('/fmi/data/v2/productInfo', '/fmi/data/v2/cut');
  expect(told).toEqual([
    'before-first-byte: filemaker GET /productInfo (0 requests have arrived)',
    'after-answer: filemaker GET /productInfo (1 requests have arrived)',
    'before-first-byte: filemaker GET /cut (1 requests have arrived)',
  ]);
});

test('what is told holds no token, no record number and no parameter', async () => {
  await send(
    `/fmi/data/v2/databases/Shop/sessions/${TOKEN}`,
    '/fmi/data/v2/databases/Shop/layouts/web/records/4711',
    '/fmi/data/v2/databases/Shop/layouts/web/script/PAID?script.param=secret%40example.com',
  );
  expect(told).toHaveLength(6);
  expect(told.join('\n')).not.toMatch(new RegExp(`${TOKEN}|4711|secret`));
});
