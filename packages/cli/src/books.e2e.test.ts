import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { createTestDatabase, type EndedCommand, runBridge } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { z } from 'zod';

// `prove`, `close` and `report` as a person types them, on the tables of the invoices flow.

// Commands as processes, several a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

/** Days are counted here. Another one while it is midnight there, so that no day ends in the middle of a test. */
const ZONE = isDaytime('America/Chicago') ? 'America/Chicago' : 'Asia/Tokyo';

function isDaytime(timeZone: string): boolean {
  const hour = Number(new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit' }).format(new Date()));
  return hour > 0 && hour < 22;
}

let url: string;
let database: Database;
let drop: () => Promise<void>;
let folder: string;

const bridge = (line: string): Promise<EndedCommand> =>
  runBridge(line.split(' '), { DATABASE_URL: url, TIMEZONE: ZONE }, { cwd: folder });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-books-'));
  const test = await createTestDatabase();
  ({ url, drop } = test);
  database = createDatabase({ url, poolMax: 2, applicationName: 'books-test' });
  expect((await bridge('migrate')).code).toBe(0);
  // Since yesterday's noon, so that yesterday is a day of the bridge and the day before is not.
  await database.executor.execute(
    sql`update installation.installation set first_migrated_at = ${`${YESTERDAY} 12:00`}::timestamp at time zone ${ZONE}`,
  );
  await pay('1', 18_000, 'usd', 'done');
  await pay('2', 720_000, 'usd', 'parked');
  await pay('3', 5_000, 'jpy', 'done');
});
afterAll(async () => {
  await database.close();
  await drop();
  rmSync(folder, { recursive: true });
});

/** By the calendar, since a day may have 23 or 25 hours. */
const today = (back: number): string => {
  const now = new Date(new Intl.DateTimeFormat('sv-SE', { timeZone: ZONE }).format(new Date()));
  return new Date(now.getTime() - back * 86_400_000).toISOString().slice(0, 10);
};
const YESTERDAY = today(1);

async function pay(id: string, amount: number, currency: string, state: 'done' | 'parked'): Promise<void> {
  const key = `invoice-paid:cs_${id}`;
  await database.executor.execute(
    sql`insert into flow_invoices.payments (checkout_session_id, payment_intent_id, charge_id, invoice_id, amount_total, currency, livemode, status,
          effect_key, paid_at, session_created_at)
        values (${`cs_${id}`}, ${`pi_${id}`}, ${`ch_${id}`}, ${`1863${id}`}, ${amount}, ${currency}, true, 'paid', ${key},
          (${`${YESTERDAY} 12:00`}::timestamp at time zone ${ZONE}), now() - interval '2 days')`,
  );
  const { id: effect } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key,
    lane: `invoice:1863${id}`,
    title: `Mark invoice 1863${id} paid`,
    target: {},
    body: '{"email":"customer@example.com"}',
    subject: { checkoutSessionId: `cs_${id}` },
    origin: 'webhook',
    checkFirst: false,
    ...(state === 'parked' ? { parked: { reasonCode: 'second-payment', reason: 'Invoice was paid before' } } : {}),
  });
  if (state === 'done')
    await database.executor.execute(
      sql`update effects.effects set state = 'done', verified = true, settled_at = clock_timestamp() where id = ${effect}`,
    );
}

const sha256 = (...parts: readonly Buffer[]): string => createHash('sha256').update(Buffer.concat(parts)).digest('hex');
/** What `jq -cS` prints, made without our own code. */
const sortedJson = (value: unknown): string =>
  JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );

const figure = z.strictObject({ count: z.int(), amount: z.int() });
const currencySchema = z.strictObject({
  currency: z.string(),
  paid: figure,
  verified: figure,
  unverified: figure,
  waiting: figure,
  parked: figure,
  cancelled: figure,
  refunded: figure,
  disputed: figure,
  refundsUndone: figure,
});

