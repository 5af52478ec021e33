import { claimsMigrations, registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate, oneRow } from '@bridge/database';
import type { Compared, Finding } from '@bridge/flow';
import { createInbox, inboxMigrations } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { closeRepaired } from './close-repaired';
import { commitPage, type PageCommit } from './commit-page';
import { createFindings, listUnseenObjects } from './findings';
import { reconciliationMigrations } from './migrations';
import { type ClaimedRun, createRuns, type Run } from './runs';
import { createStripeReadCounts, stripeAllowance } from './stripe-allowance';

let database: Database;
let end: () => Promise<void>;
const workers: WorkerRegistration[] = [];

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, inboxMigrations, reconciliationMigrations]);
  database = createDatabase({ url: created.url, poolMax: 8, applicationName: 'reconciliation-test' });
  end = async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await database.close();
    await created.drop();
  };
});
beforeEach(() =>
  database.executor.execute(
    sql`truncate reconciliation.runs, reconciliation.findings, reconciliation.stripe_reads, inbox.events`,
  ),
);
afterAll(() => end());

const HOUR_MS = 3_600_000;
const PASS = { flow: 'invoices', pass: 'recent', lookBackMs: 26 * HOUR_MS, leaveMs: 60_000 };
const SINCE = new Date('2026-11-01T00:00:00Z');
const UNTIL = new Date('2026-11-02T00:00:00Z');

async function setup() {
  const worker = await registerWorker(database, { app: 'worker' });
  workers.push(worker);
  const runs = createRuns(database);
  const inbox = createInbox(database);
  const claimed = async (id: string): Promise<ClaimedRun> => {
    const claim = await runs.claim(id, worker.id);
    if (claim.kind !== 'claimed') throw new Error(`not claimed: ${claim.because}`);
    return claim.run;
  };
  const want = (over: Partial<Parameters<typeof runs.want>[0]> = {}): Promise<Run> =>
    runs.want({
      flow: 'invoices',
      pass: 'nightly',
      askedBy: 'cli:ada',
      mode: 'act',
      since: SINCE,
      until: UNTIL,
      ...over,
    });
  const begun = async (over: Partial<Parameters<typeof runs.want>[0]> = {}) => claimed((await want(over)).id);
  const commit = (run: ClaimedRun, page: Partial<PageCommit> = {}) =>
    commitPage(database, inbox, run, {
      findings: [],
      compared: [],
      cursor: { at: 1 },
      listed: 100,
      checked: 100,
      unasked: 0,
      share: 0.5,
      stripeCalls: 1,
      filemakerFinds: 2,
      ...page,
    });
  return { worker, runs, inbox, findings: createFindings(database), claimed, want, begun, commit };
}

/** As if nothing had been heard of it for a minute. */
const silence = (worker: WorkerRegistration) =>
  database.executor.execute(sql`update claims.workers set stopped_at = clock_timestamp() where id = ${worker.id}`);

const finding = (over: Partial<Finding> = {}): Finding => ({
  class: 'paid-not-recorded',
  objectId: 'cs_1',
  stripeValue: 'paid',
  recordedValue: null,
  filemakerValue: null,
  amount: 18_000,
  currency: 'usd',
  message: 'A paid Checkout Session is not in our records',
  replay: {
    eventId: 'found.cs_1',
    eventType: 'checkout.session.completed',
    object: { id: 'cs_1', object: 'checkout.session' },
    livemode: false,
    createdAt: SINCE,
  },
  ...over,
});
const compared = (objectIds: string[], classes = ['paid-not-recorded'], rest: Partial<Compared> = {}): Compared[] => [
  { objectIds, classes, ...rest },
];

