import { createServer, type ServerResponse } from 'node:http';
import type { Metrics } from './create-metrics';
import { createHttpListener } from './http-listener';
import { startLoopWatch } from './loop-watch';

/** `ok`, or why not, in a few words without secrets. */
export type CheckResult = string;

/** Ready or not, and each check by name, for a person who asks why. */
export interface Readiness {
  ready: boolean;
  checks: Record<string, CheckResult>;
}

/** What the three routes are answered from. */
export interface OpsServerOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** What is wrong with the process itself beyond a stuck event loop, for example that it takes no jobs. */
  healthz?: () => string | undefined;
  readyz: () => Promise<Readiness>;
  metrics: Metrics;
  /** Longest a readiness check may take before it counts as not ready. */
  readyTimeoutMs?: number;
}

/** `/healthz`, `/readyz` and `/metrics` on a port of their own. */
export interface OpsServer {
  /** Listens; resolves with the address, for example `http://127.0.0.1:9464`. */
  start(): Promise<string>;
  /** Closes all connections. May be called twice, and without a start. */
  stop(): Promise<void>;
}

/**
 * `/healthz` (200 while the event loop turns, else 503: restart me), `/readyz` (200 when requests or jobs are welcome)
 * and `/metrics`. Without login: it listens on the loopback address unless OPS_HOST says otherwise.
 */
export function createOpsServer(options: OpsServerOptions): OpsServer {
  const readyTimeoutMs = options.readyTimeoutMs ?? 3_000;
  const loop = startLoopWatch();

  const pages: Record<string, () => Promise<{ status: number; type: string; text: string }>> = {
    '/healthz': async () => {
      const fault = loop.fault() ?? options.healthz?.();
      return json(fault === undefined ? 200 : 503, fault === undefined ? { healthy: true } : { healthy: false, fault });
    },
    '/readyz': async () => {
      const readiness = await readyWithin(readyTimeoutMs, options.readyz);
      return json(readiness.ready ? 200 : 503, readiness);
    },
    '/metrics': async () => ({
      status: 200,
      type: options.metrics.registry.contentType,
      text: await options.metrics.registry.metrics(),
    }),
  };

  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 },
    (request, response) => {
      const path = request.url?.split('?')[0] ?? '/';
      const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
      request.resume();
      if (page === undefined) return send(response, json(404, { error: 'there is /healthz, /readyz and /metrics' }));
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return send(response, json(405, { error: 'GET only' }));
      page().then(
        (answer) => send(response, answer),
        () => send(response, json(500, { error: 'could not be read' })),
      );
    },
  );
  server.maxConnections = 50;

  const listener = createHttpListener(server, options);
  return {
    start: () => listener.start(),
    stop: () => {
      loop.stop();
      const stopped = listener.stop(0);
      server.closeAllConnections();
      return stopped;
    },
  };
}

function json(status: number, body: object) {
  return { status, type: 'application/json', text: `${JSON.stringify(body)}\n` };
}

function send(response: ServerResponse, answer: { status: number; type: string; text: string }): void {
  response.writeHead(answer.status, { 'content-type': answer.type, 'cache-control': 'no-store' });
  response.end(answer.text);
}

async function readyWithin(timeoutMs: number, readyz: () => Promise<Readiness>): Promise<Readiness> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Readiness>((resolve) => {
    timer = setTimeout(
      () => resolve({ ready: false, checks: { readiness: `no answer within ${timeoutMs} ms` } }),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([readyz(), late]);
  } catch (error) {
    return { ready: false, checks: { readiness: error instanceof Error ? error.name : 'failed' } };
  } finally {
    clearTimeout(timer);
  }
}
