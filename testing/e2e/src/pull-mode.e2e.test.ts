import { createDatabase, type Database } from '@bridge/database';
import { eventually, runBridge } from '@bridge/test-services';
import { disagreements, wrongAnswers } from './books-agree';
import { type BridgeStand, startBridge } from './bridge-stand';

const PULL = { STRIPE_DELIVERY: 'pull', STRIPE_PULL_SECONDS: '1' };
let stand: BridgeStand;
let database: Database;

beforeAll(async () => {
  // No webhook is delivered by itself: what comes, the bridge has fetched.
  stand = await startBridge({ workers: 1, deliverAtOnce: false, env: PULL, filemaker: { scriptMs: 20 } });
  database = createDatabase({ url: stand.databaseUrl, poolMax: 1, applicationName: 'pull-e2e' });
  await stand.startScheduler();
}, 120_000);
afterAll(async () => {
  await database?.close();
  await stand?.stop();
}, 120_000);

const sell = (count: number, seed: number) =>
  stand.stripe.ask('POST', '/sales/bulk', { count, seed, linesMax: 3, firstInvoiceId: seed * 1_000 });
const count = async (condition: string): Promise<number> =>
  Number((await database.executor.execute(`select count(*) as n from inbox.events where ${condition}`)).rows[0]?.n);

/** One of two fetches that end after this was asked for began after it, and has seen every event that there is now. */
async function twoMoreFetches(): Promise<void> {
  const fetches = async (): Promise<number> =>
    Number((await database.executor.execute('select fetch_no from reconciliation.watermarks')).rows[0]?.fetch_no ?? 0);
  const before = await fetches();
  await eventually('two more fetches', async () => (await fetches()) >= before + 2, { tell: stand.tail });
}

test('without an open port 60 payments are applied each once, the worker killed in between, and webhooks that come later are duplicates', async () => {
  await sell(20, 1);
  await stand.applied(5, 120_000);
  await stand.workers[0]?.kill();
  await sell(20, 2);
  await stand.startWorker();
  await stand.applied(30, 120_000);
  await sell(20, 3);
  await stand.applied(60, 120_000);
  await twoMoreFetches();
  await stand.settled();
  expect(await disagreements(stand)).toEqual([]);
  expect(await count("source <> 'pull'")).toBe(0);
  const rows = await count('true');
  await stand.stripe.ask('POST', '/deliver', { concurrency: 10 });
  // What was not stored is sent again.
  await stand.stripe.ask('GET', '/wait?idle=true&timeoutMs=120000');
  const { deliveries } = await stand.stripeBooks();
  expect(wrongAnswers(deliveries)).toEqual([]);
  // Webhooks bring types that no flow wants as well; of what is wanted each event has its one row.
  expect(await count("source = 'pull' and deliveries > 1")).toBe(rows);
  expect(await count("source <> 'pull' and reason_code is distinct from 'UNWANTED_TYPE'")).toBe(0);
  expect((await stand.filemakerBooks()).summary.effectsApplied).toBe(60);
  expect(await disagreements(stand)).toEqual([]);
}, 600_000);

test('the status says when Stripe has not been heard for ten minutes', async () => {
  const status = () => runBridge(['status', '--json'], { DATABASE_URL: stand.databaseUrl });
  expect((await status()).text).not.toContain('Events have not been fetched');
  for (const worker of stand.workers) await worker.stop(60_000);
  await database.executor.execute(
    "update reconciliation.watermarks set fetched_at = clock_timestamp() - interval '11 minutes'",
  );
  expect((await status()).text).toMatch(/Events have not been fetched from Stripe for 1\d min/);
}, 240_000);
