import { registerWorker } from '@bridge/claims';
import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createEffectStore, type EffectPlan } from '@bridge/effects';
import type { ReplayEvent } from '@bridge/flow';
import { createInbox } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { listAudit } from '../audit/audit';
import { allMigrations } from '../migrations';
import { itemsUnderWay, readReplayBodies } from '../tables/read-replay-tables';
import { askReplay, cancelReplay, REPLAY_PLAN_HOURS, resumeReplay, sendReplay } from './order-replay';
import { findReplayOrder, replayEventId } from './replay-event';
import {
  addReplayItems,
  addUnfoundWord,
  itemsToLook,
  itemsToSend,
  type ReplayLook,
  type ReplayWork,
  settleItem,
  storeLooks,
} from './replay-items';
import {
  failReplay,
  findReplayPlan,
  finishReplay,
  markCollected,
  markReady,
  type ReplayArgs,
  type ReplayPlan,
  replayDuty,
  takeUntouchedReplays,
} from './replay-plan';
import { sendReplayItem } from './send-item';
import { eraseReplayBodies, listReplayItems, readReplayProgress } from './show-replay';

let database: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations([]));
  database = createDatabase({ url: created.url, poolMax: 5, applicationName: 'replay-test' });
  drop = created.drop;
});
beforeEach(() =>
  database.executor.execute(
    sql`truncate operations.replay_items, operations.replay_plans, operations.audit, inbox.events, effects.attempts, effects.effects`,
  ),
);
afterAll(async () => {
  await database.close();
  await drop();
});

const asked = { by: 'cli:ada', why: 'the webhook was lost' };
const log = { layout: 'log', keyField: 'k', stateField: 's', resultField: 'r' };
const target = {
  layout: 'l',
  script: 's',
  contract: 'kit',
  transport: 'get',
  handoffLayout: null,
  probe: null,
  log,
};
const event = (objectId: string): ReplayEvent => ({
  objectId,
  eventType: 'checkout.session.completed',
  object: { id: objectId, object: 'checkout.session' },
  livemode: false,
  createdAt: new Date('2026-11-20T10:00:00Z'),
});
const look = (itemId: string, rest: Partial<ReplayLook> = {}): ReplayLook => ({
  itemId,
  verdict: 'would-apply',
  acts: 'send',
  reasonCode: null,
  reason: null,
  invoiceId: '18637',
  amount: 738_000,
  currency: 'usd',
  occurredAt: new Date('2026-11-20T10:00:00Z'),
  effectKey: 'invoice-paid:cs_1',
  effectId: null,
  restsOn: null,
  shown: [{ key: 'invoice-paid:cs_1', digest: 'd', body: '{"quantity":"2"}' }],
  difference: [],
  ...rest,
});
async function planned(
  ids: readonly string[],
  looks: (item: ReplayWork) => Partial<ReplayLook> = () => ({}),
  args: Partial<ReplayArgs> = {},
): Promise<{ plan: ReplayPlan; items: ReplayWork[] }> {
  const id = await askReplay(database, { words: [...ids], ...args }, asked);
  await addReplayItems(database, id, { items: ids.map((word) => ({ word, event: event(word) })), cursor: { word: 1 } });
  await markCollected(database.executor, id);
  const items = await itemsToLook(database.executor, id, 100);
  await storeLooks(
    database.executor,
    items.map((item) => look(item.id, { effectKey: `invoice-paid:${item.objectId}`, ...looks(item) })),
  );
  await markReady(database.executor, id);
  return { plan: await stands(id), items: await itemsToSend(database.executor, id, 100) };
}
async function stands(id: string): Promise<ReplayPlan> {
  const plan = await findReplayPlan(database.executor, id);
  if (plan === undefined) throw new Error('the plan is gone');
  return plan;
}
async function sending(ids: readonly string[], looks?: (item: ReplayWork) => Partial<ReplayLook>) {
  const { plan, items } = await planned(ids, looks);
  await sendReplay(database, plan.id, asked);
  return { plan: await stands(plan.id), items };
}
async function parkedEffect(rest: Partial<EffectPlan> = {}): Promise<string> {
  const { id } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: 'invoice-paid:cs_1',
    lane: 'invoice:18637',
    title: 'Mark invoice 18637 paid',
    target,
    body: '{"quantity":"1"}',
    subject: {},
    origin: 'webhook',
    checkFirst: false,
    parked: { reasonCode: 'FILEMAKER_SCRIPT_ERROR', reason: 'it said no' },
    ...rest,
  });
  return id;
}
const parts = () => ({ database, inbox: createInbox(database) });

