import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore, type EffectPlan } from '@bridge/effects';
import type { FlowRecords, RecordedFact } from '@bridge/flow';
import { createInbox } from '@bridge/inbox';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { allMigrations } from '../migrations';
import { resolveEffect } from '../resolve/resolve-effect';
import { readEffectsOfSession } from '../tables/read-proof-tables';
import type { Proof } from './proof';
import { isProofFine, proofPage } from './proof-page';
import { proveId } from './prove-id';

let database: Database;
let drop: () => Promise<void>;
let facts: RecordedFact[];
const PAID = new Date('2026-11-22T20:03:11Z');

const records: FlowRecords = {
  find: async (_executor, id) => facts.filter((fact) => fact.id === id || fact.relatedIds.includes(id)),
  succeededBetween: async function* () {},
  writtenBetween: async function* () {},
};

beforeEach(async () => {
  const test = await createTestDatabase();
  await migrate(test.url, allMigrations([]));
  database = createDatabase({ url: test.url, poolMax: 3, applicationName: 'prove-test' });
  drop = test.drop;
  facts = [fact()];
});
afterEach(async () => {
  await database.close();
  await drop();
});

const fact = (over: Partial<RecordedFact> = {}): RecordedFact => ({
  id: 'cs_1',
  relatedIds: ['18637', 'pi_1', 'ch_1', 're_1'],
  title: 'Invoice 18637',
  amount: 18_000,
  currency: 'usd',
  livemode: true,
  succeededAt: PAID,
  status: 'paid',
  parkedCode: null,
  parkedEvent: null,
  effectKeys: ['invoice-paid:cs_1', 'invoice-refunded:re_1'],
  reversals: [],
  recordedAt: PAID,
  ...over,
});
const log = { layout: 'log', keyField: 'k', stateField: 's', resultField: 'r' };
const target = (over: object = {}) => ({
  layout: 'web_invoices',
  script: 'PAID',
  contract: 'kit',
  transport: 'get',
  handoffLayout: null,
  probe: null,
  log,
  ...over,
});

async function plan(over: Partial<EffectPlan> = {}): Promise<string> {
  const { id } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: 'invoice-paid:cs_1',
    lane: 'invoice:18637',
    title: 'Mark invoice 18637 paid',
    target: target(),
    body: '{"email":"customer@example.com"}',
    subject: { checkoutSessionId: 'cs_1' },
    origin: 'webhook',
    checkFirst: false,
    ...over,
  });
  return id;
}
async function event(
  over: { eventId?: string; objectId?: string; state?: string; reason?: string } = {},
): Promise<string> {
  const [row] = await createInbox(database).record([
    {
      source: 'webhook',
      peer: 'stripe',
      eventId: over.eventId ?? 'evt_1',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: true,
      apiVersion: null,
      objectId: over.objectId ?? 'cs_1',
      eventCreatedAt: PAID,
      body: Buffer.from('{"email":"customer@example.com"}'),
      ignoredBecause: null,
    },
  ]);
  const id = row?.id ?? '';
  if (over.state !== undefined)
    await database.executor.execute(
      sql`update inbox.events set state = ${over.state}, finished_at = clock_timestamp(), reason_code = 'CODE', reason = ${over.reason ?? null} where id = ${id}`,
    );
  return id;
}
const attempt = (effect: string, purpose: string, verdict: string | null, ended = true) =>
  database.executor.execute(
    sql`insert into effects.attempts (effect_id, purpose, number, worker, claim_no, session_id, ended_at, duration_ms, stage, code, verdict)
        values (${effect}, ${purpose}, 1, 'worker-1', 1, '7/9', ${ended ? sql`clock_timestamp()` : null}, 143, ${ended ? 'answered' : null}, null, ${verdict})`,
  );
const settle = (id: string, verified: boolean, result: unknown = null) =>
  database.executor.execute(
    sql`update effects.effects set state = 'done', settled_at = '2026-11-22T20:03:15Z', verified = ${verified}, result = ${JSON.stringify(result)}::jsonb where id = ${id}`,
  );

const prove = (id: string) =>
  proveId(
    {
      database,
      flows: [{ name: 'invoices', records }],
      timeZone: 'America/Chicago',
      now: () => new Date('2026-11-23T12:00:00Z'),
    },
    id,
  );
