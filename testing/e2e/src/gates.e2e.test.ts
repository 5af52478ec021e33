import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '@bridge/database';
import { eventually, runBridge } from '@bridge/test-services';
import { disagreements } from './books-agree';
import { type BridgeStand, startBridge } from './bridge-stand';

const SCRIPT = 'STRIPE_PAYMENTLINK_SUCCESS';
const OUTAGE_MS = 20_000;
/** What a machine at its limit may need for the start of two workers and the sale, and more. */
const WINDOW_AHEAD_MS = 60_000;
const PATIENCE_MS = 120_000;
const ends: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
}, 120_000);

async function start(options: Parameters<typeof startBridge>[0]): Promise<{ stand: BridgeStand; database: Database }> {
  const stand = await startBridge(options);
  ends.push(() => stand.stop());
  const database = createDatabase({ url: stand.databaseUrl, poolMax: 1, applicationName: 'gates-e2e' });
  ends.push(() => database.close());
  return { stand, database };
}
const sell = (on: BridgeStand, count: number, seed: number) =>
  on.stripe.ask('POST', '/sales/bulk', { count, seed, linesMax: 2, firstInvoiceId: seed * 1_000 });
const lasting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, ms)));
const count = async (database: Database, condition: string): Promise<number> =>
  Number((await database.executor.execute(`select count(*) as n from effects.effects where ${condition}`)).rows[0]?.n);
/** When the first script began, in ms after this moment. */
async function firstStartAfter(stand: BridgeStand, moment: number): Promise<number> {
  const { runs } = await stand.filemakerBooks();
  return Math.min(...runs.map(({ startedAt }) => Date.parse(startedAt))) - moment;
}
const bridge = async (stand: BridgeStand, ...words: string[]): Promise<string> =>
  (await runBridge(words, { DATABASE_URL: stand.databaseUrl })).out;

// How soon is a figure of bench:drain --blow outage; here it counts that work goes on by itself.

test('FileMaker away for 20 s, three workers: at most 50 calls during it, work by itself after its return, no attempt burnt', async () => {
  const { stand, database } = await start({
    workers: 3,
    filemaker: { scriptMs: 40, loginMs: 20 },
    env: { FILEMAKER_MAX_SESSIONS: '5', FILEMAKER_SCRIPT_MAX_SECONDS: '10' },
  });
  await sell(stand, 150, 1);
  await stand.applied(30, PATIENCE_MS);
  // It comes back when it is told to: what is counted before that was counted in the outage, however late we are.
  await stand.filemaker.ask('POST', '/down', { mode: 'bad-gateway', forMs: 20 * OUTAGE_MS });
  // What was under way when it went is let through.
  await lasting(2_000);
  await stand.filemaker.ask('GET', `/wait?idle=true&timeoutMs=${PATIENCE_MS}`);
  const began = (await stand.filemakerBooks()).runs.length;
  await lasting(OUTAGE_MS);
  expect((await stand.filemakerBooks()).runs).toHaveLength(began);
  const { requests } = await stand.filemaker.ask<{ requests: { whileAway: number } }>('GET', '/books/summary');
  expect(requests.whileAway).toBeLessThanOrEqual(50);
  await stand.filemaker.ask('POST', '/up');
  await stand.applied(150, PATIENCE_MS);
  await eventually('all done', async () => (await count(database, "state <> 'done'")) === 0);
  expect(await count(database, 'refusals > 0')).toBe(0);
  expect(await disagreements(stand)).toEqual([]);
  const { summary } = await stand.filemakerBooks();
  expect([summary.overlaps, summary.deletedInUse, summary.sessions.peak <= 5]).toEqual([0, 0, true]);
}, 600_000);

test('a script that was paused goes on by itself after ./bridge resume, however long its effects had to wait', async () => {
  const { stand, database } = await start({ workers: 2, filemaker: { scriptMs: 10 } });
  await bridge(stand, 'pause', 'script', SCRIPT, '--why', 'being rewritten');
  await sell(stand, 30, 1);
  await eventually(
    'all wait for the pause',
    async () => (await count(database, "reason_code = 'PAUSED' and claimed_by is null")) === 30,
  );
  expect(await bridge(stand, 'status')).toContain(`./bridge resume script ${SCRIPT} --why`);
  expect((await stand.filemakerBooks()).runs).toEqual([]);
  await bridge(stand, 'resume', 'script', SCRIPT, '--why', 'done');
  await stand.applied(30, PATIENCE_MS);
  expect(await count(database, 'attempts > 1 or refusals > 0')).toBe(0);
  expect(await disagreements(stand)).toEqual([]);
}, 600_000);

test('a maintenance window of FileMaker and of a script: jobs wait without cost, and go on by themselves at its end', async () => {
  const minute = (at: number): string => new Date(at).toISOString().slice(11, 16);
  const folder = mkdtempSync(join(tmpdir(), 'bridge-windows-'));
  ends.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'bridge.yaml');
  const { stand, database } = await start({ workers: 0, filemaker: { scriptMs: 10 } });
  // Whole minutes, at least so far ahead that the workers have started and are waiting by then.
  const end = Math.ceil((Date.now() + WINDOW_AHEAD_MS) / 60_000) * 60_000;
  const times = `from: "${minute(end - 600_000)}", to: "${minute(end)}", why: weekly backup`;
  writeFileSync(file, `windows:\n  - { scope: filemaker, ${times} }\n  - { scope: script ${SCRIPT}, ${times} }\n`);
  await Promise.all([stand.startWorker({ BRIDGE_CONFIG: file }), stand.startWorker({ BRIDGE_CONFIG: file })]);
  await sell(stand, 20, 1);
  await eventually('all planned', async () => (await count(database, "state = 'planned'")) === 20);
  const { rows } = await database.executor.execute('select count(*) as n from gates.closures');
  expect(Number(rows[0]?.n)).toBe(0);
  expect(Date.now()).toBeLessThan(end);
  await lasting(end - Date.now());
  await stand.applied(20, PATIENCE_MS);
  expect(await firstStartAfter(stand, end)).toBeGreaterThanOrEqual(0);
  expect(await count(database, 'attempts > 1 or refusals > 0')).toBe(0);
  expect(await disagreements(stand)).toEqual([]);
}, 600_000);
