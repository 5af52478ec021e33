import type { ClaimedEffect, TurnEnding } from '@bridge/effects';
import { repairOf } from './repair-of';

const plannedAt = new Date('2026-11-22T12:00:00Z');
const effect = (over: Partial<ClaimedEffect> = {}): ClaimedEffect => ({
  id: '1',
  kind: 'filemaker-script',
  flow: 'invoices',
  key: 'invoice-paid:cs_1',
  lane: 'invoice:1',
  title: 'Mark invoice 1 paid',
  target: {},
  body: '{}',
  subject: { checkoutSessionId: 'cs_1' },
  state: 'planned',
  checkFirst: true,
  askOnly: false,
  attempts: 1,
  refusals: 0,
  plannedAt,
  firstSentAt: null,
  lastSentAt: null,
  sinceSentMs: null,
  sincePlannedMs: 1,
  unknownSinceMs: null,
  lastSessionId: null,
  lastAnswered: false,
  worker: 'w',
  claimNo: '1',
  ...over,
});
const done = (over: Partial<ClaimedEffect> = {}): TurnEnding => ({
  kind: 'done',
  verified: true,
  next: false,
  effect: effect(over),
});

test('a replay that is done has put its own object right: the payment, or the refund or dispute of it', () => {
  const repair = { flow: 'invoices', plannedAt };
  expect(repairOf(done())).toEqual({ ...repair, objectId: 'cs_1' });
  expect(repairOf(done({ subject: { checkoutSessionId: 'cs_1', refundId: 're_1' } }))).toEqual({
    ...repair,
    objectId: 're_1',
  });
  expect(repairOf(done({ subject: { checkoutSessionId: 'cs_1', disputeId: 'dp_1' } }))).toEqual({
    ...repair,
    objectId: 'dp_1',
  });
});

test('what came by its webhook, waits, is parked, or is about no object of Stripe’s repairs nothing', () => {
  const ends: TurnEnding[] = [
    done({ checkFirst: false }),
    done({ subject: {} }),
    { kind: 'parked', code: 'X', message: 'x', effect: effect() },
    { kind: 'unknown', code: 'X', message: 'x', afterMs: 1, effect: effect() },
    { kind: 'nothing', because: 'x' },
  ];
  expect(ends.map(repairOf)).toEqual(ends.map(() => undefined));
});
