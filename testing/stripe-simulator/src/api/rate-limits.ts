import type { RateLimitSettings } from '../settings';
import { ApiError } from './api-error';

/** Counts calls per second, for the whole account and per endpoint (Stripe: Rate limits). Off unless set. */
export class RateLimits {
  #second = 0;
  #total = 0;
  readonly #byEndpoint = new Map<string, number>();

  constructor(private readonly settings: () => RateLimitSettings) {}

  check(endpoint: string): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#total = 0;
      this.#byEndpoint.clear();
    }
    this.#total += 1;
    const calls = (this.#byEndpoint.get(endpoint) ?? 0) + 1;
    this.#byEndpoint.set(endpoint, calls);
    const { globalPerSecond, endpointPerSecond } = this.settings();
    if (globalPerSecond !== null && this.#total > globalPerSecond) throw rateLimited('global-rate');
    if (endpointPerSecond !== null && calls > endpointPerSecond) throw rateLimited('endpoint-rate');
  }
}

/** A 429 that the stripe package does not repeat by itself. */
export function rateLimited(reason: string | undefined): ApiError {
  return new ApiError(429, 'invalid_request_error', 'Request rate limit exceeded.', {
    code: 'rate_limit',
    headers: reason === undefined ? {} : { 'Stripe-Rate-Limited-Reason': reason },
  });
}

/** A 429 about one busy object; Stripe asks for a repeat. */
export function lockTimeout(): ApiError {
  return new ApiError(
    429,
    'invalid_request_error',
    'This object cannot be accessed right now because another API request or Stripe process is currently accessing it.',
    { code: 'lock_timeout', headers: { 'Stripe-Should-Retry': 'true' } },
  );
}
