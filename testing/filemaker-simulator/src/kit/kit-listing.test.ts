// The kit's listings (filemaker/scripts) are played step by step, and compared with what the simulator does for the kit. Nobody
// can run them without FileMaker; this at least holds their logic, in every order and with every step as the last one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredRecord } from '../table';
import { World } from '../world';
import { type ListedStep, ListingPlayer, type ListingPlayerOptions } from './listing-player';

const kit = join(__dirname, '../../../../filemaker');
const { readListing } = require(join(kit, 'tool/listing.cjs')) as { readListing: (text: string) => ListedStep[] };
const read = new Map<string, ListedStep[]>();
function listing(name: string): ListedStep[] {
  const steps = read.get(name) ?? readListing(readFileSync(join(kit, `scripts/${name}.txt`), 'utf8'));
  read.set(name, steps);
  return steps;
}

const SCRIPT = 'STRIPE_PAYMENTLINK_SUCCESS';
const WORK = 'Our work - invoice paid';
const VARIANTS = {
  'with transactions': SCRIPT,
  'before 19.6': `${SCRIPT} before 19.6`,
} as const;
type Variant = keyof typeof VARIANTS;
const listingsOf = (variant: Variant): Map<string, ListedStep[]> =>
  new Map([
    [SCRIPT, listing(VARIANTS[variant])],
    ['Bridge - Ask the log', listing('Bridge - Ask the log')],
    [WORK, listing(WORK)],
  ]);

const KEY = 'invoice-paid:cs_test_a1B2';
const payload = (change: object = {}): string =>
  JSON.stringify({
    invoice_id: '18637',
    email: 'rhonda@example.com',
    invoicetotal_cents: 18_000,
    items: [
      { code: 'L2999', quantity: '2' },
      { code: 'E1399', quantity: '1' },
      { code: 'L2999', quantity: '3' },
      { code: '', quantity: '1' },
    ],
    receipt_url: 'https://pay.stripe.com/receipts/x',
    shipping: { name: 'Rhonda', address: { city: 'Georgetown' } },
    idempotency_key: KEY,
    checkout_session_id: 'cs_test_a1B2',
    payment_intent_id: 'pi_1',
    currency: 'usd',
    ...change,
  });
const HANDOFF = JSON.stringify({ handoff: KEY });

/** A file with one invoice and two articles. */
function shop(variant: Variant): World {
  const world = new World({ kitTransactions: variant === 'with transactions', scriptMs: 0, scriptSpreadMs: 0 });
  put(world, 'invoices', { invoice_id: '18637', status: 'open', paid_cents: '0' });
  put(world, 'invoices', { invoice_id: '186370', status: 'open', paid_cents: '0' });
  put(world, 'stock', { code: 'L2999', on_hand: '10' });
  put(world, 'stock', { code: 'E1399', on_hand: '10' });
  return world;
}

function put(world: World, table: string, values: Record<string, string>): StoredRecord {
  const to = world.databases.get('Shop')?.table(table);
  if (to === undefined) throw new Error(`no table ${table}`);
  const record = { recordId: to.takeRecordId(), modId: 0, committedAt: 0, values };
  to.put(record);
  return record;
}

/** What is left in the tables, without times and record ids. */
function left(world: World): Record<string, Record<string, string>[]> {
  const database = world.databases.get('Shop');
  const told = (values: Record<string, string>) => ({
    ...values,
    started_at: '',
    finished_at: '',
    paid_at: values.paid_at === undefined ? '' : 'now',
    payload_hash: (values.payload_hash ?? '').toLowerCase(),
    result: values.result === undefined || values.result === '' ? '' : JSON.stringify(answerOf(values.result)),
  });
  return Object.fromEntries(
    ['invoices', 'stock', 'log', 'handoff'].map((name) => [
      name,
      (database?.table(name).all() ?? []).map(({ values }) => told({ ...values })),
    ]),
  );
}

/** The envelope; the number of the log's record is the file's own business. */
function answerOf(result: string): Record<string, unknown> {
  const read = JSON.parse(result) as Record<string, unknown>;
  return { ...read, logId: read.logId === '' ? '' : 'a record' };
}

async function bySimulator(world: World, parameter: string): Promise<Record<string, unknown>> {
  const database = world.database('Shop');
  if (database === undefined) throw new Error('no file');
  const { scriptResult } = await world.scripts.run({
    script: SCRIPT,
    parameter,
    database,
    session: world.sessions.open('Shop', 'bridge'),
    transport: 'get',
    trouble: undefined,
    onRun: () => undefined,
  });
  return answerOf(scriptResult ?? '');
}

