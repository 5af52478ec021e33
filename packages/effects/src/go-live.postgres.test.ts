import type { WorkerRegistration } from '@bridge/claims';
import type { Database } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { planOf, startEffectsStand } from '../tests/effects-stand';
import type { CrossCheck, EffectPlan, Performer } from './effect';
import { createEffectEngine } from './effect-engine';
import type { EffectStore } from './effect-store';
import { countForGoLive, drawLine, listUnsent, settleOlder } from './go-live';

const LINE = new Date('2026-11-20T12:00:00Z');
const BEFORE = '2026-11-20T11:59:59.999Z';
const AFTER = '2026-11-20T12:00:00Z';

let database: Database;
let store: EffectStore;
let worker: WorkerRegistration;
let end: () => Promise<void>;

beforeAll(async () => {
  ({ database, store, worker, end } = await startEffectsStand());
});
beforeEach(() => database.executor.execute(sql`truncate effects.attempts, effects.effects`));
afterAll(() => end());

async function plan(rest: Partial<EffectPlan> & { paidAt?: string } = {}): Promise<string> {
  const { paidAt = BEFORE, ...given } = rest;
  const whole = planOf({ body: '{"email":"buyer@shop.example"}', ...given });
  const subject = given.subject ?? { ...whole.subject, occurredAt: paidAt };
  return (await store.plan(database.executor, { ...whole, subject })).id;
}

function engineWith(told: CrossCheck) {
  const sent: string[] = [];
  const performer: Performer = {
    kind: 'test',
    scopes: () => [],
    recheck: async () => ({ kind: 'fine' }),
    crossCheck: async () => told,
    prepare: async (effect) => ({
      kind: 'ready',
      sessionId: null,
      send: async () => {
        sent.push(effect.key);
        return { kind: 'done', verified: true, result: null };
      },
      release: async () => undefined,
    }),
  };
  const engine = createEffectEngine({
    store,
    worker: worker.id,
    performers: [performer],
    closedBecause: async () => undefined,
  });
  return { engine, sent };
}
const rowOf = async (id: string) =>
  (
    await database.executor.execute(
      sql`select state, reason_code, ask_only, check_first, verified, attempts from effects.effects where id = ${id}`,
    )
  ).rows[0];

test('what may only be asked about is done where the peer shows it, and parked where it does not; nothing is sent', async () => {
  const [shown, notShown] = [await plan({ askOnly: true }), await plan({ askOnly: true })];
  const there = engineWith({ kind: 'there', result: { seen: true } });
  expect(await there.engine.turn(shown)).toMatchObject({ kind: 'done', verified: true });
  const missing = engineWith({ kind: 'not-there' });
  expect(await missing.engine.turn(notShown)).toMatchObject({ kind: 'parked', code: 'BEFORE_GO_LIVE' });
  expect(await rowOf(notShown)).toMatchObject({ state: 'parked', ask_only: true, attempts: 0 });
  expect([there.sent, missing.sent]).toEqual([[], []]);
  expect(await store.attemptsOf(notShown)).toMatchObject([{ purpose: 'cross-check', verdict: 'not-there' }]);
});

test('nothing can send it, whatever the caller believes: begin refuses, and so does the table', async () => {
  const id = await plan({ askOnly: true });
  const claim = await store.claim(id, worker.id);
  if (claim.kind !== 'claimed') throw new Error('not claimed');
  await expect(store.begin(claim.effect, worker.id, null)).rejects.toMatchObject({ code: 'EFFECT_CLAIM_LOST' });
  await expect(store.provedNotThere(claim.effect)).resolves.toBe(false);
  const forced = database.executor.execute(
    sql`update effects.effects set state = 'sending', attempts = 1, first_sent_at = clock_timestamp() where id = ${id}`,
  );
  await expect(forced).rejects.toMatchObject({ cause: { constraint: 'effects_ask_only_is_never_sent' } });
});

test("a person's word releases it: from then on it may run", async () => {
  const id = await plan({ askOnly: true });
  const { engine, sent } = engineWith({ kind: 'not-there' });
  await engine.turn(id);
  expect(await store.releaseParked(id, { checkFirst: true })).toBe(true);
  expect(await engine.turn(id)).toMatchObject({ kind: 'done' });
  expect(sent).toHaveLength(1);
});