test('a plan remembers who asked for what, goes its way, and is sent once however often that is said', async () => {
  const { plan } = await planned(['cs_1', 'cs_2'], undefined, { invoice: '18637', override: true });
  expect(plan).toMatchObject({
    state: 'ready',
    askedBy: 'cli:ada',
    why: 'the webhook was lost',
    args: { words: ['cs_1', 'cs_2'], invoice: '18637', override: true },
    collected: true,
  });
  expect(await sendReplay(database, plan.id, asked)).toMatchObject({ kind: 'moved', plan: { state: 'sending' } });
  const { sentAt } = await stands(plan.id);
  expect(await sendReplay(database, plan.id, { by: 'cli:bob', why: 'again' })).toMatchObject({ kind: 'moved' });
  expect(await stands(plan.id)).toMatchObject({ state: 'sending', sentAt, sentBy: 'cli:ada' });
  const audit = (await listAudit(database, { limit: 10 })).map(({ who, action, object, detail }) => [
    who,
    action,
    object,
    detail,
  ]);
  expect(audit).toEqual([
    ['cli:bob', 'replay.send', `replay:${plan.id}`, 'sending'],
    ['cli:ada', 'replay.send', `replay:${plan.id}`, 'sending'],
    ['cli:ada', 'replay.plan', 'replay:cs_1 cs_2', `plan ${plan.id}, given invoice 18637, override`],
  ]);
});

test('what may not be sent is refused with the reason, and the refusal is written down', async () => {
  expect(await sendReplay(database, '999', asked)).toMatchObject({ code: 'REPLAY_NOT_FOUND' });
  expect(await sendReplay(database, "1' or true", asked)).toMatchObject({ code: 'REPLAY_NOT_FOUND' });
  const wanted = await askReplay(database, { words: ['cs_1'] }, asked);
  expect(await sendReplay(database, wanted, asked)).toMatchObject({ code: 'REPLAY_NOT_READY' });
  const { plan } = await planned(['cs_1']);
  await database.executor.execute(
    sql`update operations.replay_plans set ready_at = ready_at - make_interval(hours => ${REPLAY_PLAN_HOURS}) - interval '1 minute'`,
  );
  expect(await sendReplay(database, plan.id, asked)).toMatchObject({ code: 'REPLAY_OLD' });
  const other = await planned(['cs_2']);
  await cancelReplay(database, other.plan.id, asked);
  expect(await sendReplay(database, other.plan.id, asked)).toMatchObject({ code: 'REPLAY_OVER' });
  const refusals = (await listAudit(database, { limit: 20 })).filter(({ outcome }) => outcome === 'refused');
  expect(refusals).toHaveLength(5);
});

test('a plan that failed goes on where it was when a person says so', async () => {
  const id = await askReplay(database, { words: ['cs_1', 'cs_2'] }, asked);
  await addReplayItems(database, id, { items: [{ word: 'cs_1', event: event('cs_1') }], cursor: { word: 1, flow: 0 } });
  await failReplay(database.executor, id, 'STRIPE_PERMISSION', 'may not');
  expect(await stands(id)).toMatchObject({ state: 'failed', reasonCode: 'STRIPE_PERMISSION' });
  await resumeReplay(database, id, asked);
  expect(await stands(id)).toMatchObject({ state: 'planning', cursor: { word: 1, flow: 0 }, reasonCode: null });
});

test('a page and the place where it ends are kept together, and a payment that two words name is one', async () => {
  const id = await askReplay(database, { words: ['cs_1', '18637'] }, asked);
  await addReplayItems(database, id, { items: [{ word: 'cs_1', event: event('cs_1') }], cursor: { word: 1 } });
  await addReplayItems(database, id, { items: [{ word: '18637', event: event('cs_1') }], cursor: { word: 2 } });
  await addUnfoundWord(database.executor, id, 'cs_none', 'nobody knows it');
  await addUnfoundWord(database.executor, id, 'cs_none', 'nobody knows it');
  expect(await stands(id)).toMatchObject({ state: 'planning', cursor: { word: 2 }, collected: false });
  expect(
    (await listReplayItems(database.executor, id, { limit: 10 })).map(({ objectId, verdict }) => [objectId, verdict]),
  ).toEqual([
    ['cs_1', null],
    ['cs_none', 'not-found'],
  ]);
  // Not before everything is collected and looked at.
  expect(await markReady(database.executor, id)).toBe(false);
  await markCollected(database.executor, id);
  expect(await markReady(database.executor, id)).toBe(false);
  const [item] = await itemsToLook(database.executor, id, 10);
  await storeLooks(database.executor, [look(item?.id ?? '')]);
  expect(await markReady(database.executor, id)).toBe(true);
});

