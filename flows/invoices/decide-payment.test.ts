import type { Decision, FlowEvent } from '@bridge/flow';
import { decidePayment, type InvoicesWrite, type PaymentInput } from './decide-payment';
import { decideReversal, type ReversalInput } from './decide-reversal';
import { readInvoiceId, readSessionFacts } from './session-facts';

const KEYS = ['metadata.invoice_id'];

function event(type = 'checkout.session.completed', rest: Partial<FlowEvent> = {}): FlowEvent {
  return {
    inboxId: '1',
    eventId: 'evt_1',
    type,
    source: 'webhook',
    livemode: false,
    apiVersion: null,
    createdAt: null,
    receivedAt: new Date(0),
    object: { id: 'cs_1' },
    ...rest,
  };
}

function snapshot(session: Record<string, unknown> = {}, charge: Record<string, unknown> | null = {}) {
  return {
    session: {
      id: 'cs_1',
      object: 'checkout.session',
      mode: 'payment',
      status: 'complete',
      payment_status: 'paid',
      amount_subtotal: 18_000,
      amount_total: 18_000,
      currency: 'usd',
      livemode: false,
      created: 1_700_000_000,
      payment_intent: 'pi_1',
      metadata: { invoice_id: ' 18637 ' },
      ...session,
    },
    lineItems: [
      {
        id: 'li_1',
        object: 'item',
        description: 'Kit',
        quantity: 1,
        currency: 'usd',
        amount_subtotal: 18_000,
        amount_total: 18_000,
        amount_discount: 0,
        amount_tax: 0,
        price: { id: 'price_1', unit_amount: 18_000, currency: 'usd', product: 'prod_1' },
      },
    ],
    products: { prod_1: { id: 'prod_1', name: 'Kit', metadata: { billing_code: 'L2999' } } },
    charge:
      charge === null
        ? null
        : {
            id: 'ch_1',
            paid: true,
            captured: true,
            created: 1_700_000_100,
            amount_refunded: 0,
            disputed: false,
            ...charge,
          },
    paymentIntent: { id: 'pi_1', status: 'succeeded' },
  };
}

function input(
  rest: {
    session?: Record<string, unknown>;
    charge?: Record<string, unknown> | null;
    event?: FlowEvent;
  } & Partial<PaymentInput> = {},
): PaymentInput {
  const { session, charge, ...over } = rest;
  const taken = snapshot(session, charge);
  return {
    snapshot: taken,
    facts: readSessionFacts(taken, KEYS),
    state: { before: undefined, otherSessions: [] },
    settings: {
      invoiceIdKeys: KEYS,
      instalments: 'park',
      payload: { fields: 'full', unit_price: 'unit', shipping_item: { code: '', catalog_number: '' } },
    },
    scripts: {
      target: (fact) => (fact === 'paid' ? { kind: 'script', target: { script: 'PAID' } } : undefined),
    },
    livemode: false,
    ...over,
    event: rest.event ?? event(),
  };
}
const kinds = (decisions: Decision<InvoicesWrite>[]): string[] => decisions.map((decision) => decision.kind);
function planned(decisions: Decision<InvoicesWrite>[]) {
  const found = decisions.find((decision) => decision.kind === 'effect');
  if (found?.kind !== 'effect') throw new Error(`no effect among ${kinds(decisions).join()}`);
  return found.plan;
}
const reasonOf = (decisions: Decision<InvoicesWrite>[]): string | undefined =>
  decisions.flatMap((decision) => ('reasonCode' in decision ? [decision.reasonCode] : []))[0];

test('a paid Session owes one script, keyed by the Session and never by the event that announced it', () => {
  for (const type of [
    'checkout.session.completed',
    'checkout.session.async_payment_succeeded',
    'payment_intent.succeeded',
  ]) {
    const plan = planned(decidePayment(input({ event: event(type, { eventId: `evt_${type}` }) })));
    expect(plan).toMatchObject({
      key: 'invoice-paid:cs_1',
      lane: 'invoice:18637',
      checkFirst: false,
      title: 'Mark invoice 18637 paid',
    });
    expect(plan.parked).toBe(undefined);
    expect(JSON.parse(plan.body)).toMatchObject({
      invoice_id: '18637',
      invoicetotal_cents: 18_000,
      idempotency_key: 'invoice-paid:cs_1',
    });
  }
});

