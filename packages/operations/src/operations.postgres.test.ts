import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createEffectStore, type EffectPlan } from '@bridge/effects';
import { createInbox } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { type SQL, sql } from 'drizzle-orm';
import { audited, auditedTransaction, listAudit } from './audit/audit';
import { allMigrations } from './migrations';
import { explainEventRetries, reprocessEvent, retryEvent } from './resolve/reprocess-event';
import { explainEffectRetries, resolveEffect, retryEffect } from './resolve/resolve-effect';
import { showEffect, showEvent } from './show/show';
import { listScheduleRuns, recordScheduleSuccess } from './status/schedule-runs';
import { readStatus, type Status } from './status/status';
import { readParked } from './tables/read-engine-tables';

const sources = allMigrations([]);
let database: Database;
let drop: () => Promise<void>;

beforeEach(async () => {
  const test = await createTestDatabase();
  await migrate(test.url, sources);
  database = createDatabase({ url: test.url, poolMax: 5, applicationName: 'operations-test' });
  drop = test.drop;
});
afterEach(async () => {
  await database.close();
  await drop();
});

const asked = { by: 'ada', why: 'the customer asked' };
const target = (over: object = {}) => ({
  layout: 'web_invoices',
  script: 'PAID',
  contract: 'plain',
  transport: 'get',
  handoffLayout: null,
  probe: null,
  log: null,
  ...over,
});
const log = { layout: 'log', keyField: 'k', stateField: 's', resultField: 'r' };
const probe = { layout: 'l', field: 'f', value: 'v', proves: true };

async function park(over: Partial<EffectPlan> = {}): Promise<string> {
  const { id } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: `invoice-paid:${over.title ?? 'cs_1'}`,
    lane: null,
    title: 'Mark invoice 1 paid',
    target: target(),
    body: '{}',
    subject: {},
    origin: 'webhook',
    checkFirst: false,
    parked: { reasonCode: 'second-payment', reason: 'paid twice' },
    ...over,
  });
  return id;
}

const stored = async (id: string) =>
  (
    await rows<{ state: string; check_first: boolean; run: number; queued_at: string | null }>(
      database.executor,
      sql`select state, check_first, run, queued_at from effects.effects where id = ${id}`,
    )
  )[0];

const change = (id: string, what: SQL) =>
  database.executor.execute(sql`update effects.effects set ${what} where id = ${id}`);
const again = { ...asked, as: 'again' } as const;
const done = { ...asked, as: 'done' } as const;
const cancelled = { ...asked, as: 'cancelled' } as const;
const unknownFor = (minutes: number): SQL =>
  sql`state = 'unknown', unknown_since = clock_timestamp() - make_interval(mins => ${minutes}::int), attempts = 1, reason_code = 'TIMEOUT', reason = 'no answer'`;

