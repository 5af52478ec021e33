import { registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createEffectEngine, createEffectStore } from '@bridge/effects';
import { judgeScriptAnswer } from '@bridge/filemaker-client';
import { createRoad } from '@bridge/flow';
import { type FlowPeers, flowMigrations, flows } from '@bridge/flows';
import { createInbox } from '@bridge/inbox';
import { createLogger } from '@bridge/observability';
import {
  acceptFinding,
  addUnfoundWord,
  allMigrations,
  askReplay,
  cancelReplay,
  closeDay,
  eraseReplayBodies,
  forgetCustomer,
  proveId,
  resolveEffect,
  verifyDays,
  yesterday,
} from '@bridge/operations';
import { commitPage, createEventWatermarks, createRuns } from '@bridge/reconciliation';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { createRounds } from './rounds';

let database: Database;
let worker: WorkerRegistration;
let end: () => Promise<void>;
beforeEach(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, allMigrations(flowMigrations));
  database = createDatabase({ url: created.url, poolMax: 4, applicationName: 'erase-test' });
  worker = await registerWorker(database, { app: 'worker' });
  end = async () => {
    await worker.stop();
    await database.close();
    await created.drop();
  };
});
afterEach(() => end());

/** Everything by which a customer could be known, each in its own words, so that a find says where it came from. */
const PLANTED = {
  name: 'Quirina Ötzlund-Vey',
  email: 'quirina.vey@planted.example',
  phone: '+49 170 5550199',
  street: 'Zwiebelgasse 7b',
  company: 'Planted Widgets Ltd',
  metadata: 'gift for Aunt Philippa',
  customField: 'PO 55-QUIR',
  line: 'Engraved: to my Wilhelmina',
  answer: 'invoice of Mrs Oetzlund posted',
  logState: 'done by Mr Karfunkel',
  word: 'she-called-planted',
  why: 'Mrs Karfunkel rang, her son paid',
} as const;
const SETTINGS = {
  invoiceIdKeys: ['metadata.invoice_id'],
  instalments: 'park',
  payload: { fields: 'full', unit_price: 'unit', shipping_item: { code: '', catalog_number: '' } },
};
const paidAt = (yesterdays: Date): number => Math.floor(yesterdays.getTime() / 1_000);

function sessionOf(id: string, at: number, invoice: string | undefined) {
  const address = { line1: PLANTED.street, city: 'Planted', country: 'DE', postal_code: '00001' };
  return {
    id: `cs_test_${id}`,
    object: 'checkout.session',
    mode: 'payment',
    status: 'complete',
    payment_status: 'paid',
    amount_subtotal: 18_000,
    amount_total: 18_000,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    shipping_cost: null,
    currency: 'usd',
    livemode: false,
    created: at,
    payment_intent: `pi_${id}`,
    client_reference_id: PLANTED.word,
    metadata: { ...(invoice === undefined ? {} : { invoice_id: invoice }), note: PLANTED.metadata },
    customer_details: { name: PLANTED.name, email: PLANTED.email, phone: PLANTED.phone, address },
    collected_information: { shipping_details: { name: PLANTED.name, address } },
    custom_fields: [{ key: 'po', type: 'text', text: { value: PLANTED.customField } }],
  };
}

function peersOf(at: number): FlowPeers {
  const target = { layout: 'web', script: 'PAID', contract: 'kit', log: null, probe: null };
  return {
    stripe: {
      retrievePaidSession: async (sessionId) => {
        const id = sessionId.replace('cs_test_', '');
        const charge = {
          id: `ch_${id}`,
          object: 'charge',
          created: at,
          captured: true,
          amount_captured: 18_000,
          amount_refunded: 0,
          disputed: false,
          receipt_url: 'https://pay.stripe.com/receipts/1',
          billing_details: { name: PLANTED.name, email: PLANTED.email },
        };
        return {
          session: sessionOf(id, at, id === 'nameless' ? undefined : '18637'),
          lineItems: [
            {
              id: 'li_1',
              object: 'item',
              description: PLANTED.line,
              quantity: 1,
              amount_subtotal: 18_000,
              amount_discount: 0,
              amount_tax: 0,
              amount_total: 18_000,
              currency: 'usd',
              price: { id: 'price_1', unit_amount: 18_000, currency: 'usd', product: 'prod_1', metadata: {} },
            },
          ],
          products: {
            prod_1: { id: 'prod_1', name: PLANTED.line, metadata: { billing_code: 'A', catalog_number: '1' } },
          },
          charge,
          paymentIntent: { id: `pi_${id}`, status: 'succeeded', latest_charge: charge },
        };
      },
      findSessionOfPaymentIntent: async () => undefined,
      findSessionOfCharge: async () => undefined,
      retrieveRefund: async () => ({}),
      retrieveDispute: async () => ({}),
      listSessions: async function* () {},
    },
    scripts: { target: () => ({ kind: 'script', target }) },
    livemode: false,
  };
}