test('a page stores its findings, the missed events, the counters and the cursor together, or nothing of it', async () => {
  const { begun, commit, runs, findings, inbox } = await setup();
  const run = await begun();
  const broken = { ...finding({ objectId: 'cs_2' }), amount: -1 };
  await expect(commit(run, { findings: [finding(), broken] })).rejects.toThrow();
  expect(await findings.list({ limit: 10 })).toEqual([]);
  expect(await inbox.list({ limit: 10 })).toEqual([]);
  expect(await runs.find(run.id)).toMatchObject({ pages: 0, found: 0, checked: 0 });

  const committed = await commit(run, {
    findings: [finding()],
    compared: compared(['cs_1']),
    cursor: { olderThan: 'cs_1' },
  });
  expect(committed).toMatchObject({ opened: 1, fixed: 0 });
  expect(await runs.find(run.id)).toMatchObject({
    pages: 1,
    listed: 100,
    checked: 100,
    found: 1,
    opened: 1,
    acted: 1,
    stripeCalls: 1,
    filemakerFinds: 2,
    share: 0.5,
  });
  const [stored] = await findings.list({ limit: 10 });
  expect(stored).toMatchObject({ state: 'open', amount: 18_000, inboxId: committed.recorded[0]?.id, firstRun: run.id });
  expect(stored?.replay?.createdAt).toEqual(SINCE);
  const [event] = await inbox.list({ limit: 10 });
  expect(event).toMatchObject({
    source: 'reconciliation',
    objectId: 'cs_1',
    eventId: `found.cs_1.${stored?.id}`,
    state: 'received',
  });
});

test('a run whose worker was killed is claimed by another and goes on from its last page; the dead one writes nothing more', async () => {
  const dying = await setup();
  const run = await dying.begun();
  await dying.commit(run, { cursor: { olderThan: 'cs_100' } });
  const heir = await setup();
  expect(await heir.runs.claim(run.id, heir.worker.id)).toEqual({ kind: 'nothing', because: 'in hand' });
  await silence(dying.worker);
  const again = await heir.claimed(run.id);
  expect(again.cursor).toEqual({ olderThan: 'cs_100' });
  expect(again).toMatchObject({ checked: 100, beganAt: run.beganAt });
  await expect(dying.commit(run, { findings: [finding()] })).rejects.toMatchObject({ code: 'RUN_CLAIM_LOST' });
  await expect(dying.runs.finish(run)).rejects.toMatchObject({ code: 'RUN_CLAIM_LOST' });
  expect(await heir.findings.list({ limit: 10 })).toEqual([]);
  await heir.commit(again);
  await heir.runs.finish(again);
  expect(await heir.runs.find(run.id)).toMatchObject({ state: 'finished', checked: 200, share: 1 });
});

test('one run of a pass at a time: a second waits until the first has ended, and two claims at once give one', async () => {
  const { runs, want, claimed, worker } = await setup();
  const [first, second] = [await want(), await want({ askedBy: 'cli:bob' })];
  const claims = await Promise.all([runs.claim(first.id, worker.id), runs.claim(second.id, worker.id)]);
  expect(claims.map(({ kind }) => kind).sort()).toEqual(['claimed', 'nothing']);
  const held = claims.find((claim) => claim.kind === 'claimed');
  if (held?.kind !== 'claimed') throw new Error('nobody has it');
  const waiting = held.run.id === first.id ? second : first;
  expect(await runs.claim(waiting.id, worker.id)).toEqual({ kind: 'nothing', because: 'another run of this pass' });
  const other = await want({ pass: 'recent' });
  await claimed(other.id);
  await runs.finish(held.run);
  expect((await claimed(waiting.id)).id).toBe(waiting.id);
});

test('the database itself refuses a second running run of a pass', async () => {
  const { begun, want } = await setup();
  await begun();
  const { id } = await want();
  await expect(
    database.executor.execute(
      sql`update reconciliation.runs set state = 'running', claimed_by = 'x', claim_no = 1 where id = ${id}`,
    ),
  ).rejects.toThrow();
});

