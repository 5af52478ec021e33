import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server's life: it listens, and stops within a bound. */
export interface HttpListener {
  /** Resolves with the address, for example `http://127.0.0.1:3000`. Rejects when the port is taken. */
  start(): Promise<string>;
  /**
   * Takes no new connection, lets requests in hand finish, and cuts what is left after `graceMs`. Safe to call twice and
   * without a start.
   */
  stop(graceMs: number): Promise<void>;
}

/** `port` 0 takes any free one. The server's limits are its owner's affair. */
export function createHttpListener(server: Server, where: { host: string; port: number }): HttpListener {
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
        server.listen(where.port, where.host, () => {
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

/** The address a server listens on, as something a person can open: a wildcard becomes 127.0.0.1. */
function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on a port.');
  const wildcard = address.address === '0.0.0.0' || address.address === '::';
  const host = wildcard ? '127.0.0.1' : address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
