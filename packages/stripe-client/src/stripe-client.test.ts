import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import Stripe from 'stripe';
import { StripeCallError } from './stripe-call-error';
import { createStripeClient, type StripeClient, type StripeClientOptions } from './stripe-client';

type Handler = (request: http.IncomingMessage, response: http.ServerResponse, url: URL) => void;

/** A deadline by which even a machine that stands still for a second or two has sent the request. */
const SENT_BY_THEN_MS = 4_000;
const apiKey = 'rk_test_not_a_real_key';
const running: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});

/** A server that answers as the test says, and a client that talks to it. */
async function setup(handler: Handler, options: Partial<StripeClientOptions> = {}) {
  const requests: { path: string; query: URLSearchParams; headers: http.IncomingHttpHeaders }[] = [];
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://stand-in');
    requests.push({ path: url.pathname, query: url.searchParams, headers: request.headers });
    handler(request, response, url);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const apiBase = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createStripeClient({ apiKey, apiBase, timeoutMs: 20_000, ...options });
  running.push(async () => {
    await client.close();
    server.closeAllConnections();
    if (server.listening) await new Promise((closed) => server.close(closed));
  });
  return { client, requests, server, apiBase };
}

function json(response: http.ServerResponse, status: number, body: unknown, headers: http.OutgoingHttpHeaders = {}) {
  response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_1', ...headers });
  response.end(JSON.stringify(body));
}

const charge = { id: 'ch_1', object: 'charge', paid: true, amount_refunded: 0, refunded: false, disputed: false };

async function failureOf(call: Promise<unknown>): Promise<StripeCallError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StripeCallError)) throw error;
  return error;
}

describe('errors say how far a call got and what helps', () => {
  test.each([
    [400, 'STRIPE_REQUEST_INVALID', 'park', 'refused'],
    [401, 'STRIPE_KEY_REFUSED', 'halt', 'refused'],
    [402, 'STRIPE_REQUEST_INVALID', 'park', 'refused'],
    [403, 'STRIPE_PERMISSION', 'halt', 'refused'],
    [404, 'STRIPE_NOT_FOUND', 'park', 'refused'],
    [409, 'STRIPE_CONFLICT', 'wait', 'refused'],
    [429, 'STRIPE_RATE_LIMITED', 'wait', 'refused'],
    [500, 'STRIPE_UNAVAILABLE', 'wait', 'unheard'],
    [503, 'STRIPE_UNAVAILABLE', 'wait', 'unheard'],
  ])('%i is %s: %s, and is asked once only', async (status, code, action, stage) => {
    const body = { error: { type: 'invalid_request_error', code: 'some_code', message: 'No such thing' } };
    const { client, requests } = await setup((_request, response) =>
      json(response, status, body, { 'stripe-should-retry': 'true' }),
    );
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      code,
      action,
      stage,
      httpStatus: status,
      stripeCode: 'some_code',
      stripeRequestId: 'req_1',
      endpoint: 'charges.retrieve',
    });
    expect(requests).toHaveLength(1);
  });

  test.each([
    ['a gateway’s page', 502, '<html>Bad gateway</html>', 'STRIPE_UNAVAILABLE', 502],
    ['a gateway’s page with 429', 429, 'slow down', 'STRIPE_RATE_LIMITED', 429],
    ['JSON that is not Stripe’s', 404, '{"message":"no route"}', 'STRIPE_NOT_FOUND', 404],
    ['a log-in page with 200', 200, '<html>Welcome</html>', 'STRIPE_ANSWER_UNREADABLE', undefined],
    ['nothing with 200', 200, '', 'STRIPE_ANSWER_UNREADABLE', undefined],
    ['a list where an object belongs', 200, '[]', 'STRIPE_ANSWER_UNREADABLE', undefined],
    ['null', 200, 'null', 'STRIPE_ANSWER_UNREADABLE', undefined],
    ['another object', 200, '{"id":"cus_1","object":"customer"}', 'STRIPE_ANSWER_UNEXPECTED', undefined],
    ['an object without id', 200, '{"object":"charge"}', 'STRIPE_ANSWER_UNEXPECTED', undefined],
  ])('%s is never taken for an answer', async (_what, status, body, code, httpStatus) => {
    const { client } = await setup((_request, response) => response.writeHead(status).end(body));
    const error = await failureOf(client.retrieveCharge('ch_1'));
    expect({ code: error.code, httpStatus: error.httpStatus }).toEqual({ code, httpStatus });
  });

  test('a redirect is not followed with the key', async () => {
    const { client, requests } = await setup((_request, response) =>
      response.writeHead(302, { location: '/elsewhere' }).end(),
    );
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      code: 'STRIPE_ANSWER_UNREADABLE',
      action: 'wait',
      httpStatus: 302,
    });
    expect(requests.map((request) => request.path)).toEqual(['/v1/charges/ch_1']);
  });

  test('a 429 says which limit and how long to stay away', async () => {
    const { client } = await setup((_request, response) =>
      json(response, 429, { error: {} }, { 'retry-after': '7', 'stripe-rate-limited-reason': 'endpoint-rate' }),
    );
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      retryAfterMs: 7000,
      rateLimitedReason: 'endpoint-rate',
    });
  });

  test('a missing permission is named when Stripe names it', async () => {
    const message = `The provided key 'rk_test_*****' does not have the required permissions. Having the 'rak_charge_read' permission would allow this request.`;
    const { client } = await setup((_request, response) => json(response, 403, { error: { message } }));
    const error = await failureOf(client.retrieveCharge('ch_1'));
    expect(error.permission).toBe('rak_charge_read');
    expect(error.message).toBe(
      'STRIPE_PERMISSION at charges.retrieve (HTTP 403, the key lacks rak_charge_read, req_1)',
    );
  });

  test('neither key nor body nor Stripe’s sentence comes out with an error', async () => {
    const { client } = await setup((_request, response) =>
      json(response, 400, { error: { code: 'x y', message: 'customer rhonda@example.com', param: 'email' } }),
    );
    const error = await failureOf(client.retrieveCharge('ch_1'));
    const shown = `${inspect(error, { depth: 10, showHidden: true })}${JSON.stringify(error)}${error.stack}`;
    expect(shown).not.toMatch(/rhonda|not_a_real_key|x y/);
    expect(error.cause).toBeUndefined();
  });
});

