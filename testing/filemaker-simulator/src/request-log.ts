import type { RequestHandler } from 'express';

/** One line per request, without tokens and without query strings: those hold script parameters. */
export function logRequest(log: (line: string) => void): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    res.once('close', () => {
      const end = res.writableFinished ? String(res.statusCode) : 'no answer';
      log(`${req.method} ${maskPath(req.originalUrl)} ${end} ${Math.round(performance.now() - startedAt)} ms`);
    });
    next();
  };
}

export function maskPath(url: string): string {
  return (url.split('?')[0] ?? '').replace(/(\/sessions\/)[^/]+/, '$1***');
}
