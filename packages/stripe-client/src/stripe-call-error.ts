import Stripe from 'stripe';
import { TransportError } from './deadline-http-client';

/**
 * - `STRIPE_NOT_FOUND`          404: no such object for this key (or it is of the other mode)
 * - `STRIPE_REQUEST_INVALID`    400, 402 and other 4xx, or an id that cannot be one: asking again gives the same
 * - `STRIPE_ANSWER_UNEXPECTED`  a well-formed answer that is not the object asked for
 * - `STRIPE_KEY_REFUSED`        401
 * - `STRIPE_PERMISSION`         403; `permission` names what the restricted key lacks, when Stripe says so
 * - `STRIPE_RATE_LIMITED`       429
 * - `STRIPE_CONFLICT`           409: another request holds the object
 * - `STRIPE_UNAVAILABLE`        5xx, or no connection, or a connection that broke
 * - `STRIPE_TIMEOUT`            no complete answer within the deadline
 * - `STRIPE_ANSWER_UNREADABLE`  no JSON, a redirect, or far too long: something stands between us and Stripe
 * - `STRIPE_CLIENT_CLOSED`      asked after `close()`
 */
export type StripeCallCode =
  | 'STRIPE_NOT_FOUND'
  | 'STRIPE_REQUEST_INVALID'
  | 'STRIPE_ANSWER_UNEXPECTED'
  | 'STRIPE_KEY_REFUSED'
  | 'STRIPE_PERMISSION'
  | 'STRIPE_RATE_LIMITED'
  | 'STRIPE_CONFLICT'
  | 'STRIPE_UNAVAILABLE'
  | 'STRIPE_TIMEOUT'
  | 'STRIPE_ANSWER_UNREADABLE'
  | 'STRIPE_CLIENT_CLOSED';

/** `not-sent`: the request never left. `refused`: Stripe answered no. `unheard`: sent, and no usable answer. */
export type StripeCallStage = 'not-sent' | 'refused' | 'unheard';

/**
 * `wait`: the same call may work later; it is not this object's fault. `halt`: no call works until a person acts.
 * `park`: this one never works, others do.
 */
export type StripeCallAction = 'wait' | 'halt' | 'park';

const actions: Record<StripeCallCode, StripeCallAction> = {
  STRIPE_NOT_FOUND: 'park',
  STRIPE_REQUEST_INVALID: 'park',
  STRIPE_ANSWER_UNEXPECTED: 'park',
  STRIPE_KEY_REFUSED: 'halt',
  STRIPE_PERMISSION: 'halt',
  STRIPE_RATE_LIMITED: 'wait',
  STRIPE_CONFLICT: 'wait',
  STRIPE_UNAVAILABLE: 'wait',
  STRIPE_TIMEOUT: 'wait',
  STRIPE_ANSWER_UNREADABLE: 'wait',
  STRIPE_CLIENT_CLOSED: 'wait',
};

interface StripeCallFacts {
  /** Which question was asked, in the SDK's words: `checkout.sessions.retrieve`. */
  endpoint: string;
  httpStatus?: number;
  /** Stripe's own code, e.g. `resource_missing`. */
  stripeCode?: string;
  /** For Stripe's support, and their dashboard's log. */
  stripeRequestId?: string;
  /** How long a 429 or 503 asks us to stay away, in ms. */
  retryAfterMs?: number;
  /** Which limit a 429 hit: `global-rate`, `endpoint-rate`, `resource-specific`, … */
  rateLimitedReason?: string;
  /** What a restricted key lacks, e.g. `rak_checkout_session_read`. */
  permission?: string;
  /** Node's code, e.g. `ECONNREFUSED`. */
  transportCode?: string;
}

/** A call that brought no answer. Holds codes and ids; never a key, a body or Stripe's own sentence. */
export class StripeCallError extends Error {
  override readonly name = 'StripeCallError';
  readonly action: StripeCallAction;
  readonly endpoint: string;
  readonly httpStatus: number | undefined;
  readonly stripeCode: string | undefined;
  readonly stripeRequestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly rateLimitedReason: string | undefined;
  readonly permission: string | undefined;
  readonly transportCode: string | undefined;