describe('the network', () => {
  test('nobody listening: not sent, and worth waiting for', async () => {
    const { client, server } = await setup(() => undefined);
    await new Promise((closed) => server.close(closed));
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      code: 'STRIPE_UNAVAILABLE',
      stage: 'not-sent',
      action: 'wait',
      transportCode: 'ECONNREFUSED',
    });
  });

  test('a handshake that fails has sent nothing', async () => {
    const { apiBase } = await setup((_request, response) => json(response, 200, charge));
    const client = createStripeClient({ apiKey, apiBase: apiBase.replace('http:', 'https:') });
    running.push(() => client.close());
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      code: 'STRIPE_UNAVAILABLE',
      stage: 'not-sent',
    });
  });

  test('silence ends at the deadline, and the connection is broken off', async () => {
    const gone = Promise.withResolvers<void>();
    const { client } = await setup((request) => request.socket.once('close', () => gone.resolve()), {
      timeoutMs: SENT_BY_THEN_MS,
    });
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      code: 'STRIPE_TIMEOUT',
      stage: 'unheard',
      action: 'wait',
    });
    await gone.promise;
  });

  test('an answer that drips in for ever ends at the deadline too', async () => {
    const stopped = Promise.withResolvers<void>();
    const { client } = await setup(
      (request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const drip = setInterval(() => response.write(' '), 20);
        request.socket.once('close', () => {
          clearInterval(drip);
          stopped.resolve();
        });
      },
      { timeoutMs: SENT_BY_THEN_MS },
    );
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({ code: 'STRIPE_TIMEOUT', stage: 'unheard' });
    await stopped.promise;
  });

  test('half an answer is none', async () => {
    const { client } = await setup((request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"id":"ch_1","object":"charge"}', () => request.socket.destroy());
    });
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      code: 'STRIPE_UNAVAILABLE',
      stage: 'unheard',
    });
  });

  test('a connection reset on a new socket is told, not repeated', async () => {
    const { client, requests } = await setup((request) => request.socket.destroy());
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      code: 'STRIPE_UNAVAILABLE',
      stage: 'unheard',
      transportCode: 'ECONNRESET',
    });
    expect(requests).toHaveLength(1);
  });

  test('a kept-alive socket that the other side has dropped costs nothing', async () => {
    let handled = 0;
    const { client, requests } = await setup((request, response) => {
      handled += 1;
      if (handled === 2) request.socket.destroy();
      else json(response, 200, charge);
    });
    await client.retrieveCharge('ch_1');
    await expect(client.retrieveCharge('ch_1')).resolves.toMatchObject({ id: 'ch_1' });
    expect(requests).toHaveLength(3);
  });

  test('close breaks off what is under way, and nothing can be asked afterwards', async () => {
    const arrived = Promise.withResolvers<void>();
    const { client, requests } = await setup(() => arrived.resolve());
    const waiting = failureOf(client.retrieveCharge('ch_1'));
    await arrived.promise;
    await client.close();
    expect(await waiting).toMatchObject({ code: 'STRIPE_UNAVAILABLE', stage: 'unheard' });
    expect(await failureOf(client.retrieveCharge('ch_1'))).toMatchObject({
      code: 'STRIPE_CLIENT_CLOSED',
      stage: 'not-sent',
    });
    await client.close();
    expect(requests).toHaveLength(1);
  });

  test('a call that waited at the gate while the client was closed is not sent', async () => {
    const gate = Promise.withResolvers<void>();
    const { client, requests } = await setup((_request, response) => json(response, 200, charge), {
      readGate: () => gate.promise,
    });
    const waiting = failureOf(client.retrieveCharge('ch_1'));
    await client.close();
    gate.resolve();
    expect((await waiting).code).toBe('STRIPE_CLIENT_CLOSED');
    expect(requests).toHaveLength(0);
  });

  test('requests carry the pinned API version and leave no telemetry, on the wire or on the disk', async () => {
    const home = mkdtempSync(join(tmpdir(), 'stripe-client-'));
    const before = process.env.XDG_CONFIG_HOME;
    process.env.XDG_CONFIG_HOME = home;
    try {
      const { client, requests } = await setup((_request, response) => json(response, 200, charge));
      await client.retrieveCharge('ch_1');
      await client.retrieveCharge('ch_1');
      for (const { headers } of requests) {
        expect(headers['stripe-version']).toBe(Stripe.API_VERSION);
        expect(headers).not.toHaveProperty('x-stripe-client-telemetry');
      }
      expect(readdirSync(home)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env.XDG_CONFIG_HOME;
      else process.env.XDG_CONFIG_HOME = before;
      rmSync(home, { recursive: true });
    }
  });
});