test('time in which nothing ran is made up: the window begins where the last finished run ended, less the look-back', async () => {
  const { runs, claimed } = await setup();
  const first = (await runs.wantScheduled(PASS)).run;
  expect(first.until.getTime() - first.since.getTime()).toBe(PASS.lookBackMs);
  expect(Date.now() - first.until.getTime()).toBeGreaterThanOrEqual(60_000 - 2_000);
  await runs.finish(await claimed(first.id));
  await database.executor.execute(
    sql`update reconciliation.runs set until = until - interval '3 days', since = since - interval '3 days'`,
  );
  const failed = (await runs.wantScheduled(PASS)).run;
  await runs.fail(await claimed(failed.id), 'STRIPE_PERMISSION', 'refused');
  const threeDays = 72 * HOUR_MS + PASS.lookBackMs;
  const next = (await runs.wantScheduled(PASS)).run;
  expect(next.until.getTime() - next.since.getTime()).toBeGreaterThanOrEqual(threeDays);
  expect(next.until.getTime() - next.since.getTime()).toBeLessThan(threeDays + 60_000);
});

test('the clock asks for one run of a pass at a time: one that waits or is at work is told instead', async () => {
  const { runs, claimed } = await setup();
  const both = await Promise.all([runs.wantScheduled(PASS), runs.wantScheduled(PASS)]);
  expect(both.map(({ created }) => created).sort()).toEqual([false, true]);
  expect(both[0]?.run.id).toBe(both[1]?.run.id);
  const run = await claimed(both[0]?.run.id ?? '');
  expect(await runs.wantScheduled(PASS)).toMatchObject({ created: false, run: { id: run.id, state: 'running' } });
  await runs.finish(run);
  expect((await runs.wantScheduled(PASS)).created).toBe(true);
});

test('a person’s run moves no window of the clock', async () => {
  const { runs, claimed, begun } = await setup();
  await runs.finish(await begun({ pass: 'recent', since: new Date('2020-01-01'), until: new Date('2020-02-01') }));
  const { run } = await runs.wantScheduled(PASS);
  expect(run.until.getTime() - run.since.getTime()).toBe(PASS.lookBackMs);
  await runs.finish(await claimed(run.id));
});

test('a released run keeps its place and is due again later; failures in a row are counted until a page is stored', async () => {
  const { runs, begun, claimed, commit, worker } = await setup();
  const run = await begun();
  await commit(run, { cursor: 7 });
  await runs.release(run, { afterMs: 60_000, reasonCode: 'STRIPE_RATE_LIMITED', reason: 'busy' });
  expect(await runs.find(run.id)).toMatchObject({ state: 'wanted', reasonCode: 'STRIPE_RATE_LIMITED', pages: 1 });
  expect(await runs.claim(run.id, worker.id)).toMatchObject({ because: 'not due' });
  await database.executor.execute(sql`update reconciliation.runs set due_at = clock_timestamp()`);
  const again = await claimed(run.id);
  expect(again).toMatchObject({ cursor: 7, failures: 0 });
  await runs.release(again, { afterMs: 0, reasonCode: 'RECONCILE_FAILED', reason: 'Error', failed: true });
  const third = await claimed(run.id);
  expect(third.failures).toBe(1);
  await commit(third);
  await runs.release(third, { afterMs: 0, reasonCode: 'RECONCILE_FAILED', reason: 'Error', failed: true });
  expect((await claimed(run.id)).failures).toBe(1);
});

test('every run that is due gets a job, also one that a dead worker holds; one in hand and one that waits do not', async () => {
  const { runs, want, begun } = await setup();
  const dying = await setup();
  const wanted = await want();
  const inHand = await begun({ pass: 'a' });
  const orphan = await dying.begun({ pass: 'b' });
  const later = await begun({ pass: 'c' });
  await runs.release(later, { afterMs: 60_000, reasonCode: 'X', reason: 'x' });
  await silence(dying.worker);
  const taken = await runs.takeJobless(10);
  expect(taken.map(({ id }) => id).sort()).toEqual([wanted.id, orphan.id].sort());
  expect(taken.map(({ id }) => id)).not.toContain(inHand.id);
  expect(await runs.takeJobless(10)).toEqual([]);
  await database.executor.execute(sql`update reconciliation.runs set queued_at = queued_at - interval '1 minute'`);
  expect((await runs.takeJobless(10)).map(({ jobRun }) => jobRun)).toEqual([2, 2]);
});