test('prove: the verdict first, from several ids; exit 0 when all is well, 1 when it waits, in three forms', async () => {
  for (const id of ['18631', 'cs_1', 'ch_1', 'invoice-paid:cs_1']) {
    const { code, out } = await bridge(`prove ${id}`);
    expect([code, out.split('\n')[1]]).toEqual([
      0,
      expect.stringMatching(/^Invoice 18631: 180\.00 USD paid \d+ \w+ 12:00, applied once in FileMaker/),
    ]);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  }
  const json = await bridge('prove pi_2 --json');
  expect([json.code, JSON.parse(json.out)]).toEqual([
    1,
    expect.objectContaining({
      found: true,
      meaning: 'a PaymentIntent',
      timeZone: ZONE,
      verdicts: [
        expect.objectContaining({
          id: 'cs_2',
          standing: 'parked',
          next: expect.stringMatching(/^\.\/bridge effects show \d+$/),
        }),
      ],
    }),
  ]);
  const page = await bridge('prove 18632 --html proof.html');
  expect(page.out).toContain('Written to proof.html.');
  const html = readFileSync(join(folder, 'proof.html'), 'utf8');
  expect(html).toContain('NOT applied: waits for a person');
  for (const text of [html, json.out, page.out]) expect(text).not.toContain('customer@example.com');
});

test('status: the money that waits, by currency and by what it waits for', async () => {
  const { code, out } = await bridge('status');
  expect([code, out]).toEqual([1, expect.stringMatching(/Money +7,200\.00 USD waiting for you \(1 payment\)/)]);
  const { figures } = z
    .object({ figures: z.object({ money: z.array(z.unknown()) }) })
    .parse(JSON.parse((await bridge('status --json')).out));
  expect(figures.money).toEqual([{ place: 'for-you', currency: 'usd', count: 1, amount: 720_000 }]);
});

test('prove: an id that is nowhere says where it was looked for and ends with 1', async () => {
  const { code, out } = await bridge('prove cs_nowhere');
  expect(code).toBe(1);
  expect(out).toContain('Found nowhere: cs_nowhere');
  expect(out).toContain('events of the inbox');
  expect(JSON.parse((await bridge('prove cs_nowhere --json')).out)).toMatchObject({ found: false, meaning: null });
  for (const words of [['prove'], ['prove', ''], ['prove', ' ']])
    expect((await runBridge(words, { DATABASE_URL: url })).code).toBe(2);
});

