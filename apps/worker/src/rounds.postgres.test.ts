import { claimsMigrations } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore, effectsMigrations } from '@bridge/effects';
import { createInbox, inboxMigrations } from '@bridge/inbox';
import { createLogger } from '@bridge/observability';
import { listScheduleRuns, operationsMigrations } from '@bridge/operations';
import { createEventWatermarks, readLatestComparison, reconciliationMigrations } from '@bridge/reconciliation';
import { StripeCallError } from '@bridge/stripe-client';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { createRounds, type RoundsOptions } from './rounds';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

let database: Database;
let end: () => Promise<void>;

beforeEach(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [
    claimsMigrations,
    inboxMigrations,
    effectsMigrations,
    operationsMigrations,
    reconciliationMigrations,
  ]);
  database = createDatabase({ url: created.url, poolMax: 4, applicationName: 'rounds-test' });
  end = async () => {
    await database.close();
    await created.drop();
  };
});
afterEach(() => end());

function roundsWith(rest: Partial<RoundsOptions> = {}, fetch: Partial<RoundsOptions['fetch']> = {}) {
  const lines: string[] = [];
  const run = createRounds({
    database,
    inbox: createInbox(database),
    effects: createEffectStore(database),
    watermarks: createEventWatermarks(database),
    logger: createLogger({ name: 'test', level: 'info', destination: { write: (line) => lines.push(line) } }),
    fetch: {
      delivery: 'pull',
      listEvents: async function* () {
        yield* [];
      },
      wants: new Set(['checkout.session.completed']),
      livemode: false,
      witness: { read: async () => null, write: async () => undefined },
      takeDuty: async () => true,
      dropDuty: async () => undefined,
      ...fetch,
    },
    from: () => new Date(Date.now() - 3_600_000),
    find: async () => ({ kind: 'asked', value: { rows: [], sentinelFound: false, cutShort: false } }),
    closedBecause: async () => undefined,
    judgeStripe: async () => undefined,
    bodyDays: 90,
    closeDays: async () => ({ kind: 'finished' }),
    ...rest,
  });
  return { run, lines };
}
const mark = () => createEventWatermarks(database).read();
const succeeded = async () => (await listScheduleRuns(database)).map(({ schedule }) => schedule);
const away = async function* (): AsyncGenerator<never> {
  yield* [];
  throw new Error('HTTP 503');
};

test('a fetch that came to its end is noted as the schedule that succeeded, and clears the failure before it', async () => {
  await createEventWatermarks(database).fail('pull', { code: 'STRIPE_UNAVAILABLE', message: 'HTTP 503' });
  expect(await roundsWith().run({ task: 'fetch-events' })).toEqual({ kind: 'finished' });
  expect(await succeeded()).toEqual(['fetch-events']);
  expect(await mark()).toMatchObject({ fetchNo: '1', failing: null });
});

test('a Stripe that is away or closed is written down with its reason, and the next tick tries again', async () => {
  const failing = roundsWith(
    { judgeStripe: async () => ({ kind: 'wait', afterMs: 1_000, code: 'STRIPE_UNAVAILABLE', message: 'HTTP 503' }) },
    { listEvents: away },
  );
  expect(await failing.run({ task: 'fetch-events' })).toEqual({ kind: 'finished' });
  expect((await mark())?.failing).toMatchObject({ code: 'STRIPE_UNAVAILABLE' });
  let asked = 0;
  const closed = roundsWith(
    { closedBecause: async () => ({ cause: 'PEER_AWAY', detail: 'no answer' }) },
    {
      listEvents: async function* () {
        asked += 1;
        yield* [];
      },
    },
  );
  expect(await closed.run({ task: 'fetch-events' })).toEqual({ kind: 'finished' });
  expect((await mark())?.failing).toMatchObject({ code: 'PEER_AWAY' });
  expect(asked).toBe(0);
  expect(await succeeded()).toEqual([]);
});

test('a key that may not list events halts nothing: it is written down, and the judge that would halt is not asked', async () => {
  let judged = 0;
  const { run } = roundsWith(
    {
      judgeStripe: async () => {
        judged += 1;
        return undefined;
      },
    },
    {
      listEvents: async function* () {
        yield* [];
        throw new StripeCallError('STRIPE_PERMISSION', 'refused', { endpoint: 'events.list' });
      },
    },
  );
  expect(await run({ task: 'fetch-events' })).toEqual({ kind: 'finished' });
  expect((await mark())?.failing).toMatchObject({ code: 'STRIPE_PERMISSION' });
  expect(judged).toBe(0);
});

test('a fault of ours is written down too and is not swallowed', async () => {
  const { run } = roundsWith({}, { listEvents: away });
  await expect(run({ task: 'fetch-events' })).rejects.toThrow('HTTP 503');
  expect((await mark())?.failing).toMatchObject({ code: 'FETCH_FAILED', message: 'Error' });
});

test('while one fetch is at work in this process a second one leaves it alone', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  const { run } = roundsWith(
    {},
    {
      listEvents: async function* () {
        asked += 1;
        await held;
        yield* [];
      },
    },
  );
  const first = run({ task: 'fetch-events' });
  expect(await run({ task: 'fetch-events' })).toEqual({ kind: 'finished' });
  release();
  await first;
  expect(asked).toBe(1);
});

test('what the list does not reach is an error in the log', async () => {
  const long = new Date(Date.now() - 40 * 86_400_000);
  await database.transaction((tx) =>
    createEventWatermarks(database).advance(tx, { reachedAt: long, delivery: 'pull' }),
  );
  const { run, lines } = roundsWith({ from: () => new Date(0) });
  await run({ task: 'fetch-events' });
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    expect.arrayContaining([expect.objectContaining({ level: 'error', msg: expect.stringContaining('30 days') })]),
  );
});

test('the comparison of the night is kept; while FileMaker is closed it waits', async () => {
  const closed = roundsWith({ closedBecause: async () => ({ cause: 'PAUSED', detail: 'stock-taking' }) });
  expect(await closed.run({ task: 'compare-observed' })).toMatchObject({ kind: 'later' });
  expect(await readLatestComparison(database)).toBeUndefined();
  expect(await roundsWith().run({ task: 'compare-observed' })).toEqual({ kind: 'finished' });
  expect(await readLatestComparison(database)).toMatchObject({ compared: 0 });
});

test('old bodies are erased in batches to the last row', async () => {
  await database.executor.execute(
    sql`insert into inbox.events (source, peer, event_id, event_type, livemode, body, state, finished_at, received_at)
        select 'webhook', 'stripe', 'evt_' || n, 'x', false, '\\x7b7d'::bytea, 'processed', now(), now() - interval '91 days'
        from generate_series(1, 2500) n`,
  );
  expect(await roundsWith().run({ task: 'erase-bodies' })).toEqual({ kind: 'finished' });
  const { rows } = await database.executor.execute(
    sql`select count(*)::int as n from inbox.events where body is not null`,
  );
  expect(rows).toEqual([{ n: 0 }]);
  expect(await succeeded()).toEqual(['erase-bodies']);
});
