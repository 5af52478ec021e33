import type { ContractCase, Expectation, Seen } from '../contract-case';
import { absent, aFlag, aList, aNumber, anObject, aTextOrNull, oneOf, present, textLike } from '../wants';
import { arrange } from './arrangements';
import { call, findPaidSession, ok, receive } from './requests';

const CUSTOMERS = 'POST /customers';
const NO_EVENT = 'no checkout.session.completed in the last 30 days';
const completed = { type: 'checkout.session.completed', limit: '1' };

const signed = (v1: number): Expectation => ({
  body: {
    'event.object': 'event',
    'event.type': 'customer.created',
    'event.data.object.id': '{customer}',
    'signature.v1': v1,
    'signature.matching': 1,
    'signature.timestamp': aNumber,
    'signature.ageSeconds': { says: 'less than 300', fits: (value) => typeof value === 'number' && value < 300 },
  },
});
const endpoint = (more: Record<string, string> = {}) =>
  call('make an endpoint', 'POST /webhook_endpoints', {
    body: { url: '{receiverUrl}', 'enabled_events[]': ['customer.created'], description: '{key}', ...more },
    expect: { ...ok, body: { object: 'webhook_endpoint', status: 'enabled', secret: textLike(/^(whsec|secret)[_-]/) } },
    keep: { endpoint: 'id', webhookSecret: 'secret' },
  });
const customer = call('make a customer', CUSTOMERS, { body: { name: '{key}' }, expect: ok, keep: { customer: 'id' } });
const tidyUp = [
  call('remove the endpoint', 'DELETE /webhook_endpoints/{endpoint}'),
  call('remove the customer', 'DELETE /customers/{customer}'),
];

/** One more than may be asked for. */
const MANY_TYPES = [
  'account.updated',
  'balance.available',
  'capability.updated',
  'charge.captured',
  'charge.expired',
  'charge.failed',
  'charge.pending',
  'charge.refunded',
  'charge.succeeded',
  'charge.updated',
  'coupon.created',
  'coupon.deleted',
  'coupon.updated',
  'customer.created',
  'customer.deleted',
  'customer.updated',
  'invoice.created',
  'invoice.paid',
  'invoice.sent',
  'invoice.updated',
  'invoice.voided',
];

