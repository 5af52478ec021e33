import { createDatabase, type Database, migrate } from '@bridge/database';
import { effectsMigrations } from '@bridge/effects';
import type { ReconcileContext, ReconcilePage } from '@bridge/flow';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { invoices } from '../flow';
import { type PaymentRow, writePayment } from '../ledger';
import { FileMakerNotAskedError, type InvoicesPeers, type InvoicesRecovery, type LogTold } from '../ports';

let database: Database;
let end: () => Promise<void>;
beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [effectsMigrations, invoices.migrations]);
  database = createDatabase({ url: created.url, poolMax: 4, applicationName: 'passes-test' });
  end = async () => {
    await database.close();
    await created.drop();
  };
});
beforeEach(() =>
  database.executor.execute(
    sql`truncate flow_invoices.payments, flow_invoices.reversals, effects.attempts, effects.effects`,
  ),
);
afterAll(() => end());

const SETTINGS = {
  invoiceIdKeys: ['metadata.invoice_id'],
  instalments: 'park',
  payload: { fields: 'full', unit_price: 'unit', shipping_item: { code: '', catalog_number: '' } },
};
const HOUR = 3_600;
/** Seconds since 1970; hours ago, so that nothing is too young. */
const BASE = Math.floor(Date.now() / 1_000) - 10 * HOUR;
const WINDOW = { since: new Date((BASE - HOUR) * 1_000), until: new Date((BASE + HOUR) * 1_000) };
const PAGE = 3;

interface Sold {
  id: string;
  created?: number;
  paid?: boolean;
  invoice?: string;
  amount?: number;
  refunded?: number;
  disputed?: boolean;
}

/** A Checkout Session as a list brings it. */
function listed({
  id,
  created = BASE,
  paid = true,
  invoice = id,
  amount = 18_000,
  refunded = 0,
  disputed = false,
}: Sold) {
  return {
    id: `cs_${id}`,
    object: 'checkout.session',
    mode: 'payment',
    status: 'complete',
    payment_status: paid ? 'paid' : 'unpaid',
    amount_total: amount,
    currency: 'usd',
    livemode: false,
    created,
    metadata: { invoice_id: invoice },
    payment_intent: {
      id: `pi_${id}`,
      object: 'payment_intent',
      status: paid ? 'succeeded' : 'processing',
      latest_charge: {
        id: `ch_${id}`,
        object: 'charge',
        created,
        captured: paid,
        amount_refunded: refunded,
        disputed,
      },
    },
  };
}

/** A refund or dispute as its own list brings it. */
interface Made {
  kind: 'refund' | 'dispute';
  id: string;
  payment_intent: string;
  amount: number;
  currency: string;
  status: string;
  created: number;
}

interface Asked {
  lists: number;
  singly: string[];
  /** PaymentIntents whose Session was looked up, and refunds and disputes that were asked for by their ids. */
  strangers: string[];
  reversals: string[];
  refunds: string[];
  /** Of which kind each page was that was listed. */
  made: Made['kind'][];
  logs: string[][];
  announcedSince: Date[];
}

function stripe(
  sold: readonly Sold[],
  rest: {
    announced?: readonly string[];
    log?: (key: string) => LogTold;
    unlisted?: readonly Sold[];
    away?: boolean;
    made?: readonly Made[];
    /** Refunds or disputes on one page of their list. */
    page?: number;
  } = {},
) {
  const { page: madePage = PAGE } = rest;
  const asked: Asked = {
    lists: 0,
    singly: [],
    strangers: [],
    reversals: [],
    refunds: [],
    made: [],
    logs: [],
    announcedSince: [],
  };
  // As Stripe: newest first, and among those of one second in an order that stays.
  const all = sold.map(listed).sort((a, b) => b.created - a.created);
  const recovery: InvoicesRecovery = {
    listSessions: async function* ({ since, until, olderThan }) {
      const inside = all.filter(
        ({ created }) => created * 1_000 >= since.getTime() && created * 1_000 < until.getTime(),
      );
      let at = olderThan === undefined ? 0 : inside.findIndex(({ id }) => id === olderThan) + 1;
      do {
        asked.lists += 1;
        const page = inside.slice(at, at + PAGE);
        at += PAGE;
        if (page.length > 0) yield page;
      } while (at < inside.length);
    },
    findSession: async (id) => {
      asked.singly.push(id);
      const found = [...all, ...(rest.unlisted ?? []).map(listed)].find((one) => one.id === id);
      if (found === undefined) return undefined;
      const { payment_intent: paymentIntent, ...session } = found;
      return {
        session: { ...session, payment_intent: paymentIntent.id },
        lineItems: [],
        products: {},
        paymentIntent,
        charge: paymentIntent.latest_charge,
      };
    },
    findSessionOfPaymentIntent: async (id) => {
      asked.strangers.push(id);
      return [...all, ...(rest.unlisted ?? []).map(listed)].find((one) => one.payment_intent.id === id)?.id;
    },
    findReversal: async (kind, id) => {
      asked.reversals.push(id);
      return rest.made?.find((one) => one.kind === kind && one.id === id);
    },
    listReversals: async function* (kind, { since, olderThan }) {
      const made = (rest.made ?? [])
        .filter((one) => one.kind === kind)
        .filter(({ created }) => created * 1_000 >= since.getTime())
        .map(({ kind: _kind, ...one }) => one);
      const at = olderThan === undefined ? 0 : made.findIndex(({ id }) => id === olderThan) + 1;
      for (let from = at; from < made.length; from += madePage) {
        asked.lists += 1;
        asked.made.push(kind);
        yield made.slice(from, from + madePage);
      }
    },
    listRefunds: async (paymentIntentId) => {
      asked.refunds.push(paymentIntentId);
      const own = rest.made?.filter((one) => one.kind === 'refund' && one.payment_intent === paymentIntentId) ?? [];
      if (own.length > 0) return own;
      const found = all.find(({ payment_intent }) => payment_intent.id === paymentIntentId);
      const amount = found?.payment_intent.latest_charge.amount_refunded ?? 0;
      return amount === 0
        ? []
        : [
            {
              id: `re_${paymentIntentId}`,
              amount,
              currency: 'usd',
              status: 'succeeded',
              created: BASE,
              payment_intent: paymentIntentId,
            },
          ];
    },
    listDisputes: async (paymentIntentId) =>
      rest.made?.filter((one) => one.kind === 'dispute' && one.payment_intent === paymentIntentId) ?? [],
    announcedSince: async (since) => {
      asked.announcedSince.push(since);
      return new Set(rest.announced ?? []);
    },
    readLog: async (questions) => {
      if (rest.away === true) throw new FileMakerNotAskedError('FILEMAKER_UNAVAILABLE', 'away', 1_000);
      asked.logs.push(questions.map(({ key }) => key));
      return new Map(
        questions.map(({ key }) => [key, (rest.log ?? (() => ({ kind: 'told', states: ['done'] })))(key)]),
      );
    },
  };
  return { asked, recovery };
}

function run(
  pass: string,
  recovery: InvoicesRecovery,
  over: Partial<ReconcileContext> & { settings?: Record<string, unknown>; window?: typeof WINDOW } = {},
): AsyncIterable<ReconcilePage> {
  const { settings, window = WINDOW, ...context } = over;
  const peers = {
    scripts: { target: () => undefined },
    livemode: false,
    recovery,
  } as unknown as InvoicesPeers;
  const bound = invoices.bind({ ...SETTINGS, ...settings }, peers).passes.find(({ name }) => name === pass);
  if (bound === undefined) throw new Error(`no pass ${pass}`);
  return bound.run(window, {
    executor: database.executor,
    cursor: undefined,
    recoverFrom: new Date(0),
    observing: false,
    inHand: async () => new Set(),
    ...context,
  });
}
async function collect(pages: AsyncIterable<ReconcilePage>): Promise<ReconcilePage[]> {
  const all: ReconcilePage[] = [];
  for await (const page of pages) all.push(page);
  return all;
}
const found = (pages: readonly ReconcilePage[]): string[] =>
  pages.flatMap(({ findings }) => findings.map((one) => `${one.class} ${one.objectId}`)).sort();
