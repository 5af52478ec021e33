import { claimsMigrations, registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, type Executor, migrate } from '@bridge/database';
import { createEffectStore, type EffectPlan, type EffectStore, effectsMigrations } from '@bridge/effects';
import { createInbox, type Delivery, type Inbox, inboxMigrations, STARTS_MAX } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { type BoundFlow, type Decision, defineFlow, type FlowEvent } from './define-flow';
import { createRoad, type PeerFailure, type Road, type RoadOptions } from './road';

let database: Database;
let inbox: Inbox;
let effects: EffectStore;
let worker: WorkerRegistration;
let end: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, inboxMigrations, effectsMigrations]);
  database = createDatabase({ url: created.url, poolMax: 8, applicationName: 'road-test' });
  await database.executor.execute(sql`create schema test_flow`);
  await database.executor.execute(sql`create table test_flow.notes (flow text not null, note text not null)`);
  inbox = createInbox(database);
  effects = createEffectStore(database);
  worker = await registerWorker(database, { app: 'test' });
  end = async () => {
    await worker.stop();
    await database.close();
    await created.drop();
  };
});
beforeEach(() =>
  database.executor.execute(sql`truncate inbox.events, effects.attempts, effects.effects, test_flow.notes`),
);
afterAll(() => end());

type Write = { note: string };
interface Script {
  name?: string;
  wants?: string[];
  gather?: (event: FlowEvent) => Promise<unknown>;
  decide?: (event: FlowEvent) => Decision<Write>[];
  write?: (tx: Executor, write: Write) => Promise<void>;
}
function flow(script: Script = {}): BoundFlow {
  const name = script.name ?? 'one';
  return defineFlow({
    name,
    title: name,
    wants: script.wants ?? ['checkout.session.completed'],
    settings: z.object({}),
    facts: {},
    migrations: { owner: name, directory: '' },
    onEvent: {
      gather: script.gather ?? (async () => undefined),
      load: async () => undefined,
      decide: ({ event }) => (script.decide ?? (() => []))(event),
      write:
        script.write ??
        (async (tx, { note }) => void (await tx.execute(sql`insert into test_flow.notes values (${name}, ${note})`))),
    },
    reconcile: { passes: [] },
    records: { find: async () => [], succeededBetween: async function* () {}, writtenBetween: async function* () {} },
  }).bind({}, {});
}

const effect = (key: string, rest: Partial<EffectPlan> = {}): Decision<Write> => ({
  kind: 'effect',
  plan: {
    kind: 'test',
    flow: 'one',
    key,
    lane: null,
    title: 'Mark invoice 1 paid',
    target: {},
    body: '{}',
    subject: {},
    origin: 'webhook',
    checkFirst: false,
    ...rest,
  },
});
const note = (text: string): Decision<Write> => ({ kind: 'write', write: { note: text } });

function roadOf(flows: BoundFlow[], rest: Partial<RoadOptions> = {}): Road {
  return createRoad({
    database,
    inbox,
    effects,
    worker: worker.id,
    flows,
    judgeFailure: async () => undefined,
    observe: false,
    ...rest,
  });
}
let sequence = 0;
async function record(rest: Partial<Delivery> = {}): Promise<string> {
  sequence += 1;
  const body = { object: 'event', type: 'checkout.session.completed', data: { object: { id: 'cs_1' } } };
  const [row] = await inbox.record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId: `evt_${sequence}`,
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: 'cs_1',
      eventCreatedAt: null,
      body: Buffer.from(JSON.stringify(body)),
      ignoredBecause: null,
      ...rest,
    },
  ]);
  if (row === undefined) throw new Error('nothing was recorded');
  return row.id;
}
const rowOf = async (id: string) => {
  const { rows } = await database.executor.execute(
    sql`select state, starts, reason_code, reason, claimed_by, (extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as due_in_ms from inbox.events where id = ${id}`,
  );
  return rows[0] ?? {};
};
const notes = async () =>
  (await database.executor.execute(sql`select flow, note from test_flow.notes order by flow, note`)).rows;
const planned = async () =>
  (await database.executor.execute(sql`select key, state, check_first from effects.effects order by key`)).rows;
const makeDue = (id: string) =>
  database.executor.execute(sql`update inbox.events set due_at = clock_timestamp() where id = ${id}`);

