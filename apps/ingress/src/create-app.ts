import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express, { type ErrorRequestHandler } from 'express';
import helmet from 'helmet';
import { sendJson } from './send-json';
import { createWebhookHandler, type WebhookParts } from './webhook-handler';

const webhookPath = '/webhooks/stripe';
/** For the person who looks at a failed delivery in Stripe's dashboard. */
const NOT_TAKEN =
  'This bridge fetches its events from Stripe (STRIPE_DELIVERY=pull) and has no signing secret: remove this endpoint, or set STRIPE_WEBHOOK_SECRETS to take both.';

/**
 * The public HTTP side, without a port. Every answer is JSON, none is a redirect.
 *
 * A webhook at exactly its address goes straight to its handler: express and helmet would take a tenth of what the
 * whole request costs, for a route that needs no routing and a caller that is no browser. Everything else, odd
 * spellings of the same address included, goes through express.
 */
export function createApp(parts: WebhookParts): RequestListener {
  const handle = createWebhookHandler(parts);
  const others = createOtherRoutes(parts, handle);
  // STRIPE_DELIVERY=pull without a signing secret: nothing that comes here could be verified.
  if (parts.secrets.length === 0) return others;
  return (request, response) => {
    if (request.method !== 'POST' || request.url !== webhookPath) others(request, response);
    else handle(request, response).catch((error: unknown) => answerFault(parts, error, response));
  };
}

function createOtherRoutes(
  parts: WebhookParts,
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(helmet());
  if (parts.secrets.length === 0) {
    app.all(webhookPath, (request, response) => {
      request.resume();
      parts.webhooks.inc({ outcome: 'not_taken' });
      sendJson(response, 404, { error: 'WEBHOOKS_NOT_TAKEN', message: NOT_TAKEN });
    });
  }
  app
    .route(webhookPath)
    .post(handle)
    .all((request, response) => {
      request.resume();
      parts.webhooks.inc({ outcome: 'bad_method' });
      response.setHeader('allow', 'POST');
      sendJson(response, 405, { error: 'METHOD_NOT_ALLOWED' });
    });
  app.use((request, response) => {
    request.resume();
    sendJson(response, 404, { error: 'NOT_FOUND' });
  });
  const onError: ErrorRequestHandler = (error: unknown, _request, response, _next) =>
    answerFault(parts, error, response);
  app.use(onError);
  return app;
}

function answerFault(parts: Pick<WebhookParts, 'logger'>, error: unknown, response: ServerResponse): void {
  // Express itself refuses paths it cannot decode, with a status of its own; anything else is a bug of ours.
  const status: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined;
  const refused = typeof status === 'number' && status >= 400 && status < 500;
  if (!refused) parts.logger.error({ err: error }, 'request failed');
  if (response.headersSent) response.destroy();
  else sendJson(response, refused ? status : 500, { error: refused ? 'BAD_REQUEST' : 'INTERNAL' });
}
