import type { Database } from '@bridge/database';
import type { Logger } from '@bridge/observability';
import {
  audited,
  beginSession,
  countLoginTry,
  endSession,
  forgetLoginTries,
  listOperators,
  operatorOfSession,
  SESSION_HOURS_MAX,
  verifyOperator,
} from '@bridge/operations';
import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';
import { loginPage } from './pages/login-page';
import { isForPrograms, refuse } from './refuse';
import { readSessionToken, type SessionCookie } from './session-cookie';

export interface ConsoleLogin {
  /** `/login` and `/logout`. */
  routes: Router;
  /** Lets operators through; others go to `/login`, programs get 401. */
  requireOperator: RequestHandler;
}

/** Password checks under way in this process; each takes 32 MiB and a core for a tenth of a second. */
const CHECKS_MAX = 4;
const WRONG = 'That name and password do not belong together.';

const loginForm = z.object({
  name: z.string().max(64).catch(''),
  password: z.string().max(1_024).catch(''),
  next: z.string().max(500).catch('/'),
});

/** Set by `requireOperator`. */
export function operatorOf(response: Response): string {
  const operator: unknown = response.locals.operator;
  if (typeof operator !== 'string') throw new Error('This route is not behind the login');
  return operator;
}

/** Only a path of ours: a login link must not lead to another site. */
export function pathWithin(next: string): string {
  const base = 'http://console.invalid';
  if (!next.startsWith('/') || next.startsWith('/login') || !URL.canParse(next, base)) return '/';
  const url = new URL(next, base);
  return url.origin === base ? `${url.pathname}${url.search}` : '/';
}

export function createConsoleLogin(parts: { database: Database; cookie: SessionCookie; logger: Logger }): ConsoleLogin {
  const { database, cookie, logger } = parts;
  let checks = 0;

  async function showLogin(response: Response, page: { next: string; message?: string; name?: string }): Promise<void> {
    const nobody = (await listOperators(database)).length === 0;
    response
      .set('cache-control', 'no-store')
      .type('html')
      .send(loginPage({ ...page, nobody }));
  }

  async function login(request: Request, response: Response): Promise<void> {
    const { name, password, next } = loginForm.parse(request.body ?? {});
    const address = request.ip ?? 'unknown';
    const tried = await countLoginTry(database, name, address);
    if (!tried.allowed || checks >= CHECKS_MAX) {
      const wait = tried.allowed ? 1 : tried.retryAfterSeconds;
      logger.warn({ address, retryAfterSeconds: wait }, 'login refused: too many tries');
      response.status(429).set('retry-after', String(wait));
      const minutes = Math.ceil(wait / 60);
      const message = `Too many tries. Wait ${minutes === 1 ? 'a minute' : `${minutes} minutes`}, then try again.`;
      return showLogin(response, { next, name, message });
    }
    checks += 1;
    let right: boolean;
    try {
      right = await verifyOperator(database, name, password);
    } finally {
      checks -= 1;
    }
    if (!right) {
      // Without the name: people type passwords into the wrong field.
      logger.warn({ address }, 'login failed');
      response.status(401);
      return showLogin(response, { next, name, message: WRONG });
    }
    await forgetLoginTries(database, name);
    const token = await audited(
      database,
      { who: name, action: 'login', object: 'console', why: 'password given' },
      () => beginSession(database, name),
    );
    const former = readSessionToken(request, cookie);
    if (former !== undefined) await endSession(database, former);
    response.cookie(cookie.name, token, { ...cookie.options, maxAge: SESSION_HOURS_MAX * 3_600_000 });
    response.redirect(303, pathWithin(next));
  }

  const routes = Router();
  routes.get('/login', async (request, response) => {
    const next = typeof request.query.next === 'string' ? pathWithin(request.query.next) : '/';
    await showLogin(response, { next });
  });
  routes.post('/login', express.urlencoded({ extended: false, limit: '8kb', parameterLimit: 10 }), login);
  routes.post('/logout', async (request, response) => {
    const token = readSessionToken(request, cookie);
    if (token !== undefined) await endSession(database, token);
    response.clearCookie(cookie.name, cookie.options);
    response.redirect(303, '/login');
  });

  const requireOperator: RequestHandler = async (request, response, next) => {
    const token = readSessionToken(request, cookie);
    const operator = token === undefined ? undefined : await operatorOfSession(database, token);
    if (operator !== undefined) {
      response.locals.operator = operator;
      response.set('cache-control', 'no-store');
      next();
      return;
    }
    if (isForPrograms(request)) {
      refuse(request, response, 401, {
        code: 'NOT_LOGGED_IN',
        headline: 'Not logged in',
        sentence: 'The session has ended. Load the page again and log in.',
      });
      return;
    }
    const wanted = request.method === 'GET' ? pathWithin(request.originalUrl) : '/';
    response.redirect(302, wanted === '/' ? '/login' : `/login?next=${encodeURIComponent(wanted)}`);
  };

  return { routes, requireOperator };
}
