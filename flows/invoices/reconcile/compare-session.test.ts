import fc from 'fast-check';
import type { LogTold } from '../ports';
import type { ReversalFacts, SessionFacts } from '../session-facts';
import {
  CLASSES,
  type ComparisonRules,
  type EffectSide,
  FILEMAKER_CLASSES,
  type RecordedPayment,
  type RecordSide,
  type StripeSide,
} from './books';
import { missesReversals } from './compare-reversals';
import { compareSession, notAtStripe } from './compare-session';

const NOW = new Date('2026-11-20T12:00:00Z');
const MINUTE = 60_000;
const ago = (minutes: number): Date => new Date(NOW.getTime() - minutes * MINUTE);
const RULES = { now: NOW, recoverFrom: new Date('2026-01-01'), instalments: 'park' as const, observing: false };
const DONE: LogTold = { kind: 'told', states: ['done'] };
const NO_ROW: LogTold = { kind: 'told', states: [] };

const facts = (over: Partial<SessionFacts> = {}): SessionFacts => ({
  id: 'cs_1',
  mode: 'payment',
  paid: true,
  status: 'complete',
  invoiceId: '18637',
  paymentIntentId: 'pi_1',
  chargeId: 'ch_1',
  amountTotal: 18_000,
  currency: 'usd',
  livemode: false,
  createdAt: ago(70),
  paidAt: ago(60),
  refunded: false,
  amountRefunded: 0,
  disputed: false,
  failed: false,
  ...over,
});
const payment = (over: Partial<RecordedPayment> = {}): RecordedPayment => ({
  sessionId: 'cs_1',
  status: 'paid',
  parkedCode: undefined,
  invoiceId: '18637',
  amountTotal: 18_000,
  currency: 'usd',
  paidAt: ago(60),
  firstSeen: ago(59),
  sessionCreatedAt: ago(70),
  ...over,
});
const effect = (over: Partial<EffectSide> = {}): EffectSide => ({
  state: 'done',
  byPerson: false,
  askOnly: false,
  reasonCode: undefined,
  plannedAt: ago(59),
  ...over,
});
const reversal = (over: Partial<ReversalFacts> = {}): ReversalFacts => ({
  id: 're_1',
  amount: 5_000,
  currency: 'usd',
  status: 'succeeded',
  createdAt: ago(30),
  paymentIntentId: 'pi_1',
  ...over,
});

interface Given {
  stripe?: Partial<StripeSide> & { of?: Partial<SessionFacts> };
  record?: Partial<RecordSide>;
  effect?: EffectSide | undefined;
  filemaker?: LogTold | undefined;
  rules?: Partial<ComparisonRules>;
}

function compare(given: Given = {}) {
  const { of, ...stripe } = given.stripe ?? {};
  return compareSession(
    { facts: facts(of), ...stripe },
    { payment: payment(), reversals: [], others: [], ...given.record },
    'effect' in given ? given.effect : effect(),
    'filemaker' in given ? given.filemaker : DONE,
    { ...RULES, ...given.rules },
  );
}
const classes = (given: Given): string[] => compare(given).map((finding) => finding.class);

test('what is paid, recorded, done and in FileMaker once is no finding', () => {
  expect(compare()).toEqual([]);
});

test('a paid Checkout Session that our records lack is a finding over its whole money, with the event that was missed', () => {
  const [finding, ...others] = compare({ record: { payment: undefined }, effect: undefined, filemaker: NO_ROW });
  expect(others).toEqual([]);
  expect(finding).toMatchObject({
    class: 'paid-not-recorded',
    objectId: 'cs_1',
    stripeValue: 'paid',
    recordedValue: null,
    filemakerValue: 'no row',
    amount: 18_000,
    currency: 'usd',
    replay: {
      eventId: 'found.cs_1',
      eventType: 'checkout.session.completed',
      object: { id: 'cs_1', object: 'checkout.session' },
      createdAt: ago(60),
    },
  });
});

