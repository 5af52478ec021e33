import type { WorkerRegistration } from '@bridge/claims';
import type { Database } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { planOf, startEffectsStand } from '../tests/effects-stand';
import type { ClaimedEffect, CrossCheck, EffectPlan, HeldBack, Outcome, Performer } from './effect';
import { createEffectEngine, type EffectEngine, REFUSALS_MAX } from './effect-engine';
import { EffectClaimLostError } from './effect-life';
import type { EffectStore } from './effect-store';
import { lockForCorrection, refreezeEffect } from './refreeze';

let database: Database;
let store: EffectStore;
let worker: WorkerRegistration;
let end: () => Promise<void>;

beforeAll(async () => {
  ({ database, store, worker, end } = await startEffectsStand());
});
afterAll(() => end());

/** A peer that keeps its own books: what it was sent, and what it has done. */
function setup(
  script: {
    sends?: (Outcome | Error)[];
    checks?: CrossCheck[];
    recheck?: HeldBack;
    prepare?: HeldBack[];
    closed?: () => boolean;
  } = {},
  used: EffectStore = store,
) {
  const books = { sent: [] as string[], asked: 0, rechecked: 0, released: [] as (string | null)[] };
  const sends = [...(script.sends ?? [])];
  const checks = [...(script.checks ?? [])];
  const held = [...(script.prepare ?? [])];
  const reserved = { prepared: 0, dropped: 0 };
  const performer: Performer = {
    kind: 'test',
    reserve: () => ({
      prepare: (effect) => {
        reserved.prepared += 1;
        return performer.prepare(effect);
      },
      drop: async () => {
        reserved.dropped += 1;
      },
    }),
    scopes: () => ['peer'],
    recheck: async () => {
      books.rechecked += 1;
      return script.recheck ?? { kind: 'fine' };
    },
    crossCheck: async () => {
      books.asked += 1;
      const told = checks.shift();
      if (told === undefined) throw new Error('the peer cannot be asked');
      return told;
    },
    prepare: async (effect: ClaimedEffect) =>
      held.shift() ?? {
        kind: 'ready',
        sessionId: 'session/7',
        send: async () => {
          books.sent.push(effect.body);
          const outcome = sends.shift() ?? { kind: 'done', verified: true, result: { ok: true } };
          if (outcome instanceof Error) throw outcome;
          return outcome;
        },
        release: async (outcome) => {
          books.released.push(outcome?.kind ?? null);
        },
      },
  };
  const engine: EffectEngine = createEffectEngine({
    store: used,
    worker: worker.id,
    performers: [performer],
    closedBecause: async () =>
      script.closed?.() ? { cause: 'PAUSED', detail: 'stock-taking', afterMs: 0 } : undefined,
    random: () => 0,
  });
  return { engine, books, reserved };
}

let sequence = 0;
const plan = async (rest: Partial<EffectPlan> = {}): Promise<string> =>
  (await database.transaction((tx) => store.plan(tx, planOf(rest)))).id;
async function row(id: string): Promise<Record<string, unknown>> {
  const { rows } = await database.executor.execute(sql`select * from effects.effects where id = ${id}`);
  return rows[0] ?? {};
}
const makeDue = (id: string) =>
  database.executor.execute(sql`update effects.effects set due_at = clock_timestamp() where id = ${id}`);
/** A worker that lives until `makeDead`: no heartbeat of its own brings it back at the wrong moment. */
async function anotherWorker(): Promise<string> {
  sequence += 1;
  const id = `another-${sequence}`;
  await database.executor.execute(
    sql`insert into claims.workers (id, app, host, pid, heartbeat_at)
        values (${id}, 'test', 'test', 1, clock_timestamp() + interval '1 day')`,
  );
  return id;
}
const makeDead = (id: string) =>
  database.executor.execute(
    sql`update claims.workers set heartbeat_at = clock_timestamp() - interval '6 seconds' where id = ${id}`,
  );
async function attempts(id: string) {
  const { rows } = await database.executor.execute(
    sql`select purpose, number, stage, verdict, code, session_id from effects.attempts where effect_id = ${id} order by id`,
  );
  return rows;
}
const UNHEARD: Outcome = { kind: 'unknown', code: 'FILEMAKER_UNHEARD', message: 'no answer' };

