import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type PostgresService,
  type RunningProcess,
  startPostgres,
  startProcess,
  startRedis,
} from '@bridge/test-services';
import { bridgeCommand, type EventRow } from './bridge-command';
import type { Paper } from './paper';
import {
  type Addresses,
  isAsExpected,
  type MadeSale,
  type Outcome,
  printAddresses,
  printOutcome,
  printTryNext,
} from './report';
import { demoSales } from './sales';
import { bridgeSettings, inheritedEnvironment, makeSecrets, type Secrets, shellSettings } from './settings';
import { filemakerControl, stripeControl } from './simulators';

export interface DemoParts {
  /** The project folder. */
  readonly root: string;
  /** Where the demo keeps its files. */
  readonly folder: string;
  /** The same, as people are told. */
  readonly folderName: string;
  readonly paper: Paper;
  /** It is up until somebody ends it; else it ends by itself, and its addresses with it. */
  readonly staysUp: boolean;
  /** The environment the demo was started in; only a few names of it are used. */
  readonly env: NodeJS.ProcessEnv;
  /** Told when one of the processes ends although nobody asked it to. */
  readonly onLoss: (name: string, exitCode: number, lastLines: string) => void;
}

const appNames = ['ingress', 'worker', 'scheduler'] as const;
type AppName = (typeof appNames)[number];

const startTimeoutMs = 60_000;
const appliedWithinMs = 90_000;
const settledWithinMs = 60_000;

/** The whole bridge on one machine. `stop` ends what was started, the last first; it may be called at any time. */
export class Demo {
  private readonly endings: (() => Promise<unknown>)[] = [];
  private stopping: Promise<void> | undefined;

  constructor(private readonly parts: DemoParts) {
    mkdirSync(join(parts.folder, 'logs'), { recursive: true });
  }

  /** Starts everything, sends the sales through and prints what came of them. True: all as expected. */
  async run(): Promise<boolean> {
    const { paper } = this.parts;
    const secrets = makeSecrets();
    const [databaseUrl, redisUrl, stripeUrl, filemakerUrl, consoleAdmin] = await this.allOrNothing([
      this.startDatabase(),
      this.startQueueStore(),
      this.startSimulator('stripe', { STRIPE_SIMULATOR_KEY: secrets.stripeKey }),
      this.startSimulator('filemaker', {}),
      this.hashPassword(secrets),
    ]);
    const settings = bridgeSettings({ databaseUrl, redisUrl, stripeUrl, filemakerUrl }, secrets, consoleAdmin);
    const env = { ...inheritedEnvironment(this.parts.env), ...settings };

    const { applied } = await this.ask<{ applied: string[] }>(env, ['migrate']);
    paper.step(`The database is migrated: ${applied.length} migrations.`);
    const apps = await this.startApps(env);
    const envFile = join(this.parts.folder, 'demo.env');
    writeFileSync(envFile, shellSettings(settings), { mode: 0o600 });
    this.endings.push(async () => rmSync(envFile, { force: true }));

    const addresses: Addresses = {
      webhook: `${apps.ingress.url}/webhooks/stripe`,
      console: apps.scheduler.url,
      stripe: stripeUrl,
      filemaker: filemakerUrl,
      metrics: Object.fromEntries(appNames.map((name) => [name, apps[name].opsUrl])),
      operator: secrets.operator,
    };
    const outcome = await this.sell(addresses, secrets, env);
    printOutcome(paper, outcome, this.parts.folderName);
    // What is gone in a moment is not offered to be tried.
    if (this.parts.staysUp) {
      printAddresses(paper, addresses);
      printTryNext(paper, addresses, outcome, this.parts.folderName);
    }
    return isAsExpected(outcome);
  }

  stop(): Promise<void> {
    this.stopping ??= (async () => {
      for (const end of this.endings.splice(0).reverse()) await end();
    })();
    return this.stopping;
  }

  get isStopping(): boolean {
    return this.stopping !== undefined;
  }

  private async startDatabase(): Promise<string> {
    const directory = join(this.parts.folder, 'postgres');
    let postgres: PostgresService;
    try {
      postgres = await startPostgres({ directory });
    } catch {
      // Of an older PostgreSQL, or damaged: there is nothing in it that the demo does not make again.
      rmSync(directory, { recursive: true, force: true });
      postgres = await startPostgres({ directory });
    }
    this.endings.push(() => postgres.discard());
    const { url } = await postgres.createDatabase('bridge');
    const where = postgres.persistent
      ? `its data is in ${this.parts.folderName}/postgres`
      : 'its data is in a temporary folder';
    this.parts.paper.step(`PostgreSQL runs; ${where}.`);
    return url;
  }

  private async startQueueStore(): Promise<string> {
    const redis = await startRedis();
    this.endings.push(() => redis.stop());
    this.parts.paper.step('Redis runs, private and empty.');
    return redis.url;
  }

  private async startSimulator(name: 'stripe' | 'filemaker', env: NodeJS.ProcessEnv): Promise<string> {
    const title = { stripe: 'Stripe', filemaker: 'FileMaker Server' }[name];
    const child = await this.startChild(`${name}-simulator`, `testing/${name}-simulator/dist/main.js`, {
      env: { ...inheritedEnvironment(this.parts.env), PORT: '0', ...env },
      isReady: (line) => line.includes(`"simulator":"${name}"`),
    });
    this.parts.paper.step(`A stand-in for ${title} runs.`);
    return child.ready.url;
  }

