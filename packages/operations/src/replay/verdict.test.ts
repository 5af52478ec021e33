import type { EffectPlan } from '@bridge/effects';
import type { FlowPreview } from '@bridge/flow';
import fc from 'fast-check';
import type { UnderWay } from '../tables/read-replay-tables';
import { judgeOutcome } from './judge-outcome';

import { judgeReplay, type ReplayFacts, type StandingEffect, VERDICTS } from './verdict';

const RECOVER_FROM = new Date('2026-11-01T00:00:00Z');
const plan = (parked?: string): EffectPlan => ({
  kind: 'filemaker-script',
  flow: 'invoices',
  key: 'invoice-paid:cs_1',
  lane: 'invoice:1',
  title: 'Mark invoice 1 paid',
  target: {},
  body: '{}',
  subject: {},
  origin: 'operator',
  checkFirst: true,
  ...(parked === undefined ? {} : { parked: { reasonCode: parked, reason: `because ${parked}` } }),
});
function preview(rest: Partial<FlowPreview> = {}, occurredAt = '2026-11-20T00:00:00Z'): FlowPreview {
  const plans = rest.plans ?? [];
  return {
    plans,
    unsent: [],
    afresh: { plans, unsent: [] },
    about: { namedInvoice: '1', amount: 1, currency: 'usd', moved: true, occurredAt: new Date(occurredAt) },
    ...rest,
  };
}
const standing = (rest: Partial<StandingEffect>): StandingEffect => ({
  state: 'parked',
  attempts: 0,
  reasonCode: null,
  reason: null,
  verified: null,
  release: undefined,
  ...rest,
});
const facts = (rest: Partial<ReplayFacts> = {}): ReplayFacts => ({
  preview: preview({ plans: [plan()] }),
  standing: undefined,
  log: 'not-there',
  hasProbe: false,
  recoverFrom: RECOVER_FROM,
  ...rest,
});
const releases = { kind: 'releases' } as const;
const refused = { kind: 'refused', code: 'EFFECT_NEEDS_DECISION', reason: 'decide it alone' } as const;
const nothing = { plans: [], unsent: [] };
const refusal = (reasonCode: string) => ({ reasonCode, reason: 'no', refusesOrder: true }) as const;
const changing = () => preview({ plans: [{ ...plan(), replaces: { attempts: 0, what: 'invoice 2' } }] });