test('a plan is taken up at once, and again only when nobody has touched it for a while', async () => {
  const id = await askReplay(database, { words: ['cs_1'] }, asked);
  expect(await takeUntouchedReplays(database, 15_000)).toEqual([{ id, run: 1 }]);
  expect(await takeUntouchedReplays(database, 15_000)).toEqual([]);
  await database.executor.execute(
    sql`update operations.replay_plans set touched_at = touched_at - interval '16 seconds'`,
  );
  expect(await takeUntouchedReplays(database, 15_000)).toEqual([{ id, run: 2 }]);
  // A living worker that takes its time (Stripe's budget is spent) is left in peace.
  await database.executor.execute(
    sql`update operations.replay_plans set touched_at = touched_at - interval '16 seconds'`,
  );
  const worker = await registerWorker(database, { app: 'worker' });
  await worker.takeDuty(replayDuty(id));
  expect(await takeUntouchedReplays(database, 15_000)).toEqual([]);
  await worker.stop();
  expect(await takeUntouchedReplays(database, 15_000)).toEqual([{ id, run: 3 }]);
  await markCollected(database.executor, id);
  await markReady(database.executor, id);
  await database.executor.execute(sql`update operations.replay_plans set touched_at = null`);
  expect(await takeUntouchedReplays(database, 15_000)).toEqual([]);
});

test("a payment is sent once, by whoever comes first, as an operator's event with an id of its own", async () => {
  const { plan, items } = await sending(['cs_1']);
  const [item] = items;
  if (item === undefined) throw new Error('nothing to send');
  const sent = await Promise.all([1, 2, 3].map(() => sendReplayItem(parts(), plan, item)));
  expect(sent.filter((one) => one !== undefined)).toHaveLength(1);
  const found = await rows<Record<string, unknown>>(
    database.executor,
    sql`select event_id, source, peer, object_id, state, deliveries, convert_from(body, 'UTF8')::jsonb -> 'data' -> 'object' as object from inbox.events`,
  );
  expect(found).toEqual([
    {
      event_id: replayEventId(item),
      source: 'operator',
      peer: 'bridge',
      object_id: 'cs_1',
      state: 'received',
      deliveries: 1,
      object: { id: 'cs_1', object: 'checkout.session' },
    },
  ]);
  expect(await itemsToSend(database.executor, plan.id, 10)).toEqual([]);
});

test('a plan that is sent but of which nothing has gone yet can be given up, and then nothing goes', async () => {
  const { plan, items } = await sending(['cs_1', 'cs_2']);
  expect(await cancelReplay(database, plan.id, asked)).toMatchObject({ kind: 'moved', plan: { state: 'cancelled' } });
  for (const item of items) expect(await sendReplayItem(parts(), plan, item)).toBe(undefined);
  expect(await rows(database.executor, sql`select 1 from inbox.events`)).toEqual([]);
  const other = await sending(['cs_3', 'cs_4']);
  const [first] = other.items;
  if (first === undefined) throw new Error('nothing to send');
  await sendReplayItem(parts(), other.plan, first);
  expect(await cancelReplay(database, other.plan.id, asked)).toMatchObject({ code: 'REPLAY_OVER' });
  expect(await stands(other.plan.id)).toMatchObject({ state: 'sending' });
});

test('the order behind an event is found by exactly its id; no other id has one', async () => {
  const { plan, items } = await planned(['cs_1'], undefined, { invoice: '18637' });
  const [item] = items;
  if (item === undefined) throw new Error('nothing to send');
  expect(await findReplayOrder(database.executor, replayEventId(item))).toEqual({
    planId: plan.id,
    args: { words: ['cs_1'], invoice: '18637' },
    shown: [{ key: 'invoice-paid:cs_1', digest: 'd', body: '{"quantity":"2"}' }],
  });
  for (const other of [
    'evt_1',
    `replay_999_${item.id}`,
    `replay_${plan.id}_999`,
    `replay_${plan.id}`,
    `x${replayEventId(item)}`,
  ])
    expect(await findReplayOrder(database.executor, other)).toBe(undefined);
});