  private async hashPassword({ operator }: Secrets): Promise<string> {
    const env = inheritedEnvironment(this.parts.env);
    const args = ['user', 'add', operator.name, '--print-hash'];
    return (await this.ask<{ consoleAdmin: string }>(env, args, operator.password)).consoleAdmin;
  }

  private async startApps(env: NodeJS.ProcessEnv): Promise<Record<AppName, { url: string; opsUrl: string }>> {
    const started = await this.allOrNothing(
      appNames.map(async (name) => {
        const child = await this.startChild(name, `apps/${name}/dist/main.js`, {
          env: { ...env, HOST: '127.0.0.1', PORT: '0', OPS_PORT: '0' },
          isReady: (line) => line.includes('"msg":"listening"'),
        });
        return [name, child.ready] as const;
      }),
    );
    this.parts.paper.step('The bridge runs: ingress takes webhooks, worker does the work, scheduler keeps the time.');
    return Object.fromEntries(started) as Record<AppName, { url: string; opsUrl: string }>;
  }

  private async startChild(
    name: string,
    program: string,
    { env, isReady }: { env: NodeJS.ProcessEnv; isReady: (line: string) => boolean },
  ): Promise<{ process: RunningProcess; ready: { url: string; opsUrl: string } }> {
    const log = createWriteStream(join(this.parts.folder, 'logs', `${name}.log`));
    const child = await startProcess(process.execPath, [join(this.parts.root, program)], {
      env,
      cwd: this.parts.root,
      readyWhen: isReady,
      readyTimeoutMs: startTimeoutMs,
      onLine: (line) => log.write(`${line}\n`),
    });
    this.endings.push(async () => {
      await child.stop();
      log.end();
    });
    void child.exited.then((code) => {
      if (!this.isStopping) this.parts.onLoss(name, code, child.lines.slice(-5).join('\n'));
    });
    const line = child.lines.find(isReady) ?? '{}';
    return { process: child, ready: JSON.parse(line) };
  }

  private async sell(addresses: Addresses, secrets: Secrets, env: NodeJS.ProcessEnv): Promise<Outcome> {
    const { paper } = this.parts;
    const stripe = stripeControl(addresses.stripe);
    const filemaker = filemakerControl(addresses.filemaker);
    await stripe.sendWebhooksTo(addresses.webhook, secrets.webhookSecret);
    const invoiceIds = demoSales.flatMap(({ invoiceId }) => invoiceId ?? []);
    await filemaker.addInvoices(invoiceIds.map((invoice_id) => ({ invoice_id, status: 'open' })));
    paper.step(`FileMaker holds ${invoiceIds.length} open invoices: ${invoiceIds.join(', ')}.`);

    const sold: MadeSale[] = [];
    for (const sale of demoSales) {
      const { sessionId, eventIds, amountTotal } = await stripe.sell({ invoiceId: sale.invoiceId, ...sale.order });
      sold.push({ sale, sessionId, amountTotal, eventIds });
    }
    await stripe.untilDelivered();
    const made: MadeSale[] = [];
    for (const one of sold) {
      if (one.sale.afterwards === 'settle') {
        const { eventIds } = await stripe.settle(one.sessionId);
        made.push({ ...one, eventIds: [...one.eventIds, ...eventIds] });
      } else made.push(one);
      if (one.sale.afterwards === 'send-again') await this.sendAgain(stripe, one);
    }
    await stripe.untilDelivered();
    paper.step(`${made.length} customers have paid; Stripe has signed and posted its webhooks.`);

    const expected = demoSales.filter(({ reachesFileMaker }) => reachesFileMaker).length;
    const { reached } = await filemaker.untilApplied(expected, appliedWithinMs);
    paper.step(
      reached
        ? `FileMaker’s own books show all ${expected} payments.`
        : `FileMaker’s books do not show all ${expected} payments after ${appliedWithinMs / 1000} s.`,
    );
    const events = await this.settledEvents(env);
    const [deliveries, invoices, runs] = await Promise.all([
      stripe.deliveries(),
      filemaker.invoices(),
      filemaker.runs(),
    ]);
    return { made, deliveries, events, invoices, runs };
  }

  private async sendAgain(stripe: ReturnType<typeof stripeControl>, { eventIds }: MadeSale): Promise<void> {
    const deliveries = await stripe.deliveries();
    const told = deliveries.find(
      ({ eventId, eventType }) => eventIds.includes(eventId) && eventType === 'checkout.session.completed',
    );
    if (told) await stripe.sendAgain(told.eventId);
  }

  /** What the bridge says of the events, once it has decided on each. */
  private async settledEvents(env: NodeJS.ProcessEnv): Promise<EventRow[]> {
    const deadline = performance.now() + settledWithinMs;
    for (;;) {
      const { events } = await this.ask<{ events: EventRow[] }>(env, ['events', 'list', '--limit', '100']);
      const isDecided = events.every(({ state }) => state !== 'received' && state !== 'processing');
      if (isDecided || performance.now() > deadline) return events;
      await delay(200);
    }
  }

  private ask<Answer>(env: NodeJS.ProcessEnv, args: readonly string[], input = ''): Promise<Answer> {
    return bridgeCommand(this.parts.root, env, args, input);
  }

  /** Like Promise.all, but when one fails it waits for the others, so that `stop` knows all that was started. */
  private async allOrNothing<Values extends readonly unknown[]>(
    work: readonly [...{ [Key in keyof Values]: Promise<Values[Key]> }],
  ): Promise<Values> {
    await Promise.allSettled(work);
    return (await Promise.all(work)) as unknown as Values;
  }
}