test('a run that nobody has in hand can be given up; one in hand cannot', async () => {
  const { runs, want, begun } = await setup();
  const wanted = await want();
  expect(await runs.supersede(wanted.id, 'NO_WORKER', 'nobody')).toBe(true);
  expect(await runs.find(wanted.id)).toMatchObject({ state: 'superseded', reasonCode: 'NO_WORKER' });
  expect(await runs.supersede((await begun()).id, 'NO_WORKER', 'nobody')).toBe(false);
});

test('what is found again stays one finding with its first moment, takes the newest values and records no second event', async () => {
  const { begun, commit, findings, inbox, runs } = await setup();
  const first = await begun();
  await commit(first, { findings: [finding()], compared: compared(['cs_1']) });
  const [before] = await findings.list({ limit: 10 });
  await runs.finish(first);
  const second = await begun();
  const page = await commit(second, { findings: [finding({ amount: 17_000 })], compared: compared(['cs_1']) });
  expect(page).toMatchObject({ opened: 0, fixed: 0, recorded: [] });
  const [after, ...others] = await findings.list({ limit: 10 });
  expect(others).toEqual([]);
  expect(after).toMatchObject({
    id: before?.id,
    firstSeen: before?.firstSeen,
    amount: 17_000,
    lastRun: second.id,
    firstRun: first.id,
  });
  expect(await inbox.list({ limit: 10 })).toHaveLength(1);
  expect(await runs.find(second.id)).toMatchObject({ found: 1, opened: 0, acted: 0 });
});

test('what is compared and not found again is closed with how; another class of the object and other objects stay open', async () => {
  const { begun, commit, findings } = await setup();
  const run = await begun();
  const person = { replay: null };
  await commit(run, {
    findings: [
      finding(),
      finding({ objectId: 'cs_2', ...person }),
      finding({ objectId: 'cs_3', ...person }),
      finding({ class: 'filemaker-row-not-done', ...person }),
      finding({ objectId: 'cs_9', ...person }),
    ],
  });
  const page = await commit(run, {
    compared: compared(['cs_1', 'cs_2', 'cs_3'], ['paid-not-recorded'], { byPerson: ['cs_3'] }),
  });
  expect(page.fixed).toBe(3);
  const stands = await findings.list({ limit: 10 });
  expect(Object.fromEntries(stands.map((one) => [`${one.class} ${one.objectId}`, one.fixedHow ?? one.state]))).toEqual({
    'paid-not-recorded cs_1': 'replayed',
    'paid-not-recorded cs_2': 'by itself',
    'paid-not-recorded cs_3': 'by a person',
    'paid-not-recorded cs_9': 'open',
    'filemaker-row-not-done cs_1': 'open',
  });
});

test('a payment that is lost again after it was repaired is a new finding with an event of its own', async () => {
  const { begun, commit, findings, inbox } = await setup();
  const run = await begun();
  await commit(run, { findings: [finding()] });
  await commit(run, { compared: compared(['cs_1']) });
  const page = await commit(run, { findings: [finding()] });
  expect(page.recorded).toHaveLength(1);
  expect((await findings.list({ limit: 10 })).map(({ state }) => state)).toEqual(['open', 'fixed']);
  expect(new Set((await inbox.list({ limit: 10 })).map(({ eventId }) => eventId)).size).toBe(2);
});

test('a dry run stores what it saw and records no event; the next run that may act does', async () => {
  const { begun, commit, inbox, runs } = await setup();
  const dry = await begun({ mode: 'dry-run' });
  expect((await commit(dry, { findings: [finding()] })).recorded).toEqual([]);
  await runs.finish(dry);
  expect(await inbox.list({ limit: 10 })).toEqual([]);
  const acting = await begun();
  expect((await commit(acting, { findings: [finding()] })).recorded).toHaveLength(1);
});