function playerOf(world: World, variant: Variant, options: Partial<ListingPlayerOptions> = {}): ListingPlayer {
  const database = world.database('Shop');
  if (database === undefined) throw new Error('no file');
  return new ListingPlayer({ database, locks: world.locks, owner: 'a run', listings: listingsOf(variant), ...options });
}

const byListing = (world: World, variant: Variant, parameter: string, options: Partial<ListingPlayerOptions> = {}) =>
  answerOf(playerOf(world, variant, options).run(SCRIPT, parameter));

const logRow = (state: string, more: Record<string, string> = {}) => ({ idempotency_key: KEY, state, ...more });
/** The hash of the payload as the log holds it, taken from a run. */
function hashOfPayload(): string {
  const world = shop('with transactions');
  byListing(world, 'with transactions', payload());
  return world.databases.get('Shop')?.table('log').all()[0]?.values.payload_hash ?? '';
}
const HASH = hashOfPayload();

type Case = readonly [name: string, arrange: (world: World) => unknown, ...parameters: string[]];
const nothing = (): undefined => undefined;
const handoff =
  (content: string, key = KEY) =>
  (world: World): StoredRecord =>
    put(world, 'handoff', { idempotency_key: key, payload: content });
const CASES: readonly Case[] = [
  ['a payment by parameter', nothing, payload()],
  ['a payment by hand-off record', handoff(payload()), HANDOFF],
  ['the same once more', nothing, payload(), payload()],
  ['the same once more, by hand-off', handoff(payload()), HANDOFF, HANDOFF],
  ['the same key with other bytes', nothing, payload(), payload({ invoicetotal_cents: 1 })],
  ['a second payment of the invoice', nothing, payload(), payload({ idempotency_key: `${KEY}x` })],
  ['a key that differs in case only', nothing, payload(), payload({ idempotency_key: KEY.toUpperCase() })],
  ['no JSON', nothing, 'no JSON'],
  ['an array', nothing, '[]'],
  ['an empty parameter', nothing, ''],
  ['no key', nothing, '{"invoice_id":"18637"}'],
  ['no invoice', nothing, '{"idempotency_key":"k"}'],
  ['a hand-off record that is not there', nothing, HANDOFF],
  ['a hand-off record of another key', handoff(payload({ idempotency_key: 'other' })), HANDOFF],
  ['a hand-off record without JSON', handoff('? * Line 1'), HANDOFF],
  ['an invoice that is not there', nothing, payload({ invoice_id: '7' })],
  ['an invoice number whose wildcard meets another invoice', nothing, payload({ invoice_id: '1863#' })],
  ['an invoice number whose wildcard meets two', nothing, payload({ invoice_id: '18637*' })],
  [
    'an invoice number in another case',
    (world) => put(world, 'invoices', { invoice_id: 'A1' }),
    payload({ invoice_id: 'a1' }),
  ],
  ['an invoice that somebody holds', (world) => hold(world, 'invoices'), payload()],
  ['a row that was only started', (world) => put(world, 'log', logRow('started', { payload_hash: HASH })), payload()],
  ['a row that failed', (world) => put(world, 'log', logRow('failed', { payload_hash: HASH })), payload()],
  ['a done row whose result is lost', (world) => put(world, 'log', logRow('done', { payload_hash: HASH })), payload()],
  [
    'the sentinel of the bridge',
    (world) => put(world, 'log', { idempotency_key: 'bridge-sentinel-1', state: 'sentinel' }),
    payload(),
  ],
];

function hold(world: World, table: string): void {
  const found = world.databases.get('Shop')?.table(table);
  const record = found?.all()[0];
  if (found !== undefined && record !== undefined) world.locks.take(found, record.recordId, 'Rhonda');
}

