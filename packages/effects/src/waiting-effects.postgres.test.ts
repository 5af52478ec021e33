import type { WorkerRegistration } from '@bridge/claims';
import { type Database, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { planOf, startEffectsStand } from '../tests/effects-stand';
import type { ClaimedEffect, EffectPlan } from './effect';
import type { EffectStore } from './effect-store';
import { createWaitingEffects, type WaitingEffects } from './waiting-effects';

let database: Database;
let store: EffectStore;
let waiting: WaitingEffects;
let worker: WorkerRegistration;
let end: () => Promise<void>;

beforeAll(async () => {
  ({ database, store, worker, end } = await startEffectsStand());
  waiting = createWaitingEffects(database);
});
beforeEach(() => database.executor.execute(sql`truncate effects.attempts, effects.effects`));
afterAll(() => end());

async function plan(rest: Partial<EffectPlan> = {}, target: unknown = { script: 'S' }): Promise<string> {
  const whole = planOf({ kind: 'filemaker-script', target, ...rest });
  return (await database.transaction((tx) => store.plan(tx, whole))).id;
}
async function claim(id: string): Promise<ClaimedEffect> {
  const claimed = await store.claim(id, worker.id);
  if (claimed.kind !== 'claimed') throw new Error(`not claimed: ${claimed.kind}`);
  return claimed.effect;
}
async function unknown(id: string): Promise<void> {
  const effect = await claim(id);
  await store.begin(effect, worker.id, null);
  await store.settleUnknown(effect, { code: 'UNHEARD', message: 'x' });
}
const dueAgo = (id: string, ms: number) =>
  database.executor.execute(
    sql`update effects.effects set due_at = clock_timestamp() - make_interval(secs => ${ms / 1_000}::float8) where id = ${id}`,
  );
const waitFor = async (id: string, code: string, afterMs = 60_000): Promise<void> =>
  void (await store.release(await claim(id), { afterMs, code, message: 'closed' }));
const dueNow = async (): Promise<string[]> =>
  (
    await rows<{ id: string }>(
      database.executor,
      sql`select id from effects.effects where due_at <= clock_timestamp() order by id`,
    )
  ).map(({ id }) => id);

test('what waits to be asked about is found, the longest due first, and ordinary work is not', async () => {
  const [work, recovered, lost, fresh] = [await plan(), await plan({ checkFirst: true }), await plan(), await plan()];
  await unknown(lost);
  await unknown(fresh);
  await dueAgo(work, 60_000);
  await dueAgo(recovered, 5_000);
  await dueAgo(lost, 9_000);
  await dueAgo(fresh, 100);
  expect(await waiting.toAsk(50, 1_000)).toEqual([lost, recovered]);
  expect(await waiting.toAsk(1, 1_000)).toEqual([lost]);
  expect(await waiting.toAsk(50, 0)).toEqual([lost, recovered, fresh]);
});

test('what somebody has in hand, and what waits behind another in its lane, is left alone', async () => {
  const [held, first] = [await plan({ checkFirst: true }), await plan({ checkFirst: true, lane: 'invoice:x' })];
  const behind = await plan({ checkFirst: true, lane: 'invoice:x' });
  for (const id of [held, first, behind]) await dueAgo(id, 5_000);
  await claim(held);
  expect(await waiting.toAsk(50, 1_000)).toEqual([first]);
});

test('an unknown effect is asked about although a person has released an older one of its lane meanwhile', async () => {
  const [older, lost] = [
    await plan({ lane: 'invoice:x', parked: { reasonCode: 'X', reason: 'x' } }),
    await plan({ lane: 'invoice:x' }),
  ];
  await unknown(lost);
  await store.releaseParked(older, { checkFirst: false });
  await dueAgo(lost, 5_000);
  expect(await waiting.toAsk(50, 1_000)).toEqual([lost]);
  expect((await store.claim(older, worker.id)).kind).toBe('nothing');
  const asked = await claim(lost);
  await store.settleDone(asked, { verified: true, result: null });
  expect((await store.claim(older, worker.id)).kind).toBe('claimed');
});

test('finding them reads the index, not the backlog', async () => {
  const lost = await plan();
  await unknown(lost);
  await dueAgo(lost, 5_000);
  await database.executor.execute(
    sql`insert into effects.effects (kind, flow, key, lane, title, target, subject, origin, state)
        select 'k', 'f', 'k' || n, 'l' || n, 't', '{}', '{}', 'webhook', 'planned' from generate_series(1, 5000) n`,
  );
  await database.executor.execute(sql`analyze effects.effects`);
  const plans = await rows<{ 'QUERY PLAN': string }>(
    database.executor,
    sql`explain select id from effects.effects e where (e.state = 'unknown' or (e.state = 'planned' and e.check_first))
          and e.due_at <= clock_timestamp() order by e.due_at limit 50`,
  );
  expect(plans.map((line) => line['QUERY PLAN']).join('\n')).toContain('effects_to_ask');
  expect(await waiting.toAsk(50, 1_000)).toEqual([lost]);
});

test('when a script or flow is opened again, what waited for that and for that cause is due at once', async () => {
  const [ours, otherScript, otherCause, otherFlow] = [
    await plan(),
    await plan({}, { script: 'T' }),
    await plan(),
    await plan({ flow: 'bookings' }),
  ];
  await waitFor(ours, 'PAUSED');
  await waitFor(otherScript, 'PAUSED');
  await waitFor(otherCause, 'SCRIPT_RECORD_LOCKED_301');
  await waitFor(otherFlow, 'PAUSED');
  expect(await waiting.makeDue({ scope: 'filemaker', cause: 'PAUSED' })).toBe(0);
  expect(await waiting.makeDue({ scope: 'script:S', cause: 'FILEMAKER_SCRIPT_MISSING' })).toBe(0);
  expect(await waiting.makeDue({ scope: 'script:S', cause: 'PAUSED' })).toBe(2);
  expect(await dueNow()).toEqual([ours, otherFlow]);
  expect(await waiting.makeDue({ scope: 'flow:invoices', cause: 'PAUSED' })).toBe(1);
  expect(await dueNow()).toEqual([ours, otherScript, otherFlow]);
});

test('of many processes that see the opening one moves the rows, and the sweep looks at them in its next round', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => plan()));
  for (const id of ids) await waitFor(id, 'PAUSED');
  await store.markQueued(ids);
  expect(await store.due(50, 5_000)).toEqual([]);
  const moved = await Promise.all(
    Array.from({ length: 5 }, () => waiting.makeDue({ scope: 'script:S', cause: 'PAUSED' })),
  );
  expect(moved.reduce((sum, count) => sum + count, 0)).toBe(20);
  const due = await store.due(50, 5_000);
  expect(due.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(due.every(({ queued }) => queued)).toBe(true);
});