describe("a person's word on a parked effect", () => {
  // A probe can find a payment but never prove that it is not there: asked first, the effect would park for ever.
  test.each([
    ['a kit script with its log', target({ contract: 'kit', log }), 'SCRIPT_REFUSED', true],
    ['a plain script with a probe', target({ probe }), 'PROBE_FOUND_NOTHING', false],
    ['a plain script without a probe', target(), 'CANNOT_BE_ASKED', false],
    ['a log that holds an unfinished row', target({ contract: 'kit', log }), 'LOG_NOT_DONE', false],
    ['a log that contradicts itself', target({ contract: 'kit', log, probe }), 'LOG_CONTRADICTS', false],
    ['a script that left no row in the log', target({ contract: 'kit', log }), 'SCRIPT_ROW_MISSING', false],
  ])(
    '"again" asks first only where the answer can be "not there": %s',
    async (_name, given, reasonCode, checkFirst) => {
      const id = await park({ target: given, parked: { reasonCode, reason: 'why' } });
      const title = 'Mark invoice 1 paid';
      expect(await resolveEffect(database, id, again)).toEqual({
        kind: 'resolved',
        as: 'again',
        id,
        title,
        checkFirst,
      });
      expect(await stored(id)).toEqual({ state: 'planned', check_first: checkFirst, run: 1, queued_at: null });
    },
  );

  test('leaves a row that says who decided what and why, under the row’s number even when the key was given', async () => {
    const id = await park();
    expect(await resolveEffect(database, 'invoice-paid:cs_1', again)).toMatchObject({ kind: 'resolved', id });
    const [row] = await listAudit(database, { object: `effect:${id}`, limit: 10 });
    expect(row).toMatchObject({ who: 'ada', action: 'effect.resolve', why: asked.why, outcome: 'done' });
  });

  test.each([
    ['done', sql`state = 'done', verified = true, settled_at = clock_timestamp()`, 'EFFECT_DONE'],
    ['cancelled', sql`state = 'cancelled', settled_at = clock_timestamp()`, 'EFFECT_CANCELLED'],
    ['planned', sql`state = 'planned'`, 'EFFECT_ON_ITS_WAY'],
    [
      'sending',
      sql`state = 'sending', claimed_by = 'w', attempts = 1, first_sent_at = clock_timestamp()`,
      'EFFECT_IN_HAND',
    ],
  ])(
    'is refused for one that is %s, whatever the word, changes nothing, and is on record',
    async (state, what, code) => {
      const id = await park();
      await change(id, what);
      for (const word of [again, done, cancelled])
        expect(await resolveEffect(database, id, word)).toMatchObject({ kind: 'refused', code });
      expect(await stored(id)).toMatchObject({ state, run: 0 });
      expect((await listAudit(database, { limit: 5 })).map(({ outcome, detail }) => [outcome, detail])).toEqual(
        Array.from({ length: 3 }, () => ['refused', code]),
      );
    },
  );

  test('is refused for an id that is not there; "again" also for a target that cannot be read', async () => {
    expect(await resolveEffect(database, '99', again)).toMatchObject({ code: 'EFFECT_NOT_FOUND' });
    expect(await resolveEffect(database, "1' or true", done)).toMatchObject({ code: 'EFFECT_NOT_FOUND' });
    const id = await park({ target: { layout: 'x' } });
    expect(await resolveEffect(database, id, again)).toMatchObject({ code: 'EFFECT_TARGET_UNREADABLE' });
    expect((await stored(id))?.state).toBe('parked');
    expect(await resolveEffect(database, id, cancelled)).toMatchObject({ kind: 'resolved', as: 'cancelled' });
  });

  test('by ten people at once happens once', async () => {
    const id = await park();
    const answers = await Promise.all(Array.from({ length: 10 }, () => resolveEffect(database, id, again)));
    expect(answers.filter((answer) => answer.kind === 'resolved')).toHaveLength(1);
    expect((await stored(id))?.run).toBe(1);
  });

  test('"done" is kept as a word and not as a proof, with who said it and why; "cancelled" ends it', async () => {
    const [one, other] = [await park({ title: 'a' }), await park({ title: 'b' })];
    expect(await resolveEffect(database, one, done)).toMatchObject({ kind: 'resolved', as: 'done', was: 'parked' });
    expect(await resolveEffect(database, other, cancelled)).toMatchObject({ as: 'cancelled', was: 'parked' });
    expect((await showEffect(database, one))?.effect).toMatchObject({
      state: 'done',
      verified: false,
      result: { resolvedBy: 'ada', why: asked.why },
    });
    expect((await showEffect(database, other))?.effect).toMatchObject({ state: 'cancelled', verified: null });
  });
});