test('money from before the beginning is told and never replayed; the moment it came counts, not its birth', () => {
  const unrecorded = { record: { payment: undefined }, effect: undefined, filemaker: undefined };
  const [older] = compare({ ...unrecorded, rules: { recoverFrom: ago(59) } });
  expect(older).toMatchObject({ class: 'paid-not-recorded', replay: null, beforeStart: true, amount: 18_000 });
  const [younger] = compare({ ...unrecorded, rules: { recoverFrom: ago(65) } });
  expect(younger?.replay).not.toBeNull();
});

test.each(['pending', 'failed', 'expired'] as const)('paid at Stripe and recorded as %s: replayed', (status) => {
  const [finding, ...others] = compare({ record: { payment: payment({ status }) }, effect: undefined });
  expect(others).toEqual([]);
  expect(finding).toMatchObject({
    class: 'status-differs',
    stripeValue: 'paid',
    recordedValue: status,
    amount: 18_000,
    replay: { eventType: 'checkout.session.completed' },
  });
});

test.each([
  ['expired', { status: 'expired', paid: false }],
  ['failed', { failed: true, paid: false }],
] as const)('pending here and %s at Stripe: told, without money, for a person', (word, of) => {
  const pending = { record: { payment: payment({ status: 'pending' }) }, effect: undefined, filemaker: undefined };
  expect(compare({ ...pending, stripe: { of } })).toMatchObject([
    { class: 'status-differs', stripeValue: word, recordedValue: 'pending', amount: 0, replay: null },
  ]);
  expect(compare({ ...pending, stripe: { of: { paid: false } } })).toEqual([]);
});

test('recorded as paid and unpaid at Stripe is for a person; once FileMaker was told, it is worse and said so', () => {
  const unpaid = { stripe: { of: { paid: false } } };
  expect(compare({ ...unpaid, effect: effect({ state: 'planned' }) })).toMatchObject([
    { class: 'status-differs', recordedValue: 'paid', amount: 18_000, replay: null },
  ]);
  expect(compare(unpaid)).toMatchObject([
    { class: 'applied-not-paid', recordedValue: 'done', amount: 18_000, replay: null },
  ]);
});

test('another amount is at risk by the difference, another currency by all of it', () => {
  const [amount] = compare({ record: { payment: payment({ amountTotal: 17_250 }) } });
  expect(amount).toMatchObject({
    class: 'amount-differs',
    stripeValue: '180.00 USD',
    recordedValue: '172.50 USD',
    amount: 750,
  });
  const [currency, ...others] = compare({ record: { payment: payment({ currency: 'eur', amountTotal: 1 }) } });
  expect(others).toEqual([]);
  expect(currency).toMatchObject({
    class: 'currency-differs',
    stripeValue: '180.00 USD',
    recordedValue: '0.01 EUR',
    amount: 18_000,
  });
});

test('another invoice is told; one that a person gave to a Session that names none is not', () => {
  const [finding] = compare({ record: { payment: payment({ invoiceId: '777' }) } });
  expect(finding).toMatchObject({
    class: 'invoice-differs',
    stripeValue: '18637',
    recordedValue: '777',
    amount: 18_000,
  });
  expect(compare({ stripe: { of: { invoiceId: undefined } } })).toEqual([]);
});

test('of two payments of one invoice the later one is told, once, unless instalments are allowed or its money went back', () => {
  const others = [{ sessionId: 'cs_0', paidAt: ago(90) }];
  const second = {
    record: { others },
    effect: effect({ state: 'parked', reasonCode: 'second-payment' }),
    filemaker: NO_ROW,
  };
  expect(compare(second)).toMatchObject([
    { class: 'paid-twice', recordedValue: 'parked: second-payment', amount: 18_000, replay: null },
  ]);
  expect(classes({ ...second, record: { others: [{ sessionId: 'cs_2', paidAt: ago(30) }] } })).toEqual([
    'paid-not-applied',
  ]);
  expect(classes({ ...second, rules: { instalments: 'allow' } })).toEqual(['paid-not-applied']);
  expect(classes({ record: { others } })).toEqual(['paid-twice']);
  expect(classes({ ...second, effect: effect({ state: 'cancelled' }) })).toEqual([]);
  const back = { ...second, stripe: { of: { amountRefunded: 18_000 } } };
  expect(compare(back)).toMatchObject([{ class: 'paid-not-applied', amount: 0 }]);
});

