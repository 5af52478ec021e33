import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Answer, Exchange, ReceiveStep } from './contract-case';
import { fillDeep, fillText, type Variables } from './placeholders';
import type { Suite } from './suite';
import { noAnswer, type Transport } from './transport';

export interface HttpTarget {
  readonly url: string;
  readonly suite: Suite;
  /** PEM of the authority that signed the server's certificate. */
  readonly ca?: string | undefined;
  /** Longest wait for an answer. */
  readonly timeoutMs: number;
  /** Waits for a message of that kind; without it nothing can be received. */
  readonly receive?: ((step: ReceiveStep, now: () => number) => Promise<Answer>) | undefined;
}

/** One connection per call and nothing repeated: what is seen is what the server did. */
export function createHttpTransport(target: HttpTarget): Transport {
  const began = performance.now();
  const now = (): number => Math.round((performance.now() - began) * 1_000) / 1_000;
  return {
    send: (exchange, variables, _place, abandoned) => sendOnce(target, exchange, variables, abandoned, now),
    receive: async (step, variables) => {
      const filled = fillDeep(step, variables) as ReceiveStep;
      return (await target.receive?.(filled, now)) ?? noAnswer('nothing can be received here', now(), now());
    },
    arranged: now,
    skipped: () => undefined,
  };
}

function sendOnce(
  target: HttpTarget,
  exchange: Exchange,
  variables: Variables,
  abandoned: AbortSignal,
  now: () => number,
): Promise<Answer> {
  const { method, url, headers, body } = buildRequest(target, exchange, variables);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const signal = AbortSignal.any([abandoned, AbortSignal.timeout(target.timeoutMs)]);
  const startedMs = now();
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(noAnswer(nameOf(error, abandoned), startedMs, now()));
    const options = { method, headers, signal, agent: false, ...(target.ca === undefined ? {} : { ca: target.ca }) };
    const call = send(url, options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', failed);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        const answer = { status: response.statusCode ?? null, headers: plainHeaders(response.headers), failure: null };
        resolve({ ...answer, ...bodyOf(text), startedMs, endedMs: now() });
      });
    });
    call.on('error', failed);
    call.end(body);
  });
}

interface BuiltRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Fills the placeholders; values in the path are percent-encoded. Throws `PlaceholderError`. */
function buildRequest({ url: base, suite }: HttpTarget, exchange: Exchange, variables: Variables): BuiltRequest {
  const [method = 'GET', path = ''] = exchange.line.split(' ');
  const encoded = Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, encodeURIComponent(value)]] : [],
    ),
  );
  const query = Object.entries(exchange.query ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(fillText(one, variables))}`),
  );
  const whole = path.startsWith('//') ? path.slice(1) : `${suite.basePath}${path}`;
  const url = new URL(`${base.replace(/\/$/, '')}${fillText(whole, encoded)}`);
  if (query.length > 0) url.search = query.join('&');
  const filled = fillDeep(exchange.body, variables);
  const body = filled === undefined ? '' : typeof filled === 'string' ? filled : suite.encodeBody(filled);
  const length = body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const headers = { Accept: 'application/json', 'User-Agent': 'contract-suite', ...length };
  return { method, url, body, headers: { ...headers, ...filledHeaders(exchange, variables) } };
}

function filledHeaders({ headers = {} }: Exchange, variables: Variables): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fillText(value, variables)]));
}

function plainHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, [value].flat().join(', ')]],
    ),
  );
}

export function bodyOf(text: string): Pick<Answer, 'json' | 'text'> {
  try {
    return { json: JSON.parse(text), text: '' };
  } catch (error) {
    if (error instanceof SyntaxError) return { json: undefined, text };
    throw error;
  }
}

function nameOf(error: Error, abandoned: AbortSignal): string {
  if (abandoned.aborted) return 'abandoned by us';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'no answer in time';
  return (error as NodeJS.ErrnoException).code ?? error.name;
}