describe('what is asked', () => {
  test('ids with dots and hyphens are asked for as they stand', async () => {
    const { client, requests } = await setup((_request, response) => json(response, 200, charge));
    await client.retrieveCharge('ch_1.a-b');
    expect(requests.map(({ path }) => path)).toEqual(['/v1/charges/ch_1.a-b']);
  });

  test('an account that is none was refused, not unheard: asking again would bring the same', async () => {
    for (const answer of [{}, { id: 'acct_1' }, page([]), { id: 'cus_1', object: 'customer' }]) {
      const { client } = await setup((_request, response) => json(response, 200, answer));
      expect(await failureOf(client.retrieveAccount())).toMatchObject({
        code: 'STRIPE_ANSWER_UNEXPECTED',
        stage: 'refused',
        action: 'park',
      });
    }
  });

  test.each([
    '',
    '.',
    '..',
    '../charges/ch_1',
    'ch_1?expand[]=x',
    'ch_1#x',
    'ch%2F1',
    'ch\\1',
    'ch 1',
    'ch_1\n',
    'é',
    'x'.repeat(256),
  ])('the id %j is refused before anything is sent', async (id) => {
    const { client, requests } = await setup((_request, response) => json(response, 200, charge));
    const calls = [
      client.retrievePaidSession(id),
      client.retrieveCharge(id),
      client.retrieveEvent(id),
      client.findSessionOfPaymentIntent(id),
      client.findSessionOfCharge(id),
    ];
    for (const error of await Promise.all(calls.map(failureOf))) {
      expect(error).toMatchObject({ code: 'STRIPE_REQUEST_INVALID', stage: 'not-sent', action: 'park' });
    }
    expect(requests).toHaveLength(0);
  });

  test.each<[string, string, string, (client: StripeClient) => Promise<unknown>]>([
    ['/v1/payment_intents/pi_1', 'payment_intent', 'pi_1', (client) => client.retrievePaymentIntent('pi_1')],
    ['/v1/charges/ch_1', 'charge', 'ch_1', (client) => client.retrieveCharge('ch_1')],
    ['/v1/refunds/re_1', 'refund', 're_1', (client) => client.retrieveRefund('re_1')],
    ['/v1/disputes/dp_1', 'dispute', 'dp_1', (client) => client.retrieveDispute('dp_1')],
    ['/v1/events/evt_1', 'event', 'evt_1', (client) => client.retrieveEvent('evt_1')],
    ['/v1/account', 'account', 'acct_1', (client) => client.retrieveAccount()],
  ])('%s gives its object as plain JSON', async (path, object, id, call) => {
    const answer = { id, object, nested: { unknown_tomorrow: [1, null, 'x'] } };
    const { client, requests } = await setup((_request, response) => json(response, 200, answer));
    await expect(call(client)).resolves.toEqual(answer);
    expect(requests.map((request) => request.path)).toEqual([path]);
  });

  test('the gate is passed before every request, and what it throws comes out unchanged', async () => {
    const asked: string[] = [];
    const full = new Error('budget used up');
    const { client, requests } = await setup(
      (_request, response, url) =>
        json(response, 200, url.pathname.startsWith('/v1/charges') ? { ...charge, payment_intent: 'pi_1' } : page([])),
      {
        readGate: async ({ endpoint }) => {
          expect(requests).toHaveLength(asked.length);
          if (asked.length === 2) throw full;
          asked.push(endpoint);
        },
      },
    );
    await expect(client.findSessionOfCharge('ch_1')).resolves.toBeUndefined();
    expect(asked).toEqual(['charges.retrieve', 'checkout.sessions.list']);
    await expect(client.retrieveCharge('ch_1')).rejects.toBe(full);
    expect(requests).toHaveLength(2);
  });

  test('the Session of a payment is found by PaymentIntent and by charge', async () => {
    const { client, requests } = await setup((_request, response, url) =>
      json(
        response,
        200,
        url.pathname === '/v1/charges/ch_1'
          ? { ...charge, payment_intent: 'pi_1' }
          : url.pathname === '/v1/charges/ch_old'
            ? { ...charge, payment_intent: null }
            : page([{ id: 'cs_1', object: 'checkout.session' }]),
      ),
    );
    await expect(client.findSessionOfPaymentIntent('pi_1')).resolves.toBe('cs_1');
    await expect(client.findSessionOfCharge('ch_1')).resolves.toBe('cs_1');
    await expect(client.findSessionOfCharge('ch_old')).resolves.toBeUndefined();
    expect(requests.map(({ path, query }) => [path, query.get('payment_intent')])).toEqual([
      ['/v1/checkout/sessions', 'pi_1'],
      ['/v1/charges/ch_1', null],
      ['/v1/checkout/sessions', 'pi_1'],
      ['/v1/charges/ch_old', null],
    ]);
  });

  test.each(['ftp://stripe', 'https://stripe.example/v1', 'https://stripe.example/?x=1'])(
    '%s is no address of an API',
    (apiBase) => {
      expect(() => createStripeClient({ apiKey, apiBase })).toThrow('scheme, host and port');
    },
  );
});