test.each<[string, ReplayFacts, string, string | null, string | null]>([
  ['nothing stands and nothing ran', facts(), 'would-apply', 'send', null],
  ['FileMaker is away', facts({ log: 'unasked' }), 'would-apply', 'send', 'UNASKED'],
  ["FileMaker's log says done", facts({ log: 'done' }), 'already-applied', 'send', 'LOG_SAYS_DONE'],
  ["FileMaker's log has begun", facts({ log: 'not-done' }), 'parked', 'send', 'LOG_NOT_DONE'],
  ['no log can be asked', facts({ log: 'no-log' }), 'parked', 'send', 'CANNOT_BE_ASKED'],
  [
    'the money is older than recovery',
    facts({ preview: preview({ plans: [plan()] }, '2026-10-31T23:59:59Z') }),
    'older',
    'send',
    'BEFORE_RECONCILE_FROM',
  ],
  [
    'the invoice was paid before',
    facts({ preview: preview({ plans: [plan('second-payment')] }) }),
    'second-payment',
    'send',
    'second-payment',
  ],
  [
    'the money is gone',
    facts({ preview: preview({ plans: [plan('payment-refunded')] }) }),
    'parked',
    'send',
    'payment-refunded',
  ],
  ['done here', facts({ standing: standing({ state: 'done', verified: true }) }), 'already-applied', null, 'DONE'],
  [
    'done by a word',
    facts({ standing: standing({ state: 'done', verified: false }) }),
    'already-applied',
    null,
    'DONE_UNVERIFIED',
  ],
  ['a person said no', facts({ standing: standing({ state: 'cancelled' }) }), 'cancelled', null, 'CANCELLED'],
  ['sent and unheard', facts({ standing: standing({ state: 'unknown', reasonCode: 'X' }) }), 'unknown', null, 'X'],
  [
    'its record was locked',
    facts({ standing: standing({ state: 'planned', reasonCode: 'FILEMAKER_RECORD_LOCKED' }) }),
    'locked',
    null,
    'FILEMAKER_RECORD_LOCKED',
  ],
  ['it waits its turn', facts({ standing: standing({ state: 'planned' }) }), 'on-its-way', null, null],
  [
    'parked, and a button may release it',
    facts({ standing: standing({ reasonCode: 'FILEMAKER_REFUSED', release: releases }) }),
    'parked',
    'release',
    'FILEMAKER_REFUSED',
  ],
  [
    'parked, and it has to be decided alone',
    facts({ standing: standing({ reasonCode: 'LOG_CONTRADICTS', release: refused }) }),
    'parked',
    null,
    'LOG_CONTRADICTS',
  ],
  [
    'parked, and FileMaker has it',
    facts({ standing: standing({ reasonCode: 'X', release: releases }), log: 'done' }),
    'already-applied',
    'release',
    'LOG_SAYS_DONE',
  ],
  [
    'parked as a second payment',
    facts({ standing: standing({ reasonCode: 'second-payment', release: refused }) }),
    'second-payment',
    null,
    'second-payment',
  ],
  [
    'it names no invoice',
    facts({ preview: preview({ parked: { reasonCode: 'NO_INVOICE_ID', reason: 'names none' } }) }),
    'parked',
    null,
    'NO_INVOICE_ID',
  ],
  [
    'it was parked before for the same reason',
    facts({
      preview: preview({
        ignored: { reasonCode: 'PARKED_BEFORE', reason: 'parked already' },
        afresh: { ...nothing, parked: { reasonCode: 'NO_INVOICE_ID', reason: 'names none' } },
      }),
    }),
    'parked',
    null,
    'NO_INVOICE_ID',
  ],
  [
    'it names another invoice',
    facts({
      preview: preview({
        ignored: { reasonCode: 'NAMES_ANOTHER_INVOICE', reason: 'names 2' },
        afresh: { ...nothing, ignored: { reasonCode: 'NAMES_ANOTHER_INVOICE', reason: 'names 2' } },
      }),
    }),
    'refused',
    null,
    'NAMES_ANOTHER_INVOICE',
  ],
  [
    'no money has come',
    facts({
      preview: preview({
        about: { namedInvoice: '1', amount: 1, currency: 'usd', moved: false, occurredAt: undefined },
      }),
    }),
    'not-paid',
    null,
    'NOT_PAID',
  ],
  ['nothing is told', facts({ preview: preview() }), 'nothing-due', null, 'NOTHING_DUE'],
  [
    'another payment has settled the given invoice',
    facts({ preview: preview({ ignored: refusal('SECOND_PAYMENT_OF_INVOICE') }) }),
    'second-payment',
    null,
    'SECOND_PAYMENT_OF_INVOICE',
  ],
  [
    'it is applied, and the given invoice is another one',
    facts({
      preview: preview({ ignored: refusal('APPLIED_TO_ANOTHER') }),
      standing: standing({ state: 'done', verified: true }),
    }),
    'refused',
    null,
    'APPLIED_TO_ANOTHER',
  ],
  ['its invoice changes', facts({ preview: changing(), standing: standing({}) }), 'changes-invoice', 'send', null],
  [
    'its invoice changes and FileMaker is away: it is asked before anything runs',
    facts({ preview: changing(), standing: standing({}), log: 'unasked' }),
    'changes-invoice',
    'send',
    'UNASKED',
  ],
  [
    'its invoice cannot change: the log has it',
    facts({ preview: changing(), standing: standing({}), log: 'done' }),
    'refused',
    null,
    'LOG_SAYS_DONE',
  ],
  [
    'its invoice cannot change: the log has begun with it',
    facts({ preview: changing(), standing: standing({}), log: 'not-done' }),
    'refused',
    null,
    'LOG_NOT_DONE',
  ],
  [
    'FileMaker was put right by hand',
    facts({
      preview: preview({ byHand: { reasonCode: 'BY_HAND', reason: 'moved' } }),
      standing: standing({ state: 'done', verified: true }),
    }),
    'by-hand',
    'send',
    'BY_HAND',
  ],
])('%s', (_case, given, verdict, acts, code) => {
  expect(judgeReplay(given)).toMatchObject({ verdict, acts, reasonCode: code });
});

