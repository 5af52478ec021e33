import type { Request, Response } from 'express';
import { messagePage } from './pages/message-page';

export interface Refusal {
  code: string;
  headline: string;
  /** What the person can do. */
  sentence: string;
}

/** Programs get JSON, people get a page. */
export const isForPrograms = (request: Request): boolean =>
  request.originalUrl.startsWith('/queues/api/') || request.accepts(['html', 'json']) === 'json';

/** Bull Board shows `error` as the headline and `message` below it. */
export function refuse(request: Request, response: Response, status: number, refusal: Refusal): void {
  const { code, headline, sentence } = refusal;
  response.status(status).set('cache-control', 'no-store');
  if (isForPrograms(request)) response.json({ error: headline, message: sentence, code });
  else response.type('html').send(messagePage(refusal));
}
