import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database } from '@bridge/database';
import {
  appValues,
  createTestDatabase,
  eventually,
  type FileMakerBooks,
  freePort,
  type RunningProcess,
  type SimulatorControl,
  startApp,
  startProcess,
  startRedis,
  startSimulator,
} from '@bridge/test-services';
import type { HookVariables } from './crash-hook';

const root = join(__dirname, '../../..');
/** Compiled: the apps run their compiled form too. */
const hook = join(root, 'testing/e2e/dist/crash-hook.js');
const compiled = join(tmpdir(), 'bridge-crash-points-compiled');
const WEBHOOK_SECRET = 'whsec_crash_points_of_the_bridge';
/** Exit code of a process that SIGKILL ended. */
const KILLED = 137;
/** Longest a life may take: two deaths' five seconds, a script's longest run, and a slow machine. */
const LIFE_MS = 120_000;
const LOOK_EVERY_MS = 100;

/** What a payment has become, as PostgreSQL has it. */
export interface Standing {
  effect: string | null;
  reason: string | null;
  eventsOpen: number;
  eventsParked: number;
}

export interface Sale {
  sessionId: string;
  invoiceId: string;
}

/** How a process ended: killed at its point, or its payment was settled first (and the process was stopped). */
export type Life = 'killed' | 'settled';

/** A bridge whose ingress and worker are started for one life at a time. Services and simulators stay. */
export interface CrashStand {
  readonly filemaker: SimulatorControl;
  readonly stripe: SimulatorControl;
  sell(): Promise<Sale>;
  /** Waits until the ingress has answered 200 for everything that Stripe had to tell. */
  acknowledged(): Promise<void>;
  /** One life of an app, until it kills itself or the sale is settled. Any other end of the process is an error. */
  live(app: App, sale: Sale, point?: string): Promise<Life>;
  /** The same without a point, and what it passed. */
  liveAndList(app: App, sale: Sale): Promise<string[]>;
  /** Starts an app to serve while the other one is killed; one that runs already goes on. */
  keep(app: App): Promise<void>;
  rest(app: App): Promise<void>;
  /** As on the first day: no FileMaker session, an empty Redis, no worker. Each road then begins at the same place. */
  forget(): Promise<void>;
  standing(sale: Sale): Promise<Standing>;
  books(): Promise<FileMakerBooks>;
  stop(): Promise<void>;
}

export type App = 'ingress' | 'worker';