test('two payments that came in the same second: exactly one of them is the second', () => {
  const at = ago(60);
  const isSecond = (id: string, other: string) =>
    classes({ stripe: { of: { id, paidAt: at } }, record: { others: [{ sessionId: other, paidAt: at }] } }).length;
  expect([isSecond('cs_a', 'cs_b'), isSecond('cs_b', 'cs_a')]).toEqual([0, 1]);
});

test.each([
  ['planned', 'FILEMAKER_RECORD_LOCKED', 'waits: FILEMAKER_RECORD_LOCKED'],
  ['parked', 'LOG_NOT_DONE', 'parked: LOG_NOT_DONE'],
  ['unknown', 'FILEMAKER_TIMEOUT', 'unknown: FILEMAKER_TIMEOUT'],
] as const)('paid and recorded, and the effect %s after ten minutes: told, and why', (state, reasonCode, word) => {
  const waits = { effect: effect({ state, reasonCode }), filemaker: NO_ROW };
  expect(compare(waits)).toMatchObject([
    { class: 'paid-not-applied', recordedValue: word, filemakerValue: 'no row', amount: 18_000 },
  ]);
});

test('paid and parked without an effect is told with the reason', () => {
  const parked = {
    record: { payment: payment({ status: 'parked', parkedCode: 'NO_INVOICE_ID', invoiceId: undefined }) },
  };
  expect(
    compare({ ...parked, stripe: { of: { invoiceId: undefined } }, effect: undefined, filemaker: undefined }),
  ).toMatchObject([{ class: 'paid-not-applied', recordedValue: 'parked: NO_INVOICE_ID', amount: 18_000 }]);
});

test('while observing, what FileMaker was not told is no finding; what is missing in our records still is', () => {
  const rules = { observing: true };
  expect(classes({ effect: effect({ state: 'planned' }), filemaker: NO_ROW, rules })).toEqual([]);
  expect(classes({ effect: effect({ state: 'planned' }), filemaker: DONE, rules })).toEqual([]);
  expect(classes({ record: { payment: undefined }, effect: undefined, rules })).toEqual(['paid-not-recorded']);
});

test('ten minutes count from when all was known, and what a person has cancelled is settled', () => {
  const planned = (minutes: number) => effect({ state: 'planned', plannedAt: ago(minutes) });
  expect(classes({ effect: planned(9), filemaker: NO_ROW })).toEqual([]);
  expect(classes({ effect: planned(10), filemaker: NO_ROW })).toEqual(['paid-not-applied']);
  expect(
    classes({ effect: planned(59), record: { payment: payment({ firstSeen: ago(9) }) }, filemaker: NO_ROW }),
  ).toEqual([]);
  expect(classes({ effect: effect({ state: 'cancelled', byPerson: true }), filemaker: NO_ROW })).toEqual([]);
});

test('done here: FileMaker has to show it exactly once, in state done', () => {
  const told = (...states: string[]): Given => ({ filemaker: { kind: 'told', states } });
  expect(compare(told())).toMatchObject([
    { class: 'applied-not-in-filemaker', filemakerValue: 'no row', amount: 18_000 },
  ]);
  expect(compare(told('failed'))).toMatchObject([
    { class: 'filemaker-row-not-done', filemakerValue: 'failed', amount: 18_000 },
  ]);
  expect(classes(told('started'))).toEqual(['filemaker-row-not-done']);
  expect(compare(told('done', 'done'))).toMatchObject([{ class: 'filemaker-row-twice', filemakerValue: 'done, done' }]);
});

test('a state in the log that is no code may name a customer: a finding does not repeat it', () => {
  const [found] = compare({ filemaker: { kind: 'told', states: ['Mrs Li, li@shop.example', ''] } });
  expect(found).toMatchObject({ class: 'filemaker-row-twice', filemakerValue: 'another state, empty' });
  expect(JSON.stringify(found)).not.toMatch(/Li|@/);
});

