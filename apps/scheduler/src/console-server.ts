import { createServer, type RequestListener } from 'node:http';
import { createHttpListener, type HttpListener } from '@bridge/observability';

/** A listener for people: few connections, small requests. */
export function createConsoleServer(options: { host: string; port: number; handler: RequestListener }): HttpListener {
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16 * 1024,
      connectionsCheckingInterval: 2_000,
    },
    options.handler,
  );
  server.maxConnections = 500;
  return createHttpListener(server, options);
}
