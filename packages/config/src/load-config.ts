import { readFileSync } from 'node:fs';
import { type BridgeFile, parseBridgeFile } from './bridge-file';
import { ConfigurationError, type ConfigurationFault } from './configuration-error';
import type { BillingApiConfig, ConsoleConfig, NoticesConfig } from './console';
import type { DatabaseConfig } from './database';
import type { FilemakerConfig } from './filemaker';
import { isLoopback } from './parsers';
import type { ListenConfig } from './process';
import { readEnvironment, reasonOf } from './read-environment';
import type { RedisConfig } from './redis';
import { type InvoicesConfig, resolveInvoices } from './resolve-invoices';
import { resolveSchedules, type ScheduleConfig } from './resolve-schedules';
import { resolveWindows, type WindowConfig } from './resolve-windows';
import type { StripeConfig } from './stripe';
import type { Role } from './variable';
import type { Environment, VariableName } from './variables';
import { withholdSecrets } from './withhold-secrets';

/** Everything a process may want to know from outside, read once and frozen. */
export interface Config {
  readonly role: Role;
  readonly nodeEnv: string;
  readonly mode: 'live' | 'observe';
  /** Names of the flows that are on. */
  readonly flows: readonly string[];
  readonly database: DatabaseConfig;
  readonly migrateOnStart: boolean;
  /** Undefined only for the cli. */
  readonly redis: RedisConfig | undefined;
  /** The public side; only the ingress and the scheduler have one. */
  readonly http: ListenConfig | undefined;
  /** `/healthz`, `/readyz`, `/metrics`; the cli has none. */
  readonly ops: ListenConfig | undefined;
  readonly shutdownSeconds: number;
  readonly workerConcurrency: number;
  readonly stripe: StripeConfig;
  /** Undefined in the ingress, where no FileMaker is configured, and in the command line without its password. */
  readonly filemaker: FilemakerConfig | undefined;
  readonly invoices: InvoicesConfig;
  /** Maintenance windows, in the order of the file. */
  readonly windows: readonly WindowConfig[];
  readonly reconcileFrom: Date | undefined;
  /** By the name of the schedule; what is not named keeps its default. */
  readonly schedules: Readonly<Record<string, ScheduleConfig>>;
  /** The BRIDGE_CONFIG file as it stands, defaults filled in; `invoices` has it joined with the shorthand variables. */
  readonly bridgeFile: BridgeFile | undefined;
  readonly console: ConsoleConfig;
  readonly billingApi: BillingApiConfig;
  readonly notices: NoticesConfig;
  readonly timezone: string;
  /** After midnight by the clock of `timezone`. */
  readonly closeDayMinutes: number;
  readonly inboxBodyDays: number;
  readonly logLevel: NonNullable<Environment['LOG_LEVEL']>;
}

/** What `loadConfig` guarantees beyond `Config` for each role. */
export interface ConfigByRole {
  ingress: Config & { readonly redis: RedisConfig; readonly http: ListenConfig; readonly ops: ListenConfig };
  worker: Config & {
    readonly redis: RedisConfig;
    readonly ops: ListenConfig;
    readonly stripe: StripeConfig & { readonly apiKey: string; readonly livemode: boolean };
  };
  scheduler: Config & { readonly redis: RedisConfig; readonly http: ListenConfig; readonly ops: ListenConfig };
  cli: Config;
}

const poolMax: Record<Role, number> = { ingress: 10, worker: 5, scheduler: 5, cli: 2 };
const httpPort: Partial<Record<Role, number>> = { ingress: 3000, scheduler: 3002 };
const opsPort: Partial<Record<Role, number>> = { ingress: 9464, worker: 9465, scheduler: 9466 };

/** A script that is running when SIGTERM comes gets its whole patience, then this long to be settled. */
const settleSeconds = 10;