test('money that came after days counts from the event that brought the news, a card from its charge', () => {
  const news = new Date('2026-11-22T10:00:00Z');
  const pending = {
    before: { status: 'pending' as const, parkedCode: undefined, parkedEvent: undefined, invoiceId: undefined },
    otherSessions: [],
  };
  const written = (type: string, over: Partial<FlowEvent> = {}, state?: typeof pending) => {
    const asked = input({
      event: event(type, { createdAt: news, ...over }),
      ...(state === undefined ? {} : { state }),
    });
    const write = decidePayment(asked).find((decision) => decision.kind === 'write')?.write;
    return write?.table === 'payments' ? write.row.succeededAt : 'nothing was written';
  };
  expect(written('checkout.session.async_payment_succeeded')).toEqual(news);
  expect(written('payment_intent.succeeded', {}, pending)).toEqual(news);
  expect(written('payment_intent.succeeded')).toBeUndefined();
  expect(written('checkout.session.completed')).toBeUndefined();
  expect(written('checkout.session.async_payment_succeeded', { source: 'reconciliation' })).toBeUndefined();
});

test('no_payment_required is paid; unpaid and merely held money are not', () => {
  expect(kinds(decidePayment(input({ session: { payment_status: 'no_payment_required' }, charge: null })))).toContain(
    'effect',
  );
  expect(kinds(decidePayment(input({ session: { payment_status: 'unpaid' } })))).toEqual(['write']);
  expect(kinds(decidePayment(input({ charge: { captured: false } })))).toEqual(['write']);
});

test('a late event of the time before the payment does not undo a payment', () => {
  const late = input({
    session: { payment_status: 'unpaid', status: 'expired' },
    event: event('checkout.session.expired'),
    state: {
      before: { status: 'paid', parkedCode: undefined, parkedEvent: undefined, invoiceId: undefined },
      otherSessions: [],
    },
  });
  expect(kinds(decidePayment(late))).toEqual(['ignore']);
});

test('a second payment of an invoice is parked, unless the company takes instalments', () => {
  const state = { before: undefined, otherSessions: ['cs_0'] };
  expect(planned(decidePayment(input({ state }))).parked).toMatchObject({
    reasonCode: 'second-payment',
    reason: expect.stringContaining('cs_0'),
  });
  const settings = { ...input().settings, instalments: 'allow' as const };
  expect(planned(decidePayment(input({ state, settings }))).parked).toBe(undefined);
});

test('a payment that was refunded or disputed before its script could run waits for a person', () => {
  expect(planned(decidePayment(input({ charge: { amount_refunded: 1 } }))).parked?.reasonCode).toBe('payment-refunded');
  expect(planned(decidePayment(input({ charge: { disputed: true } }))).parked?.reasonCode).toBe('payment-disputed');
});

test('a paid Session without an invoice id is parked once, however many events announce it', () => {
  const first = decidePayment(input({ session: { metadata: {} } }));
  expect(kinds(first)).toEqual(['write', 'park']);
  expect(reasonOf(first)).toBe('NO_INVOICE_ID');
  const again = decidePayment(
    input({
      session: { metadata: {} },
      state: {
        before: { status: 'parked', parkedCode: 'NO_INVOICE_ID', parkedEvent: 'evt_0', invoiceId: undefined },
        otherSessions: [],
      },
    }),
  );
  expect(kinds(again)).toEqual(['ignore']);
});

test('the event whose row tells a person parks again when it is worked on before the cause is mended', () => {
  const before = { status: 'parked', parkedCode: 'NO_INVOICE_ID', parkedEvent: 'evt_1', invoiceId: undefined } as const;
  const again = decidePayment(input({ session: { metadata: {} }, state: { before, otherSessions: [] } }));
  expect(kinds(again)).toEqual(['write', 'park']);
});

test('a payment of which less was captured than the Session amounts to waits for a person', () => {
  const plan = planned(decidePayment(input({ charge: { amount: 18_000, amount_captured: 6_000, currency: 'usd' } })));
  expect(plan.parked?.reasonCode).toBe('captured-less');
});

test('a completed event that comes after the failure does not make a failed payment pending again', () => {
  const before = { status: 'failed', parkedCode: undefined, parkedEvent: undefined, invoiceId: undefined } as const;
  const decisions = decidePayment(
    input({ session: { payment_status: 'unpaid' }, state: { before, otherSessions: [] } }),
  );
  expect(decisions).toMatchObject([{ kind: 'write', write: { row: { status: 'failed' } } }]);
});

test('the payer cannot choose the invoice: client_reference_id counts only where it is configured', () => {
  const session = { metadata: {}, client_reference_id: '777' };
  expect(reasonOf(decidePayment(input({ session })))).toBe('NO_INVOICE_ID');
  expect(readSessionFacts(snapshot(session), ['metadata.invoice_id', 'client_reference_id']).invoiceId).toBe('777');
});

