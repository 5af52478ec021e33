import { createDatabase, type Database } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { createInbox } from '@bridge/inbox';
import { listAudit, listOperators, parseConsoleAdmin, verifyOperator } from '@bridge/operations';
import { createTestDatabase, runBridge } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { z } from 'zod';

// Commands as processes, several a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const run = (args: readonly string[], env: Record<string, string>, input = '') => runBridge(args, env, { input });

let url: string;
let database: Database;
let drop: () => Promise<void>;
const bridge = (line: string, input?: string) => run(line.split(' '), { DATABASE_URL: url }, input);

beforeEach(async () => {
  const test = await createTestDatabase();
  ({ url, drop } = test);
  database = createDatabase({ url, poolMax: 2, applicationName: 'cli-test' });
});
afterEach(async () => {
  await database.close();
  await drop();
});

const iso = z.iso.datetime();
const holdSchema = z.strictObject({
  id: z.string(),
  lane: z.string(),
  title: z.string(),
  because: z.enum(['unknown', 'refused']),
  code: z.string().nullable(),
  reason: z.string().nullable(),
  since: iso,
  sinceMs: z.number(),
  dueAt: iso,
  behind: z.int(),
  target: z.unknown(),
  subject: z.record(z.string(), z.unknown()),
});
const statusSchema = z.strictObject({
  at: iso,
  version: z.string().regex(/^\d+\.\d+\.\d+/),
  postgresql: z.string(),
  pendingMigrations: z.array(z.string()),
  figures: z
    .strictObject({
      inbox: z.strictObject({
        counts: z.record(z.enum(['received', 'processing', 'processed', 'ignored', 'parked']), z.int()),
        oldestUnfinishedSeconds: z.number(),
        otherModeLastDay: z.int(),
      }),
      effects: z.strictObject({
        counts: z.record(z.enum(['planned', 'sending', 'unknown', 'parked', 'done', 'cancelled']), z.int()),
        unverifiedDone: z.int(),
      }),
      parked: z.strictObject({
        effects: z.int(),
        events: z.int(),
        newest: z.array(
          z.strictObject({
            kind: z.enum(['effect', 'event']),
            id: z.string(),
            title: z.string(),
            reasonCode: z.string(),
            reason: z.string(),
            since: iso,
            objectId: z.string().nullable(),
            money: z.strictObject({ amount: z.number(), currency: z.string() }).nullable(),
          }),
        ),
      }),
      money: z.array(
        z.strictObject({
          place: z.enum(['for-you', 'on-the-way', 'being-checked', 'found']),
          currency: z.string(),
          count: z.int(),
          amount: z.number(),
        }),
      ),
      overdue: z.strictObject({
        unknown: z.int(),
        checkFirst: z.int(),
        oldest: z.array(
          z.strictObject({
            id: z.string(),
            title: z.string(),
            state: z.enum(['unknown', 'planned']),
            reasonCode: z.string().nullable(),
            reason: z.string().nullable(),
            since: iso,
          }),
        ),
      }),
      holds: z.array(holdSchema),
      closures: z.array(
        z.strictObject({
          scope: z.string(),
          kind: z.enum(['pause', 'halt', 'circuit', 'window']),
          cause: z.string(),
          detail: z.string(),
          by: z.string(),
          since: iso,
          until: iso.optional(),
        }),
      ),
      processes: z.strictObject({
        living: z.array(
          z.strictObject({ id: z.string(), app: z.string(), host: z.string(), pid: z.int(), startedAt: iso }),
        ),
        everSeen: z.array(z.string()),
      }),
      filemakerSessions: z.strictObject({ opening: z.int(), idle: z.int(), leased: z.int(), closing: z.int() }),
      recovery: z.strictObject({
        passes: z.array(z.strictObject({ flow: z.string(), pass: z.string(), endedAt: iso, checked: z.number() })),
        standing: z.array(z.strictObject({ flow: z.string(), pass: z.string(), since: iso, reason: z.string() })),
        openFindings: z.array(z.strictObject({ currency: z.string(), count: z.int(), amount: z.number() })),
        pulledAt: iso.nullable(),
        lastClosedDay: z.string().nullable(),
        unsentLetter: z
          .strictObject({ day: z.string(), code: z.string().nullable(), detail: z.string().nullable() })
          .nullable(),
      }),
    })
    .nullable(),
  lines: z.array(
    z.strictObject({
      tone: z.enum(['broken', 'waits', 'note', 'fine']),
      sentence: z.string(),
      next: z.string().startsWith('./bridge '),
      runbook: z.string().nullable(),
      always: z.literal(true).optional(),
    }),
  ),
  fine: z.boolean(),
});
const eventFields = {
  id: z.string(),
  eventId: z.string(),
  eventType: z.string(),
  source: z.enum(['webhook', 'pull', 'operator', 'reconciliation']),
  state: z.enum(['received', 'processing', 'processed', 'ignored', 'parked']),
  livemode: z.boolean(),
  objectId: z.string().nullable(),
  deliveries: z.int(),
  starts: z.int(),
  reasonCode: z.string().nullable(),
  reason: z.string().nullable(),
  receivedAt: iso,
  finishedAt: iso.nullable(),
};
const eventsSchema = z.strictObject({ events: z.array(z.strictObject(eventFields)), next: z.string().nullable() });
const effectFields = {
  id: z.string(),
  kind: z.string(),
  flow: z.string(),
  key: z.string(),
  lane: z.string().nullable(),
  title: z.string(),
  state: z.enum(['planned', 'sending', 'unknown', 'parked', 'done', 'cancelled']),
  origin: z.enum(['webhook', 'pull', 'operator', 'reconciliation']),
  attempts: z.int(),
  subject: z.record(z.string(), z.unknown()),
  reasonCode: z.string().nullable(),
  reason: z.string().nullable(),
  verified: z.boolean().nullable(),
  plannedAt: iso,
  settledAt: iso.nullable(),
};
const effectsSchema = z.strictObject({
  effects: z.array(z.strictObject({ ...effectFields, hold: holdSchema.nullable() })),
});
const auditSchema = z.array(
  z.strictObject({
    id: z.string(),
    at: iso,
    who: z.string(),
    action: z.string(),
    object: z.string(),
    why: z.string(),
    outcome: z.enum(['done', 'refused', 'failed']).nullable(),
    detail: z.string().nullable(),
  }),
);
const effectSchema = z.strictObject({
  effect: z.strictObject({
    ...effectFields,
    target: z.unknown(),
    checkFirst: z.boolean(),
    askOnly: z.boolean(),
    dueAt: iso,
    firstSentAt: iso.nullable(),
    lastSentAt: iso.nullable(),
    unknownSince: iso.nullable(),
    inHand: z.boolean(),
    result: z.unknown(),
  }),
  attempts: z.array(
    z.strictObject({
      id: z.string(),
      purpose: z.enum(['send', 'cross-check']),
      number: z.int(),
      worker: z.string(),
      sessionId: z.string().nullable(),
      beganAt: iso,
      durationMs: z.int().nullable(),
      stage: z.enum(['not-sent', 'refused', 'unheard', 'answered']).nullable(),
      code: z.string().nullable(),
      verdict: z.enum(['done', 'refused', 'unknown', 'there', 'not-there', 'parked', 'wait']).nullable(),
      detail: z.string().nullable(),
    }),
  ),
  audit: auditSchema,
});
const eventSchema = z.strictObject({
  event: z.strictObject({
    ...eventFields,
    account: z.string().nullable(),
    apiVersion: z.string().nullable(),
    eventCreatedAt: iso.nullable(),
    lastDeliveryAt: iso,
    dueAt: iso,
    bodyBytes: z.int().nullable(),
  }),
  audit: auditSchema,
  body: z.strictObject({ encoding: z.enum(['utf8', 'base64']), text: z.string() }).optional(),
});

