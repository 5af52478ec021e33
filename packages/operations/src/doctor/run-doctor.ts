import { type Config, ConfigurationError, loadConfig, type Role } from '@bridge/config';
import { createDatabase, type Database, type MigrationSource } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { createFileMakerClient } from '@bridge/filemaker-client';
import { createGates } from '@bridge/gates';
import { createInbox } from '@bridge/inbox';
import { type Installation, readInstallation } from '@bridge/installation';
import { createProducer, type Producer, queueNames, queuePrefix } from '@bridge/jobs';
import { type AddressSeen, createStripeClient, lookAtAddress, StripeCallError } from '@bridge/stripe-client';
import { checkFileMaker } from '../filemaker-check/check-filemaker';
import { runbookOf } from '../runbooks/runbooks';
import { listScheduleRuns } from '../status/schedule-runs';
import { readKnownEvents } from '../tables/read-engine-tables';
import { readPeerFingerprint, readProcesses } from '../tables/read-processes';
import { readLastFetch } from '../tables/read-recovery-tables';
import { BRIDGE_VERSION } from '../version';
import { type ClockReading, judgeClock, postgresqlTime, readClock } from './clock';
import { collectConfiguration, judgeConfiguration } from './configuration';
import { applyEndpointFix, type EndpointFix, type EndpointFixed, planEndpointFix } from './endpoint-fix';
import { fault, type Judged, type SectionName } from './fault';
import { type ConnectionFacts, collectPostgresql, judgePostgresql } from './postgresql';
import { collectRedis, judgeRedis, type RedisFacts, type RedisToAsk } from './redis';
import { composeReport, type DoctorReport, type Looked, lookWithin } from './report';
import { collectStripeKey, judgeStripeKey, neededReads } from './stripe-key';
import { judgeWebhook, listEndpoints, listPending, pickOurs } from './webhook-endpoint';
import { judgeWork, roundsExpected, type ScheduleExpected, type ScheduleSeen } from './work';

interface PassOfFlow {
  name: string;
  schedule: { cron: string } | { everyMs: number };
}

export interface DoctorOptions {
  /** The settings as the apps would read them. */
  env: NodeJS.ProcessEnv;
  /** The `.env` that they come from, if any. */
  environmentFile: string | undefined;
  /** Apps of this machine: only what they read is judged. */
  apps: readonly Role[];
  /** All flows of this build. */
  flows: readonly { name: string; wants: readonly string[]; passes: readonly PassOfFlow[] }[];
  migrationSources: readonly MigrationSource[];
  /** Instead of STRIPE_WEBHOOK_URL. */
  webhookUrl?: string | undefined;
}

/** One question to a peer: all of them are harmless and small. */
const STRIPE_MS = 10_000;
const LOOK_MS = 8_000;
const FILEMAKER_CLOCK_MS = 8_000;
const REDIS_MS = 3_000;
/** For one section. FileMaker's asks a dozen questions, one after the other. */
const SECTION_MS = 30_000;
const FILEMAKER_MS = 90_000;
const FAILED_JOBS_LOOKED_AT = 100;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The queue board shows parked rows as failed jobs of these two: they are counted as rows. */
const QUEUES_OF_ROWS: readonly string[] = ['stripe-events', 'filemaker-effects'];
/** What the FileMaker check and other sections would tell twice. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set(['FILEMAKER_HALTED', 'FILEMAKER_PAUSED', 'REDIS_AWAY']);

/**
 * Looks at everything that the bridge needs to work, section by section and side by side. Changes nothing, but for the two
 * rows that the FileMaker check leaves. Every question is bounded in time, and a section that fails hides no other.
 */
export async function examine(options: DoctorOptions): Promise<DoctorReport> {
  const at = new Date();
  const config = readConfig(options);
  const looked = new Map<SectionName, Looked>([
    ['configuration', judgeConfiguration(collectConfiguration({ ...options, knownFlows: names(options.flows) }))],
  ]);
  let fix: EndpointFix | null = null;
  if (config !== undefined) {
    const examination = new Examination(options, config, at);
    try {
      for (const [name, found] of await examination.run()) looked.set(name, found);
      fix = examination.fix;
    } finally {
      await examination.close();
    }
  }
  return composeReport({ at, version: BRIDGE_VERSION, looked, fix, runbookOf });
}

