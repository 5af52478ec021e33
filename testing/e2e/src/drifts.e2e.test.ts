import { createDatabase, type Database } from '@bridge/database';
import { type RunningProcess, runBridge } from '@bridge/test-services';
import { type BridgeStand, startBridge } from './bridge-stand';
import { DRIFT_CLASSES, type Drift, type Planting, plantDrifts } from './plant-drifts';

/**
 * Differences of fourteen classes among many Checkout Sessions. By default a small number; the full form:
 *   DRIFTS=600 SESSIONS=100000 npx jest testing/e2e/src/drifts
 */
const SESSIONS = Number(process.env.SESSIONS ?? '3000');
const DRIFTS = Number(process.env.DRIFTS ?? '28');
const KILLS = 3;
/** A killed worker's run is free after five seconds. */
const WITHIN_MS = 300_000 + SESSIONS * 6;
const LOOK_EVERY_MS = 20;
const PAGE = 100;
const KEYS_PER_FIND = 50;
/**
 * A worker that needs more ends at once. A hundred Sessions with their charges are less than one of them, and a hundred
 * thousand would be five hundred: whoever keeps them does not live through the full form.
 */
const OLD_SPACE_MAX_MB = 128;

let stand: BridgeStand | undefined;
afterEach(async () => {
  await stand?.stop();
  stand = undefined;
}, 120_000);

interface Told {
  run: {
    id: string;
    state: string;
    listed: number;
    checked: number;
    unasked: number;
    found: number;
    stripeCalls: number;
  };
}
interface Calls {
  stripe: number;
  finds: number;
}

const report = (what: string, figures: unknown): void => {
  if (process.env.DRIFTS !== undefined) process.stderr.write(`${what}: ${JSON.stringify(figures)}\n`);
};
const sorted = (drifts: readonly Drift[]): string[] =>
  drifts.map((drift) => `${drift.class} ${drift.objectId} ${drift.amount} ${drift.currency}`).sort();

async function callsAtPeers(on: BridgeStand): Promise<Calls> {
  const { api } = await on.stripe.ask<{ api: { byEndpoint: Record<string, number> } }>('GET', '/books');
  const { requests } = await on.filemaker.ask<{ requests: { byEndpoint: Record<string, number> } }>(
    'GET',
    '/books/summary',
  );
  const of = (endpoints: Record<string, number>, wanted: RegExp): number =>
    Object.entries(endpoints)
      .filter(([name]) => wanted.test(name))
      .reduce((sum, [, count]) => sum + count, 0);
  // The worker looks once at each start whether the key still belongs to the same account.
  const account = of(api.byEndpoint, /account/);
  return { stripe: of(api.byEndpoint, /./) - account, finds: of(requests.byEndpoint, /find/i) };
}

