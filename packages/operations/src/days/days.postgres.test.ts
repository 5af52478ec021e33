import { registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import type { FlowRecords, RecordedFact, RecordedReversal } from '@bridge/flow';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import { listAudit } from '../audit/audit';
import { allMigrations } from '../migrations';
import { readReport } from '../report/read-report';
import { addDays, dayOf, windowOf } from './calendar';
import { type ClosingOptions, closeDay, closeDueDays, verifyDays, yesterday } from './close-day';
import { dayPage } from './day-letter';
import { type LetterSender, listDayMails, sendDayMails } from './day-mails';
import { readDay } from './day-store';
import { daySentence } from './describe-day';

const ZONE = 'America/Chicago';
const LAST = yesterday(ZONE);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let database: Database;
let worker: WorkerRegistration;
let drop: () => Promise<void>;
let facts: (RecordedFact & { writtenAt: Date })[];

const records: FlowRecords = {
  find: async (_executor, id) => facts.filter((fact) => fact.id === id || fact.relatedIds.includes(id)),
  succeededBetween: async function* (_executor, { since, until }) {
    for (const fact of facts)
      if (fact.succeededAt !== null && fact.succeededAt >= since && fact.succeededAt < until) yield [fact];
  },
  writtenBetween: async function* (_executor, { since, until }) {
    for (const fact of facts) if (fact.writtenAt >= since && fact.writtenAt < until) yield [fact];
  },
};
const flows = [{ name: 'invoices', records }];
let options: ClosingOptions;

beforeEach(async () => {
  const test = await createTestDatabase();
  await migrate(test.url, allMigrations([]));
  database = createDatabase({ url: test.url, poolMax: 6, applicationName: 'days-test' });
  worker = await registerWorker(database, { app: 'worker' });
  drop = test.drop;
  facts = [];
  options = { database, flows, timeZone: ZONE };
});
afterEach(async () => {
  await worker.stop();
  await database.close();
  await drop();
});

type Stands = 'verified' | 'unverified' | 'planned' | 'parked' | 'cancelled' | 'no-effect';

/** The first migration was at noon of this day. */
const installedOn = (day: string) =>
  database.executor.execute(
    sql`update installation.installation set first_migrated_at = ${new Date(windowOf(day, ZONE).since.getTime() + 12 * HOUR_MS).toISOString()}`,
  );

/** A payment of a day, `hour` hours after its midnight, and its effect. */
async function pay(
  id: string,
  over: { day?: string; hour?: number; amount?: number; currency?: string; stands?: Stands; written?: Date } = {},
): Promise<RecordedFact & { writtenAt: Date }> {
  const { day = LAST, hour = 12, amount = 18_000, currency = 'usd', stands = 'verified', written } = over;
  const succeededAt = new Date(windowOf(day, ZONE).since.getTime() + hour * HOUR_MS);
  const key = `invoice-paid:${id}`;
  const fact = {
    id,
    relatedIds: [`18${id}`, `pi_${id}`],
    title: `Invoice 18${id}`,
    amount,
    currency,
    livemode: true,
    succeededAt,
    status: stands === 'no-effect' ? 'parked' : 'paid',
    parkedCode: stands === 'no-effect' ? 'NO_INVOICE_ID' : null,
    parkedEvent: null,
    effectKeys: [key],
    reversals: [],
    recordedAt: succeededAt,
    writtenAt: written ?? succeededAt,
  };
  facts.push(fact);
  if (stands !== 'no-effect') {
    await createEffectStore(database).plan(database.executor, {
      kind: 'filemaker-script',
      flow: 'invoices',
      key,
      lane: null,
      title: `Mark invoice 18${id} paid`,
      target: {},
      body: '{}',
      subject: { checkoutSessionId: id },
      origin: 'webhook',
      checkFirst: false,
      ...(stands === 'parked' ? { parked: { reasonCode: 'second-payment', reason: 'Invoice was paid before' } } : {}),
    });
    if (stands !== 'planned' && stands !== 'parked') await settle(key, stands);
  }
  return fact;
}
const settle = (key: string, as: 'verified' | 'unverified' | 'cancelled') =>
  database.executor.execute(
    sql`update effects.effects set state = ${as === 'cancelled' ? 'cancelled' : 'done'}, settled_at = clock_timestamp(),
          verified = ${as === 'cancelled' ? null : as === 'verified'} where key = ${key}`,
  );
const reversal = (over: Partial<RecordedReversal> & Pick<RecordedReversal, 'id'>): RecordedReversal => ({
  kind: 'refund',
  amount: 5_000,
  currency: 'usd',
  status: 'succeeded',
  effectKey: null,
  at: new Date(windowOf(LAST, ZONE).since.getTime() + 20 * HOUR_MS),
  ...over,
});

async function close(day: string, by = 'worker', recipients: string[] = []) {
  const closing = await closeDay({ ...options, by, recipients }, day);
  if (closing.kind === 'refused') throw new Error(closing.reason);
  const { contents } = closing.day;
  if (contents === null) throw new Error('the contents are erased');
  return { ...closing, contents };
}

test('a closed day counts its own money and nothing else, by currency and by where it stands', async () => {
  await pay('1');
  await pay('2', { stands: 'unverified', amount: 2_000 });
  await pay('3', { stands: 'planned', amount: 300 });
  await pay('4', { stands: 'parked', amount: 40 });
  await pay('5', { stands: 'no-effect', amount: 5 });
  await pay('6', { stands: 'cancelled', amount: 60 });
  await pay('7', { currency: 'jpy', amount: 7_000 });
  await pay('before', { hour: -1, written: new Date(0) });
  await pay('after', { day: addDays(LAST, 1), hour: 0 });
  const { contents, day } = await close(LAST);
  expect(contents.currencies).toEqual([
    expect.objectContaining({
      currency: 'jpy',
      paid: { count: 1, amount: 7_000 },
      verified: { count: 1, amount: 7_000 },
    }),
    expect.objectContaining({
      currency: 'usd',
      paid: { count: 6, amount: 20_405 },
      verified: { count: 1, amount: 18_000 },
      unverified: { count: 1, amount: 2_000 },
      waiting: { count: 1, amount: 300 },
      parked: { count: 2, amount: 45 },
      cancelled: { count: 1, amount: 60 },
    }),
  ]);
  expect(contents.unsettled.map(({ id, standing, code }) => [id, standing, code])).toEqual([
    ['3', 'waiting', null],
    ['4', 'parked', 'second-payment'],
    ['5', 'parked', 'NO_INVOICE_ID'],
  ]);
  expect(contents.unsettled[1]?.next).toMatch(/^\.\/bridge effects show \d+$/);
  expect(contents.corrections).toEqual([]);
  expect(day).toMatchObject({ number: 1, previousHead: '0'.repeat(64), closedBy: 'worker' });
});

test('a closed day is shown again as it was, whatever happens afterwards', async () => {
  await pay('1', { stands: 'parked' });
  const first = await close(LAST);
  await settle('invoice-paid:1', 'verified');
  await pay('2');
  const again = await close(LAST);
  expect(again.now).toBe(false);
  expect(JSON.stringify(again.day)).toBe(JSON.stringify(first.day));
  expect(dayPage(again.day)).toBe(dayPage(first.day));
});

test('the database refuses to change or delete a closed day; its contents may be erased and the chain still holds', async () => {
  await pay('1');
  await close(addDays(LAST, -1));
  await close(LAST);
  const tries = [
    sql`update operations.days set contents = '{}' where day = ${LAST}::date`,
    sql`update operations.days set contents = null, closed_by = 'me' where day = ${LAST}::date`,
    sql`update operations.days set head = digest where day = ${LAST}::date`,
    sql`delete from operations.days`,
  ];
  for (const one of tries)
    await expect(database.executor.execute(one)).rejects.toMatchObject({ cause: { code: '23001' } });
  await database.executor.execute(
    sql`update operations.days set contents = null where day = ${addDays(LAST, -1)}::date`,
  );
  expect(await verifyDays(database)).toMatchObject({ checked: 2, erased: 1, broken: null });
});

test('somebody who gets around the guard is found out at the first link that he touched', async () => {
  for (const back of [3, 2, 1, 0]) await pay(`p${back}`, { day: addDays(LAST, -back) });
  await close(addDays(LAST, -3));
  await close(LAST);
  expect(await verifyDays(database)).toMatchObject({ checked: 4, broken: null });
  await database.executor.execute(sql`alter table operations.days disable trigger keep_closed_day`);
  await database.executor.execute(
    sql`update operations.days set contents = replace(contents, '18000', '18001') where number = 3`,
  );
  expect((await verifyDays(database)).broken).toEqual({
    day: addDays(LAST, -1),
    what: 'Its contents are not what was closed.',
  });
  await database.executor.execute(
    sql`update operations.days set contents = replace(contents, '18001', '18000') where number = 3`,
  );
  expect((await verifyDays(database)).broken).toBeNull();
  await database.executor.execute(sql`update operations.day_entries set amount = amount + 1 where id = 'p2'`);
  expect((await verifyDays(database)).broken).toMatchObject({ day: addDays(LAST, -2) });
});

test('late money of a closed day is a correction of the next one, named with its day, and is counted once', async () => {
  const before = addDays(LAST, -1);
  await pay('1', { day: before });
  const first = await close(before);
  expect(first.contents.currencies).toMatchObject([{ paid: { count: 1, amount: 18_000 } }]);
  await pay('late', { day: before, amount: 999, written: new Date() });
  await pay('2', { day: LAST, amount: 50 });
  const { contents } = await close(LAST);
  expect(contents.corrections).toEqual([
    expect.objectContaining({ day: before, kind: 'payment', id: 'late', amount: 999, standing: 'verified' }),
  ]);
  expect(contents.currencies).toMatchObject([{ paid: { count: 2, amount: 1_049 } }]);
  const report = await readReport({ database, flows, timeZone: ZONE, since: before, until: LAST });
  expect(report.totals).toMatchObject([{ paid: { count: 3, amount: 19_049 } }]);
  expect(report.rows.map(({ day, closed, paid }) => [day, closed, paid.amount])).toEqual([
    [before, true, 18_000],
    [LAST, true, 1_049],
  ]);
});

test('a report of days that are not closed yet says what closing them will say, late money with it', async () => {
  const [third, second] = [addDays(LAST, -2), addDays(LAST, -1)];
  await pay('1', { day: third });
  await close(third);
  await pay('late', { day: third, amount: 999, written: new Date() });
  await pay('older', { day: addDays(LAST, -9), amount: 77, written: new Date() });
  await pay('2', { day: second, amount: 50, stands: 'parked' });
  await pay('3', { day: LAST, amount: 7, currency: 'jpy', hour: 0 });
  const fact = await pay('4', { day: LAST, amount: 8, hour: 22.9 });
  fact.reversals = [reversal({ id: 're_1' })];
  const asked = { database, flows, timeZone: ZONE, since: addDays(LAST, -4), until: LAST };
  await installedOn(addDays(LAST, -9));
  const moves: string[] = [];
  const before = await readReport(asked, (page) =>
    moves.push(...page.map(({ day, moneyDay, id }) => `${day} ${moneyDay} ${id}`)),
  );
  await close(LAST);
  const after = await readReport(asked);
  expect(before.totals).toEqual(after.totals);
  expect(before.rows.map(({ closed: _closed, ...row }) => row)).toEqual(
    after.rows.map(({ closed: _closed, ...row }) => row),
  );
  expect([before.closedDays, before.openDays, after.closedDays, after.openDays]).toEqual([1, 4, 3, 2]);
  // Days to come are neither closed nor open.
  const tomorrow = addDays(dayOf(new Date(), ZONE), 1);
  const toCome = await readReport({ ...asked, since: tomorrow, until: addDays(tomorrow, 5) });
  expect([toCome.closedDays, toCome.openDays]).toEqual([0, 0]);
  expect(moves).toContain(`${second} ${third} late`);
  expect(after.totals).toMatchObject([
    { currency: 'jpy', paid: { count: 1, amount: 7 } },
    { currency: 'usd', paid: { count: 5, amount: 19_134 }, refunded: { count: 1, amount: 5_000 } },
  ]);
});

test('a report counts no day as open from before the bridge was there, unless recovery or the closed days begin before', async () => {
  const days = async (more: { reconcileFrom?: Date } = {}) => {
    const asked = { database, flows, timeZone: ZONE, since: addDays(LAST, -20), until: LAST };
    const { firstDay, closedDays, openDays } = await readReport({ ...asked, ...more });
    return [firstDay, closedDays, openDays];
  };
  await installedOn(addDays(LAST, -2));
  await pay('older', { day: addDays(LAST, -10) });
  expect(await days()).toEqual([addDays(LAST, -2), 0, 3]);
  // Later than the installation says nothing of the days between: the bridge was there.
  expect(await days({ reconcileFrom: new Date() })).toEqual([addDays(LAST, -2), 0, 3]);
  expect(await days({ reconcileFrom: windowOf(addDays(LAST, -5), ZONE).since })).toEqual([addDays(LAST, -5), 0, 6]);
  await close(addDays(LAST, -4));
  expect(await days()).toEqual([addDays(LAST, -4), 1, 4]);
});

test('a payment that an earlier day told of as open is told of until it is settled, and then once more', async () => {
  const [fourth, third, second] = [addDays(LAST, -3), addDays(LAST, -2), addDays(LAST, -1)];
  await pay('1', { day: fourth, stands: 'parked' });
  await pay('2', { day: fourth, stands: 'no-effect' });
  await close(fourth);
  const middle = await close(third);
  expect(middle.contents.stillOpen.map(({ id, day, code }) => [id, day, code])).toEqual([
    ['1', fourth, 'second-payment'],
    ['2', fourth, 'NO_INVOICE_ID'],
  ]);
  expect(daySentence(middle.contents)).toBe('No payments, 2 need you');
  await settle('invoice-paid:1', 'verified');
  const told = await close(second);
  expect(told.contents.settledSince).toMatchObject([{ id: '1', day: fourth, standing: 'verified' }]);
  expect(told.contents.stillOpen).toMatchObject([{ id: '2' }]);
  expect((await close(LAST)).contents).toMatchObject({ settledSince: [], stillOpen: [{ id: '2' }] });
});

test('however many payments of earlier days are open, each is told of once by the next day, and what is settled is counted', async () => {
  const first = addDays(LAST, -1);
  await closeDay({ ...options, by: 'worker' }, first);
  const OPEN = 2_100;
  // Some share their moment, so that pages end among equals.
  await database.executor.execute(
    sql`insert into operations.day_entries (flow, kind, id, closed_in, day, at, fact_id, related, title, amount, currency, effect_key, standing, open)
        select 'invoices', 'payment', 'cs_' || n, ${first}::date, ${first}::date, ${windowOf(first, ZONE).since.toISOString()}::timestamptz + n / 7 * interval '1 second',
          'cs_' || n, '{}', 'Invoice ' || n, 1, 'usd', 'invoice-paid:cs_' || n, 'waiting', true from generate_series(1, ${OPEN}::int) n`,
  );
  await database.executor.execute(
    sql`insert into effects.effects (kind, flow, key, title, target, subject, origin, state, verified, settled_at)
        select 'test', 'invoices', 'invoice-paid:cs_' || n, 'Mark it paid', '{}'::jsonb, '{}'::jsonb, 'webhook',
          case when n % 2 = 0 then 'done' else 'planned' end, case when n % 2 = 0 then true end, case when n % 2 = 0 then clock_timestamp() end
        from generate_series(1, ${OPEN}::int) n`,
  );
  await closeDay({ ...options, by: 'worker' }, LAST);
  const contents = (await readDay(database.executor, LAST))?.contents;
  const ids = (some: readonly { id: string }[] | undefined) => new Set(some?.map(({ id }) => id));
  expect([contents?.stillOpen.length, contents?.settledSince.length]).toEqual([OPEN / 2, OPEN / 2]);
  expect([ids(contents?.stillOpen).size, ids(contents?.settledSince).size]).toEqual([OPEN / 2, OPEN / 2]);
});

test('a refund is counted when it has succeeded, and again with the other sign when it fails afterwards', async () => {
  const before = addDays(LAST, -1);
  const fact = await pay('1', { day: before });
  const at = new Date(windowOf(before, ZONE).since.getTime() + 20 * HOUR_MS);
  fact.reversals = [
    reversal({ id: 're_1', at }),
    reversal({ id: 're_2', at, status: 'pending' }),
    reversal({ id: 're_3', at, amount: 100 }),
    reversal({ id: 'dp_1', at, kind: 'dispute', status: 'needs_response', amount: 18_000 }),
  ];
  const first = await close(before);
  expect(first.contents.currencies).toMatchObject([
    { refunded: { count: 2, amount: 5_100 }, disputed: { count: 1, amount: 18_000 }, refundsUndone: { count: 0 } },
  ]);
  fact.reversals = [
    reversal({ id: 're_1', at, status: 'failed' }),
    reversal({ id: 're_2', at, status: 'succeeded' }),
    reversal({ id: 're_3', at, amount: 100, status: 'requires_action' }),
  ];
  fact.writtenAt = new Date();
  const { contents } = await close(LAST);
  expect(contents.currencies).toMatchObject([
    { paid: { count: 0 }, refunded: { count: 1, amount: 5_000 }, refundsUndone: { count: 1, amount: 5_000 } },
  ]);
  expect(contents.corrections).toMatchObject([{ kind: 'refund', id: 're_2', day: before }]);
});

test('whatever becomes known when: in the end all money is counted, each once, and named with its own day', async () => {
  const DAYS = 4;
  const first = addDays(LAST, 1 - DAYS);
  const life = fc.record({
    /** Days before the last one. */
    back: fc.integer({ min: 0, max: DAYS + 1 }),
    hour: fc.double({ min: 0, max: 22.9, noNaN: true }),
    /** Before which closing it becomes known. */
    known: fc.integer({ min: 0, max: DAYS - 1 }),
    amount: fc.integer({ min: 1, max: 100_000 }),
    currency: fc.constantFrom('usd', 'jpy'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(life, { maxLength: 25 }), async (lives) => {
      await database.executor.execute(sql`truncate operations.days, operations.day_entries, operations.day_mails`);
      facts = [];
      const told: { day: string; amount: number; currency: string }[] = [];
      for (let closing = 0; closing < DAYS; closing += 1) {
        const written = new Date(Date.now() - 50);
        for (const [at, { back, hour, known, amount, currency }] of lives.entries())
          if (known === closing)
            await pay(`l${at}`, { day: addDays(LAST, -back), hour, amount, currency, stands: 'no-effect', written });
        const { contents } = await close(addDays(first, closing));
        expect(contents.corrections.every(({ day }) => day < contents.day)).toBe(true);
        const own = contents.currencies.map(({ currency, paid }) => ({ currency, amount: paid.amount }));
        for (const { day, currency, amount } of contents.corrections) {
          told.push({ day, currency, amount });
          const sum = own.find((one) => one.currency === currency);
          if (sum !== undefined) sum.amount -= amount;
        }
        told.push(...own.map(({ currency, amount }) => ({ day: contents.day, currency, amount })));
      }
      const sumsOf = (moves: readonly { day: string; amount: number; currency: string }[]) => {
        const sums: Record<string, number> = {};
        for (const { day, currency, amount } of moves)
          sums[`${day} ${currency}`] = (sums[`${day} ${currency}`] ?? 0) + amount;
        return Object.fromEntries(
          Object.entries(sums)
            .filter(([, amount]) => amount > 0)
            .sort(),
        );
      };
      expect(sumsOf(told)).toEqual(sumsOf(lives.map(({ back, ...rest }) => ({ ...rest, day: addDays(LAST, -back) }))));
      expect(await verifyDays(database)).toMatchObject({ checked: DAYS, broken: null });
    }),
    { numRuns: 15 },
  );
}, 120_000);

test('a day that is not over is refused, and so is one before the first', async () => {
  await close(LAST);
  expect(await closeDay({ ...options, by: 'worker' }, addDays(LAST, 1))).toMatchObject({ code: 'DAY_NOT_OVER' });
  expect(await closeDay({ ...options, by: 'worker' }, addDays(LAST, -1))).toMatchObject({ code: 'DAY_BEFORE_FIRST' });
});

test('days that were missed are closed one by one, each with its own money and its own mail', async () => {
  const first = addDays(LAST, -4);
  for (const back of [4, 3, 1, 0]) await pay(`p${back}`, { day: addDays(LAST, -back), amount: 100 + back });
  await close(first);
  const due = await closeDueDays({
    ...options,
    by: 'worker',
    recipients: ['a@example.com'],
    afterMs: 0,
    firstMigratedAt: new Date(0),
  });
  expect(due.map(({ day }) => day)).toEqual([3, 2, 1, 0].map((back) => addDays(LAST, -back)));
  expect(due.map(({ contents }) => contents?.currencies[0]?.paid.amount ?? 0)).toEqual([103, 0, 101, 100]);
  for (const { day } of due) expect(await listDayMails(database.executor, day)).toMatchObject([{ state: 'owed' }]);
  expect(await verifyDays(database)).toMatchObject({ checked: 5, broken: null });
});

test('the first day that closes by itself is yesterday, and none before the bridge was there', async () => {
  const due = { ...options, by: 'worker', recipients: [], afterMs: 0 };
  expect(await closeDueDays({ ...due, firstMigratedAt: new Date() })).toEqual([]);
  expect((await closeDueDays({ ...due, firstMigratedAt: new Date(0) })).map(({ day }) => day)).toEqual([LAST]);
  expect(await closeDueDays({ ...due, firstMigratedAt: new Date(0) })).toEqual([]);
});

test('a day is not due before its time after midnight', async () => {
  await close(addDays(LAST, -1));
  const due = { ...options, by: 'worker', recipients: [], firstMigratedAt: new Date(0) };
  expect(await closeDueDays({ ...due, afterMs: DAY_MS + HOUR_MS })).toEqual([]);
  expect((await closeDueDays({ ...due, afterMs: 0 })).map(({ day }) => day)).toEqual([LAST]);
});

test('many who close at once close each day once', async () => {
  for (const back of [2, 1, 0]) await pay(`p${back}`, { day: addDays(LAST, -back) });
  await close(addDays(LAST, -2));
  let [inside, most] = [0, 0];
  const slow: FlowRecords = {
    ...records,
    succeededBetween: async function* (executor, window) {
      inside += 1;
      most = Math.max(most, inside);
      await executor.execute(sql`select pg_sleep(0.1)`);
      yield* records.succeededBetween(executor, window);
      inside -= 1;
    },
  };
  const asked = { ...options, flows: [{ name: 'invoices', records: slow }], by: 'worker' };
  const endings = await Promise.all(Array.from({ length: 5 }, () => closeDay(asked, LAST)));
  expect(most).toBe(1);
  expect(endings.every(({ kind }) => kind === 'closed')).toBe(true);
  expect(await verifyDays(database)).toMatchObject({ checked: 3, broken: null });
  const entries = await rows<{ id: string }>(database.executor, sql`select id from operations.day_entries`);
  expect(entries.map(({ id }) => id).sort()).toEqual(['p0', 'p1', 'p2']);
});

test('a person who closes a day stands in the audit table', async () => {
  await close(LAST, 'cli:ada');
  expect(await listAudit(database, { object: `day:${LAST}`, limit: 5 })).toMatchObject([
    { who: 'cli:ada', action: 'day.close', outcome: 'done' },
  ]);
  expect((await readDay(database.executor, LAST))?.closedBy).toBe('cli:ada');
});

test('days join without a gap also where the time zone was changed between them', async () => {
  await close(addDays(LAST, -1));
  const closing = await closeDay({ database, flows, timeZone: 'America/New_York', by: 'worker' }, LAST);
  expect(closing).toMatchObject({
    kind: 'closed',
    day: { since: windowOf(LAST, ZONE).since, until: windowOf(LAST, 'America/New_York').until },
  });
});

describe('the mail about a day', () => {
  const letters: { to: readonly string[]; subject: string }[] = [];
  const sending = (send: LetterSender['send']) =>
    sendDayMails({ database, recipients: ['b@example.com', 'a@example.com'], worker: worker.id, sender: { send } });
  const fine: LetterSender['send'] = async (letter) => {
    letters.push(letter);
    return { accepted: letter.to.length, rejected: 0 };
  };
  const failing =
    (stage: string, again = true) =>
    async () => {
      throw Object.assign(new Error('said so'), { stage, again, code: 'MAIL_X' });
    };
  const makeDue = () => database.executor.execute(sql`update operations.day_mails set due_at = clock_timestamp()`);
  beforeEach(() => {
    letters.length = 0;
  });

  test('is sent once, to the list as it was when the day was closed', async () => {
    await pay('1');
    await close(LAST, 'worker', ['a@example.com', 'b@example.com']);
    expect(await sending(fine)).toEqual([{ day: LAST, state: 'sent', code: null }]);
    expect(await sending(fine)).toEqual([]);
    expect(letters).toMatchObject([
      { to: ['a@example.com', 'b@example.com'], subject: `${LAST}: 1 payment, 180.00 USD, all in FileMaker` },
    ]);
  });

  test('is owed for a day that a person closed, and not for one closed long ago', async () => {
    await close(addDays(LAST, -1), 'cli:ada');
    await close(LAST, 'cli:ada');
    await database.executor.execute(sql`alter table operations.days disable trigger keep_closed_day`);
    await database.executor.execute(
      sql`update operations.days set closed_at = closed_at - interval '4 days' where day < ${LAST}::date`,
    );
    expect((await sending(fine)).map(({ day }) => day)).toEqual([LAST]);
  });

  test('waits for a mail server that is away, and is never lost', async () => {
    await close(LAST, 'worker', ['a@example.com']);
    for (let turn = 0; turn < 5; turn += 1) {
      expect(await sending(failing('not-sent'))).toEqual([{ day: LAST, state: 'owed', code: 'MAIL_X' }]);
      // Not due again at once.
      expect(await sending(failing('not-sent'))).toEqual([]);
      await makeDue();
    }
    expect(await sending(fine)).toEqual([{ day: LAST, state: 'sent', code: null }]);
  });

  test('that was never answered is closed as unheard and not sent twice', async () => {
    await close(LAST, 'worker', ['a@example.com']);
    expect(await sending(failing('unheard', false))).toEqual([{ day: LAST, state: 'unheard', code: 'MAIL_X' }]);
    await makeDue();
    expect(await sending(fine)).toEqual([]);
    expect(letters).toEqual([]);
  });

  test('whose worker died while sending is closed as unheard, one in the hand of a living worker is left alone', async () => {
    await close(addDays(LAST, -1), 'worker', ['a@example.com']);
    await close(LAST, 'worker', ['a@example.com']);
    const other = await registerWorker(database, { app: 'worker' });
    await database.executor.execute(
      sql`update operations.day_mails set state = 'sending', tries = 1,
            sent_by = case when day = ${LAST}::date then ${other.id} else 'worker-dead' end`,
    );
    expect(await sending(fine)).toEqual([{ day: addDays(LAST, -1), state: 'unheard', code: 'END_UNKNOWN' }]);
    await other.stop();
    expect(await sending(fine)).toEqual([{ day: LAST, state: 'unheard', code: 'END_UNKNOWN' }]);
  });

  test('in the hand of this very worker is left alone by its next round, until it has taken far too long', async () => {
    await close(LAST, 'worker', ['a@example.com']);
    const rounds: unknown[] = [];
    const slow: LetterSender['send'] = async (letter) => {
      rounds.push(await sending(fine));
      return fine(letter);
    };
    expect(await sending(slow)).toEqual([{ day: LAST, state: 'sent', code: null }]);
    expect(rounds).toEqual([[]]);
    await database.executor.execute(
      sql`update operations.day_mails set state = 'sending', settled_at = null, due_at = clock_timestamp() - interval '6 minutes'`,
    );
    expect(await sending(fine)).toEqual([{ day: LAST, state: 'unheard', code: 'END_UNKNOWN' }]);
    expect(letters).toHaveLength(1);
  });

  test('that is refused for good is tried for two days and then given up, visibly', async () => {
    await close(LAST, 'worker', ['a@example.com']);
    expect(await sending(failing('refused', false))).toMatchObject([{ state: 'owed' }]);
    await database.executor.execute(sql`update operations.day_mails set tries = 47, due_at = clock_timestamp()`);
    expect(await sending(failing('refused', false))).toEqual([{ day: LAST, state: 'refused', code: 'MAIL_X' }]);
    expect(await listDayMails(database.executor, LAST)).toMatchObject([{ state: 'refused', detail: 'said so' }]);
  });

  test('is sent by one of two workers that look at the same moment', async () => {
    await close(LAST, 'worker', ['a@example.com']);
    const other = await registerWorker(database, { app: 'worker' });
    const send = (id: string) =>
      sendDayMails({ database, recipients: ['a@example.com'], worker: id, sender: { send: fine } });
    const endings = await Promise.all([send(worker.id), send(other.id), send(worker.id), send(other.id)]);
    await other.stop();
    expect(letters).toHaveLength(1);
    expect(endings.flat().filter(({ state }) => state === 'sent')).toHaveLength(1);
  });
});
