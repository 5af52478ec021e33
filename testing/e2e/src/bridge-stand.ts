import { createDatabase } from '@bridge/database';
import {
  appValues,
  createTestDatabase,
  type FileMakerBooks,
  type RedisService,
  type RunningApp,
  type RunningProcess,
  type SimulatorControl,
  type StripeBooks,
  startApp,
  startRedis,
  startSimulator,
} from '@bridge/test-services';

const SETTLED_WITHIN_MS = 180_000;
const WEBHOOK_SECRET = 'whsec_e2e_secret_of_the_endpoint';

export interface StandOptions {
  workers?: number;
  /** Settings of the FileMaker simulator. */
  filemaker?: Record<string, unknown>;
  /** Added to the environment of every app. */
  env?: Record<string, string>;
  /** False: the ingress gets no events by itself; the test delivers. Default true. */
  deliverAtOnce?: boolean;
}

export interface BridgeStand {
  ingressUrl: string;
  webhookSecret: string;
  databaseUrl: string;
  redis: RedisService;
  stripe: SimulatorControl;
  filemaker: SimulatorControl;
  ingress: RunningProcess;
  workers: RunningProcess[];
  /** With these values instead of the stand's own. */
  startWorker(values?: Record<string, string>): Promise<RunningProcess>;
  /** The control room, not started by itself. Ends with the stand. */
  startScheduler(values?: Record<string, string>): Promise<RunningApp>;
  filemakerBooks(): Promise<FileMakerBooks>;
  stripeBooks(): Promise<StripeBooks>;
  /** Waits until FileMaker has applied so many effects; rejects when it takes longer. */
  applied(count: number, timeoutMs: number): Promise<void>;
  /** Waits until nothing is owed: every event decided, every effect settled, no script running. Rejects after three minutes. */
  settled(): Promise<void>;
  /** What an app prints; shown when a test fails. */
  tail(): string;
  stop(): Promise<void>;
}

/** The whole bridge as it is deployed: apps and simulators as processes, a real PostgreSQL and a Redis of its own. */
export async function startBridge(options: StandOptions = {}): Promise<BridgeStand> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stops.reverse().splice(0)) await end();
  };
  try {
    const database = await createTestDatabase();
    stops.push(() => database.drop());
    const redis = await startRedis();
    stops.push(() => redis.stop());
    const filemaker = await startSimulator('filemaker', {
      SIMULATOR_CONFIG: JSON.stringify({ missingInvoice: 'create', ...options.filemaker }),
    });
    stops.push(() => filemaker.process.stop());
    const stripe = await startSimulator('stripe', {
      STRIPE_SIMULATOR_WEBHOOK_SECRET: WEBHOOK_SECRET,
      STRIPE_SIMULATOR_SEED: '7',
    });
    stops.push(() => stripe.process.stop());

    const common = {
      ...appValues({
        databaseUrl: database.url,
        redisUrl: redis.url,
        stripeUrl: stripe.control.url,
        filemakerUrl: filemaker.control.url,
      }),
      LOG_LEVEL: 'info',
      STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET,
      STRIPE_READS_PER_SECOND: '1000',
      ...options.env,
    };
    const start = async (app: 'ingress' | 'worker' | 'scheduler', values: Record<string, string> = {}) => {
      const running = await startApp(app, { ...common, ...values });
      stops.push(() => running.process.stop(90_000));
      return running;
    };
    const { process: ingress, url: ingressUrl = '' } = await start('ingress', { HOST: '127.0.0.1', PORT: '0' });
    const workers: RunningProcess[] = [];
    const startWorker = async (values: Record<string, string> = {}): Promise<RunningProcess> => {
      const { process: worker } = await start('worker', values);
      workers.push(worker);
      return worker;
    };
    for (let started = 0; started < (options.workers ?? 1); started += 1) await startWorker();

    await stripe.control.ask('POST', '/endpoints', {
      url: `${ingressUrl}/webhooks/stripe`,
      secrets: [WEBHOOK_SECRET],
      enabledEvents: ['*'],
    });
    if (options.deliverAtOnce === false) await stripe.control.ask('POST', '/settings', { delivery: { atOnce: false } });

    const tail = (): string =>
      [ingress, ...workers].map((running) => running.lines.slice(-40).join('\n')).join('\n---\n');
    return {
      ingressUrl,
      webhookSecret: WEBHOOK_SECRET,
      databaseUrl: database.url,
      redis,
      stripe: stripe.control,
      filemaker: filemaker.control,
      ingress,
      workers,
      startWorker,
      startScheduler: (values) => start('scheduler', { HOST: '127.0.0.1', PORT: '0', ...values }),
      filemakerBooks: () => filemaker.control.ask('GET', '/books'),
      stripeBooks: () => stripe.control.ask('GET', '/books'),
      applied: async (count, timeoutMs) => {
        const deadline = performance.now() + timeoutMs;
        let answer: Record<string, unknown> = {};
        for (let left = timeoutMs; left > 0; left = deadline - performance.now()) {
          // The simulator waits five minutes at most for one who asks.
          const waitMs = Math.ceil(Math.min(left, 300_000));
          answer = await filemaker.control.ask('GET', `/wait?applied=${count}&timeoutMs=${waitMs}`);
          if (answer.reached === true) return;
        }
        throw new Error(
          `FileMaker did not apply ${count} effects in ${timeoutMs} ms: ${JSON.stringify(answer)}\n${tail()}`,
        );
      },
      settled: async () => {
        const open = createDatabase({ url: database.url, poolMax: 1, applicationName: 'bridge-stand' });
        try {
          const deadline = performance.now() + SETTLED_WITHIN_MS;
          for (;;) {
            const { rows } = await open.pool.query<{ events: number; effects: number }>(
              `select (select count(*)::int from inbox.events where state in ('received', 'processing')) as events,
                 (select count(*)::int from effects.effects where state in ('planned', 'sending', 'unknown')) as effects`,
            );
            const { summary } = await filemaker.control.ask<FileMakerBooks>('GET', '/books');
            if (rows[0]?.events === 0 && rows[0].effects === 0 && summary.running === 0) return;
            if (performance.now() > deadline)
              throw new Error(`not settled: ${JSON.stringify(rows[0])}, ${summary.running} scripts\n${tail()}`);
            await new Promise((resolve) => setTimeout(resolve, 200));
          }
        } finally {
          await open.close();
        }
      },
      tail,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
