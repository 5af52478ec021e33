import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { type Guarded, type GuardOptions, guarded } from './cpu-guard';
import type { Goal, Report } from './report';
import {
  bridgeValues,
  runBridge,
  type Simulator,
  Stops,
  startApp,
  startContender,
  startFileMaker,
  startServices,
  startStripe,
  webhookSecret,
} from './stand';

export interface DrainBenchOptions {
  count: number;
  cap: number;
  loginMs: number;
  scriptMs: number;
  workers: number;
  /** What happens after a quarter of the work: nothing, one worker is killed with kill -9 and started again, or FileMaker is away. */
  blow: Blow;
  guard: GuardOptions;
}

export type Blow = 'none' | 'kill' | 'outage';
const outageMs = 20_000;

interface Books {
  runs: { startedAt: string; finishedAt: string | null; key: string | null }[];
  logins: { at: string }[];
  summary: {
    effectsApplied: number;
    keysApplied: number;
    keysAppliedMoreThanOnce: string[];
    sessions: { opened: number; peak: number };
    logins: { ok: number; refused: number };
    requests: { total: number; whileAway: number };
  };
}

interface Drained {
  /** From the start of the first login to the end of the last script. */
  seconds: number;
  /** From the go-ahead to the start of the first login. */
  startSeconds: number;
  books: Books;
  outage?: { calls: number; resumeMs: number };
}

interface BridgeDrain {
  filemaker: Simulator;
  /** Kills one worker and starts another at once, as a supervisor does. */
  replaceWorker(): Promise<void>;
}

/** Planned work through a cap: the bridge, and, when nothing goes wrong, the textbook ways on the same work. */
export async function benchDrain(options: DrainBenchOptions): Promise<Report> {
  const limitSeconds = (options.count * options.scriptMs) / options.cap / 1_000;
  const bareLoops = 'bare loops: no queue, nothing recorded';
  const ways: [string, () => Promise<Drained>][] = [['the bridge', () => drainBridge(options)]];
  if (options.blow === 'none') {
    ways.push([bareLoops, () => drainBare(options)]);
    ways.push(['textbook: tokens cached in the process', () => drainTextbook(options, 'cached')]);
    ways.push(['textbook: login per job', () => drainTextbook(options, 'per-job')]);
  }
  const results: { name: string; measured: Guarded<Drained> }[] = [];
  for (const [name, way] of ways) results.push({ name, measured: await guarded(way, options.guard) });
  const bridge = results[0]?.measured.result;
  if (bridge === undefined) throw new Error('nothing was measured');
  const bare = results.find(({ name }) => name === bareLoops)?.measured.result;
  const ofBare = (seconds: number): number[] => (bare === undefined ? [] : [seconds / bare.seconds]);
  return {
    bench: 'drain',
    method: `${options.count} planned effects, cap ${options.cap}, login ${options.loginMs} ms, script ${options.scriptMs} ms, ${options.workers} worker(s)${blowText(options)}; physical limit ${limitSeconds} s`,
    columns: [
      'way',
      'seconds',
      'of limit',
      ...(bare === undefined ? [] : ['of bare']),
      'logins',
      'refused',
      'peak sessions',
      'requests',
      'start s',
      'lost',
    ],
    rows: results.map(({ name, measured: { result } }) => [
      name,
      result.seconds,
      result.seconds / limitSeconds,
      ...ofBare(result.seconds),
      result.books.summary.logins.ok,
      result.books.summary.logins.refused,
      result.books.summary.sessions.peak,
      result.books.summary.requests.total,
      result.startSeconds,
      options.count - result.books.summary.keysApplied,
    ]),
    goals: goalsOf(options, bridge, limitSeconds),
    lost: options.count - bridge.books.summary.keysApplied,
    doubled: bridge.books.summary.keysAppliedMoreThanOnce.length,
    noisy: results.some(({ measured }) => measured.noisy),
    foreign: Math.max(...results.map(({ measured }) => measured.foreign ?? 0)),
    discarded: results.reduce((sum, { measured }) => sum + measured.discarded, 0),
  };
}

