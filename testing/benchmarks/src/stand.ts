import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type RunningProcess, startPostgres, startProcess, startRedis } from '@bridge/test-services';
import { Redis } from 'ioredis';

const root = join(__dirname, '../../..');
const startMs = 60_000;
export const webhookSecret = 'whsec_secret_of_the_benchmarks';
export const stripeKey = 'sk_test_benchmarks';

export type Values = Record<string, string>;

/** Everything that was started, ended in the opposite order. */
export class Stops {
  readonly #ends: (() => Promise<unknown>)[] = [];

  add(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.reverse().splice(0)) await end();
  }
}

export interface Services {
  databaseUrl: string;
  redisUrl: string;
  /** `fsync` and `synchronous_commit` as PostgreSQL says them, and Redis's `appendfsync`: shown in the report. */
  durability: string;
}

/** PostgreSQL that syncs every commit, and Redis with its log synced each second: what docker-compose.yml deploys. */
export async function startServices(stops: Stops): Promise<Services> {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-benchmarks-'));
  // As root, PostgreSQL runs as another user, who must be able to enter.
  chmodSync(folder, 0o755);
  stops.add(async () => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startPostgres({ directory: join(folder, 'postgres'), persistent: true });
  stops.add(() => postgres.discard());
  if (!postgres.persistent) throw new Error(`PostgreSQL cannot use ${folder}; set TMPDIR to a folder on a real disk`);
  const redis = await startRedis({ appendOnly: true, directory: join(folder, 'redis') });
  stops.add(() => redis.stop());
  const client = new Redis(redis.url);
  await client.config('SET', 'appendfsync', 'everysec');
  await client.quit();
  const database = await postgres.createDatabase('bridge');
  return {
    databaseUrl: database.url,
    redisUrl: redis.url,
    durability: 'PostgreSQL fsync on, synchronous_commit on; Redis AOF everysec',
  };
}

function builtFile(path: string): string {
  const file = join(root, path);
  if (!existsSync(file)) throw new Error(`${path} is not built; run: npm run build`);
  return file;
}

/** Starts a Node program with an environment of its own: nothing of the machine's configuration reaches it. */
async function startNode(stops: Stops, path: string, values: Values, ready: string): Promise<RunningProcess> {
  const running = await startProcess(process.execPath, [builtFile(path)], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...values },
    readyWhen: (line) => line.includes(ready),
    readyTimeoutMs: startMs,
  });
  stops.add(() => running.stop(30_000));
  return running;
}

function field(running: RunningProcess, marker: string, name: string): string {
  const line = running.lines.find((one) => one.includes(marker)) ?? '{}';
  return String((JSON.parse(line) as Record<string, unknown>)[name]);
}

/** A server of `contenders/`; it prints `{"listening":port}`. */
export async function startContender(
  stops: Stops,
  name: string,
  values: Values,
): Promise<{ port: number; pid: number }> {
  const running = await startNode(stops, `testing/benchmarks/dist/contenders/${name}.js`, values, '"listening"');
  return { port: Number(field(running, '"listening"', 'listening')), pid: running.pid };
}

/** The control API of a simulator; an error for anything but 2xx. */
export type Control = <Answer>(method: 'GET' | 'POST', path: string, body?: unknown) => Promise<Answer>;

export interface Simulator {
  url: string;
  control: Control;
}

