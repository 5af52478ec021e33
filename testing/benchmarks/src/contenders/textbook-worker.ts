import { type Job, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { logIn, logOut, runScript } from './data-api';
import { parameterOf } from './paid-session';

/**
 * Two textbook ways of running a FileMaker script per job. `SESSIONS=per-job` logs in and out around every script;
 * `SESSIONS=cached` keeps the tokens of this process in an array. Neither knows what to do when an answer is lost.
 * A job holds the script's parameter, or names a Checkout Session that is first read at Stripe.
 */
const cap = Number(process.env.CAP);
const cached = process.env.SESSIONS === 'cached';
const tokens: string[] = [];

async function run(job: Job<{ parameter: string } | { objectId: string }>): Promise<void> {
  const parameter = 'parameter' in job.data ? job.data.parameter : await parameterOf(job.data.objectId);
  const token = tokens.pop() ?? (await logIn());
  await runScript(token, parameter);
  if (cached) tokens.push(token);
  else await logOut(token);
}

const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null });
const worker = new Worker(process.env.QUEUE ?? '', run, { connection, concurrency: cap });
worker.on('error', (error) => console.error(error.message));
void worker.waitUntilReady().then(() => console.log(JSON.stringify({ listening: 0 })));
process.on('SIGTERM', () => process.exit(0));