test('close: yesterday by default, the same bytes when it is shown again, a chain that checks, a report that agrees', async () => {
  const open = JSON.parse((await bridge(`report --since ${YESTERDAY} --until ${YESTERDAY} --json`)).out);
  const early = await bridge(`report --since ${today(20)} --until ${YESTERDAY}`);
  expect(early.out).toContain(
    `0 days closed, 1 day open, by the clock of ${ZONE}. The bridge's first day is ${YESTERDAY}.`,
  );
  expect(open).toMatchObject({
    firstDay: YESTERDAY,
    closedDays: 0,
    openDays: 1,
    rows: [{ closed: false }, { closed: false }],
  });

  const first = await bridge('close --json');
  const closed = z
    .strictObject({
      day: z.literal(YESTERDAY),
      number: z.literal(1),
      timeZone: z.literal(ZONE),
      since: z.iso.datetime(),
      until: z.iso.datetime(),
      closedAt: z.iso.datetime(),
      closedBy: z.string().regex(/^cli:/),
      digest: z.string().length(64),
      previousHead: z.literal('0'.repeat(64)),
      head: z.string().length(64),
      contents: z.looseObject({ currencies: z.array(currencySchema) }),
    })
    .parse(JSON.parse(first.out));
  expect([
    first.code,
    closed.contents.currencies.map(({ currency, paid, parked }) => [currency, paid.amount, parked.count]),
  ]).toEqual([
    1,
    [
      ['jpy', 5_000, 0],
      ['usd', 738_000, 1],
    ],
  ]);
  // As docs/books.md says how to check it without the bridge.
  expect(sha256(Buffer.from(sortedJson(closed.contents)))).toBe(closed.digest);
  const { previousHead, day, digest } = closed;
  expect(sha256(Buffer.from(previousHead, 'hex'), Buffer.from(day), Buffer.from(digest, 'hex'))).toBe(closed.head);
  const again = await bridge(`close ${YESTERDAY} --json`);
  expect(again.out).toBe(first.out);
  const text = await bridge('close --html day.html');
  expect(text.out).toContain('was closed before; shown as it was.');
  expect(text.out).toContain('3 payments, 5,000 JPY and 7,380.00 USD, 1 needs you.');
  expect(text.out).toContain(
    'Invoice 18632: 7,200.00 USD waits for a person (second-payment): Invoice was paid before',
  );
  const html = readFileSync(join(folder, 'day.html'), 'utf8');
  await bridge('close --html again.html');
  expect(readFileSync(join(folder, 'again.html'), 'utf8')).toBe(html);
  const verified = await bridge('close --verify');
  expect([verified.code, verified.out]).toEqual([0, expect.stringContaining(`Head: ${closed.head}`)]);

  const report = z
    .strictObject({
      since: z.string(),
      until: z.string(),
      timeZone: z.string(),
      rows: z.array(z.strictObject({ day: z.string(), closed: z.boolean(), ...currencySchema.shape })),
      totals: z.array(currencySchema),
      firstDay: z.string(),
      closedDays: z.int(),
      openDays: z.int(),
    })
    .parse(JSON.parse((await bridge(`report --since ${YESTERDAY} --csv payments.csv --json`)).out));
  expect(report.totals).toEqual(closed.contents.currencies);
  const csv = readFileSync(join(folder, 'payments.csv'), 'utf8').split('\r\n');
  expect(csv).toHaveLength(5);
  expect(csv[2]).toBe(
    `${YESTERDAY},${YESTERDAY},yes,${YESTERDAY} 12:00:00,invoices,payment,Invoice 18632,cs_2,cs_2,7200.00,USD,waits for a person,18632 pi_2 ch_2`,
  );
  expect((await bridge('report')).out).toMatch(/Total/);
  // A dash is standard output: the document alone, and no file of that name.
  expect((await bridge(`report --since ${YESTERDAY} --csv -`)).out).toBe(csv.join('\r\n'));
  expect((await bridge('close --html -')).out).toBe(html);
  expect(existsSync(join(folder, '-'))).toBe(false);
});

test('close: a day that was changed behind the bridge’s back is never shown as if it were what was closed', async () => {
  await bridge('close');
  const change = (from: string, to: string) =>
    database.transaction(async (tx) => {
      await tx.execute(sql`set local session_replication_role = replica`);
      await tx.execute(sql`update operations.days set contents = replace(contents, ${from}, ${to})`);
    });
  await change('738000', '638000');
  try {
    const shown = await bridge('close');
    expect([shown.code, shown.out.split('\n')[0]]).toEqual([
      1,
      `${YESTERDAY} is not as it was closed. Its contents are not what was closed. See: ./bridge close --verify`,
    ]);
    const page = await bridge('close --html changed.html');
    expect([page.code, page.err]).toEqual([1, expect.stringContaining('no page is made of it')]);
    expect(existsSync(join(folder, 'changed.html'))).toBe(false);
    expect((await bridge('close --verify')).code).toBe(1);
  } finally {
    await change('638000', '738000');
  }
  expect((await bridge('close')).out).toContain('was closed before; shown as it was.');
});

test('what is typed wrongly is wrong usage, and a day that is not over is refused', async () => {
  for (const line of [
    'close tomorrow',
    'close 2026-02-30',
    `close ${YESTERDAY} --verify`,
    'report --month 2026-13',
    'report --month 2026-11 --since 2026-11-01',
    `report --since ${today(0)} --until ${today(3)}x`,
    `report --since ${today(0)} --until ${YESTERDAY}`,
  ])
    expect([line, (await bridge(line)).code]).toEqual([line, 2]);
  const refused = await bridge(`close ${today(0)} --json`);
  expect([refused.code, JSON.parse(refused.out)]).toMatchObject([1, { error: { code: 'DAY_NOT_OVER' } }]);
  for (const command of ['prove', 'close', 'report'])
    expect((await bridge(`${command} --help`)).out).toContain('Examples:');
});
