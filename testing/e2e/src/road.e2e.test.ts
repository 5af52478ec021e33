import { disagreements, wrongAnswers } from './books-agree';
import { type BridgeStand, startBridge } from './bridge-stand';

const SALES = 200;
let stand: BridgeStand;

beforeAll(async () => {
  stand = await startBridge({
    workers: 2,
    deliverAtOnce: false,
    env: { FILEMAKER_MAX_SESSIONS: '5' },
    filemaker: { sessionsMax: 5, scriptMs: 5 },
  });
}, 120_000);
afterAll(() => stand?.stop(), 120_000);

/**
 * Every sale of the simulator tells its payment by several events (Session completed, PaymentIntent succeeded, ...), so
 * 200 sales are well over 500 webhooks. A fifth of them comes twice, all of them in disorder.
 */
test('cases A, B, C, E: 500 webhooks, a fifth doubled, shuffled, several events a payment: each paid Session once, right to the cent', async () => {
  await stand.stripe.ask('POST', '/settings', { delivery: { twinFraction: 0.1 } });
  await stand.stripe.ask('POST', '/sales/bulk', { count: SALES, seed: 11, linesMax: 12 });
  const { delivered } = await stand.stripe.ask<{ delivered: number }>('POST', '/deliver', {
    duplicates: 0.2,
    shuffle: true,
    concurrency: 40,
  });
  await stand.applied(SALES, 240_000);
  await stand.filemaker.ask('GET', '/wait?idle=true&timeoutMs=120000');
  const [stripe, filemaker] = [await stand.stripeBooks(), await stand.filemakerBooks()];
  expect(stripe.deliveries.acknowledged).toBeGreaterThanOrEqual(500);
  expect(wrongAnswers(stripe.deliveries)).toEqual([]);
  expect(delivered).not.toBe(0);
  expect(stripe.paidSessions).toHaveLength(SALES);
  expect(await disagreements(stand)).toEqual([]);
  expect(filemaker.summary.sessions.peak).toBeLessThanOrEqual(5);
}, 480_000);

test('a second payment of one invoice is parked, and a refund that comes first keeps its payment from being applied', async () => {
  const before = (await stand.filemakerBooks()).summary.effectsApplied;
  await stand.stripe.ask('POST', '/settings', { delivery: { atOnce: true } });
  await stand.stripe.ask('POST', '/sales', { invoiceId: 'twice' });
  await stand.applied(before + 1, 120_000);
  const second = await stand.stripe.ask<{ sessionId: string }>('POST', '/sales', { invoiceId: 'twice' });
  const refunded = await stand.stripe.ask<{ sessionId: string }>('POST', '/sales', {
    invoiceId: 'refunded',
    deliver: false,
  });
  await stand.stripe.ask('POST', `/sales/${refunded.sessionId}/refund`, {});
  await stand.stripe.ask('POST', '/deliver', {});
  await stand.stripe.ask('POST', '/sales', { invoiceId: 'last' });
  await stand.applied(before + 2, 120_000);
  const { applied } = await stand.filemakerBooks();
  expect(applied[`invoice-paid:${second.sessionId}`]).toBe(undefined);
  expect(applied[`invoice-paid:${refunded.sessionId}`]).toBe(undefined);
}, 360_000);
