import { setTimeout as pause } from 'node:timers/promises';
import { type Request, type Response, Router, text } from 'express';
import type { Deliveries } from '../deliveries';
import type { Endpoints } from '../endpoints';
import { embeddedNow } from '../events';
import { SimulatorError } from '../simulator-error';
import type { World } from '../world';
import { accountRoutes } from './account-routes';
import { ApiError, invalidRequest } from './api-error';
import type { ApiLog } from './api-log';
import { authenticate, forbidden, invalidKey, permit } from './authentication';
import { catalogueRoutes } from './catalogue-routes';
import { checkoutRoutes } from './checkout-routes';
import { eventRoutes } from './event-routes';
import { expandAnswer } from './expand';
import { parseForm } from './form';
import type { IdempotencyKeys, StoredAnswer } from './idempotency';
import { Parameters } from './parameters';
import { paymentRoutes } from './payment-routes';
import { lockTimeout, type RateLimits, rateLimited } from './rate-limits';
import type { Route } from './route';
import { checkVersion, type EmbeddedLookup, lookupIn, shapeFor } from './shapes-by-version';
import type { Trouble, TroubleRule } from './trouble';

export const API_ROUTES: Route[] = [
  ...checkoutRoutes,
  ...paymentRoutes,
  ...catalogueRoutes,
  ...eventRoutes,
  ...accountRoutes,
];

export interface ApiParts {
  world: World;
  endpoints: Endpoints;
  deliveries: Deliveries;
  trouble: Trouble;
  rateLimits: RateLimits;
  idempotency: IdempotencyKeys;
  log: ApiLog;
}

const SLOW_MS = 2_000;

/** Stripe's side of the simulator: everything under /v1. */
export function createApiRouter(parts: ApiParts): Router {
  const router = Router();
  router.use('/v1', text({ type: () => true, limit: '1mb' }));
  for (const route of API_ROUTES) {
    router[route.method](route.path, (request, response) => serve(parts, route, request, response));
  }
  router.use('/v1', (request, response) => serve(parts, null, request, response));
  return router;
}

async function serve(parts: ApiParts, route: Route | null, request: Request, response: Response): Promise<void> {
  const { world, trouble, log } = parts;
  const path = request.originalUrl.split('?')[0] ?? '';
  const endpoint = route === null ? `${request.method} (unknown)` : `${request.method} ${route.path}`;
  const requestId = world.ids.next('req', 14);
  log.note(endpoint);
  response.set({
    'Request-Id': requestId,
    'Stripe-Version': request.get('Stripe-Version') ?? world.settings.accountApiVersion,
  });
  const idempotencyKey = request.get('Idempotency-Key');
  if (idempotencyKey !== undefined) response.set('Idempotency-Key', idempotencyKey);

  const rule = trouble.take(request.method, path);
  if (rule?.kind === 'slow') await pause(rule.slowMs ?? SLOW_MS);
  if (rule !== null && rule.when !== 'after' && withheld(rule, request, response, '{}')) {
    log.conclude(rule.kind);
    return;
  }
  const answer = rule !== null && rule.when !== 'after' && rule.kind !== 'slow' ? refusal(rule) : null;
  const { status, body, headers } = answer ?? answerTo(parts, route, request, requestId, endpoint);
  const spoilt = rule?.when === 'after' && rule.kind !== 'slow' ? rule : null;
  const text = JSON.stringify(body, null, 2);
  if (spoilt !== null && withheld(spoilt, request, response, text)) {
    log.conclude(spoilt.kind);
    return;
  }
  const late = spoilt === null ? null : refusal(spoilt);
  if (late?.status === 500 && idempotencyKey !== undefined) parts.idempotency.overwrite(idempotencyKey, late);
  const last = late ?? { status, body, headers };
  log.conclude(String(last.status));
  response
    .set(last.headers)
    .status(last.status)
    .type('application/json')
    .send(late === null ? text : JSON.stringify(late.body));
}