/**
 * Reads, checks and freezes the configuration of one process. With `knownFlows` (the names of `flows/index.ts`, which
 * this package must not import) a name in FLOWS that is not among them is a fault.
 * @throws ConfigurationError with every fault at once.
 */
export function loadConfig<R extends Role>(
  role: R,
  env: NodeJS.ProcessEnv = process.env,
  options: { knownFlows?: readonly string[] } = {},
): ConfigByRole[R] {
  const { config, faults } = readSoundConfig(role, env, options);
  if (faults.length > 0) throw new ConfigurationError(faults);
  // Without a fault it has what the role's type says beyond Config.
  return config as ConfigByRole[R];
}

/**
 * For looking at an installation only, never for working: what the sound part of the settings says, beside every fault.
 * A variable that is faulty or missing counts as unset, so its default stands there: whoever reads `config` must leave
 * alone what a name in `faults` decides. Never throws on a fault. Without one, `config` is what `loadConfig` gives.
 */
export function readSoundConfig(
  role: Role,
  env: NodeJS.ProcessEnv,
  options: { knownFlows?: readonly string[] } = {},
): { config: Config; faults: readonly ConfigurationFault[] } {
  const { values, faults, faulty } = readEnvironment(role, env);
  const fault = (variable: string, message: string): void => {
    faults.push({ variable, message });
  };
  /** A missing variable is named once: not again when it was given but is faulty. */
  const need = (name: VariableName, why: string): void => {
    if (values[name] === undefined && !faulty.has(name)) fault(name, `is missing: ${why}`);
  };

  need('DATABASE_URL', 'the bridge keeps everything in PostgreSQL');
  if (role !== 'cli') need('REDIS_URL', 'the queues are in Redis');

  const file = readBridgeFile(values.BRIDGE_CONFIG, faults);
  const stripe = readStripe(role, values, need, fault);
  const flows = values.FLOWS ?? ['invoices'];
  const { knownFlows } = options;
  if (knownFlows !== undefined && flows.some((name) => !knownFlows.includes(name))) {
    fault('FLOWS', `names a flow that this build does not have; there are: ${knownFlows.join(', ')}`);
  }
  const filemaker = readFilemaker(role, values, flows.includes('invoices'), need, fault, faults);
  const invoices = resolveInvoices(values, file, fault);
  const timezone = values.TIMEZONE ?? 'UTC';
  const windows = resolveWindows(file, { timeZone: timezone, knownFlows }, fault);

  const leastShutdown = (values.FILEMAKER_TIMEOUT_SECONDS ?? 60) + settleSeconds;
  const shutdownSeconds = values.SHUTDOWN_SECONDS ?? (role === 'worker' ? leastShutdown : 25);
  if (role === 'worker' && shutdownSeconds < leastShutdown && !faulty.has('FILEMAKER_TIMEOUT_SECONDS')) {
    fault(
      'SHUTDOWN_SECONDS',
      `must be at least FILEMAKER_TIMEOUT_SECONDS + ${settleSeconds}, which is ${leastShutdown}`,
    );
  }

  const listen = (host: string, port: number | undefined): ListenConfig | undefined =>
    port === undefined ? undefined : { host, port };
  const config: Config = {
    role,
    nodeEnv: values.NODE_ENV ?? 'development',
    mode: values.MODE ?? 'live',
    flows,
    database: withholdSecrets({ url: values.DATABASE_URL ?? '', poolMax: values.DATABASE_POOL_MAX ?? poolMax[role] }, [
      'url',
    ]),
    migrateOnStart: values.MIGRATE_ON_START ?? false,
    redis:
      values.REDIS_URL === undefined
        ? undefined
        : withholdSecrets({ url: values.REDIS_URL, prefix: values.QUEUE_PREFIX ?? 'bridge' }, ['url']),
    http: listen(values.HOST ?? '0.0.0.0', httpPort[role] === undefined ? undefined : (values.PORT ?? httpPort[role])),
    ops: listen(
      values.OPS_HOST ?? '127.0.0.1',
      opsPort[role] === undefined ? undefined : (values.OPS_PORT ?? opsPort[role]),
    ),
    shutdownSeconds,
    workerConcurrency: values.WORKER_CONCURRENCY ?? 50,
    stripe,
    filemaker,
    invoices,
    windows,
    reconcileFrom: values.RECONCILE_FROM,
    schedules: resolveSchedules(file),
    bridgeFile: file,
    console: withholdSecrets({ url: values.CONSOLE_URL, admin: values.CONSOLE_ADMIN?.trim() }, ['admin']),
    billingApi: withholdSecrets({ keys: values.API_KEYS ?? [], port: values.API_PORT }, ['keys']),
    notices: withholdSecrets(
      {
        smtpUrl: values.SMTP_URL,
        mailFrom: values.MAIL_FROM,
        alertEmailTo: values.ALERT_EMAIL_TO ?? [],
        reportEmailTo: values.REPORT_EMAIL_TO ?? [],
        slackWebhookUrl: values.SLACK_WEBHOOK_URL,
        alertWebhookUrl: values.ALERT_WEBHOOK_URL,
        heartbeatUrl: values.HEARTBEAT_URL,
      },
      ['smtpUrl', 'slackWebhookUrl', 'alertWebhookUrl', 'heartbeatUrl'],
    ),
    timezone,
    closeDayMinutes: values.CLOSE_DAY_AFTER_MINUTES ?? 30,
    inboxBodyDays: values.INBOX_BODY_DAYS ?? 90,
    logLevel: values.LOG_LEVEL ?? 'info',
  };
  return { config: freezeDeeply(config), faults };
}