async function proof(id: string): Promise<Proof> {
  const found = await prove(id);
  if (!found.found) throw new Error(`${id} was found nowhere`);
  return found;
}
const first = async (id = 'cs_1') => (await proof(id)).verdicts[0];

test('an event that a person had gone through again is not told as one that a person made', async () => {
  const row = await event({ state: 'processed' });
  expect(await createInbox(database).reprocess(row)).toBe(true);
  const { timeline } = await proof('evt_1');
  expect(timeline.map(({ sentence }) => sentence)).toEqual(
    expect.arrayContaining([
      'Stripe made event checkout.session.completed evt_1',
      "Event checkout.session.completed evt_1 came from Stripe, and was gone through again by a person's command",
    ]),
  );
});

test('a payment that was applied is proved in one sentence, from every id that a log line shows', async () => {
  const row = await event({ state: 'processed' });
  const effect = await plan();
  await attempt(effect, 'send', 'done');
  await settle(effect, true);
  const ids = [
    'cs_1',
    'pi_1',
    'ch_1',
    're_1',
    '18637',
    'invoice:18637',
    'evt_1',
    'evt_1.2',
    `event:${row}`,
    `inbox-${row}.1`,
  ];
  const { rows: attempts } = await database.executor.execute(sql`select id from effects.attempts`);
  ids.push(`attempt:${String(attempts[0]?.id)}`);
  ids.push('invoice-paid:cs_1', `effect:${effect}`, `${effect}.3`, '7/9', 'session:7', ' cs_1 ');
  for (const id of ids) {
    expect(await first(id)).toEqual({
      id: 'cs_1',
      standing: 'applied',
      next: null,
      sentence:
        "Invoice 18637: 180.00 USD paid 22 Nov 14:03, applied once in FileMaker 22 Nov 14:03 (proved by the script's own answer, which names its key).",
    });
  }
});

test('the timeline tells all that happened, the oldest first, and nothing of the customer', async () => {
  facts = [
    fact({
      reversals: [
        {
          id: 're_1',
          kind: 'refund',
          amount: 500,
          currency: 'usd',
          status: 'succeeded',
          effectKey: null,
          at: new Date(),
        },
      ],
    }),
  ];
  const row = await event({ state: 'processed' });
  await event();
  const effect = await plan();
  await attempt(effect, 'send', 'unknown');
  await attempt(effect, 'cross-check', 'there');
  await settle(effect, true, { note: 'customer@example.com' });
  const found = await proof('18637');
  const { timeline } = found;
  expect(timeline.map(({ at }) => at.getTime())).toEqual(timeline.map(({ at }) => at.getTime()).sort((a, b) => a - b));
  expect(new Set(timeline.map(({ what }) => what))).toEqual(
    new Set(['money', 'event', 'delivery', 'decision', 'planned', 'attempt', 'cross-check', 'settled', 'reversal']),
  );
  const text = timeline.map(({ sentence }) => sentence).join('\n');
  for (const part of [
    'Invoice 18637: 180.00 USD paid at Stripe',
    'came again, 2 times in all',
    'Sent to FileMaker, no. 1 (script PAID on layout web_invoices): no answer was heard, 143 ms',
    'FileMaker was asked whether "Mark invoice 18637 paid" has run: it has',
    'done, proved by its log',
    'refund of 5.00 USD, succeeded',
  ])
    expect(text).toContain(part);
  expect(timeline.find(({ what }) => what === 'attempt')?.details).toMatchObject({
    worker: 'worker-1',
    session: '7/9',
  });
  expect(`${JSON.stringify(found)}${proofPage(found)}`).not.toContain('customer@');
  expect(row).not.toBe('');
});

test.each([
  ['planned', 'NOT applied yet: it waits its turn.', 'waiting'],
  [
    'parked',
    'NOT applied: waits for a person because it was paid before (second-payment), next: ./bridge effects show',
    'parked',
  ],
  ['unverified', 'applied once in FileMaker 22 Nov 14:03, unverified: its answer alone says so.', 'unverified'],
] as const)('an effect that is %s is told as it is', async (state, words, standing) => {
  const effect = await plan(
    state === 'parked' ? { parked: { reasonCode: 'second-payment', reason: 'it was paid before' } } : {},
  );
  if (state === 'unverified') await settle(effect, false);
  const verdict = await first();
  expect(verdict?.sentence).toContain(words);
  expect(verdict?.standing).toBe(standing);
  expect(isProofFine(await proof('cs_1'))).toBe(standing === 'unverified');
});

