import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import Stripe from 'stripe';
import { createStripeSimulator, type PartialSettings, type StripeSimulator } from './index';
import { signatureHeader } from './signature';

const SECRET = 'whsec_test';
const stripe = new Stripe('sk_test_unused');

interface Received {
  body: string;
  signature: string;
}

/** A receiver whose status is decided per request, and a simulator that delivers to it. */
class Shop {
  readonly received: Received[] = [];
  status: (request: IncomingMessage, body: string) => number = () => 200;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts).toString('utf8');
        this.received.push({ body, signature: String(request.headers['stripe-signature']) });
        const status = this.status(request, body);
        response.writeHead(status, status === 302 ? { Location: '/elsewhere' } : {}).end();
      });
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/webhooks`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  events(): Stripe.Event[] {
    return this.received.map(({ body }) => JSON.parse(body) as Stripe.Event);
  }
}

let shop: Shop;
let url: string;
const started: StripeSimulator[] = [];

function simulate(settings: PartialSettings = {}, enabledEvents = ['checkout.session.completed']): StripeSimulator {
  const simulator = createStripeSimulator(settings);
  simulator.control.addEndpoint({ url, secrets: [SECRET], enabledEvents });
  started.push(simulator);
  return simulator;
}

beforeEach(async () => {
  shop = new Shop();
  url = await shop.open();
});
afterEach(async () => {
  for (const simulator of started.splice(0)) await simulator.close();
  await shop.close();
});

describe('signatures', () => {
  it("every body and secret signed here passes Stripe's own verifier, and no other secret does", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (value, secret, other) => {
        fc.pre(secret.trim() === secret && other.trim() === other && secret !== other);
        const body = JSON.stringify({ object: 'event', value });
        const header = signatureHeader(body, [secret], Math.floor(Date.now() / 1000));
        expect(stripe.webhooks.constructEvent(body, header, secret)).toEqual(JSON.parse(body));
        expect(() => stripe.webhooks.constructEvent(body, header, other)).toThrow();
      }),
      { numRuns: 100 },
    );
  });

  it('while a secret is rolled, both pass', async () => {
    const simulator = simulate({ delivery: { atOnce: false } });
    const [endpoint] = simulator.control.endpoints();
    simulator.control.changeEndpoint(endpoint?.value.id ?? '', { secrets: ['whsec_new', SECRET] });
    simulator.control.createSale();
    await simulator.control.deliver();
    const [{ body, signature } = { body: '', signature: '' }] = shop.received;
    for (const secret of ['whsec_new', SECRET]) {
      expect(stripe.webhooks.constructEvent(body, signature, secret).type).toBe('checkout.session.completed');
    }
  });

  it('an old delivery replayed is refused by the verifier', async () => {
    const simulator = simulate({ delivery: { atOnce: false } });
    simulator.control.createSale();
    await simulator.control.deliver({ signatureAgeSeconds: 400 });
    const [{ body, signature } = { body: '', signature: '' }] = shop.received;
    expect(() => stripe.webhooks.constructEvent(body, signature, SECRET)).toThrow('tolerance');
  });
});

describe('what arrives', () => {
  it('only the types the endpoint wants, at once, acknowledged by 2xx', async () => {
    const simulator = simulate();
    const { eventIds, sessionId } = simulator.control.createSale();
    expect(await simulator.control.wait({ delivered: 1, timeoutMs: 30_000 })).toMatchObject({
      reached: true,
      outstanding: 0,
    });
    expect(shop.events()).toMatchObject([
      { id: eventIds.at(-1), pending_webhooks: 1, data: { object: { id: sessionId } } },
    ]);
    const event = shop.events()[0]?.data.object as Stripe.Checkout.Session;
    expect(typeof event.payment_intent).toBe('string');
    expect(event.line_items).toBeUndefined();
  });

  it('nothing before somebody asks, when a sale is made with deliver: false', async () => {
    const simulator = simulate();
    simulator.control.createSale({ deliver: false });
    expect(simulator.control.books().deliveries).toMatchObject({ attempts: 0, outstanding: 0 });
    expect(await simulator.control.deliver()).toEqual({ attempts: 1, acknowledged: 1, answers: { 200: 1 } });
    expect(await simulator.control.deliver()).toMatchObject({ attempts: 0 });
  });

  it('a fifth doubled and all shuffled, each event at least once', async () => {
    const simulator = simulate({ seed: 3, delivery: { atOnce: false } });
    const sales = simulator.control.createBulkSales({ count: 100, linesMax: 2 });
    const result = await simulator.control.deliver({ duplicates: 0.2, shuffle: true, concurrency: 10 });
    expect(result.acknowledged).toBe(result.attempts);
    expect(result.attempts).toBeGreaterThan(105);
    expect(result.attempts).toBeLessThan(140);
    const ids = shop.events().map(({ id }) => id);
    const inOrder = sales.map(({ eventIds }) => eventIds.at(-1));
    expect(new Set(ids)).toEqual(new Set(inOrder));
    expect(ids.slice(0, 20)).not.toEqual(inOrder.slice(0, 20));
  });

  it('automatic duplicates carry the same id; lost events stay pending and are listed as not delivered', async () => {
    const simulator = simulate({ delivery: { duplicateFraction: 1 } });
    simulator.control.createSale();
    await simulator.control.wait({ idle: true, delivered: 1, timeoutMs: 30_000 });
    expect(new Set(shop.events().map(({ id }) => id)).size).toBe(1);
    expect(shop.received).toHaveLength(2);

    simulator.control.changeSettings({ delivery: { duplicateFraction: 0, lossFraction: 1 } });
    const lost = simulator.control.createSale();
    const { url: api } = await simulator.listen();
    const answer = await fetch(`${api}/v1/events?delivery_success=false`, {
      headers: { Authorization: 'Bearer sk_test_simulator' },
    });
    const { data } = (await answer.json()) as { data: { id: string; pending_webhooks: number }[] };
    expect(data).toMatchObject([{ id: lost.eventIds.at(-1), pending_webhooks: 1 }]);
    expect(shop.received).toHaveLength(2);
    await simulator.control.resend(lost.eventIds.at(-1) ?? '');
    expect(shop.events().at(-1)?.id).toBe(lost.eventIds.at(-1));
  });

  it('a manual resend sends again what was delivered already', async () => {
    const simulator = simulate();
    const id = simulator.control.createSale().eventIds.at(-1) ?? '';
    await simulator.control.wait({ delivered: 1, timeoutMs: 30_000 });
    expect(await simulator.control.resend(id)).toMatchObject({ acknowledged: 1 });
    expect(shop.events().map((event) => event.id)).toEqual([id, id]);
  });

  it('events of connected accounts reach endpoints that listen to them', async () => {
    const simulator = createStripeSimulator({ delivery: { atOnce: false } });
    started.push(simulator);
    simulator.control.addEndpoint({ url, audience: 'own' });
    simulator.control.createSale({ account: 'acct_1Connected' });
    expect(await simulator.control.deliver()).toMatchObject({ attempts: 0 });
    simulator.control.addEndpoint({ url, audience: 'connected', enabledEvents: ['checkout.session.completed'] });
    expect(await simulator.control.deliver()).toMatchObject({ acknowledged: 1 });
    expect(shop.events()).toMatchObject([{ account: 'acct_1Connected' }]);
  });
});

describe('retries', () => {
  it.each([500, 404, 302])('%i is a failure and is tried again with a new signature', async (status) => {
    shop.status = () => (shop.received.length < 3 ? status : 200);
    const simulator = simulate({ delivery: { retryDelaysMs: [1, 1_100, 1] } });
    simulator.control.createSale();
    expect(await simulator.control.wait({ delivered: 1, timeoutMs: 30_000 })).toMatchObject({ reached: true });
    expect(simulator.control.deliveries().map((attempt) => attempt.status)).toEqual([status, status, 200]);
    expect(shop.received[2]?.signature).not.toBe(shop.received[0]?.signature);
    expect(shop.received[2]?.body).toBe(shop.received[0]?.body);
  });

  it('end after the last delay; a resend still goes out', async () => {
    shop.status = () => 503;
    const simulator = simulate({ delivery: { retryDelaysMs: [1, 1] } });
    const id = simulator.control.createSale().eventIds.at(-1) ?? '';
    await simulator.control.wait({ idle: true, timeoutMs: 30_000 });
    expect(simulator.control.books().deliveries).toMatchObject({ attempts: 3, acknowledged: 0, outstanding: 0 });
    shop.status = () => 200;
    expect(await simulator.control.resend(id)).toMatchObject({ acknowledged: 1 });
  });

  it("wait for the simulator's clock when the settings say so", async () => {
    shop.status = () => (shop.received.length === 1 ? 500 : 200);
    const simulator = simulate({ delivery: { retryTime: 'simulated', retryDelaysMs: [3_600_000] } });
    simulator.control.createSale({ deliver: false });
    await simulator.control.deliver();
    expect(simulator.control.books().deliveries).toMatchObject({ attempts: 1, outstanding: 1 });
    simulator.control.changeClock({ advanceMs: 3_600_001 });
    expect(await simulator.control.wait({ delivered: 1, timeoutMs: 30_000 })).toMatchObject({ reached: true });
  });

  it('a receiver that is not there counts as failure without a status', async () => {
    const simulator = createStripeSimulator({ delivery: { atOnce: false, retryDelaysMs: [] } });
    simulator.control.addEndpoint({ url: 'http://127.0.0.1:9/nobody' });
    simulator.control.createSale();
    expect(await simulator.control.deliver({ eventIds: [] })).toMatchObject({ attempts: 0 });
    expect(await simulator.control.deliver()).toEqual({ attempts: 4, acknowledged: 0, answers: { ECONNREFUSED: 4 } });
  });
});

it('each endpoint gets its own API version; read through the API an event keeps the account version', async () => {
  const simulator = createStripeSimulator({ delivery: { atOnce: false } });
  started.push(simulator);
  const enabledEvents = ['payment_intent.succeeded'];
  simulator.control.addEndpoint({ url, enabledEvents, apiVersion: '2020-08-27' });
  const id = simulator.control.createSale().eventIds[2] ?? '';
  await simulator.control.deliver();
  expect(shop.events()).toMatchObject([
    {
      api_version: '2020-08-27',
      data: { object: { charges: { data: [{ receipt_url: expect.stringMatching(/^https:/) }] } } },
    },
  ]);
  const { url: api } = await simulator.listen();
  const answer = await fetch(`${api}/v1/events/${id}`, {
    headers: { Authorization: 'Bearer sk_test_simulator', 'Stripe-Version': '2020-08-27' },
  });
  expect(await answer.json()).toMatchObject({
    api_version: Stripe.API_VERSION,
    data: { object: { latest_charge: expect.any(String) } },
  });
});