function page(data: unknown[], has_more = false) {
  return { object: 'list', data, has_more, url: '/v1/list' };
}

describe('a sale in one piece', () => {
  interface SaleOptions {
    lines: number;
    /** How a product stands in its line. */
    product?: (index: number) => unknown;
    products?: (ids: string[]) => unknown[];
  }

  /** Answers like Stripe for one Session: ten lines inside it, the rest by the hundred. */
  function saleHandler({ lines, product, products }: SaleOptions): Handler {
    const expanded = (index: number) => ({ id: `prod_${index % 7}`, object: 'product', name: `P${index % 7}` });
    const items = Array.from({ length: lines }, (_, index) => ({
      id: `li_${index}`,
      object: 'item',
      price: { id: `price_${index}`, unit_amount_decimal: '12.5', product: (product ?? expanded)(index) },
    }));
    return (_request, response, url) => {
      const { pathname, searchParams } = url;
      if (pathname === '/v1/checkout/sessions/cs_1') {
        return json(response, 200, {
          id: 'cs_1',
          object: 'checkout.session',
          amount_total: 5,
          payment_intent: {
            id: 'pi_1',
            object: 'payment_intent',
            latest_charge: { ...charge, amount_refunded: 3, disputed: true },
          },
          line_items: page(items.slice(0, 10), lines > 10),
        });
      }
      if (pathname === '/v1/checkout/sessions/cs_1/line_items') {
        const from = items.findIndex((item) => item.id === searchParams.get('starting_after')) + 1;
        const to = from + Number(searchParams.get('limit'));
        return json(response, 200, page(items.slice(from, to), to < lines));
      }
      if (pathname === '/v1/products') {
        const ids = [...searchParams].filter(([name]) => name.startsWith('ids')).map(([, id]) => id);
        return json(response, 200, page((products ?? (() => []))(ids)));
      }
      return json(response, 404, { error: { code: 'resource_missing' } });
    };
  }

  test('ten lines take one request, and every object stands once', async () => {
    const { client, requests } = await setup(saleHandler({ lines: 10 }));
    const snapshot = await client.retrievePaidSession('cs_1');
    expect(requests).toHaveLength(1);
    expect(snapshot.session).toEqual({
      id: 'cs_1',
      object: 'checkout.session',
      amount_total: 5,
      payment_intent: 'pi_1',
    });
    expect(snapshot.lineItems[9]).toEqual({
      id: 'li_9',
      object: 'item',
      price: { id: 'price_9', unit_amount_decimal: '12.5', product: 'prod_2' },
    });
    expect(snapshot.products.prod_2).toEqual({ id: 'prod_2', object: 'product', name: 'P2' });
    expect(snapshot.paymentIntent).toEqual({ id: 'pi_1', object: 'payment_intent', latest_charge: 'ch_1' });
    expect(snapshot.charge).toMatchObject({ id: 'ch_1', paid: true });
    expect(snapshot.reversal).toEqual({ amountRefunded: 3, fullyRefunded: false, disputed: true });
  });

  test.each([0, 1, 11, 110, 111, 250])('%i lines come in order, each once', async (lines) => {
    const { client, requests } = await setup(saleHandler({ lines }));
    const snapshot = await client.retrievePaidSession('cs_1');
    expect(snapshot.lineItems.map((line) => line.id)).toEqual(Array.from({ length: lines }, (_, i) => `li_${i}`));
    expect(requests).toHaveLength(1 + Math.max(0, Math.ceil((lines - 10) / 100)));
  });

  test('products that did not come along are asked for by the hundred, the absent ones singly', async () => {
    const { client, requests } = await setup(
      saleHandler({
        lines: 150,
        product: (index) => (index === 0 ? { id: 'prod_gone', object: 'product', deleted: true } : `prod_${index}`),
        products: (ids) =>
          ids.filter((id) => id !== 'prod_77').map((id) => ({ id, object: 'product', name: id.toUpperCase() })),
      }),
    );
    const { products, lineItems } = await client.retrievePaidSession('cs_1');
    expect(lineItems).toHaveLength(150);
    expect(Object.keys(products)).toHaveLength(150);
    expect(products.prod_gone).toEqual({ id: 'prod_gone', object: 'product', deleted: true });
    expect(products.prod_77).toEqual({ id: 'prod_77', object: 'product', deleted: true });
    expect(products.prod_149).toMatchObject({ name: 'PROD_149' });
    expect(requests.map((request) => request.path).slice(3)).toEqual([
      '/v1/products',
      '/v1/products',
      '/v1/products/prod_77',
    ]);
  });

  test('a product that could not be asked for fails the read: a hole would be taken for a deleted product', async () => {
    const whole = saleHandler({ lines: 1, product: () => 'prod_1' });
    const { client } = await setup((request, response, url) =>
      url.pathname.startsWith('/v1/products') ? json(response, 500, { error: {} }) : whole(request, response, url),
    );
    expect((await failureOf(client.retrievePaidSession('cs_1'))).code).toBe('STRIPE_UNAVAILABLE');
  });

  test('a page of lines that never ends is given up', async () => {
    const whole = saleHandler({ lines: 11 });
    let line = 0;
    const { client, requests } = await setup((request, response, url) => {
      if (!url.pathname.endsWith('/line_items')) return whole(request, response, url);
      line += 1;
      json(response, 200, page([{ id: `li_x${line}`, object: 'item' }], true));
    });
    expect(await failureOf(client.retrievePaidSession('cs_1'))).toMatchObject({ code: 'STRIPE_ANSWER_UNEXPECTED' });
    expect(requests).toHaveLength(21);
  });

  test('an unpaid Session has no payment', async () => {
    const bare = { id: 'cs_1', object: 'checkout.session', payment_intent: null, line_items: page([]) };
    const { client } = await setup((_request, response) => json(response, 200, bare));
    await expect(client.retrievePaidSession('cs_1')).resolves.toMatchObject({
      paymentIntent: null,
      charge: null,
      reversal: { amountRefunded: 0, fullyRefunded: false, disputed: false },
    });
  });

  test.each([
    { payment_intent: { id: 'ch_1', object: 'charge' } },
    { payment_intent: { id: 'pi_1', object: 'payment_intent', latest_charge: { id: 're_1', object: 'refund' } } },
    { object: 'payment_link' },
  ])('an answer with %j is no sale', async (odd) => {
    const bare = { id: 'cs_1', object: 'checkout.session', payment_intent: null, line_items: page([]) };
    const { client } = await setup((_request, response) => json(response, 200, { ...bare, ...odd }));
    expect((await failureOf(client.retrievePaidSession('cs_1'))).code).toBe('STRIPE_ANSWER_UNEXPECTED');
  });

  describe('from a server that does not expand', () => {
    /** `heard`: the names that it expands all the same. */
    function plainHandler(heard: { charge?: boolean } = {}, chargeId: string | null = 'ch_1'): Handler {
      const price = { id: 'price_1', product: 'prod_1' };
      const line = (index: number) => ({ id: `li_${index}`, object: 'item', price });
      const lines = Array.from({ length: 130 }, (_, index) => line(index));
      const paidCharge = { ...charge, amount_refunded: 3 };
      const intent = { id: 'pi_1', object: 'payment_intent', status: 'succeeded' };
      return (_request, response, { pathname, searchParams }) => {
        const expanded = heard.charge === true && searchParams.get('expand[0]') === 'latest_charge';
        const from = lines.findIndex(({ id }) => id === searchParams.get('starting_after')) + 1;
        const answers: Record<string, unknown> = {
          '/v1/checkout/sessions/cs_1': { id: 'cs_1', object: 'checkout.session', payment_intent: 'pi_1' },
          '/v1/checkout/sessions/cs_1/line_items': page(lines.slice(from, from + 100), from + 100 < lines.length),
          '/v1/payment_intents/pi_1': { ...intent, latest_charge: expanded ? paidCharge : chargeId },
          '/v1/charges/ch_1': paidCharge,
          '/v1/products/prod_1': { id: 'prod_1', object: 'product', name: 'Kit' },
        };
        const answer = answers[pathname];
        if (answer === undefined) return json(response, 404, { error: {} });
        json(response, 200, answer);
      };
    }

    test.each([
      [{}, ['/v1/payment_intents/pi_1', '/v1/charges/ch_1']],
      [{ charge: true }, ['/v1/payment_intents/pi_1']],
    ])('lines, payment, charge and products are asked for apart (%j)', async (heard, paymentPaths) => {
      const { client, requests } = await setup(plainHandler(heard));
      const snapshot = await client.retrievePaidSession('cs_1');
      expect(snapshot.session).toEqual({ id: 'cs_1', object: 'checkout.session', payment_intent: 'pi_1' });
      expect(snapshot.lineItems.map(({ id }) => id)).toEqual(Array.from({ length: 130 }, (_, index) => `li_${index}`));
      expect(snapshot.paymentIntent).toMatchObject({ id: 'pi_1', latest_charge: 'ch_1' });
      expect(snapshot.charge).toMatchObject({ id: 'ch_1', paid: true });
      expect(snapshot.reversal).toEqual({ amountRefunded: 3, fullyRefunded: false, disputed: false });
      expect(snapshot.products).toEqual({ prod_1: { id: 'prod_1', object: 'product', name: 'Kit' } });
      expect(requests.map(({ path }) => path)).toEqual([
        '/v1/checkout/sessions/cs_1',
        ...paymentPaths,
        '/v1/checkout/sessions/cs_1/line_items',
        '/v1/checkout/sessions/cs_1/line_items',
        '/v1/products',
        '/v1/products/prod_1',
      ]);
    });

    test('a payment without charge has none', async () => {
      const { client } = await setup(plainHandler({}, null));
      const { paymentIntent, charge: none } = await client.retrievePaidSession('cs_1');
      expect({ id: paymentIntent?.id, none }).toEqual({ id: 'pi_1', none: null });
    });

    test('a charge that cannot be read fails the read: it may have been refunded', async () => {
      const { client } = await setup(plainHandler({}, 'ch_other'));
      expect(await failureOf(client.retrievePaidSession('cs_1'))).toMatchObject({
        code: 'STRIPE_NOT_FOUND',
        endpoint: 'charges.retrieve',
      });
    });

    test('products that another list brings are not taken for those of the sale', async () => {
      const whole = saleHandler({
        lines: 1,
        product: () => 'prod_1',
        products: () => [{ id: 'prod_other', object: 'product', name: 'Other' }],
      });
      const { client } = await setup((request, response, url) =>
        url.pathname === '/v1/products/prod_1'
          ? json(response, 200, { id: 'prod_1', object: 'product', name: 'Kit' })
          : whole(request, response, url),
      );
      const { products } = await client.retrievePaidSession('cs_1');
      expect(products).toEqual({ prod_1: { id: 'prod_1', object: 'product', name: 'Kit' } });
    });
  });

  describe('the name of the shipping', () => {
    const expansions = ({ query }: { query: URLSearchParams }) =>
      [...query].filter(([name]) => name.startsWith('expand')).map(([, path]) => path);

    /** Refuses as long as the shipping rate is asked for, or always. */
    function refusing(status: number, message: string, always = false): Handler {
      const whole = saleHandler({ lines: 2 });
      return (request, response, url) => {
        const asked = [...url.searchParams.values()].includes('shipping_cost.shipping_rate');
        if (asked || always) return json(response, status, { error: { message } });
        whole(request, response, url);
      };
    }

    test.each([
      [403, "Having the 'rak_shipping_rate_read' permission would allow this"],
      [403, 'No'],
      [400, 'This property cannot be expanded (shipping_cost).'],
    ])('a sale comes without it where it is refused (%i %s)', async (status, message) => {
      const { client, requests } = await setup(refusing(status, message));
      expect((await client.retrievePaidSession('cs_1')).lineItems).toHaveLength(2);
      expect(requests.map(expansions)).toEqual([
        ['line_items.data.price.product', 'payment_intent.latest_charge', 'shipping_cost.shipping_rate'],
        ['line_items.data.price.product', 'payment_intent.latest_charge'],
      ]);
    });

    test.each([
      [403, "Having the 'rak_charge_read' permission would allow this", 1, 'STRIPE_PERMISSION'],
      [403, 'No', 2, 'STRIPE_PERMISSION'],
      [400, 'No', 2, 'STRIPE_REQUEST_INVALID'],
      [404, 'No', 1, 'STRIPE_NOT_FOUND'],
      [429, 'No', 1, 'STRIPE_RATE_LIMITED'],
      [500, 'No', 1, 'STRIPE_UNAVAILABLE'],
    ])(
      'a refusal that is about something else stays one (%i %s: %i requests)',
      async (status, message, count, code) => {
        const { client, requests } = await setup(refusing(status, message, true));
        expect(await failureOf(client.retrievePaidSession('cs_1'))).toMatchObject({ code });
        expect(requests).toHaveLength(count);
      },
    );
  });
});

