import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Pool } from 'pg';

/**
 * The least that a correct receiver can do: check the HMAC, store the body, answer after the commit. No framework, no
 * queue, no limits, no metrics, no log. Its table is a copy of the inbox's, with the same indexes and checks.
 * With QUEUE it also adds a BullMQ job for each stored event, after the answers, a batch in one call.
 */
interface Waiting {
  id: string;
  type: string;
  objectId: string;
  created: number;
  body: Buffer;
  done(status: number): void;
}

const secret = process.env.WEBHOOK_SECRET ?? '';
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const table = process.env.TABLE ?? 'bare';
const queue =
  process.env.QUEUE === undefined
    ? undefined
    : new Queue(process.env.QUEUE, {
        connection: new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null }),
      });
const rowsMax = 100;
const waiting: Waiting[] = [];
let storing = false;

function isGenuine(header: string, body: Buffer): boolean {
  const [, seconds = '', signature = ''] = /^t=(\d+),v1=([0-9a-f]{64})/.exec(header) ?? [];
  if (Math.abs(Date.now() / 1_000 - Number(seconds)) > 300) return false;
  const expected = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest();
  return signature !== '' && timingSafeEqual(expected, Buffer.from(signature, 'hex'));
}

async function storeWaiting(): Promise<void> {
  if (storing) return;
  storing = true;
  while (waiting.length > 0) {
    const rows = waiting.splice(0, rowsMax);
    const values = rows.map((_, row) => {
      const at = row * 5;
      return `('webhook','stripe',$${at + 1},$${at + 2},false,$${at + 3},to_timestamp($${at + 4}),$${at + 5},'received')`;
    });
    const sql = `insert into ${table}.events (source, peer, event_id, event_type, livemode, object_id, event_created_at, body, state)
      values ${values.join(',')} on conflict (event_id) do nothing`;
    const status = await pool
      .query(
        sql,
        rows.flatMap(({ id, type, objectId, created, body }) => [id, type, objectId, created, body]),
      )
      .then(
        () => 200,
        () => 503,
      );
    for (const row of rows) row.done(status);
    if (status === 200) {
      void queue?.addBulk(
        rows.map(({ id, type, objectId }) => ({ name: type, data: { id, objectId }, opts: { jobId: id } })),
      );
    }
  }
  storing = false;
}

function handle(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const done = (status: number): void => {
      const text = status === 200 ? '{"received":true}' : '{}';
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
      response.end(text);
    };
    if (!isGenuine(String(request.headers['stripe-signature']), body)) return done(400);
    const event = JSON.parse(body.toString()) as {
      id: string;
      type: string;
      created: number;
      data: { object: { id: string } };
    };
    const { id, type, created } = event;
    waiting.push({ id, type, created, objectId: event.data.object.id, body, done });
    void storeWaiting();
  });
}

async function main(): Promise<void> {
  await pool.query(`create schema if not exists ${table}`);
  await pool.query(`create table if not exists ${table}.events (like inbox.events including all)`);
  const server = createServer(handle);
  server.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ listening: (server.address() as AddressInfo).port }));
  });
  process.on('SIGTERM', () => process.exit(0));
}

void main();