/** A customer's payments on their way through everything that writes: paid and done, paid twice and settled by a person. */
async function playCustomer(): Promise<{ event: string; done: string; settled: string; day: string }> {
  const zone = 'UTC';
  const day = yesterday(zone);
  const at = paidAt(new Date(`${day}T12:00:00Z`));
  const inbox = createInbox(database);
  const effects = createEffectStore(database);
  const bound = flows.map((flow) => flow.bind(SETTINGS, peersOf(at)));
  const road = createRoad({
    database,
    inbox,
    effects,
    worker: worker.id,
    flows: bound,
    judgeFailure: async () => undefined,
    observe: false,
  });
  const arrive = async (id: string): Promise<string> => {
    const body = {
      id: `evt_${id}`,
      object: 'event',
      type: 'checkout.session.completed',
      livemode: false,
      created: at,
      data: { object: sessionOf(id, at, '18637') },
    };
    const [stored] = await inbox.record([
      {
        source: 'webhook',
        peer: 'stripe',
        eventId: body.id,
        eventType: body.type,
        account: null,
        livemode: false,
        apiVersion: null,
        objectId: body.data.object.id,
        eventCreatedAt: new Date(at * 1_000),
        body: Buffer.from(JSON.stringify(body), 'utf8'),
        ignoredBecause: null,
      },
    ]);
    if (stored === undefined) throw new Error('nothing was stored');
    const ending = await road.turn(stored.id);
    if (ending.kind !== 'processed') throw new Error(`the event of ${id} ended as ${JSON.stringify(ending)}`);
    return stored.id;
  };
  const event = await arrive('first');
  await arrive('second');
  const [done, second] = await rows<{ id: string }>(
    database.executor,
    sql`select id from effects.effects order by effects.id`,
  );
  if (done === undefined || second === undefined) throw new Error('two effects were expected');

  // The first sending is refused with a sentence, the second answers with one.
  const answers = [
    { ok: false, code: `${PLANTED.answer}, code`, ran: false, message: PLANTED.answer },
    { ok: true, code: 0, note: PLANTED.answer, name: PLANTED.name },
  ];
  const engine = createEffectEngine({
    store: effects,
    worker: worker.id,
    closedBecause: async () => undefined,
    performers: [
      {
        kind: 'filemaker-script',
        scopes: () => ['filemaker'],
        recheck: async () => ({ kind: 'fine' }),
        crossCheck: async () => ({ kind: 'not-there' }),
        prepare: async (effect) => ({
          kind: 'ready',
          sessionId: '1/1',
          send: async () => {
            const said = { scriptError: '0', scriptResult: JSON.stringify({ ...answers.shift(), key: effect.key }) };
            const judged = judgeScriptAnswer(said, { contract: 'kit', key: effect.key });
            if (judged.verdict === 'done') return { kind: 'done', verified: true, result: judged.result };
            return { kind: 'unknown', code: judged.code, message: judged.message ?? judged.code };
          },
          release: async () => undefined,
        }),
      },
    ],
  });
  for (let turn = 0; turn < 2; turn += 1) {
    await database.executor.execute(sql`update effects.effects set due_at = clock_timestamp()`);
    await engine.turn(done.id);
  }
  const ada = { by: 'cli:ada', why: PLANTED.why };
  await resolveEffect(database, second.id, { as: 'done', ...ada });

  // A person looks for the customer in the wrong place, and settles what reconciliation has found.
  const plan = await askReplay(database, { words: [PLANTED.email, 'cs_test_first'] }, ada);
  await database.executor.execute(
    sql`insert into operations.replay_items (plan_id, word, object_id, event_type, object, livemode, looked_at, verdict, bodies)
        values (${plan}, ${PLANTED.email}, 'cs_test_first', 'checkout.session.completed', '{"id":"cs_test_first"}'::jsonb, false,
          clock_timestamp(), 'already-applied', ${JSON.stringify({ 'invoice-paid:cs_test_first': PLANTED.name })}::jsonb)`,
  );
  await cancelReplay(database, plan, ada);
  const inVain = await askReplay(database, { words: [PLANTED.email] }, ada);
  await addUnfoundWord(database.executor, inVain, PLANTED.email, 'No flow that is on knows ids of this kind');
  await cancelReplay(database, inVain, ada);
  await resolveEffect(database, PLANTED.email, { as: 'again', ...ada });
  const runs = createRuns(database);
  const wanted = await runs.want({
    flow: 'invoices',
    pass: 'nightly',
    askedBy: 'cli:ada',
    mode: 'act',
    since: new Date(at * 1_000),
    until: new Date(at * 1_000 + 60_000),
  });
  const claim = await runs.claim(wanted.id, worker.id);
  if (claim.kind !== 'claimed') throw new Error('the run could not be claimed');
  const peers = peersOf(at);
  const listed = {
    ...sessionOf('first', at, '18637'),
    payment_intent: { id: 'pi_first', status: 'succeeded', latest_charge: null },
  };
  const reading: FlowPeers = {
    ...peers,
    recovery: {
      listSessions: async function* () {
        yield [listed];
      },
      findSession: async () => undefined,
      findSessionOfPaymentIntent: async () => undefined,
      findReversal: async () => undefined,
      listReversals: async function* () {},
      listRefunds: async () => [],
      listDisputes: async () => [],
      announcedSince: async () => new Set(),
      readLog: async (questions) =>
        new Map(questions.map(({ key }) => [key, { kind: 'told', states: [PLANTED.logState] }])),
    },
  };
  await database.executor.execute(sql`update flow_invoices.payments set updated_at = updated_at - interval '1 hour'`);
  const nightly = flows[0]?.bind(SETTINGS, reading).passes.find(({ name }) => name === 'nightly');
  const pages = nightly?.run(
    { since: new Date(at * 1_000 - 1_000), until: new Date(at * 1_000 + 60_000) },
    {
      executor: database.executor,
      cursor: undefined,
      recoverFrom: new Date(0),
      observing: false,
      inHand: async () => new Set<string>(),
    },
  );
  for await (const page of pages ?? [])
    await commitPage(database, inbox, claim.run, { ...page, stripeCalls: 1, filemakerFinds: 1 });
  await runs.finish(claim.run);
  const findings = await rows<{ id: string }>(
    database.executor,
    sql`select id from reconciliation.findings where object_id = 'cs_test_first'`,
  );
  if (findings.length === 0) throw new Error('a finding was expected');
  for (const { id } of findings) await acceptFinding(database, id, ada);
  const closing = await closeDay(
    { database, flows, timeZone: zone, by: 'cli:ada', recipients: ['books@shop.example'] },
    day,
  );
  if (closing.kind !== 'closed') throw new Error(`the day was not closed: ${closing.reason}`);
  return { event, done: done.id, settled: second.id, day };
}

