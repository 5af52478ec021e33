import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, runBridge } from '@bridge/test-services';
import { disagreements } from './books-agree';
import { type BridgeStand, startBridge } from './bridge-stand';

/**
 * Every webhook of an hour is lost. By default a small number of payments; all of them:
 *   LOST=2000 npx jest testing/e2e/src/lost-webhooks
 */
const LOST = Number(process.env.LOST ?? '150');
const BATCH = 500;
const WITHIN_MS = 120_000 + LOST * 300;
const MINUTE_MS = 60_000;

let stand: BridgeStand | undefined;
afterEach(async () => {
  await stand?.stop();
  stand = undefined;
}, 120_000);

interface Told {
  run: {
    state: string;
    listed: number;
    checked: number;
    found: number;
    acted: number;
    fixed: number;
    stripeCalls: number;
  };
  totals: { class: string; currency: string; findings: number; amount: number; replayable: number }[];
  findings: { class: string; objectId: string; state: string; fixedHow: string | null }[];
}

const report = (what: string, figures: unknown): void => {
  if (process.env.LOST !== undefined) process.stderr.write(`${what}: ${JSON.stringify(figures)}\n`);
};

test(
  'every webhook of an hour is lost: reconciliation applies each payment once, its findings hold the money to the cent, and a second run finds nothing',
  async () => {
    const begin = Date.now() - 80 * MINUTE_MS;
    stand = await startBridge({
      workers: 1,
      deliverAtOnce: false,
      env: { RECONCILE_FROM: new Date(begin - MINUTE_MS).toISOString() },
    });
    const on = stand;
    // Sold over an hour that ended long enough ago for no webhook to be on its way.
    const batches = Math.ceil(LOST / BATCH) * 4;
    for (let batch = 0; batch < batches; batch += 1) {
      const count = Math.floor((LOST * (batch + 1)) / batches) - Math.floor((LOST * batch) / batches);
      const now = Math.floor((begin + (batch * 60 * MINUTE_MS) / batches) / 1_000);
      await on.stripe.ask('POST', '/clock', { now });
      await on.stripe.ask('POST', '/sales/bulk', {
        count,
        seed: batch + 1,
        linesMax: 3,
        firstInvoiceId: 20_000 + batch * BATCH,
      });
    }
    await on.stripe.ask('POST', '/clock', { now: Math.floor(Date.now() / 1_000) });
    const { paidSessions } = await on.stripeBooks();
    expect(paidSessions).toHaveLength(LOST);
    const money: Record<string, number> = {};
    for (const { currency, amountTotal } of paidSessions) money[currency] = (money[currency] ?? 0) + amountTotal;

    const env = { DATABASE_URL: on.databaseUrl };
    const reconcile = async (...words: string[]): Promise<{ code: number | null; told: Told }> => {
      const { code, out } = await runBridge(['reconcile', 'invoices', '--json', ...words], env, {
        timeoutMs: WITHIN_MS,
      });
      return { code, told: JSON.parse(out) as Told };
    };
    const moneyOf = (totals: Told['totals']) =>
      Object.fromEntries(totals.map(({ currency, amount }) => [currency, amount]));

    const looked = await reconcile();
    expect(looked.code).toBe(1);
    expect(looked.told.run).toMatchObject({ state: 'finished', listed: LOST, checked: LOST, found: LOST, acted: 0 });
    expect(new Set(looked.told.totals.map((total) => total.class))).toEqual(new Set(['paid-not-recorded']));
    expect(moneyOf(looked.told.totals)).toEqual(money);
    expect((await on.filemakerBooks()).summary.effectsApplied).toBe(0);

    const began = performance.now();
    const acted = await reconcile('--yes');
    expect(acted.told.run).toMatchObject({ state: 'finished', listed: LOST, checked: LOST, found: LOST, acted: LOST });
    expect(moneyOf(acted.told.totals)).toEqual(money);
    await on.applied(LOST, WITHIN_MS);
    await on.settled();
    report('applied', {
      payments: LOST,
      seconds: (performance.now() - began) / 1_000,
      stripeCalls: acted.told.run.stripeCalls,
    });
    expect(await disagreements(on)).toEqual([]);

    // Each finding is closed when its own effect is done: nobody waits for the next look.
    await eventually('the findings are closed', async () => {
      const open = await runBridge(['findings', 'list', '--limit', '1000', '--json'], env);
      return (JSON.parse(open.out) as Told).findings.length === 0;
    });
    const again = await reconcile('--yes');
    expect(again.told.run).toMatchObject({
      state: 'finished',
      listed: LOST,
      checked: LOST,
      found: 0,
      acted: 0,
      fixed: 0,
    });
    expect(again.code).toBe(0);
    const listed = await runBridge(['findings', 'list', '--state', 'fixed', '--limit', '1000', '--json'], env);
    const { findings } = JSON.parse(listed.out) as Told;
    expect(new Set(findings.map(({ fixedHow }) => fixedHow))).toEqual(new Set(['replayed']));
    const { summary } = await on.filemakerBooks();
    expect(summary).toMatchObject({ effectsApplied: LOST, keysAppliedMoreThanOnce: [] });
  },
  4 * WITHIN_MS,
);

test('with nobody at the keyboard, and no event anywhere, the clock finds what was lost, refunds too, and repairs it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-lost-'));
  const config = join(folder, 'bridge.yaml');
  writeFileSync(
    config,
    [
      'schedules:',
      '  reconcile-invoices-recent: every 1 minute',
      '  reconcile-invoices-reversals: every 1 minute',
      'invoices: { facts: { refunded: { script: STRIPE_REFUND } } }',
    ].join('\n'),
  );
  const begin = Date.now() - 60 * MINUTE_MS;
  stand = await startBridge({
    workers: 1,
    deliverAtOnce: false,
    env: { RECONCILE_FROM: new Date(begin - MINUTE_MS).toISOString(), BRIDGE_CONFIG: config },
  });
  try {
    await stand.stripe.ask('POST', '/clock', { now: Math.floor(begin / 1_000) });
    // Stripe failed to make the events at all: no list of events shows them.
    await stand.stripe.ask('POST', '/settings', { delivery: { neverGeneratedFraction: 1 } });
    await stand.stripe.ask('POST', '/sales/bulk', { count: 3, seed: 1, linesMax: 3, firstInvoiceId: 20_000 });
    const [first] = (await stand.stripeBooks()).paidSessions;
    await stand.stripe.ask('POST', `/sales/${first?.sessionId}/refund`, { amount: 1 });
    await stand.stripe.ask('POST', '/clock', { now: Math.floor(Date.now() / 1_000) });
    await stand.startScheduler();
    // The refunded payment waits for a person: its money has partly gone back before its script could run.
    await stand.applied(2, 300_000);
    // Each pass has a clock of its own. What they find is open until it has been repaired, and is kept for good.
    const env = { DATABASE_URL: stand.databaseUrl };
    const deadline = performance.now() + 240_000;
    const told = new Set<string>();
    const wanted = ['refund-not-recorded', 'payment-refunded'];
    do {
      for (const state of ['open', 'fixed']) {
        const { out } = await runBridge(['findings', 'list', '--state', state, '--json'], env);
        for (const finding of (JSON.parse(out) as Told).findings) told.add(finding.class);
      }
      const parked = await runBridge(['effects', 'list', '--state', 'parked', '--json'], env);
      if (parked.out.includes('payment-refunded')) told.add('payment-refunded');
    } while (!wanted.every((one) => told.has(one)) && performance.now() < deadline);
    expect([...told]).toEqual(expect.arrayContaining(wanted));
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 900_000);