const sums = (pages: readonly ReconcilePage[]) => ({
  listed: pages.reduce((sum, page) => sum + page.listed, 0),
  checked: pages.reduce((sum, page) => sum + page.checked, 0),
  unasked: pages.reduce((sum, page) => sum + page.unasked, 0),
});

/** Recorded long ago, so that a difference is not taken for a race. */
async function recorded(id: string, over: Partial<PaymentRow> = {}, fresh = false): Promise<void> {
  const born = new Date(BASE * 1_000);
  await writePayment(database.executor, {
    checkoutSessionId: `cs_${id}`,
    paymentIntentId: `pi_${id}`,
    chargeId: `ch_${id}`,
    invoiceId: id,
    amountTotal: 18_000,
    currency: 'usd',
    livemode: false,
    status: 'paid',
    parkedCode: undefined,
    parkedEvent: undefined,
    effectKey: (over.status ?? 'paid') === 'paid' ? `invoice-paid:cs_${id}` : undefined,
    paidAt: born,
    sessionCreatedAt: born,
    ...over,
  });
  if (!fresh) {
    await database.executor.execute(
      sql`update flow_invoices.payments set first_seen = first_seen - interval '9 hours', updated_at = updated_at - interval '9 hours'
          where checkout_session_id = ${`cs_${id}`}`,
    );
  }
}
async function effect(
  id: string,
  state: 'done' | 'planned' | 'parked',
  reasonCode: string | null = null,
): Promise<void> {
  await database.executor.execute(
    sql`insert into effects.effects (kind, flow, key, title, target, subject, origin, state, reason_code, verified, settled_at, planned_at)
        values ('filemaker-script', 'invoices', ${`invoice-paid:cs_${id}`}, 'Mark it paid', '{"log":{}}'::jsonb, '{}'::jsonb, 'webhook', ${state},
          ${reasonCode}, ${state === 'done' ? true : null}, ${state === 'done' ? new Date().toISOString() : null}::timestamptz,
          clock_timestamp() - interval '9 hours')`,
  );
}
async function applied(id: string, over: Partial<PaymentRow> = {}): Promise<void> {
  await recorded(id, over);
  await effect(id, 'done');
}

test('both ways: what Stripe lists is compared, and what of ours it did not list is asked for by its id', async () => {
  for (const id of ['a', 'b', 'c']) await applied(id);
  await recorded('gone');
  await recorded('born-elsewhere', { sessionCreatedAt: new Date((BASE + 5) * 1_000) });
  await effect('born-elsewhere', 'done');
  const sold = [{ id: 'a' }, { id: 'b', amount: 17_000 }, { id: 'c' }, { id: 'missed' }];
  const { asked, recovery } = stripe(sold, { unlisted: [{ id: 'born-elsewhere', created: BASE - 100_000 }] });
  const pages = await collect(run('nightly', recovery));
  expect(found(pages)).toEqual([
    'amount-differs cs_b',
    'paid-not-recorded cs_missed',
    'recorded-not-at-stripe cs_gone',
  ]);
  expect(asked.singly.sort()).toEqual(['cs_born-elsewhere', 'cs_gone']);
  expect(asked.lists).toBe(2);
  expect(sums(pages)).toEqual({ listed: 6, checked: 6, unasked: 0 });
});

test('wherever a run is broken off it goes on behind its last page: each Session is listed and found once, none is skipped', async () => {
  // Seconds with one, two and eight Sessions, across pages of three.
  const seconds = [0, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 5, 5, 9];
  const sold = seconds.map((second, n) => ({ id: `s${n}`, created: BASE + second }));
  for (const [n, one] of sold.entries())
    if (n % 3 !== 0) await applied(one.id, { sessionCreatedAt: new Date(one.created * 1_000) });
  for (const second of [0, 2, 4, 9, -500])
    await recorded(`gone${second}`, { sessionCreatedAt: new Date((BASE + second) * 1_000) });
  const expected = [
    ...sold.filter((_, n) => n % 3 === 0).map(({ id }) => `paid-not-recorded cs_${id}`),
    ...[0, 2, 4, 9, -500].map((second) => `recorded-not-at-stripe cs_gone${second}`),
  ].sort();
  const whole = await collect(run('nightly', stripe(sold).recovery));
  expect(found(whole)).toEqual(expected);
  expect(sums(whole)).toMatchObject({ listed: 20, checked: 20 });
  for (let breakAfter = 1; breakAfter <= whole.length; breakAfter += 1) {
    const { asked, recovery } = stripe(sold);
    const before: ReconcilePage[] = [];
    for await (const page of run('nightly', recovery)) {
      before.push(JSON.parse(JSON.stringify(page)) as ReconcilePage);
      if (before.length === breakAfter) break;
    }
    const cursor = before.at(-1)?.cursor;
    const after = await collect(run('nightly', recovery, { cursor }));
    expect([breakAfter, found([...before, ...after])]).toEqual([breakAfter, expected]);
    expect(sums([...before, ...after])).toMatchObject({ listed: 20, checked: 20 });
    expect(new Set(asked.singly).size).toBe(asked.singly.length);
    expect(asked.singly.every((id) => id.startsWith('cs_gone'))).toBe(true);
  }
});

test('an empty list still asks about every payment of ours in the window, and of no other window or mode', async () => {
  await recorded('inside');
  await recorded('before', { sessionCreatedAt: new Date((BASE - 2 * HOUR) * 1_000) });
  await recorded('after', { sessionCreatedAt: new Date((BASE + HOUR) * 1_000) });
  await recorded('live', { livemode: true });
  const { asked, recovery } = stripe([]);
  expect(found(await collect(run('recent', recovery)))).toEqual(['recorded-not-at-stripe cs_inside']);
  expect(asked.singly).toEqual(['cs_inside']);
});

test('what is in hand, and what was written a moment ago and differs, is left alone; what agrees is not', async () => {
  await recorded('fresh-and-wrong', { amountTotal: 1 }, true);
  await effect('fresh-and-wrong', 'done');
  await recorded('fresh-and-right', {}, true);
  await effect('fresh-and-right', 'done');
  const { recovery } = stripe([
    { id: 'fresh-and-wrong' },
    { id: 'fresh-and-right' },
    { id: 'session-in-hand' },
    { id: 'intent-in-hand' },
  ]);
  const inHand = async () => new Set(['cs_session-in-hand', 'pi_intent-in-hand']);
  const pages = await collect(run('nightly', recovery, { inHand }));
  expect(found(pages)).toEqual([]);
  expect(sums(pages)).toMatchObject({ listed: 4, checked: 1 });
  const judged = pages.flatMap(({ compared }) => compared.flatMap(({ objectIds }) => objectIds));
  expect(judged).toEqual(['cs_fresh-and-right']);
});

test('an effect that ends between the look at our records and FileMaker’s word is left alone', async () => {
  await recorded('racing');
  await effect('racing', 'parked', 'LOG_NOT_DONE');
  const { recovery } = stripe([{ id: 'racing' }]);
  const raced: InvoicesRecovery = {
    ...recovery,
    readLog: async (questions) => {
      await database.executor.execute(
        sql`update effects.effects set state = 'done', verified = true, settled_at = clock_timestamp(), reason_code = null`,
      );
      return recovery.readLog(questions);
    },
  };
  const pages = await collect(run('nightly', raced));
  expect(found(pages)).toEqual([]);
  expect(sums(pages)).toMatchObject({ listed: 1, checked: 0 });
});

