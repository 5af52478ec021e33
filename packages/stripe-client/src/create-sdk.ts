import Stripe from 'stripe';
import { createDeadlineHttpClient } from './deadline-http-client';

/** Whose account, and where. */
export interface SdkOptions {
  /** Secret. */
  apiKey: string;
  /** Undefined: Stripe itself. */
  apiBase?: string | undefined;
  /** For one request as a whole, in ms; default 20,000. */
  timeoutMs?: number | undefined;
}

/** Stripe's package, so that one call is one request with an end. Its connections close with the `httpClient`. */
export function createSdk(options: SdkOptions): { stripe: Stripe; httpClient: { destroy(): void } } {
  const httpClient = createDeadlineHttpClient();
  const stripe = new Stripe(options.apiKey, {
    ...addressOf(options.apiBase),
    httpClient,
    timeout: options.timeoutMs ?? 20_000,
    // Retries belong to the queue, which knows the budget; telemetry would write a file into the home directory.
    maxNetworkRetries: 0,
    telemetry: false,
  });
  return { stripe, httpClient };
}

/** Scheme, host and port of a stand-in, as the SDK takes them; nothing for Stripe itself. Throws TypeError. */
function addressOf(apiBase: string | undefined) {
  if (apiBase === undefined) return {};
  const url = new URL(apiBase);
  const protocol = url.protocol.slice(0, -1);
  if ((protocol !== 'http' && protocol !== 'https') || url.pathname !== '/' || url.search !== '') {
    throw new TypeError('The address of Stripe’s API is scheme, host and port: https://host:port');
  }
  // IPv6 addresses stand in brackets in a URL and without them in a socket's address.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { protocol, host, port: url.port === '' ? (protocol === 'http' ? 80 : 443) : Number(url.port) } as const;
}