test('an event with an effect is processed, and effect, flow rows and the end of the row stand together', async () => {
  const id = await record();
  const ending = await roadOf([flow({ decide: () => [effect('paid:1'), note('seen')] })]).turn(id);
  expect(ending).toMatchObject({ kind: 'processed', planned: [{ id: expect.stringMatching(/^\d+$/), run: 0 }] });
  expect(await rowOf(id)).toMatchObject({ state: 'processed', starts: 1, claimed_by: null });
  expect(await planned()).toEqual([{ key: 'paid:1', state: 'planned', check_first: false }]);
  expect(await notes()).toEqual([{ flow: 'one', note: 'seen' }]);
});

test('a second event for the same fact is processed and plans nothing', async () => {
  const road = roadOf([flow({ decide: () => [effect('paid:1')] })]);
  await road.turn(await record());
  expect(await road.turn(await record())).toEqual({ kind: 'processed', planned: [], parked: [] });
  expect(await planned()).toHaveLength(1);
});

test('a row that is finished is not worked on again', async () => {
  let decided = 0;
  const road = roadOf([flow({ decide: () => [note(String(++decided))] })]);
  const id = await record();
  await road.turn(id);
  expect(await road.turn(id)).toEqual({ kind: 'nothing', because: 'finished' });
  expect(decided).toBe(1);
});

test('an event that no flow wants, or about which every flow says so, is ignored with the reason', async () => {
  const unwanted = await record({ eventType: 'plan.created' });
  expect(await roadOf([flow()]).turn(unwanted)).toEqual({ kind: 'ignored', reasonCode: 'UNWANTED_TYPE' });
  const ignore: Decision<Write> = { kind: 'ignore', reasonCode: 'UNPAID', reason: 'not paid yet' };
  const id = await record();
  expect(await roadOf([flow({ decide: () => [ignore] })]).turn(id)).toEqual({ kind: 'ignored', reasonCode: 'UNPAID' });
  expect(await rowOf(id)).toMatchObject({ state: 'ignored', reason_code: 'UNPAID', reason: 'not paid yet' });
});

test('an event that a flow parks waits for a person, with the reason', async () => {
  const park: Decision<Write> = { kind: 'park', reasonCode: 'NO_INVOICE_ID', reason: 'the Session names no invoice' };
  const id = await record();
  const ending = await roadOf([flow({ decide: () => [park] })]).turn(id);
  expect(ending).toEqual({ kind: 'parked', reasonCode: 'NO_INVOICE_ID', reason: 'the Session names no invoice' });
  expect(await rowOf(id)).toMatchObject({ state: 'parked', reason_code: 'NO_INVOICE_ID' });
});

test('an event of a connected account is parked before any flow or peer is asked', async () => {
  let asked = 0;
  const id = await record({ account: 'acct_other' });
  const asking = flow({
    gather: async () => {
      asked += 1;
    },
  });
  expect(await roadOf([asking]).turn(id)).toMatchObject({ kind: 'parked', reasonCode: 'CONNECTED_ACCOUNT' });
  expect(asked).toBe(0);
});

test.each([
  ['no JSON', Buffer.from('{"object":')],
  ['bytes that are no text', Buffer.from([0, 0xff, 0xfe])],
  ['nothing', Buffer.alloc(0)],
  ['JSON that is no event', Buffer.from('[1]')],
  ['an event about nothing', Buffer.from('{"object":"event","type":"x","data":{"object":null}}')],
])('a body of %s is parked as unreadable', async (_what, body) => {
  const id = await record({ body });
  expect(await roadOf([flow()]).turn(id)).toMatchObject({ kind: 'parked', reasonCode: 'BODY_UNREADABLE' });
});

test('a peer that is away costs no start, and the event comes back after that time', async () => {
  const away: PeerFailure = { kind: 'wait', afterMs: 60_000, code: 'STRIPE_UNAVAILABLE', message: 'HTTP 503' };
  const road = roadOf([flow({ gather: () => Promise.reject(new Error('503')) })], { judgeFailure: async () => away });
  const id = await record();
  for (let turn = 0; turn < STARTS_MAX + 2; turn += 1) {
    expect(await road.turn(id)).toEqual({ kind: 'waiting', afterMs: 60_000, code: 'STRIPE_UNAVAILABLE' });
    expect(await rowOf(id)).toMatchObject({ state: 'received', starts: 0, reason_code: 'STRIPE_UNAVAILABLE' });
    await makeDue(id);
  }
});

test("a question that the peer refuses for good parks the event with the peer's code", async () => {
  const gone: PeerFailure = { kind: 'park', code: 'STRIPE_NOT_FOUND', message: 'no such session' };
  const road = roadOf([flow({ gather: () => Promise.reject(new Error('404')) })], { judgeFailure: async () => gone });
  const id = await record();
  expect(await road.turn(id)).toMatchObject({ kind: 'parked', reasonCode: 'STRIPE_NOT_FOUND' });
  expect(await rowOf(id)).toMatchObject({ state: 'parked', claimed_by: null });
});

