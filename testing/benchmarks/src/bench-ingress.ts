import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { type GuardOptions, guarded } from './cpu-guard';
import { closedLoop, openLoop } from './load';
import { median, percentile } from './percentiles';
import { cpuMsOf } from './process-cpu';
import type { Report } from './report';
import { signedRequest } from './signed-request';
import { bridgeValues, Stops, startApp, startContender, startServices, startStripe, webhookSecret } from './stand';

export interface IngressBenchOptions {
  /** Requests of one throughput repetition. */
  requests: number;
  /** Length of one repetition at a steady rate, seconds. */
  steadySeconds: number;
  repetitions: number;
  guard: GuardOptions;
}

const lanes = 64;
const steadyPerSecond = 500;
const names = ['bridge', 'bare', 'queued', 'textbook'] as const;
type Name = (typeof names)[number];

/** How long we wait for the jobs of a repetition. What is not queued then is left to the sweep. */
const queuedWithinMs = 30_000;

interface Tally {
  perSecond: number[];
  /** CPU of the server itself for 1,000 webhooks at full load, until the last of them is queued. */
  cpuMs: number[];
  /** From the last answer at full load until every stored event has its job. */
  queuedMs: number[];
  p50: number[];
  p99: number[];
  answered: number;
  refused: number;
}

/** Our ingress beside a bare server and beside the textbook, interleaved, on the same bytes. */
export async function benchIngress(options: IngressBenchOptions): Promise<Report> {
  const stops = new Stops();
  try {
    const services = await startServices(stops);
    const stripe = await startStripe(stops);
    const [paid] = await stripe.sell(1, 10_000);
    if (paid === undefined) throw new Error('the Stripe simulator sold nothing');
    const values = bridgeValues(services, { stripeUrl: stripe.url, filemakerUrl: 'http://127.0.0.1:9' }, {});
    const contender = { ...values, WEBHOOK_SECRET: webhookSecret };
    const servers: Record<Name, { port: number; pid: number }> = {
      bridge: await startApp(stops, 'ingress', values),
      bare: await startContender(stops, 'bare-server', contender),
      queued: await startContender(stops, 'bare-server', { ...contender, TABLE: 'queued', QUEUE: 'queued' }),
      textbook: await startContender(stops, 'textbook-server', contender),
    };
    const redis = new Redis(services.redisUrl, { maxRetriesPerRequest: null });
    stops.add(() => redis.quit());
    const newRequests = requestMaker(paid.body);
    const tallies = Object.fromEntries(
      names.map((name): [Name, Tally] => [
        name,
        { perSecond: [], cpuMs: [], queuedMs: [], p50: [], p99: [], answered: 0, refused: 0 },
      ]),
    ) as Record<Name, Tally>;
    let foreign: number | undefined;
    let discarded = 0;
    let noisy = false;

    const measure = async (name: Name, load: 'full' | 'steady' | 'warm-up'): Promise<void> => {
      const guard: GuardOptions = load === 'warm-up' ? { enabled: false } : options.guard;
      const measured = await guarded(async () => {
        const count = load === 'steady' ? steadyPerSecond * options.steadySeconds : options.requests;
        const requests = newRequests(load === 'warm-up' ? Math.min(2_000, count) : count);
        const { port, pid } = servers[name];
        const cpuBefore = cpuMsOf(pid);
        const result =
          load === 'steady'
            ? await openLoop(port, requests, steadyPerSecond, lanes * 2)
            : await closedLoop(port, requests, lanes);
        const stored = result.answers['200'] ?? 0;
        tallies[name].answered += stored;
        tallies[name].refused += requests.length - stored;
        // Within the repetition: what a server puts off must not fall into the time of the next one.
        const queuedMs = await untilQueued(redis, name, tallies[name].answered);
        return { ...result, queuedMs, cpuMs: ((cpuMsOf(pid) - cpuBefore) / requests.length) * 1_000 };
      }, guard);
      if (load === 'warm-up') return;
      foreign = Math.max(foreign ?? 0, measured.foreign ?? 0);
      discarded += measured.discarded;
      noisy ||= measured.noisy;
      if (load === 'full') {
        tallies[name].perSecond.push(measured.result.perSecond);
        tallies[name].cpuMs.push(measured.result.cpuMs);
        tallies[name].queuedMs.push(measured.result.queuedMs);
      } else {
        tallies[name].p50.push(percentile(measured.result.latenciesMs, 50));
        tallies[name].p99.push(percentile(measured.result.latenciesMs, 99));
      }
    };

    for (const name of names) await measure(name, 'warm-up');
    for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
      // Another order each time, so that nobody always comes first after a pause or last before a checkpoint.
      const order = names.map((_, index) => names[(index + repetition) % names.length] ?? 'bridge');
      for (const name of order) await measure(name, 'full');
      for (const name of order) await measure(name, 'steady');
    }

    const stored = await countStored(services.databaseUrl, redis);
    // An answer 200 promises that it is stored; everything was signed correctly, so any other answer is a loss here.
    const lostBy = (name: Name): number => Math.max(0, tallies[name].answered - stored[name]) + tallies[name].refused;
    const rate = (name: Name): number => median(tallies[name].perSecond);
    const p99 = (name: Name): number => median(tallies[name].p99);
    return {
      bench: 'ingress',
      method: `${options.repetitions} interleaved repetitions, ${options.requests} webhooks of ${paid.body.length} bytes on ${lanes} connections, then ${steadyPerSecond}/s for ${options.steadySeconds} s; medians; ${services.durability}`,
      columns: [
        'server',
        'webhooks/s',
        'of bare',
        'CPU ms/1,000',
        'queued s later',
        `p50 ms at ${steadyPerSecond}/s`,
        'p99 ms',
        'p99 of bare',
        'lost',
      ],
      rows: names.map((name) => [
        label[name],
        Math.round(rate(name)),
        rate(name) / rate('bare'),
        median(tallies[name].cpuMs),
        queuedSeconds(median(tallies[name].queuedMs)),
        median(tallies[name].p50),
        p99(name),
        p99(name) / p99('bare'),
        lostBy(name),
      ]),
      goals: [
        { name: 'throughput, of the bare server', value: rate('bridge') / rate('bare'), is: 'at-least', limit: 0.7 },
        {
          name: `p99 at ${steadyPerSecond}/s, times the bare server's`,
          value: p99('bridge') / p99('bare'),
          is: 'at-most',
          limit: 1.5,
        },
      ],
      lost: lostBy('bridge'),
      doubled: Math.max(0, stored.bridge - tallies.bridge.answered),
      noisy,
      foreign,
      discarded,
    };
  } finally {
    await stops.stop();
  }
}