/** Does what `report.fix` says. The act stands in the audit table. */
export async function fixEndpoint(options: DoctorOptions, fix: EndpointFix, by: string): Promise<EndpointFixed> {
  const config = loadConfig('cli', options.env);
  const { apiKey, apiBase } = config.stripe;
  if (apiKey === undefined) return { kind: 'refused', code: 'STRIPE_KEY_UNSET', reason: 'STRIPE_API_KEY is not set.' };
  const database = openDatabase(config);
  try {
    return await applyEndpointFix(database, { apiKey, apiBase }, fix, by);
  } finally {
    await database.close();
  }
}

const names = (flows: DoctorOptions['flows']): string[] => flows.map(({ name }) => name);
const openDatabase = (config: Config): Database =>
  createDatabase({ url: config.database.url, poolMax: 4, applicationName: 'bridge-doctor', connectTimeoutMs: 5_000 });

/** Undefined where it has faults: they are told as such, and nothing else can be looked at. */
function readConfig({ env }: DoctorOptions): Config | undefined {
  try {
    return loadConfig('cli', env);
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/** What an app of ours would be given, or its default where its configuration has faults. */
function asApp<R extends Role>(env: NodeJS.ProcessEnv, role: R): Config | undefined {
  try {
    return loadConfig(role, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

class Examination {
  readonly #options: DoctorOptions;
  readonly #config: Config;
  readonly #at: Date;
  readonly #database: Database;
  #producer: Producer | undefined;
  fix: EndpointFix | null = null;

  constructor(options: DoctorOptions, config: Config, at: Date) {
    this.#options = options;
    this.#config = config;
    this.#at = at;
    this.#database = openDatabase(config);
  }

  async close(): Promise<void> {
    await this.#producer?.close();
    await this.#database.close();
  }

  async run(): Promise<[SectionName, Looked][]> {
    const reached = await lookWithin(SECTION_MS, () => this.#postgresql());
    const installation = 'notChecked' in reached ? undefined : await this.#installation();
    const without = 'PostgreSQL has no tables of ours to look into';
    const redis = this.#redis(installation);
    const sections: [SectionName, Promise<Looked>][] = [
      ['postgresql', Promise.resolve(reached)],
      ['redis', lookWithin(SECTION_MS, async () => judged(await redis, judgeRedis))],
      ['clock', lookWithin(SECTION_MS, async () => judgeClock(await this.#clocks(redis)))],
      ['stripe', lookWithin(SECTION_MS, () => this.#stripe(installation))],
      [
        'webhook',
        installation === undefined
          ? Promise.resolve({ notChecked: without })
          : lookWithin(SECTION_MS, () => this.#webhook(installation)),
      ],
      [
        'filemaker',
        installation === undefined
          ? Promise.resolve({ notChecked: without })
          : lookWithin(FILEMAKER_MS, () => this.#filemaker()),
      ],
      [
        'work',
        installation === undefined
          ? Promise.resolve({ notChecked: without })
          : lookWithin(SECTION_MS, () => this.#work(redis)),
      ],
    ];
    return Promise.all(sections.map(async ([name, looked]) => [name, await looked] as [SectionName, Looked]));
  }

  async #postgresql(): Promise<Looked> {
    const { env, migrationSources } = this.#options;
    const poolMax: ConnectionFacts['poolMax'] = {
      ingress: asApp(env, 'ingress')?.database.poolMax ?? 10,
      worker: asApp(env, 'worker')?.database.poolMax ?? 5,
      scheduler: asApp(env, 'scheduler')?.database.poolMax ?? 5,
    };
    const look = async (): Promise<Judged> =>
      judgePostgresql(await collectPostgresql(this.#database, { sources: migrationSources, poolMax }));
    try {
      // A connection that breaks under our hands says little about a server that answers the next time.
      return await look().catch(() => look());
    } catch (error) {
      const answers = await this.#database.ping().then(
        () => true,
        () => false,
      );
      // Whatever went wrong, it was not the way there: that is told as what it is.
      if (answers) throw error;
      return { detail: 'not reached', faults: [connectionFault(error)] };
    }
  }

  /** Undefined while the database is not ours to read: no tables, or not reached. */
  async #installation(): Promise<Installation | undefined> {
    try {
      await this.#database.ping();
      const known = await readInstallation(this.#database);
      await readProcesses(this.#database);
      return known;
    } catch {
      // Why stands with PostgreSQL: away, or not migrated.
      return undefined;
    }
  }

  /** Connects once for all sections. Never rejects. */
  async #redis(installation: Installation | undefined): Promise<RedisFacts | undefined> {
    const { redis } = this.#config;
    if (redis === undefined) return undefined;
    let lastError: Error | undefined;
    const prefix = queuePrefix(redis.prefix, installation?.id ?? 'unknown');
    const producer = createProducer({
      redisUrl: redis.url,
      prefix,
      onError: (error) => {
        lastError = error;
      },
    });
    this.#producer = producer;
    const ready = await isReady(producer, REDIS_MS, () => refusedBy(lastError));
    if (!ready) {
      return { reached: false, refused: refusedBy(lastError), because: reasonOf(lastError, REDIS_MS) };
    }
    try {
      return await collectRedis(producer.redis as unknown as RedisToAsk, `${prefix}:doctor`);
    } catch (error) {
      const named = error instanceof Error ? error : undefined;
      return { reached: false, refused: refusedBy(named), because: reasonOf(named, REDIS_MS) };
    }
  }

  async #clocks(redis: Promise<RedisFacts | undefined>): Promise<ClockReading[]> {
    const { stripe, filemaker } = this.#config;
    const readings = await Promise.all([
      quiet(() => readClock('PostgreSQL', () => postgresqlTime(this.#database), 1)),
      quiet(async () => {
        const facts = await redis;
        const producer = this.#producer;
        if (facts?.reached !== true || producer === undefined) return null;
        return readClock(
          'Redis',
          async () => {
            const [seconds] = await producer.redis.time();
            return new Date(Number(seconds) * 1_000);
          },
          1_000,
        );
      }),
      quiet(() =>
        readClock('Stripe', async () => (await lookAtAddress(stripe.apiBase, { timeoutMs: LOOK_MS })).date, 1_000),
      ),
      quiet(async () => {
        if (filemaker === undefined) return null;
        const client = createFileMakerClient({ ...filemakerOptions(filemaker), timeoutMs: FILEMAKER_CLOCK_MS });
        try {
          return await readClock('FileMaker', () => client.serverTime(), 1_000);
        } finally {
          await client.close();
        }
      }),
    ]);
    return readings.filter((reading) => reading !== null);
  }

  async #stripe(installation: Installation | undefined): Promise<Looked> {
    const { apiKey, apiBase, livemode } = this.#config.stripe;
    if (apiKey === undefined || livemode === undefined)
      return { detail: 'no key', faults: [fault('STRIPE_KEY_UNSET')] };
    const stripe = createStripeClient({ apiKey, apiBase, timeoutMs: STRIPE_MS });
    try {
      const facts = await collectStripeKey(stripe, {
        apiKey,
        livemode,
        production: this.#config.nodeEnv === 'production',
        needed: neededReads(this.#flows()),
        stored: installation === undefined ? null : await readPeerFingerprint(this.#database, 'stripe'),
      });
      return judgeStripeKey(facts);
    } finally {
      await stripe.close();
    }
  }

  async #webhook(installation: Installation): Promise<Looked> {
    const { stripe: given, mode, reconcileFrom } = this.#config;
    const { apiKey, apiBase, delivery } = given;
    if (apiKey === undefined) return { notChecked: 'no Stripe key' };
    const stripe = createStripeClient({ apiKey, apiBase, timeoutMs: STRIPE_MS });
    const wants = [...new Set(this.#flows().flatMap((flow) => flow.wants))];
    const url = this.#options.webhookUrl ?? given.webhookUrl;
    try {
      const endpoints = await listEndpoints(stripe);
      const about = { url, installationId: installation.id };
      const ours = endpoints === null ? undefined : pickOurs(endpoints, about);
      const since = reconcileFrom ?? installation.firstMigratedAt;
      const byWebhook = delivery === 'webhook';
      const [look, pending] = await Promise.all([
        byWebhook && ours?.kind === 'ours' ? lookAtAddress(ours.endpoint.url, { timeoutMs: LOOK_MS }) : null,
        byWebhook ? this.#pending(() => listPending(stripe, { wants, since, at: this.#at })) : [],
      ]);
      if (byWebhook && endpoints !== null) this.fix = planEndpointFix(endpoints, { wants, ...about });
      return judgeWebhook({
        delivery,
        wants,
        observe: mode === 'observe',
        installationId: installation.id,
        url,
        endpoints,
        look: look as AddressSeen | null,
        pending,
        fetchedAt: byWebhook ? null : await readLastFetch(this.#database),
        pullSeconds: asApp(this.#options.env, 'worker')?.stripe.pullSeconds ?? given.pullSeconds,
        at: this.#at,
      });
    } catch (error) {
      if (!(error instanceof StripeCallError)) throw error;
      return { notChecked: `Stripe did not say (${error.code})` };
    } finally {
      await stripe.close();
    }
  }

  /** Without those that we have: then another endpoint of the account is the one that does not take them. */
  async #pending(
    list: () => Promise<{ eventId: string; createdAt: Date }[]>,
  ): Promise<{ eventId: string; createdAt: Date }[]> {
    let listed: { eventId: string; createdAt: Date }[];
    try {
      listed = await list();
    } catch (error) {
      // A key that may not read events is told with the key.
      if (error instanceof StripeCallError && error.code === 'STRIPE_PERMISSION') return [];
      throw error;
    }
    const known = await readKnownEvents(
      this.#database,
      listed.map(({ eventId }) => eventId),
    );
    return listed.filter(({ eventId }) => !known.has(eventId));
  }

  async #filemaker(): Promise<Looked> {
    const { filemaker, redis, invoices } = this.#config;
    if (filemaker === undefined) return { notChecked: 'no FileMaker is configured' };
    const check = await checkFileMaker({
      database: this.#database,
      filemaker,
      redis,
      facts: invoices.facts,
      payload: invoices.payload,
      sessions: false,
    });
    const { version } = check.server;
    const done = check.steps.filter(({ outcome }) => outcome !== 'not-checked').length;
    return {
      detail: `${filemaker.url}, file ${filemaker.database}${version === null ? '' : `, version ${version}`}; ${done} of ${check.steps.length} steps looked at`,
      faults: check.faults.filter(({ code }) => !TOLD_ELSEWHERE.has(code)),
    };
  }

  async #work(redis: Promise<RedisFacts | undefined>): Promise<Looked> {
    const database = this.#database;
    const inbox = createInbox(database);
    const [processes, closures, oldestUnfinishedSeconds, events, effects, succeeded, queues] = await Promise.all([
      readProcesses(database),
      createGates(database, { windows: this.#config.windows }).closures(),
      inbox.oldestUnfinishedSeconds(),
      inbox.counts(),
      createEffectStore(database).counts(),
      listScheduleRuns(database),
      redis.then((facts) => (facts?.reached === true ? this.#queues() : null)),
    ]);
    const parkedEffects = effects.filter(({ state }) => state === 'parked').reduce((sum, { count }) => sum + count, 0);
    return judgeWork({
      living: processes.living,
      closures,
      oldestUnfinishedSeconds,
      parked: { effects: parkedEffects, events: events.parked },
      expected: this.#expectedSchedules(),
      schedules: queues?.schedules ?? null,
      succeeded,
      failedJobs: queues?.failedJobs ?? [],
      at: this.#at,
    });
  }

  async #queues(): Promise<{ schedules: ScheduleSeen[]; failedJobs: { queue: string; count: number }[] } | null> {
    const producer = this.#producer;
    if (producer === undefined) return null;
    const since = this.#at.getTime() - HOUR_MS;
    const found = await Promise.all(
      queueNames
        .filter((name) => !QUEUES_OF_ROWS.includes(name))
        .map(async (name) => {
          const queue = producer.queue(name);
          const [schedulers, failed] = await producer.ask(() =>
            Promise.all([queue.getJobSchedulers(), queue.getFailed(0, FAILED_JOBS_LOOKED_AT - 1)]),
          );
          return {
            schedules: schedulers.map(({ key, next, every }) => ({
              id: key,
              nextAt: next === undefined ? null : new Date(next),
              everyMs: every === undefined ? null : Number(every),
            })),
            failed: { queue: name, count: failed.filter((job) => (job?.finishedOn ?? 0) > since).length },
          };
        }),
    );
    return {
      schedules: found.flatMap(({ schedules }) => schedules),
      failedJobs: found.map(({ failed }) => failed),
    };
  }

  /** Named as the scheduler names them; one that is switched off in the configuration is not missed. */
  #expectedSchedules(): ScheduleExpected[] {
    const { schedules, mode } = this.#config;
    const ofFlows = this.#flows().flatMap(({ name, passes }) =>
      passes.map((pass): ScheduleExpected => {
        const id = `reconcile-${name}-${pass.name}`;
        // Frequent ones say themselves how often they come.
        return { id, everyMs: id in schedules || !('cron' in pass.schedule) ? null : DAY_MS };
      }),
    );
    return [...ofFlows.filter(({ id }) => schedules[id] !== 'off'), ...roundsExpected(mode)];
  }

  #flows(): DoctorOptions['flows'] {
    return this.#options.flows.filter(({ name }) => this.#config.flows.includes(name));
  }
}

function judged<Facts>(facts: Facts | undefined, judge: (facts: Facts) => Judged): Looked {
  return facts === undefined ? { notChecked: 'REDIS_URL is not set here' } : judge(facts);
}

/** A clock that cannot be asked is no difference: its owner's section says that it is away. */
async function quiet<T>(work: () => Promise<T | null>): Promise<T | null> {
  try {
    return await work();
  } catch {
    return null;
  }
}

function filemakerOptions({ url, database, username, password, ca }: NonNullable<Config['filemaker']>) {
  return { url, database, username, password, ca };
}

/** What PostgreSQL or the network said; never the message, which may hold the address with its password. */
function connectionFault(error: unknown): ReturnType<typeof fault> {
  let current = error;
  for (let depth = 0; depth < 10; depth += 1) {
    const cause: unknown = current instanceof Error ? current.cause : undefined;
    if (cause === undefined || cause === null) break;
    current = cause;
  }
  const code: unknown = typeof current === 'object' && current !== null ? Reflect.get(current, 'code') : undefined;
  const told = typeof code === 'string' ? code : 'no answer in time';
  const refused = /^(28P01|28000|3D000|42501|53300)$/.test(told);
  return fault(refused ? 'POSTGRESQL_REFUSED' : 'POSTGRESQL_AWAY', told);
}

const refusedBy = (error: Error | undefined): boolean =>
  /^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH|ERR invalid password)/.test(error?.message ?? '');

function reasonOf(error: Error | undefined, withinMs: number): string {
  const code: unknown = error === undefined ? undefined : Reflect.get(error, 'code');
  if (typeof code === 'string') return code;
  return refusedBy(error) ? (error?.message.split(' ')[0] ?? '') : `no answer within ${withinMs / 1_000} s`;
}

/** Whether Redis takes commands within the time; at once false when it refuses us. */
async function isReady(producer: Producer, withinMs: number, refused: () => boolean): Promise<boolean> {
  if (producer.ready()) return true;
  return new Promise<boolean>((resolve) => {
    const end = (value: boolean): void => {
      clearTimeout(timer);
      producer.redis.off('ready', onReady);
      producer.redis.off('error', onError);
      resolve(value);
    };
    const onReady = (): void => end(true);
    const onError = (): void => {
      if (refused()) end(false);
    };
    const timer = setTimeout(() => end(false), withinMs);
    producer.redis.on('ready', onReady);
    producer.redis.on('error', onError);
  });
}
