import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '@bridge/database';
import { runBridge } from '@bridge/test-services';
import { disagreements } from './books-agree';
import { type BridgeStand, startBridge } from './bridge-stand';

/** Plain: the script does its work each time it is called, so that a second call shows in the company's own books. */
const PLAIN = `invoices:
  facts:
    paid:
      probe: { layout: web_invoices, field: stripe_session_id, match: checkout_session_id }
`;
const PULL = { STRIPE_DELIVERY: 'pull', STRIPE_PULL_SECONDS: '1' };
let stand: BridgeStand;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
}, 120_000);

async function start(options: Parameters<typeof startBridge>[0] = {}): Promise<void> {
  stand = await startBridge({ workers: 0, deliverAtOnce: false, filemaker: { scriptMs: 5 }, ...options });
  ends.push(() => stand.stop());
  // Nobody may be connected to a database that is copied, and here nothing needs the open port.
  await stand.ingress.stop(60_000);
}

const sell = (count: number, seed: number, linesMax = 2) =>
  stand.stripe.ask('POST', '/sales/bulk', { count, seed, linesMax, firstInvoiceId: seed * 1_000 });

/** On another database of the same server: nobody may be connected to one that is copied. */
async function asAdministrator(work: (admin: Database) => Promise<unknown>): Promise<void> {
  const admin = createDatabase({
    url: process.env.TEST_POSTGRES_URL ?? '',
    poolMax: 1,
    applicationName: 'restored-e2e',
    statementTimeoutMs: 60_000,
  });
  try {
    await work(admin);
  } finally {
    await admin.close();
  }
}

async function startAll(): Promise<() => Promise<void>> {
  const worker = await stand.startWorker();
  const scheduler = await stand.startScheduler();
  return async () => {
    await worker.stop(60_000);
    await scheduler.process.stop(60_000);
  };
}

const nameOf = (): string => new URL(stand.databaseUrl).pathname.slice(1);
const copyAside = (): Promise<void> =>
  asAdministrator((admin) => admin.executor.execute(`create database "${nameOf()}_snapshot" template "${nameOf()}"`));
const restore = (): Promise<void> =>
  asAdministrator(async (admin) => {
    await admin.executor.execute(`drop database "${nameOf()}" with (force)`);
    await admin.executor.execute(`alter database "${nameOf()}_snapshot" rename to "${nameOf()}"`);
  });

const settled = (count: number): Promise<void> => effectsAre('done', count);
const planned = (count: number): Promise<void> => effectsAre('planned', count);

async function effectsAre(state: string, count: number): Promise<void> {
  const database = createDatabase({ url: stand.databaseUrl, poolMax: 1, applicationName: 'restored-e2e' });
  try {
    const deadline = performance.now() + 180_000;
    for (;;) {
      const { rows } = await database.executor.execute(
        `select count(*) filter (where state = '${state}') as reached, count(*) as all from effects.effects`,
      );
      if (Number(rows[0]?.reached) === count && Number(rows[0]?.all) === count) return;
      if (performance.now() > deadline)
        throw new Error(`${JSON.stringify(rows[0])} instead of ${count}\n${stand.tail()}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    await database.close();
  }
}

test('PostgreSQL restored to an earlier time with Redis empty: what was done since is found and not run again, books equal', async () => {
  await start({ env: PULL });
  const stopBefore = await startAll();
  await sell(40, 1);
  await settled(40);
  await stopBefore();
  await copyAside();

  const stopLost = await startAll();
  await sell(30, 2);
  await settled(70);
  await stopLost();
  expect((await stand.filemakerBooks()).summary.runs).toBe(70);
  await restore();
  await stand.redis.flush();

  await startAll();
  await settled(70);
  // Found by asking: the script was not even called again.
  expect((await stand.filemakerBooks()).summary.runs).toBe(70);
  await sell(5, 3);
  await settled(75);
  await stand.filemaker.ask('GET', '/wait?idle=true&timeoutMs=120000');
  expect(await disagreements(stand)).toEqual([]);
  expect((await stand.filemakerBooks()).summary.runs).toBe(75);
}, 900_000);

test('what was planned in the backup and run since is asked about first, also where the script itself would do it twice', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-restored-'));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'bridge.yaml');
  writeFileSync(file, PLAIN);
  await start({
    env: { ...PULL, BRIDGE_CONFIG: file, FILEMAKER_LOG_LAYOUT: '', FILEMAKER_HANDOFF_LAYOUT: '' },
    filemaker: { scriptMs: 5, scripts: { STRIPE_PAYMENTLINK_SUCCESS: { form: 'plain', effect: 'paid' } } },
  });
  const invoices = Array.from({ length: 12 }, (_, index) => String(1_000 + index));
  await stand.filemaker.ask('POST', '/databases/Shop/tables/invoices/records', {
    records: invoices.map((invoice_id) => ({ invoice_id, status: 'open' })),
  });
  const bridge = (...words: string[]) => runBridge(words, { DATABASE_URL: stand.databaseUrl });
  const stopBefore = await startAll();
  await bridge('pause', 'filemaker', '--why', 'stock-taking');
  await sell(8, 1, 1);
  await planned(8);
  await stopBefore();
  await copyAside();

  const stopLost = await startAll();
  await bridge('resume', 'filemaker', '--why', 'done');
  await settled(8);
  await stopLost();
  await restore();
  await stand.redis.flush();

  await startAll();
  await bridge('resume', 'filemaker', '--why', 'done');
  await settled(8);
  await stand.filemaker.ask('GET', '/wait?idle=true&timeoutMs=120000');
  expect((await stand.filemakerBooks()).summary.runs).toBe(8);
}, 900_000);
