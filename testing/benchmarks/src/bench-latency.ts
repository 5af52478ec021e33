import { setTimeout as delay } from 'node:timers/promises';
import { type Guarded, type GuardOptions, guarded } from './cpu-guard';
import { HttpLane } from './http-lane';
import { spreadOf } from './percentiles';
import type { Report } from './report';
import { signedRequest } from './signed-request';
import {
  bridgeValues,
  type PaidEvent,
  type Services,
  type Simulator,
  Stops,
  type StripeStand,
  startApp,
  startContender,
  startFileMaker,
  startServices,
  startStripe,
  stripeKey,
  type Values,
  webhookSecret,
} from './stand';

export interface LatencyBenchOptions {
  /** Webhooks sent one at a time. */
  idle: number;
  /** Length of the load at 50/s, seconds. */
  loadSeconds: number;
  guard: GuardOptions;
  /** Added to the apps' environment, for example NODE_OPTIONS of a profile. */
  appValues?: Values;
}

interface FileMakerRun {
  invoiceId: string | null;
  startedAt: string;
}

interface Books {
  runs: FileMakerRun[];
  summary: { keysAppliedMoreThanOnce: string[] };
}

const loadPerSecond = 50;
const warmUps = 1_000;
const cap = 10;

/** How long after its webhook's first byte a script started, milliseconds, and what the books say of all. */
interface Measured {
  idle: Guarded<number[]>;
  load: Guarded<number[]>;
  lost: number;
  doubled: number;
}

/** Where webhooks are sent to and scripts run. */
interface Road {
  port: number;
  filemaker: Simulator;
}

interface Ground {
  services: Services;
  stripe: StripeStand;
  options: LatencyBenchOptions;
}

/**
 * From the first byte of the webhook to the start of the script in FileMaker's own books, on one machine's clock: the
 * bridge, and then the bare chain and the textbook way on the same services.
 */
export async function benchLatency(options: LatencyBenchOptions): Promise<Report> {
  const stops = new Stops();
  try {
    const services = await startServices(stops);
    const ground = { services, stripe: await startStripe(stops), options };
    const bridge = await measure(ground, startBridge);
    const chain = await measure(ground, startBareChain);
    const textbook = await measure(ground, startTextbook);
    const ways = [
      { way: 'the bridge', ...bridge },
      { way: 'bare chain', ...chain },
      { way: 'textbook', ...textbook },
    ];
    const idle = spreadOf(bridge.idle.result);
    const counted = ways.flatMap((way) => [way.idle, way.load]);
    const row = (way: string, load: string, result: number[], beside: number[]) => {
      const { count, p50, p99, max } = spreadOf(result);
      return [way, load, count, p50, p99, max, p50 / spreadOf(beside).p50];
    };
    return {
      bench: 'latency',
      method: `webhook sent -> script started in FileMaker's books; ${cap} sessions, script 20 ms; Stripe and FileMaker simulated; ${services.durability}`,
      columns: ['way', 'load', 'webhooks', 'p50 ms', 'p99 ms', 'max ms', 'p50 of chain'],
      rows: [
        ...ways.map((way) => row(way.way, 'one at a time', way.idle.result, chain.idle.result)),
        ...ways.map((way) => row(way.way, `${loadPerSecond}/s`, way.load.result, chain.load.result)),
      ],
      goals: [
        { name: 'idle p50 ms', value: idle.p50, is: 'at-most', limit: 10 },
        { name: 'idle p99 ms', value: idle.p99, is: 'at-most', limit: 30 },
      ],
      lost: bridge.lost,
      doubled: bridge.doubled,
      noisy: counted.some(({ noisy }) => noisy),
      foreign: Math.max(...counted.map(({ foreign }) => foreign ?? 0)),
      discarded: counted.reduce((sum, { discarded }) => sum + discarded, 0),
    };
  } finally {
    await stops.stop();
  }
}

async function measure(ground: Ground, start: (ground: Ground, stops: Stops) => Promise<Road>): Promise<Measured> {
  const { stripe, options } = ground;
  const stops = new Stops();
  try {
    const road = await start(ground, stops);
    const sender = new Sender(road);
    const triesMax = options.guard.triesMax ?? 3;
    const loadCount = options.loadSeconds * loadPerSecond;
    const events = await stripe.sell(warmUps + triesMax * (options.idle + loadCount), 50_000);

    // Opens all sessions and lets the engine compile what it runs often: a bridge has run for weeks when an order comes.
    await sender.together(events.splice(0, warmUps), loadPerSecond);
    const idle = await guarded(() => sender.oneAtATime(events.splice(0, options.idle)), options.guard);
    const load = await guarded(() => sender.together(events.splice(0, loadCount), loadPerSecond), options.guard);
    const books = await road.filemaker.control<Books>('GET', '/books');
    const ran = new Set(books.runs.map(({ invoiceId }) => invoiceId));
    return {
      idle,
      load,
      lost: sender.sent.filter((invoiceId) => !ran.has(invoiceId)).length,
      doubled: books.summary.keysAppliedMoreThanOnce.length,
    };
  } finally {
    await stops.stop();
  }
}