const label: Record<Name, string> = {
  bridge: 'the bridge',
  bare: 'bare node:http, batched insert',
  queued: 'the same, and a BullMQ job each',
  textbook: 'textbook express + BullMQ',
};

/** Every request is an event of its own, by an id of the same length as Stripe's. */
function requestMaker(template: string): (count: number) => Buffer[] {
  const id = String((JSON.parse(template) as { id: string }).id);
  let made = 0;
  return (count) =>
    Array.from({ length: count }, () => {
      made += 1;
      const eventId = `evt_${String(made).padStart(id.length - 4, '0')}`;
      return signedRequest(template.replaceAll(id, eventId), webhookSecret);
    });
}

function queuedSeconds(ms: number): number | string {
  return ms === Number.POSITIVE_INFINITY ? `> ${queuedWithinMs / 1_000}` : ms / 1_000;
}

/** Where the jobs wait. The bridge's key also names its installation. */
const jobKeys: Partial<Record<Name, string>> = {
  bridge: '{*}:stripe-events:wait',
  queued: 'bull:queued:wait',
  textbook: 'bull:textbook:wait',
};

async function countJobs(redis: Redis, name: Name): Promise<number> {
  const [key] = await redis.keys(jobKeys[name] ?? '');
  return key === undefined ? 0 : redis.llen(key);
}

/** Milliseconds until as many jobs wait as events were stored; NaN for a server without a queue, Infinity for never. */
async function untilQueued(redis: Redis, name: Name, stored: number): Promise<number> {
  if (jobKeys[name] === undefined) return Number.NaN;
  const startedAt = performance.now();
  while ((await countJobs(redis, name)) < stored) {
    if (performance.now() - startedAt > queuedWithinMs) return Number.POSITIVE_INFINITY;
    await delay(20);
  }
  return performance.now() - startedAt;
}

async function countStored(databaseUrl: string, redis: Redis): Promise<Record<Name, number>> {
  const pool = new Pool({ connectionString: databaseUrl, max: 1 });
  const count = async (table: string): Promise<number> => {
    const { rows } = await pool.query<{ n: string }>(`select count(*) as n from ${table}`);
    return Number(rows[0]?.n);
  };
  try {
    return {
      bridge: await count('inbox.events'),
      bare: await count('bare.events'),
      queued: await count('queued.events'),
      textbook: await countJobs(redis, 'textbook'),
    };
  } finally {
    await pool.end();
  }
}