test.each([
  ['SCRIPT_ROW_MISSING', 'parked', 'applied in part or whole, not proved'],
  ['LOG_NOT_DONE', 'unknown', 'perhaps applied in part or whole, not proved'],
  ['LOG_CONTRADICTS', 'unknown', 'perhaps applied in part or whole, not proved'],
  ['SENTINEL_MISSING', 'unknown', 'not known to be applied'],
  ['CANNOT_BE_ASKED', null, 'not known to be applied'],
  ['NO_PERFORMER', 'unknown', 'not known to be applied'],
] as const)(
  'of a script that has changed something nobody is told that it was not applied: %s',
  async (reasonCode, answer, words) => {
    const effect = await plan({ parked: { reasonCode, reason: 'the script has changed something' } });
    if (answer !== null) await attempt(effect, 'send', answer);
    await attempt(effect, 'cross-check', 'wait');
    expect((await first())?.sentence).toContain(
      `14:03, ${words}: waits for a person because the script has changed something (${reasonCode}), next: ./bridge effects show`,
    );
    await resolveEffect(database, effect, { as: 'cancelled', by: 'cli:ada', why: 'refunded' });
    const { sentence = '' } = (await first()) ?? {};
    expect(sentence).toContain(`14:03, ${words}: cancelled`);
    expect(sentence).not.toContain('NOT applied');
  },
);

test('a key that the log holds with other content is not told as not applied', async () => {
  const conflict = await plan({ parked: { reasonCode: 'SCRIPT_KEY_CONFLICT_KEY_CONFLICT', reason: 'used before' } });
  await attempt(conflict, 'send', 'refused');
  expect((await first())?.sentence).toContain('perhaps applied in part or whole');
});

test('a sending that left something behind is remembered when a later one was refused', async () => {
  const effect = await plan({ parked: { reasonCode: 'SCRIPT_REFUSED_101', reason: 'refused' } });
  await attempt(effect, 'send', 'parked');
  await attempt(effect, 'cross-check', 'not-there');
  await attempt(effect, 'send', 'refused');
  expect((await first())?.sentence).toContain('perhaps applied in part or whole');
});

test('what FileMaker has refused, or proved not to have run, is told as not applied', async () => {
  const effect = await plan({ parked: { reasonCode: 'SCRIPT_REFUSED', reason: 'the script refused' } });
  await attempt(effect, 'send', 'unknown');
  await attempt(effect, 'cross-check', 'not-there');
  expect((await first())?.sentence).toContain('14:03, NOT applied: waits');
  await attempt(effect, 'send', 'refused');
  expect((await first())?.sentence).toContain('14:03, NOT applied: waits');
});

test("a person's word is told as a person's word, with what he did", async () => {
  const effect = await plan({ parked: { reasonCode: 'second-payment', reason: 'it was paid before' } });
  await resolveEffect(database, effect, { as: 'done', by: 'cli:ada', why: 'booked by hand' });
  expect((await first())?.sentence).toMatch(
    /applied \d+ \w{3,4}( \d{4})? \d\d:\d\d, unverified: by the word of cli:ada\.$/,
  );
  const acts = (await proof('cs_1')).timeline.filter(({ what }) => what === 'act');
  expect(acts.map(({ sentence }) => sentence)).toEqual([
    `cli:ada: effect.resolve of effect:${effect}, done (done, was parked). Why: booked by hand`,
  ]);
});

test('a payment that names no invoice is given one: the same next step as status and the runbook have', async () => {
  facts = [fact({ status: 'parked', parkedCode: 'NO_INVOICE_ID', parkedEvent: 'evt_1' })];
  await event({ state: 'parked', reason: 'The paid Checkout Session names no invoice' });
  expect(await first()).toMatchObject({
    standing: 'parked',
    next: './bridge replay cs_1 --invoice … --dry-run',
    sentence:
      'Invoice 18637: 180.00 USD paid 22 Nov 14:03, NOT applied: waits for a person because the paid Checkout Session names no invoice (NO_INVOICE_ID), next: ./bridge replay cs_1 --invoice … --dry-run',
  });
});