describe.each(Object.keys(VARIANTS) as Variant[])('the listing %s', (variant) => {
  test.each(CASES.map(([name, arrange, ...parameters]) => ({ name, arrange, parameters })))(
    'does for $name what the simulator does',
    async ({ arrange, parameters }) => {
      const [ours, theirs] = [shop(variant), shop(variant)];
      arrange(ours);
      arrange(theirs);
      for (const one of parameters) {
        expect(byListing(ours, variant, one)).toEqual(
          // Hashes stand in upper case in FileMaker; a row that a test has put there holds the listing's.
          await bySimulator(lowered(theirs), one),
        );
      }
      expect(left(ours)).toEqual(left(theirs));
      expect(ours.locks.list()).toEqual(theirs.locks.list());
    },
  );

  test('killed before any step and sent again, the work is done once or waits for a person, never twice', () => {
    const steps = count(variant, payload());
    const ends = new Set<string>();
    for (let stopAt = 0; stopAt < steps; stopAt += 1) {
      const world = shop(variant);
      expect(() => byListing(world, variant, payload(), killedAt(stopAt))).toThrow(Killed);
      world.locks.releaseAllOf('a run');
      const between = left(world);
      const worked = paidOnce(world);
      if (variant === 'with transactions') {
        // The row is there exactly when the work is.
        expect([stopAt, between.log?.map(({ state }) => state)]).toEqual([stopAt, worked ? ['done'] : []]);
      }
      const again = byListing(world, variant, payload());
      if (again.ok === true) expect([stopAt, paidOnce(world), stockOnce(world)]).toEqual([stopAt, true, true]);
      else expect([stopAt, left(world)]).toEqual([stopAt, between]);
      ends.add(String(again.ok === true ? `done, duplicate ${again.duplicate}` : again.code));
    }
    expect(ends).toEqual(
      new Set(
        variant === 'with transactions'
          ? ['done, duplicate false', 'done, duplicate true']
          : ['done, duplicate false', 'done, duplicate true', 'STARTED_EARLIER'],
      ),
    );
  });

  test('a second run of the same payment between any two steps: the work is done once, and both say so', () => {
    const steps = count(variant, payload());
    for (let between = 0; between < steps; between += 1) {
      const world = shop(variant);
      let step = -1;
      const second: Record<string, unknown>[] = [];
      const first = byListing(world, variant, payload(), {
        beforeStep: () => {
          step += 1;
          if (step === between) second.push(byListing(world, variant, payload(), { owner: 'another run' }));
        },
      });
      expect([between, paidOnce(world), stockOnce(world)]).toEqual([between, true, true]);
      const done = [first, ...second].filter(({ ok }) => ok === true);
      expect([between, done.filter(({ duplicate }) => duplicate === false).length]).toEqual([between, 1]);
      // Whoever was not first is told so, or may come again, or has to wait for a person.
      for (const answer of [first, ...second]) {
        if (answer.ok === true) continue;
        const mayComeAgain = answer.ran === false && [301, 5000].includes(Number(answer.code));
        const waits = variant === 'before 19.6' && answer.ran === true;
        expect([between, answer, mayComeAgain || waits]).toEqual([between, answer, true]);
      }
      expect(world.locks.list()).toEqual([]);
    }
  });

  test("no record stays open, whatever the company's script says", () => {
    for (const word of ['done', '', '301', '5000', 'CREDIT_LIMIT', 'anything else']) {
      const world = shop(variant);
      const listings = listingsOf(variant);
      listings.set(
        WORK,
        readListing(`Set Field [ invoices::status ; "paid" ]\nExit Script [ Text Result: "${word}" ]\n`),
      );
      byListing(world, variant, payload(), { listings });
      expect([word, world.locks.list()]).toEqual([word, []]);
    }
  });
});

/** What FileMaker reads as something else than itself in a find. */
const OPERATORS = ['@', '#', '*', '"', '<', '>', '=', '!', '?', '~', '//', '...', '\\'];

test.each(Object.keys(VARIANTS) as Variant[])(
  "%s: an invoice number with one of FileMaker's find operators in it pays no other invoice",
  (variant) => {
    for (const operator of OPERATORS)
      for (const number of [`${operator}8637`, `1863${operator}`, `18${operator}37`, `${operator}18637`, operator]) {
        const world = shop(variant);
        const before = left(world);
        expect([number, byListing(world, variant, payload({ invoice_id: number }))]).toMatchObject([
          number,
          { ok: false, ran: false, code: 101 },
        ]);
        expect([number, left(world)]).toEqual([number, before]);
      }
  },
);