test('the line: older money is only asked about, newer goes on with a question, both sides to the millisecond', async () => {
  const older = await plan({ paidAt: BEFORE });
  const newer = await plan({ paidAt: AFTER, askOnly: true });
  const parkedNewer = await plan({ paidAt: AFTER, askOnly: true });
  await engineWith({ kind: 'not-there' }).engine.turn(parkedNewer);
  const second = await plan({
    paidAt: AFTER,
    askOnly: true,
    parked: { reasonCode: 'second-payment', reason: 'paid before' },
  });
  expect(await database.transaction((tx) => drawLine(tx, LINE))).toEqual({ asked: 1, goesOn: 2 });
  expect(await rowOf(older)).toMatchObject({ state: 'planned', ask_only: true, check_first: true });
  for (const id of [newer, parkedNewer])
    expect(await rowOf(id)).toMatchObject({ state: 'planned', ask_only: false, check_first: true });
  expect(await rowOf(second)).toMatchObject({ state: 'parked', reason_code: 'second-payment' });
  // Said again it changes nothing; another moment moves the line.
  expect(await database.transaction((tx) => drawLine(tx, LINE))).toEqual({ asked: 0, goesOn: 0 });
  const earlier = new Date(LINE.getTime() - 1_000);
  expect(await database.transaction((tx) => drawLine(tx, earlier))).toEqual({ asked: 0, goesOn: 1 });
});

test('what was sent already keeps its way, on whatever side of the line', async () => {
  const id = await plan();
  const claim = await store.claim(id, worker.id);
  if (claim.kind !== 'claimed') throw new Error('not claimed');
  await store.begin(claim.effect, worker.id, null);
  await store.settleUnknown(claim.effect, { code: 'UNHEARD', message: 'cut' });
  expect(await database.transaction((tx) => drawLine(tx, LINE))).toEqual({ asked: 0, goesOn: 0 });
  expect(await countForGoLive(database, LINE)).toEqual([
    { older: true, state: 'unknown', askOnly: false, notShown: false, count: 1 },
  ]);
});

test("all that was not shown is settled at once by a person's word, and nothing else is", async () => {
  const notShown = await plan({ askOnly: true });
  await engineWith({ kind: 'not-there' }).engine.turn(notShown);
  const unasked = await plan({ askOnly: true });
  const refunded = await plan({ askOnly: true, parked: { reasonCode: 'payment-refunded', reason: 'refunded' } });
  expect(await database.transaction((tx) => settleOlder(tx, { as: 'done', result: { resolvedBy: 'ada' } }))).toBe(1);
  expect(await rowOf(notShown)).toMatchObject({ state: 'done', verified: false });
  expect(await rowOf(unasked)).toMatchObject({ state: 'planned' });
  expect(await rowOf(refunded)).toMatchObject({ state: 'parked' });
});

test('what was never sent is listed page by page, for the comparison', async () => {
  const ids = [await plan(), await plan(), await plan()];
  const first = await listUnsent(database, { after: '0', limit: 2 });
  expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  const last = first.at(-1)?.id ?? '';
  expect((await listUnsent(database, { after: last, limit: 2 })).map(({ id }) => id)).toEqual(ids.slice(2));
});

test('bodies of settled effects of an age are erased and their digest stays; those that may still be sent keep theirs', async () => {
  const { engine } = engineWith({ kind: 'there', result: null });
  const done = await plan({ checkFirst: true });
  await engine.turn(done);
  const waiting = await plan();
  const parked = await plan({ parked: { reasonCode: 'second-payment', reason: 'paid before' } });
  await database.executor.execute(
    sql`update effects.effects set planned_at = planned_at - interval '91 days', settled_at = settled_at - interval '91 days'`,
  );
  const young = await plan({ checkFirst: true });
  await engine.turn(young);
  const before = new Date(Date.now() - 90 * 86_400_000);
  const first = await store.eraseBodies({ before, after: '0', limit: 2 });
  expect(first).toEqual({ erased: 1, last: waiting });
  expect(await store.eraseBodies({ before, after: first.last ?? '', limit: 2 })).toEqual({ erased: 0, last: parked });
  expect(await store.eraseBodies({ before, after: parked, limit: 2 })).toEqual({ erased: 0 });
  const { rows } = await database.executor.execute(
    sql`select id::text, body is null as erased, body_sha256 = sha256('{"email":"buyer@shop.example"}'::bytea) as digest
        from effects.effects order by effects.effects.id`,
  );
  expect(rows).toEqual([
    { id: done, erased: true, digest: true },
    { id: waiting, erased: false, digest: null },
    { id: parked, erased: false, digest: null },
    { id: young, erased: false, digest: null },
  ]);
});