test('a flow that throws costs a start, comes back later each time, and is parked after eight', async () => {
  const road = roadOf([flow({ gather: () => Promise.reject(new TypeError('a fault of ours, with a@b.example')) })]);
  const id = await record();
  const waits: number[] = [];
  for (let start = 1; start <= STARTS_MAX; start += 1) {
    await expect(road.turn(id)).rejects.toThrow(TypeError);
    const row = await rowOf(id);
    expect(row).toMatchObject({
      state: 'received',
      starts: start,
      reason_code: 'PROCESSING_FAILED',
      reason: 'TypeError',
    });
    waits.push(Number(row.due_in_ms));
    await makeDue(id);
  }
  expect(waits).toEqual([...waits].sort((a, b) => a - b));
  expect(await road.turn(id)).toMatchObject({ kind: 'parked', reasonCode: 'TOO_MANY_STARTS' });
  expect(road.inHand()).toEqual([]);
});

test('a flow that fails after writing and planning leaves neither', async () => {
  const failing = flow({
    decide: () => [effect('paid:1'), note('first'), note('second')],
    write: async (tx, { note: text }) => {
      if (text === 'second') throw new Error('disk full');
      await tx.execute(sql`insert into test_flow.notes values ('one', ${text})`);
    },
  });
  const id = await record();
  await expect(roadOf([failing]).turn(id)).rejects.toThrow('disk full');
  expect([await notes(), await planned()]).toEqual([[], []]);
  expect(await rowOf(id)).toMatchObject({ state: 'received', starts: 1 });
});

test('two flows that want one event commit together or not at all', async () => {
  const first = flow({ name: 'first', decide: () => [note('a'), effect('a:1')] });
  const second = flow({ name: 'second', decide: () => [note('b'), effect('b:1')] });
  await roadOf([first, second]).turn(await record());
  expect(await notes()).toEqual([
    { flow: 'first', note: 'a' },
    { flow: 'second', note: 'b' },
  ]);
  const failing = flow({ name: 'third', decide: () => [note('c')], write: () => Promise.reject(new Error('no')) });
  const other = flow({ name: 'first', decide: () => [note('d'), effect('d:1')] });
  await expect(roadOf([other, failing]).turn(await record())).rejects.toThrow('no');
  expect((await notes()).map((row) => row.note)).toEqual(['a', 'b']);
  expect((await planned()).map((row) => row.key)).toEqual(['a:1', 'b:1']);
});

test('one flow that ignores does not silence another that acts, and one that parks makes the event wait', async () => {
  const ignoring = flow({ decide: () => [{ kind: 'ignore', reasonCode: 'X', reason: 'x' }] });
  const acting = flow({ name: 'two', decide: () => [effect('paid:1')] });
  expect(await roadOf([ignoring, acting]).turn(await record())).toMatchObject({ kind: 'processed' });
  const parking = flow({ name: 'three', decide: () => [{ kind: 'park', reasonCode: 'LOOK', reason: 'odd' }] });
  const third = flow({ name: 'two', decide: () => [effect('paid:3')] });
  expect(await roadOf([third, parking]).turn(await record())).toMatchObject({ kind: 'parked', reasonCode: 'LOOK' });
  expect((await planned()).map((row) => row.key)).toEqual(['paid:1', 'paid:3']);
});

test('plans and the end of the inbox row are one: a claim lost before the commit leaves neither', async () => {
  const id = await record();
  const losing = flow({
    decide: () => [effect('paid:1'), note('seen')],
    // Another worker takes the row while this one is still at it.
    gather: () =>
      database.executor.execute(sql`update inbox.events set claim_no = nextval('claims.claim_no') where id = ${id}`),
  });
  expect(await roadOf([losing]).turn(id)).toEqual({ kind: 'nothing', because: 'the claim was lost' });
  expect([await planned(), await notes()]).toEqual([[], []]);
});