describe("a person's word on an unknown effect", () => {
  test('"again" is refused because it may have run; "done" and "cancelled" settle it', async () => {
    const [one, other] = [await park({ title: 'a' }), await park({ title: 'b' })];
    await change(one, unknownFor(0));
    await change(other, unknownFor(0));
    const refused = await resolveEffect(database, one, again);
    expect(refused).toMatchObject({ code: 'EFFECT_UNKNOWN', reason: expect.stringContaining('it may have run') });
    expect(await resolveEffect(database, one, done)).toMatchObject({ kind: 'resolved', was: 'unknown' });
    expect(await resolveEffect(database, other, cancelled)).toMatchObject({ kind: 'resolved', was: 'unknown' });
    expect([(await stored(one))?.state, (await stored(other))?.state]).toEqual(['done', 'cancelled']);
  });

  test('while a worker asks about it nobody decides', async () => {
    const id = await park();
    await change(id, sql`${unknownFor(0)}, claimed_by = 'w'`);
    expect(await resolveEffect(database, id, done)).toMatchObject({ code: 'EFFECT_IN_HAND' });
    expect((await stored(id))?.state).toBe('unknown');
  });
});

describe('a retry without a look at the single case', () => {
  const kit = target({ contract: 'kit', log });
  const NEVER = 'never';
  const IN_QUESTION = 'its money is in question';
  const MAY_HAVE_RUN = 'it may have run';
  type Row = [string, object, string, { attempts?: number; checkFirst?: boolean }, string];
  test.each<Row>([
    ['never sent and plainly parked', target(), 'INVOICE_LOCKED', {}, NEVER],
    ['sent, and FileMaker keeps a log that is asked first', kit, 'TOO_MANY_REFUSALS', { attempts: 3 }, NEVER],
    ['planned by recovery, and FileMaker keeps a log', kit, 'SENTINEL_MISSING', { checkFirst: true }, NEVER],
    ['sent, and only a probe', target({ probe }), 'PROBE_FOUND_NOTHING', { attempts: 1 }, MAY_HAVE_RUN],
    ['sent, and nothing to ask', target(), 'REFUSED_FOR_GOOD', { attempts: 1 }, MAY_HAVE_RUN],
    // The bridge may have sent it before it was restored from a backup, or a person may have run it by hand.
    ['planned by recovery, and nothing to ask', target(), 'NO_PERFORMER', { checkFirst: true }, MAY_HAVE_RUN],
    ['planned by recovery, and only a probe', target({ probe }), 'NO_PERFORMER', { checkFirst: true }, MAY_HAVE_RUN],
    ['never sent by us, and asked in vain', target(), 'CANNOT_BE_ASKED', {}, MAY_HAVE_RUN],
    ['an unfinished row in the log', kit, 'LOG_NOT_DONE', { attempts: 1 }, MAY_HAVE_RUN],
    ['two rows in the log', kit, 'LOG_CONTRADICTS', { attempts: 1 }, MAY_HAVE_RUN],
    ['run without a row in the log', kit, 'SCRIPT_ROW_MISSING', { attempts: 1 }, MAY_HAVE_RUN],
    ['a second payment', kit, 'second-payment', {}, IN_QUESTION],
    ['refunded', kit, 'payment-refunded', {}, IN_QUESTION],
    ['disputed', kit, 'payment-disputed', {}, IN_QUESTION],
    ['a reversal of what was never applied', kit, 'payment-not-applied', {}, IN_QUESTION],
    ['captured less', kit, 'captured-less', {}, IN_QUESTION],
  ])('%s', async (_name, given, reasonCode, { attempts = 0, checkFirst = false }, refusedBecause) => {
    const runs = refusedBecause === NEVER;
    const id = await park({ target: given, checkFirst, parked: { reasonCode, reason: 'why it waits' } });
    await change(id, sql`attempts = ${attempts}`);
    const [told] = await explainEffectRetries(database, [id]);
    expect((await stored(id))?.state).toBe('parked');
    const answer = await retryEffect(database, id, asked);
    expect((await stored(id))?.state).toBe(runs ? 'planned' : 'parked');
    if (runs) {
      expect(answer).toMatchObject({ kind: 'resolved', as: 'again' });
      expect(told).toEqual({
        id,
        title: 'Mark invoice 1 paid',
        retry: { kind: 'releases', checkFirst: (await stored(id))?.check_first },
      });
      return;
    }
    expect(answer).toMatchObject({
      code: 'EFFECT_NEEDS_DECISION',
      reason: `"Mark invoice 1 paid" (effect ${id}) is decided alone, because ${refusedBecause}. Look first: ./bridge effects show ${id}`,
    });
    // What is told beforehand is what is said on the attempt.
    expect(told?.retry).toEqual(answer);
    // The same word about the single case is taken.
    expect(await resolveEffect(database, id, again)).toMatchObject({ kind: 'resolved' });
  });

  test('what a retry would do is told for every state, and nothing is said of ids that are not there', async () => {
    const states = {
      done: sql`state = 'done', verified = true, settled_at = clock_timestamp()`,
      unknown: unknownFor(0),
      planned: sql`state = 'planned'`,
    };
    const ids: string[] = [];
    for (const [title, what] of Object.entries(states)) {
      const id = await park({ title });
      await change(id, what);
      ids.push(id);
    }
    const told = await explainEffectRetries(database, [...ids, '99']);
    expect(told.map(({ title, retry }) => [title, 'code' in retry && retry.code])).toEqual([
      ['done', 'EFFECT_DONE'],
      ['unknown', 'EFFECT_UNKNOWN'],
      ['planned', 'EFFECT_ON_ITS_WAY'],
    ]);
    expect(await explainEffectRetries(database, [])).toEqual([]);
  });
});