/** Every row of every table, with what its bytes say. */
async function dump(): Promise<{ table: string; text: string }[]> {
  const tables = await rows<{ name: string }>(
    database.executor,
    sql`select format('%I.%I', table_schema, table_name) as name from information_schema.tables
        where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const all: { table: string; text: string }[] = [];
  for (const { name } of tables) {
    const found = await rows<{ row: Record<string, unknown> }>(
      database.executor,
      sql`select to_jsonb(t) as row from ${sql.raw(name)} t`,
    );
    for (const { row } of found) {
      const text = JSON.stringify(row);
      const bytes = [...text.matchAll(/\\\\x([0-9a-f]+)/g)].map(([, hex = '']) =>
        Buffer.from(hex, 'hex').toString('utf8'),
      );
      all.push({ table: name, text: [text, ...bytes].join('\n') });
    }
  }
  return all;
}
async function whereFound(): Promise<string[]> {
  const all = await dump();
  const found = Object.entries(PLANTED).flatMap(([what, text]) => {
    const escaped = JSON.stringify(text).slice(1, -1);
    const hits = all.filter((row) => row.text.toLowerCase().includes(text.toLowerCase()) || row.text.includes(escaped));
    return hits.map(({ table }) => `${what} in ${table}`);
  });
  return [...new Set(found)].sort();
}

/** What proves and sums. */
async function proofs() {
  const { executor } = database;
  return {
    effects: await rows(
      executor,
      sql`select id, key, lane, title, state, verified, attempts, subject, target, settled_at, result -> 'resolvedBy' as by from effects.effects order by effects.id`,
    ),
    attempts: await rows(executor, sql`select * from effects.attempts order by id`),
    payments: await rows(executor, sql`select * from flow_invoices.payments order by checkout_session_id`),
    findings: await rows(
      executor,
      sql`select id, class, object_id, amount, currency, state, accepted_by, accepted_at from reconciliation.findings order by findings.id`,
    ),
    acts: await rows(
      executor,
      sql`select id, at, who, action, outcome, detail from operations.audit order by audit.id`,
    ),
    days: await rows(executor, sql`select * from operations.days`),
    chain: await verifyDays(database),
    proof: await proveId(
      {
        database,
        flows,
        timeZone: 'UTC',
        now: () => new Date(0),
      },
      'cs_test_first',
    ),
  };
}

const readAudit = () => rows(database.executor, sql`select * from operations.audit order by audit.id`);

function nightlyErasing(bodyDays: number): Promise<unknown> {
  const run = createRounds({
    database,
    inbox: createInbox(database),
    effects: createEffectStore(database),
    watermarks: createEventWatermarks(database),
    logger: createLogger({ name: 'test', level: 'silent' }),
    fetch: {
      delivery: 'pull',
      listEvents: async function* () {},
      wants: new Set(),
      livemode: false,
      witness: { read: async () => null, write: async () => undefined },
      takeDuty: async () => true,
      dropDuty: async () => undefined,
    },
    from: () => new Date(),
    find: async () => ({ kind: 'asked', value: { rows: [], sentinelFound: false, cutShort: false } }),
    closedBecause: async () => undefined,
    judgeStripe: async () => undefined,
    bodyDays,
    closeDays: async () => ({ kind: 'finished' }),
  });
  return run({ task: 'erase-bodies' });
}

const acts = (proved: Awaited<ReturnType<typeof proofs>>) => ({
  ...proved,
  proof: 'timeline' in proved.proof ? proved.proof.verdicts : proved.proof,
});

test('after a night bodies, payloads and answers name no customer of before, and the record of who did what and why is whole', async () => {
  const { done } = await playCustomer();
  const before = await whereFound();
  expect(before).toEqual(
    expect.arrayContaining(['name in inbox.events', 'name in effects.effects', 'answer in effects.effects']),
  );
  expect(before).toEqual(
    expect.arrayContaining([
      'why in operations.audit',
      'why in operations.replay_plans',
      'why in reconciliation.findings',
    ]),
  );
  const proved = acts(await proofs());
  const audit = await readAudit();
  await nightlyErasing(90);
  expect(await whereFound()).toEqual(before);

  await nightlyErasing(-1);
  await eraseReplayBodies(database.executor, 0);
  const whatPeopleTyped = before.filter((found) =>
    /^(why|word|email) in (operations[.](audit|replay_)|reconciliation[.]findings)/.test(found),
  );
  expect(await whereFound()).toEqual(whatPeopleTyped);
  expect(await readAudit()).toEqual(audit);
  expect(acts(await proofs())).toEqual(proved);
  const { rows: digests } = await database.executor.execute(
    sql`select body is null as erased, octet_length(body_sha256) as digest, result from effects.effects where id = ${done}`,
  );
  expect(digests).toEqual([{ erased: true, digest: 32, result: null }]);
  expect(proved.chain).toMatchObject({ checked: 1, broken: null });
});

const relatedIds = async (id: string): Promise<string[]> => {
  const found = await Promise.all(flows.map((flow) => flow.records.find(database.executor, id)));
  return found.flat().flatMap((fact) => [fact.id, ...fact.relatedIds]);
};

test('a customer who is forgotten stands in no table any more, not even in what people typed about the payments', async () => {
  await playCustomer();
  const proved = acts(await proofs());
  const forgotten = await forgetCustomer(database, PLANTED.email, {
    by: 'cli:ada',
    why: 'ticket 812',
    relatedIds,
  });
  expect(forgotten).toMatchObject({ kind: 'forgotten', events: 2, effects: 2 });
  expect(await whereFound()).toEqual([]);
  expect({ ...acts(await proofs()), acts: [] }).toEqual({ ...proved, acts: [] });
});

test('a customer whose bodies a night has erased is forgotten by the Checkout Session, with what people typed about it', async () => {
  await playCustomer();
  await nightlyErasing(-1);
  await eraseReplayBodies(database.executor, 0);
  const ticket = { by: 'cli:ada', why: 'ticket 812', relatedIds };
  for (const session of ['cs_test_first', 'cs_test_second'])
    expect(await forgetCustomer(database, session, ticket)).toMatchObject({ kind: 'forgotten' });
  // The address that was typed in the place of an id leads nowhere but to itself.
  expect(await whereFound()).toEqual([
    'email in operations.audit',
    'email in operations.replay_items',
    'email in operations.replay_plans',
    'why in operations.audit',
    'why in operations.replay_plans',
  ]);
  expect(await forgetCustomer(database, PLANTED.email, ticket)).toMatchObject({ kind: 'forgotten' });
  expect(await whereFound()).toEqual([]);
  expect(await forgetCustomer(database, PLANTED.email, ticket)).toMatchObject({
    kind: 'refused',
    code: 'CUSTOMER_NOT_FOUND',
  });
});