async function heapOf(worker: RunningProcess): Promise<number | undefined> {
  for (const line of worker.lines) {
    const url = /"opsUrl":"([^"]+)"/.exec(line)?.[1];
    if (url === undefined) continue;
    const text = await fetch(`${url}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    );
    const bytes = /^nodejs_heap_size_used_bytes (\S+)$/m.exec(text)?.[1];
    return bytes === undefined ? undefined : Number(bytes) / 1e6;
  }
  return undefined;
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Kills whichever worker has the run, three times up to the middle of the pages, and notes its heap at each look. */
async function disturb(on: BridgeStand, database: Database, pages: number, ended: () => boolean): Promise<number[]> {
  const heaps: number[] = [];
  const killed = new Set<RunningProcess>();
  while (!ended()) {
    const { rows } = await database.pool.query<{ pages: number; pid: number }>(
      'select r.pages, w.pid from reconciliation.runs r join claims.workers w on w.id = r.claimed_by',
    );
    const worker = on.workers.find(({ pid }) => pid === rows[0]?.pid);
    if (worker !== undefined && !killed.has(worker)) {
      if (killed.size < KILLS && (rows[0]?.pages ?? 0) >= ((killed.size + 1) * pages) / (2 * KILLS)) {
        killed.add(worker);
        await worker.kill();
      }
      const heap = await heapOf(worker);
      if (heap !== undefined) heaps.push(heap);
    }
    await pause(LOOK_EVERY_MS);
  }
  expect(killed.size).toBe(KILLS);
  return heaps;
}

async function openFindings(database: Database): Promise<Drift[]> {
  const { rows } = await database.pool.query<{ class: string; objectId: string; amount: string; currency: string }>(
    `select class, object_id as "objectId", amount, currency from reconciliation.findings where state = 'open'`,
  );
  return rows.map((row) => ({ ...row, amount: Number(row.amount) }));
}

async function look(on: BridgeStand, { since, until }: Planting): Promise<Told['run']> {
  const words = [
    'reconcile',
    'invoices',
    '--dry-run',
    '--json',
    '--since',
    since.toISOString(),
    '--until',
    until.toISOString(),
  ];
  const { out } = await runBridge(words, { DATABASE_URL: on.databaseUrl }, { timeoutMs: WITHIN_MS });
  return (JSON.parse(out) as Told).run;
}

test(
  'drifts of every class among many Sessions: each found with its class and money, none invented, at the least cost in calls and in memory, though the worker is killed three times',
  async () => {
    expect(DRIFTS).toBeGreaterThanOrEqual(DRIFT_CLASSES.length);
    // One for each kill and one that is left: nobody waits for a start here, however long it takes.
    stand = await startBridge({
      workers: 1 + KILLS,
      env: { RECONCILE_FROM: '2020-01-01T00:00:00Z', NODE_OPTIONS: `--max-old-space-size=${OLD_SPACE_MAX_MB}` },
    });
    const on = stand;
    const planting = await plantDrifts(on, { sessions: SESSIONS, drifts: DRIFTS });
    expect(new Set(planting.drifts.map((drift) => drift.class))).toEqual(new Set(DRIFT_CLASSES));
    const pages = Math.ceil(planting.sessions / PAGE);
    // Slow enough to be killed in the middle, also by somebody who stands still for a second or two.
    if (SESSIONS < 50_000)
      await on.stripe.ask('POST', '/trouble', { kind: 'slow', slowMs: 300, pathPrefix: '/v1/checkout/sessions' });
    const before = await callsAtPeers(on);
    const database = createDatabase({ url: on.databaseUrl, poolMax: 2, applicationName: 'drifts-test' });
    try {
      let ended = false;
      const began = performance.now();
      const looking = look(on, planting).finally(() => {
        ended = true;
      });
      // Its failure is told where it is awaited, whatever fails before.
      looking.catch(() => undefined);
      const heaps = await disturb(on, database, pages, () => ended);
      const run = await looking;
      const after = await callsAtPeers(on);
      const calls = { stripe: after.stripe - before.stripe, finds: after.finds - before.finds };
      report('looked', { ...run, ...calls, pages, seconds: Math.round((performance.now() - began) / 1_000) });
      report('heap, MB', { looks: heaps.length, first: heaps[0], most: Math.max(...heaps), last: heaps.at(-1) });

      const listed = planting.sessions + planting.unknownAtStripe;
      expect(run).toMatchObject({ state: 'finished', listed, checked: listed, unasked: 0, found: DRIFTS });
      expect(sorted(await openFindings(database))).toEqual(sorted(planting.drifts));

      // Ten lists for a thousand; what a kill lost is asked again.
      expect(calls.stripe).toBeLessThanOrEqual(1.2 * pages + KILLS);
      expect(calls.finds).toBeLessThanOrEqual(
        Math.ceil(listed / KEYS_PER_FIND) + planting.unknownAtStripe + 2 * KILLS + 2,
      );
      await on.stripe.ask('DELETE', '/trouble');
      const again = await look(on, planting);
      expect(again).toMatchObject({ state: 'finished', listed, checked: listed, found: DRIFTS });
      const { rows } = await database.pool.query<{ n: number }>(
        'select count(*)::int as n from reconciliation.findings',
      );
      expect(rows[0]?.n).toBe(DRIFTS);
    } finally {
      await database.close();
    }
  },
  4 * WITHIN_MS,
);
