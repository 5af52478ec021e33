import { buildReversalPayload } from './reversal-payload';

const context = {
  invoiceId: '18637',
  checkoutSessionId: 'cs_live_1',
  idempotencyKey: 'invoice-refunded:re_1',
  eventId: 'evt_1',
  livemode: true,
};
const refund = {
  id: 're_1',
  object: 'refund',
  amount: 500,
  currency: 'usd',
  charge: 'ch_1',
  payment_intent: { id: 'pi_1', object: 'payment_intent' },
  reason: 'requested_by_customer',
  status: 'succeeded',
};
const dispute = { ...refund, id: 'dp_1', object: 'dispute', reason: 'fraudulent', status: 'lost', livemode: false };

describe('payloads of money that goes back', () => {
  test('a refund names the payment it undoes, in a fixed order of fields', () => {
    expect(buildReversalPayload('refund', refund, context)).toMatchObject({
      kind: 'built',
      bytes:
        '{"invoice_id":"18637","refund_id":"re_1","payment_intent_id":"pi_1","checkout_session_id":"cs_live_1","charge_id":"ch_1","amount":500,"currency":"usd","reason":"requested_by_customer","status":"succeeded","livemode":true,"idempotency_key":"invoice-refunded:re_1","event_id":"evt_1","schema_version":1}',
    });
  });

  test('a dispute likewise, with its own word on live or test', () => {
    expect(buildReversalPayload('dispute', dispute, context)).toMatchObject({
      kind: 'built',
      payload: { invoice_id: '18637', dispute_id: 'dp_1', amount: 500, status: 'lost', livemode: false },
    });
  });

  test('what Stripe leaves out becomes empty text', () => {
    const bare = { id: 're_1', object: 'refund', amount: 1, currency: 'USD', charge: null, reason: null };
    expect(buildReversalPayload('refund', bare, context)).toMatchObject({
      payload: { payment_intent_id: '', charge_id: '', reason: '', status: '', currency: 'usd' },
    });
  });

  test.each([
    ['a dispute handed in as refund', dispute, {}, 'REVERSAL_UNREADABLE'],
    ['a charge', { ...refund, object: 'charge' }, {}, 'REVERSAL_UNREADABLE'],
    ['nothing', null, {}, 'REVERSAL_UNREADABLE'],
    ['no amount', { ...refund, amount: undefined }, {}, 'AMOUNT_MISSING'],
    ['half a cent', { ...refund, amount: 0.5 }, {}, 'AMOUNT_NOT_INTEGER'],
    ['no invoice', refund, { invoiceId: '' }, 'INVOICE_ID_MISSING'],
  ])('%s is refused', (_what, object, change, code) => {
    expect(buildReversalPayload('refund', object, { ...context, ...change })).toMatchObject({ kind: 'refused', code });
  });
});