describe('walking a list', () => {
  /** 250 events, newest first, evt_250 down to evt_1. */
  function eventsHandler(): Handler {
    const events = Array.from({ length: 250 }, (_, index) => ({ id: `evt_${250 - index}`, object: 'event' }));
    return (_request, response, { searchParams }) => {
      const limit = Number(searchParams.get('limit'));
      const after = searchParams.get('starting_after');
      const before = searchParams.get('ending_before');
      if (before !== null) {
        const end = events.findIndex((event) => event.id === before);
        const start = Math.max(0, end - limit);
        return json(response, 200, page(events.slice(start, end), start > 0));
      }
      const start = events.findIndex((event) => event.id === after) + 1;
      json(response, 200, page(events.slice(start, start + limit), start + limit < events.length));
    };
  }

  async function walk(pages: AsyncGenerator<{ items: { id: string }[]; cursor: string; hasMore: boolean }>) {
    const ids: string[] = [];
    const ends: [string, boolean][] = [];
    for await (const { items, cursor, hasMore } of pages) {
      ids.push(...items.map((item) => item.id));
      ends.push([cursor, hasMore]);
    }
    return { ids, ends };
  }
  const range = (from: number, to: number) =>
    Array.from({ length: Math.abs(to - from) + 1 }, (_, index) => `evt_${from < to ? from + index : from - index}`);

  test('into the past it goes newest first, by the hundred', async () => {
    const { client } = await setup(eventsHandler());
    const { ids, ends } = await walk(client.listEvents());
    expect(ids).toEqual(range(250, 1));
    expect(ends).toEqual([
      ['evt_151', true],
      ['evt_51', true],
      ['evt_1', false],
    ]);
  });

  test('towards the present it goes oldest first, and its cursor continues a later walk', async () => {
    const { client } = await setup(eventsHandler());
    const first = await walk(client.listEvents({ newerThan: 'evt_10', pageSize: 40, pagesMax: 2 }));
    expect(first.ids).toEqual(range(11, 90));
    expect(first.ends.at(-1)).toEqual(['evt_90', true]);
    const rest = await walk(client.listEvents({ newerThan: 'evt_90' }));
    expect(rest.ids).toEqual(range(91, 250));
    expect((await walk(client.listEvents({ newerThan: 'evt_250' }))).ends).toEqual([]);
  });

  test('a list that repeats its last page ends', async () => {
    const { client, requests } = await setup((_request, response) =>
      json(response, 200, page([{ id: 'evt_1', object: 'event' }], true)),
    );
    expect((await walk(client.listEvents())).ids).toEqual(['evt_1']);
    expect(requests).toHaveLength(2);
  });

  test('filters arrive in Stripe’s words', async () => {
    const { client, requests } = await setup((_request, response) => json(response, 200, page([])));
    await walk(client.listEvents({ types: ['a.b', 'c.d'], deliverySuccess: false, created: { gte: 5, lt: 9 } }));
    await walk(
      client.listSessions({ status: 'complete', paymentLink: 'plink_1', withPayments: true, olderThan: 'cs_9' }),
    );
    expect(requests.map(({ path, query }) => [path, Object.fromEntries(query)])).toEqual([
      [
        '/v1/events',
        {
          limit: '100',
          'types[0]': 'a.b',
          'types[1]': 'c.d',
          delivery_success: 'false',
          'created[gte]': '5',
          'created[lt]': '9',
        },
      ],
      [
        '/v1/checkout/sessions',
        {
          limit: '100',
          status: 'complete',
          payment_link: 'plink_1',
          'expand[0]': 'data.payment_intent.latest_charge',
          starting_after: 'cs_9',
        },
      ],
    ]);
  });
});
