import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { lookAtAddress } from './look-at-address';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('an answer is told with its status and the time over there', async () => {
  const url = await serve((_request, response) => {
    response.writeHead(405, { date: 'Mon, 23 Nov 2026 05:00:00 GMT' }).end('no');
  });
  expect(await lookAtAddress(`${url}/webhooks/stripe`, { timeoutMs: 20_000 })).toEqual({
    outcome: 'answered',
    status: 405,
    location: null,
    date: new Date('2026-11-23T05:00:00Z'),
    tookMs: expect.any(Number),
    cause: null,
  });
});

test.each([301, 302, 303, 307, 308])('a redirect %i is told and not followed', async (status) => {
  let asked = 0;
  const url = await serve((_request, response) => {
    asked += 1;
    response.writeHead(status, { location: '/elsewhere' }).end();
  });
  expect(await lookAtAddress(url, { timeoutMs: 20_000 })).toMatchObject({ status, location: '/elsewhere' });
  expect(asked).toBe(1);
});

test('it sends nothing that could be taken for a webhook', async () => {
  const seen: unknown[] = [];
  const url = await serve((request, response) => {
    seen.push(request.method, request.headers['stripe-signature'], request.headers.authorization);
    response.end();
  });
  await lookAtAddress(url, { timeoutMs: 20_000 });
  expect(seen).toEqual(['GET', undefined, undefined]);
});

test('nobody there, and somebody who does not answer in time', async () => {
  const closed = await serve(() => undefined);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  expect(await lookAtAddress(closed, { timeoutMs: 20_000 })).toMatchObject({
    outcome: 'unreachable',
    cause: 'ECONNREFUSED',
    status: null,
  });
  const url = await serve(() => undefined);
  expect(await lookAtAddress(url, { timeoutMs: 50 })).toMatchObject({ outcome: 'unreachable', cause: 'TIMEOUT' });
});

test('an answer without a readable date has none', async () => {
  const url = await serve((_request, response) => {
    response.sendDate = false;
    response.setHeader('date', 'some day');
    response.end();
  });
  expect((await lookAtAddress(url, { timeoutMs: 20_000 })).date).toBeNull();
});
