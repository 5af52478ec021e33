import { createServer, type RequestListener } from 'node:http';
import { urlOf } from '@bridge/observability';

export interface ConsoleServer {
  /** Resolves with the address. Rejects when the port is taken. */
  start(): Promise<string>;
  /** Lets requests in hand finish, then closes what is left after `graceMs`. Safe to call twice and without a start. */
  stop(graceMs: number): Promise<void>;
}

/** A listener for people: few connections, small requests. */
export function createConsoleServer(options: { host: string; port: number; handler: RequestListener }): ConsoleServer {
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
  let stopping: Promise<void> | undefined;
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
        server.closeIdleConnections();
      });
      return stopping;
    },
  };
}
