import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  appValues,
  type FileMakerBooks,
  type FileMakerSummary,
  freePort,
  type PostgresService,
  type RedisService,
  type RunningApp,
  type SimulatorControl,
  type StripeBooks,
  startApp,
  startRedis,
  startSimulator,
  type Values,
  wantedEvents,
} from '@bridge/test-services';
import { Pool, type QueryResultRow } from 'pg';
import type { Endings } from './endings';
import type { Scenario } from './scenario';

/** Sessions that the bridge may hold; FileMaker itself would give twice as many, so that a broken cap shows. */
export const cap = 5;
const workerCount = 2;
const controlTries = 50;
const controlPauseMs = 200;
const queryTries = 60;
const stopGraceMs = 90_000;
const printedLinesMax = 100_000;

/** Short patience, so that a person can watch a script's longest time pass. */
const bridgeValues: Values = {
  FILEMAKER_MAX_SESSIONS: String(cap),
  FILEMAKER_TIMEOUT_SECONDS: '5',
  FILEMAKER_SCRIPT_MAX_SECONDS: '8',
  STRIPE_READS_PER_SECOND: '500',
};

export interface Delivery {
  readonly eventId: string;
  readonly eventType: string;
  readonly status: number | null;
}

type AppName = 'ingress' | 'worker' | 'scheduler';

/** The bridge and all it needs, for one scenario. */
export class Stand {
  readonly workers: RunningApp[] = [];
  /** When a worker made a call to FileMaker, epoch milliseconds. */
  readonly calls: number[] = [];
  /** What no scenario may do to an app: that it ends by itself, or badly. */
  readonly faults: string[] = [];
  readonly #printed: string[] = [];
  readonly #leaving = new Set<RunningApp>();
  #started = 0;
  #ingress: RunningApp | undefined;
  #scheduler: RunningApp | undefined;

  private constructor(
    readonly postgres: PostgresService,
    readonly redis: RedisService,
    readonly stripe: SimulatorControl,
    readonly filemaker: SimulatorControl,
    private readonly pool: Pool,
    private readonly values: Values,
    private readonly ingressPort: number,
  ) {}

  static async start(
    postgres: PostgresService,
    scenario: Scenario,
    { seed, signal, endings }: { seed: number; signal: AbortSignal; endings: Endings },
  ): Promise<Stand> {
    const webhookSecret = `whsec_${randomBytes(16).toString('hex')}`;
    const stripeKey = `sk_test_${randomBytes(12).toString('hex')}`;
    const database = await postgres.createDatabase();
    endings.add(() => database.drop());
    const [redis, filemaker, stripe, ingressPort] = await Promise.all([
      startRedis().then((redis) => {
        endings.add(() => redis.stop());
        return redis;
      }),
      startSimulator('filemaker', {
        SIMULATOR_CONFIG: JSON.stringify({
          seed,
          sessionsMax: 2 * cap,
          loginMs: 80,
          scriptMs: 40,
          scriptSpreadMs: 30,
          ...scenario.filemaker,
        }),
      }).then((simulator) => {
        endings.add(() => simulator.process.stop());
        return simulator;
      }),
      startSimulator('stripe', { STRIPE_SIMULATOR_KEY: stripeKey, STRIPE_SIMULATOR_SEED: String(seed) }).then(
        (simulator) => {
          endings.add(() => simulator.process.stop());
          return simulator;
        },
      ),
      freePort(),
    ]);
    const pool = new Pool({ connectionString: database.url, max: 2, connectionTimeoutMillis: 5_000 });
    // A connection that breaks while it is idle is no news here: PostgreSQL is restarted on purpose.
    pool.on('error', () => undefined);
    endings.add(() => pool.end());
    const values: Values = {
      ...appValues({
        databaseUrl: database.url,
        redisUrl: redis.url,
        stripeUrl: stripe.control.url,
        filemakerUrl: filemaker.control.url,
      }),
      STRIPE_API_KEY: stripeKey,
      STRIPE_WEBHOOK_SECRETS: webhookSecret,
      FILEMAKER_TOKEN_KEY: randomBytes(32).toString('base64'),
      ...bridgeValues,
    };
    const stand = new Stand(postgres, redis, stripe.control, filemaker.control, pool, values, ingressPort);
    endings.add(() => stand.#stopApps(signal.aborted));
    // The first to start migrates.
    const url = await stand.startIngress();
    await stand.stripe.ask('POST', '/endpoints', {
      url: `${url}/webhooks/stripe`,
      secrets: [webhookSecret],
      enabledEvents: wantedEvents,
    });
    if (scenario.delivery !== undefined) await stand.stripe.ask('POST', '/settings', { delivery: scenario.delivery });
    await Promise.all([...Array.from({ length: workerCount }, () => stand.startWorker()), stand.startScheduler()]);
    return stand;
  }

  async startIngress(): Promise<string> {
    const ingress = await this.#start('ingress', { HOST: '127.0.0.1', PORT: String(this.ingressPort) });
    this.#ingress = ingress;
    return ingress.url ?? '';
  }

  async startWorker(): Promise<RunningApp> {
    const counter = `--require "${require.resolve('./call-counter')}"`;
    const worker = await this.#start('worker', { NODE_OPTIONS: counter });
    this.workers.push(worker);
    return worker;
  }

  async startScheduler(): Promise<void> {
    this.#scheduler = await this.#start('scheduler', { HOST: '127.0.0.1', PORT: '0' });
  }

  /** SIGTERM for every app; each worker once its successor runs. */
  async replaceApps(): Promise<void> {
    const old = [...this.workers];
    for (const worker of old) {
      await this.startWorker();
      await this.#stopWell('worker', worker);
    }
    await this.#stopWell('scheduler', this.#scheduler);
    await this.startScheduler();
    await this.#stopWell('ingress', this.#ingress);
    await this.startIngress();
  }

  /** kill -9. */
  async killWorker(pid: number | undefined): Promise<void> {
    const victim = this.workers.find(({ process }) => process.pid === pid) ?? this.workers[0];
    if (victim === undefined) return;
    this.workers.splice(this.workers.indexOf(victim), 1);
    this.#leaving.add(victim);
    await victim.process.kill();
  }

  /** Rows of the bridge's own database; waits while PostgreSQL is away. */
  async query<Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return patiently(queryTries, async () => (await this.pool.query<Row>(sql, [...values])).rows);
  }