test('money of the last ten minutes is left to its webhook', async () => {
  const now = Math.floor(Date.now() / 1_000);
  const { recovery } = stripe([
    { id: 'young', created: now - 300 },
    { id: 'old', created: now - 900 },
  ]);
  const peers = {
    scripts: { target: () => undefined },
    livemode: false,
    recovery,
  } as unknown as InvoicesPeers;
  const recent = invoices.bind(SETTINGS, peers).passes.find(({ name }) => name === 'recent');
  const window = { since: new Date((now - HOUR) * 1_000), until: new Date((now - 60) * 1_000) };
  const pages = await collect(
    recent?.run(window, {
      executor: database.executor,
      cursor: undefined,
      recoverFrom: new Date(0),
      observing: false,
      inHand: async () => new Set(),
    }) ?? (async function* () {})(),
  );
  expect(found(pages)).toEqual(['paid-not-recorded cs_old']);
  expect(sums(pages)).toMatchObject({ listed: 2, checked: 1 });
});

test('the frequent pass asks FileMaker only about what looks untold, the thorough one about every payment', async () => {
  await applied('fine');
  await recorded('parked');
  await effect('parked', 'parked', 'LOG_NOT_DONE');
  const sold = [{ id: 'fine' }, { id: 'parked' }, { id: 'missed' }];
  const recent = stripe(sold);
  expect(found(await collect(run('recent', recent.recovery)))).toEqual([
    'done-in-filemaker-not-here cs_parked',
    'paid-not-recorded cs_missed',
  ]);
  expect(recent.asked.logs).toEqual([['invoice-paid:cs_parked']]);
  const nightly = stripe(sold);
  await collect(run('nightly', nightly.recovery));
  expect(nightly.asked.logs.flat().sort()).toEqual([
    'invoice-paid:cs_fine',
    'invoice-paid:cs_missed',
    'invoice-paid:cs_parked',
  ]);
});

test('while FileMaker is away the frequent pass goes on without it, and the thorough one waits', async () => {
  await recorded('parked');
  await effect('parked', 'parked', 'LOG_NOT_DONE');
  const { recovery } = stripe([{ id: 'parked' }], { away: true });
  const pages = await collect(run('recent', recovery));
  expect(found(pages)).toEqual(['paid-not-applied cs_parked']);
  expect(sums(pages)).toEqual({ listed: 1, checked: 1, unasked: 1 });
  await expect(collect(run('nightly', recovery))).rejects.toMatchObject({ code: 'FILEMAKER_UNAVAILABLE' });
});

test('a log that cannot be asked is counted, and closes nothing that only the log can show', async () => {
  await applied('a');
  const { recovery } = stripe([{ id: 'a' }], { log: () => ({ kind: 'unasked', because: 'SENTINEL_MISSING' }) });
  const pages = await collect(run('nightly', recovery));
  expect(found(pages)).toEqual([]);
  expect(sums(pages)).toEqual({ listed: 1, checked: 1, unasked: 1 });
  const judged = pages.flatMap(({ compared }) => compared).filter(({ objectIds }) => objectIds.includes('cs_a'));
  expect(judged.map(({ classes }) => classes.includes('applied-not-in-filemaker'))).toEqual([false]);
});

test('refunds are read one by one only where the sums differ, and each is judged under its own id', async () => {
  for (const id of ['a', 'b']) await applied(id);
  const { asked, recovery } = stripe([{ id: 'a' }, { id: 'b', refunded: 5_000 }]);
  const pages = await collect(run('recent', recovery));
  expect(found(pages)).toEqual(['refund-not-recorded re_pi_b']);
  expect(asked.refunds).toEqual(['pi_b']);
  const judged = pages.flatMap(({ compared }) => compared.flatMap(({ objectIds }) => objectIds));
  expect(judged.sort()).toEqual(['cs_a', 'cs_b', 're_pi_b']);
});

test('two paid Sessions of one invoice: the second is told, unless the first was cancelled by a person', async () => {
  await applied('first', { invoiceId: '7' });
  const later = new Date((BASE + 9) * 1_000);
  await recorded('second', { invoiceId: '7', paidAt: later, sessionCreatedAt: later });
  await effect('second', 'parked', 'second-payment');
  const sold = [
    { id: 'first', invoice: '7' },
    { id: 'second', invoice: '7', created: BASE + 9 },
  ];
  const log = (key: string): LogTold => ({ kind: 'told', states: key.endsWith('first') ? ['done'] : [] });
  expect(found(await collect(run('nightly', stripe(sold, { log }).recovery)))).toEqual(['paid-twice cs_second']);
  await database.executor.execute(
    sql`update effects.effects set state = 'cancelled', verified = null, result = '{"resolvedBy":"cli:ada"}'::jsonb where key = 'invoice-paid:cs_first'`,
  );
  const none = { log: (): LogTold => ({ kind: 'told', states: [] }) };
  expect(found(await collect(run('nightly', stripe(sold, none).recovery)))).toEqual(['paid-not-applied cs_second']);
});

test('a Session that cannot be read is a finding of its own and keeps no other from being compared', async () => {
  const { recovery } = stripe([{ id: 'fine' }]);
  const broken = { ...listed({ id: 'odd' }), payment_status: null };
  const mixed: InvoicesRecovery = {
    ...recovery,
    listSessions: async function* () {
      yield [broken, listed({ id: 'fine' })];
    },
  };
  expect(found(await collect(run('recent', mixed)))).toEqual([
    'paid-not-recorded cs_fine',
    'unreadable-at-stripe cs_odd',
  ]);
});

/** Which old payments each of these looks of the pending pass asks Stripe for. */
async function looksAtPending(sold: readonly Sold[], times: readonly number[]): Promise<string[][]> {
  const looks: string[][] = [];
  for (const until of times) {
    const { asked, recovery } = stripe(sold);
    const peers = {
      scripts: { target: () => undefined },
      livemode: false,
      recovery,
    } as unknown as InvoicesPeers;
    const pass = invoices.bind(SETTINGS, peers).passes.find(({ name }) => name === 'pending');
    const pages = pass?.run(
      { since: WINDOW.since, until: new Date(until) },
      {
        executor: database.executor,
        cursor: undefined,
        recoverFrom: new Date(0),
        observing: false,
        inHand: async () => new Set<string>(),
      },
    );
    const all = await collect(pages ?? (async function* () {})());
    if (until === WINDOW.until.getTime()) expect(found(all)).toEqual(['status-differs cs_paid-meanwhile']);
    looks.push(asked.singly);
  }
  return looks;
}

test.each([5, 10, 15, 60])(
  'pending payments are asked for by their ids, the oldest first, each young one every time and each old one in its turn, also every %i minutes',
  async (minutes) => {
    const until = WINDOW.until.getTime();
    const TURNS = 13;
    const age = (old: number) => ({
      status: 'pending' as const,
      effectKey: undefined,
      sessionCreatedAt: new Date(until - old * 60_000),
    });
    await recorded('paid-meanwhile', age(30));
    await recorded('still-pending', age(20));
    await recorded('too-young', age(0.5));
    for (let n = 0; n < 24; n += 1) await recorded(`old-${n}`, age(90 + n));
    const sold: Sold[] = [
      { id: 'paid-meanwhile' },
      ...['still-pending', ...Array.from({ length: 24 }, (_, n) => `old-${n}`)].map((id) => ({ id, paid: false })),
    ];
    const times = Array.from({ length: TURNS }, (_, turn) => until + turn * minutes * 60_000);
    const looks = await looksAtPending(sold, times);
    expect(looks[0]?.slice(-2)).toEqual(['cs_paid-meanwhile', 'cs_still-pending']);
    const old = looks.flat().filter((id) => id.startsWith('cs_old'));
    expect([...new Set(old)]).toHaveLength(24);
    expect(old).toHaveLength(24);
  },
);