test('what a person accepts is silent as long as nothing about it changes', async () => {
  const { begun, commit, findings, runs, inbox } = await setup();
  const run = await begun();
  const person = finding({ class: 'amount-differs', replay: null, recordedValue: '1.00 USD' });
  await commit(run, { findings: [person, finding()] });
  const [, stored] = await findings.list({ limit: 10 });
  const accept = (id: string) => findings.accept(database.executor, id, 'cli:ada', 'agreed with the customer');
  const amountDiffers = (await findings.list({ class: 'amount-differs', limit: 1 }))[0];
  expect(stored).toBeDefined();
  expect(await accept(amountDiffers?.id ?? '')).toBe(true);
  expect(await accept(amountDiffers?.id ?? '')).toBe(false);
  await runs.finish(run);
  const again = await begun();
  expect(await commit(again, { findings: [person] })).toMatchObject({ opened: 0 });
  expect(await runs.find(again.id)).toMatchObject({ found: 0 });
  expect((await findings.find(amountDiffers?.id ?? ''))?.lastRun).toBe(again.id);
  expect(await commit(again, { findings: [{ ...person, recordedValue: '2.00 USD' }] })).toMatchObject({ opened: 1 });
  expect(await inbox.list({ limit: 10 })).toHaveLength(1);
});

test('a pass that does not ask FileMaker opens nothing that a person has accepted; what FileMaker says anew does', async () => {
  const { begun, commit, findings, runs } = await setup();
  const run = await begun();
  const found = finding({ class: 'invoice-differs', replay: null, filemakerValue: 'done' });
  await commit(run, { findings: [found] });
  const [stored] = await findings.list({ limit: 1 });
  await findings.accept(database.executor, stored?.id ?? '', 'cli:ada', 'agreed');
  await runs.finish(run);
  const again = await begun();
  // The hourly pass asks FileMaker about suspects only.
  expect(await commit(again, { findings: [{ ...found, filemakerValue: null }] })).toMatchObject({ opened: 0 });
  expect((await findings.find(stored?.id ?? ''))?.filemakerValue).toBe('done');
  expect(await commit(again, { findings: [{ ...found, filemakerValue: 'no row' }] })).toMatchObject({ opened: 1 });
});

test('objects with open findings that a run has not seen are told once each, the longest unseen first', async () => {
  const { begun, commit, runs } = await setup();
  const run = await begun();
  const seen = (objectId: string, name = 'amount-differs') => finding({ objectId, class: name, replay: null });
  await commit(run, { findings: [seen('cs_old'), seen('cs_old', 'invoice-differs')] });
  await commit(run, { findings: [seen('cs_new'), seen('cs_both')] });
  await runs.finish(run);
  const again = await begun();
  await commit(again, { findings: [seen('cs_both')] });
  const unseen = (limit: number) => listUnseenObjects(database.executor, { flow: run.flow, run: again.id, limit });
  expect(await unseen(10)).toEqual(['cs_old', 'cs_new']);
  expect(await unseen(1)).toEqual(['cs_old']);
  expect(await listUnseenObjects(database.executor, { flow: 'another', run: again.id, limit: 10 })).toEqual([]);
});

test('open findings that no run can look up keep no other from being looked at, however many they are', async () => {
  const object = (n: number): string => `re_${String(n).padStart(3, '0')}`;
  await database.executor.execute(
    sql`insert into reconciliation.findings (flow, class, object_id, amount, currency, message, last_seen, first_run, last_run)
        select 'invoices', 'refund-not-recorded', 're_' || lpad(n::text, 3, '0'), 1, 'usd', 'x',
          clock_timestamp() - interval '1 day' + make_interval(secs => n), 1, 1 from generate_series(1, 60) n`,
  );
  const told = new Set<string>();
  const nights: number[] = [];
  // Numbers of runs that are the same each time: the draw is made from them.
  for (let run = 1_000; run < 1_060; run += 1) {
    const some = await listUnseenObjects(database.executor, { flow: 'invoices', run: String(run), limit: 20 });
    expect(some).toEqual([...some].sort());
    nights.push(some.length);
    // The longest unseen have their places every night.
    expect(some.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, n) => object(n + 1)));
    for (const id of some) told.add(id);
  }
  expect([...new Set(nights)]).toEqual([20]);
  expect(told.size).toBe(60);
});