const userSchema = z.strictObject({ name: z.string(), createdAt: iso, createdBy: z.string() });

async function park(): Promise<{ effect: string; event: string }> {
  const { id } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: 'invoice-paid:cs_1',
    lane: 'invoice:18637',
    title: 'Mark invoice 18637 paid',
    target: { contract: 'kit', probe: null, log: { layout: 'l', keyField: 'k', stateField: 's', resultField: 'r' } },
    body: '{"email":"customer@example.com"}',
    subject: { checkoutSessionId: 'cs_1', amount: 18_000, currency: 'usd' },
    origin: 'webhook',
    checkFirst: false,
    parked: { reasonCode: 'second-payment', reason: `paid already ${'very '.repeat(40)}long ago` },
  });
  const [event] = await createInbox(database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId: 'evt_1',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: null,
      objectId: 'cs_2',
      eventCreatedAt: null,
      body: Buffer.from('{"email":"customer@example.com"}'),
      ignoredBecause: null,
    },
  ]);
  await database.executor.execute(
    sql`update inbox.events set state = 'parked', reason_code = 'NO_INVOICE_ID', reason = 'names no invoice', finished_at = clock_timestamp()`,
  );
  return { effect: id, event: event?.id ?? '' };
}

test('an empty database: status asks for migrate, migrate brings it up to date once, status is fine', async () => {
  const before = await bridge('status --json');
  expect(before.code).toBe(1);
  expect(statusSchema.parse(JSON.parse(before.out))).toMatchObject({
    figures: null,
    fine: false,
    lines: [{ next: './bridge migrate' }],
  });
  const first = await bridge('migrate --json');
  const { applied } = z.strictObject({ applied: z.array(z.string()) }).parse(JSON.parse(first.out));
  expect([first.code, applied[0]]).toEqual([0, 'installation/0001-installation.sql']);
  expect(applied.some((name) => name.startsWith('flow_invoices/'))).toBe(true);
  expect(JSON.parse((await bridge('migrate --json')).out)).toEqual({ applied: [] });
  const after = await bridge('status --json');
  expect([after.code, after.err]).toEqual([0, '']);
  expect(statusSchema.parse(JSON.parse(after.out)).fine).toBe(true);
  expect((await bridge('migrate')).out).toBe('The database is up to date.\n');
});