test('an act and its record are kept together or not at all; that it failed stays on record', async () => {
  const id = await park();
  const act = { who: 'ada', action: 'test', object: 'x', why: 'y' };
  const work = auditedTransaction(
    database,
    act,
    async (tx) => {
      await tx.execute(sql`update effects.effects set title = 'changed' where id = ${id}`);
      throw new TypeError('no');
    },
    () => ({ outcome: 'done', detail: null }),
  );
  await expect(work).rejects.toThrow('no');
  expect((await showEffect(database, id))?.effect.title).toBe('Mark invoice 1 paid');
  expect(await listAudit(database, { limit: 5 })).toMatchObject([{ outcome: 'failed', detail: 'TypeError' }]);
});

test('an effect is shown with its sendings and with what people did, by number and by key, without its bytes', async () => {
  const id = await park({ target: target({ probe }), body: '{"email":"customer@example.com"}' });
  await database.executor.execute(
    sql`insert into effects.attempts (effect_id, purpose, number, worker, claim_no) values (${id}, 'send', 1, 'w', 1)`,
  );
  await retryEffect(database, id, asked);
  const shown = await showEffect(database, id);
  expect(shown).toMatchObject({
    effect: { id, key: 'invoice-paid:cs_1', state: 'parked', checkFirst: false, inHand: false, target: { probe } },
    attempts: [{ purpose: 'send', verdict: null }],
    audit: [{ who: 'ada', outcome: 'refused' }],
  });
  expect(await showEffect(database, 'invoice-paid:cs_1')).toEqual(shown);
  expect(JSON.stringify(shown)).not.toContain('customer@example.com');
  expect(await showEffect(database, '99')).toBeUndefined();
});

test('the last success of a schedule only moves forward, and only for schedules that ever had one', async () => {
  expect(await listScheduleRuns(database)).toEqual([]);
  await recordScheduleSuccess(database.executor, 'reconcile-invoices');
  const succeededAt = async () => (await listScheduleRuns(database)).map((run) => run.succeededAt.getTime());
  // An hour apart from now: two moments of one test can be the same millisecond.
  const move = (by: string) =>
    database.executor.execute(
      sql`update operations.schedule_runs set succeeded_at = clock_timestamp() + ${by}::interval`,
    );
  await move('-1 hour');
  const [old = Number.POSITIVE_INFINITY] = await succeededAt();
  await recordScheduleSuccess(database.executor, 'reconcile-invoices');
  const [now = 0] = await succeededAt();
  expect(now).toBeGreaterThan(old);
  // Two containers whose clocks differ: the later word stands.
  await move('1 hour');
  const ahead = await succeededAt();
  await recordScheduleSuccess(database.executor, 'reconcile-invoices');
  expect(await succeededAt()).toEqual(ahead);
  expect((await listScheduleRuns(database)).map((run) => run.schedule)).toEqual(['reconcile-invoices']);
});