test('one fact, one effect: a second plan with the same key changes nothing', async () => {
  const first = planOf();
  const one = await database.transaction((tx) => store.plan(tx, first));
  const two = await database.transaction((tx) => store.plan(tx, { ...first, body: 'other bytes' }));
  expect(two).toEqual({ id: one.id, planned: false, state: 'planned' });
  const { engine, books } = setup();
  await engine.turn(one.id);
  await engine.turn(one.id);
  expect(books.sent).toEqual([first.body]);
});

test('case C: two transactions that plan one key at the same instant leave one effect', async () => {
  const same = planOf();
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => database.transaction((tx) => store.plan(tx, same))),
  );
  expect(answers.filter((answer) => answer.planned)).toHaveLength(1);
  expect(new Set(answers.map((answer) => answer.id)).size).toBe(1);
});

test('an effect in hand is not taken by another turn, so that it is sent once', async () => {
  const id = await plan();
  const { engine, books } = setup();
  const endings = await Promise.all(Array.from({ length: 6 }, () => engine.turn(id)));
  expect(endings.filter((ending) => ending.kind === 'done')).toHaveLength(1);
  expect(books.sent).toHaveLength(1);
});

test('an early turn sends with what was reserved beside the claim, and tells once its first byte is on its way', async () => {
  const id = await plan();
  const { engine, books, reserved } = setup();
  const told: number[] = [];
  const early = { kind: 'test', onSending: () => told.push(books.sent.length) };
  expect(await engine.turn(id, early)).toMatchObject({ kind: 'done' });
  expect([told, reserved, books.sent.length, books.released]).toEqual([[1], { prepared: 1, dropped: 0 }, 1, ['done']]);
});

test.each([
  ['it is in other hands', async (id: string) => void (await store.claim(id, await anotherWorker())), {}],
  ['its scope is closed', async () => undefined, { closed: () => true }],
  [
    'it must be asked about first',
    async (id: string) =>
      void (await database.executor.execute(sql`update effects.effects set check_first = true where id = ${id}`)),
    { checks: [{ kind: 'there', result: null }] as CrossCheck[] },
  ],
])('an early turn that sends nothing since %s gives back what it reserved', async (_, before, script) => {
  const id = await plan();
  await before(id);
  const { engine, books, reserved } = setup(script);
  const onSending = jest.fn();
  await engine.turn(id, { kind: 'test', onSending });
  expect([reserved, books.sent, onSending.mock.calls]).toEqual([{ prepared: 0, dropped: 1 }, [], []]);
});

test('an early turn whose claim throws gives back what it reserved', async () => {
  const claim = () => Promise.reject(new Error('PostgreSQL was not reached'));
  const { engine, reserved } = setup({}, { ...store, claim });
  await expect(engine.turn('1', { kind: 'test', onSending: () => undefined })).rejects.toThrow('not reached');
  expect([reserved, engine.inHand()]).toEqual([{ prepared: 0, dropped: 1 }, []]);
});

test('case F: an answer that was lost is asked for, and what has happened is not done twice', async () => {
  const id = await plan();
  const { engine, books } = setup({ sends: [UNHEARD], checks: [{ kind: 'there', result: { logId: '9' } }] });
  expect(await engine.turn(id)).toMatchObject({ kind: 'unknown', code: 'FILEMAKER_UNHEARD' });
  await makeDue(id);
  expect(await engine.turn(id)).toMatchObject({ kind: 'done', verified: true });
  expect(books).toMatchObject({ sent: ['x'].map(() => expect.any(String)), asked: 1 });
  expect(await row(id)).toMatchObject({ state: 'done', verified: true, result: { logId: '9' } });
  expect(await attempts(id)).toMatchObject([
    { purpose: 'send', number: 1, stage: 'unheard', verdict: 'unknown', session_id: 'session/7' },
    { purpose: 'cross-check', number: 1, verdict: 'there' },
  ]);
});

test('only a proved "not there" sends again, and then the same bytes', async () => {
  const id = await plan();
  const wait: CrossCheck = { kind: 'wait', afterMs: 0, code: 'SCRIPT_STILL_RUNNING', message: 'busy' };
  const { engine, books } = setup({ sends: [UNHEARD], checks: [wait, { kind: 'not-there' }] });
  await engine.turn(id);
  await makeDue(id);
  expect(await engine.turn(id)).toMatchObject({ kind: 'waiting', code: 'SCRIPT_STILL_RUNNING' });
  expect(books.sent).toHaveLength(1);
  expect(await row(id)).toMatchObject({ state: 'unknown' });
  await makeDue(id);
  expect(await engine.turn(id)).toMatchObject({ kind: 'done' });
  expect(books.sent).toHaveLength(2);
  expect(books.sent[0]).toBe(books.sent[1]);
});

