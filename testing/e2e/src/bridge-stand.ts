import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  createTestDatabase,
  type RedisService,
  type RunningProcess,
  startProcess,
  startRedis,
} from '@bridge/test-services';

const root = join(__dirname, '../../..');
const WEBHOOK_SECRET = 'whsec_e2e_secret_of_the_endpoint';
const START_MS = 30_000;

/** What the FileMaker simulator's books say, as far as these tests read them. */
export interface FileMakerBooks {
  summary: {
    runs: number;
    effectsApplied: number;
    keysApplied: number;
    keysAppliedMoreThanOnce: string[];
    invoicesAppliedMoreThanOnce: string[];
    overlaps: number;
    deletedInUse: number;
    sessions: { opened: number; peak: number; present: number };
    logins: { ok: number; refused: number };
    requests: { total: number };
  };
  applied: Record<string, number>;
  runs: {
    key: string | null;
    invoiceId: string | null;
    payload: string;
    sha256: string;
    effectApplied: boolean;
    startedAt: string;
    answer: string;
  }[];
}

export interface StripeBooks {
  paidSessions: {
    sessionId: string;
    paymentIntentId: string | null;
    invoiceId: string | null;
    amountTotal: number;
    currency: string;
  }[];
  events: { total: number; acknowledged: number };
  deliveries: { attempts: number; acknowledged: number; outstanding: number; byAnswer: Record<string, number> };
}

/** The control side of a simulator: JSON in, JSON out, an error for anything but 2xx. */
export class SimulatorControl {
  constructor(readonly url: string) {}

  async ask<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(`${this.url}/_simulator${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return JSON.parse(text) as Answer;
  }
}

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
  startWorker(): Promise<RunningProcess>;
  filemakerBooks(): Promise<FileMakerBooks>;
  stripeBooks(): Promise<StripeBooks>;
  /** Waits until FileMaker has applied so many effects; rejects when it takes longer. */
  applied(count: number, timeoutMs: number): Promise<void>;
  /** What an app prints; shown when a test fails. */
  tail(): string;
  stop(): Promise<void>;
}

function entry(path: string): string {
  const file = join(root, path, 'dist/main.js');
  if (!existsSync(file)) throw new Error(`${path} is not built; run: npm run build`);
  return file;
}

/** The child's environment is made anew: nothing of the machine's own configuration may reach the apps. */
function environment(values: Record<string, string>): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, ...values };
}

async function startSimulator(
  name: 'stripe' | 'filemaker',
  values: Record<string, string>,
): Promise<{ process: RunningProcess; control: SimulatorControl }> {
  const running = await startProcess(process.execPath, [entry(`testing/${name}-simulator`)], {
    env: environment({ PORT: '0', ...values }),
    readyWhen: (line) => line.includes('"simulator"'),
    readyTimeoutMs: START_MS,
  });
  const line = running.lines.find((one) => one.includes('"simulator"')) ?? '{}';
  return { process: running, control: new SimulatorControl((JSON.parse(line) as { url: string }).url) };
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
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      MIGRATE_ON_START: 'true',
      OPS_PORT: '0',
      LOG_LEVEL: 'info',
      STRIPE_API_KEY: 'sk_test_simulator',
      STRIPE_API_BASE: stripe.control.url,
      STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET,
      STRIPE_READS_PER_SECOND: '1000',
      FILEMAKER_URL: filemaker.control.url,
      FILEMAKER_DATABASE: 'Shop',
      FILEMAKER_USERNAME: 'bridge',
      FILEMAKER_PASSWORD: 'bridge',
      FILEMAKER_LOG_LAYOUT: 'bridge_log',
      FILEMAKER_HANDOFF_LAYOUT: 'bridge_handoff',
      ...options.env,
    };
    const startApp = async (app: string, values: Record<string, string> = {}): Promise<RunningProcess> => {
      const running = await startProcess(process.execPath, [entry(`apps/${app}`)], {
        env: environment({ ...common, ...values }),
        readyWhen: (line) => line.includes('"listening"'),
        readyTimeoutMs: START_MS,
      });
      stops.push(() => running.stop(90_000));
      return running;
    };
    const ingress = await startApp('ingress', { HOST: '127.0.0.1', PORT: '0' });
    const listening = JSON.parse(ingress.lines.find((line) => line.includes('"listening"')) ?? '{}') as { url: string };
    const workers: RunningProcess[] = [];
    const startWorker = async (): Promise<RunningProcess> => {
      const worker = await startApp('worker');
      workers.push(worker);
      return worker;
    };
    for (let started = 0; started < (options.workers ?? 1); started += 1) await startWorker();

    await stripe.control.ask('POST', '/endpoints', {
      url: `${listening.url}/webhooks/stripe`,
      secrets: [WEBHOOK_SECRET],
      enabledEvents: ['*'],
    });
    if (options.deliverAtOnce === false) await stripe.control.ask('POST', '/settings', { delivery: { atOnce: false } });

    const tail = (): string =>
      [ingress, ...workers].map((running) => running.lines.slice(-40).join('\n')).join('\n---\n');
    return {
      ingressUrl: listening.url,
      webhookSecret: WEBHOOK_SECRET,
      databaseUrl: database.url,
      redis,
      stripe: stripe.control,
      filemaker: filemaker.control,
      ingress,
      workers,
      startWorker,
      filemakerBooks: () => filemaker.control.ask('GET', '/books'),
      stripeBooks: () => stripe.control.ask('GET', '/books'),
      applied: async (count, timeoutMs) => {
        const answer = await filemaker.control.ask<Record<string, unknown>>(
          'GET',
          `/wait?applied=${count}&timeoutMs=${timeoutMs}`,
        );
        if (answer.reached === true) return;
        throw new Error(
          `FileMaker did not apply ${count} effects in ${timeoutMs} ms: ${JSON.stringify(answer)}\n${tail()}`,
        );
      },
      tail,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