const fileMakerSettings = { scriptMs: 20, sessionsMax: cap };

async function startBridge({ services, stripe, options }: Ground, stops: Stops): Promise<Road> {
  const filemaker = await startFileMaker(stops, fileMakerSettings);
  const values = bridgeValues(
    services,
    { stripeUrl: stripe.url, filemakerUrl: filemaker.url },
    { FILEMAKER_MAX_SESSIONS: String(cap), ...options.appValues },
  );
  const { port } = await startApp(stops, 'ingress', values);
  await startApp(stops, 'worker', values);
  return { port, filemaker };
}

const startBareChain = (ground: Ground, stops: Stops): Promise<Road> =>
  startContenders(ground, stops, 'bare-chain', {});

/**
 * A commit, a BullMQ job, a read at Stripe, a script with a cached token: what nobody can leave out who answers Stripe after
 * storing and believes no webhook's contents. It has one commit and one queue; it plans nothing, holds no claim, keeps no cap.
 */
const startTextbook = (ground: Ground, stops: Stops): Promise<Road> =>
  startContenders(ground, stops, 'textbook-worker', { SESSIONS: 'cached' });

/** The bare server with a BullMQ job for each event, and a worker that makes scripts of them. */
async function startContenders(
  { services, stripe }: Ground,
  stops: Stops,
  worker: 'bare-chain' | 'textbook-worker',
  more: Values,
): Promise<Road> {
  const filemaker = await startFileMaker(stops, fileMakerSettings);
  const databaseUrl = { DATABASE_URL: services.databaseUrl };
  const queue = { QUEUE: worker, REDIS_URL: services.redisUrl };
  const { port } = await startContender(stops, 'bare-server', {
    ...queue,
    ...databaseUrl,
    WEBHOOK_SECRET: webhookSecret,
  });
  await startContender(stops, worker, {
    ...queue,
    ...databaseUrl,
    FILEMAKER_URL: filemaker.url,
    STRIPE_URL: stripe.url,
    STRIPE_KEY: stripeKey,
    CAP: String(cap),
    ...more,
  });
  return { port, filemaker };
}

/** Milliseconds since 1970 with a fraction, from the same clock that the simulator's timestamps come from. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

class Sender {
  readonly sent: string[] = [];
  readonly #free: HttpLane[] = [];

  constructor(private readonly road: Road) {}

  /** Each one after the script of the last has ended, and a pause that keeps step with no timer of ours. */
  async oneAtATime(events: readonly PaidEvent[]): Promise<number[]> {
    const sentAt = new Map<string, number>();
    for (const [index, event] of events.entries()) {
      await this.#send(event, sentAt);
      await this.#applied(10_000);
      await delay(20 + ((index * 37) % 60));
    }
    return this.#latencies(sentAt);
  }

  async together(events: readonly PaidEvent[], perSecond: number): Promise<number[]> {
    const sentAt = new Map<string, number>();
    const startedAt = performance.now();
    const sends: Promise<void>[] = [];
    for (const [index, event] of events.entries()) {
      await delay(Math.max(0, startedAt + (index / perSecond) * 1_000 - performance.now()));
      sends.push(this.#send(event, sentAt));
    }
    await Promise.all(sends);
    await this.#applied(60_000);
    return this.#latencies(sentAt);
  }

  async #send({ invoiceId, body }: PaidEvent, sentAt: Map<string, number>): Promise<void> {
    const request = signedRequest(body, webhookSecret);
    const lane = this.#free.pop() ?? new HttpLane(this.road.port);
    sentAt.set(invoiceId, wallMs());
    this.sent.push(invoiceId);
    const { status } = await lane.send(request);
    this.#free.push(lane);
    if (status !== 200) throw new Error(`the ingress answered ${status}`);
  }

  async #applied(timeoutMs: number): Promise<void> {
    const path = `/wait?applied=${this.sent.length}&idle=true&timeoutMs=${timeoutMs}`;
    const { reached } = await this.road.filemaker.control<{ reached: boolean }>('GET', path);
    if (!reached) throw new Error(`FileMaker did not run ${this.sent.length} scripts within ${timeoutMs} ms`);
  }

  async #latencies(sentAt: ReadonlyMap<string, number>): Promise<number[]> {
    const { runs } = await this.road.filemaker.control<Books>('GET', '/books');
    return runs.flatMap(({ invoiceId, startedAt }) => {
      const from = invoiceId === null ? undefined : sentAt.get(invoiceId);
      // The books cut to whole milliseconds; half of one is added back.
      return from === undefined ? [] : [Math.max(0, Date.parse(startedAt) + 0.5 - from)];
    });
  }
}