test('refunds and disputes are found by when they were made, however old the payment; those of other money are not ours', async () => {
  const longAgo = new Date((BASE - 1_000 * HOUR) * 1_000);
  for (const id of ['a', 'b', 'c', 'd']) await applied(id, { sessionCreatedAt: longAgo, paidAt: longAgo });
  await database.executor.execute(
    sql`insert into flow_invoices.reversals (id, kind, checkout_session_id, amount, currency, status, updated_at) values
          ('re_known', 'refund', 'cs_a', 100, 'usd', 'succeeded', now() - interval '1 hour'),
          ('re_turned', 'refund', 'cs_b', 100, 'usd', 'succeeded', now() - interval '1 hour'),
          ('re_racing', 'refund', 'cs_b', 100, 'usd', 'succeeded', now())`,
  );
  const made = (kind: Made['kind'], id: string, payment: string, status: string, created = BASE): Made => ({
    kind,
    id,
    payment_intent: payment,
    amount: 100,
    currency: 'usd',
    status,
    created,
  });
  const { recovery } = stripe([], {
    made: [
      made('refund', 're_known', 'pi_a', 'succeeded'),
      made('refund', 're_turned', 'pi_b', 'failed'),
      made('refund', 're_racing', 'pi_b', 'failed'),
      made('refund', 're_missed', 'pi_c', 'succeeded'),
      made('refund', 're_foreign', 'pi_of_an_app', 'succeeded'),
      made('refund', 're_young', 'pi_c', 'succeeded', Math.floor(Date.now() / 1_000) - 60),
      made('refund', 're_in_hand', 'pi_c', 'succeeded'),
      made('dispute', 'dp_missed', 'pi_d', 'needs_response'),
    ],
  });
  const inHand = async () => new Set(['re_in_hand']);
  const expected = ['dispute-not-recorded dp_missed', 'refund-not-recorded re_missed', 'refund-not-recorded re_turned'];
  const whole = await collect(run('reversals', recovery, { inHand }));
  expect(found(whole)).toEqual(expected);
  expect(sums(whole)).toEqual({ listed: 8, checked: 5, unasked: 0 });
  const closes = whole
    .flatMap(({ compared }) => compared)
    .filter(({ classes }) => classes.includes('refund-not-recorded'));
  expect(closes.flatMap(({ objectIds }) => objectIds).sort()).toEqual([
    'dp_missed',
    're_known',
    're_missed',
    're_turned',
  ]);
  for (let breakAfter = 1; breakAfter <= whole.length; breakAfter += 1) {
    const before: ReconcilePage[] = [];
    for await (const page of run('reversals', recovery, { inHand })) {
      before.push(page);
      if (before.length === breakAfter) break;
    }
    const after = await collect(run('reversals', recovery, { inHand, cursor: before.at(-1)?.cursor }));
    expect(found([...before, ...after])).toEqual(expected);
    expect(sums([...before, ...after])).toMatchObject({ listed: 8, checked: 5 });
  }
});

/** A refund that was recorded long ago, and how what it led to stands. */
async function refund(
  id: string,
  payment: string,
  state: 'done' | 'planned' | 'parked',
  { amount = 100, currency = 'usd', fact = 'refunded' } = {},
): Promise<void> {
  await database.executor.execute(
    sql`insert into flow_invoices.reversals (id, kind, checkout_session_id, amount, currency, status, updated_at)
        values (${id}, 'refund', ${`cs_${payment}`}, ${amount}, ${currency}, 'succeeded', now() - interval '9 hours') on conflict do nothing`,
  );
  await database.executor.execute(
    sql`insert into effects.effects (kind, flow, key, title, target, subject, origin, state, reason_code, verified, settled_at, planned_at)
        values ('filemaker-script', 'invoices', ${`invoice-${fact}:${id}`}, 'Record a refund', '{"log":{}}'::jsonb, '{}'::jsonb, 'webhook', ${state},
          ${state === 'parked' ? 'LOG_NOT_DONE' : null}, ${state === 'done' ? true : null},
          ${state === 'done' ? new Date().toISOString() : null}::timestamptz, clock_timestamp() - interval '9 hours')`,
  );
}

const LOGS: Record<string, readonly string[]> = {
  re_fine: ['done'],
  re_gone: [],
  re_half: ['started'],
  re_twice: ['done', 'done'],
  re_there: ['done'],
  re_waits: [],
};
const logOf = (key: string): LogTold => ({ kind: 'told', states: LOGS[key.split(':')[1] ?? ''] ?? ['done'] });
const REFUND_FINDINGS = [
  { class: 'applied-not-in-filemaker', objectId: 're_gone', amount: 20, currency: 'jpy', filemakerValue: 'no row' },
  { class: 'done-in-filemaker-not-here', objectId: 're_there', amount: 50, recordedValue: 'parked: LOG_NOT_DONE' },
  { class: 'filemaker-row-not-done', objectId: 're_half', amount: 30, filemakerValue: 'started' },
  { class: 'filemaker-row-twice', objectId: 're_twice', amount: 40, filemakerValue: 'done, done' },
];
async function sixRefunds(): Promise<void> {
  await applied('a');
  await refund('re_fine', 'a', 'done', { amount: 10 });
  await refund('re_gone', 'a', 'done', { amount: 20, currency: 'jpy' });
  await refund('re_half', 'a', 'done', { amount: 30 });
  await refund('re_twice', 'a', 'done', { amount: 40 });
  await refund('re_there', 'a', 'parked', { amount: 50 });
  await refund('re_waits', 'a', 'planned', { amount: 60 });
}
const sorted = (pages: readonly ReconcilePage[]) =>
  pages.flatMap(({ findings }) => findings).sort((one, other) => (one.class < other.class ? -1 : 1));

test('the nightly pass compares FileMaker’s log about refunds too, each under its own id and with its own money', async () => {
  await sixRefunds();
  const { asked, recovery } = stripe([{ id: 'a', refunded: 210 }], { log: logOf });
  const pages = await collect(run('nightly', { ...recovery, listRefunds: async () => [] }));
  expect(sorted(pages)).toMatchObject(REFUND_FINDINGS);
  expect(sorted(pages)).toHaveLength(REFUND_FINDINGS.length);
  expect(asked.logs).toHaveLength(1);
  expect(sums(pages)).toEqual({ listed: 1, checked: 1, unasked: 0 });
  const closes = pages.flatMap(({ compared }) => compared).filter(({ objectIds }) => objectIds.includes('re_gone'));
  expect(closes.map(({ classes }) => classes.includes('applied-not-in-filemaker'))).toEqual([true]);
});

test('the pass over refunds and disputes asks FileMaker about them however old the payment is, and goes on where it is away', async () => {
  await sixRefunds();
  const made: Made[] = Object.keys(LOGS).map((id, n) => ({
    kind: 'refund',
    id,
    payment_intent: 'pi_a',
    // As sixRefunds records them.
    amount: 10 * (n + 1),
    currency: id === 're_gone' ? 'jpy' : 'usd',
    status: 'succeeded',
    created: BASE,
  }));
  const { recovery } = stripe([], { made, log: logOf });
  expect(sorted(await collect(run('reversals', recovery)))).toMatchObject(REFUND_FINDINGS);
  const away = await collect(run('reversals', stripe([], { made, away: true }).recovery));
  expect(found(away)).toEqual([]);
  expect(sums(away)).toEqual({ listed: 6, checked: 6, unasked: 6 });
  expect(
    away.flatMap(({ compared }) => compared.flatMap(({ objectIds, classes }) => (objectIds.length > 0 ? classes : []))),
  ).not.toContain('applied-not-in-filemaker');
});

test('a refund that FileMaker has no log for is no finding and is not counted as unasked; a log that hides is', async () => {
  await applied('a');
  await refund('re_1', 'a', 'done');
  const told = (because: 'NO_LOG' | 'SENTINEL_MISSING') =>
    stripe([{ id: 'a', refunded: 100 }], {
      log: (key): LogTold =>
        key.includes('refunded') ? { kind: 'unasked', because } : { kind: 'told', states: ['done'] },
    });
  const none = await collect(run('nightly', told('NO_LOG').recovery));
  const hidden = await collect(run('nightly', told('SENTINEL_MISSING').recovery));
  expect([found(none), sums(none).unasked]).toEqual([[], 0]);
  expect([found(hidden), sums(hidden).unasked]).toEqual([[], 1]);
});