test('a contradiction parks the effect for a person and is not sent again', async () => {
  const id = await plan();
  const { engine, books } = setup({
    sends: [UNHEARD],
    checks: [{ kind: 'park', code: 'LOG_CONTRADICTS', message: 'two rows' }],
  });
  await engine.turn(id);
  await makeDue(id);
  expect(await engine.turn(id)).toMatchObject({ kind: 'parked', code: 'LOG_CONTRADICTS' });
  expect(await engine.turn(id)).toMatchObject({ kind: 'parked', code: 'LOG_CONTRADICTS' });
  expect(books.sent).toHaveLength(1);
});

test('a peer that cannot be asked leaves the effect unknown: it neither resends nor fails', async () => {
  const id = await plan();
  const { engine, books } = setup({ sends: [UNHEARD] });
  await engine.turn(id);
  await makeDue(id);
  await expect(engine.turn(id)).rejects.toThrow('cannot be asked');
  expect(await row(id)).toMatchObject({ state: 'unknown', claimed_by: null });
  expect(books.sent).toHaveLength(1);
});

test('what a sending throws after begin is unknown, and its session is given back', async () => {
  const id = await plan();
  const { engine, books } = setup({ sends: [new Error('a bug in the performer')] });
  expect(await engine.turn(id)).toMatchObject({ kind: 'unknown', code: 'PERFORMER_FAILED' });
  expect(await row(id)).toMatchObject({ state: 'unknown' });
  expect(books.released).toEqual(['unknown']);
});

test('case I: a worker that dies while sending leaves an unknown, never a planned effect', async () => {
  const dying = await anotherWorker();
  const id = await plan();
  const claim = await store.claim(id, dying);
  if (claim.kind !== 'claimed') throw new Error('not claimed');
  await store.begin(claim.effect, dying, 'session/1');
  expect(await store.claim(id, worker.id)).toMatchObject({ kind: 'nothing', because: 'in hand' });
  await makeDead(dying);
  expect(await store.recoverDead(worker.id)).toEqual({ unknown: 1, freed: 0 });
  const { engine, books } = setup({ checks: [{ kind: 'not-there' }] });
  expect(await engine.turn(id)).toMatchObject({ kind: 'done' });
  expect(books).toMatchObject({ asked: 1 });
});

test('a worker that dies before sending loses only its claim', async () => {
  const dying = await anotherWorker();
  const id = await plan();
  await store.claim(id, dying);
  await makeDead(dying);
  expect(await store.recoverDead(worker.id)).toEqual({ unknown: 0, freed: 1 });
  const { engine, books } = setup();
  expect(await engine.turn(id)).toMatchObject({ kind: 'done' });
  expect(books.asked).toBe(0);
});

test('case J: a worker that lost its claim can neither begin nor settle', async () => {
  const slow = await anotherWorker();
  const id = await plan();
  const old = await store.claim(id, slow);
  if (old.kind !== 'claimed') throw new Error('not claimed');
  await makeDead(slow);
  const fresh = await store.claim(id, worker.id);
  if (fresh.kind !== 'claimed') throw new Error('not claimed anew');
  await expect(store.begin(old.effect, slow, null)).rejects.toThrow(EffectClaimLostError);
  expect(await store.settleDone(old.effect, { verified: true, result: null })).toEqual({ lost: true });
  await store.begin(fresh.effect, worker.id, null);
  expect(await store.settleDone(fresh.effect, { verified: true, result: null })).toMatchObject({ lost: false });
});

test("the peer's own word is never dropped: an answer that comes after the claim was lost settles what is unknown or parked", async () => {
  const [unknown, again] = [await plan(), await plan()];
  for (const id of [unknown, again]) {
    const claim = await store.claim(id, worker.id);
    if (claim.kind !== 'claimed') throw new Error('not claimed');
    const { sending } = await store.begin(claim.effect, worker.id, null);
    await store.recoverLost(worker.id, () => []);
    if (id === again) {
      const asked = await store.claim(id, worker.id);
      if (asked.kind !== 'claimed') throw new Error('not claimed');
      await store.provedNotThere(asked.effect);
      await store.begin(asked.effect, worker.id, null);
    }
    expect(await store.settleLate(id, sending, { verified: true, result: null })).toBe(id === unknown);
  }
  expect(await row(unknown)).toMatchObject({ state: 'done', verified: true });
  expect(await row(again)).toMatchObject({ state: 'sending', attempts: 2 });
  await store.recoverLost(worker.id, () => []);
});

