import { type JsonObject, toJson } from '../json';
import { renderAccount } from '../objects/account';
import type { WebhookEndpoint } from '../wire';
import { invalidRequest, resourceMissing } from './api-error';
import { page } from './paging';
import type { Call, Route } from './route';
import { checkVersion } from './shapes-by-version';

const ACCOUNT_CREATED = 1_600_000_000;
const RESOURCE = 'webhook_endpoints';
const PATH = '/v1/webhook_endpoints';

export const accountRoutes: Route[] = [
  {
    method: 'get',
    path: '/v1/account',
    resource: 'account',
    kind: 'account',
    handle: (call) => toJson(renderAccount(call.account ?? call.world.settings.accountId, ACCOUNT_CREATED)),
  },
  {
    method: 'get',
    path: '/v1/accounts/:id',
    resource: 'account',
    kind: 'account',
    handle: (call) => {
      if (call.id !== call.world.settings.accountId) throw resourceMissing('account', call.id, 'account');
      return toJson(renderAccount(call.id, ACCOUNT_CREATED));
    },
  },
  {
    method: 'get',
    path: PATH,
    resource: RESOURCE,
    kind: 'webhook_endpoint',
    handle: (call) => {
      call.parameters.only('limit', 'starting_after', 'ending_before');
      const newestFirst = call.endpoints.all().map(({ value }) => value);
      return page(newestFirst.toReversed(), call.parameters, call.path, 'webhook_endpoint');
    },
  },
  {
    method: 'post',
    path: PATH,
    resource: RESOURCE,
    kind: 'webhook_endpoint',
    handle: (call) => {
      const { parameters } = call;
      parameters.only('api_version', 'connect', 'description', 'enabled_events', 'metadata', 'url');
      const version = parameters.text('api_version');
      const url = parameters.text('url');
      const enabledEvents = parameters.texts('enabled_events');
      if (url === undefined) throw resourceParameterMissing('url');
      if (enabledEvents === undefined) throw resourceParameterMissing('enabled_events');
      const endpoint = call.endpoints.add({
        url,
        enabledEvents,
        apiVersion: version === undefined ? null : checkVersion(version),
        audience: parameters.flag('connect') === true ? 'connected' : 'own',
        description: parameters.text('description') ?? null,
        metadata: parameters.metadata(),
      });
      const [secret] = endpoint.secrets;
      // The secret is told once, in the answer to its creation.
      return { ...toJson(endpoint.value), ...(secret === undefined ? {} : { secret }) };
    },
  },
  {
    method: 'get',
    path: `${PATH}/:id`,
    resource: RESOURCE,
    kind: 'webhook_endpoint',
    handle: (call) => toJson(endpointOf(call)),
  },
  {
    method: 'post',
    path: `${PATH}/:id`,
    resource: RESOURCE,
    kind: 'webhook_endpoint',
    handle: (call) => {
      call.parameters.only('description', 'disabled', 'enabled_events', 'metadata', 'url');
      const { id } = endpointOf(call);
      const changed = call.endpoints.change(id, {
        url: call.parameters.text('url'),
        enabledEvents: call.parameters.texts('enabled_events'),
        disabled: call.parameters.flag('disabled'),
        description: call.parameters.text('description'),
        metadata: call.parameters.metadataChange(),
      });
      return toJson(changed.value);
    },
  },
  {
    method: 'delete',
    path: `${PATH}/:id`,
    resource: RESOURCE,
    kind: 'webhook_endpoint',
    handle: (call): JsonObject => {
      const { id } = endpointOf(call);
      call.endpoints.remove(id);
      return { id, object: 'webhook_endpoint', deleted: true };
    },
  },
];

function endpointOf(call: Call): WebhookEndpoint {
  const endpoint = call.endpoints.get(call.id);
  if (endpoint === undefined) throw resourceMissing('webhook_endpoint', call.id);
  return endpoint.value;
}

function resourceParameterMissing(name: string): Error {
  return invalidRequest(`Missing required param: ${name}.`, name, 'parameter_missing');
}