test('a refund that a person has settled stands against the log', async () => {
  await applied('a');
  await refund('re_1', 'a', 'done');
  await database.executor.execute(
    sql`update effects.effects set result = '{"resolvedBy":"cli:ada"}'::jsonb where key = 'invoice-refunded:re_1'`,
  );
  const { recovery } = stripe([{ id: 'a', refunded: 100 }], {
    log: (key): LogTold => ({ kind: 'told', states: key.includes('refunded') ? [] : ['done'] }),
  });
  const pages = await collect(run('nightly', recovery));
  expect(found(pages)).toEqual([]);
  expect(pages.flatMap(({ compared }) => compared.flatMap(({ byPerson }) => byPerson ?? []))).toContain('re_1');
});

test('a finding whose payment lies in no window any more is looked at again by its id, also after a kill, and the frequent pass leaves it', async () => {
  const longAgo = BASE - 1_000 * HOUR;
  const old = Array.from({ length: 25 }, (_, at) => `old${at}`);
  for (const id of old) await applied(id, { sessionCreatedAt: new Date(longAgo * 1_000) });
  await refund('re_old', 'old24', 'done');
  const sold = old.map((id) => ({ id, created: longAgo }));
  const objects = [...old.slice(0, 24).map((id) => `cs_${id}`), 're_old'];
  const openObjects = async (limit: number) => objects.slice(0, limit);
  const made: Made[] = [
    {
      kind: 'refund',
      id: 're_old',
      payment_intent: 'pi_old24',
      amount: 100,
      currency: 'usd',
      status: 'succeeded',
      created: longAgo,
    },
  ];
  const { asked, recovery } = stripe(sold, { made });
  const pages = await collect(run('nightly', recovery, { openObjects }));
  expect(found(pages)).toEqual([]);
  // The refund is looked at beside its payment.
  expect(sums(pages)).toEqual({ listed: 26, checked: 26, unasked: 0 });
  expect(asked.reversals).toEqual(['re_old']);
  const closed = pages.flatMap(({ compared }) => compared.flatMap(({ objectIds }) => objectIds));
  expect(closed).toEqual(expect.arrayContaining([...objects]));
  expect(asked.singly).toHaveLength(25);

  asked.singly.length = 0;
  const [first] = await collect(run('nightly', recovery, { openObjects }));
  await collect(run('nightly', recovery, { openObjects: async () => [], cursor: first?.cursor }));
  expect(new Set(asked.singly).size).toBe(25);
  asked.singly.length = 0;
  await collect(run('recent', recovery, { openObjects }));
  await collect(run('nightly', recovery));
  expect(asked.singly).toEqual([]);
});

test('a bank debit that succeeds after its Session has left every window is found by its id, also when each of its webhooks was lost', async () => {
  const longAgo = BASE - 16 * 24 * HOUR;
  // While its Session is still in a window the debit is under way, and nobody has heard of it.
  const window = { since: new Date((longAgo - HOUR) * 1_000), until: new Date((longAgo + HOUR) * 1_000) };
  const debit = { id: 'debit', created: longAgo };
  const seen = await collect(run('nightly', stripe([{ ...debit, paid: false }]).recovery, { window }));
  expect(found(seen)).toEqual(['under-way-not-recorded cs_debit']);
  expect(seen.flatMap(({ findings }) => findings.map(({ amount, replay }) => [amount, replay?.eventType]))).toEqual([
    [0, 'checkout.session.completed'],
  ]);
  // What the replayed event writes down; from then on nothing says that the money has come.
  const born = new Date(longAgo * 1_000);
  await recorded('debit', { status: 'pending', effectKey: undefined, paidAt: born, sessionCreatedAt: born });
  expect(found(await collect(run('nightly', stripe([debit]).recovery)))).toEqual([]);
  const everyTurn = Array.from({ length: 97 }, (_, turn) => WINDOW.until.getTime() + turn * 5 * 60_000);
  const turns: string[] = [];
  for (const until of everyTurn) {
    const pages = await collect(
      run('pending', stripe([debit]).recovery, { window: { ...WINDOW, until: new Date(until) } }),
    );
    turns.push(...found(pages));
  }
  expect(turns).toEqual(['status-differs cs_debit']);
});

test('a bank debit or a held amount that came to its end a moment ago is left to its webhook, however old its charge is', async () => {
  for (const id of ['a', 'b', 'held']) await recorded(id, { status: 'pending' });
  await applied('c');
  const sold = [{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'held' }];
  const { asked, recovery } = stripe(sold, { announced: ['cs_a', 'pi_held'] });
  const pages = await collect(run('recent', recovery));
  expect(found(pages)).toEqual(['status-differs cs_b']);
  expect(sums(pages)).toMatchObject({ listed: 4, checked: 2 });
  const minutes = asked.announcedSince.map((since) => Math.round((Date.now() - since.getTime()) / 60_000));
  // Once for each page.
  expect(minutes).toEqual([10, 10]);
  await collect(run('nightly', recovery));
  expect(asked.announcedSince).toHaveLength(2);
  // Where nothing has ended late nobody is asked.
  const calm = stripe([{ id: 'c' }]);
  await collect(run('recent', calm.recovery));
  expect(calm.asked.announcedSince).toEqual([]);
});

test('after a cut-over the nightly pass misses no row of what the older handler did and the company’s own field has shown', async () => {
  await applied('a');
  await applied('b');
  await database.executor.execute(
    sql`update effects.effects set ask_only = true, check_first = true where key = 'invoice-paid:cs_a'`,
  );
  const { recovery } = stripe([{ id: 'a' }, { id: 'b' }], { log: () => ({ kind: 'told', states: [] }) });
  expect(found(await collect(run('nightly', recovery)))).toEqual(['applied-not-in-filemaker cs_b']);
});

test('a refund that cannot be read is a finding about its payment and keeps no other from being compared', async () => {
  for (const id of ['a', 'b']) await applied(id);
  const { recovery } = stripe([
    { id: 'a', refunded: 5_000 },
    { id: 'b', refunded: 7_000 },
  ]);
  const listRefunds: InvoicesRecovery['listRefunds'] = async (paymentIntentId) =>
    paymentIntentId === 'pi_a' ? [{ id: 're_a', amount: '5000' }] : recovery.listRefunds(paymentIntentId);
  const pages = await collect(run('recent', { ...recovery, listRefunds }));
  expect(found(pages)).toEqual(['refund-not-recorded re_pi_b', 'unreadable-at-stripe cs_a']);
  expect(sums(pages)).toMatchObject({ listed: 2, checked: 2 });
});

/** A refund or dispute that Stripe's list brings. */
const madeAt = (id: string, payment: string, over: Partial<Made> = {}): Made => ({
  kind: 'refund',
  id,
  payment_intent: `pi_${payment}`,
  amount: 100,
  currency: 'usd',
  status: 'succeeded',
  created: BASE,
  ...over,
});
/** A refund or dispute of ours, written long ago. */
async function recordedReversal(
  id: string,
  payment: string,
  over: { kind?: Made['kind']; status?: string; made?: number } = {},
): Promise<void> {
  const { kind = 'refund', status = 'succeeded', made = BASE } = over;
  await database.executor.execute(
    sql`insert into flow_invoices.reversals (id, kind, checkout_session_id, amount, currency, status, made_at, first_seen, updated_at)
        values (${id}, ${kind}, ${`cs_${payment}`}, 100, 'usd', ${status}, ${new Date(made * 1_000).toISOString()}::timestamptz,
          now() - interval '9 hours', now() - interval '9 hours')`,
  );
}
/** A run that is broken off behind each of its pages in turn, and what both parts found together. */
async function brokenOffAnywhere(pass: string, recoveryOf: () => InvoicesRecovery): Promise<void> {
  const whole = await collect(run(pass, recoveryOf()));
  for (let breakAfter = 1; breakAfter <= whole.length; breakAfter += 1) {
    const seen: ReconcilePage[] = [];
    for await (const page of run(pass, recoveryOf())) {
      seen.push(JSON.parse(JSON.stringify(page)) as ReconcilePage);
      if (seen.length === breakAfter) break;
    }
    seen.push(...(await collect(run(pass, recoveryOf(), { cursor: seen.at(-1)?.cursor }))));
    expect([breakAfter, found(seen), sums(seen)]).toEqual([breakAfter, found(whole), sums(whole)]);
  }
}
const LONG_AGO = BASE - 40 * 24 * HOUR;
const WEEKS = { ...WINDOW, since: new Date((BASE - 15 * 24 * HOUR) * 1_000) };