test('after a stall of PostgreSQL nobody takes its own effects for dead', async () => {
  const late = await anotherWorker();
  const id = await plan();
  const claim = await store.claim(id, late);
  if (claim.kind !== 'claimed') throw new Error('not claimed');
  await store.begin(claim.effect, late, null);
  await makeDead(late);
  expect(await store.recoverDead(late)).toEqual({ unknown: 0, freed: 0 });
  expect(await store.settleDone(claim.effect, { verified: true, result: null })).toMatchObject({ lost: false });
});

test('an answer with characters that PostgreSQL refuses is stored, and the effect is settled', async () => {
  const id = await plan();
  const { engine } = setup({ sends: [{ kind: 'done', verified: true, result: { text: 'a\u0000b', half: '\ud800' } }] });
  expect(await engine.turn(id)).toMatchObject({ kind: 'done' });
  expect(await row(id)).toMatchObject({ result: { text: 'a\ufffdb', half: '\ufffd' } });
});

test("a person's word settles what is parked or unknown, marked as a word and not as proof", async () => {
  const [parked, unknown, planned] = [
    await plan({ parked: { reasonCode: 'second-payment', reason: 'x' } }),
    await plan(),
    await plan(),
  ];
  const { engine } = setup({ sends: [UNHEARD] });
  await engine.turn(unknown);
  const word = { as: 'done', result: { why: 'booked by hand' } } as const;
  expect(await store.resolveParked(database.executor, parked, { as: 'cancelled', result: { why: 'test order' } })).toBe(
    true,
  );
  expect(await store.resolveParked(database.executor, unknown, word)).toBe(true);
  expect(await store.resolveParked(database.executor, planned, word)).toBe(false);
  expect(await row(parked)).toMatchObject({ state: 'cancelled', verified: null });
  expect(await row(unknown)).toMatchObject({ state: 'done', verified: false });
});

test('what a living worker holds by mark but not in hand is unknown if it was sending, free if not', async () => {
  const [sending, planned, inHand] = [await plan(), await plan(), await plan()];
  for (const id of [sending, planned, inHand]) {
    const claim = await store.claim(id, worker.id);
    if (claim.kind === 'claimed' && id === sending) await store.begin(claim.effect, worker.id, null);
  }
  expect(await store.recoverLost(worker.id, () => [inHand])).toEqual({ unknown: 1, freed: 1 });
  expect(await row(sending)).toMatchObject({ state: 'unknown', reason_code: 'ENDING_LOST' });
  expect(await row(planned)).toMatchObject({ state: 'planned', claimed_by: null });
  expect(await row(inHand)).toMatchObject({ claimed_by: worker.id });
});

test('a claim made while lost rows are looked for is not taken for a lost one', async () => {
  await store.recoverLost(worker.id, () => []);
  const [lost, fresh] = [await plan(), await plan()];
  await store.claim(lost, worker.id);
  let claiming: ReturnType<EffectStore['claim']> | undefined;
  const recovered = await store.recoverLost(worker.id, () => {
    claiming = store.claim(fresh, worker.id);
    return [];
  });
  expect(await claiming).toMatchObject({ kind: 'claimed' });
  expect(recovered).toEqual({ unknown: 0, freed: 1 });
  expect(await row(fresh)).toMatchObject({ claimed_by: worker.id, run: 0 });
});

test('a sending whose answer is lost again and again is proved not there each time, and from the third on waits before it is sent anew', async () => {
  const id = await plan();
  const notThere: CrossCheck = { kind: 'not-there' };
  const { engine, books } = setup({ sends: [UNHEARD, UNHEARD, UNHEARD], checks: [notThere, notThere, notThere] });
  expect(await engine.turn(id)).toMatchObject({ kind: 'unknown' });
  for (let lost = 2; lost <= 3; lost += 1) {
    await makeDue(id);
    expect(await engine.turn(id)).toMatchObject({ kind: 'unknown' });
  }
  await makeDue(id);
  const ending = await engine.turn(id);
  expect(ending).toMatchObject({ kind: 'waiting', code: 'LOST_AGAIN' });
  expect(ending.kind === 'waiting' && ending.afterMs).toBeGreaterThanOrEqual(1_500);
  expect(await row(id)).toMatchObject({ state: 'planned', claimed_by: null, reason_code: 'LOST_AGAIN' });
  await makeDue(id);
  expect(await engine.turn(id)).toMatchObject({ kind: 'done' });
  expect(books.sent).toHaveLength(4);
});

