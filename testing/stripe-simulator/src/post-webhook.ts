import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface Answer {
  /** HTTP status; null when no answer came. */
  status: number | null;
  /** Why none came, for example ECONNREFUSED; null with an answer. */
  error: string | null;
  ms: number;
}

/** Sends one webhook. Never throws, never follows a redirect (for Stripe 3xx is a failure), always ends by `timeoutMs`. */
export function postWebhook(
  url: string,
  body: string,
  signature: string,
  timeoutMs: number,
  stop: AbortSignal,
): Promise<Answer> {
  const started = performance.now();
  const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const end = (status: number | null, error: string | null) =>
      resolve({ status, error, ms: Math.round(performance.now() - started) });
    const call = send(
      url,
      {
        method: 'POST',
        signal,
        headers: {
          'Content-Type': 'application/json; charset=utf-8',
          'Content-Length': Buffer.byteLength(body),
          'User-Agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
          Accept: '*/*; q=0.5, application/xml',
          'Cache-Control': 'no-cache',
          'Stripe-Signature': signature,
        },
      },
      (answer) => {
        answer.resume();
        answer.on('end', () => end(answer.statusCode ?? null, null));
        answer.on('error', (fault) => end(null, codeOf(fault)));
      },
    );
    call.on('error', (fault) => end(null, codeOf(fault)));
    call.end(body);
  });
}

function codeOf(fault: Error): string {
  const code = (fault as NodeJS.ErrnoException).code;
  return fault.name === 'TimeoutError' ? 'TIMEOUT' : (code ?? fault.name);
}