test('an act that fails stays on record as failed, and its error reaches the caller', async () => {
  const act = { who: 'ada', action: 'test', object: 'x', why: 'y' };
  await expect(audited(database, act, () => Promise.reject(new TypeError('no')))).rejects.toThrow('no');
  expect(await listAudit(database, { limit: 1 })).toMatchObject([{ outcome: 'failed', detail: 'TypeError' }]);
});

test('a parked event is read again once; one without a body or under way is refused', async () => {
  const [recorded] = await createInbox(database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId: 'evt_1',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: null,
      eventCreatedAt: null,
      body: Buffer.from('{}'),
      ignoredBecause: 'UNWANTED_TYPE',
    },
  ]);
  const id = recorded?.id ?? '';
  expect(await reprocessEvent(database, 'evt_1', asked)).toMatchObject({ kind: 'reprocessed', id });
  expect(await showEvent(database, 'evt_1')).toMatchObject({
    event: { id, state: 'received', source: 'operator', bodyBytes: 2 },
    audit: [{ action: 'event.reprocess', outcome: 'done' }],
  });
  expect(await reprocessEvent(database, id, asked)).toMatchObject({ code: 'EVENT_ON_ITS_WAY' });
  await database.executor.execute(sql`update inbox.events set body = null`);
  expect(await reprocessEvent(database, id, asked)).toMatchObject({ code: 'EVENT_BODY_ERASED' });
  expect(await reprocessEvent(database, '77', asked)).toMatchObject({ code: 'EVENT_NOT_FOUND' });
});

test('a retry reads only a parked event again, and tells beforehand what it will say', async () => {
  const names = ['parked', 'processed', 'ignored', 'received', 'erased'];
  const inbox = createInbox(database);
  const recorded = await inbox.record(
    names.map((eventId) => ({
      source: 'webhook',
      peer: 'stripe',
      eventId,
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: null,
      eventCreatedAt: null,
      body: Buffer.from('{}'),
      ignoredBecause: null,
    })),
  );
  const ids = recorded.map(({ id }) => id);
  await database.executor.execute(
    sql`update inbox.events set state = case when event_id = 'erased' then 'parked' else event_id end, reason_code = 'X', reason = 'why',
          finished_at = clock_timestamp(), body = case when event_id = 'erased' then null else body end where event_id <> 'received'`,
  );
  const told = await explainEventRetries(database, [...ids, '99']);
  const answers = await Promise.all(ids.map((id) => retryEvent(database, id, asked)));
  expect(answers.map((answer) => ('code' in answer ? answer.code : answer.kind))).toEqual([
    'reprocessed',
    'EVENT_SETTLED',
    'EVENT_SETTLED',
    'EVENT_ON_ITS_WAY',
    'EVENT_BODY_ERASED',
  ]);
  expect(told.map(({ retry }) => retry)).toEqual([{ kind: 'releases' }, ...answers.slice(1)]);
  expect((await inbox.list({ limit: 9 })).map(({ state }) => state).sort()).toEqual(
    ['received', 'processed', 'ignored', 'received', 'parked'].sort(),
  );
  expect((await listAudit(database, { limit: 9 })).filter(({ outcome }) => outcome === 'done')).toHaveLength(1);
});