test('two payments of one invoice get a verdict each', async () => {
  facts = [fact(), fact({ id: 'cs_2', relatedIds: ['18637', 'pi_2'], effectKeys: ['invoice-paid:cs_2'] })];
  const one = await plan();
  await settle(one, true);
  await plan({ key: 'invoice-paid:cs_2', parked: { reasonCode: 'second-payment', reason: 'paid before' } });
  expect((await proof('18637')).verdicts.map(({ id, standing }) => [id, standing])).toEqual([
    ['cs_1', 'applied'],
    ['cs_2', 'parked'],
  ]);
});

test('two payments of one invoice are told apart: each by its Checkout Session, each effect by its number', async () => {
  facts = [fact(), fact({ id: 'cs_2', relatedIds: ['18637', 'pi_2'], effectKeys: ['invoice-paid:cs_2'] })];
  const one = await plan();
  await attempt(one, 'send', 'done');
  await settle(one, true);
  const two = await plan({
    key: 'invoice-paid:cs_2',
    parked: { reasonCode: 'second-payment', reason: 'Invoice 18637 was paid before by cs_1' },
  });
  const { verdicts, timeline } = await proof('18637');
  expect(verdicts.map(({ sentence }) => sentence)).toEqual([
    expect.stringMatching(/^Invoice 18637 \(cs_1\): 180\.00 USD paid .* applied once/),
    expect.stringMatching(
      /^Invoice 18637 \(cs_2\): .* because invoice 18637 was paid before by cs_1 \(second-payment\), next:/,
    ),
  ]);
  const told = timeline.map(({ sentence }) => sentence);
  expect(told).toEqual(
    expect.arrayContaining([
      'Invoice 18637 (cs_2): 180.00 USD paid at Stripe',
      expect.stringMatching(new RegExp(`^Effect ${one} sent to FileMaker, no\\. 1 `)),
      expect.stringMatching(new RegExp(`^Mark invoice 18637 paid \\(effect ${one}\\): done`)),
      `Mark invoice 18637 paid (effect ${two}) was not sent and waits for a person: Invoice 18637 was paid before by cs_1 (second-payment)`,
    ]),
  );
});

test('a page calls each id by its full name and repeats none that the sentence holds', async () => {
  const effect = await plan();
  await attempt(effect, 'send', 'done');
  await settle(effect, true);
  await event({ state: 'processed' });
  const page = proofPage(await proof('cs_1'));
  expect(page).toContain('Checkout Session cs_1 · charge ch_1');
  expect(page).toMatch(/effect \d+ · attempt \d+ · process worker-1 · FileMaker session 7\/9/);
  expect(page).not.toMatch(/durationMs|>session |event evt_1 ·|verified true/);
});

test('a number that means several things says so', async () => {
  const effect = await plan();
  const row = await event();
  facts = [fact({ relatedIds: [effect] })];
  const found = await proof(effect);
  expect(found.meaning).toBe('an invoice number');
  expect(found.also).toContain(`./bridge prove effect:${effect}`);
  if (row === effect) expect(found.also).toContain(`./bridge prove event:${row}`);
  expect((await proof(`effect:${effect}`)).meaning).toBe('the number of an effect');
});

test('an event without a payment is told by its own end', async () => {
  facts = [];
  const row = await event({
    eventId: 'evt_9',
    objectId: 'pi_9',
    state: 'ignored',
    reason: 'it came through no Checkout Session',
  });
  for (const id of ['evt_9', 'pi_9', `event:${row}`]) {
    expect(await first(id)).toMatchObject({
      standing: 'nothing-owed',
      sentence: 'Event evt_9 (checkout.session.completed): ignored because it came through no Checkout Session.',
    });
  }
});

test('findings of reconciliation belong to the story', async () => {
  await database.executor.execute(
    sql`insert into reconciliation.findings (flow, class, object_id, stripe_value, amount, currency, message, first_run, last_run, first_seen, state, fixed_at, fixed_how)
        values ('invoices', 'paid-not-recorded', 'cs_1', 'paid', 18000, 'usd', 'A paid Checkout Session is not in our records', 1, 1,
                 clock_timestamp() - interval '1 hour', 'fixed', clock_timestamp(), 'replayed'),
               ('invoices', 'paid-not-recorded', 'cs_9', 'paid', 500, 'usd', 'A paid Checkout Session is not in our records', 1, 1, clock_timestamp(), 'open', null, null)`,
  );
  const sentences = (await proof('cs_1')).timeline
    .filter(({ what }) => what === 'finding')
    .map(({ sentence }) => sentence);
  expect(sentences).toEqual([
    'Finding 1 (paid-not-recorded): A paid Checkout Session is not in our records, 180.00 USD at risk [Stripe paid]',
    'Finding 1 was put right, replayed',
  ]);
  facts = [];
  for (const id of ['finding:2', 'cs_9'])
    expect(await first(id)).toMatchObject({ id: 'cs_9', standing: 'parked', next: './bridge findings show 2' });
});