test('what an older handler did, and the company’s own field has shown, is not missed in the log; any other row still counts', () => {
  const asked = (filemaker: LogTold) => classes({ effect: effect({ askOnly: true }), filemaker });
  expect(asked(NO_ROW)).toEqual([]);
  expect(asked({ kind: 'told', states: ['done', 'done'] })).toEqual(['filemaker-row-twice']);
  expect(asked({ kind: 'told', states: ['started'] })).toEqual(['filemaker-row-not-done']);
});

test('what FileMaker could not be asked about is never called missing, and a person’s word stands against the log', () => {
  for (const because of ['NO_LOG', 'SENTINEL_MISSING', 'CUT_SHORT', 'LOG_UNREADABLE'] as const)
    expect(compare({ filemaker: { kind: 'unasked', because } })).toEqual([]);
  expect(compare({ filemaker: undefined })).toEqual([]);
  expect(compare({ effect: effect({ byPerson: true }), filemaker: NO_ROW })).toEqual([]);
});

test('done in FileMaker and not here is told, unless it is being settled at this moment', () => {
  const at = (state: EffectSide['state']) => classes({ effect: effect({ state }), filemaker: DONE });
  expect(at('parked')).toEqual(['done-in-filemaker-not-here']);
  expect(at('planned')).toEqual(['done-in-filemaker-not-here']);
  expect(at('cancelled')).toEqual(['done-in-filemaker-not-here']);
  expect(at('sending')).toEqual(['paid-not-applied']);
  expect(at('unknown')).toEqual(['paid-not-applied']);
});

test('a refund that our records lack is told by its own id and money, and replayed', () => {
  const given = { stripe: { of: { amountRefunded: 5_000 }, refunds: [reversal()] } };
  expect(compare(given)).toMatchObject([
    {
      class: 'refund-not-recorded',
      objectId: 're_1',
      stripeValue: 'succeeded: 50.00 USD',
      recordedValue: null,
      amount: 5_000,
      currency: 'usd',
      replay: { eventId: 'found.re_1', eventType: 'refund.updated', object: { id: 're_1', object: 'refund' } },
    },
  ]);
  const recorded = [{ id: 're_1', kind: 'refund' as const, amount: 5_000, currency: 'usd', status: 'succeeded' }];
  expect(compare({ ...given, record: { reversals: recorded } })).toEqual([]);
  expect(classes({ ...given, record: { reversals: recorded.map((one) => ({ ...one, status: 'pending' })) } })).toEqual([
    'refund-not-recorded',
  ]);
  const refused = { stripe: { refunds: [reversal({ status: 'failed' })] } };
  expect(compare(refused)).toEqual([]);
  expect(classes({ ...refused, record: { reversals: recorded } })).toEqual(['refund-not-recorded']);
});

test('a refund of a moment ago is left to its webhook, and an old one to a person', () => {
  const young = { stripe: { of: { amountRefunded: 5_000 }, refunds: [reversal({ createdAt: ago(9) })] } };
  expect(compare(young)).toEqual([]);
  const old = { stripe: { of: { amountRefunded: 5_000 }, refunds: [reversal()] }, rules: { recoverFrom: ago(29) } };
  expect(compare(old)).toMatchObject([{ class: 'refund-not-recorded', replay: null, beforeStart: true }]);
});

test('a dispute that our records lack is told and replayed, and so is its end', () => {
  const dispute = reversal({ id: 'dp_1', amount: 18_000, status: 'needs_response' });
  const disputed = { of: { disputed: true } };
  expect(compare({ stripe: { ...disputed, disputes: [dispute] } })).toMatchObject([
    {
      class: 'dispute-not-recorded',
      objectId: 'dp_1',
      amount: 18_000,
      replay: { eventType: 'charge.dispute.created' },
    },
  ]);
  const reversals = [
    { id: 'dp_1', kind: 'dispute' as const, amount: 18_000, currency: 'usd', status: 'needs_response' },
  ];
  const recorded = { record: { reversals } };
  expect(compare({ stripe: { ...disputed, disputes: [dispute] }, ...recorded })).toEqual([]);
  const lost = { ...dispute, status: 'lost' };
  expect(compare({ stripe: { ...disputed, disputes: [lost] }, ...recorded })).toMatchObject([
    { class: 'dispute-not-recorded', recordedValue: 'needs_response', replay: { eventType: 'charge.dispute.closed' } },
  ]);
});