test('a refund or dispute whose payment lies in no window and in no record is found with its payment, by the payment’s id', async () => {
  const sold: Sold[] = [
    { id: 'lost', created: LONG_AGO, refunded: 100 },
    { id: 'disputed', created: LONG_AGO, disputed: true },
  ];
  const made = [
    madeAt('re_lost', 'lost'),
    madeAt('re_foreign', 'of_an_app'),
    madeAt('dp_lost', 'disputed', { kind: 'dispute', status: 'needs_response' }),
  ];
  const given = () => stripe([], { unlisted: sold, made });
  const { asked, recovery } = given();
  const pages = await collect(run('reversals', recovery));
  expect(found(pages)).toEqual([
    'dispute-not-recorded dp_lost',
    'paid-not-recorded cs_disputed',
    'paid-not-recorded cs_lost',
    'refund-not-recorded re_lost',
  ]);
  expect(asked.strangers.sort()).toEqual(['pi_disputed', 'pi_lost', 'pi_of_an_app']);
  // Each of the three, and the two Sessions that they led to.
  expect(sums(pages)).toEqual({ listed: 5, checked: 5, unasked: 0 });
  await brokenOffAnywhere('reversals', () => given().recovery);
});

test('of a payment from before recovery’s beginning only the refund is told, and an older finding about the payment stays open', async () => {
  const made = [madeAt('re_since', 'before')];
  const { recovery } = stripe([], { unlisted: [{ id: 'before', created: LONG_AGO, refunded: 100 }], made });
  const pages = await collect(run('reversals', recovery, { recoverFrom: new Date((BASE - HOUR) * 1_000) }));
  expect(found(pages)).toEqual(['refund-not-recorded re_since']);
  expect(pages.flatMap(({ findings }) => findings.map(({ replay }) => replay?.eventId))).toEqual(['found.re_since']);
  expect(pages.flatMap(({ compared }) => compared.flatMap(({ objectIds }) => objectIds))).not.toContain('cs_before');
});

test('an older refund of unknown money costs a look once in its turn, a young one each time, and no run looks up more than its share', async () => {
  const days = (many: number) => BASE - many * 24 * HOUR;
  const old = Array.from({ length: 40 }, (_, n) => madeAt(`re_old${n}`, `old${n}`, { created: days(5) }));
  const looks: string[] = [];
  for (let turn = 0; turn < 13; turn += 1) {
    const later = { ...WEEKS, until: new Date(WEEKS.until.getTime() + turn * 6 * HOUR * 1_000) };
    const { asked, recovery } = stripe([], { made: [madeAt('re_young', 'young'), ...old] });
    const pages = await collect(run('reversals', recovery, { window: later }));
    // What was not looked up has not been checked.
    const { listed, checked } = sums(pages);
    expect(listed - checked).toBe(41 - asked.strangers.length);
    looks.push(...asked.strangers.filter((id) => id !== 'pi_young'));
    if (turn < 3) expect(asked.strangers).toContain('pi_young');
  }
  expect(looks.sort()).toEqual(old.map(({ payment_intent }) => payment_intent).sort());
  const many = Array.from({ length: 230 }, (_, n) => madeAt(`re_m${n}`, `m${n}`));
  const { asked, recovery } = stripe([], { made: many });
  expect(sums(await collect(run('reversals', recovery)))).toMatchObject({ listed: 230, checked: 150 });
  expect(new Set(asked.strangers).size).toBe(150);
  expect(asked.strangers).toHaveLength(150);
});

/** Seconds. The turns hang on the time of a run: here they are the same ones whenever the test runs. */
const FIRST_RUN = Date.UTC(2025, 0, 20) / 1_000;
const BEFORE_FIRST = FIRST_RUN - 3 * 24 * HOUR;
/** A run of the clock, so many runs after the first. */
const clockAt = (turn: number) => {
  const until = (FIRST_RUN + turn * 6 * HOUR) * 1_000;
  return { window: { since: new Date(until - (15 * 24 + 6) * HOUR * 1_000), until: new Date(until) } };
};

test('however many strange refunds a day brings, a dispute and a refund of missed old payments are found in their turn', async () => {
  const unlisted: Sold[] = [
    { id: 'disputed', created: FIRST_RUN - 60 * 24 * HOUR, disputed: true },
    { id: 'lost', created: FIRST_RUN - 60 * 24 * HOUR, refunded: 100 },
  ];
  const differs = new Set<string>();
  for (let turn = 0; turn < 13; turn += 1) {
    const { window } = clockAt(turn);
    const newest = window.until.getTime() / 1_000 - HOUR;
    const strange = Array.from({ length: 230 }, (_, n) =>
      madeAt(`re_${turn}_${n}`, `${turn}_${n}`, { created: newest - n }),
    );
    const made = [
      ...strange,
      madeAt('re_lost', 'lost', { created: BEFORE_FIRST }),
      madeAt('dp_lost', 'disputed', { kind: 'dispute', status: 'needs_response', created: BEFORE_FIRST }),
    ];
    const { asked, recovery } = stripe([], { unlisted, made, page: 100 });
    for (const one of found(await collect(run('reversals', recovery, { window })))) differs.add(one);
    expect(asked.strangers.filter((id) => id !== 'pi_disputed')).toHaveLength(150);
  }
  expect([...differs].sort()).toEqual([
    'dispute-not-recorded dp_lost',
    'paid-not-recorded cs_disputed',
    'paid-not-recorded cs_lost',
    'refund-not-recorded re_lost',
  ]);
});

test('each refund of unknown money made since the last run, or too shortly before its end to be judged then, is looked up at once', async () => {
  const lastEnd = FIRST_RUN - 6 * HOUR;
  const young = [...Array.from({ length: 20 }, (_, n) => 6 * HOUR - 60 - n), ...[-60, -1_200]];
  const made = young.map((second, n) => madeAt(`re_${n}`, `${n}`, { created: lastEnd + second }));
  const { asked, recovery } = stripe([], { made });
  await collect(run('reversals', recovery, clockAt(0)));
  expect(asked.strangers.toSorted()).toEqual(made.map(({ payment_intent }) => payment_intent).sort());
});

test('where a turn has more strangers than a run looks up, each still comes to be looked up, wherever the list has it', async () => {
  const old = Array.from({ length: 1_200 }, (_, n) => madeAt(`re_o${n}`, `o${n}`, { created: BEFORE_FIRST }));
  const looked = new Set<string>();
  for (let turn = 0; turn < 39; turn += 1) {
    const { window } = clockAt(turn);
    const created = window.until.getTime() / 1_000 - HOUR;
    const young = Array.from({ length: 80 }, (_, n) => madeAt(`re_${turn}_${n}`, `${turn}_${n}`, { created }));
    const { asked, recovery } = stripe([], { made: [...young, ...old], page: 500 });
    await collect(run('reversals', recovery, { window }));
    for (const id of asked.strangers) looked.add(id);
    // Of the young no fewer than half of the room.
    expect(asked.strangers.filter((id) => id.startsWith(`pi_${turn}_`)).length).toBeGreaterThanOrEqual(75);
  }
  expect(old.filter(({ payment_intent }) => !looked.has(payment_intent))).toEqual([]);
});