interface Rendered extends StoredAnswer {
  headers: Record<string, string>;
}

/** Troubles that leave no whole answer: the connection breaks, hangs or stops in the middle. */
function withheld(rule: TroubleRule, request: Request, response: Response, text: string): boolean {
  switch (rule.kind) {
    case 'reset':
    case 'down':
      request.socket.resetAndDestroy();
      return true;
    case 'hang':
      return true;
    case 'truncated': {
      const whole = text.length > 2 ? text : '{"id": "cut_off"}';
      response
        .status(200)
        .type('application/json')
        .set('Content-Length', String(Buffer.byteLength(whole)));
      response.write(whole.slice(0, Math.floor(whole.length / 2)), () => request.socket.destroy());
      return true;
    }
    default:
      return false;
  }
}

function refusal(rule: TroubleRule): Rendered | null {
  switch (rule.kind) {
    case 'rate-limit':
      return rendered(rateLimited(rule.reason));
    case 'lock-timeout':
      return rendered(lockTimeout());
    case 'server-error':
      return rendered(new ApiError(500, 'api_error', 'An unknown error occurred.'));
    case 'unauthorized':
      return rendered(invalidKey('sk_test_revoked_0000'));
    case 'forbidden':
      return rendered(forbidden('any', 'read'));
    default:
      return null;
  }
}

function rendered(error: ApiError): Rendered {
  return { status: error.status, body: error.body(), headers: error.details.headers ?? {} };
}

function answerTo(
  parts: ApiParts,
  route: Route | null,
  request: Request,
  requestId: string,
  endpoint: string,
): Rendered {
  try {
    parts.rateLimits.check(endpoint);
    return { ...handled(parts, route, request, requestId), headers: {} };
  } catch (error) {
    if (error instanceof ApiError) return rendered(error);
    if (error instanceof SimulatorError) return rendered(invalidRequest(error.message));
    throw error;
  }
}

function handled(parts: ApiParts, route: Route | null, request: Request, requestId: string): StoredAnswer {
  const { world, idempotency } = parts;
  const caller = authenticate(request.get('Authorization'), world.settings);
  const version = checkVersion(request.get('Stripe-Version') ?? world.settings.accountApiVersion);
  const [path = '', query = ''] = request.originalUrl.split('?');
  if (route === null) {
    throw new ApiError(404, 'invalid_request_error', `Unrecognized request URL (${request.method}: ${path}).`);
  }
  permit(caller, route.resource, route.method === 'get' ? 'read' : 'write');
  const form = typeof request.body === 'string' && request.body !== '' ? request.body : '';
  const key = route.method === 'post' ? (request.get('Idempotency-Key') ?? null) : null;
  const fingerprint = JSON.stringify([request.method, path, form, request.get('Stripe-Account') ?? null]);
  const now = world.clock.nowMs();
  const known = key === null ? null : idempotency.recall(key, fingerprint, now);
  if (known !== null) return known;

  const parameters = parseForm([query, form].filter((part) => part !== '').join('&'));
  const reader = new Parameters(parameters);
  const id = request.params.id;
  const body = route.handle({
    ...parts,
    caller,
    account: request.get('Stripe-Account') ?? null,
    parameters: reader,
    id: typeof id === 'string' ? id : '',
    path,
    requestId,
    idempotencyKey: key,
  });
  expandAnswer(world.store, body, route.kind, reader.texts('expand') ?? []);
  if (route.kind !== 'event') shapeFor(version, body, currentLookup(world));
  const answer = { status: 200, body };
  if (key !== null) idempotency.keep(key, fingerprint, answer, now);
  return answer;
}

/** For objects read now, older shapes embed what is true now. */
function currentLookup(world: World): EmbeddedLookup {
  return (kind, id) => {
    const holder = kind === 'charges-of-intent' ? world.store.paymentIntents.get(id) : world.store.charges.get(id);
    return holder === undefined ? [] : lookupIn(embeddedNow(world, holder))(kind, id);
  };
}