  filemakerBooks(): Promise<FileMakerBooks> {
    return patiently(controlTries, () => this.filemaker.ask('GET', '/books'));
  }

  filemakerSummary(): Promise<FileMakerSummary> {
    return this.filemaker.ask('GET', '/books/summary');
  }

  stripeBooks(): Promise<StripeBooks> {
    return this.stripe.ask('GET', '/books');
  }

  async deliveries(): Promise<Delivery[]> {
    return (await this.stripe.ask<{ attempts: Delivery[] }>('GET', '/deliveries')).attempts;
  }

  async invoices(): Promise<{ invoice_id: string; paid_cents: string | number }[]> {
    const { records } = await this.filemaker.ask<{
      records: { fields: { invoice_id: string; paid_cents: string | number } }[];
    }>('GET', '/databases/Shop/tables/invoices/records');
    return records.map(({ fields }) => fields);
  }

  /** FileMaker's control side, while connections may just have been dropped. */
  control<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    return patiently(controlTries, () => this.filemaker.ask<Answer>(method, path, body));
  }

  /** What the apps have printed, for whoever has to find out why. */
  get printed(): string {
    return this.#printed.join('\n');
  }

  async #start(app: AppName, values: Values): Promise<RunningApp> {
    const name = `${app} ${++this.#started}`;
    const onLine = (line: string): void => {
      if (line.startsWith('{"calledFileMaker"')) this.calls.push(Date.now());
      else if (this.#printed.length < printedLinesMax) this.#printed.push(`${name} ${line}`);
    };
    const running = await startApp(app, { ...this.values, ...values }, { onLine });
    void running.process.exited.then((code) => {
      if (!this.#leaving.has(running)) this.faults.push(`a ${app} ended by itself with code ${code}`);
    });
    return running;
  }

  async #stopWell(app: AppName, running: RunningApp | undefined): Promise<void> {
    if (running === undefined) return;
    this.#leaving.add(running);
    const place = this.workers.indexOf(running);
    if (place >= 0) this.workers.splice(place, 1);
    const code = await running.process.stop(stopGraceMs);
    if (code !== 0) this.faults.push(`a ${app} ended with code ${code} after SIGTERM`);
  }

  /** In order, or at once when nobody waits for the result. */
  async #stopApps(atOnce: boolean): Promise<void> {
    const apps = [this.#ingress, this.#scheduler, ...this.workers].filter((app) => app !== undefined);
    for (const app of apps) this.#leaving.add(app);
    await Promise.all(apps.map(({ process }) => (atOnce ? process.kill() : process.stop(stopGraceMs))));
  }
}

/** Tries again with a pause between; the last failure is thrown. */
async function patiently<Answer>(tries: number, work: () => Promise<Answer>): Promise<Answer> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      if (tried >= tries) throw error;
      await delay(controlPauseMs);
    }
  }
}