const anyFacts: fc.Arbitrary<ReplayFacts> = fc.record({
  preview: fc
    .record({
      plans: fc.constantFrom([], [plan()], [plan('second-payment')], [plan('payment-refunded')]),
      parked: fc.constantFrom(undefined, { reasonCode: 'P', reason: 'p' }),
      ignored: fc.constantFrom(undefined, { reasonCode: 'I', reason: 'i' }),
      moved: fc.boolean(),
      occurredAt: fc.constantFrom(undefined, new Date('2026-10-01T00:00:00Z'), new Date('2026-11-20T00:00:00Z')),
    })
    .map(({ plans, parked, ignored, moved, occurredAt }) =>
      preview({
        plans: [...plans],
        ...(parked === undefined ? {} : { parked }),
        ...(ignored === undefined ? {} : { ignored }),
        about: { namedInvoice: undefined, amount: 1, currency: 'usd', moved, occurredAt },
      }),
    ),
  standing: fc.option(
    fc.record({
      state: fc.constantFrom('planned', 'sending', 'unknown', 'parked', 'done', 'cancelled'),
      attempts: fc.nat(3),
      reasonCode: fc.constantFrom(null, 'second-payment', 'FILEMAKER_RECORD_LOCKED', 'X'),
      reason: fc.constantFrom(null, 'because'),
      verified: fc.constantFrom(null, true, false),
      release: fc.constantFrom(undefined, releases, refused),
    }),
    { nil: undefined },
  ),
  log: fc.constantFrom('done', 'not-done', 'not-there', 'unasked', 'no-log'),
  hasProbe: fc.boolean(),
  recoverFrom: fc.constant(RECOVER_FROM),
});

test('whatever the facts: one verdict of the list, and only what has no effect yet is sent, only what is parked released', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const { verdict, acts } = judgeReplay(given);
      expect(VERDICTS).toContain(verdict);
      if (acts === 'send') expect(given.standing === undefined && given.preview.plans.length > 0).toBe(true);
      if (acts === 'release')
        expect(given.standing?.state === 'parked' && given.standing.release?.kind === 'releases').toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test('nothing is said to apply that FileMaker has, that is parked, or that a person decided about', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const { verdict } = judgeReplay(given);
      if (verdict !== 'would-apply' && verdict !== 'older') return;
      expect(given.standing).toBe(undefined);
      expect(given.preview.plans[0]?.parked).toBe(undefined);
      expect(['not-there', 'unasked']).toContain(given.log);
    }),
    { numRuns: 1_000 },
  );
});

const underWay = (rest: Partial<UnderWay> = {}): UnderWay => ({
  id: '1',
  acts: 'send',
  verdict: 'would-apply',
  attemptsBefore: 0,
  objectId: 'cs_1',
  sentMs: 1_000,
  event: { state: 'processed', reasonCode: null, reason: null },
  effect: { id: '1', state: 'done', attempts: 1, reasonCode: null, reason: null, inHand: false, behind: null },
  ...rest,
});
const effect = (state: string, rest: Partial<NonNullable<UnderWay['effect']>> = {}): UnderWay['effect'] => ({
  id: '1',
  state,
  attempts: 1,
  reasonCode: null,
  reason: null,
  inHand: false,
  behind: null,
  ...rest,
});

const behind = (rest: Partial<NonNullable<NonNullable<UnderWay['effect']>['behind']>> = {}) => ({
  id: '7',
  state: 'planned',
  reasonCode: null,
  ofThisPlan: false,
  ...rest,
});