function blowText({ blow, count }: DrainBenchOptions): string {
  if (blow === 'none') return '';
  const what =
    blow === 'kill' ? 'one worker killed with kill -9 and started again' : `FileMaker away for ${outageMs / 1_000} s`;
  return `, ${what} after ${count / 4}`;
}

function goalsOf({ blow, cap }: DrainBenchOptions, drain: Drained, limitSeconds: number): Goal[] {
  const { logins, sessions } = drain.books.summary;
  const peak: Goal = { name: 'peak sessions', value: sessions.peak, is: 'at-most', limit: cap };
  if (blow === 'none') {
    return [
      { name: 'time, of the physical limit', value: drain.seconds / limitSeconds, is: 'at-most', limit: 1.03 },
      { name: 'logins', value: logins.ok, is: 'at-most', limit: cap },
      peak,
    ];
  }
  if (blow === 'kill') {
    const most = limitSeconds * 1.15 + 5;
    return [
      { name: 'seconds', value: drain.seconds, is: 'at-most', limit: most },
      { name: 'logins refused', value: logins.refused, is: 'at-most', limit: cap },
      peak,
    ];
  }
  return [
    { name: 'resumes after, ms', value: drain.outage?.resumeMs ?? Number.NaN, is: 'at-most', limit: 1_000 },
    { name: 'calls while away', value: drain.outage?.calls ?? Number.NaN, is: 'at-most', limit: 50 },
    peak,
  ];
}

function filemakerSettings(options: DrainBenchOptions): Record<string, unknown> {
  return { loginMs: options.loginMs, scriptMs: options.scriptMs, sessionsMax: options.cap };
}

/** Longer than the slowest way could take. */
function timeoutMs(options: DrainBenchOptions): number {
  return 60_000 + (options.count * (options.scriptMs + options.loginMs) * 3) / options.cap;
}

async function drainBridge(options: DrainBenchOptions): Promise<Drained> {
  const stops = new Stops();
  try {
    const services = await startServices(stops);
    const stripe = await startStripe(stops);
    const filemaker = await startFileMaker(stops, filemakerSettings(options));
    const values = bridgeValues(
      services,
      { stripeUrl: stripe.url, filemakerUrl: filemaker.url },
      { FILEMAKER_MAX_SESSIONS: String(options.cap) },
    );
    const { port } = await startApp(stops, 'ingress', values);
    await runBridge(values, ['pause', 'filemaker', '--why', 'benchmark']);
    const workers: { kill(): Promise<unknown> }[] = [];
    for (let started = 0; started < options.workers; started += 1)
      workers.push(await startApp(stops, 'worker', values));
    await stripe.control('POST', '/endpoints', {
      url: `http://127.0.0.1:${port}/webhooks/stripe`,
      secrets: [webhookSecret],
      enabledEvents: ['checkout.session.completed'],
    });
    await stripe.control('POST', '/sales/bulk', {
      count: options.count,
      firstInvoiceId: 30_000,
      linesMax: 3,
      currency: 'usd',
      deliver: true,
    });
    await planned(services.databaseUrl, options.count);
    await runBridge(values, ['resume', 'filemaker', '--why', 'benchmark']);
    const goAhead = Date.now();
    const replaceWorker = async (): Promise<void> => {
      await workers.shift()?.kill();
      await startApp(stops, 'worker', values);
    };
    const awayUntil = await strike({ filemaker, replaceWorker }, options);
    const drain = await drained(filemaker, options, goAhead);
    return awayUntil === undefined ? drain : { ...drain, outage: outageOf(drain.books, awayUntil) };
  } finally {
    await stops.stop();
  }
}

interface Away {
  endedAt: number;
  calls: number;
}