test('refunds and disputes are read one by one only where the sums do not agree or something is under way', () => {
  const of = (kind: 'refund' | 'dispute', status: string, amount = 5_000) => [
    { id: 'x', kind, amount, currency: 'usd', status },
  ];
  expect(missesReversals(facts(), [])).toEqual({ refunds: false, disputes: false });
  expect(missesReversals(facts({ amountRefunded: 5_000 }), [])).toMatchObject({ refunds: true });
  expect(missesReversals(facts({ amountRefunded: 5_000 }), of('refund', 'succeeded'))).toMatchObject({
    refunds: false,
  });
  expect(missesReversals(facts({ amountRefunded: 5_000 }), of('refund', 'pending'))).toMatchObject({ refunds: true });
  expect(missesReversals(facts(), of('refund', 'failed'))).toMatchObject({ refunds: false });
  expect(missesReversals(facts({ disputed: true }), [])).toMatchObject({ disputes: true });
  expect(missesReversals(facts({ disputed: true }), of('dispute', 'needs_response'))).toMatchObject({ disputes: true });
  expect(missesReversals(facts({ disputed: true }), of('dispute', 'lost'))).toMatchObject({ disputes: false });
});

test('what Stripe does not know is at risk by its money, if any came', () => {
  expect(notAtStripe(payment())).toMatchObject({
    class: 'recorded-not-at-stripe',
    objectId: 'cs_1',
    amount: 18_000,
    replay: null,
  });
  expect(notAtStripe(payment({ status: 'pending' })).amount).toBe(0);
});

/** Any three books that could stand beside each other. */
const anyBooks = fc.record({
  facts: fc.record({
    paid: fc.boolean(),
    status: fc.constantFrom('open', 'complete', 'expired', 'other'),
    invoiceId: fc.constantFrom('18637', '2', undefined),
    amountTotal: fc.nat(1_000_000),
    currency: fc.constantFrom('usd', 'jpy', 'kwd'),
    amountRefunded: fc.nat(1_000_000),
    disputed: fc.boolean(),
    failed: fc.boolean(),
    paidMinutes: fc.nat(100_000),
  }),
  payment: fc.option(
    fc.record({
      status: fc.constantFrom('pending', 'paid', 'failed', 'expired', 'parked'),
      invoiceId: fc.constantFrom('18637', '2', undefined),
      amountTotal: fc.nat(1_000_000),
      currency: fc.constantFrom('usd', 'jpy', 'kwd'),
      seenMinutes: fc.nat(100_000),
    }),
  ),
  effect: fc.option(
    fc.record({
      state: fc.constantFrom('planned', 'sending', 'unknown', 'parked', 'done', 'cancelled'),
      byPerson: fc.boolean(),
      askOnly: fc.boolean(),
      reasonCode: fc.constantFrom(undefined, 'second-payment', 'LOG_NOT_DONE'),
      plannedMinutes: fc.nat(100_000),
    }),
  ),
  log: fc.oneof(
    fc.constant(undefined),
    fc.constant({ kind: 'unasked', because: 'NO_LOG' } as const),
    fc.record({
      kind: fc.constant('told' as const),
      states: fc.array(fc.constantFrom('done', 'failed', 'started', ''), { maxLength: 2 }),
    }),
  ),
  others: fc.array(fc.record({ sessionId: fc.constantFrom('cs_0', 'cs_2'), minutes: fc.nat(100_000) }), {
    maxLength: 2,
  }),
  refund: fc.option(
    fc.record({
      amount: fc.nat(1_000_000),
      minutes: fc.nat(100_000),
      status: fc.constantFrom('succeeded', 'pending', 'failed'),
    }),
  ),
  fromMinutes: fc.nat(100_000),
});
type Books = typeof anyBooks extends fc.Arbitrary<infer T> ? T : never;