test.each<[string, UnderWay, string | undefined]>([
  ['its event waits', underWay({ event: { state: 'received', reasonCode: null, reason: null } }), undefined],
  ['its effect is sent', underWay({ effect: effect('sending') }), undefined],
  ['it ran', underWay(), 'applied'],
  ['FileMaker had it: nothing was sent', underWay({ effect: effect('done', { attempts: 0 }) }), 'already-applied'],
  [
    'released, and FileMaker had it',
    underWay({ acts: 'release', event: null, attemptsBefore: 2, effect: effect('done', { attempts: 2 }) }),
    'already-applied',
  ],
  [
    'the webhook came meanwhile',
    underWay({ event: { state: 'ignored', reasonCode: 'PAID_BEFORE', reason: '' } }),
    'already-applied',
  ],
  [
    'it was another one by then',
    underWay({ event: { state: 'ignored', reasonCode: 'CHANGED_SINCE', reason: '' }, effect: null }),
    'changed-since',
  ],
  ['it waits for a person', underWay({ effect: effect('parked', { reasonCode: 'X' }) }), 'parked'],
  [
    'its record is locked for a while',
    underWay({ effect: effect('planned', { reasonCode: 'FILEMAKER_RECORD_LOCKED' }) }),
    undefined,
  ],
  [
    'its record is locked for long',
    underWay({ sentMs: 60_000, effect: effect('planned', { reasonCode: 'FILEMAKER_RECORD_LOCKED' }) }),
    'on-its-way',
  ],
  [
    'another effect of its invoice goes first, for a while',
    underWay({ effect: effect('planned', { behind: behind() }) }),
    undefined,
  ],
  [
    'another effect of its invoice goes first, for long',
    underWay({ sentMs: 60_000, effect: effect('planned', { behind: behind() }) }),
    'on-its-way',
  ],
  [
    'FileMaker is away for long: its place is not given to another',
    underWay({ sentMs: 60_000, effect: effect('planned', { reasonCode: 'FILEMAKER_AWAY' }) }),
    undefined,
  ],
  [
    'FileMaker is away for long, and its invoice is changed all the same',
    underWay({
      verdict: 'changes-invoice',
      sentMs: 60_000,
      effect: effect('planned', { reasonCode: 'FILEMAKER_AWAY' }),
    }),
    'on-its-way',
  ],
  [
    'our books follow what was done by hand: nothing was sent',
    underWay({ verdict: 'by-hand', effect: effect('done', { attempts: 0 }) }),
    'recorded',
  ],
])('of a payment that was sent: %s', (_case, item, outcome) => {
  expect(judgeOutcome(item, true)?.outcome).toBe(outcome);
});

test('behind another effect it waits for its turn or stands still, and the word says which', () => {
  const told = (rest: Parameters<typeof behind>[0]) =>
    judgeOutcome(underWay({ sentMs: 60_000, effect: effect('planned', { behind: behind(rest) }) }), true);
  // Another of this plan is only slow: its own end is awaited, and then this one goes.
  expect(told({ ofThisPlan: true })).toBeUndefined();
  expect(told({ ofThisPlan: true, state: 'unknown', reasonCode: 'TIMEOUT' })).toBeUndefined();
  expect(told({})).toMatchObject({ outcome: 'on-its-way', code: 'WAITS_ITS_TURN' });
  expect(told({ state: 'sending' })).toMatchObject({ code: 'WAITS_ITS_TURN' });
  for (const stands of [
    { state: 'unknown', reasonCode: 'TIMEOUT' },
    { reasonCode: 'FILEMAKER_RECORD_LOCKED' },
    { reasonCode: 'SCRIPT_PAUSED' },
  ])
    expect(told(stands)).toMatchObject({
      outcome: 'on-its-way',
      code: 'BEHIND_IN_LANE',
      reason: expect.stringContaining('behind effect 7'),
    });
});

test('with MODE=observe a sent payment ends as recorded', () => {
  expect(judgeOutcome(underWay({ effect: effect('planned') }), false)?.outcome).toBe('observed');
});