test('a page with more strangers than are looked up between two places loses none of them, also when the run is broken off', async () => {
  const made = Array.from({ length: 45 }, (_, n) => madeAt(`re_${n}`, `${n}`));
  const unlisted = made.map((_, n) => ({ id: `${n}`, created: LONG_AGO, refunded: 100 }));
  const given = () => stripe([], { made, unlisted, page: 45 });
  const { asked, recovery } = given();
  const pages = await collect(run('reversals', recovery));
  expect(found(pages).filter((one) => one.startsWith('paid-not-recorded'))).toHaveLength(45);
  expect(new Set(asked.strangers).size).toBe(45);
  expect(asked.strangers).toHaveLength(45);
  await brokenOffAnywhere('reversals', () => given().recovery);
});

test('strangers that wait for the end of the list are looked up once each, also when the run is broken off', async () => {
  const made = Array.from({ length: 300 }, (_, n) => madeAt(`re_${n}`, `${n}`, { created: BEFORE_FIRST }));
  const given = () => stripe([], { made, page: 100 });
  const { asked, recovery } = given();
  const { window } = clockAt(0);
  const pages = await collect(run('reversals', recovery, { window }));
  expect(asked.strangers.length).toBeGreaterThan(0);
  expect(sums(pages)).toMatchObject({ listed: 300, checked: asked.strangers.length });
  for (let breakAfter = 1; breakAfter <= pages.length; breakAfter += 1) {
    const parts = given();
    let cursor: unknown;
    let seen = 0;
    let checked = 0;
    for await (const page of run('reversals', parts.recovery, { window })) {
      cursor = JSON.parse(JSON.stringify(page.cursor));
      checked += page.checked;
      seen += 1;
      if (seen === breakAfter) break;
    }
    const after = await collect(run('reversals', parts.recovery, { window, cursor }));
    expect(parts.asked.strangers.toSorted()).toEqual(asked.strangers.toSorted());
    expect(checked + sums(after).checked).toBe(asked.strangers.length);
  }
});

test('a refund of ours that differs, was written a moment ago and whose payment is not recorded is left alone once, not counted off twice', async () => {
  const made = [madeAt('re_a', 'gone', { status: 'failed', created: BEFORE_FIRST })];
  const checked: number[] = [];
  await recordedReversal('re_a', 'gone', { status: 'pending', made: BEFORE_FIRST });
  for (const written of [sql`clock_timestamp()`, sql`clock_timestamp() - interval '9 hours'`]) {
    await database.executor.execute(sql`update flow_invoices.reversals set updated_at = ${written}`);
    const sumsOf: number[] = [];
    for (let turn = 0; turn < 13; turn += 1)
      sumsOf.push(sums(await collect(run('reversals', stripe([], { made }).recovery, clockAt(turn)))).checked);
    checked.push(Math.min(...sumsOf), Math.max(...sumsOf));
  }
  expect(checked).toEqual([0, 0, 1, 1]);
});

test('an open finding about an object of the other mode is left alone: our key cannot ask about it', async () => {
  await applied('live', { livemode: true, sessionCreatedAt: new Date(LONG_AGO * 1_000) });
  await recordedReversal('re_live', 'live', { made: LONG_AGO });
  await recordedReversal('re_alone', 'never-recorded', { made: LONG_AGO });
  const { asked, recovery } = stripe([]);
  const openObjects = async () => ['re_live', 'cs_live', 're_alone'];
  const pages = await collect(run('nightly', recovery, { openObjects }));
  expect(found(pages)).toEqual(['recorded-not-at-stripe re_alone']);
  expect(asked.reversals).toEqual(['re_alone']);
  const judged = pages.flatMap(({ compared }) => compared.flatMap(({ objectIds }) => objectIds));
  expect(judged).not.toContain('re_live');
  expect(judged).not.toContain('cs_live');
});

test('a refund of ours that Stripe does not know is left alone while its event is in hand, and when it was written a moment ago', async () => {
  await applied('a', { sessionCreatedAt: new Date(LONG_AGO * 1_000) });
  for (const id of ['re_in_hand', 're_fresh', 're_ghost']) await recordedReversal(id, 'a');
  await database.executor.execute(
    sql`update flow_invoices.reversals set updated_at = clock_timestamp() where id = 're_fresh'`,
  );
  const inHand = async (ids: readonly string[]) => new Set(ids.filter((id) => id === 're_in_hand'));
  const { asked, recovery } = stripe([]);
  const pages = await collect(run('reversals', recovery, { inHand }));
  expect(asked.reversals.sort()).toEqual(['re_fresh', 're_ghost', 're_in_hand']);
  expect(found(pages)).toEqual(['recorded-not-at-stripe re_ghost']);
  expect(sums(pages)).toMatchObject({ listed: 3, checked: 1 });
  expect(pages.flatMap(({ compared }) => compared.flatMap(({ objectIds }) => objectIds))).toEqual(['re_ghost']);
});

test('a foreign refund that could not be read closes that finding, and nothing else, once it can be read', async () => {
  const { recovery } = stripe([], { made: [madeAt('re_foreign', 'foreign', { created: LONG_AGO })] });
  const pages = await collect(run('nightly', recovery, { openObjects: async () => ['re_foreign'] }));
  expect(found(pages)).toEqual([]);
  const closes = pages.flatMap(({ compared }) => compared).filter((one) => one.objectIds.includes('re_foreign'));
  expect(closes.map(({ classes }) => classes)).toEqual([['unreadable-at-stripe']]);
});

test('ours from before the window are each asked for once in a run, however many pages they are', async () => {
  await applied('a', { sessionCreatedAt: new Date(LONG_AGO * 1_000) });
  const old = FIRST_RUN - 30 * 24 * HOUR;
  const names = Array.from({ length: 300 }, (_, n) => `re_o${n}`);
  for (const id of names) await recordedReversal(id, 'a', { status: 'pending', made: old });
  const all: string[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    const { asked, recovery } = stripe([]);
    await collect(run('reversals', recovery, clockAt(turn)));
    expect(asked.reversals.toSorted()).toEqual([...new Set(asked.reversals)].sort());
    expect(asked.reversals.length).toBeGreaterThan(20);
    all.push(...asked.reversals);
  }
  expect(all.sort()).toEqual(names.toSorted());
});

test('a run that an earlier version left goes on where its list was', async () => {
  const disputes = [3, 2, 1, 0].map((n) => madeAt(`dp_${n}`, 'a', { kind: 'dispute', created: BASE + n }));
  const made = [madeAt('re_0', 'a'), ...disputes];
  await applied('a', { sessionCreatedAt: new Date(LONG_AGO * 1_000) });
  const begun = stripe([], { made });
  const pages = await collect(run('reversals', begun.recovery, { cursor: { kind: 'dispute' } }));
  expect(begun.asked.made).toEqual(['dispute', 'dispute']);
  expect(found(pages)).toEqual([0, 1, 2, 3].map((n) => `dispute-not-recorded dp_${n}`));
  const within = stripe([], { made });
  const rest = await collect(run('reversals', within.recovery, { cursor: { kind: 'dispute', olderThan: 'dp_2' } }));
  expect(within.asked.made).toEqual(['dispute']);
  expect(found(rest)).toEqual([0, 1].map((n) => `dispute-not-recorded dp_${n}`));
});

test('after a standstill of days every refund of unknown money made since the last run is looked up', async () => {
  const standstill = { ...WINDOW, since: new Date((BASE - 25 * 24 * HOUR) * 1_000) };
  const made = Array.from({ length: 20 }, (_, n) => madeAt(`re_${n}`, `${n}`, { created: BASE - 9 * 24 * HOUR }));
  const { asked, recovery } = stripe([], { made });
  await collect(run('reversals', recovery, { window: standstill }));
  expect(asked.strangers).toHaveLength(20);
});