describe('on a migrated database', () => {
  beforeEach(async () => {
    expect((await bridge('migrate')).code).toBe(0);
  });

  test('a bridge that only observes says so before anything was compared, with what is planned and the next command', async () => {
    const { effect } = await park();
    await database.executor.execute(
      sql`update effects.effects set state = 'planned', reason_code = null, reason = null where id = ${effect}`,
    );
    const observing = { DATABASE_URL: url, MODE: 'observe' };
    const { out } = await run(['status'], observing);
    expect(out).toContain('The bridge only observes (MODE=observe)');
    expect(out).toContain('./bridge golive');
    expect(out).toMatch(/planned waits\s+until you say/);
    expect((await bridge('status')).out).not.toContain('observes');
  });

  test('what waits is counted, named and led on, in both forms, without customer data', async () => {
    const { effect } = await park();
    const status = await bridge('status');
    expect(status.code).toBe(1);
    expect(status.out).toContain('Mark invoice 18637 paid, 180.00 USD: paid already');
    const { figures } = statusSchema.parse(JSON.parse((await bridge('status --json')).out));
    expect(figures?.parked.newest.find(({ kind }) => kind === 'effect')?.money).toEqual({
      amount: 18_000,
      currency: 'usd',
    });
    expect(status.out).toContain(`./bridge effects show ${effect}`);
    expect(status.out).toContain('./bridge replay cs_2 --invoice … --dry-run');
    const effects = await bridge('effects list --state parked --json');
    expect(effectsSchema.parse(JSON.parse(effects.out)).effects.map((one) => one.id)).toEqual([effect]);
    const events = await bridge('events list --json');
    expect(eventsSchema.parse(JSON.parse(events.out)).events.map((one) => one.eventId)).toEqual(['evt_1']);
    const texts = await Promise.all([bridge('effects list'), bridge('events list --state parked')]);
    for (const { out } of [status, effects, events, ...texts]) {
      expect(out).not.toContain('customer@example.com');
      expect(out).not.toContain('\u001b');
    }
    // Where no terminal listens a table cuts nothing short.
    for (const { out } of texts) expect(out).not.toContain('…');
    expect(texts.map(({ out }) => out.split('\n')[0])).toEqual([
      expect.stringMatching(/^Id +State +What +Money +Tries +Planned \(UTC\) +Why$/),
      expect.stringMatching(/^Id +State +Event +Type +From +Received \(UTC\) +Why$/),
    ]);
  });

  test('a decision and a reprocessing happen once, are refused the second time, and are on record with a name', async () => {
    const { effect, event } = await park();
    const why = ['--why', 'asked by phone', '--json'];
    const resolve = (id: string, as: string) =>
      run(['effects', 'resolve', id, '--as', as, ...why], { DATABASE_URL: url });
    const first = await resolve('invoice-paid:cs_1', 'again');
    expect([first.code, JSON.parse(first.out)]).toEqual([
      0,
      { resolved: true, as: 'again', id: effect, title: 'Mark invoice 18637 paid', checkFirst: true },
    ]);
    const second = await resolve(effect, 'done');
    expect([second.code, JSON.parse(second.out)]).toEqual([
      1,
      { resolved: false, id: effect, code: 'EFFECT_ON_ITS_WAY', reason: expect.any(String) },
    ]);
    const reprocess = () => run(['events', 'reprocess', event, ...why], { DATABASE_URL: url });
    expect(JSON.parse((await reprocess()).out)).toEqual({
      reprocessed: true,
      id: event,
      eventId: 'evt_1',
      eventType: 'checkout.session.completed',
    });
    expect((await reprocess()).code).toBe(1);
    const audit = await listAudit(database, { limit: 10 });
    expect(audit.map(({ action, outcome, why: given }) => [action, outcome, given])).toEqual([
      ['event.reprocess', 'refused', 'asked by phone'],
      ['event.reprocess', 'done', 'asked by phone'],
      ['effect.resolve', 'refused', 'asked by phone'],
      ['effect.resolve', 'done', 'asked by phone'],
    ]);
    expect(audit[0]?.who).toMatch(/^cli:.+/);
  });

  test('one effect is shown with its tries, what people did and how it can be decided, in both forms', async () => {
    const { effect } = await park();
    await database.executor.execute(
      sql`insert into effects.attempts (effect_id, purpose, number, worker, claim_no, ended_at, verdict, code)
          values (${effect}, 'cross-check', 0, 'w', 1, clock_timestamp(), 'wait', 'SENTINEL_MISSING')`,
    );
    await database.executor.execute(
      sql`update effects.effects set state = 'unknown', unknown_since = clock_timestamp() where id = ${effect}`,
    );
    const [text, json] = [
      await bridge(`effects show ${effect}`),
      await bridge('effects show invoice-paid:cs_1 --json'),
    ];
    expect(effectSchema.parse(JSON.parse(json.out))).toMatchObject({ effect: { id: effect, state: 'unknown' } });
    expect(text.out).toContain('SENTINEL_MISSING');
    expect(text.out).toContain(`./bridge effects resolve ${effect} --as done --why "…"`);
    expect(text.out).not.toContain('--as again');
    for (const { code, out } of [text, json]) {
      expect(code).toBe(0);
      expect(out).not.toContain('customer@example.com');
    }
    expect((await bridge('effects show 99 --json')).code).toBe(1);
    const again = await run(['effects', 'resolve', effect, '--as', 'again', '--why', 'x'], { DATABASE_URL: url });
    expect([again.code, again.out]).toEqual([1, expect.stringContaining('it may have run')]);
    expect((await bridge(`effects resolve ${effect} --as done --why seen`)).out).toContain('not by proof');
    expect((await bridge('effects list')).out).toContain('done, unverified');
  });

  test('one event is shown by either id without its body; --body prints exactly the bytes that came', async () => {
    const { event } = await park();
    const body = '{"email":"customer@example.com"}';
    const json = await bridge('events show evt_1 --json');
    expect(eventSchema.parse(JSON.parse(json.out))).toMatchObject({ event: { id: event, bodyBytes: body.length } });
    for (const { code, out } of [json, await bridge(`events show ${event}`)]) {
      expect(code).toBe(0);
      expect(out).not.toContain('customer@example.com');
    }
    expect(await bridge(`events show ${event} --body`)).toMatchObject({ code: 0, out: body, err: '' });
    // What status leads to must not end here: the payment is given its invoice.
    const shown = await bridge(`events show ${event}`);
    expect(shown.out).toContain('Next: ./bridge replay cs_2 --invoice … --dry-run');
    expect(shown.out).toContain('What it means: ./bridge runbook ');
    const withBody = eventSchema.parse(JSON.parse((await bridge('events show evt_1 --body --json')).out));
    expect(withBody.body).toEqual({ encoding: 'utf8', text: body });
    await database.executor.execute(sql`update inbox.events set body = '\\xff00'::bytea`);
    const binary = eventSchema.parse(JSON.parse((await bridge('events show evt_1 --body --json')).out));
    expect(binary.body).toEqual({ encoding: 'base64', text: '/wA=' });
    await database.executor.execute(sql`update inbox.events set body = null`);
    expect((await bridge('events show evt_1 --body')).code).toBe(1);
    expect((await bridge('events show evt_2')).code).toBe(1);
  });

  test('resume of a peer says that it ended the wait for one that counted as away', async () => {
    const openCircuit = () =>
      database.executor.execute(sql`insert into gates.circuits (peer, because) values ('filemaker', 'no answer')`);
    await openCircuit();
    expect((await bridge('status')).out).toContain('FileMaker has not answered');
    const resumed = await bridge('resume filemaker --why mended --json');
    expect([resumed.code, JSON.parse(resumed.out)]).toEqual([
      0,
      { scope: 'filemaker', lifted: 0, circuitClosed: true },
    ]);
    await openCircuit();
    expect((await bridge('resume filemaker --why mended')).out).toContain('FileMaker is called again at once');
    expect((await bridge('resume filemaker --why mended')).code).toBe(1);
  });

  test('pause and resume, with the exit code saying whether there was something to resume', async () => {
    const paused = await bridge('pause flow invoices --why stocktaking --json');
    expect([paused.code, JSON.parse(paused.out)]).toEqual([0, { scope: 'flow:invoices', paused: true }]);
    expect((await bridge('status')).out).toContain('./bridge resume flow invoices --why "…"');
    expect((await bridge('resume flow invoices --why done')).code).toBe(0);
    expect((await bridge('resume flow invoices --why done')).code).toBe(1);
    for (const line of ['pause everything', 'pause flow nope', 'resume flow nope'])
      expect([line, (await bridge(`${line} --why x`)).code]).toEqual([line, 2]);
  });

  test('what stopped a flow that this build does not have can still be lifted, once', async () => {
    await database.executor.execute(
      sql`insert into gates.closures (scope, kind, cause, detail, by) values ('flow:older', 'pause', 'PAUSED', 'x', 'ada')`,
    );
    expect((await bridge('resume flow older --why gone')).code).toBe(0);
    expect((await bridge('resume flow older --why gone')).code).toBe(2);
  });

  test('a stray event of the other mode is told, and nobody is called for it', async () => {
    await database.executor.execute(
      sql`insert into inbox.events (source, peer, event_id, event_type, livemode, state, reason_code, finished_at, body)
          values ('webhook', 'stripe', 'evt_test', 'checkout.session.completed', false, 'ignored', 'OTHER_LIVEMODE', clock_timestamp(), '{}')`,
    );
    const { code, out } = await bridge('status');
    expect([code, out]).toEqual([0, expect.stringContaining('1 event of the other mode came in the last 24 hours')]);
    expect(out).toContain('Nothing waits for you.');
  });

  test('user add takes the password from standard input and never shows it', async () => {
    const added = await bridge('user add ada --json', 'correct horse battery\n');
    expect([added.code, JSON.parse(added.out)]).toEqual([0, { name: 'ada', outcome: 'added' }]);
    expect((await listOperators(database)).map((one) => one.name)).toEqual(['ada']);
    expect(await verifyOperator(database, 'ada', 'correct horse battery')).toBe(true);
    const listed = await bridge('user list --json');
    expect(z.strictObject({ users: z.array(userSchema) }).parse(JSON.parse(listed.out)).users).toMatchObject([
      { name: 'ada', createdBy: expect.stringMatching(/^cli:/) },
    ]);
    const short = await bridge('user add bob', 'short\n');
    expect([short.code, short.out]).toEqual([2, '']);
    for (const { out, err } of [added, short]) expect(`${out}${err}`).not.toMatch(/horse|short\b/);
  });
});

