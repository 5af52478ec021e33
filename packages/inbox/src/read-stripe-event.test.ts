import fc from 'fast-check';
import { readStripeEvent } from './read-stripe-event';

const expected = { livemode: false, wants: (type: string) => type === 'checkout.session.completed' };
const event = {
  id: 'evt_1',
  object: 'event',
  type: 'checkout.session.completed',
  livemode: false,
  created: 1_770_000_000,
  api_version: '2026-10-28.endive',
  data: { object: { id: 'cs_test_1' } },
};
const read = (value: unknown) => readStripeEvent(Buffer.from(JSON.stringify(value)), 'webhook', expected);

describe('readStripeEvent', () => {
  test('the columns of the inbox row come out of the body, which is kept as it came', () => {
    const body = Buffer.from(`  ${JSON.stringify(event)}\n`);
    expect(readStripeEvent(body, 'webhook', expected)).toEqual({
      source: 'webhook',
      peer: 'stripe',
      eventId: 'evt_1',
      eventType: 'checkout.session.completed',
      account: null,
      livemode: false,
      apiVersion: '2026-10-28.endive',
      objectId: 'cs_test_1',
      eventCreatedAt: new Date(1_770_000_000_000),
      body,
      ignoredBecause: null,
    });
    expect(readStripeEvent(body, 'webhook', expected)).toHaveProperty('body', body);
  });

  test('a type that no flow wants and the other livemode are stored as ignored', () => {
    expect(read({ ...event, type: 'customer.created' })).toMatchObject({ ignoredBecause: 'UNWANTED_TYPE' });
    expect(read({ ...event, livemode: true })).toMatchObject({ ignoredBecause: 'OTHER_LIVEMODE', livemode: true });
    const any = { ...expected, livemode: undefined };
    expect(readStripeEvent(Buffer.from(JSON.stringify({ ...event, livemode: true })), 'pull', any)).toMatchObject({
      ignoredBecause: null,
    });
  });

  test('the connected account is kept, and one that cannot be read is not taken for none', () => {
    expect(read({ ...event, account: 'acct_1' })).toMatchObject({ account: 'acct_1' });
    expect(read({ ...event, account: 7 })).toEqual({ fault: 'NOT_AN_EVENT' });
  });

  test('what is missing or odd beside id and type becomes null', () => {
    expect(read({ id: 'evt_1', object: 'event', type: 'checkout.session.completed' })).toMatchObject({
      apiVersion: null,
      objectId: null,
      eventCreatedAt: null,
      livemode: false,
    });
    for (const created of ['1', -1, 1e300, null, {}]) {
      expect(read({ ...event, created })).toMatchObject({ eventCreatedAt: null });
    }
    expect(read({ ...event, data: { object: { id: 'a\u0000b' } } })).toMatchObject({ objectId: null });
  });

  test('a thin event has a code of its own', () => {
    expect(read({ id: 'evt_1', object: 'v2.core.event', type: 'v1.invoice.paid' })).toEqual({ fault: 'EVENT_THIN' });
  });

  test.each([
    ['null', null],
    ['a number', 7],
    ['a text', 'event'],
    ['an array', [event]],
    ['another object', { ...event, object: 'charge' }],
    ['no id', { ...event, id: undefined }],
    ['a number as id', { ...event, id: 7 }],
    ['an empty id', { ...event, id: '' }],
    ['an id with a NUL', { ...event, id: 'evt_\u0000' }],
    ['an id with a lone surrogate', { ...event, id: 'evt_\ud800' }],
    ['an id of 256 characters', { ...event, id: 'e'.repeat(256) }],
    ['no type', { ...event, type: undefined }],
    ['a list as type', { ...event, type: ['checkout.session.completed'] }],
  ])('%s is not an event', (_what, value) => {
    expect(read(value)).toEqual({ fault: 'NOT_AN_EVENT' });
  });

  test('bytes that are not JSON are a fault, never an exception', () => {
    for (const text of ['', '{', 'NaN', '\uFEFF{}', '[[[['.repeat(50_000)]) {
      expect(readStripeEvent(Buffer.from(text), 'webhook', expected)).toEqual({ fault: 'BODY_NOT_JSON' });
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(readStripeEvent(Buffer.from(bytes), 'webhook', expected)).toHaveProperty('fault');
      }),
    );
  });

  test('any JSON around the wanted keys is read without an exception', () => {
    fc.assert(
      fc.property(
        fc.record({ data: fc.jsonValue(), account: fc.jsonValue(), created: fc.jsonValue(), type: fc.jsonValue() }),
        (odd) => {
          expect(typeof read({ ...event, ...odd })).toBe('object');
        },
      ),
    );
  });
});