test.each(['L2*', '#', 'L299@', 'l2999', '@'])(
  'an article that is no more than a pattern of others, %s, takes nothing from their stock: the payment waits for a person',
  async (code) => {
    const [ours, theirs] = [shop('with transactions'), shop('with transactions')];
    for (const world of [ours, theirs]) put(world, 'stock', { code: '7', on_hand: '10' });
    for (const world of [ours, theirs]) put(world, 'stock', { code: '8', on_hand: '10' });
    const before = left(ours);
    const parameter = payload({ items: [{ code, quantity: '1' }] });
    const said = byListing(ours, 'with transactions', parameter);
    expect(said).toMatchObject({ ok: false, ran: false, code: 'STOCK_UNCLEAR' });
    expect(said).toEqual(await bySimulator(theirs, parameter));
    expect(left(ours)).toEqual(before);
    expect(left(theirs)).toEqual(before);
  },
);

describe('the transaction of the listing', () => {
  const variant: Variant = 'with transactions';

  test.each([
    ['301', 301],
    ['CREDIT_LIMIT', 'CREDIT_LIMIT'],
    ['', 5000],
    ['512', 5000],
    ['Done', 5000],
  ])("undoes everything when the company's script says %j, and answers %j", (word, code) => {
    const world = shop(variant);
    const before = left(world);
    const listings = listingsOf(variant);
    listings.set(
      WORK,
      readListing(`Set Field [ invoices::status ; "paid" ]\nExit Script [ Text Result: "${word}" ]\n`),
    );
    expect(byListing(world, variant, payload(), { listings })).toMatchObject({ ok: false, ran: false, code, key: KEY });
    expect(left(world)).toEqual(before);
  });

  test('undoes everything when a stock record is locked', () => {
    const world = shop(variant);
    hold(world, 'stock');
    const before = left(world);
    expect(byListing(world, variant, payload())).toMatchObject({ ok: false, ran: false, code: 301 });
    expect(left(world)).toEqual(before);
  });

  test('undoes everything when the commit is refused', () => {
    const world = shop(variant);
    const before = left(world);
    const refuseCommit = (): string => '509';
    expect(byListing(world, variant, payload(), { refuseCommit })).toMatchObject({ ok: false, ran: false, code: 5000 });
    expect(left(world)).toEqual(before);
  });

  test('a work script that ends the transaction leaves a failed row, and nothing is said to be done', () => {
    const world = shop(variant);
    const answer = byListing(world, variant, payload(), {
      beforeStep: (script, step, player) => {
        if (script === WORK && step.name === 'Loop') player.endTransaction();
      },
    });
    expect(answer).toMatchObject({ ok: false, ran: true, code: 'FAILED_EARLIER', key: KEY });
    expect(left(world).log).toMatchObject([{ idempotency_key: KEY, state: 'failed' }]);
    expect(byListing(world, variant, payload())).toMatchObject({ ok: false, ran: true, code: 'FAILED_EARLIER' });
  });

  test('a log that cannot be read stops everything before it begins', () => {
    const world = shop(variant);
    const listings = listingsOf(variant);
    const broken = readFileSync(join(kit, 'scripts/Bridge - Ask the log.txt'), 'utf8').replace('COUNT(*)', 'COUNT(x)');
    listings.set('Bridge - Ask the log', readListing(broken));
    const before = left(world);
    expect(byListing(world, variant, payload(), { listings })).toMatchObject({
      ok: false,
      ran: false,
      code: 'LOG_UNREADABLE',
      key: KEY,
    });
    expect(left(world)).toEqual(before);
  });
});