test('a lane goes one by one in order: unknown and a locked record hold it, done and parked free it', async () => {
  const lane = `invoice:lane-${sequence}`;
  const [first, second, third] = [await plan({ lane }), await plan({ lane }), await plan({ lane })];
  const { engine, books } = setup({
    sends: [{ kind: 'refused', code: 'SCRIPT_RECORD_LOCKED', message: 'locked', again: true, afterMs: 0 }, UNHEARD],
    checks: [{ kind: 'there', result: null }],
  });
  expect(await engine.turn(second)).toMatchObject({ kind: 'nothing', because: 'behind in its lane' });
  expect(await engine.turn(first)).toMatchObject({ kind: 'refused', code: 'SCRIPT_RECORD_LOCKED' });
  expect(await engine.turn(second)).toMatchObject({ kind: 'nothing', because: 'behind in its lane' });
  expect(await engine.turn(first)).toMatchObject({ kind: 'unknown' });
  expect(await engine.turn(second)).toMatchObject({ kind: 'nothing', because: 'behind in its lane' });
  await makeDue(first);
  expect(await engine.turn(first)).toMatchObject({ kind: 'done' });
  expect((await store.head(lane))?.id).toBe(second);
  await store.parkUnsent(database.executor, String((await row(second)).key), 'payment-refunded', 'refunded');
  expect((await store.head(lane))?.id).toBe(third);
  expect(await engine.turn(third)).toMatchObject({ kind: 'done' });
  expect(books.sent).toHaveLength(3);
});

test('two effects of one lane are never on their way together, whatever the workers believe', async () => {
  const lane = `invoice:both-${sequence}`;
  const [first, second] = [await plan({ lane }), await plan({ lane })];
  await database.executor.execute(
    sql`update effects.effects set state = 'sending', attempts = 1, claimed_by = 'w', claim_no = 1, first_sent_at = now() where id = ${first}`,
  );
  await expect(
    database.executor.execute(
      sql`update effects.effects set state = 'sending', attempts = 1, claimed_by = 'v', claim_no = 2, first_sent_at = now() where id = ${second}`,
    ),
  ).rejects.toThrow();
  await database.executor.execute(sql`delete from effects.effects where lane = ${lane}`);
});

test('an effect that finds its lane taken when it would begin, since a person released an older one meanwhile, waits and goes next', async () => {
  const lane = `invoice:taken-${sequence}`;
  const [older, newer] = [await plan({ lane }), await plan({ lane })];
  await setup({ sends: [{ kind: 'refused', again: false, code: 'NO', message: 'no' }] }).engine.turn(older);
  let released: { attemptId: string; sending: number } | undefined;
  const beginsLate: EffectStore = {
    ...store,
    begin: async (effect, who, session) => {
      if (effect.id === newer && released === undefined) {
        await store.releaseParked(older, { checkFirst: false });
        const claim = await store.claim(older, worker.id);
        if (claim.kind !== 'claimed') throw new Error('the older one was not claimed');
        released = await store.begin(claim.effect, worker.id, null);
      }
      return store.begin(effect, who, session);
    },
  };
  const late = setup({}, beginsLate);
  expect(await late.engine.turn(newer)).toMatchObject({ kind: 'waiting', code: 'LANE_BUSY' });
  expect(late.books).toMatchObject({ sent: [], released: [null] });
  expect(await row(newer)).toMatchObject({ state: 'planned', attempts: 0, refusals: 0, claimed_by: null });
  await makeDue(newer);
  expect(await late.engine.turn(newer)).toMatchObject({ kind: 'nothing', because: 'behind in its lane' });
  await store.recoverLost(worker.id, () => []);
  await store.resolveParked(database.executor, older, { as: 'cancelled', result: null });
  expect(await late.engine.turn(newer)).toMatchObject({ kind: 'done' });
});

