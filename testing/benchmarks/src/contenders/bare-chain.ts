import { type Job, Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { logIn, runScript } from './data-api';
import { parameterOf } from './paid-session';

/**
 * The least that puts on record what the promise needs, behind a receiver that stores and queues: read the Session at
 * Stripe, commit the effect under its key, queue it, commit `sending`, and only then the script's first byte. One
 * statement for each commit. No claim, no lane, no lease, no cap over several processes, no read budget, no second
 * look at what was not heard.
 */
const cap = Number(process.env.CAP);
const events = process.env.QUEUE ?? '';
const effects = `${events}-effects`;
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null });
const queue = new Queue<{ key: string }>(effects, { connection });
const tokens: string[] = [];

async function plan(job: Job<{ objectId: string }>): Promise<void> {
  const payload = await parameterOf(job.data.objectId);
  const key = `invoice-paid:${job.data.objectId}`;
  const { rowCount } = await pool.query(
    `insert into bare_chain.effects (key, payload, state) values ($1, $2, 'planned') on conflict (key) do nothing`,
    [key, payload],
  );
  if (rowCount === 1) await queue.add('invoice-paid', { key }, { jobId: job.data.objectId });
}

async function perform(job: Job<{ key: string }>): Promise<void> {
  const { rows } = await pool.query<{ payload: string }>(
    `update bare_chain.effects set state = 'sending', sent_at = now() where key = $1 and state = 'planned' returning payload`,
    [job.data.key],
  );
  const [effect] = rows;
  if (effect === undefined) return;
  const token = tokens.pop() ?? (await logIn());
  await runScript(token, effect.payload);
  tokens.push(token);
  await pool.query(`update bare_chain.effects set state = 'applied' where key = $1`, [job.data.key]);
}

async function main(): Promise<void> {
  await pool.query('create schema if not exists bare_chain');
  await pool.query(`create table if not exists bare_chain.effects
    (key text primary key, payload text not null, state text not null, planned_at timestamptz not null default now(), sent_at timestamptz)`);
  const workers = [
    new Worker<{ objectId: string }>(events, plan, { connection, concurrency: cap }),
    new Worker<{ key: string }>(effects, perform, { connection, concurrency: cap }),
  ];
  for (const worker of workers) worker.on('error', (error) => console.error(error.message));
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  console.log(JSON.stringify({ listening: 0 }));
}

process.on('SIGTERM', () => process.exit(0));
void main();
