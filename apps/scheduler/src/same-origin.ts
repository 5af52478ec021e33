import type { Request, RequestHandler } from 'express';
import { refuse } from './refuse';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Whether a request that changes something comes from our own pages. Browsers say so in `Origin` and `Sec-Fetch-Site`,
 * which no page can forge; a request with neither is refused as well.
 */
export function comesFromOurPages(request: Request, consoleUrl: string | undefined): boolean {
  const site = request.get('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin') return false;
  const origin = request.get('origin');
  if (origin === undefined) return site === 'same-origin';
  if (!URL.canParse(origin)) return false;
  const { host, protocol } = new URL(origin);
  if (consoleUrl !== undefined && new URL(consoleUrl).origin === `${protocol}//${host}`) return true;
  return host === request.get('host');
}

/** Lets reading through, and changes only from our own pages. */
export function onlyOurPagesChange(consoleUrl: string | undefined): RequestHandler {
  return (request, response, next) => {
    if (READING.has(request.method) || comesFromOurPages(request, consoleUrl)) next();
    else
      refuse(request, response, 403, {
        code: 'OTHER_ORIGIN',
        headline: 'Refused',
        sentence: 'This request did not come from a page of the console. Open the console and try again there.',
      });
  };
}