test('parked rows are read by page and by number, with what their jobs are made of, and no others', async () => {
  const [first, second, third] = [await park({ title: 'a' }), await park({ title: 'b' }), await park({ title: 'c' })];
  await resolveEffect(database, second, again);
  const page = await readParked(database, 'effects', { after: '0', limit: 1 });
  expect(page).toEqual([
    { id: first, run: 0, eventId: null, reasonCode: 'second-payment', reason: 'paid twice', since: expect.any(Date) },
  ]);
  expect((await readParked(database, 'effects', { after: first, limit: 5 })).map(({ id }) => id)).toEqual([third]);
  expect((await readParked(database, 'effects', { ids: [third, second, '99'] })).map(({ id }) => id)).toEqual([third]);
  expect(await readParked(database, 'events', { after: '0', limit: 5 })).toEqual([]);
});

describe('status', () => {
  test('of an empty database names what to do and reads no table that is not there', async () => {
    const empty = await createTestDatabase();
    const other = createDatabase({ url: empty.url, poolMax: 1, applicationName: 'operations-test' });
    const status = await readStatus(other, sources);
    await other.close();
    await empty.drop();
    expect(status).toMatchObject({ figures: null, fine: false, lines: [{ next: './bridge migrate' }] });
    expect(status.pendingMigrations[0]).toBe('installation/0001-installation.sql');
  });

  test('of a fresh installation is fine', async () => {
    const status = await readStatus(database, sources);
    expect(status.fine).toBe(true);
    expect(status.pendingMigrations).toEqual([]);
    expect(status.lines.map((line) => line.sentence)).toContain('Nothing waits for you.');
  });

  test('tells that the bridge only observes, and that the database was restored, each with its page', async () => {
    await change(await park(), sql`state = 'planned'`);
    const observed = await readStatus(database, sources, [], 'observe');
    expect(observed.lines).toContainEqual(
      expect.objectContaining({
        sentence: expect.stringMatching(/MODE=observe.* 1 planned waits until you say/),
        next: './bridge golive',
        runbook: 'cut-over',
      }),
    );
    const restored = (status: Status) => status.lines.filter(({ runbook }) => runbook === 'restored-from-backup');
    expect(restored(observed)).toEqual([]);
    await database.executor.execute(sql`update installation.installation set restored_at = clock_timestamp()`);
    expect(restored(await readStatus(database, sources))).toHaveLength(1);
  });

  test('counts what waits and names it, the newest first', async () => {
    await park({ title: 'Mark invoice 1 paid' });
    await park({ title: 'Mark invoice 2 paid' });
    const status = await readStatus(database, sources);
    expect(status.fine).toBe(false);
    expect(status.figures?.parked).toMatchObject({ effects: 2, events: 0 });
    expect(status.figures?.parked.newest.map((item) => item.title)).toEqual([
      'Mark invoice 2 paid',
      'Mark invoice 1 paid',
    ]);
  });

  test('what has been unknown, or has waited to ask first, for more than an hour waits for a person', async () => {
    const [old, young, asking] = [await park({ title: 'a' }), await park({ title: 'b' }), await park({ title: 'c' })];
    const [released, plain] = [await park({ title: 'd', target: target({ contract: 'kit', log }) }), await park()];
    await change(old, unknownFor(61));
    await change(young, unknownFor(59));
    for (const id of [asking, released, plain])
      await change(id, sql`planned_at = clock_timestamp() - interval '2 hours'`);
    await change(asking, sql`state = 'planned', check_first = true, reason = 'no sentinel'`);
    await resolveEffect(database, released, again);
    await change(plain, sql`state = 'planned'`);
    const status = await readStatus(database, sources);
    expect(status.figures?.overdue).toMatchObject({ unknown: 1, checkFirst: 1 });
    expect(status.figures?.overdue.oldest.map(({ id }) => id)).toEqual([asking, old]);
    expect(status.fine).toBe(false);
    expect(status.lines.filter((line) => line.tone === 'waits').map((line) => line.next)).toEqual([
      `./bridge effects show ${asking}`,
      `./bridge effects show ${old}`,
    ]);
  });
});