describe('what holds its lane', () => {
  const refuse = async (id: string, code = 'SCRIPT_RECORD_LOCKED_301'): Promise<void> => {
    await dueAgo(id, 0);
    const effect = await claim(id);
    const { attemptId } = await store.begin(effect, worker.id, null);
    const record = { stage: 'refused', code, verdict: 'refused', detail: 'locked' } as const;
    await store.settleRefused(effect, { code, message: 'locked', afterMs: 60_000, costs: true }, { attemptId, record });
  };
  const age = (id: string, ms: number) =>
    database.executor.execute(
      sql`update effects.attempts set began_at = began_at - make_interval(secs => ${ms / 1_000}::float8) where effect_id = ${id}`,
    );

  test('a record that stays locked is told since its first refusal in a row, with who waits behind it', async () => {
    const id = await plan({ lane: 'invoice:x', subject: { invoiceId: 'x' } }, { layout: 'web_invoices', script: 'S' });
    await plan({ lane: 'invoice:x' });
    await plan({ lane: 'invoice:x' });
    await plan({ lane: 'invoice:y' });
    await refuse(id);
    await age(id, 600_000);
    await refuse(id);
    // What has kept it from being tried since is not what holds the lane.
    await dueAgo(id, 0);
    await waitFor(id, 'POOL_BUSY', 5_000);
    const [hold, ...others] = await waiting.holds({ forMs: 120_000, limit: 10 });
    expect(others).toEqual([]);
    expect(hold).toMatchObject({
      id,
      lane: 'invoice:x',
      because: 'refused',
      code: 'SCRIPT_RECORD_LOCKED_301',
      behind: 2,
    });
    expect(hold?.sinceMs).toBeGreaterThan(600_000);
    expect(hold?.target).toMatchObject({ layout: 'web_invoices' });
    expect(await waiting.holds({ forMs: 700_000, limit: 10 })).toEqual([]);
  });

  test('a lock that follows on something else is told from there, not from the first sending', async () => {
    const id = await plan();
    await unknown(id);
    await database.executor.execute(sql`update effects.attempts set verdict = 'unknown', ended_at = clock_timestamp()`);
    await dueAgo(id, 0);
    await store.provedNotThere(await claim(id));
    await database.executor.execute(sql`update effects.effects set claimed_by = null`);
    await age(id, 3_600_000);
    await refuse(id);
    const [hold] = await waiting.holds({ forMs: 0, limit: 10 });
    expect(hold?.sinceMs).toBeLessThan(60_000);
  });

  test('one without an answer holds its lane since it is unknown; what was never sent, and what stands alone, hold none', async () => {
    const lost = await plan({ lane: 'invoice:x' });
    await unknown(lost);
    const alone = await plan({ lane: null });
    await unknown(alone);
    await plan();
    expect(await waiting.holds({ forMs: 0, limit: 10 })).toMatchObject([{ id: lost, because: 'unknown', behind: 0 }]);
    expect(await waiting.holds({ ids: [alone], forMs: 0, limit: 10 })).toEqual([]);
    expect(await waiting.holds({ ids: [], forMs: 0, limit: 10 })).toEqual([]);
  });
});