function compareAny(books: Books) {
  const { paidMinutes, ...of } = books.facts;
  const paidAt = ago(paidMinutes);
  return compareSession(
    {
      facts: facts({ ...of, paidAt, createdAt: paidAt }),
      ...(books.refund === null
        ? {}
        : {
            refunds: [
              reversal({
                amount: books.refund.amount,
                status: books.refund.status,
                createdAt: ago(books.refund.minutes),
              }),
            ],
          }),
    },
    {
      payment:
        books.payment === null ? undefined : payment({ ...books.payment, firstSeen: ago(books.payment.seenMinutes) }),
      reversals: [],
      others: books.others.map(({ sessionId, minutes }) => ({ sessionId, paidAt: ago(minutes) })),
    },
    books.effect === null ? undefined : effect({ ...books.effect, plannedAt: ago(books.effect.plannedMinutes) }),
    books.log,
    { ...RULES, recoverFrom: ago(books.fromMinutes) },
  );
}

const ACTED_ON = new Set([
  'paid-not-recorded',
  'under-way-not-recorded',
  'refund-not-recorded',
  'dispute-not-recorded',
  'status-differs',
]);
const KNOWN = new Set<string>([...CLASSES, ...FILEMAKER_CLASSES]);

test('whatever the books say: known classes, each once, money never negative, and acted on only where money came or is under way and was missed', () => {
  fc.assert(
    fc.property(anyBooks, (books) => {
      const findings = compareAny(books);
      const names = findings.map(({ class: name, objectId }) => `${name} ${objectId}`);
      expect(new Set(names).size).toBe(names.length);
      for (const finding of findings) {
        expect(KNOWN.has(finding.class)).toBe(true);
        expect(Number.isSafeInteger(finding.amount) && finding.amount >= 0).toBe(true);
        expect(finding.currency).not.toBe('');
        if (finding.replay === null) continue;
        expect(ACTED_ON.has(finding.class)).toBe(true);
        expect(finding.replay.createdAt.getTime()).toBeGreaterThanOrEqual(ago(books.fromMinutes).getTime());
        if (finding.objectId === 'cs_1') {
          const isUnderWay =
            books.payment === null && books.facts.status === 'complete' && !books.facts.failed && finding.amount === 0;
          expect(books.facts.paid || isUnderWay).toBe(true);
          expect(['paid', 'parked']).not.toContain(books.payment?.status);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test('money under way that nobody recorded is recorded while it is seen, and puts none at risk; what is young, failed or older than the beginning is left alone', () => {
  const nothing: RecordSide = { payment: undefined, reversals: [], others: [] };
  const look = (over: Partial<SessionFacts>, rules: Partial<ComparisonRules> = {}) =>
    compareSession({ facts: facts({ paid: false, ...over }) }, nothing, undefined, undefined, { ...RULES, ...rules });
  expect(look({})).toMatchObject([
    { class: 'under-way-not-recorded', stripeValue: 'waits for its money', recordedValue: null, amount: 0 },
  ]);
  expect(look({})[0]?.replay).toMatchObject({ eventType: 'checkout.session.completed', createdAt: ago(60) });
  expect(look({ paidAt: ago(9) })).toEqual([]);
  // Without a charge nothing says when the buyer clicked: a day after the Session's birth at the latest.
  expect(look({ paidAt: undefined, createdAt: ago(24 * 60 + 9) })).toEqual([]);
  expect(look({ paidAt: undefined, createdAt: ago(24 * 60 + 10) })).toHaveLength(1);
  expect(look({ failed: true })).toEqual([]);
  expect(look({ status: 'open' })).toEqual([]);
  expect(look({ status: 'expired' })).toEqual([]);
  expect(look({}, { recoverFrom: ago(59) })).toEqual([]);
});

test('a log that could not be asked never makes a finding that only a log can show', () => {
  fc.assert(
    fc.property(anyBooks, (books) => {
      const unasked = compareAny({ ...books, log: { kind: 'unasked', because: 'NO_LOG' } });
      expect(unasked.filter(({ class: name }) => (FILEMAKER_CLASSES as readonly string[]).includes(name))).toEqual([]);
    }),
  );
});