/** Events as they are listed and as they are delivered; repeats by key. */
export const eventCases: readonly ContractCase[] = [
  {
    id: 'event',
    says: 'An event has id, type, api_version, created, livemode, pending_webhooks, request and the object in data.',
    source: 'stripe-node: types of Event',
    steps: [
      arrange('two paid sales'),
      call('list', 'GET /events', {
        query: completed,
        expect: {
          ...ok,
          body: {
            'data[0].id': textLike(/^evt_/),
            'data[0].object': 'event',
            'data[0].type': 'checkout.session.completed',
            'data[0].api_version': aTextOrNull,
            'data[0].created': aNumber,
            'data[0].livemode': aFlag,
            'data[0].pending_webhooks': aNumber,
            'data[0].request': present,
            'data[0].data.object': anObject,
          },
        },
        keep: { event: 'data[0].id' },
        orSkip: NO_EVENT,
      }),
      call('read', 'GET /events/{event}', {
        expect: { ...ok, body: { id: '{event}', type: 'checkout.session.completed' } },
      }),
    ],
    also: [{ says: 'the object has the shape of the api_version that the event names', holds: shapeFits }],
  },
  {
    id: 'event-is-not-expanded',
    says: 'The object inside an event has ids only: no PaymentIntent, no lines.',
    source: 'stripe-node: types of Event; Stripe: Webhooks',
    steps: [
      arrange('two paid sales'),
      call('list', 'GET /events', {
        query: completed,
        expect: {
          ...ok,
          body: { 'data[0].data.object.payment_intent': aTextOrNull, 'data[0].data.object.line_items': absent },
        },
        keep: { event: 'data[0].id' },
        orSkip: NO_EVENT,
      }),
    ],
  },
  {
    id: 'event-keeps-its-shape',
    says: "An event that is read back keeps the shape of the account's version, whatever version the request names.",
    source: 'Stripe: Webhooks, versioning; stripe-node: types of Event',
    steps: [
      arrange('two paid sales'),
      call('list', 'GET /events', { query: completed, expect: ok, keep: { event: 'data[0].id' }, orSkip: NO_EVENT }),
      call('read as 2022-08-01', 'GET /events/{event}', { headers: { 'Stripe-Version': '2022-08-01' }, expect: ok }),
    ],
    also: [
      {
        says: 'api_version and the fields of the object are the same',
        holds: ({ value }) => {
          const names = (object: unknown): string => JSON.stringify(Object.keys(object as object).sort());
          const [listed, read] = [value('list', 'data[0]'), value('read as 2022-08-01', '')] as {
            api_version: string;
            data: { object: object };
          }[];
          return listed?.api_version === read?.api_version && names(listed?.data.object) === names(read?.data.object);
        },
      },
    ],
  },
  {
    id: 'events-by-type',
    says: 'Events are listed by up to 20 types, or by one with `*`; not by both.',
    source: 'stripe-node: types of EventListParams',
    steps: [
      arrange('a refund'),
      call('two types', 'GET /events', {
        query: { 'types[]': ['refund.created', 'charge.refunded'], limit: '100' },
        expect: { ...ok, body: { data: aList } },
      }),
      call('a pattern', 'GET /events', { query: { type: 'checkout.session.*', limit: '100' }, expect: ok }),
      call('both', 'GET /events', {
        query: { type: 'refund.created', 'types[]': ['refund.created'] },
        expect: { status: 400, body: { 'error.type': 'invalid_request_error' } },
      }),
      call('21 types', 'GET /events', {
        query: { 'types[]': MANY_TYPES },
        expect: { status: 400, body: { 'error.type': 'invalid_request_error' } },
      }),
    ],
    also: [
      {
        says: 'only those types came',
        holds: ({ value }) =>
          typesIn(value('two types', 'data')).every((type) => ['refund.created', 'charge.refunded'].includes(type)) &&
          typesIn(value('a pattern', 'data')).every((type) => type.startsWith('checkout.session.')),
      },
    ],
  },
  {
    id: 'refund-events',
    says: 'Every refund makes refund.created; charge.refunded comes beside it.',
    source: 'Stripe: API changelog 2024-10-28',
    steps: [
      arrange('two paid sales'),
      findPaidSession,
      call('refund one cent', 'POST /refunds', {
        body: { payment_intent: '{paymentIntent}', amount: '1' },
        headers: { 'Idempotency-Key': '{key}' },
        expect: { ...ok, body: { object: 'refund', status: oneOf('succeeded', 'pending'), amount: 1 } },
        keep: { refund: 'id', charge: 'charge' },
      }),
      call('look for refund.created', 'GET /events', {
        query: { type: 'refund.created', limit: '10' },
        repeat: { max: 30, until: { body: { 'data[data.object.id={refund}].type': 'refund.created' } } },
        expect: { ...ok, body: { 'data[data.object.id={refund}].type': 'refund.created' } },
      }),
      call('look for charge.refunded', 'GET /events', {
        query: { type: 'charge.refunded', limit: '10' },
        repeat: { max: 30, until: { body: { 'data[data.object.id={charge}].type': 'charge.refunded' } } },
        expect: { ...ok, body: { 'data[data.object.id={charge}].type': 'charge.refunded' } },
      }),
      call('refund too much', 'POST /refunds', {
        body: { payment_intent: '{paymentIntent}', amount: '99999999' },
        expect: { status: 400, body: { 'error.type': 'invalid_request_error' } },
      }),
    ],
  },
  {
    id: 'events-not-delivered',
    says: 'delivery_success picks events that some endpoint has not taken yet.',
    source: 'stripe-node: types of EventListParams',
    steps: [
      call('list', 'GET /events', {
        query: { delivery_success: 'false', limit: '10' },
        expect: { ...ok, body: { object: 'list', data: aList } },
      }),
    ],
  },
  {
    id: 'idempotency-key',
    says: 'A POST repeated under one Idempotency-Key is answered as the first time; with other parameters it is an idempotency_error.',
    source: 'Stripe: API reference, Idempotent requests',
    steps: [
      call('make a customer', CUSTOMERS, {
        body: { name: '{key}' },
        headers: { 'Idempotency-Key': '{key}' },
        expect: { ...ok, body: { object: 'customer', id: textLike(/^cus_/) } },
        keep: { customer: 'id' },
      }),
      call('the same again', CUSTOMERS, {
        body: { name: '{key}' },
        headers: { 'Idempotency-Key': '{key}' },
        expect: { ...ok, body: { id: '{customer}' } },
      }),
      call('with another name', CUSTOMERS, {
        body: { name: '{key}-other' },
        headers: { 'Idempotency-Key': '{key}' },
        expect: { status: 400, body: { 'error.type': 'idempotency_error' } },
      }),
    ],
    afterwards: [call('remove the customer', 'DELETE /customers/{customer}')],
    questions: [
      {
        id: 'idempotentReplayedHeader',
        hasSwitch: false,
        asks: 'Does a header tell that an answer is a repeated one?',
        measure: ({ answer }) => answer('the same again').headers['idempotent-replayed'] ?? 'none',
      },
    ],
  },
  {
    id: 'delivery-is-signed',
    says: "A delivery has a signature header with time and v1, an HMAC of time and body under the endpoint's secret.",
    source: 'Stripe: Webhooks, verify signatures',
    steps: [
      endpoint(),
      customer,
      receive('delivery', 'customer.created {customer}', { expect: { status: 200, ...signed(1) } }),
    ],
    afterwards: tidyUp,
  },
  {
    id: 'delivery-in-the-endpoints-version',
    says: 'The API version of an endpoint, fixed when it is made, is the version of what it gets.',
    source: 'Stripe: Webhooks, versioning',
    steps: [
      endpoint({ api_version: '2025-02-24.acacia' }),
      customer,
      receive('delivery', 'customer.created {customer}', {
        expect: { body: { 'event.api_version': '2025-02-24.acacia' } },
      }),
    ],
    afterwards: tidyUp,
  },
  {
    id: 'delivery-under-two-secrets',
    says: 'While a secret is rolled, every secret that lives signs.',
    source: 'Stripe: Webhooks, roll endpoint secrets',
    steps: [
      endpoint(),
      arrange('the secret is rolled'),
      customer,
      receive('delivery', 'customer.created {customer}', { expect: signed(2) }),
    ],
    afterwards: tidyUp,
  },
  {
    id: 'delivery-is-tried-again',
    says: 'Anything but 2xx is a failure, a redirect too; the next attempt is the same event with a time and signature of its own.',
    source: 'Stripe: Webhooks, delivery behaviour',
    risks: ['waiting'],
    steps: [
      endpoint(),
      customer,
      receive('first attempt', 'customer.created {customer}', { expect: signed(1), reply: 302 }),
      receive('second attempt', 'customer.created {customer}', { expect: signed(1), reply: 500, withinMinutes: 360 }),
    ],
    also: [
      {
        says: 'it is the same event, signed anew',
        holds: ({ value }) =>
          value('first attempt', 'event.id') === value('second attempt', 'event.id') &&
          Number(value('second attempt', 'signature.timestamp')) >
            Number(value('first attempt', 'signature.timestamp')),
      },
    ],
    afterwards: tidyUp,
    questions: [
      {
        id: 'delivery.retryDelaysMs',
        asks: 'How many seconds lie between the first attempt and the second?',
        measure: ({ answer }) =>
          Math.round((answer('second attempt').startedMs - answer('first attempt').startedMs) / 1_000),
      },
    ],
  },
  {
    id: 'delivery-without-an-answer',
    says: 'How long Stripe waits for an answer is not published.',
    source: 'Stripe: Webhooks (only says that endpoints must answer quickly)',
    risks: ['waiting'],
    steps: [
      endpoint(),
      customer,
      receive('delivery', 'customer.created {customer}', { expect: signed(1), reply: 'never' }),
    ],
    afterwards: tidyUp,
    questions: [
      {
        id: 'delivery.timeoutMs',
        asks: 'After how many seconds does it give up?',
        measure: ({ answer }) => Math.round((answer('delivery').endedMs - answer('delivery').startedMs) / 1_000),
      },
    ],
  },
];

function typesIn(list: unknown): string[] {
  return Array.isArray(list) ? list.map((event: { type?: string }) => event.type ?? '') : [];
}

/** shipping_details is the mark of versions before 2025-03-31, which have no collected_information before 2025-02-24. */
function shapeFits({ value }: Seen): boolean {
  const version = value('list', 'data[0].api_version');
  if (typeof version !== 'string' || version < '2022-08-01') return true;
  const has = (field: string): boolean => value('list', `data[0].data.object.${field}`) !== undefined;
  return has('shipping_details') === version < '2025-03-31' && has('collected_information') === version >= '2025-02-24';
}
