import type { IncomingMessage, ServerResponse } from 'node:http';
import { type EventExpectations, readStripeEvent } from '@bridge/inbox';
import { type Logger, type Metrics, rateLimitedLog } from '@bridge/observability';
import { type DeliveryBatcher, NotStoredError } from './delivery-batcher';
import { BodyRefusedError, createByteBudget, readBody } from './read-body';
import type { RejectionRecorder } from './rejection-recorder';
import { sendJson } from './send-json';
import { signatureFault } from './verify-signature';

const signatureName = 'stripe-signature';
const bodyBytesMax = 1024 * 1024;
/** All bodies in hand together; more are refused with 503. */
const allBodiesBytesMax = 128 * 1024 * 1024;

/** `bridge_webhooks_total{outcome}`. */
export const webhookOutcomes = [
  'new',
  'duplicate',
  'ignored',
  'bad_signature',
  'bad_body',
  'too_large',
  'bad_method',
  /** STRIPE_DELIVERY=pull, and no secret to verify with. */
  'not_taken',
  'not_stored',
  'aborted',
  'malformed_http',
] as const;
export type WebhookOutcome = (typeof webhookOutcomes)[number];

export interface WebhookParts {
  batcher: Pick<DeliveryBatcher, 'record'>;
  rejections: Pick<RejectionRecorder, 'record'>;
  /** Signing secrets, each accepted. */
  secrets: readonly string[];
  expectations: EventExpectations;
  logger: Logger;
  webhooks: ReturnType<Metrics['webhooksTotal']>;
  seconds: ReturnType<Metrics['webhookSeconds']>;
  /** True while draining: answers then ask the client to close the connection. */
  draining?: () => boolean;
  now?: () => number;
  allBodiesBytesMax?: number;
}

interface Answer {
  status: number;
  outcome: WebhookOutcome;
  /** Undefined: `{"received":true}`. */
  error?: string;
}

/** `POST /webhooks/stripe`. Rejects only for a bug of ours. */
export function createWebhookHandler(parts: WebhookParts) {
  const now = parts.now ?? Date.now;
  const budget = createByteBudget(parts.allBodiesBytesMax ?? allBodiesBytesMax);
  const logRefusal = rateLimitedLog(parts.logger, { message: 'webhook refused' });
  const logNotStored = rateLimitedLog(parts.logger, { message: 'webhook not stored', level: 'error' });
  const logOtherLivemode = rateLimitedLog(parts.logger, {
    message: 'event of the other mode: a test endpoint points at a live bridge, or the other way round',
  });

  /** Refusals of what claimed to be a webhook are kept; a client that went away or a full house is not its fault. */
  function refuse(
    request: IncomingMessage,
    status: number,
    outcome: WebhookOutcome,
    code: string,
    bytes: number,
  ): Answer {
    const remote = request.socket.remoteAddress;
    parts.rejections.record({ reason: code, bytes, ...(remote === undefined ? {} : { remote }) });
    logRefusal({ code, status, bytes, remote });
    return { status, outcome, error: code };
  }

  async function judgeAndStore(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const header = request.headers[signatureName]?.toString();
    const fault = isRepeated(request, header)
      ? 'SIGNATURE_MALFORMED'
      : signatureFault(body, header, parts.secrets, Math.floor(now() / 1_000));
    if (fault !== undefined) return refuse(request, 400, 'bad_signature', fault, body.length);
    const delivery = readStripeEvent(body, 'webhook', parts.expectations);
    if ('fault' in delivery) return refuse(request, 400, 'bad_body', delivery.fault, body.length);
    const { eventId, eventType, ignoredBecause } = delivery;
    try {
      const recorded = await parts.batcher.record(delivery);
      if (ignoredBecause === 'OTHER_LIVEMODE') logOtherLivemode({ eventId, eventType, livemode: delivery.livemode });
      parts.logger.debug({ eventId, eventType, inboxId: recorded.id, outcome: recorded.outcome }, 'webhook stored');
      const ignored = recorded.outcome === 'new' && ignoredBecause !== null;
      return { status: 200, outcome: ignored ? 'ignored' : recorded.outcome };
    } catch (error) {
      if (!(error instanceof NotStoredError)) throw error;
      logNotStored({ err: error, eventId, eventType });
      return { status: 503, outcome: 'not_stored', error: error.code };
    }
  }

  async function answerTo(request: IncomingMessage): Promise<Answer> {
    let bytes = 0;
    try {
      const body = await readBody(request, bodyBytesMax, budget);
      bytes = body.length;
      return await judgeAndStore(request, body);
    } catch (error) {
      if (!(error instanceof BodyRefusedError)) throw error;
      if (error.code === 'REQUEST_ABORTED') return { status: error.status, outcome: 'aborted', error: error.code };
      if (error.code === 'OVERLOADED') return { status: error.status, outcome: 'not_stored', error: error.code };
      const outcome = error.code === 'BODY_TOO_LARGE' ? 'too_large' : 'bad_body';
      return refuse(request, error.status, outcome, error.code, Number(request.headers['content-length'] ?? 0));
    } finally {
      budget.giveBack(bytes);
    }
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startedAt = performance.now();
    const { status, outcome, error } = await answerTo(request);
    parts.webhooks.inc({ outcome });
    if (outcome === 'aborted') return;
    // What is left of a body that was not read to its end must not be taken for the next request.
    if (!request.complete || parts.draining?.() === true) response.setHeader('connection', 'close');
    sendJson(response, status, error === undefined ? { received: true } : { error });
    parts.seconds.observe((performance.now() - startedAt) / 1_000);
  };
}

/** Node joins a repeated header with a comma and a space; only then is it worth asking how often it came. */
function isRepeated(request: IncomingMessage, header: string | undefined): boolean {
  return header?.includes(', ') === true && (request.headersDistinct[signatureName]?.length ?? 0) > 1;
}
