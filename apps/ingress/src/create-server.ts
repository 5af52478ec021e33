import { createServer, type RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import { createHttpListener, type HttpListener } from '@bridge/observability';

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
}): HttpListener {
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
  return createHttpListener(server, options);
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
