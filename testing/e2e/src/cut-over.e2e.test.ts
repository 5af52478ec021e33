import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '@bridge/database';
import { type EndedCommand, eventually, runBridge } from '@bridge/test-services';
import { type BridgeStand, startBridge } from './bridge-stand';
import { askForRound } from './rounds';
import { wordsOf } from './words-of';

/** Payments that the older handler has handled. CUT_OVER_PAYMENTS=2000 is the size of a busy month. */
const OLDER = Number(process.env.CUT_OVER_PAYMENTS ?? '200');
const PATIENCE_MS = 180_000 + OLDER * 100;
const page = readFileSync(join(__dirname, '../../../docs/cut-over.md'), 'utf8');

let stand: BridgeStand;
let database: Database;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-cut-over-'));
  const file = join(folder, 'bridge.yaml');
  // As the page says it.
  writeFileSync(file, /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '');
  stand = await startBridge({ workers: 0, env: { BRIDGE_CONFIG: file, MODE: 'observe' }, filemaker: { scriptMs: 5 } });
  database = createDatabase({ url: stand.databaseUrl, poolMax: 2, applicationName: 'cut-over-e2e' });
}, 120_000);
afterAll(async () => {
  await database?.close();
  await stand?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

const effects = async (condition: string): Promise<number> =>
  Number((await database.executor.execute(`select count(*) as n from effects.effects where ${condition}`)).rows[0]?.n);

/** Every command of the page, once it was run. */
const documented = new Set([...page.matchAll(/^\.\/bridge .*$/gm)].map(([line]) => line.replace(/ +# .*$/, '')));
const run = new Set<string>();

/** A command as it stands in the page, with what is only an example there replaced by what is so here. */
async function bridge(line: string, replaced: Record<string, string> = {}, more: string[] = []): Promise<EndedCommand> {
  expect([...documented]).toContain(line);
  run.add(line);
  const words = wordsOf(line).slice(1);
  return runBridge([...words.map((word) => replaced[word] ?? word), ...more], {
    DATABASE_URL: stand.databaseUrl,
    MODE: 'observe',
  });
}

const sell = (count: number, seed: number) =>
  stand.stripe.ask('POST', '/sales/bulk', {
    count,
    seed,
    linesMax: 2,
    firstInvoiceId: seed * 100_000,
    currency: 'usd',
  });

/** What the older handler does with a payment: its own script writes the Session's id into the invoice. */
async function handleAsBefore(sessionIds: readonly string[]): Promise<void> {
  await stand.filemaker.ask('POST', '/databases/Shop/tables/invoices/records', {
    records: sessionIds.map((id, index) => ({ invoice_id: `old-${index}`, status: 'paid', stripe_session_id: id })),
  });
}

/** Stripe's times are whole seconds: a moment that lies clearly between two payments. */
async function momentBetween(): Promise<Date> {
  const moment = new Date(Math.ceil((Date.now() + 1) / 1_000) * 1_000);
  await new Promise((resolve) => setTimeout(resolve, moment.getTime() - Date.now() + 50));
  return moment;
}

test(
  `observe, compare, go live beside an older handler: of ${OLDER} older payments none is run, the new ones once, nothing twice`,
  async () => {
    expect((await bridge('./bridge migrate')).code).toBe(0);
    // The apps run in the stand already, and a worker more: what `up` starts. The command itself has up.e2e.test.ts.
    run.add('./bridge up');
    const observing = await stand.startWorker();
    await sell(OLDER, 1);
    await eventually('all recorded', async () => (await effects("state = 'planned' and ask_only")) === OLDER, {
      withinMs: PATIENCE_MS,
      tell: stand.tail,
    });
    const older = (await stand.stripeBooks()).paidSessions.map(({ sessionId }) => sessionId);
    const [forgotten = '', ...handled] = older;
    await handleAsBefore(handled);

    await askForRound({ database, redisUrl: stand.redis.url }, 'compare-observed');
    await eventually('compared', async () => (await bridge('./bridge status')).text.includes('Observing: of'), {
      withinMs: PATIENCE_MS,
      tell: stand.tail,
    });
    const report = await bridge('./bridge golive');
    expect(report.text).toContain(
      `Observing: of ${OLDER} that the bridge would have sent, FileMaker shows ${OLDER - 1}; it does not show 1.`,
    );
    expect((await stand.filemakerBooks()).runs).toEqual([]);

    // The older handler is off; payments go on coming before anybody says so.
    const at = await momentBetween();
    await sell(10, 2);
    await eventually('the new ones recorded', async () => (await effects('true')) === OLDER + 10, {
      withinMs: PATIENCE_MS,
      tell: stand.tail,
    });
    const moment = { '2026-11-30T22:00:00Z': at.toISOString() };
    const golive = './bridge golive --at 2026-11-30T22:00:00Z --why "the old handler is off"';
    const unasked = await bridge(golive, moment);
    expect(unasked.code).toBe(2);
    expect(unasked.text).toContain('--yes');
    expect(await effects('not ask_only')).toBe(0);
    const live = await bridge(golive, moment, ['--yes']);
    expect(live.text).toContain('10 newer go on');
    expect(live.text).toContain('MODE is observe here');
    await observing.stop(60_000);
    expect((await stand.filemakerBooks()).runs).toEqual([]);

    await stand.startWorker({ MODE: 'live' });
    await sell(5, 3);
    await stand.applied(15, PATIENCE_MS);
    await eventually('all settled', async () => (await effects("state in ('planned', 'sending', 'unknown')")) === 0, {
      withinMs: PATIENCE_MS,
      tell: stand.tail,
    });
    expect(await effects(`state = 'done' and verified and ask_only`)).toBe(OLDER - 1);
    expect(await effects("state = 'parked' and reason_code = 'BEFORE_GO_LIVE'")).toBe(1);

    // Everything is told once more: by Stripe, and by the pass over its events.
    await stand.stripe.ask('POST', '/deliver', { duplicates: 1, concurrency: 20 });
    await askForRound({ database, redisUrl: stand.redis.url }, 'fetch-events');
    await eventually(
      'events fetched',
      async () =>
        Number(
          (await database.executor.execute('select count(*) as n from reconciliation.watermarks where fetch_no > 0'))
            .rows[0]?.n,
        ) === 1,
      { withinMs: PATIENCE_MS, tell: stand.tail },
    );
    const { applied, summary } = await stand.filemakerBooks();
    const fresh = (await stand.stripeBooks()).paidSessions
      .map(({ sessionId }) => sessionId)
      .filter((id) => !older.includes(id));
    expect(fresh).toHaveLength(15);
    expect(applied).toEqual(Object.fromEntries(fresh.map((id) => [`invoice-paid:${id}`, 1])));
    expect(summary.runs).toBe(15);

    // What the older handler has missed is run by a person's word, and only that.
    const parked = await bridge('./bridge effects list --state parked');
    expect(parked.text).toContain('The money is from before');
    const { rows } = await database.executor.execute("select id from effects.effects where state = 'parked'");
    const resolve = './bridge effects resolve 12 --as again --why "the old handler has missed it"';
    expect((await bridge(resolve, { '12': String(rows[0]?.id) })).code).toBe(0);
    await stand.applied(16, PATIENCE_MS);
    expect((await stand.filemakerBooks()).applied[`invoice-paid:${forgotten}`]).toBe(1);
    const settled = await bridge('./bridge golive --settle-older done --why "booked by the old handler"', {}, [
      '--yes',
    ]);
    expect(settled.text).toContain('0 as done');
    expect((await bridge('./bridge pause filemaker --why "back to the old handler"')).code).toBe(0);
    expect([...documented].filter((line) => !run.has(line))).toEqual([]);
  },
  300_000 + 3 * PATIENCE_MS,
);