test('case E: an effect of a payment that was refunded before its script ran is parked; one on its way is left to finish', async () => {
  const [unsent, sending] = [planOf(), planOf()];
  const ids = [
    await database.transaction((tx) => store.plan(tx, unsent)),
    await database.transaction((tx) => store.plan(tx, sending)),
  ];
  const claim = await store.claim(ids[1]?.id ?? '', worker.id);
  if (claim.kind !== 'claimed') throw new Error('not claimed');
  await store.begin(claim.effect, worker.id, null);
  expect(await store.parkUnsent(database.executor, unsent.key, 'payment-refunded', 'refunded')).toEqual([
    { id: ids[0]?.id, run: 1, queued: false },
  ]);
  expect(await store.parkUnsent(database.executor, sending.key, 'payment-refunded', 'refunded')).toEqual([]);
  expect(await store.settleDone(claim.effect, { verified: true, result: null })).toMatchObject({ lost: false });
});

test('parking an effect that a worker has claimed but not begun stops it before the first byte', async () => {
  const planned = planOf();
  const { id } = await database.transaction((tx) => store.plan(tx, planned));
  const parking: Performer = {
    kind: 'test',
    scopes: () => [],
    recheck: async () => ({ kind: 'fine' }),
    crossCheck: async () => ({ kind: 'not-there' }),
    prepare: async () => {
      await store.parkUnsent(database.executor, planned.key, 'payment-refunded', 'refunded');
      return {
        kind: 'ready',
        sessionId: null,
        send: async () => Promise.reject(new Error('it was sent')),
        release: async () => undefined,
      };
    },
  };
  const engine = createEffectEngine({
    store,
    worker: worker.id,
    performers: [parking],
    closedBecause: async () => undefined,
  });
  expect(await engine.turn(id)).toEqual({ kind: 'nothing', because: 'the claim was lost' });
  expect(await row(id)).toMatchObject({ state: 'parked', attempts: 0 });
});

test('recovery never surprises: an effect planned by it is sent only after a proved "not there"', async () => {
  const [known, missing, silent] = [
    await plan({ checkFirst: true }),
    await plan({ checkFirst: true }),
    await plan({ checkFirst: true }),
  ];
  const { engine, books } = setup({
    checks: [
      { kind: 'there', result: null },
      { kind: 'not-there' },
      { kind: 'park', code: 'CANNOT_BE_ASKED', message: 'no log' },
    ],
  });
  expect(await engine.turn(known)).toMatchObject({ kind: 'done', verified: true });
  expect(books.sent).toHaveLength(0);
  expect(await engine.turn(missing)).toMatchObject({ kind: 'done' });
  expect(books.sent).toHaveLength(1);
  expect(await engine.turn(silent)).toMatchObject({ kind: 'parked', code: 'CANNOT_BE_ASKED' });
  expect(books.sent).toHaveLength(1);
});

test('a first sending that comes late rereads the money: refunded meanwhile, it is parked unsent', async () => {
  const [late, onTime] = [await plan(), await plan()];
  await database.executor.execute(
    sql`update effects.effects set planned_at = clock_timestamp() - interval '11 minutes' where id = ${late}`,
  );
  const { engine, books } = setup({ recheck: { kind: 'park', code: 'payment-refunded', message: 'refunded' } });
  expect(await engine.turn(late)).toMatchObject({ kind: 'parked', code: 'payment-refunded' });
  expect(await engine.turn(onTime)).toMatchObject({ kind: 'done' });
  expect(books).toMatchObject({ rechecked: 1, sent: [expect.any(String)] });
});

test('a sending that is repeated long after rereads the money too', async () => {
  const id = await plan();
  const { engine, books } = setup({
    sends: [UNHEARD],
    checks: [{ kind: 'not-there' }],
    recheck: { kind: 'park', code: 'payment-refunded', message: 'refunded' },
  });
  await engine.turn(id);
  await database.executor.execute(
    sql`update effects.effects set last_sent_at = clock_timestamp() - interval '11 minutes', due_at = clock_timestamp() where id = ${id}`,
  );
  expect(await engine.turn(id)).toMatchObject({ kind: 'parked', code: 'payment-refunded' });
  expect(books).toMatchObject({ rechecked: 1, sent: [expect.any(String)] });
});

