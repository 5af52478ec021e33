import { createHmac } from 'node:crypto';
import { request } from 'node:http';

/** Signs as Stripe does. Written here anew, so that it shares no code with what it tests. */
export function signatureOf(body: string, secret: string, ageSeconds = 0): string {
  const at = Math.floor(Date.now() / 1_000) - ageSeconds;
  return `t=${at},v1=${createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')}`;
}

export interface DoorAnswer {
  status: number;
  location: string | null;
  type: string | null;
  text: string;
}

/** One request; a redirect would be told, not followed. */
export async function knock(
  url: string,
  options: { method?: string; body?: string; signature?: string | undefined } = {},
): Promise<DoorAnswer> {
  const { method = 'POST', body, signature } = options;
  const answer = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(signature === undefined ? {} : { 'stripe-signature': signature }),
    },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(120_000),
  });
  return {
    status: answer.status,
    location: answer.headers.get('location'),
    type: answer.headers.get('content-type'),
    text: await answer.text(),
  };
}

/** A body of so many bytes that does not say its length before. */
export function knockUnannounced(url: string, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request(url, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    sending.setTimeout(120_000, () => sending.destroy(new Error('no answer')));
    sending.on('error', reject);
    for (let left = bytes; left > 0; left -= 65_536) sending.write('x'.repeat(Math.min(left, 65_536)));
    sending.end();
  });
}

/** Prometheus text: the value of each series, by its name with its labels as they stand there. */
export async function series(opsUrl: string): Promise<Map<string, number>> {
  const answer = await fetch(`${opsUrl}/metrics`, { signal: AbortSignal.timeout(120_000) });
  const lines = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** Names of the labels of a metric, each set once, as it is shown. */
export function labelSets(shown: ReadonlyMap<string, number>, metric: string): string[] {
  const sets = [...shown.keys()]
    .map((key) => /^([a-z_]+)(?:\{(.*)\})?$/.exec(key))
    .filter((match) => match?.[1] === metric)
    .map((match) => [...(match?.[2] ?? '').matchAll(/([a-z_]+)="/g)].map(([, name]) => name).join(','));
  return [...new Set(sets)];
}

export interface Ready {
  status: number;
  checks: Record<string, string>;
}

export async function ready(opsUrl: string): Promise<Ready> {
  const answer = await fetch(`${opsUrl}/readyz`, { signal: AbortSignal.timeout(120_000) });
  const { checks } = (await answer.json()) as { checks: Record<string, string> };
  return { status: answer.status, checks };
}

/** The address of `/healthz`, `/readyz` and `/metrics`, as the process has said it. */
export const opsUrlOf = (lines: readonly string[]): string =>
  (JSON.parse(lines.find((line) => line.includes('"listening"')) ?? '{}') as { opsUrl?: string }).opsUrl ?? '';