async function startSimulator(stops: Stops, name: 'stripe' | 'filemaker', values: Values): Promise<Simulator> {
  const running = await startNode(
    stops,
    `testing/${name}-simulator/dist/main.js`,
    { PORT: '0', ...values },
    '"simulator"',
  );
  const url = field(running, '"simulator"', 'url');
  return {
    url,
    control: async (method, path, body) => {
      const answer = await fetch(`${url}/_simulator${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
      return JSON.parse(text);
    },
  };
}

export function startFileMaker(stops: Stops, settings: Record<string, unknown>): Promise<Simulator> {
  return startSimulator(stops, 'filemaker', {
    SIMULATOR_CONFIG: JSON.stringify({ missingInvoice: 'create', ...settings }),
  });
}

export interface PaidEvent {
  invoiceId: string;
  /** As Stripe prints it: indented JSON. */
  body: string;
}

export interface StripeStand extends Simulator {
  /** Sells so often and gives the `checkout.session.completed` events, undelivered, oldest first. */
  sell(count: number, firstInvoiceId: number): Promise<PaidEvent[]>;
}

interface WireEvent {
  id: string;
  data: { object: { metadata: { invoice_id?: string } } };
}

export async function startStripe(stops: Stops): Promise<StripeStand> {
  const simulator = await startSimulator(stops, 'stripe', {
    STRIPE_SIMULATOR_WEBHOOK_SECRET: webhookSecret,
    STRIPE_SIMULATOR_KEY: stripeKey,
    STRIPE_SIMULATOR_SEED: '7',
  });
  const paidEvents = async (count: number): Promise<WireEvent[]> => {
    const events: WireEvent[] = [];
    while (events.length < count) {
      const after = events.at(-1)?.id;
      const query = `type=checkout.session.completed&limit=100${after === undefined ? '' : `&starting_after=${after}`}`;
      const answer = await fetch(`${simulator.url}/v1/events?${query}`, {
        headers: { authorization: `Bearer ${stripeKey}` },
      });
      const page = (await answer.json()) as { data: WireEvent[] };
      if (page.data.length === 0) break;
      events.push(...page.data);
    }
    return events.slice(0, count);
  };
  return {
    ...simulator,
    sell: async (count, firstInvoiceId) => {
      await simulator.control('POST', '/sales/bulk', {
        count,
        firstInvoiceId,
        linesMax: 3,
        currency: 'usd',
        deliver: false,
      });
      const events = await paidEvents(count);
      return events
        .map((event) => ({
          invoiceId: String(event.data.object.metadata.invoice_id),
          body: JSON.stringify(event, undefined, 2),
        }))
        .reverse();
    },
  };
}

/** The settings of the apps, as in production but for the peers' addresses and budgets that only bound Stripe itself. */
export function bridgeValues(
  services: Services,
  peers: { stripeUrl: string; filemakerUrl: string },
  more: Values,
): Values {
  return {
    DATABASE_URL: services.databaseUrl,
    REDIS_URL: services.redisUrl,
    MIGRATE_ON_START: 'true',
    OPS_PORT: '0',
    LOG_LEVEL: 'info',
    STRIPE_API_KEY: stripeKey,
    STRIPE_API_BASE: peers.stripeUrl,
    STRIPE_WEBHOOK_SECRETS: webhookSecret,
    STRIPE_READS_PER_SECOND: '1000',
    FILEMAKER_URL: peers.filemakerUrl,
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
    FILEMAKER_PASSWORD: 'bridge',
    FILEMAKER_LOG_LAYOUT: 'bridge_log',
    FILEMAKER_HANDOFF_LAYOUT: 'bridge_handoff',
    ...more,
  };
}

/** Starts an app of the bridge; for the ingress also where it listens. `more` may hold NODE_OPTIONS for a profile. */
export async function startApp(
  stops: Stops,
  app: 'ingress' | 'worker',
  values: Values,
): Promise<{ port: number; pid: number; lines: readonly string[]; kill(): Promise<unknown> }> {
  const publicSide: Values = app === 'ingress' ? { HOST: '127.0.0.1', PORT: '0' } : {};
  const running = await startNode(stops, `apps/${app}/dist/main.js`, { ...values, ...publicSide }, '"listening"');
  const url = field(running, '"listening"', 'url');
  return {
    port: URL.canParse(url) ? Number(new URL(url).port) : 0,
    pid: running.pid,
    lines: running.lines,
    kill: () => running.kill(),
  };
}

/** `./bridge <args>` against the same settings. Rejects with what it printed. */
export async function runBridge(values: Values, args: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [builtFile('packages/cli/dist/main.js'), ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...values },
    timeout: 60_000,
  });
}