test('user add --print-hash needs no database and prints what CONSOLE_ADMIN takes', async () => {
  const printed = await run(['user', 'add', 'ada', '--print-hash', '--json'], {}, 'correct horse battery');
  const { consoleAdmin } = z.object({ consoleAdmin: z.string() }).parse(JSON.parse(printed.out));
  expect([printed.code, parseConsoleAdmin(consoleAdmin)?.name]).toEqual([0, 'ada']);
});

test.each([
  ['', 2],
  ['nonsense', 2],
  ['status --nonsense', 2],
  ['events list --limit 0', 2],
  ['events list --limit 1.5', 2],
  ['effects list --state lost', 2],
  ['effects resolve 1 --as again', 2],
  ['effects resolve 1 --why x', 2],
  ['effects resolve 1 --as paid --why x', 2],
  ['effects release 1 --why x', 2],
  ['events show', 2],
  ['user add a:b', 2],
  ['init --mode dead', 2],
  ['up --workers 0', 2],
  ['up --console-port 70000', 2],
  ['--help', 0],
  ['--version', 0],
])('"bridge %s" exits with %i', async (line, code) => {
  const ended = await run(line.split(' ').filter(Boolean), {});
  expect(ended.code).toBe(code);
  expect(code === 0 ? ended.err : ended.out).toBe('');
});

test('faulty configuration exits with 78, a database that is away with 1, both with a message and without a stack', async () => {
  const faulty = await run(['status', '--json'], {});
  expect([faulty.code, JSON.parse(faulty.out)]).toEqual([
    78,
    { error: { code: 'CONFIGURATION_FAULTY', message: expect.stringContaining('DATABASE_URL') } },
  ]);
  const away = await run(['status'], { DATABASE_URL: 'postgresql://u:hidden@127.0.0.1:1/none' });
  expect(away).toMatchObject({ code: 1, out: '' });
  expect(away.err).toMatch(
    /^bridge: PostgreSQL does not answer \(ECONNREFUSED\)\. .* More: \.\/bridge runbook postgresql\n$/,
  );
});