export async function startCrashStand(name: string, invoicesFrom: number): Promise<CrashStand> {
  const stops: (() => Promise<unknown> | unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stops.reverse().splice(0)) await end();
  };
  try {
    return await start();
  } catch (error) {
    await stop();
    throw error;
  }

  async function start(): Promise<CrashStand> {
    const folder = mkdtempSync(join(tmpdir(), 'crash-points-'));
    stops.push(() => rmSync(folder, { recursive: true }));
    const created = await createTestDatabase();
    stops.push(() => created.drop());
    const redis = await startRedis();
    stops.push(() => redis.stop());
    const [filemaker, stripe] = await Promise.all([
      startSimulator('filemaker', { SIMULATOR_CONFIG: JSON.stringify({ missingInvoice: 'create', scriptMs: 20 }) }),
      startSimulator('stripe', { STRIPE_SIMULATOR_WEBHOOK_SECRET: WEBHOOK_SECRET, STRIPE_SIMULATOR_SEED: '7' }),
    ]);
    stops.push(() => filemaker.process.stop());
    stops.push(() => stripe.process.stop());
    const values: Record<string, string> = {
      ...appValues({
        databaseUrl: created.url,
        redisUrl: redis.url,
        stripeUrl: stripe.control.url,
        filemakerUrl: filemaker.control.url,
      }),
      LOG_LEVEL: 'info',
      STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET,
      STRIPE_READS_PER_SECOND: '1000',
      FILEMAKER_TIMEOUT_SECONDS: '4',
      FILEMAKER_SCRIPT_MAX_SECONDS: '2',
      FILEMAKER_MAX_SESSIONS: '5',
      HOST: '127.0.0.1',
    };
    // Taken again at each life: not a port that the system gives to somebody's client meanwhile.
    values.PORT = String(await freePort());
    const first = await startApp('ingress', values);
    stops.push(() => first.process.stop());
    const running: Partial<Record<App, RunningProcess>> = { ingress: first.process };
    stops.push(() => Promise.all([running.ingress?.kill(), running.worker?.kill()]));
    const rest = async (app: App): Promise<void> => {
      const process = running[app];
      delete running[app];
      await process?.stop();
    };

    // Short waits between the attempts: Stripe's patience is not the subject.
    await stripe.control.ask('POST', '/settings', { delivery: { retryDelaysMs: Array(50).fill(1_000) } });
    await stripe.control.ask('POST', '/endpoints', {
      url: `${first.url}/webhooks/stripe`,
      secrets: [WEBHOOK_SECRET],
      enabledEvents: ['checkout.session.completed'],
    });
    const database = createDatabase({
      url: created.url,
      poolMax: 2,
      applicationName: 'crash-points',
      connectTimeoutMs: 30_000,
    });
    stops.push(() => database.close());

    async function launch(app: App, more: NodeJS.ProcessEnv): Promise<RunningProcess> {
      const launched = await startProcess(process.execPath, [join(root, 'apps', app, 'dist/main.js')], {
        // Hundreds of starts: compiled code is kept from one to the next.
        env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_COMPILE_CACHE: compiled, ...values, ...more },
        cwd: root,
      });
      running[app] = launched;
      return launched;
    }

    /** Until it kills itself or the sale is settled; `whenSettled` is called before the process is stopped. */
    async function life(app: App, sale: Sale, hooked: HookVariables, whenSettled?: () => void): Promise<Life> {
      await rest(app);
      const living = await launch(app, { ...hooked, NODE_OPTIONS: `--require=${hook}` });
      let code: number | undefined;
      void living.exited.then((ended) => {
        code = ended;
      });
      await eventually(
        `${name}: ${sale.sessionId} is settled`,
        async () => code !== undefined || isSettled(await look(database, sale)),
        { withinMs: LIFE_MS, everyMs: LOOK_EVERY_MS, tell: () => living.lines.slice(-60).join('\n') },
      );
      if (code === undefined) {
        whenSettled?.();
        await rest(app);
        return 'settled';
      }
      if (code !== KILLED || !living.output.includes('crash point reached'))
        throw new Error(`${name}: ${app} ended with ${code}\n${living.lines.slice(-60).join('\n')}`);
      return 'killed';
    }

    let sales = 0;
    return {
      filemaker: filemaker.control,
      stripe: stripe.control,
      sell: async () => {
        sales += 1;
        const invoiceId = String(invoicesFrom + sales);
        const { sessionId } = await stripe.control.ask<{ sessionId: string }>('POST', '/sales', { invoiceId });
        return { sessionId, invoiceId };
      },
      acknowledged: async () => {
        await eventually(
          `${name}: Stripe has its answers`,
          async () => {
            const { deliveries } = await stripe.control.ask<{ deliveries: { outstanding: number } }>('GET', '/books');
            return deliveries.outstanding === 0;
          },
          {
            withinMs: LIFE_MS,
            everyMs: LOOK_EVERY_MS,
            tell: () => running.ingress?.lines.slice(-40).join('\n') ?? '',
          },
        );
      },
      live: (app, sale, point) => life(app, sale, point === undefined ? {} : { CRASH_AT: point }),
      liveAndList: async (app, sale) => {
        const file = join(folder, `${sale.sessionId}.txt`);
        let passed: string[] = [];
        await life(app, sale, { CRASH_POINTS_FILE: file }, () => {
          passed = readFileSync(file, 'utf8').trimEnd().split('\n');
        });
        if (passed.length === 0) throw new Error(`${name}: ${app} passed no point`);
        return passed;
      },
      keep: async (app) => {
        if (running[app] === undefined) await launch(app, {});
      },
      rest,
      forget: async () => {
        await rest('worker');
        await redis.flush();
        await database.pool.query('delete from session_pool.sessions');
        await database.pool.query(
          `update session_pool.pool set next_login_at = null, held_until = null, held_because = null, failures = 0, failed_at = null, restart_suspected = false,
             shrunk_by = 0, shrunk_at = null`,
        );
        await database.pool.query('delete from gates.circuits');
        await filemaker.control.ask('DELETE', '/sessions');
      },
      standing: (sale) => look(database, sale),
      books: () => filemaker.control.ask('GET', '/books'),
      stop,
    };
  }
}

async function look(database: Database, sale: Sale): Promise<Standing> {
  const { rows } = await database.pool.query<{
    effect: string | null;
    reason: string | null;
    open: number;
    parked: number;
  }>(
    `select (select state from effects.effects where key = $1) as effect,
       (select reason_code from effects.effects where key = $1) as reason,
       (select count(*)::int from inbox.events where state in ('received', 'processing')) as open,
       (select count(*)::int from inbox.events where state = 'parked') as parked`,
    [`invoice-paid:${sale.sessionId}`],
  );
  const [row] = rows;
  return {
    effect: row?.effect ?? null,
    reason: row?.reason ?? null,
    eventsOpen: row?.open ?? 0,
    eventsParked: row?.parked ?? 0,
  };
}

const isSettled = ({ effect, eventsOpen }: Standing): boolean =>
  (effect === 'done' || effect === 'parked' || effect === 'cancelled') && eventsOpen === 0;