test('both ways: a refund of ours that Stripe’s list does not name is asked for by its id, and one that Stripe does not know is found', async () => {
  for (const id of ['a', 'b']) await applied(id, { sessionCreatedAt: new Date(LONG_AGO * 1_000) });
  for (const [n, id] of ['re_1', 're_2', 're_3', 're_4'].entries()) await recordedReversal(id, 'a', { made: BASE + n });
  await recordedReversal('re_ghost', 'b', { made: BASE + 2 });
  await recordedReversal('dp_ghost', 'b', { kind: 'dispute', made: BASE - 10 });
  await recordedReversal('re_before', 'b', { made: BASE - 2 * HOUR, status: 'failed' });
  const made = [3, 2, 1, 0].map((n) => madeAt(`re_${n + 1}`, 'a', { created: BASE + n }));
  const { asked, recovery } = stripe([], { made });
  const pages = await collect(run('reversals', recovery));
  expect(found(pages)).toEqual(['recorded-not-at-stripe dp_ghost', 'recorded-not-at-stripe re_ghost']);
  expect(pages.flatMap(({ findings }) => findings.map(({ amount, replay }) => [amount, replay]))).toEqual([
    [100, null],
    [100, null],
  ]);
  expect(asked.reversals.sort()).toEqual(['dp_ghost', 're_ghost']);
  await brokenOffAnywhere('reversals', () => stripe([], { made }).recovery);
});

test('a refund or dispute of ours from before the window is asked for by its id in turns while it may still change, also without its payment', async () => {
  await applied('a', { sessionCreatedAt: new Date(LONG_AGO * 1_000) });
  const old = BASE - 30 * 24 * HOUR;
  const rows: [id: string, kind: Made['kind'], ours: string, theirs: string][] = [
    ['re_pending', 'refund', 'pending', 'succeeded'],
    ['re_bounced', 'refund', 'succeeded', 'failed'],
    ['re_fine', 'refund', 'succeeded', 'succeeded'],
    ['re_over', 'refund', 'failed', 'failed'],
    ['dp_lost', 'dispute', 'needs_response', 'lost'],
    ['dp_over', 'dispute', 'won', 'won'],
  ];
  for (const [id, kind, status] of rows) await recordedReversal(id, 'a', { kind, status, made: old });
  await recordedReversal('re_alone', 'never-recorded', { status: 'pending', made: old });
  const made = [
    ...rows.map(([id, kind, , status]) => madeAt(id, 'a', { kind, status, created: old })),
    madeAt('re_alone', 'never-recorded', { status: 'failed', created: old }),
  ];
  const asks: string[] = [];
  const differs: string[] = [];
  for (let turn = 0; turn < 29; turn += 1) {
    const { asked, recovery } = stripe([], { made });
    const until = new Date(WEEKS.until.getTime() + turn * 6 * HOUR * 1_000);
    const pages = await collect(run('reversals', recovery, { window: { ...WEEKS, until } }));
    asks.push(...asked.reversals);
    differs.push(...found(pages));
  }
  expect([...new Set(asks)].sort()).toEqual(['dp_lost', 're_alone', 're_bounced', 're_fine', 're_pending']);
  const count = (id: string): number => asks.filter((one) => one === id).length;
  // Once in five looks what is under way, once in twenty-nine what has succeeded.
  for (const id of ['dp_lost', 're_alone', 're_pending']) expect([5, 6]).toContain(count(id));
  expect([count('re_bounced'), count('re_fine')]).toEqual([1, 1]);
  expect([...new Set(differs)].sort()).toEqual([
    'dispute-not-recorded dp_lost',
    'refund-not-recorded re_alone',
    'refund-not-recorded re_bounced',
    'refund-not-recorded re_pending',
  ]);
});

test('an open finding about a refund that no record has is looked at again by the refund’s id', async () => {
  const openObjects = async () => ['re_withdrawn', 're_gone', 'dp_gone'];
  await applied('a', { sessionCreatedAt: new Date(LONG_AGO * 1_000) });
  const made = [madeAt('re_withdrawn', 'a', { status: 'canceled', created: LONG_AGO })];
  const { asked, recovery } = stripe([], { made });
  const pages = await collect(run('nightly', recovery, { openObjects }));
  expect(found(pages)).toEqual([]);
  expect(asked.reversals.sort()).toEqual(['dp_gone', 're_gone', 're_withdrawn']);
  const closes = pages
    .flatMap(({ compared }) => compared)
    .filter(({ classes }) => classes.includes('refund-not-recorded'));
  expect(closes.flatMap(({ objectIds }) => objectIds).sort()).toEqual(['dp_gone', 're_gone', 're_withdrawn']);
});

test('a refund of ours that a payment’s own list at Stripe does not name is found, and only that list closes it', async () => {
  await applied('a');
  await recordedReversal('re_ghost', 'a');
  const pages = await collect(run('recent', stripe([{ id: 'a' }]).recovery));
  expect(found(pages)).toEqual(['recorded-not-at-stripe re_ghost']);
  // The sums agree again, and nobody has looked for this one.
  const agreeing = await collect(run('recent', stripe([{ id: 'a', refunded: 100 }]).recovery));
  expect(found(agreeing)).toEqual([]);
  const closes = agreeing.flatMap(({ compared }) => compared).filter(({ objectIds }) => objectIds.includes('re_ghost'));
  expect(closes.map(({ classes }) => classes.includes('recorded-not-at-stripe'))).toEqual([false]);
});

test('a refund that is recorded with other money than Stripe gave back is found, by each pass that reads it', async () => {
  for (const id of ['a', 'b']) await applied(id);
  await recordedReversal('re_a', 'a');
  await recordedReversal('re_b', 'b');
  const made = [madeAt('re_a', 'a', { amount: 250 }), madeAt('re_b', 'b', { currency: 'jpy' })];
  const sold = [
    { id: 'a', refunded: 250 },
    { id: 'b', refunded: 100 },
  ];
  const told = (pages: readonly ReconcilePage[]) =>
    sorted(pages).map((one) => [one.class, one.objectId, one.amount, one.currency, one.replay]);
  const ofAmount = ['amount-differs', 're_a', 150, 'usd', null];
  expect(told(await collect(run('recent', stripe(sold, { made }).recovery)))).toEqual([ofAmount]);
  expect(told(await collect(run('reversals', stripe([], { made }).recovery)))).toEqual([
    ofAmount,
    ['currency-differs', 're_b', 100, 'jpy', null],
  ]);
});

test('many refunds of one second are each looked for once, also when the run is broken off among them, and no run looks for more than its share', async () => {
  await applied('a', { sessionCreatedAt: new Date(LONG_AGO * 1_000) });
  const names = Array.from({ length: 45 }, (_, n) => `re_ghost${n}`);
  for (const id of names) await recordedReversal(id, 'a');
  const { asked, recovery } = stripe([]);
  expect(found(await collect(run('reversals', recovery)))).toEqual(
    names.map((id) => `recorded-not-at-stripe ${id}`).sort(),
  );
  expect(asked.reversals.sort()).toEqual(names.toSorted());
  await brokenOffAnywhere('reversals', () => stripe([]).recovery);
  await database.executor.execute(
    sql`insert into flow_invoices.reversals (id, kind, checkout_session_id, amount, currency, status, made_at, updated_at)
        select 're_more' || n, 'refund', 'cs_a', 100, 'usd', 'succeeded', ${new Date((BASE + 1) * 1_000).toISOString()}::timestamptz,
          now() - interval '9 hours' from generate_series(1, 490) n`,
  );
  const many = stripe([]);
  await collect(run('reversals', many.recovery));
  expect(many.asked.reversals).toHaveLength(500);
});
