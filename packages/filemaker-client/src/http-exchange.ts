import { channel } from 'node:diagnostics_channel';
import { Pool } from 'undici';
import type { TransportFault } from './filemaker-error';

/** One HTTP request. `path` is complete and encoded; it is sent as it stands. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * How a request ended. `sent` is false only when undici never began to write the request: it says so through
 * `onRequestStart`, which it calls after the socket (and TLS) stands and right before the first byte. An error on a kept
 * socket therefore always counts as sent, since the server may have read the request before it closed.
 */
export type HttpOutcome =
  | {
      readonly answered: true;
      readonly status: number;
      readonly headers: Readonly<Record<string, string | string[] | undefined>>;
      readonly body: string;
    }
  | {
      readonly answered: false;
      readonly fault: TransportFault;
      readonly sent: boolean;
      readonly status: number | undefined;
      readonly transportCode: string | undefined;
    };

export interface HttpExchangeOptions {
  /** Scheme, host and port. */
  readonly origin: string;
  /** PEM of the only authorities to trust; undefined: those that Node trusts. */
  readonly ca: string | undefined;
  /** Whole call, from hand-over to last byte, in milliseconds. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  /** How long an unused socket is kept, in milliseconds. */
  readonly keepAliveMs: number;
  readonly answerBytesMax: number;
}

export interface HttpExchange {
  /** Never rejects. Sends once; nothing below repeats a request. */
  send(request: HttpRequest): Promise<HttpOutcome>;
  /** Lets running requests end (each within its deadline) and closes the sockets. */
  close(): Promise<void>;
}

/** Told by shape: an error made in another realm (a worker, a test runner) is no `instanceof Error` here. */
function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const CERTIFICATE_CODES =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH|EPROTO)/;

function faultOf(error: unknown, sent: boolean): TransportFault {
  const code = codeOf(error) ?? '';
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return 'deadline';
  if (sent) return 'connection-lost';
  if (code === 'UND_ERR_INVALID_ARG') return 'request-unsendable';
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') return 'client-closed';
  return CERTIFICATE_CODES.test(code) ? 'certificate' : 'connect-failed';
}

/** Tests listen and kill the process there; nobody else does. See docs/decisions/0012-crash-points.md. */
const calls = channel('bridge:outside-call');

/** Which endpoint a path leads to, without token, record number and parameters. */
function routeOf(path: string): string {
  const [route = ''] = path.split('?');
  return route.replace(/^.*?\/fmi\/data\/v\w+/, '').replace(/(\/(?:sessions|records))\/[^/]+/, '$1/…');
}

function tell(at: 'before-first-byte' | 'after-answer', request: HttpRequest): void {
  if (calls.hasSubscribers) calls.publish({ at, label: `filemaker ${request.method} ${routeOf(request.path)}` });
}

function openPool(options: HttpExchangeOptions): Pool {
  return new Pool(options.origin, {
    // A socket carries one request at a time, so that no request is ever queued behind another and moved to a new socket.
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: options.keepAliveMs,
    keepAliveMaxTimeout: options.keepAliveMs,
    // A second net under the deadline of `send`, which also covers waiting for a connection.
    headersTimeout: options.timeoutMs,
    bodyTimeout: options.timeoutMs,
    connect: {
      timeout: Math.min(options.connectTimeoutMs, options.timeoutMs),
      // Named, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off.
      rejectUnauthorized: true,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    },
  });
}

function sendOnce(pool: Pool, request: HttpRequest, options: HttpExchangeOptions): Promise<HttpOutcome> {
  return new Promise((resolve) => {
    let sent = false;
    let settled = false;
    let status: number | undefined;
    let headers: Readonly<Record<string, string | string[] | undefined>> = {};
    let abort: ((reason: Error) => void) | undefined;
    const chunks: Buffer[] = [];
    let bytes = 0;

    const settle = (outcome: HttpOutcome) => {
      settled = true;
      clearTimeout(deadline);
      resolve(outcome);
    };
    const fail = (fault: TransportFault, transportCode?: string) => {
      if (settled) return;
      settle({ answered: false, fault, sent, status, transportCode });
      abort?.(new Error('given up'));
    };
    // Node's timers run on the monotonic clock: a changed system time neither shortens nor stretches the deadline.
    const deadline = setTimeout(() => fail('deadline'), options.timeoutMs);

    try {
      pool.dispatch(
        {
          method: request.method,
          path: request.path,
          headers: request.headers,
          body: request.body ?? null,
          idempotent: false,
        },
        {
          onRequestStart(controller) {
            // Given up while it waited for a connection, or undici would write it a second time: not a byte more.
            if (settled || sent) {
              controller.abort(new Error('given up'));
              fail('connection-lost');
              return;
            }
            sent = true;
            tell('before-first-byte', request);
            abort = (reason) => controller.abort(reason);
          },
          onResponseStart(_controller, statusCode, responseHeaders) {
            if (statusCode < 200) return;
            status = statusCode;
            headers = responseHeaders;
          },
          onResponseData(_controller, chunk) {
            bytes += chunk.length;
            if (bytes > options.answerBytesMax) fail('answer-too-large');
            else chunks.push(chunk);
          },
          onResponseEnd() {
            if (settled) return;
            tell('after-answer', request);
            const body = new TextDecoder().decode(Buffer.concat(chunks));
            settle({ answered: true, status: status ?? 0, headers, body });
          },
          onResponseError(_controller, error) {
            fail(faultOf(error, sent), codeOf(error));
          },
        },
      );
    } catch (error) {
      fail(faultOf(error, sent), codeOf(error));
    }
  });
}

export function createHttpExchange(options: HttpExchangeOptions): HttpExchange {
  const pool = openPool(options);
  let closing: Promise<void> | undefined;
  return {
    send(request) {
      if (closing !== undefined) {
        return Promise.resolve({
          answered: false,
          fault: 'client-closed',
          sent: false,
          status: undefined,
          transportCode: undefined,
        });
      }
      return sendOnce(pool, request, options);
    },
    close() {
      closing ??= pool.close();
      return closing;
    },
  };
}