describe('the row of the log', () => {
  const EARLIER = 'invoice-paid:cs_earlier';
  /** Steps that must go well for a row; each is refused once, and everything that comes after it goes on. */
  const LOSSES: readonly (readonly [string, (step: ListedStep) => string | undefined])[] = [
    ['its layout was renamed', (step) => (step.layout === 'bridge_log' ? '105' : undefined)],
    ['no record can be made', (step) => (step.name === 'New Record/Request' ? '112' : undefined)],
    ['its key cannot be set', (step) => (isSet(step, 'idempotency_key') ? '102' : undefined)],
  ];
  const isSet = (step: ListedStep, field: string): boolean => step.name === 'Set Field' && step.field === field;
  const withEarlierRow = (variant: Variant): World => {
    const world = shop(variant);
    put(world, 'log', { idempotency_key: EARLIER, state: 'done', result: '{"ok":true}' });
    return world;
  };

  test.each(
    (Object.keys(VARIANTS) as Variant[]).flatMap((variant) =>
      LOSSES.map(([what, refused]) => ({ variant, what, refused })),
    ),
  )(
    '$variant: where it cannot be written because $what, nothing else is kept either, and no other row is touched',
    ({ variant, refused }) => {
      const world = withEarlierRow(variant);
      const before = left(world);
      const refuseStep: ListingPlayerOptions['refuseStep'] = (script, step) =>
        script === SCRIPT ? refused(step) : undefined;
      for (let runs = 0; runs < 2; runs += 1)
        expect(byListing(world, variant, payload(), { refuseStep })).toMatchObject({
          ok: false,
          ran: false,
          code: 5000,
          key: KEY,
        });
      expect(left(world)).toEqual(before);
      expect(world.locks.list()).toEqual([]);
      // Mended, the same payment goes through, once.
      expect(byListing(world, variant, payload())).toMatchObject({ ok: true, duplicate: false });
      expect([paidOnce(world), stockOnce(world)]).toEqual([true, true]);
    },
  );

  test.each([
    ...LOSSES.map(([what, refused]) => ({ what, refused, commit: undefined })),
    { what: 'its commit is refused', refused: () => undefined, commit: '509' },
  ])(
    'a work script that ended the transaction is never said to have changed nothing: the row cannot be written because $what',
    ({ refused, commit }) => {
      const variant: Variant = 'with transactions';
      const world = withEarlierRow(variant);
      const { log, stock } = left(world);
      let ended = false;
      const answer = byListing(world, variant, payload(), {
        beforeStep: (script, step, player) => {
          if (script !== WORK || step.name !== 'Loop' || ended) return;
          player.endTransaction();
          ended = true;
        },
        refuseStep: (script, step) => (ended && script === SCRIPT ? refused(step) : undefined),
        refuseCommit: () => (ended ? commit : undefined),
      });
      expect(answer).toMatchObject({ ok: false, ran: true, code: 'LOG_ROW_MISSING', key: KEY, duplicate: false });
      expect(paidOnce(world)).toBe(true);
      expect(left(world).log).toEqual(log);
      expect(left(world).stock?.length).toBe(stock?.length);
      expect(world.locks.list()).toEqual([]);
    },
  );

  test('that is gone although FileMaker reports no trouble is told as missing, and something as changed', () => {
    const world = shop('with transactions');
    let asked = 0;
    const answer = byListing(world, 'with transactions', payload(), {
      beforeStep: (script, { line }) => {
        if (script !== 'Bridge - Ask the log' || line !== 1) return;
        asked += 1;
        if (asked === 3) world.databases.get('Shop')?.table('log').clear();
      },
    });
    expect([asked, paidOnce(world)]).toEqual([3, true]);
    expect(answer).toMatchObject({ ok: false, ran: true, code: 'LOG_ROW_MISSING', key: KEY });
  });

  test('that cannot be read after the work is kept is never answered with "nothing was changed"', () => {
    const world = shop('with transactions');
    // A log without the field for the hash: every row looks like one of another payload.
    const refuseStep: ListingPlayerOptions['refuseStep'] = (_script, step) =>
      isSet(step, 'payload_hash') ? '102' : undefined;
    const answer = byListing(world, 'with transactions', payload(), { refuseStep });
    expect(answer).toMatchObject({ ok: false, ran: true, code: 'KEY_CONFLICT', key: KEY });
    expect(paidOnce(world)).toBe(true);
    expect(byListing(world, 'with transactions', payload())).toMatchObject({ ok: false, ran: false });
    expect(paidOnce(world)).toBe(true);
  });
});

class Killed extends Error {}

function killedAt(stopAt: number): Partial<ListingPlayerOptions> {
  let step = -1;
  return {
    beforeStep: () => {
      step += 1;
      if (step === stopAt) throw new Killed();
    },
  };
}

/** Steps of one undisturbed run. */
function count(variant: Variant, parameter: string): number {
  let steps = 0;
  byListing(shop(variant), variant, parameter, {
    beforeStep: () => {
      steps += 1;
    },
  });
  return steps;
}

const paidOnce = (world: World): boolean => left(world).invoices?.[0]?.paid_cents === '18000';
const stockOnce = (world: World): boolean =>
  JSON.stringify(left(world).stock?.map(({ on_hand }) => on_hand)) === '["5","9"]';

/** The simulator writes hashes in lower case. */
function lowered(world: World): World {
  const log = world.databases.get('Shop')?.table('log');
  for (const record of log?.all() ?? [])
    log?.put({
      ...record,
      values: { ...record.values, payload_hash: (record.values.payload_hash ?? '').toLowerCase() },
    });
  return world;
}
