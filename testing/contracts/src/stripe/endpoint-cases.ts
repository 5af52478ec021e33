import type { ContractCase } from '../contract-case';
import { absent, aFilledText, aList, aTextOrNull, textLike } from '../wants';
import { call, keyed, ok } from './requests';

const ENDPOINTS = '/webhook_endpoints';
const ONE = `${ENDPOINTS}/{endpoint}`;
const make = call('make an endpoint', `POST ${ENDPOINTS}`, {
  body: {
    url: 'https://example.com/{key}',
    'enabled_events[]': ['customer.created', 'customer.updated'],
    'metadata[first]': 'one',
  },
  expect: {
    ...ok,
    body: {
      object: 'webhook_endpoint',
      status: 'enabled',
      secret: textLike(/^(whsec|secret)[_-]/),
    },
  },
  keep: { endpoint: 'id' },
});
const tidyUp = [call('remove the endpoint', `DELETE ${ONE}`)];
const keysIn = (metadata: unknown): number => Object.keys(typeof metadata === 'object' ? (metadata ?? {}) : {}).length;
const typesIn = (list: unknown): string[] => (Array.isArray(list) ? list.map(String).sort() : []);

/** Webhook endpoints: what is read about them, and the little that the bridge may change. */
export const endpointCases: readonly ContractCase[] = [
  {
    id: 'endpoints-are-listed',
    says: 'Endpoints are a list like any other; one has url, status, enabled_events, api_version and metadata, and its secret no more.',
    source: 'stripe-node: types of WebhookEndpoint; Stripe: API reference, Webhook Endpoints',
    steps: [
      make,
      call('list', `GET ${ENDPOINTS}`, {
        query: { limit: '100' },
        expect: {
          ...ok,
          body: {
            object: 'list',
            data: aList,
            'data[id={endpoint}].object': 'webhook_endpoint',
            'data[id={endpoint}].url': aFilledText,
            'data[id={endpoint}].status': 'enabled',
            'data[id={endpoint}].enabled_events': aList,
            'data[id={endpoint}].api_version': aTextOrNull,
            'data[id={endpoint}].secret': absent,
          },
        },
      }),
      call('read', `GET ${ONE}`, {
        expect: { ...ok, body: { id: '{endpoint}', status: 'enabled', secret: absent } },
      }),
    ],
    afterwards: tidyUp,
  },
  {
    id: 'endpoint-is-changed',
    says: 'A change switches an endpoint off and on, replaces its event types as a whole, joins metadata, and leaves the rest.',
    source: 'stripe-node: types of WebhookEndpointUpdateParams; Stripe: API reference, Metadata',
    steps: [
      make,
      call('switch off', `POST ${ONE}`, {
        body: { disabled: 'true' },
        expect: { ...ok, body: { status: 'disabled', enabled_events: aList } },
      }),
      call('other types, and on', `POST ${ONE}`, {
        body: { disabled: 'false', 'enabled_events[]': ['customer.deleted'], 'metadata[second]': 'two' },
        expect: {
          ...ok,
          body: { status: 'enabled', secret: absent },
        },
      }),
      call('take one key of the metadata away', `POST ${ONE}`, {
        body: { 'metadata[first]': '' },
        expect: ok,
      }),
      call('read', `GET ${ONE}`, { expect: { ...ok, body: { status: 'enabled' } } }),
    ],
    also: [
      {
        says: 'exactly the new types are there, and the address is the old one',
        holds: ({ value }) =>
          typesIn(value('read', 'enabled_events')).join() === 'customer.deleted' &&
          value('read', 'url') === value('make an endpoint', 'url'),
      },
      {
        says: 'metadata are joined, and an empty value takes a key away',
        holds: ({ value }) =>
          keysIn(value('switch off', 'metadata')) === 1 &&
          keysIn(value('other types, and on', 'metadata')) === 2 &&
          keysIn(value('take one key of the metadata away', 'metadata')) === 1,
      },
    ],
    afterwards: tidyUp,
  },
  {
    id: 'endpoint-keeps-its-version',
    says: 'The API version of an endpoint cannot be changed: the parameter is not known there.',
    source: 'stripe-node: types of WebhookEndpointUpdateParams; Stripe: Webhooks, versioning',
    steps: [
      make,
      call('another version', `POST ${ONE}`, {
        body: { api_version: '2022-08-01' },
        expect: { status: 400, body: { 'error.type': 'invalid_request_error' }, code: 'parameter_unknown' },
      }),
    ],
    afterwards: tidyUp,
  },
  {
    id: 'endpoint-needs-permission',
    says: 'A restricted key without the permission may neither read nor change endpoints.',
    source: 'Stripe: API reference, Errors; stripe-node: StripePermissionError for 403',
    steps: [
      keyed('Bearer {restrictedKey}', 'list', `GET ${ENDPOINTS}`, { expect: { status: 403 } }),
      keyed('Bearer {restrictedKey}', 'change', `POST ${ENDPOINTS}/we_{run}none`, {
        body: { disabled: 'true' },
        expect: { status: 403 },
      }),
    ],
  },
  {
    id: 'endpoint-not-there',
    says: 'An endpoint that is not there is 404 with code resource_missing, to read and to change.',
    source: 'Stripe: API reference, Errors; Error codes',
    steps: [
      call('read', `GET ${ENDPOINTS}/we_{run}none`, { expect: { status: 404, code: 'resource_missing' } }),
      call('change', `POST ${ENDPOINTS}/we_{run}none`, {
        body: { disabled: 'true' },
        expect: { status: 404, code: 'resource_missing' },
      }),
    ],
  },
];
