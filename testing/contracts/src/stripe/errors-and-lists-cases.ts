import type { ContractCase } from '../contract-case';
import { absent, aFilledText, aFlag, aList, aNumber, aText, listOf, oneOf, textLike } from '../wants';
import { arrange } from './arrangements';
import { call, findPaidSession, keyed, ok } from './requests';

const SESSIONS = 'GET /checkout/sessions';
const refusal = (status: number, more: Record<string, string> = {}) => ({
  status,
  body: { 'error.type': 'invalid_request_error', 'error.message': aFilledText, ...more },
});

/** Keys, refusals, lists and their pages. */
export const errorsAndListsCases: readonly ContractCase[] = [
  {
    id: 'key-missing-or-wrong',
    says: 'A call without a key or with a wrong one is 401, and the message does not repeat the key.',
    source: 'Stripe: API reference, Authentication, Errors',
    steps: [
      keyed('', 'without a key', 'GET /products', { expect: refusal(401) }),
      keyed('Bearer sk_test_{run}NotAKeyOfAnybody', 'with a wrong key', 'GET /products', { expect: refusal(401) }),
    ],
    also: [
      {
        says: 'the wrong key does not stand in the message',
        holds: ({ value }) => !String(value('with a wrong key', 'error.message')).includes('NotAKeyOfAnybody'),
      },
    ],
  },
  {
    id: 'key-by-basic',
    says: 'The key may also be the user name of HTTP Basic.',
    source: 'Stripe: API reference, Authentication',
    steps: [keyed('{apiKeyBasic}', 'list', 'GET /products', { query: { limit: '1' }, expect: ok })],
  },
  {
    id: 'restricted-key',
    says: 'A restricted key does what it is permitted and gets 403 for the rest.',
    source: 'Stripe: API reference, Errors; stripe-node: StripePermissionError for 403',
    steps: [
      keyed('Bearer {restrictedKey}', 'what it may', SESSIONS, { query: { limit: '1' }, expect: ok }),
      keyed('Bearer {restrictedKey}', 'what it may not', 'GET /refunds', {
        query: { limit: '1' },
        expect: refusal(403),
      }),
    ],
    questions: [
      {
        id: 'permissionErrorCode',
        hasSwitch: false,
        asks: 'Does the refusal carry a code?',
        measure: ({ value }) => String(value('what it may not', 'error.code') ?? 'none'),
      },
    ],
  },
  {
    id: 'not-there',
    says: 'An object that is not there is 404 with code resource_missing; so is an address that is not there, without the code.',
    source: 'Stripe: API reference, Errors; Error codes',
    steps: [
      call('a Session', `${SESSIONS}/cs_test_{run}none`, { expect: { ...refusal(404), code: 'resource_missing' } }),
      call('a PaymentIntent', 'GET /payment_intents/pi_{run}none', {
        expect: { ...refusal(404), code: 'resource_missing' },
      }),
      call('an event', 'GET /events/evt_{run}none', { expect: { ...refusal(404), code: 'resource_missing' } }),
      call('an address', 'GET /no_such_thing', { expect: refusal(404) }),
    ],
    questions: [
      {
        id: 'paramOfMissing',
        hasSwitch: false,
        asks: 'Which parameter is named for a Checkout Session that is not there?',
        measure: ({ value }) => String(value('a Session', 'error.param') ?? 'none'),
      },
    ],
  },
  {
    id: 'wrong-parameters',
    says: 'Unknown and wrong parameters are 400 and named.',
    source: 'Stripe: Error codes; API reference, Pagination',
    steps: [
      call('unknown', SESSIONS, {
        query: { no_such_parameter: '1' },
        expect: { ...refusal(400), code: 'parameter_unknown' },
      }),
      call('limit 0', SESSIONS, { query: { limit: '0' }, expect: refusal(400, { 'error.param': 'limit' }) }),
      call('limit 101', SESSIONS, { query: { limit: '101' }, expect: refusal(400, { 'error.param': 'limit' }) }),
      call('a cursor that is not there', SESSIONS, {
        query: { starting_after: 'cs_test_{run}none' },
        expect: { ...refusal(400), code: 'resource_missing' },
      }),
    ],
  },
  {
    id: 'wrong-version',
    says: 'An API version that does not exist is refused.',
    source: 'Stripe: API reference, Versioning',
    steps: [call('ask', SESSIONS, { headers: { 'Stripe-Version': 'yesterday' }, expect: refusal(400) })],
  },
  {
    id: 'request-id-and-version',
    says: 'Every answer names its request and the API version that it is written in; refusals, too.',
    source: 'Stripe: API reference, Request IDs, Versioning',
    steps: [
      call('a list', SESSIONS, {
        query: { limit: '1' },
        expect: { ...ok, headers: { 'request-id': textLike(/^req_/), 'stripe-version': '2026-10-28.endive' } },
      }),
      call('a refusal', `${SESSIONS}/cs_test_{run}none`, { expect: { headers: { 'request-id': textLike(/^req_/) } } }),
    ],
  },
  {
    id: 'list',
    says: 'A list has object, url, has_more and data: ten entries when nothing is said, newest first.',
    source: 'Stripe: API reference, Pagination',
    steps: [
      arrange('two paid sales'),
      call('list', SESSIONS, {
        expect: { ...ok, body: { object: 'list', url: '/v1/checkout/sessions', has_more: aFlag, data: aList } },
      }),
    ],
    also: [
      { says: 'at most ten entries came', holds: ({ value }) => created(value('list', 'data')).length <= 10 },
      {
        says: 'they came newest first',
        holds: ({ value }) => {
          const times = created(value('list', 'data'));
          return times.every((time, index) => index === 0 || time <= Number(times[index - 1]));
        },
      },
    ],
  },
  {
    id: 'pages',
    says: 'starting_after gives what follows a cursor, ending_before what stands before it; both together are refused.',
    source: 'Stripe: API reference, Pagination',
    steps: [
      arrange('two paid sales'),
      call('first page', SESSIONS, {
        query: { limit: '1' },
        expect: { ...ok, body: { data: listOf(1) } },
        keep: { first: 'data[0].id' },
        orSkip: 'the account has no Checkout Session',
      }),
      call('second page', SESSIONS, {
        query: { limit: '1', starting_after: '{first}' },
        expect: ok,
        keep: { second: 'data[0].id' },
        orSkip: 'the account has only one Checkout Session',
      }),
      call('back again', SESSIONS, {
        query: { limit: '1', ending_before: '{second}' },
        expect: { ...ok, body: { 'data[0].id': '{first}' } },
      }),
      call('both cursors', SESSIONS, {
        query: { starting_after: '{first}', ending_before: '{second}' },
        expect: refusal(400),
      }),
    ],
    also: [
      {
        says: 'the first page knew that more follows',
        holds: ({ value }) => value('first page', 'has_more') === true,
      },
      {
        says: 'the pages differ',
        holds: ({ value }) => value('first page', 'data[0].id') !== value('second page', 'data[0].id'),
      },
    ],
  },
  {
    id: 'list-by-time',
    says: '`created` takes gt, gte, lt and lte in whole seconds.',
    source: 'stripe-node: types of the list parameters',
    steps: [
      arrange('two paid sales'),
      findPaidSession,
      call('read it', `${SESSIONS}/{session}`, {
        expect: { ...ok, body: { created: aNumber } },
        keep: { created: 'created' },
      }),
      call('from then on', SESSIONS, {
        query: { 'created[gte]': '{created}', limit: '100' },
        expect: { ...ok, body: { 'data[id={session}].id': '{session}' } },
      }),
      call('before then', SESSIONS, {
        query: { 'created[lt]': '{created}', limit: '100' },
        expect: { ...ok, body: { 'data[id={session}].id': absent } },
      }),
    ],
  },
  {
    id: 'rate-limit',
    says: 'Too many calls at once are 429 with code rate_limit; a header names the reason (without it, think of a lock).',
    source: 'Stripe: Rate limits',
    risks: ['capacity'],
    steps: [
      arrange('a limit on calls'),
      call('sixty at once', 'GET /products', {
        query: { limit: '1' },
        repeat: { max: 60, until: { status: 429 }, atOnce: true },
        expect: { status: oneOf(200, 429) },
      }),
    ],
    questions: [
      {
        id: 'rateLimits',
        asks: 'What comes of sixty calls at once?',
        either: [
          {
            shows: '429 rate_limit with a reason',
            when: {
              'sixty at once': {
                status: 429,
                code: 'rate_limit',
                headers: { 'stripe-rate-limited-reason': aText },
                body: { 'error.message': aText },
              },
            },
          },
          {
            shows: '429 without a reason',
            when: { 'sixty at once': { status: 429, headers: { 'stripe-rate-limited-reason': absent } } },
          },
          { shows: 'no limit met', when: { 'sixty at once': ok } },
        ],
      },
    ],
  },
];

function created(list: unknown): number[] {
  return Array.isArray(list) ? list.map((item: { created?: number }) => item.created ?? Number.NaN) : [];
}
