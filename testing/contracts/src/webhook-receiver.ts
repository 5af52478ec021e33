import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Answer, ReceiveStep } from './contract-case';
import { bodyOf } from './http-transport';
import { readPath } from './read-path';
import { noAnswer } from './transport';

const BODY_BYTES_MAX = 1_048_576;

interface Arrived {
  readonly raw: string;
  readonly signature: string;
  readonly about: string;
  readonly atMs: number;
  readonly response: ServerResponse;
  readonly gone: Promise<void>;
}

export interface WebhookReceiver {
  readonly port: number;
  /** Waits for that message, answers it as the step says, and gives it with what its signature says. */
  receive(step: ReceiveStep, now: () => number, withinMs: number): Promise<Answer>;
  close(): Promise<void>;
}

/** Takes Stripe's deliveries. Each is held until a case asks for it, since only the case knows how to answer. */
export async function startWebhookReceiver(port: number): Promise<WebhookReceiver> {
  const held: Arrived[] = [];
  const watchers = new Set<() => void>();
  const server = createServer((request, response) => {
    void arrive(request, response).then((arrived) => {
      held.push(arrived);
      for (const look of [...watchers]) look();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });

  const next = (about: string, withinMs: number): Promise<Arrived | undefined> =>
    new Promise((resolve) => {
      const finish = (found: Arrived | undefined): void => {
        clearTimeout(timer);
        watchers.delete(look);
        resolve(found);
      };
      const look = (): void => {
        const place = held.findIndex((one) => one.about === about && !one.response.closed);
        if (place >= 0) finish(held.splice(place, 1)[0]);
      };
      const timer = setTimeout(() => finish(undefined), withinMs);
      watchers.add(look);
      look();
    });

  return {
    port: (server.address() as AddressInfo).port,
    receive: async (step, now, withinMs) => {
      const startedMs = now();
      const arrived = await next(step.about, withinMs);
      if (arrived === undefined) return noAnswer('no delivery came', startedMs, now());
      const arrivedMs = now() - (performance.now() - arrived.atMs);
      if (step.reply === 'never') await arrived.gone;
      else arrived.response.writeHead(step.reply, { Location: '/elsewhere' }).end('{}');
      return seen(arrived, step.secrets, arrivedMs, now());
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function arrive(request: IncomingMessage, response: ServerResponse): Promise<Arrived> {
  const gone = new Promise<void>((resolve) => response.once('close', resolve));
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes <= BODY_BYTES_MAX) parts.push(part);
  }
  const raw = Buffer.concat(parts).toString('utf8');
  const { json } = bodyOf(raw);
  const read = (path: string): string => String(readPath(json, path, (text) => text));
  const about = `${read('type')} ${read('data.object.id')}`;
  const signature = String(request.headers['stripe-signature'] ?? '');
  return { raw, signature, about, atMs: performance.now(), response, gone };
}

/** The delivery as an answer: the event, and in `signature` what can be said of it without showing it. */
function seen(
  { raw, signature, response }: Arrived,
  secrets: readonly string[],
  startedMs: number,
  endedMs: number,
): Answer {
  const pairs = signature.split(',').map((pair) => pair.split('='));
  const timestamp = Number(pairs.find(([name]) => name === 't')?.[1]);
  const given = pairs.filter(([name]) => name === 'v1').map(([, value]) => value);
  const expected = secrets.map((secret) => createHmac('sha256', secret).update(`${timestamp}.${raw}`).digest('hex'));
  const about = {
    timestamp,
    ageSeconds: Math.floor(Date.now() / 1_000) - timestamp,
    v1: given.length,
    matching: expected.filter((one) => given.includes(one)).length,
  };
  const event = bodyOf(raw).json;
  const status = response.headersSent ? response.statusCode : 200;
  return { status, headers: {}, json: { event, signature: about }, text: '', failure: null, startedMs, endedMs };
}