test('a parked effect is released under its rules, written down, and asks FileMaker first', async () => {
  const effectId = await parkedEffect();
  const { plan, items } = await sending(['cs_1'], () => ({
    acts: 'release',
    effectId,
    restsOn: { state: 'parked', attempts: 0, reasonCode: 'FILEMAKER_SCRIPT_ERROR' },
  }));
  const [item] = items;
  if (item === undefined) throw new Error('nothing to send');
  expect(await sendReplayItem(parts(), plan, item)).toEqual({ kind: 'effect', id: effectId });
  expect(await sendReplayItem(parts(), plan, item)).toBe(undefined);
  expect(await rows(database.executor, sql`select state, check_first from effects.effects`)).toEqual([
    { state: 'planned', check_first: true },
  ]);
  expect(await listAudit(database, { object: `effect:${effectId}`, limit: 5 })).toMatchObject([
    { outcome: 'refused', detail: 'SENT_BEFORE' },
    { outcome: 'done', who: 'cli:ada', action: 'effect.resolve', why: 'the webhook was lost' },
  ]);
});

test.each<[string, Partial<EffectPlan>, { attempts: number; reasonCode: string }, string]>([
  ['sent since it was shown', {}, { attempts: 1, reasonCode: 'FILEMAKER_SCRIPT_ERROR' }, 'changed-since'],
  ['parked for another reason since', {}, { attempts: 0, reasonCode: 'OTHER' }, 'changed-since'],
  [
    'parked because of its money',
    { parked: { reasonCode: 'payment-refunded', reason: 'gone' } },
    { attempts: 0, reasonCode: 'payment-refunded' },
    'not-sent',
  ],
])('an effect that was %s is not released', async (_case, rest, seen, outcome) => {
  const effectId = await parkedEffect(rest);
  const { plan, items } = await sending(['cs_1'], () => ({
    acts: 'release',
    effectId,
    restsOn: { state: 'parked', ...seen },
  }));
  const [item] = items;
  if (item === undefined) throw new Error('nothing to send');
  expect(await sendReplayItem(parts(), plan, item)).toBe(undefined);
  expect(await listReplayItems(database.executor, plan.id, { limit: 1 })).toMatchObject([{ outcome }]);
  expect(await rows(database.executor, sql`select state from effects.effects`)).toEqual([{ state: 'parked' }]);
});

test('what is under way is told with how its event and its effect stand, until it is settled', async () => {
  const { plan, items } = await sending(['cs_1', 'cs_2'], (item) => ({ effectKey: `invoice-paid:${item.objectId}` }));
  for (const item of items) await sendReplayItem(parts(), plan, item);
  await parkedEffect();
  const underWay = await itemsUnderWay(database.executor, plan.id, 10);
  expect(underWay).toMatchObject([
    { event: { state: 'received' }, effect: { state: 'parked', attempts: 0, inHand: false } },
    { event: { state: 'received' }, effect: null },
  ]);
  expect(await finishReplay(database.executor, plan.id)).toBe(false);
  for (const { id } of underWay)
    await settleItem(database.executor, id, { outcome: 'applied', code: null, reason: null });
  expect(await itemsUnderWay(database.executor, plan.id, 10)).toEqual([]);
  expect(await finishReplay(database.executor, plan.id)).toBe(true);
  expect(await readReplayProgress(database.executor, plan.id)).toMatchObject({
    items: 2,
    looked: 2,
    acting: 2,
    sent: 2,
    settled: 2,
    byVerdict: { 'would-apply': 2 },
    byOutcome: { applied: 2 },
  });
});

test('bytes that were shown are kept beside the frozen ones only as long as somebody needs them', async () => {
  const effectId = await parkedEffect();
  const { plan, items } = await planned(['cs_1', 'cs_2'], (item) =>
    item.objectId === 'cs_1' ? { effectId, difference: ['quantity'] } : {},
  );
  const ids = items.map(({ id }) => id);
  const bodies = await readReplayBodies(database.executor, ids);
  expect([...bodies]).toEqual([[ids[0], { before: '{"quantity":"1"}', after: '{"quantity":"2"}' }]]);
  expect(await eraseReplayBodies(database.executor, 60_000)).toBe(0);
  await cancelReplay(database, plan.id, asked);
  expect(await eraseReplayBodies(database.executor, 60_000)).toBe(2);
  expect((await readReplayBodies(database.executor, ids)).size).toBe(0);
  expect((await listReplayItems(database.executor, plan.id, { limit: 1 }))[0]?.difference).toEqual(['quantity']);
  const other = await planned(['cs_3']);
  await database.executor.execute(sql`update operations.replay_items set looked_at = looked_at - interval '2 minutes'`);
  expect(await eraseReplayBodies(database.executor, 60_000)).toBe(1);
  expect(
    (await findReplayOrder(database.executor, replayEventId({ id: other.items[0]?.id ?? '', planId: other.plan.id })))
      ?.shown,
  ).toEqual([{ key: 'invoice-paid:cs_1', digest: 'd', body: null }]);
});
