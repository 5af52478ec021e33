import { setTimeout as delay } from 'node:timers/promises';
import { type GuardOptions, guarded } from './cpu-guard';
import { HttpLane } from './http-lane';
import { spreadOf } from './percentiles';
import type { Report } from './report';
import { signedRequest } from './signed-request';
import {
  bridgeValues,
  type PaidEvent,
  type Simulator,
  Stops,
  startApp,
  startFileMaker,
  startServices,
  startStripe,
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
const warmUps = 100;
const cap = 10;

/** From the first byte of the webhook to the start of the script in FileMaker's own books, on one machine's clock. */
export async function benchLatency(options: LatencyBenchOptions): Promise<Report> {
  const stops = new Stops();
  try {
    const services = await startServices(stops);
    const stripe = await startStripe(stops);
    const filemaker = await startFileMaker(stops, { scriptMs: 20, sessionsMax: cap });
    const values = bridgeValues(
      services,
      { stripeUrl: stripe.url, filemakerUrl: filemaker.url },
      { FILEMAKER_MAX_SESSIONS: String(cap), ...options.appValues },
    );
    const { port } = await startApp(stops, 'ingress', values);
    await startApp(stops, 'worker', values);
    const sender = new Sender(port, filemaker);
    const triesMax = options.guard.triesMax ?? 3;
    const loadCount = options.loadSeconds * loadPerSecond;
    const events = await stripe.sell(warmUps + triesMax * (options.idle + loadCount), 50_000);

    // Opens all sessions and lets the engine compile what it runs often.
    await sender.together(events.splice(0, warmUps), loadPerSecond);
    const idle = await guarded(() => sender.oneAtATime(events.splice(0, options.idle)), options.guard);
    const load = await guarded(() => sender.together(events.splice(0, loadCount), loadPerSecond), options.guard);
    const books = await filemaker.control<Books>('GET', '/books');
    const ran = new Set(books.runs.map(({ invoiceId }) => invoiceId));
    const idleMs = spreadOf(idle.result);
    const loadMs = spreadOf(load.result);
    return {
      bench: 'latency',
      method: `webhook sent -> script started in FileMaker's books; ${cap} sessions, script 20 ms; Stripe and FileMaker simulated; ${services.durability}`,
      columns: ['load', 'webhooks', 'p50 ms', 'p99 ms', 'max ms'],
      rows: [
        ['one at a time', idleMs.count, idleMs.p50, idleMs.p99, idleMs.max],
        [`${loadPerSecond}/s`, loadMs.count, loadMs.p50, loadMs.p99, loadMs.max],
      ],
      goals: [
        { name: 'idle p50 ms', value: idleMs.p50, is: 'at-most', limit: 10 },
        { name: 'idle p99 ms', value: idleMs.p99, is: 'at-most', limit: 30 },
      ],
      lost: sender.sent.filter((invoiceId) => !ran.has(invoiceId)).length,
      doubled: books.summary.keysAppliedMoreThanOnce.length,
      noisy: idle.noisy || load.noisy,
      foreign: Math.max(idle.foreign ?? 0, load.foreign ?? 0),
      discarded: idle.discarded + load.discarded,
    };
  } finally {
    await stops.stop();
  }
}

/** Milliseconds since 1970 with a fraction, from the same clock that the simulator's timestamps come from. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

class Sender {
  readonly sent: string[] = [];
  readonly #free: HttpLane[] = [];

  constructor(
    private readonly port: number,
    private readonly filemaker: Simulator,
  ) {}

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
    const lane = this.#free.pop() ?? new HttpLane(this.port);
    sentAt.set(invoiceId, wallMs());
    this.sent.push(invoiceId);
    const { status } = await lane.send(request);
    this.#free.push(lane);
    if (status !== 200) throw new Error(`the ingress answered ${status}`);
  }

  async #applied(timeoutMs: number): Promise<void> {
    const path = `/wait?applied=${this.sent.length}&idle=true&timeoutMs=${timeoutMs}`;
    const { reached } = await this.filemaker.control<{ reached: boolean }>('GET', path);
    if (!reached) throw new Error(`FileMaker did not run ${this.sent.length} scripts within ${timeoutMs} ms`);
  }

  async #latencies(sentAt: ReadonlyMap<string, number>): Promise<number[]> {
    const { runs } = await this.filemaker.control<Books>('GET', '/books');
    return runs.flatMap(({ invoiceId, startedAt }) => {
      const from = invoiceId === null ? undefined : sentAt.get(invoiceId);
      // The books cut to whole milliseconds; half of one is added back.
      return from === undefined ? [] : [Math.max(0, Date.parse(startedAt) + 0.5 - from)];
    });
  }
}