/** The blow, when a quarter is done. For an outage: when it ended, and how often FileMaker was called during it. */
async function strike(
  { filemaker, replaceWorker }: BridgeDrain,
  options: DrainBenchOptions,
): Promise<Away | undefined> {
  if (options.blow === 'none') return undefined;
  const path = `/wait?applied=${Math.floor(options.count / 4)}&timeoutMs=${timeoutMs(options)}`;
  const { reached } = await filemaker.control<{ reached: boolean }>('GET', path);
  if (!reached) throw new Error('a quarter of the work was never done');
  if (options.blow === 'kill') {
    await replaceWorker();
    return undefined;
  }
  const endedAt = Date.now() + outageMs;
  await filemaker.control('POST', '/down', { mode: 'bad-gateway', forMs: outageMs });
  await delay(outageMs - 50);
  const { requests } = await filemaker.control<Books['summary']>('GET', '/books/summary');
  return { endedAt, calls: requests.whileAway };
}

function outageOf(books: Books, { endedAt, calls }: Away): { calls: number; resumeMs: number } {
  const after = books.runs.map(({ startedAt }) => Date.parse(startedAt)).filter((at) => at >= endedAt);
  return { calls, resumeMs: Math.min(...after) - endedAt };
}

/** Resolves when so many effects are planned; two minutes without one more are a fault. */
async function planned(databaseUrl: string, count: number): Promise<void> {
  const pool = new Pool({ connectionString: databaseUrl, max: 1 });
  try {
    let most = 0;
    let since = performance.now();
    while (performance.now() - since < 120_000) {
      const { rows } = await pool.query<{ n: number }>(
        "select count(*)::int as n from effects.effects where state = 'planned'",
      );
      const seen = rows[0]?.n ?? 0;
      if (seen >= count) return;
      if (seen > most) {
        most = seen;
        since = performance.now();
      }
      await delay(250);
    }
    throw new Error(`only ${most} of ${count} effects were planned`);
  } finally {
    await pool.end();
  }
}

async function drainBare(options: DrainBenchOptions): Promise<Drained> {
  const stops = new Stops();
  try {
    const filemaker = await startFileMaker(stops, filemakerSettings(options));
    const goAhead = Date.now();
    await startContender(stops, 'bare-loops', {
      FILEMAKER_URL: filemaker.url,
      CAP: String(options.cap),
      COUNT: String(options.count),
    });
    return await drained(filemaker, options, goAhead);
  } finally {
    await stops.stop();
  }
}

async function drainTextbook(options: DrainBenchOptions, sessions: 'cached' | 'per-job'): Promise<Drained> {
  const stops = new Stops();
  try {
    const services = await startServices(stops);
    const filemaker = await startFileMaker(stops, filemakerSettings(options));
    const connection = new Redis(services.redisUrl, { maxRetriesPerRequest: null });
    stops.add(() => connection.quit());
    const queue = new Queue('textbook', { connection });
    stops.add(() => queue.close());
    await queue.addBulk(
      Array.from({ length: options.count }, (_, index) => ({
        name: 'paid',
        data: {
          parameter: JSON.stringify({
            idempotency_key: `invoice-paid:cs_${index}`,
            invoice_id: String(30_000 + index),
            invoicetotal_cents: 18_000,
          }),
        },
      })),
    );
    const goAhead = Date.now();
    await startContender(stops, 'textbook-worker', {
      REDIS_URL: services.redisUrl,
      FILEMAKER_URL: filemaker.url,
      CAP: String(options.cap),
      SESSIONS: sessions,
      QUEUE: 'textbook',
    });
    return await drained(filemaker, options, goAhead);
  } finally {
    await stops.stop();
  }
}

async function drained(filemaker: Simulator, options: DrainBenchOptions, goAhead: number): Promise<Drained> {
  const patience = performance.now() + timeoutMs(options);
  let reached = false;
  while (!reached && performance.now() < patience) {
    const path = `/wait?applied=${options.count}&idle=true&timeoutMs=30000`;
    ({ reached } = await filemaker.control<{ reached: boolean }>('GET', path));
  }
  const books = await filemaker.control<Books>('GET', '/books');
  // The books note a login when it ends.
  const firstLogin = Math.min(...books.logins.map(({ at }) => Date.parse(at))) - options.loginMs;
  const lastEnd = Math.max(...books.runs.map(({ finishedAt }) => (finishedAt === null ? 0 : Date.parse(finishedAt))));
  return { seconds: (lastEnd - firstLogin) / 1_000, startSeconds: (firstLogin - goAhead) / 1_000, books };
}