type Need = (name: VariableName, why: string) => void;
type Fault = (variable: string, message: string) => void;

function readBridgeFile(path: string | undefined, faults: ConfigurationFault[]): BridgeFile | undefined {
  if (path === undefined) return undefined;
  let yamlText: string;
  try {
    yamlText = readFileSync(path, 'utf8');
  } catch (error) {
    faults.push({ variable: 'BRIDGE_CONFIG', message: `names a file that cannot be read (${reasonOf(error)})` });
    return undefined;
  }
  const parsed = parseBridgeFile(yamlText);
  if ('file' in parsed) return parsed.file;
  faults.push(...parsed.faults);
  return undefined;
}

function readStripe(role: Role, values: Partial<Environment>, need: Need, fault: Fault): StripeConfig {
  const apiKey = values.STRIPE_API_KEY;
  const livemode = apiKey === undefined ? undefined : apiKey.includes('_live_');
  const delivery = values.STRIPE_DELIVERY ?? 'webhook';
  if (role === 'worker') need('STRIPE_API_KEY', 'the worker reads every payment at Stripe before it acts');
  if (role === 'ingress' && delivery === 'webhook') {
    need('STRIPE_WEBHOOK_SECRETS', 'without it no webhook can be verified; STRIPE_DELIVERY=pull does without');
  }
  const apiBase = values.STRIPE_API_BASE ?? 'https://api.stripe.com';
  const base = new URL(apiBase);
  if (livemode === true && base.protocol === 'http:' && !isLoopback(base)) {
    fault('STRIPE_API_BASE', 'would send a live key unencrypted to another machine');
  }
  return withholdSecrets(
    {
      apiKey,
      livemode,
      apiBase,
      webhookSecrets: values.STRIPE_WEBHOOK_SECRETS ?? [],
      webhookUrl: values.STRIPE_WEBHOOK_URL,
      delivery,
      pullSeconds: values.STRIPE_PULL_SECONDS ?? 60,
      readsPerSecond: values.STRIPE_READS_PER_SECOND ?? (livemode === true ? 40 : 12),
      readsInThirtyDays: values.STRIPE_READS_PER_MONTH,
    },
    ['apiKey', 'webhookSecrets'],
  );
}