test('a connection that dies before the commit leaves nothing, and the next turn does the whole work once', async () => {
  const id = await record();
  let deaths = 0;
  const dying = flow({
    decide: () => [effect('paid:1'), note('seen')],
    write: async (tx, { note: text }) => {
      await tx.execute(sql`insert into test_flow.notes values ('one', ${text})`);
      deaths += 1;
      if (deaths === 1) await tx.execute(sql`select pg_terminate_backend(pg_backend_pid())`);
    },
  });
  const road = roadOf([dying]);
  await expect(road.turn(id)).rejects.toThrow();
  expect([await planned(), await notes()]).toEqual([[], []]);
  await makeDue(id);
  expect(await road.turn(id)).toMatchObject({ kind: 'processed' });
  expect([(await planned()).length, (await notes()).length]).toEqual([1, 1]);
});

test('peers are asked while no transaction is open', async () => {
  const open: unknown[] = [];
  const asking = flow({
    gather: async () => {
      const { rows } = await database.executor.execute(
        sql`select state from pg_stat_activity where datname = current_database() and application_name = 'road-test' and pid <> pg_backend_pid() and state like 'idle in transaction%'`,
      );
      open.push(rows);
    },
    decide: () => [note('seen')],
  });
  await roadOf([asking]).turn(await record());
  expect(open).toEqual([[]]);
});

test('older money is planned to be asked about, first or only, as the caller judges by when it moved', async () => {
  const told: [Date, string][] = [];
  const road = roadOf(
    [
      flow({
        decide: ({ eventId }) => [effect(`paid:${eventId}`, { subject: { occurredAt: '2026-10-31T23:00:00Z' } })],
      }),
    ],
    {
      caution: (movedAt, source) => {
        told.push([movedAt, source]);
        return source === 'webhook' ? 'ask-only' : source === 'operator' ? 'none' : 'ask-first';
      },
    },
  );
  await road.turn(await record({ eventId: 'evt_webhook' }));
  await road.turn(await record({ eventId: 'evt_operator', source: 'operator' }));
  await road.turn(await record({ eventId: 'evt_pull', source: 'pull' }));
  expect(told[0]).toEqual([new Date('2026-10-31T23:00:00Z'), 'webhook']);
  const { rows } = await database.executor.execute(
    sql`select key, ask_only, check_first from effects.effects order by key`,
  );
  expect(rows).toEqual([
    { key: 'paid:evt_operator', ask_only: false, check_first: false },
    { key: 'paid:evt_pull', ask_only: false, check_first: true },
    { key: 'paid:evt_webhook', ask_only: true, check_first: true },
  ]);
});

test('where a flow does not say when the money moved, the time of the event counts', async () => {
  const told: Date[] = [];
  const caution = (movedAt: Date) => {
    told.push(movedAt);
    return 'none' as const;
  };
  const created = new Date('2026-11-02T00:00:00Z');
  await roadOf([flow({ decide: () => [effect('paid:1')] })], { caution }).turn(
    await record({ eventCreatedAt: created }),
  );
  expect(told).toEqual([created]);
});

test('in observe mode effects are recorded, to begin with a question should they ever run', async () => {
  await roadOf([flow({ decide: () => [effect('paid:1')] })], { observe: true }).turn(await record());
  expect(await planned()).toEqual([{ key: 'paid:1', state: 'planned', check_first: true }]);
});

test('an effect that has not begun is parked when a flow says so, and one on its way is left alone', async () => {
  const road = roadOf([flow({ decide: () => [effect('paid:1'), effect('paid:2')] })]);
  await road.turn(await record());
  await database.executor.execute(
    sql`update effects.effects set state = 'sending', claimed_by = 'w', attempts = 1, first_sent_at = now() where key = 'paid:2'`,
  );
  const unsent = (key: string): Decision<Write> => ({ kind: 'park-unsent', key, reasonCode: 'refunded', reason: 'r' });
  await roadOf([flow({ decide: () => [unsent('paid:1'), unsent('paid:2')] })]).turn(await record());
  expect((await planned()).map(({ state }) => state)).toEqual(['parked', 'sending']);
});

test('an effect planned as parked is told apart, for the board and not to run', async () => {
  const parked = effect('paid:1', { parked: { reasonCode: 'second-payment', reason: 'there is one already' } });
  const ending = await roadOf([flow({ decide: () => [parked] })]).turn(await record());
  expect(ending).toEqual({ kind: 'processed', planned: [], parked: [{ id: expect.stringMatching(/^\d+$/), run: 0 }] });
});

test('an event is in hand from before its claim to its end, so that it is never taken for lost', async () => {
  const seen: string[][] = [];
  const id = await record();
  const road: Road = roadOf([flow({ gather: async () => void seen.push(road.inHand()) })]);
  await Promise.all([road.turn(id), road.turn(id)]);
  expect(seen).toEqual([[id]]);
  expect(road.inHand()).toEqual([]);
});
