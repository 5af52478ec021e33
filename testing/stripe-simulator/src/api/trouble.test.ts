import Stripe from 'stripe';
import { createStripeSimulator, type PartialSettings, type StripeSimulator } from '../index';

const started: StripeSimulator[] = [];

async function setup(settings: PartialSettings = {}, options: Partial<ConstructorParameters<typeof Stripe>[1]> = {}) {
  const simulator = createStripeSimulator(settings);
  started.push(simulator);
  const { url, port } = await simulator.listen();
  const stripe = new Stripe('sk_test_simulator', {
    host: '127.0.0.1',
    port,
    protocol: 'http',
    telemetry: false,
    maxNetworkRetries: 0,
    ...options,
  });
  return { simulator, control: simulator.control, stripe, url };
}

type Fault = Partial<InstanceType<typeof Stripe.errors.StripeError>>;
async function fault(call: Promise<unknown>): Promise<Fault> {
  return call.then(
    () => ({ message: 'no fault' }),
    (error: Fault) => error,
  );
}

afterEach(async () => {
  for (const simulator of started.splice(0)) await simulator.close();
});

it.each([
  ['rate-limit', 'StripeRateLimitError', 429],
  ['lock-timeout', 'StripeRateLimitError', 429],
  ['server-error', 'StripeAPIError', 500],
  ['unauthorized', 'StripeAuthenticationError', 401],
  ['forbidden', 'StripePermissionError', 403],
  ['reset', 'StripeConnectionError', undefined],
  ['truncated', 'StripeConnectionError', undefined],
] as const)('%s spoils the next call only, and the package calls it %s', async (kind, type, statusCode) => {
  const { control, stripe } = await setup({}, { httpClient: Stripe.createFetchHttpClient() });
  control.addTrouble({ kind, next: 1 });
  const error = await fault(stripe.events.list());
  expect(error.type).toBe(type);
  expect(error.statusCode).toBe(statusCode);
  expect((await stripe.events.list()).data).toEqual([]);
});

it('a plain 429 names its reason and is not repeated by the package; a lock_timeout is', async () => {
  const { control, stripe } = await setup({}, { maxNetworkRetries: 2 });
  control.addTrouble({ kind: 'rate-limit', next: 1, reason: 'endpoint-rate' });
  const limited = await fault(stripe.events.list());
  expect(limited.headers).toMatchObject({ 'stripe-rate-limited-reason': 'endpoint-rate' });
  control.addTrouble({ kind: 'lock-timeout', next: 1 });
  expect((await stripe.events.list()).data).toEqual([]);
  expect(control.books().api.byStatus).toEqual({ 200: 1, 429: 2 });
});

it('by path only, and by chance', async () => {
  const { control, stripe } = await setup({ seed: 11 });
  control.addTrouble({ kind: 'server-error', pathPrefix: '/v1/checkout' });
  expect(await fault(stripe.checkout.sessions.list())).toMatchObject({ statusCode: 500 });
  expect((await stripe.events.list()).data).toEqual([]);
  control.clearTrouble();
  control.addTrouble({ kind: 'server-error', fraction: 0.5 });
  const answers = await Promise.all(Array.from({ length: 60 }, () => fault(stripe.events.list())));
  const failed = answers.filter(({ statusCode }) => statusCode === 500).length;
  expect(failed).toBeGreaterThan(15);
  expect(failed).toBeLessThan(45);
});

it('a hanging call ends by the caller’s time-out; slow calls come late', async () => {
  const { control, stripe } = await setup();
  control.addTrouble({ kind: 'hang', next: 1 });
  expect(await fault(stripe.events.list({}, { timeout: 2_000 }))).toMatchObject({ type: 'StripeConnectionError' });
  control.addTrouble({ kind: 'slow', slowMs: 150, next: 1 });
  const before = performance.now();
  await stripe.events.list();
  expect(performance.now() - before).toBeGreaterThanOrEqual(140);
});

it('down refuses every call until its time is over', async () => {
  const { control, stripe } = await setup();
  control.addTrouble({ kind: 'down', forMs: 60_000 });
  expect(await fault(stripe.events.list())).toMatchObject({ type: 'StripeConnectionError' });
  expect(await fault(stripe.products.list())).toMatchObject({ type: 'StripeConnectionError' });
  control.clearTrouble();
  expect((await stripe.events.list()).data).toEqual([]);
});

it('an answer lost after the work: the same key finds the one refund', async () => {
  const { control, stripe } = await setup();
  const payment_intent = control.createSale().paymentIntentId ?? '';
  control.addTrouble({ kind: 'truncated', when: 'after', next: 1, method: 'POST' });
  const refund = () => stripe.refunds.create({ payment_intent, amount: 100 }, { idempotencyKey: 'k1' });
  expect(await fault(refund())).toMatchObject({ type: 'StripeConnectionError' });
  expect(await refund()).toMatchObject({ amount: 100 });
  expect((await stripe.refunds.list()).data).toHaveLength(1);
});

it('a server error is kept under its key and comes again', async () => {
  const { control, stripe } = await setup();
  const payment_intent = control.createSale().paymentIntentId ?? '';
  control.addTrouble({ kind: 'server-error', when: 'after', next: 1, method: 'POST' });
  const refund = () => stripe.refunds.create({ payment_intent, amount: 100 }, { idempotencyKey: 'k2' });
  expect(await fault(refund())).toMatchObject({ statusCode: 500 });
  expect(await fault(refund())).toMatchObject({ statusCode: 500 });
});

it('rate limits, when set, answer 429 with the reason', async () => {
  const { stripe, control } = await setup({ rateLimits: { globalPerSecond: 1 } });
  const answers = await Promise.all(Array.from({ length: 40 }, () => fault(stripe.events.list())));
  const limited = answers.filter(({ statusCode }) => statusCode === 429);
  expect(limited.length).toBeGreaterThanOrEqual(10);
  expect(limited[0]?.headers).toMatchObject({ 'stripe-rate-limited-reason': 'global-rate' });
  expect(control.books().api.total).toBe(40);
});