function readFilemaker(
  role: Role,
  values: Partial<Environment>,
  wanted: boolean,
  need: Need,
  fault: Fault,
  faults: readonly ConfigurationFault[],
): FilemakerConfig | undefined {
  const given = [
    values.FILEMAKER_URL,
    values.FILEMAKER_DATABASE,
    values.FILEMAKER_USERNAME,
    values.FILEMAKER_PASSWORD,
  ].some((value) => value !== undefined);
  if (!given && !(role === 'worker' && wanted)) return undefined;
  need('FILEMAKER_URL', 'the scripts run on a FileMaker Server');
  need('FILEMAKER_DATABASE', 'FileMaker asks for it at login');
  need('FILEMAKER_USERNAME', 'FileMaker asks for it at login');
  // A person's commands read PostgreSQL; the password may be one that only the service gets (systemd's LoadCredential).
  const named = [values.FILEMAKER_URL, values.FILEMAKER_DATABASE, values.FILEMAKER_USERNAME].every(Boolean);
  if (role !== 'cli' || !named) need('FILEMAKER_PASSWORD', 'FileMaker asks for it at login');
  if (role === 'worker' && values.NODE_ENV === 'production') {
    need('FILEMAKER_TOKEN_KEY', 'in production session tokens are sealed at rest; `openssl rand -base64 32` makes one');
  }
  const ca = readCertificates(values.FILEMAKER_CA_FILE, fault);
  const { FILEMAKER_URL: url, FILEMAKER_DATABASE: database } = values;
  const { FILEMAKER_USERNAME: username, FILEMAKER_PASSWORD: password } = values;
  if (url === undefined || database === undefined || username === undefined || password === undefined) {
    // `need` or the parser has said so already; were neither true, going on without FileMaker would be silent.
    if (faults.length === 0 && role !== 'cli')
      fault('FILEMAKER_URL', 'is incomplete: URL, database, user name and password are needed');
    return undefined;
  }
  return withholdSecrets(
    {
      url,
      database,
      username,
      password,
      ca,
      maxSessions: values.FILEMAKER_MAX_SESSIONS ?? 5,
      layout: values.FILEMAKER_LAYOUT ?? 'web_invoices',
      script: values.FILEMAKER_SCRIPT ?? 'STRIPE_PAYMENTLINK_SUCCESS',
      log:
        values.FILEMAKER_LOG_LAYOUT === undefined
          ? undefined
          : {
              layout: values.FILEMAKER_LOG_LAYOUT,
              keyField: values.FILEMAKER_LOG_KEY_FIELD ?? 'idempotency_key',
              stateField: values.FILEMAKER_LOG_STATE_FIELD ?? 'state',
              resultField: values.FILEMAKER_LOG_RESULT_FIELD ?? 'result',
            },
      handoffLayout: values.FILEMAKER_HANDOFF_LAYOUT,
      timeoutSeconds: values.FILEMAKER_TIMEOUT_SECONDS ?? 60,
      scriptMaxSeconds: values.FILEMAKER_SCRIPT_MAX_SECONDS ?? 120,
      tokenKeys: values.FILEMAKER_TOKEN_KEY?.map((key) => Buffer.from(key, 'base64')),
    },
    ['password', 'tokenKeys'],
  );
}

function readCertificates(path: string | undefined, fault: Fault): string | undefined {
  if (path === undefined) return undefined;
  try {
    const pem = readFileSync(path, 'utf8');
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
    fault('FILEMAKER_CA_FILE', 'names a file without a PEM certificate in it');
  } catch (error) {
    fault('FILEMAKER_CA_FILE', `names a file that cannot be read (${reasonOf(error)})`);
  }
  return undefined;
}

/** Buffers cannot be frozen (V8 refuses typed arrays with elements) and dates are left as they are. */
function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value;
  Object.values(value).forEach(freezeDeeply);
  return Object.freeze(value);
}