test('subscription and setup Sessions are no invoices, and Sessions of the other mode are not ours', () => {
  expect(reasonOf(decidePayment(input({ session: { mode: 'subscription' } })))).toBe('NOT_AN_INVOICE');
  expect(reasonOf(decidePayment(input({ session: { mode: 'setup', payment_status: 'no_payment_required' } })))).toBe(
    'NOT_AN_INVOICE',
  );
  expect(reasonOf(decidePayment(input({ session: { livemode: true } })))).toBe('OTHER_LIVEMODE');
});

test('lines that do not add up to the total are parked with the sums', () => {
  const decisions = decidePayment(input({ session: { amount_total: 18_001 } }));
  expect(kinds(decisions)).toEqual(['write', 'park']);
  expect(reasonOf(decisions)).toBe('SUMS_DIFFER');
  expect(JSON.stringify(decisions)).toContain('18001');
});

test('what recovery finds begins with a question to FileMaker', () => {
  expect(planned(decidePayment(input({ event: event(undefined, { source: 'reconciliation' }) }))).checkFirst).toBe(
    true,
  );
});

function reversal(rest: Partial<ReversalInput> = {}): ReversalInput {
  const object = {
    id: 're_1',
    object: 'refund',
    amount: 500,
    currency: 'usd',
    status: 'succeeded',
    payment_intent: 'pi_1',
    charge: 'ch_1',
  };
  return {
    event: event('refund.created'),
    kind: 'refund',
    object,
    reversal: {
      id: 're_1',
      amount: 500,
      currency: 'usd',
      status: 'succeeded',
      paymentIntentId: 'pi_1',
      createdAt: undefined,
    },
    session: readSessionFacts(snapshot(), KEYS),
    paidEffect: 'done',
    refundEffect: undefined,
    scripts: { target: () => ({ kind: 'script', target: { script: 'REFUND' } }) },
    ...rest,
  };
}

test('a refund is a fact of its own behind the payment in the same lane, and stops a payment that has not begun', () => {
  const decisions = decideReversal(reversal());
  expect(decisions[0]).toMatchObject({ kind: 'park-unsent', key: 'invoice-paid:cs_1', reasonCode: 'payment-refunded' });
  expect(planned(decisions)).toMatchObject({ key: 'invoice-refunded:re_1', lane: 'invoice:18637' });
  expect(planned(decisions).parked).toBe(undefined);
});

test('a refund of a payment that FileMaker never heard of waits for a person', () => {
  for (const paidEffect of ['planned', 'parked', 'cancelled', undefined] as const) {
    expect(planned(decideReversal(reversal({ paidEffect }))).parked?.reasonCode).toBe('payment-not-applied');
  }
});

test('a refund that failed is told only where the refund was told', () => {
  const failed = { reversal: { ...reversal().reversal, status: 'failed' }, event: event('refund.failed') };
  expect(kinds(decideReversal(reversal(failed)))).toEqual(['write']);
  expect(planned(decideReversal(reversal({ ...failed, refundEffect: 'done' }))).key).toBe('invoice-refund-failed:re_1');
});

test('without a script for it a refund is recorded and runs nothing', () => {
  expect(kinds(decideReversal(reversal({ scripts: { target: () => undefined } })))).toEqual(['park-unsent', 'write']);
});

test('a dispute and its end are two facts', () => {
  const dispute = {
    kind: 'dispute' as const,
    object: {
      id: 'dp_1',
      object: 'dispute',
      amount: 500,
      currency: 'usd',
      status: 'needs_response',
      payment_intent: 'pi_1',
      charge: 'ch_1',
      livemode: false,
    },
    reversal: {
      id: 'dp_1',
      amount: 500,
      currency: 'usd',
      status: 'needs_response',
      paymentIntentId: 'pi_1',
      createdAt: undefined,
    },
  };
  expect(planned(decideReversal(reversal({ ...dispute, event: event('charge.dispute.created') }))).key).toBe(
    'invoice-disputed:dp_1',
  );
  expect(planned(decideReversal(reversal({ ...dispute, event: event('charge.dispute.closed') }))).key).toBe(
    'invoice-dispute-closed:dp_1',
  );
});

test.each(['18637\u001b[2J', '18637\nInvoice 5: applied', '\u202e73681', '1\u200b8', '18637\u0000', '18637\ud800'])(
  'an invoice number that would steer a terminal or a letter is none: %j',
  (value) => {
    expect(readInvoiceId({ metadata: { invoice_id: value } }, ['metadata.invoice_id'])).toBeUndefined();
    expect(readInvoiceId({ metadata: { invoice_id: ' RE-18637/ä ' } }, ['metadata.invoice_id'])).toBe('RE-18637/ä');
  },
);
