import { disagreements, wrongAnswers } from './books-agree';
import { type BridgeStand, startBridge } from './bridge-stand';

let stand: BridgeStand | undefined;
afterEach(async () => {
  await stand?.stop();
  stand = undefined;
}, 120_000);

/** Every batch has invoices of its own: a second payment of one would be parked. */
const sell = (on: BridgeStand, count: number, seed: number) =>
  on.stripe.ask('POST', '/sales/bulk', { count, seed, linesMax: 3, firstInvoiceId: seed * 1_000 });

/** Resolves at a moment, for disasters that have to last a while. */
const lasting = (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });

test('cases G, H: Redis stopped for 10 s and flushed three times in the middle: all applied once, work goes on within seconds', async () => {
  stand = await startBridge({ workers: 2, filemaker: { scriptMs: 20 } });
  await sell(stand, 60, 1);
  await stand.applied(10, 120_000);
  await stand.redis.flush();
  await sell(stand, 30, 2);
  await stand.applied(40, 120_000);
  await stand.redis.stop();
  await sell(stand, 30, 3);
  await lasting(10_000);
  await stand.redis.start();
  await stand.applied(60, 120_000);
  await stand.redis.flush();
  await stand.applied(90, 120_000);
  await stand.redis.flush();
  await sell(stand, 10, 4);
  await stand.applied(130, 120_000);
  await stand.filemaker.ask('GET', '/wait?idle=true&timeoutMs=120000');
  expect(await disagreements(stand)).toEqual([]);
  const { deliveries } = await stand.stripeBooks();
  expect(wrongAnswers(deliveries)).toEqual([]);
}, 900_000);

test('cases F, I: a worker killed -9 twice in mid-script: nothing lost, nothing doubled', async () => {
  stand = await startBridge({
    workers: 1,
    filemaker: { scriptMs: 30, sessionsMax: 5 },
    env: { FILEMAKER_MAX_SESSIONS: '5', FILEMAKER_SCRIPT_MAX_SECONDS: '5' },
  });
  const { filemaker, workers, startWorker } = stand;
  for (const [round, hold] of (['before-commit', 'after-commit'] as const).entries()) {
    const before = (await stand.filemakerBooks()).summary.effectsApplied;
    await filemaker.ask('POST', '/settings', { holdScripts: hold });
    await sell(stand, 20, 10 + round);
    await filemaker.ask('GET', '/wait?running=3&timeoutMs=120000');
    await workers.at(-1)?.kill();
    await filemaker.ask('POST', '/settings', { holdScripts: 'none' });
    await startWorker();
    await stand.applied(before + 20, 180_000);
  }
  await filemaker.ask('GET', '/wait?idle=true&timeoutMs=120000');
  expect(await disagreements(stand)).toEqual([]);
  const { summary } = await stand.filemakerBooks();
  expect(summary.sessions.peak).toBeLessThanOrEqual(5);
  expect(summary.logins.refused).toBe(0);
}, 900_000);
