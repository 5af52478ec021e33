import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import { ApiLog } from './api/api-log';
import { createApiRouter } from './api/api-router';
import { IdempotencyKeys } from './api/idempotency';
import { RateLimits } from './api/rate-limits';
import { Trouble } from './api/trouble';
import { stockCatalogue } from './catalogue';
import { type Control, createControl } from './control';
import { createControlRouter } from './control-router';
import { Deliveries } from './deliveries';
import { Endpoints } from './endpoints';
import { completeSettings, type PartialSettings } from './settings';
import { World } from './world';

/** A Stripe account in this process. */
export interface StripeSimulator {
  /** For requests without a port. */
  readonly app: Express;
  /** The control API as functions. */
  readonly control: Control;
  /** Starts to answer; a second call gives the same address. */
  listen(): Promise<{ url: string; port: number }>;
  /** Ends deliveries and connections; a second call does nothing more. */
  close(): Promise<void>;
}

/** Builds a simulated Stripe. It listens only when told to. */
export function createStripeSimulator(given: PartialSettings = {}): StripeSimulator {
  const settings = completeSettings(given);
  const world = new World(settings);
  const endpoints = new Endpoints(world);
  const deliveries = new Deliveries(world, endpoints);
  const trouble = new Trouble(() => world.random);
  const idempotency = new IdempotencyKeys();
  const log = new ApiLog();
  const rateLimits = new RateLimits(() => settings.rateLimits);
  if (settings.webhookUrl !== null) endpoints.add({ url: settings.webhookUrl, secrets: [settings.webhookSecret] });
  if (settings.catalogue) stockCatalogue(world);

  const control = createControl({ world, endpoints, deliveries, trouble, idempotency, log });
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(createApiRouter({ world, endpoints, deliveries, trouble, rateLimits, idempotency, log }));
  app.use('/_simulator', createControlRouter(control));

  let server: Server | null = null;
  let listening: Promise<{ url: string; port: number }> | null = null;
  return {
    app,
    control,
    listen() {
      listening ??= new Promise((resolve, reject) => {
        const starting = createServer(app);
        server = starting;
        starting.once('error', reject);
        starting.listen(settings.port, settings.host, () => {
          const { port } = starting.address() as AddressInfo;
          resolve({ url: `http://${settings.host}:${port}`, port });
        });
      });
      return listening;
    },
    async close() {
      deliveries.close();
      const running = server;
      server = null;
      if (running === null) return;
      await new Promise<void>((resolve) => {
        running.close(() => resolve());
        running.closeAllConnections();
      });
    },
  };
}