test('text that PostgreSQL cannot hold spoils no page: the finding is stored without it, and found again as the same', async () => {
  const { begun, commit, findings } = await setup();
  const run = await begun();
  const rough = finding({
    stripeValue: '18637\u0000',
    recordedValue: '\ud800',
    filemakerValue: null,
    message: 'a\u0000b',
  });
  expect(await commit(run, { findings: [rough] })).toMatchObject({ opened: 1 });
  expect(await commit(run, { findings: [rough] })).toMatchObject({ opened: 0 });
  expect(await findings.list({ limit: 10 })).toMatchObject([
    { stripeValue: '18637\ufffd', recordedValue: '\ufffd', message: 'a\ufffdb' },
  ]);
});

test('totals say how much money each class holds, and how much of it could be replayed', async () => {
  const { begun, commit, findings } = await setup();
  const run = await begun();
  await commit(run, {
    findings: [
      finding(),
      finding({ objectId: 'cs_2', amount: 2_000, replay: null, beforeStart: true }),
      finding({ objectId: 'cs_3', currency: 'eur', amount: 1 }),
    ],
  });
  expect(await findings.totals({ run: run.id })).toEqual([
    { class: 'paid-not-recorded', currency: 'eur', findings: 1, amount: 1, replayable: 1, replayableAmount: 1 },
    {
      class: 'paid-not-recorded',
      currency: 'usd',
      findings: 2,
      amount: 20_000,
      replayable: 1,
      replayableAmount: 18_000,
    },
  ]);
  expect(await findings.totals({ run: '0' })).toEqual([]);
});

test('two passes that find the same at the same moment record one event', async () => {
  const { begun, commit, inbox } = await setup();
  const [one, two] = [await begun({ pass: 'recent' }), await begun({ pass: 'nightly' })];
  const many = Array.from({ length: 30 }, (_, n) => finding({ objectId: `cs_${n}` }));
  const pages = await Promise.all([commit(one, { findings: many }), commit(two, { findings: many.toReversed() })]);
  expect(pages.reduce((sum, page) => sum + page.recorded.length, 0)).toBe(30);
  expect(await inbox.list({ limit: 100 })).toHaveLength(30);
});

