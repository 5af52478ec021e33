import type { ContractCase, Seen } from '../contract-case';
import {
  absent,
  aFilledText,
  aFlag,
  aList,
  aNumber,
  anObject,
  aTextOrNull,
  listOf,
  oneOf,
  present,
  textLike,
} from '../wants';
import { arrange } from './arrangements';
import { call, findPaidSession, findSession, ok } from './requests';

const SESSION = 'GET /checkout/sessions/{session}';
const MORE_THAN_TEN = 'no Checkout Session with more than ten lines among the newest hundred';

/** Checkout Sessions: what is in them, what only comes when asked for. */
export const sessionCases: readonly ContractCase[] = [
  {
    id: 'paid-session',
    says: 'A paid Session is complete and paid, its PaymentIntent is an id, its lines are not in it.',
    source: 'stripe-node: types of Checkout.Session; Stripe: Checkout, Fulfil orders',
    steps: [
      arrange('two paid sales'),
      findPaidSession,
      call('read', SESSION, {
        expect: {
          ...ok,
          body: {
            id: textLike(/^cs_test_/),
            object: 'checkout.session',
            livemode: false,
            status: 'complete',
            payment_status: 'paid',
            mode: oneOf('payment', 'subscription'),
            payment_intent: '{paymentIntent}',
            amount_total: aNumber,
            amount_subtotal: aNumber,
            currency: textLike(/^[a-z]{3}$/),
            metadata: present,
            client_reference_id: aTextOrNull,
            customer_details: anObject,
            collected_information: present,
            shipping_details: absent,
            line_items: absent,
          },
        },
      }),
    ],
  },
  {
    id: 'expand',
    says: 'expand puts objects in the place of ids, up to four levels: the charge with its receipt, the products of the lines.',
    source: 'Stripe: Expanding responses',
    steps: [
      arrange('two paid sales'),
      findPaidSession,
      call('read', SESSION, {
        query: { 'expand[]': ['payment_intent.latest_charge', 'line_items.data.price.product'] },
        expect: {
          ...ok,
          body: {
            'payment_intent.object': 'payment_intent',
            'payment_intent.status': 'succeeded',
            'payment_intent.latest_charge.object': 'charge',
            'payment_intent.latest_charge.paid': true,
            'payment_intent.latest_charge.receipt_url': aTextOrNull,
            'line_items.object': 'list',
            'line_items.data[0].object': 'item',
            'line_items.data[0].price.product.object': 'product',
          },
        },
      }),
    ],
  },
  {
    id: 'expand-refused',
    says: 'More than four levels, of which `data.` is one on a list, are refused; so is what cannot be expanded.',
    source: 'Stripe: Expanding responses',
    steps: [
      call('too deep', 'GET /checkout/sessions', {
        query: { 'expand[]': ['data.line_items.data.price.product'] },
        expect: { status: 400, code: 'property_expansion_max_depth' },
      }),
      call('not expandable', 'GET /checkout/sessions', {
        query: { 'expand[]': ['data.amount_total'] },
        expect: { status: 400, body: { 'error.type': 'invalid_request_error' } },
      }),
      call('deep enough', 'GET /checkout/sessions', {
        query: { limit: '1', 'expand[]': ['data.payment_intent.latest_charge', 'data.line_items'] },
        expect: ok,
      }),
    ],
  },
  {
    id: 'line-items',
    says: 'The lines are a list of their own; their amount_total and the shipping add up to that of the Session.',
    source: 'stripe-node: types of LineItem; the sum follows from the fields',
    steps: [
      arrange('a sale with twelve lines, shipping and tax'),
      findPaidSession,
      call('read', SESSION, { expect: { ...ok, body: { amount_total: aNumber } } }),
      call('lines', `${SESSION}/line_items`, {
        query: { limit: '100', 'expand[]': ['data.price.product'] },
        expect: {
          ...ok,
          body: {
            object: 'list',
            has_more: false,
            'data[0].object': 'item',
            'data[0].amount_total': aNumber,
            'data[0].amount_subtotal': aNumber,
            'data[0].amount_discount': aNumber,
            'data[0].amount_tax': aNumber,
            'data[0].quantity': present,
            'data[0].price.unit_amount': present,
            'data[0].price.product.id': aFilledText,
          },
        },
      }),
    ],
    also: [{ says: 'lines and shipping add up to the total', holds: addsUp }],
  },
  {
    id: 'lines-inside-a-session',
    says: 'Expanded lines are only the first few; has_more tells, and the list of its own gives all.',
    source: 'Stripe: Expanding responses; the number of a nested list is from public reports',
    steps: [
      arrange('a sale with twelve lines, shipping and tax'),
      findSession(
        'find one with many lines',
        'line_items.has_more=true',
        { 'expand[]': ['data.line_items'] },
        MORE_THAN_TEN,
      ),
      call('read', SESSION, {
        query: { 'expand[]': ['line_items'] },
        expect: { ...ok, body: { 'line_items.has_more': true, 'line_items.data': aList } },
      }),
      call('all lines', `${SESSION}/line_items`, {
        query: { limit: '100' },
        expect: { ...ok, body: { has_more: false } },
      }),
    ],
    questions: [
      {
        id: 'nestedListLength',
        hasSwitch: false,
        asks: 'How many lines come along inside a Session?',
        measure: ({ value }) => lengthOf(value('read', 'line_items.data')),
      },
    ],
  },
  {
    id: 'session-of-a-payment-intent',
    says: 'The Session of a PaymentIntent is found by it; there is one.',
    source: 'stripe-node: types of Checkout.SessionListParams',
    steps: [
      arrange('two paid sales'),
      findPaidSession,
      call('look it up', 'GET /checkout/sessions', {
        query: { payment_intent: '{paymentIntent}' },
        expect: { ...ok, body: { data: listOf(1), 'data[0].id': '{session}', has_more: false } },
      }),
    ],
  },
  {
    id: 'session-not-paid-yet',
    says: 'An open Session has no PaymentIntent; it comes with the attempt to pay.',
    source: 'Stripe: API changelog 2022-08-01',
    steps: [
      arrange('a sale that nobody has paid yet'),
      findSession('find an open one', 'status=open', { status: 'open' }, 'no open Checkout Session'),
      call('read', SESSION, {
        expect: {
          ...ok,
          body: { status: 'open', payment_status: oneOf('unpaid', 'no_payment_required'), payment_intent: null },
        },
      }),
    ],
  },
  {
    id: 'session-paid-days-later',
    says: 'With a delayed method a Session is complete and yet unpaid; the money comes, or fails, days later.',
    source: 'Stripe: Checkout, Fulfil orders',
    steps: [
      arrange('a sale that is paid days later'),
      findSession(
        'find one',
        'payment_intent.status=processing',
        { status: 'complete', 'expand[]': ['data.payment_intent'] },
        'no Checkout Session whose payment is under way (pay one by bank debit in test mode)',
      ),
      call('read', SESSION, { expect: { ...ok, body: { status: 'complete', payment_status: 'unpaid' } } }),
    ],
  },
  {
    id: 'session-not-captured',
    says: 'What payment_status says between authorisation and capture is not said.',
    source: 'Stripe: Place a hold on a payment method (silent on payment_status)',
    steps: [
      arrange('a sale that is authorised and not captured'),
      findSession(
        'find one',
        'payment_intent.status=requires_capture',
        { status: 'complete', 'expand[]': ['data.payment_intent'] },
        'no Checkout Session under manual capture',
      ),
      call('read', SESSION, { expect: { ...ok, body: { status: 'complete' } } }),
    ],
    questions: [
      {
        id: 'manualCapturePaymentStatus',
        asks: 'Is an authorised Session paid?',
        either: [
          { shows: 'unpaid', when: { read: { body: { payment_status: 'unpaid' } } } },
          { shows: 'paid', when: { read: { body: { payment_status: 'paid' } } } },
        ],
      },
    ],
  },
  {
    id: 'session-in-older-versions',
    says: 'The version of the request shapes the answer: shipping_details until 2025-03-31, collected_information from 2025-02-24 on.',
    source: 'Stripe: API changelog (basil); stripe-node: CHANGELOG',
    steps: [
      arrange('two paid sales'),
      findPaidSession,
      call('read as acacia', SESSION, {
        headers: { 'Stripe-Version': '2025-02-24.acacia' },
        expect: { ...ok, headers: { 'stripe-version': '2025-02-24.acacia' }, body: { shipping_details: present } },
      }),
      call('read as basil', SESSION, {
        headers: { 'Stripe-Version': '2025-03-31.basil' },
        expect: { ...ok, body: { shipping_details: absent, collected_information: present } },
      }),
    ],
  },
  {
    id: 'payment-intent',
    says: 'A PaymentIntent names its latest charge; the list of charges and the invoice are gone.',
    source: 'Stripe: API changelog 2022-11-15, 2025-03-31',
    steps: [
      arrange('two paid sales'),
      findPaidSession,
      call('read', 'GET /payment_intents/{paymentIntent}', {
        expect: {
          ...ok,
          body: {
            object: 'payment_intent',
            status: 'succeeded',
            amount: aNumber,
            amount_received: aNumber,
            currency: textLike(/^[a-z]{3}$/),
            latest_charge: textLike(/^(ch|py)_/),
            charges: absent,
            invoice: absent,
          },
        },
        keep: { charge: 'latest_charge' },
      }),
      call('read the charge', 'GET /charges/{charge}', {
        expect: {
          ...ok,
          body: {
            object: 'charge',
            paid: true,
            captured: aFlag,
            refunded: aFlag,
            disputed: aFlag,
            amount_refunded: aNumber,
            payment_intent: '{paymentIntent}',
            receipt_url: aTextOrNull,
            refunds: absent,
          },
        },
      }),
      call('read as of 2022-08-01', 'GET /payment_intents/{paymentIntent}', {
        headers: { 'Stripe-Version': '2022-08-01' },
        expect: {
          ...ok,
          body: { 'charges.object': 'list', 'charges.data[0].object': 'charge', latest_charge: absent },
        },
      }),
    ],
  },
  {
    id: 'refunds-of-a-payment',
    says: 'Refunds are listed by PaymentIntent and by charge.',
    source: 'stripe-node: types of RefundListParams',
    steps: [
      arrange('a refund'),
      call('find one', 'GET /refunds', {
        query: { limit: '1' },
        expect: ok,
        keep: { refund: 'data[0].id', paymentIntent: 'data[0].payment_intent', charge: 'data[0].charge' },
        orSkip: 'the account has no refund',
      }),
      call('by PaymentIntent', 'GET /refunds', {
        query: { payment_intent: '{paymentIntent}' },
        expect: {
          ...ok,
          body: {
            'data[id={refund}].object': 'refund',
            'data[id={refund}].amount': aNumber,
            'data[id={refund}].charge': '{charge}',
            'data[id={refund}].status': oneOf('pending', 'requires_action', 'succeeded', 'failed', 'canceled'),
          },
        },
      }),
      call('by charge', 'GET /refunds', {
        query: { charge: '{charge}' },
        expect: { ...ok, body: { 'data[id={refund}].id': '{refund}' } },
      }),
      call('the charge', 'GET /charges/{charge}', {
        expect: { ...ok, body: { amount_refunded: aNumber, refunded: aFlag } },
      }),
    ],
  },
  {
    id: 'disputes-of-a-payment',
    says: 'Disputes are listed by PaymentIntent; the charge says that it is disputed.',
    source: 'stripe-node: types of DisputeListParams, Charge',
    steps: [
      arrange('a dispute'),
      call('find one', 'GET /disputes', {
        query: { limit: '1' },
        expect: ok,
        keep: { dispute: 'data[0].id', paymentIntent: 'data[0].payment_intent', charge: 'data[0].charge' },
        orSkip: 'the account has no dispute (pay with 4000 0000 0000 0259 in test mode)',
      }),
      call('by PaymentIntent', 'GET /disputes', {
        query: { payment_intent: '{paymentIntent}' },
        expect: {
          ...ok,
          body: {
            'data[id={dispute}].object': 'dispute',
            'data[id={dispute}].amount': aNumber,
            'data[id={dispute}].status': textLike(/^[a-z_]+$/),
            'data[id={dispute}].reason': textLike(/^[a-z_]+$/),
          },
        },
      }),
      call('the charge', 'GET /charges/{charge}', { expect: { ...ok, body: { disputed: true } } }),
    ],
  },
];

function addsUp({ value }: Seen): boolean {
  const lines = value('lines', 'data');
  if (!Array.isArray(lines)) return false;
  const sum = lines.reduce(
    (total: number, line: { amount_total?: number }) => total + (line.amount_total ?? Number.NaN),
    0,
  );
  return sum + Number(value('read', 'shipping_cost.amount_total') ?? 0) === value('read', 'amount_total');
}

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0;
}
