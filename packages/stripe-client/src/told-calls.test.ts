import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createStripeClient } from './stripe-client';

test('a call is told before its first byte and after its answer, without the id it asks for', async () => {
  const told: string[] = [];
  let arrived = 0;
  const listen = (message: unknown): void => {
    const { at, label } = message as { at: string; label: string };
    told.push(`${at}: ${label}, ${arrived}`);
  };
  const server = http.createServer((_request, response) => {
    arrived += 1;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ id: 'ch_3NirD82eZvKYlo2C', object: 'charge', paid: true }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const apiBase = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createStripeClient({ apiKey: 'rk_test_not_a_real_key', apiBase, timeoutMs: 20_000 });
  subscribe('bridge:outside-call', listen);
  try {
    await client.retrieveCharge('ch_3NirD82eZvKYlo2C').catch(() => undefined);
    expect(told).toEqual([
      'before-first-byte: stripe GET /v1/charges/…, 0',
      'after-answer: stripe GET /v1/charges/…, 1',
    ]);
  } finally {
    unsubscribe('bridge:outside-call', listen);
    await client.close();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});
