import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Delivery } from '@bridge/inbox';
import { createLogger, createMetrics, type HttpListener } from '@bridge/observability';
import { createApp } from './create-app';
import { createPublicServer, type ServerLimits } from './create-server';
import { NotStoredError, type Recorded } from './delivery-batcher';
import type { Rejection } from './rejection-recorder';
import type { WebhookOutcome } from './webhook-handler';

const secret = 'whsec_http';
const event = {
  id: 'evt_1',
  object: 'event',
  type: 'checkout.session.completed',
  livemode: false,
  data: { object: {} },
};
const text = JSON.stringify(event);
const seconds = (): number => Math.floor(Date.now() / 1_000);

function sign(body: string | Buffer, at: number | string = seconds(), key = secret): string {
  const hex = createHmac('sha256', key).update(`${at}.`).update(body).digest('hex');
  return `t=${at},v1=${hex}`;
}

let server: HttpListener;
afterEach(() => server.stop(0));

async function setup(
  options: {
    limits?: Partial<ServerLimits>;
    record?: (delivery: Delivery) => Promise<Recorded>;
    allBodiesBytesMax?: number;
    secrets?: string[];
  } = {},
) {
  const stored: Delivery[] = [];
  const rejections: Rejection[] = [];
  const lines: string[] = [];
  const metrics = createMetrics({ defaults: false });
  const webhooks = metrics.webhooksTotal();
  const record = async (delivery: Delivery): Promise<Recorded> => {
    stored.push(delivery);
    return { id: '1', eventId: delivery.eventId, outcome: 'new', state: 'received' };
  };
  let draining = false;
  const app = createApp({
    batcher: { record: options.record ?? record },
    rejections: { record: (rejection) => rejections.push(rejection) },
    secrets: options.secrets ?? [secret, 'whsec_second'],
    expectations: { livemode: false, wants: (type) => type.startsWith('checkout.') },
    logger: createLogger({ name: 'test', level: 'debug', destination: { write: (line) => lines.push(line) } }),
    webhooks,
    seconds: metrics.webhookSeconds(),
    draining: () => draining,
    ...(options.allBodiesBytesMax === undefined ? {} : { allBodiesBytesMax: options.allBodiesBytesMax }),
  });
  server = createPublicServer({
    host: '127.0.0.1',
    port: 0,
    handler: app,
    onMalformed: () => webhooks.inc({ outcome: 'malformed_http' }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const url = await server.start();
  return {
    url,
    stored,
    rejections,
    lines,
    drain: () => {
      draining = true;
    },
    count: async (outcome: WebhookOutcome): Promise<number> =>
      (await webhooks.get()).values.find((value) => value.labels.outcome === outcome)?.value ?? 0,
    post: (body: string | Buffer, headers: Record<string, string> = { 'stripe-signature': sign(body) }) =>
      fetch(`${url}/webhooks/stripe`, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers }),
  };
}

/** Writes bytes to a fresh connection and gives back everything that came until it closed. */
async function raw(url: string, ...chunks: (string | Buffer)[]): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  // A server that closes first may reset the connection; what it said before counts.
  socket.on('error', () => received.push(Buffer.alloc(0)));
  for (const chunk of chunks) socket.write(chunk);
  await once(socket, 'close');
  return Buffer.concat(received).toString('latin1');
}

const statusOf = (response: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(response)?.[1] ?? 0);

/** A raw POST that the server closes after its answer. */
const rawPost = (headers: readonly string[], body = ''): string =>
  ['POST /webhooks/stripe HTTP/1.1', 'Host: x', 'Connection: close', ...headers, '', body].join('\r\n');

test('without a signing secret, as in pull mode, a webhook is not taken and the answer says why', async () => {
  const { post, stored, count, url } = await setup({ secrets: [] });
  const response = await post(text);
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual({
    error: 'WEBHOOKS_NOT_TAKEN',
    message: expect.stringContaining('STRIPE_DELIVERY=pull'),
  });
  expect((await fetch(`${url}/webhooks/stripe`)).status).toBe(404);
  expect(stored).toEqual([]);
  expect(await count('not_taken')).toBe(2);
});

describe('a genuine webhook', () => {
  test('is answered 200 {"received":true} with its bytes stored as they came', async () => {
    const { post, stored, count } = await setup();
    const response = await post(`${text}\n `);
    expect([response.status, await response.text()]).toEqual([200, '{"received":true}']);
    expect(stored).toEqual([expect.objectContaining({ eventId: 'evt_1', ignoredBecause: null })]);
    expect(stored[0]?.body.toString()).toBe(`${text}\n `);
    expect(await count('new')).toBe(1);
  });

  test('is answered only after the store has committed', async () => {
    let commit: (recorded: Recorded) => void = () => undefined;
    let began: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      began = resolve;
    });
    const { post } = await setup({
      record: () =>
        new Promise((resolve) => {
          commit = resolve;
          began();
        }),
    });
    let answered = false;
    const response = post(text).then((answer) => {
      answered = true;
      return answer;
    });
    await begun;
    expect(answered).toBe(false);
    commit({ id: '1', eventId: 'evt_1', outcome: 'duplicate', state: 'processed' });
    expect((await response).status).toBe(200);
  });

  test('passes with the second secret, in chunks, at exactly 1 MiB, with NUL and broken UTF-8, and whatever its content type', async () => {
    const { post, url, stored } = await setup();
    expect((await post(text, { 'stripe-signature': sign(text, seconds(), 'whsec_second') })).status).toBe(200);
    const full = JSON.stringify({ ...event, filler: 'x'.repeat(1024 * 1024 - text.length - 12) });
    expect(Buffer.byteLength(full)).toBe(1024 * 1024);
    expect((await post(full)).status).toBe(200);
    const odd = Buffer.concat([
      Buffer.from(`{"note":"\\u0000`),
      Buffer.from([0xff, 0xfe]),
      Buffer.from(`",${text.slice(1)}`),
    ]);
    expect((await post(odd, { 'stripe-signature': sign(odd), 'content-type': 'text/plain' })).status).toBe(200);
    expect(stored.at(-1)?.body.equals(odd)).toBe(true);
    const chunked = [...text].map((letter) => `1\r\n${letter}\r\n`).join('');
    const head = rawPost([`Stripe-Signature: ${sign(text)}`, 'Transfer-Encoding: chunked']);
    expect(statusOf(await raw(url, head, chunked, '0\r\n\r\n'))).toBe(200);
    expect(stored).toHaveLength(4);
  });

  test('of an unwanted type or of the other mode is stored as ignored and answered 200', async () => {
    const { post, stored, count, lines } = await setup();
    expect((await post(JSON.stringify({ ...event, type: 'customer.created' }))).status).toBe(200);
    expect((await post(JSON.stringify({ ...event, id: 'evt_2', livemode: true }))).status).toBe(200);
    expect(stored.map(({ ignoredBecause }) => ignoredBecause)).toEqual(['UNWANTED_TYPE', 'OTHER_LIVEMODE']);
    expect(await count('ignored')).toBe(2);
    expect(lines.filter((line) => line.includes('event of the other mode'))).toHaveLength(1);
  });

  test('that cannot be stored is answered 503 with a code, and the log holds nothing of its body', async () => {
    const failure = Object.assign(new Error('Failed query: … params: zq9'), { query: 'zq9', params: ['zq9'] });
    const { post, count, lines } = await setup({
      record: () => Promise.reject(new NotStoredError('STORE_FAILED', { cause: failure })),
    });
    const response = await post(text);
    expect([response.status, await response.json()]).toEqual([503, { error: 'STORE_FAILED' }]);
    expect(await count('not_stored')).toBe(1);
    expect(lines.join('')).toContain('webhook not stored');
    expect(lines.join('')).not.toContain('zq9');
  });

  test.each(['/webhooks/stripe', '/webhooks/stripe/', '/webhooks/stripe?endpoint=1', '/Webhooks/Stripe'])(
    'posted to %s is taken, and a bug of ours is answered 500 with a log line and without its text',
    async (path) => {
      let broken = false;
      const { url, count, lines } = await setup({
        record: async ({ eventId }) => {
          if (broken) throw new TypeError('zq9 is not a function');
          return { id: '1', eventId, outcome: 'new', state: 'received' };
        },
      });
      const post = (): Promise<Response> =>
        fetch(`${url}${path}`, { method: 'POST', body: text, headers: { 'stripe-signature': sign(text) } });
      const taken = await post();
      expect([taken.status, await taken.json(), await count('new')]).toEqual([200, { received: true }, 1]);
      broken = true;
      const failed = await post();
      expect([failed.status, await failed.json()]).toEqual([500, { error: 'INTERNAL' }]);
      expect(lines.filter((line) => line.includes('request failed'))).toHaveLength(1);
      broken = false;
      expect((await post()).status).toBe(200);
    },
  );

  test('is refused with 503 while other bodies fill the memory set aside, and taken once they are done', async () => {
    const held: { delivery: Delivery; commit(recorded: Recorded): void }[] = [];
    let wake: () => void = () => undefined;
    const { post, count } = await setup({
      allBodiesBytesMax: Buffer.byteLength(text) * 2,
      record: (delivery) =>
        new Promise((resolve) => {
          held.push({ delivery, commit: resolve });
          wake();
        }),
    });
    const inHand = async (number: number): Promise<void> => {
      while (held.length < number) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    const commitAll = (): void => {
      for (const { delivery, commit } of held.splice(0)) {
        commit({ id: '1', eventId: delivery.eventId, outcome: 'new', state: 'received' });
      }
    };
    for (let round = 0; round < 3; round += 1) {
      const taken = [post(text), post(text)];
      await inHand(2);
      const refused = await post(text);
      expect([refused.status, await refused.json()]).toEqual([503, { error: 'OVERLOADED' }]);
      // What is not taken for its signature gives its room back as well.
      commitAll();
      expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200]);
      expect((await post(text, {})).status).toBe(400);
    }
    expect(await count('not_stored')).toBe(3);
  });

  test('is still answered while draining, with the request to close the connection', async () => {
    const { post, drain } = await setup();
    expect((await post(text)).headers.get('connection')).toBe('keep-alive');
    drain();
    const response = await post(text);
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close']);
  });
});

