import { createServer, type RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import { urlOf } from '@bridge/observability';

export interface PublicServer {
  /** Listens; resolves with the address. Rejects when the port is taken. */
  start(): Promise<string>;
  /** Takes no new connection, lets requests in hand finish, then closes what is left after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** How long one client may take, in milliseconds, and how much it may send before its body. Stripe needs far less. */
export interface ServerLimits {
  headersTimeoutMs: number;
  /** Whole request, body included. */
  requestTimeoutMs: number;
  /** Idle between two requests; longer than the 60 s of common load balancers, so that they are the ones to close. */
  keepAliveTimeoutMs: number;
  headerBytesMax: number;
  requestsPerSocketMax: number;
  connectionsMax: number;
  /** How often the time-outs are looked at. */
  checkEveryMs: number;
}

const defaultLimits: ServerLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  keepAliveTimeoutMs: 65_000,
  headerBytesMax: 16 * 1024,
  requestsPerSocketMax: 10_000,
  connectionsMax: 2_000,
  checkEveryMs: 1_000,
};

/** A server that outlives what the open internet sends it: slow, endless, malformed and too many requests. */
export function createPublicServer(options: {
  host: string;
  port: number;
  handler: RequestListener;
  /** Told of requests that never became one. */
  onMalformed?: (code: string) => void;
  limits?: Partial<ServerLimits>;
}): PublicServer {
  const limits = { ...defaultLimits, ...options.limits };
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      maxHeaderSize: limits.headerBytesMax,
      connectionsCheckingInterval: limits.checkEveryMs,
      noDelay: true,
    },
    options.handler,
  );
  server.maxRequestsPerSocket = limits.requestsPerSocketMax;
  server.maxConnections = limits.connectionsMax;
  server.maxHeadersCount = 100;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    options.onMalformed?.(error.code ?? 'UNKNOWN');
    answerMalformed(error.code, socket);
  });
  let stopping: Promise<void> | undefined;
  // `close` ends only connections that are idle at that moment; those in hand then become idle one by one.
  const onAnswered = (): void => {
    if (stopping !== undefined) setImmediate(() => server.closeIdleConnections());
  };
  server.on('request', (_request, response) => response.on('close', onAnswered));

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.port, options.host, () => {
          server.removeListener('error', reject);
          resolve(urlOf(server.address()));
        });
      }),
    stop: (graceMs) => {
      stopping ??= new Promise((resolve) => {
        if (!server.listening) return resolve();
        const timer = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      return stopping;
    },
  };
}

/** What the parser could not read gets one short answer and a closed connection. */
function answerMalformed(code: string | undefined, socket: Duplex): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason] =
    code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large']
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : [400, 'Bad Request'];
  const body = JSON.stringify({
    error: status === 431 ? 'HEADERS_TOO_LARGE' : status === 408 ? 'TOO_SLOW' : 'BAD_HTTP',
  });
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