test('what is nowhere says where it was looked for, and what is no payment says what it is', async () => {
  const nowhere = await prove('cs_unknown');
  expect(nowhere).toMatchObject({ found: false, meaning: null });
  expect(nowhere.found === false && nowhere.looked.length).toBeGreaterThan(4);
  await database.executor.execute(
    sql`insert into claims.workers (id, app, host, pid) values ('worker-abc', 'worker', 'box', 42)`,
  );
  expect(await prove('worker-abc')).toMatchObject({ found: false, meaning: 'a process: worker box:42, alive' });
  expect(await prove('2026-11-22')).toMatchObject({ meaning: 'a day that is not closed', next: './bridge report' });
});

test('a run of reconciliation is named by its number and by the job id that Bull Board shows', async () => {
  const { rows: runs } = await database.executor.execute(
    sql`insert into reconciliation.runs (flow, pass, mode, asked_by, since, until) values ('invoices', 'recent', 'act', 'schedule', now() - interval '1 day', now()) returning id`,
  );
  const run = String(runs[0]?.id);
  for (const id of [`run:${run}`, `run-${run}.0`, run])
    expect(await prove(id)).toMatchObject({ found: false, meaning: 'a run of reconciliation' });
});

test('the command that a replay plan leads to looks at it and sends nothing', async () => {
  await database.executor.execute(
    sql`insert into operations.replay_plans (state, asked_by, why, args, collected, ready_at) values ('ready', 'cli:ada', 'lost', '{"words": []}', true, clock_timestamp())`,
  );
  expect(await prove('plan:1')).toMatchObject({ meaning: 'a replay plan', next: './bridge replay --resume 1' });
});

test('a page shows what others wrote as text, whatever they wrote', async () => {
  const evil = '<script>alert(1)</script>"\u202egnp.exe';
  facts = [fact({ title: `Invoice ${evil}` })];
  await event({ state: 'ignored', reason: evil });
  const page = proofPage(await proof('cs_1'));
  expect(page).not.toMatch(/<script|\u202e/);
  expect(page).toContain('Invoice &lt;script&gt;alert(1)&lt;/script&gt;&quot; gnp.exe');
  expect(page).not.toMatch(/https?:\/\/|src=|@import|url\(/);
});

test('a FileMaker session is looked for through an index, and a word that is no session is not looked for at all', async () => {
  await database.executor.execute(
    sql`insert into effects.effects (kind, flow, key, title, target, subject, origin, state)
        values ('test', 'invoices', 'invoice-paid:cs_many', 'Mark it paid', '{}'::jsonb, '{}'::jsonb, 'webhook', 'planned')`,
  );
  await database.executor.execute(
    sql`insert into effects.attempts (effect_id, purpose, number, worker, claim_no, session_id)
        select (select max(id) from effects.effects), 'send', n, 'w', n, (n % 500 + 1000) || '/' || n from generate_series(1, 20000) n`,
  );
  await database.executor.execute(sql`analyze effects.attempts`);
  const look = (id: string) =>
    database.transaction(async (tx) => {
      const found = await readEffectsOfSession(tx, id);
      const scans = await tx.execute(
        sql`select seq_scan::int as read_whole, idx_scan::int > 0 as by_index from pg_stat_xact_user_tables where relid = 'effects.attempts'::regclass`,
      );
      return { found: found.length, ...scans.rows[0] };
    });
  expect(await look('1010')).toEqual({ found: 1, read_whole: 0, by_index: true });
  expect(await look('1010/510')).toEqual({ found: 1, read_whole: 0, by_index: true });
  expect(await look('101')).toMatchObject({ found: 0, read_whole: 0 });
  for (const word of ['%', '1010/%', '1010_', "1010' or true"]) expect(await look(word)).toMatchObject({ found: 0 });
});