describe('crafted requests', () => {
  const now = seconds();
  const good = sign(text, now);
  const hex = good.split('v1=')[1] ?? '';
  const signedBody = (body: string | Buffer): [string[], string | Buffer] => [
    [`Stripe-Signature: ${sign(body)}`],
    body,
  ];
  const withHeader = (...values: string[]): [string[], string] => [
    values.map((value) => `Stripe-Signature: ${value}`),
    text,
  ];

  const refused: [string, [readonly string[], string | Buffer]][] = [
    ['no signature', [[], text]],
    ['an empty signature', withHeader('')],
    ['spaces as signature', withHeader('    ')],
    ['v1 without a value', withHeader(`t=${now},v1=`)],
    ['a bare v1', withHeader(`t=${now},v1`)],
    ['a bare t', withHeader(`t,v1=${hex}`)],
    ['64 characters beyond ASCII', withHeader(`t=${now},v1=${'\xe9'.repeat(64)}`)],
    ['64 characters of emoji', withHeader(`t=${now},v1=${Buffer.from('😀'.repeat(16)).toString('latin1')}`)],
    ['64 letters that are no hex', withHeader(`t=${now},v1=${'g'.repeat(64)}`)],
    ['a short signature', withHeader(`t=${now},v1=${hex.slice(2)}`)],
    ['a long signature', withHeader(`t=${now},v1=${hex}00`)],
    ['upper-case hex', withHeader(`t=${now},v1=${hex.toUpperCase()}`)],
    ['a wrong signature', withHeader(`t=${now},v1=${'0'.repeat(64)}`)],
    ['a hundred wrong signatures', withHeader(`t=${now}${`,v1=${'0'.repeat(64)}`.repeat(100)}`)],
    ['sixteen wrong signatures', withHeader(`t=${now}${`,v1=${'0'.repeat(64)}`.repeat(16)}`)],
    ['another secret', withHeader(sign(text, now, 'whsec_wrong'))],
    ['an empty secret', withHeader(sign(text, now, ''))],
    ['only the older scheme', withHeader(`t=${now},v0=${hex}`)],
    ['no time', withHeader(`v1=${hex}`)],
    ['an empty time', withHeader(`t=,v1=${hex}`)],
    ['a time in words', withHeader(`t=now,v1=${hex}`)],
    ['a time that is not a number', withHeader(`t=NaN,v1=${hex}`)],
    ['an endless time', withHeader(`t=Infinity,v1=${hex}`)],
    ['a negative time, signed', withHeader(sign(text, -5))],
    ['the year zero, signed', withHeader(sign(text, 0))],
    ['a time 301 seconds ago, signed', withHeader(sign(text, now - 302))],
    ['a future time with the signature of now', withHeader(`t=${now + 100_000},v1=${hex}`)],
    ['milliseconds with the signature of seconds', withHeader(`t=${now}000,v1=${hex}`)],
    ['a time of forty digits', withHeader(`t=${'9'.repeat(40)},v1=${hex}`)],
    ['a padded time, signed', withHeader(sign(text, `0${now}`))],
    ['a space after the comma', withHeader(`t=${now}, v1=${hex}`)],
    ['two times', withHeader(`t=${now - 5},t=${now},v1=${hex}`)],
    ['the header twice, both genuine', withHeader(good, good)],
    ['the header twice, one genuine', withHeader('t=1,v1=00', good)],
    ['semicolons', withHeader(`t=${now};v1=${hex}`)],
    ['an array as text', withHeader(`["${good}"]`)],
    ['only commas', withHeader(',,,,,,')],
    ['names of object internals', withHeader(`__proto__=x,constructor=x,t=${now}`)],
    ['a header of 8 kB', withHeader(`t=${now},v1=${'a'.repeat(8_000)}`)],
    ['the signature of another body', withHeader(sign('{}', now))],
    ['the signature in another header', [[`Stripe-Signature2: ${good}`], text]],
    ['an empty body, signed', signedBody('')],
    ['a body with one more space', [[`Stripe-Signature: ${good}`], `${text} `]],
    ['no JSON, signed', signedBody('id=evt_1&object=event')],
    ['half a JSON, signed', signedBody(text.slice(0, -1))],
    ['two JSON texts, signed', signedBody(text + text)],
    ['bytes, signed', signedBody(Buffer.from([0, 255, 254, 0]))],
    ['null, signed', signedBody('null')],
    ['an array, signed', signedBody(`[${text}]`)],
    ['a text, signed', signedBody('"event"')],
    ['a number, signed', signedBody('1e999')],
    ['100,000 open brackets, signed', signedBody('['.repeat(100_000))],
    ['a charge, signed', signedBody('{"id":"ch_1","object":"charge"}')],
    ['no id, signed', signedBody('{"object":"event","type":"checkout.session.completed"}')],
    ['a number as id, signed', signedBody('{"id":1,"object":"event","type":"checkout.session.completed"}')],
    ['an object as id, signed', signedBody('{"id":{"a":1},"object":"event","type":"x"}')],
    ['an id with a NUL, signed', signedBody('{"id":"evt_\\u0000","object":"event","type":"x"}')],
    ['no type, signed', signedBody('{"id":"evt_1","object":"event"}')],
    ['a thin event, signed', signedBody('{"id":"evt_1","object":"v2.core.event","type":"v1.invoice.paid"}')],
    ['object set through __proto__, signed', signedBody('{"id":"evt_1","type":"x","__proto__":{"object":"event"}}')],
    ['an account that is no text, signed', signedBody('{"id":"evt_1","object":"event","type":"x","account":{}}')],
  ];

  test('none is stored, each is answered 400 with a JSON code, and each is kept without its body', async () => {
    const { url, stored, rejections, count } = await setup();
    expect(refused.length).toBeGreaterThanOrEqual(60);
    for (const [what, [headers, body]] of refused) {
      const bytes = Buffer.from(body);
      const head = rawPost([...headers, `Content-Length: ${bytes.length}`]);
      const response = await raw(url, Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
      expect([what, statusOf(response)]).toEqual([what, 400]);
      expect(response).toMatch(/\r\n\r\n\{"error":"[A-Z_]+"\}$/);
    }
    expect(stored).toEqual([]);
    expect(rejections).toHaveLength(refused.length);
    for (const rejection of rejections) {
      expect(rejection).toEqual({
        reason: expect.stringMatching(/^[A-Z_]+$/),
        bytes: expect.any(Number),
        remote: '127.0.0.1',
      });
    }
    expect((await count('bad_signature')) + (await count('bad_body'))).toBe(refused.length);
  });

  test('more than 1 MiB is answered 413, announced or not, and the server goes on', async () => {
    const { post, url, stored, count } = await setup();
    const large = 'x'.repeat(1024 * 1024 + 1);
    expect((await post(large)).status).toBe(413);
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const head = rawPost([`Stripe-Signature: ${good}`, 'Transfer-Encoding: chunked']);
    expect(statusOf(await raw(url, head, chunk.repeat(17), '0\r\n\r\n'))).toBe(413);
    expect(statusOf(await raw(url, rawPost([`Content-Length: ${10 ** 12}`], 'x'.repeat(9 * 1024 * 1024))))).toBe(413);
    expect(await count('too_large')).toBe(3);
    expect((await post(text)).status).toBe(200);
    expect(stored).toHaveLength(1);
  });

  test('a compressed body is answered 415, since the signature speaks for the bytes on the wire', async () => {
    const { post, stored } = await setup();
    const zipped = gzipSync(text);
    for (const encoding of ['gzip', 'br', 'deflate', 'nonsense']) {
      const response = await post(zipped, { 'stripe-signature': sign(zipped), 'content-encoding': encoding });
      expect([response.status, await response.json()]).toEqual([415, { error: 'BODY_ENCODED' }]);
    }
    expect(stored).toEqual([]);
    expect((await post(text, { 'stripe-signature': sign(text), 'content-encoding': 'identity' })).status).toBe(200);
  });

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'])(
    '%s is answered 405 and says what is allowed',
    async (method) => {
      const { url, count } = await setup();
      const response = await fetch(`${url}/webhooks/stripe`, { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
      expect(await count('bad_method')).toBe(1);
    },
  );

  test('other paths are 404 or 400, never a redirect and never 5xx', async () => {
    const { url, stored } = await setup();
    for (const path of [
      '/',
      '/webhooks',
      '/webhooks/stripe/x',
      '/webhooks//stripe',
      '/%',
      '/webhooks/%ff',
      '/healthz',
      '/metrics',
      '//',
      '/?a=%',
    ]) {
      const status = statusOf(
        await raw(url, `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`),
      );
      expect([path, status]).toEqual([path, expect.any(Number)]);
      expect([400, 404]).toContain(status);
    }
    expect(stored).toEqual([]);
  });

  test.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400],
    ['a TLS greeting', Buffer.from([22, 3, 1, 0, 200, 1, 0, 0]), 400],
    ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['an unknown method', 'FROB /webhooks/stripe HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    ['no host', 'POST /webhooks/stripe HTTP/1.1\r\nContent-Length: 0\r\n\r\n', 400],
    ['two lengths', rawPost(['Content-Length: 1', 'Content-Length: 2'], 'ab'), 400],
    ['a length and chunks', rawPost(['Content-Length: 1', 'Transfer-Encoding: chunked'], '0\r\n\r\n'), 400],
    ['a length in words', rawPost(['Content-Length: many']), 400],
    ['a negative length', rawPost(['Content-Length: -1']), 400],
    ['a chunk of no size', rawPost(['Transfer-Encoding: chunked'], 'zz\r\n'), 400],
    ['a header with a NUL', rawPost(['A: b\0c']), 400],
    ['a header with a bare line break', rawPost(['A: b\nStripe-Signature: x\0']), 400],
    ['headers of 20 kB', rawPost([`A: ${'a'.repeat(20_000)}`]), 431],
    ['a path of 20 kB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
  ])('%s is answered by the parser, counted, and harms nobody', async (_what, bytes, status) => {
    const { url, stored, post } = await setup();
    const response = await raw(url, bytes);
    expect(statusOf(response)).toBe(status);
    expect((await post(text)).status).toBe(200);
    expect(stored).toHaveLength(1);
  });
});

describe('slow and vanishing clients', () => {
  const limits = { headersTimeoutMs: 50, requestTimeoutMs: 100, checkEveryMs: 10 };

  test('headers that never end are cut off with 408', async () => {
    const { url, count } = await setup({ limits });
    expect(statusOf(await raw(url, 'POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nX-Slow: '))).toBe(408);
    expect(await count('malformed_http')).toBe(1);
  });

  test('a body that never comes is cut off, not stored, and counted', async () => {
    // Time enough for a whole request, which is to be answered afterwards.
    const patient = { headersTimeoutMs: 3_000, requestTimeoutMs: 4_000, checkEveryMs: 10 };
    const { url, stored, post } = await setup({ limits: patient });
    const response = await raw(
      url,
      rawPost([`Stripe-Signature: ${sign(text)}`, `Content-Length: ${text.length}`], text.slice(0, 5)),
    );
    expect(statusOf(response)).toBe(408);
    expect(stored).toEqual([]);
    expect((await post(text)).status).toBe(200);
  });

  test('a client that goes away in mid-body leaves nothing behind', async () => {
    const { url, stored, count, post } = await setup();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(rawPost([`Stripe-Signature: ${sign(text)}`, `Content-Length: ${text.length}`], text.slice(0, 5)));
    // The next answer on another connection comes after the server has read what was written here before.
    expect((await post(text)).status).toBe(200);
    socket.destroy();
    while ((await count('aborted')) === 0) await post(text);
    expect(new Set(stored.map(({ eventId, body }) => `${eventId} ${body.length}`))).toEqual(
      new Set([`evt_1 ${text.length}`]),
    );
  });

  test('stop lets a request in hand finish, refuses new ones, and returns', async () => {
    let commit: (recorded: Recorded) => void = () => undefined;
    let began: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      began = resolve;
    });
    const { post } = await setup({
      record: () =>
        new Promise((resolve) => {
          commit = resolve;
          began();
        }),
    });
    const response = post(text);
    await begun;
    const stopped = server.stop(60_000);
    await expect(post(text)).rejects.toThrow('fetch failed');
    commit({ id: '1', eventId: 'evt_1', outcome: 'new', state: 'received' });
    expect((await response).status).toBe(200);
    const answeredAt = performance.now();
    await stopped;
    expect(performance.now() - answeredAt).toBeLessThan(30_000);
  });

  test('stop does not wait longer than its grace for a client that hangs', async () => {
    const { url } = await setup();
    const closed = raw(url, 'POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12');
    await fetch(`${url}/`);
    await server.stop(10);
    expect(await closed).toBe('');
  });
});