test('a full pool, a pause or a peer that is away burns no attempt', async () => {
  let closed = true;
  const id = await plan();
  const busy: HeldBack = { kind: 'wait', afterMs: 0, code: 'POOL_BUSY', message: 'all in use' };
  const { engine, books } = setup({ prepare: Array.from({ length: 20 }, () => busy), closed: () => closed });
  expect(await engine.turn(id)).toMatchObject({ kind: 'waiting', code: 'PAUSED', message: 'stock-taking' });
  closed = false;
  for (let turn = 0; turn < 20; turn += 1) {
    await makeDue(id);
    expect(await engine.turn(id)).toMatchObject({ kind: 'waiting', code: 'POOL_BUSY' });
  }
  expect(await row(id)).toMatchObject({ attempts: 0, refusals: 0, state: 'planned' });
  await makeDue(id);
  expect(await engine.turn(id)).toMatchObject({ kind: 'done' });
  expect(books.released).toEqual(['done']);
});

test('a refusal for good parks at once, one that may pass waits longer each time and ends with a person', async () => {
  const [forGood, again] = [await plan(), await plan()];
  const locked: Outcome = { kind: 'refused', code: 'SCRIPT_RECORD_LOCKED', message: 'locked', again: true };
  const { engine } = setup({
    sends: [
      { kind: 'refused', code: 'SCRIPT_KEY_CONFLICT', message: 'conflict', again: false },
      locked,
      locked,
      locked,
    ],
  });
  expect(await engine.turn(forGood)).toMatchObject({ kind: 'parked', code: 'SCRIPT_KEY_CONFLICT' });
  const waits: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    await makeDue(again);
    const ending = await engine.turn(again);
    if (ending.kind === 'refused') waits.push(ending.afterMs);
  }
  expect(waits).toEqual([500, 1_000, 2_000]);
  await database.executor.execute(
    sql`update effects.effects set refusals = ${REFUSALS_MAX - 1}, due_at = clock_timestamp() where id = ${again}`,
  );
  const last = setup({ sends: [locked] });
  expect(await last.engine.turn(again)).toMatchObject({ kind: 'parked', code: 'SCRIPT_RECORD_LOCKED' });
});

test('what has run and would not show when asked about is parked at once, never asked about, and takes no other meaning', async () => {
  const first = planOf();
  const id = await plan(first);
  const { engine, books } = setup({
    sends: [{ kind: 'parked', code: 'SCRIPT_ROW_MISSING', message: 'its row is missing' }],
    checks: [{ kind: 'not-there' }],
  });
  expect(await engine.turn(id)).toMatchObject({ kind: 'parked', code: 'SCRIPT_ROW_MISSING' });
  await makeDue(id);
  expect(await engine.turn(id)).toMatchObject({ kind: 'parked', code: 'SCRIPT_ROW_MISSING' });
  expect([books.sent.length, books.asked]).toEqual([1, 0]);
  expect(await row(id)).toMatchObject({ state: 'parked', claimed_by: null, refusals: 0, unknown_since: null });
  expect(await attempts(id)).toMatchObject([{ purpose: 'send', stage: 'answered', verdict: 'parked' }]);
  // It has run: another invoice under the same key would be a second one.
  await database.transaction(async (tx) => {
    expect(await lockForCorrection(tx, first.key)).toMatchObject({ id, mayHaveRun: true });
    const other = { ...first, body: 'other bytes', replaces: { attempts: 1, what: 'invoice 1' } };
    expect(await refreezeEffect(tx, other)).toBeUndefined();
  });
});

const ROW_MISSING: Outcome = { kind: 'parked', code: 'SCRIPT_ROW_MISSING', message: 'its row is missing' };

/** Sends it, is taken for dead meanwhile, and then hears that something has run. `meanwhile`: the effect is unknown and due. */
async function hearLate(id: string, meanwhile: () => Promise<unknown>): Promise<unknown> {
  const slowId = await anotherWorker();
  const slow = createEffectEngine({
    store,
    worker: slowId,
    closedBecause: async () => undefined,
    performers: [
      {
        kind: 'test',
        scopes: () => ['peer'],
        recheck: async () => ({ kind: 'fine' }),
        crossCheck: async () => ({ kind: 'not-there' }),
        prepare: async () => ({
          kind: 'ready',
          sessionId: 's',
          send: async () => {
            await makeDead(slowId);
            expect(await store.recoverDead(worker.id)).toMatchObject({ unknown: 1 });
            await makeDue(id);
            await meanwhile();
            return ROW_MISSING;
          },
          release: async () => undefined,
        }),
      },
    ],
  });
  return slow.turn(id);
}