/** Until so many statements of this database wait for a lock. */
async function waiting(count: number): Promise<void> {
  for (const giveUpAt = performance.now() + 60_000; performance.now() < giveUpAt; ) {
    const row = await oneRow<{ count: number }>(
      database.executor,
      sql`select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if ((row?.count ?? 0) >= count) return;
  }
  throw new Error(`${count} statements were expected to wait for a lock`);
}

test('two passes of which each closes what the other finds wait for each other and both store their page', async () => {
  const { begun, commit, findings } = await setup();
  const first = await begun();
  const second = await begun({ pass: 'recent' });
  const [one, other, held] = ['cs_1', 'cs_2', 'cs_3'].map((objectId) => finding({ objectId, replay: null }));
  if (one === undefined || other === undefined || held === undefined) throw new Error('three findings were expected');
  await commit(first, { findings: [one, other, held] });
  let letGo = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  // A person has one of them in hand, so that the first pass stops between what it finds and what it closes.
  let took = (): void => undefined;
  const taken = new Promise<void>((resolve) => {
    took = resolve;
  });
  const person = database.transaction(async (tx) => {
    await tx.execute(sql`select 1 from reconciliation.findings where object_id = 'cs_3' for update`);
    took();
    await released;
  });
  await taken;
  const pages = [commit(first, { findings: [one], compared: [...compared(['cs_3']), ...compared(['cs_2'])] })];
  await waiting(1);
  pages.push(commit(second, { findings: [other], compared: compared(['cs_1']) }));
  await waiting(2);
  letGo();
  await person;
  const stored = await Promise.allSettled(pages);
  expect(stored.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  expect((await findings.list({ state: 'open', limit: 10 })).map(({ objectId }) => objectId)).toEqual(['cs_2']);
});

test('runs of the clock that found nothing are removed after two weeks; the last one, and those that found something, stay', async () => {
  const { runs, claimed, commit } = await setup();
  const ids: string[] = [];
  for (const found of [false, true, false]) {
    const run = await claimed((await runs.wantScheduled(PASS)).run.id);
    if (found) await commit(run, { findings: [finding()] });
    await runs.finish(run);
    ids.push(run.id);
    await database.executor.execute(
      sql`update reconciliation.runs set ended_at = ended_at - interval '15 days' where state = 'finished'`,
    );
  }
  await runs.finish(await claimed((await runs.wantScheduled({ ...PASS, pass: 'other' })).run.id));
  const left = (await runs.list({ limit: 10 })).map(({ id }) => id);
  expect(left).not.toContain(ids[0]);
  expect(left).toEqual(expect.arrayContaining([ids[1], ids[2]]));
});

test('reads are counted by day over thirty days, and the allowance grows with the transactions from a floor on', async () => {
  const counts = createStripeReadCounts(database);
  await Promise.all([counts.add(40), counts.add(2), counts.add(0)]);
  await database.executor.execute(
    sql`insert into reconciliation.stripe_reads values ((clock_timestamp() at time zone 'UTC')::date - 29, 100), ((clock_timestamp() at time zone 'UTC')::date - 30, 1000)`,
  );
  expect(await counts.inThirtyDays()).toBe(142);
  expect([stripeAllowance(0), stripeAllowance(20), stripeAllowance(100)]).toEqual([10_000, 10_000, 50_000]);
  const row = await oneRow<{ n: number }>(
    database.executor,
    sql`select count(*)::int as n from reconciliation.stripe_reads`,
  );
  expect(row?.n).toBe(3);
});

describe('when a replay is done', () => {
  const states = async (findings: ReturnType<typeof createFindings>) =>
    Object.fromEntries(
      (await findings.list({ limit: 50 })).map((one) => [`${one.class} ${one.objectId}`, one.fixedHow]),
    );
  /** PostgreSQL's clock; a Date has whole milliseconds. */
  const databaseNow = async (aheadMs = 2): Promise<Date> => {
    const ahead = sql`make_interval(secs => ${aheadMs / 1_000}::float8)`;
    const row = await oneRow<{ now: string }>(database.executor, sql`select clock_timestamp() + ${ahead} as now`);
    return new Date(row?.now ?? '');
  };

  test('the findings that said that its object was missed are closed at once, and no other', async () => {
    const { begun, commit, findings } = await setup();
    const run = await begun();
    const others = [
      finding({ objectId: 'cs_2' }),
      finding({ class: 'amount-differs', replay: null }),
      finding({ class: 'done-in-filemaker-not-here', replay: null }),
    ];
    const older = finding({ class: 'status-differs', replay: null, beforeStart: true });
    await commit(run, { findings: [finding(), older, ...others] });
    const plannedAt = await databaseNow();
    expect(await closeRepaired(database, { flow: 'invoices', objectId: 'cs_1', plannedAt })).toBe(2);
    expect(await states(findings)).toEqual({
      'paid-not-recorded cs_1': 'replayed',
      'status-differs cs_1': 'replayed',
      'paid-not-recorded cs_2': null,
      'amount-differs cs_1': null,
      'done-in-filemaker-not-here cs_1': null,
    });
    expect(await closeRepaired(database, { flow: 'invoices', objectId: 'cs_1', plannedAt })).toBe(0);
  });

  test('a page that was looked at before and is written only now opens nothing again; what is found later is a new one', async () => {
    const { begun, commit, inbox } = await setup();
    const run = await begun();
    await commit(run, { findings: [finding()] });
    const plannedAt = await databaseNow();
    expect(await closeRepaired(database, { flow: 'invoices', objectId: 'cs_1', plannedAt })).toBe(1);
    const events = (await inbox.list({ limit: 10 })).length;
    expect(await commit(run, { findings: [finding(), finding({ objectId: 'cs_2' })] })).toMatchObject({ opened: 1 });
    expect(await inbox.list({ limit: 10 })).toHaveLength(events + 1);
    await database.executor.execute(
      sql`update reconciliation.findings set fixed_at = fixed_at - interval '11 minutes' where fixed_at is not null`,
    );
    expect(await commit(run, { findings: [finding()] })).toMatchObject({ opened: 1 });
  });

  test('what was seen again since its change was planned waits for the next comparison', async () => {
    const { begun, commit, findings } = await setup();
    const run = await begun();
    const plannedAt = await databaseNow(0);
    await commit(run, { findings: [finding()] });
    expect(await closeRepaired(database, { flow: 'invoices', objectId: 'cs_1', plannedAt })).toBe(0);
    expect(await states(findings)).toEqual({ 'paid-not-recorded cs_1': null });
  });

  test('what a run found does not grow less by being repaired before anyone asks', async () => {
    const { begun, commit, findings } = await setup();
    const run = await begun();
    await commit(run, { findings: [finding(), finding({ objectId: 'cs_2' })] });
    const found = await findings.totals({ run: run.id });
    expect(found).toMatchObject([{ findings: 2, amount: 36_000 }]);
    expect(await closeRepaired(database, { flow: 'invoices', objectId: 'cs_1', plannedAt: await databaseNow() })).toBe(
      1,
    );
    expect(await findings.totals({ run: run.id })).toEqual(found);
    expect(await findings.totals({})).toMatchObject([{ findings: 1, amount: 18_000 }]);
  });

  test('what a page closes in another order is closed once, and neither of the two is thrown out', async () => {
    const { begun, commit, findings } = await setup();
    const run = await begun({ mode: 'dry-run' });
    const [missed, older, held] = [finding(), finding({ class: 'status-differs' }), finding({ objectId: 'cs_9' })];
    await commit(run, { findings: [missed, older, held] });
    const plannedAt = await databaseNow();
    const [taken, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    // A person has a third finding in hand, so that the page stops between the two of the object that was repaired.
    const person = database.transaction(async (tx) => {
      await tx.execute(sql`select 1 from reconciliation.findings where object_id = 'cs_9' for update`);
      taken.resolve();
      await letGo.promise;
    });
    await taken.promise;
    const both: Promise<unknown>[] = [
      commit(run, {
        compared: [
          ...compared(['cs_1'], ['status-differs']),
          ...compared(['cs_9']),
          ...compared(['cs_1'], ['paid-not-recorded']),
        ],
      }),
    ];
    await waiting(1);
    both.push(closeRepaired(database, { flow: 'invoices', objectId: 'cs_1', plannedAt }));
    await waiting(2);
    letGo.resolve();
    await person;
    const ended = await Promise.allSettled(both);
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(await findings.list({ state: 'open', limit: 10 })).toEqual([]);
  });

  test('closing many while pages are written never locks itself up', async () => {
    const { begun, commit, findings } = await setup();
    const run = await begun();
    const ids = Array.from({ length: 40 }, (_, n) => `cs_${n}`);
    await commit(run, { findings: ids.map((objectId) => finding({ objectId })) });
    const plannedAt = await databaseNow();
    await Promise.all([
      ...ids.map((objectId) => closeRepaired(database, { flow: 'invoices', objectId, plannedAt })),
      commit(run, { compared: compared(ids.toReversed()) }),
    ]);
    expect(Object.values(await states(findings))).toEqual(ids.map(() => 'replayed'));
  });
});