  constructor(
    readonly code: StripeCallCode,
    readonly stage: StripeCallStage,
    facts: StripeCallFacts,
  ) {
    super(sentence(code, facts));
    this.action = actions[code];
    this.endpoint = facts.endpoint;
    this.httpStatus = facts.httpStatus;
    this.stripeCode = facts.stripeCode;
    this.stripeRequestId = facts.stripeRequestId;
    this.retryAfterMs = facts.retryAfterMs;
    this.rateLimitedReason = facts.rateLimitedReason;
    this.permission = facts.permission;
    this.transportCode = facts.transportCode;
  }
}

function sentence(code: StripeCallCode, facts: StripeCallFacts): string {
  const hints = [
    facts.httpStatus === undefined ? undefined : `HTTP ${facts.httpStatus}`,
    facts.stripeCode,
    facts.transportCode,
    facts.permission === undefined ? undefined : `the key lacks ${facts.permission}`,
    facts.stripeRequestId,
  ].filter((hint) => hint !== undefined);
  return `${code} at ${facts.endpoint}${hints.length > 0 ? ` (${hints.join(', ')})` : ''}`;
}

/** What the SDK throws, as ours. The original is left behind on purpose: it carries Stripe's text and headers. */
export function toStripeCallError(thrown: unknown, endpoint: string): StripeCallError {
  if (thrown instanceof StripeCallError) return thrown;
  if (!(thrown instanceof Stripe.errors.StripeError)) {
    return new StripeCallError('STRIPE_ANSWER_UNREADABLE', 'unheard', { endpoint });
  }
  if (thrown instanceof Stripe.errors.StripeConnectionError) {
    const failure = thrown.detail;
    if (!(failure instanceof TransportError)) return new StripeCallError('STRIPE_UNAVAILABLE', 'unheard', { endpoint });
    return new StripeCallError(codeOfTransport(failure), failure.sent ? 'unheard' : 'not-sent', {
      endpoint,
      ...known({ transportCode: failure.transportCode }),
    });
  }
  const httpStatus = thrown.statusCode;
  const headers = thrown.headers ?? {};
  const code = codeOfStatus(httpStatus);
  const facts = {
    endpoint,
    ...known({
      httpStatus,
      stripeCode: shortWord(thrown.code),
      stripeRequestId: shortWord(thrown.requestId),
      retryAfterMs: retryAfterMs(headers['retry-after']),
      rateLimitedReason: shortWord(headers['stripe-rate-limited-reason']),
      permission: code === 'STRIPE_PERMISSION' ? /\brak_[a-z0-9_]{1,60}/.exec(thrown.message)?.[0] : undefined,
    }),
  };
  const refused = httpStatus !== undefined && httpStatus >= 400 && httpStatus < 500;
  return new StripeCallError(code, refused ? 'refused' : 'unheard', facts);
}

function codeOfTransport(failure: TransportError): StripeCallCode {
  if (failure.reason === 'deadline') return 'STRIPE_TIMEOUT';
  return failure.reason === 'too-long' ? 'STRIPE_ANSWER_UNREADABLE' : 'STRIPE_UNAVAILABLE';
}

function codeOfStatus(status: number | undefined): StripeCallCode {
  if (status === undefined || status < 400) return 'STRIPE_ANSWER_UNREADABLE';
  if (status >= 500) return 'STRIPE_UNAVAILABLE';
  if (status === 401) return 'STRIPE_KEY_REFUSED';
  if (status === 403) return 'STRIPE_PERMISSION';
  if (status === 404) return 'STRIPE_NOT_FOUND';
  if (status === 409) return 'STRIPE_CONFLICT';
  if (status === 429) return 'STRIPE_RATE_LIMITED';
  return 'STRIPE_REQUEST_INVALID';
}

function retryAfterMs(header: unknown): number | undefined {
  const seconds = typeof header === 'string' && /^\d{1,5}$/.test(header) ? Number(header) : undefined;
  return seconds === undefined ? undefined : seconds * 1000;
}

/** Codes and ids only; anything longer is somebody's text. */
function shortWord(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\w-]{1,64}$/.test(value) ? value : undefined;
}

type Known<Facts> = { [Name in keyof Facts]?: Exclude<Facts[Name], undefined> };

/** Leaves out what is undefined, as exact optional fields demand. */
function known<Facts extends object>(facts: Facts): Known<Facts> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Known<Facts>;
}