test('a word that something has run and would not show parks it also when the claim was lost and another one asks about it', async () => {
  const id = await plan();
  const wait: CrossCheck = { kind: 'wait', afterMs: 0, code: 'SCRIPT_STILL_RUNNING', message: 'busy' };
  const asker = setup({ checks: [wait, { kind: 'not-there' }] });
  await hearLate(id, async () => expect(await asker.engine.turn(id)).toMatchObject({ kind: 'waiting' }));
  await makeDue(id);
  expect(await asker.engine.turn(id)).toMatchObject({ kind: 'parked', code: 'SCRIPT_ROW_MISSING' });
  expect(asker.books.sent).toEqual([]);
});

test('a word that something has run and would not show outlives a statement that fails', async () => {
  const id = await plan();
  let failed = false;
  const flaky: EffectStore = {
    ...store,
    park: (...given) => {
      if (failed) return store.park(...given);
      failed = true;
      return Promise.reject(new Error('Connection terminated unexpectedly'));
    },
  };
  const { engine, books } = setup({ sends: [ROW_MISSING], checks: [{ kind: 'not-there' }] }, flaky);
  expect(await engine.turn(id)).toMatchObject({ kind: 'parked', code: 'SCRIPT_ROW_MISSING' });
  expect(await row(id)).toMatchObject({ state: 'parked', reason_code: 'SCRIPT_ROW_MISSING', claimed_by: null });
  expect([books.sent.length, books.asked]).toEqual([1, 0]);
});

test('a word that something has run is kept also when another look has parked it meanwhile', async () => {
  const id = await plan();
  const { engine } = setup({ checks: [{ kind: 'park', code: 'SENTINEL_MISSING', message: 'hidden' }] });
  const ending = await hearLate(id, async () =>
    expect(await engine.turn(id)).toMatchObject({ kind: 'parked', code: 'SENTINEL_MISSING' }),
  );
  expect(ending).toMatchObject({ kind: 'parked', code: 'SCRIPT_ROW_MISSING' });
  expect(await row(id)).toMatchObject({ state: 'parked', reason_code: 'SCRIPT_ROW_MISSING' });
});

test('a word that something has run is told as parked when the answer to its writing was lost', async () => {
  const id = await plan();
  let failed = false;
  const flaky: EffectStore = {
    ...store,
    park: async (...given) => {
      const written = await store.park(...given);
      if (failed) return written;
      failed = true;
      throw new Error('Connection terminated unexpectedly');
    },
  };
  expect(await setup({ sends: [ROW_MISSING] }, flaky).engine.turn(id)).toMatchObject({ kind: 'parked' });
});

test('what was heard to end is not waited for when it is asked about', async () => {
  const heard: boolean[] = [];
  const id = await plan();
  const { engine } = setup({ sends: [{ ...UNHEARD, code: 'SCRIPT_ERROR_401', answered: true }] });
  expect(await engine.turn(id)).toMatchObject({ kind: 'unknown' });
  expect(await attempts(id)).toMatchObject([{ stage: 'answered', verdict: 'unknown' }]);
  const other = await plan();
  await setup({ sends: [UNHEARD] }).engine.turn(other);
  for (const one of [id, other]) {
    await makeDue(one);
    const claimed = await store.claim(one, worker.id);
    if (claimed.kind !== 'claimed') throw new Error('not claimed');
    heard.push(claimed.effect.lastAnswered);
  }
  expect(heard).toEqual([true, false]);
});

test("a parked effect runs again only by a person's word, and asks first when told to", async () => {
  const id = await plan({ parked: { reasonCode: 'second-payment', reason: 'paid before' } });
  const { engine, books } = setup({ checks: [{ kind: 'not-there' }] });
  expect(await engine.turn(id)).toMatchObject({ kind: 'parked', code: 'second-payment' });
  expect((await store.due(1_000, 0)).some((due) => due.id === id)).toBe(false);
  expect(await store.releaseParked(id, { checkFirst: true })).toBe(true);
  expect((await store.due(1_000, 0)).find((due) => due.id === id)).toMatchObject({ run: 1, queued: false });
  expect(await engine.turn(id)).toMatchObject({ kind: 'done' });
  expect(books).toMatchObject({ asked: 1, sent: [expect.any(String)] });
  expect(await store.releaseParked(id, { checkFirst: true })).toBe(false);
});
