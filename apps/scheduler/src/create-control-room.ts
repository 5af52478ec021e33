import { join } from 'node:path';
import type { WindowConfig } from '@bridge/config';
import type { Database, MigrationSource } from '@bridge/database';
import type { Producer } from '@bridge/jobs';
import type { Logger } from '@bridge/observability';
import { findRunbook, listRunbookGroups, readStatus, runbookText } from '@bridge/operations';
import express, { type ErrorRequestHandler, type Express } from 'express';
import helmet from 'helmet';
import { createConsoleLogin, operatorOf } from './console-login';
import { runbookList, runbookPage } from './pages/runbook-pages';
import { statusPage } from './pages/status-page';
import { BOARD_PATH, createQueueBoard } from './queue-board';
import { refuse } from './refuse';
import { renderMarkdown } from './render-markdown';
import { onlyOurPagesChange } from './same-origin';
import { sessionCookie } from './session-cookie';

export interface ControlRoomParts {
  database: Database;
  producer: Producer;
  migrationSources: readonly MigrationSource[];
  logger: Logger;
  /** CONSOLE_URL. */
  consoleUrl: string | undefined;
  mode: 'live' | 'observe';
  timeZone: string;
  /** Maintenance windows of the configuration, for the status page. */
  windows?: readonly WindowConfig[];
}

/** The console's pages, without a port. Only `/login` and `/assets` answer people who are not logged in. */
export function createControlRoom(parts: ControlRoomParts): Express {
  const { database, logger, consoleUrl } = parts;
  const https = consoleUrl?.startsWith('https:') === true;
  const app = express();
  app.disable('etag');
  // A proxy on this machine may say whose request it is; nobody else is believed.
  app.set('trust proxy', 'loopback');
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          styleSrc: ["'self'"],
          imgSrc: ["'self'", 'data:'],
          fontSrc: ["'self'"],
          connectSrc: ["'self'"],
          formAction: ["'self'"],
          frameAncestors: ["'none'"],
          baseUri: ["'self'"],
        },
      },
      // Without it browsers send `Origin: null` with our own forms, and they could not be told from foreign ones.
      referrerPolicy: { policy: 'same-origin' },
      strictTransportSecurity: https,
      xFrameOptions: { action: 'deny' },
    }),
  );
  app.use('/assets', express.static(join(__dirname, '../assets'), { index: false, redirect: false, maxAge: '1h' }));
  app.use(onlyOurPagesChange(consoleUrl));
  const login = createConsoleLogin({ database, logger, cookie: sessionCookie(consoleUrl) });
  app.use(login.routes);
  app.use(login.requireOperator);
  app.get('/', async (_request, response) => {
    const status = await readStatus(database, parts.migrationSources, parts.windows, parts.mode);
    response
      .type('html')
      .send(statusPage({ status, operator: operatorOf(response), mode: parts.mode, timeZone: parts.timeZone }));
  });
  app.get('/runbooks', (_request, response) => {
    response.type('html').send(runbookList({ groups: listRunbookGroups(), operator: operatorOf(response) }));
  });
  app.get('/runbooks/:cause', (request, response, next) => {
    const { cause } = request.params;
    const runbook = findRunbook(cause);
    if (runbook === undefined) return next();
    const about = { operator: operatorOf(response), cause: runbook.name === cause ? undefined : cause };
    response.type('html').send(runbookPage({ runbook, body: renderMarkdown(runbookText(runbook)), ...about }));
  });
  app.use(BOARD_PATH, createQueueBoard(parts));
  app.use((request, response) =>
    refuse(request, response, 404, {
      code: 'NOT_FOUND',
      headline: 'Not there',
      sentence: 'There is no such page.',
    }),
  );
  const onError: ErrorRequestHandler = (error: unknown, request, response, _next) => {
    const status: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined;
    if (response.headersSent) {
      response.destroy();
    } else if (typeof status === 'number' && status >= 400 && status < 500) {
      refuse(request, response, status, {
        code: 'BAD_REQUEST',
        headline: 'Not understood',
        sentence: 'This request cannot be read.',
      });
    } else {
      logger.error({ err: error, path: request.path }, 'console request failed');
      refuse(request, response, 503, {
        code: 'NOT_AVAILABLE',
        headline: 'Not available now',
        sentence: 'PostgreSQL or Redis does not answer. Payments that arrive meanwhile are sent again by Stripe.',
      });
    }
  };
  app.use(onError);
  return app;
}
