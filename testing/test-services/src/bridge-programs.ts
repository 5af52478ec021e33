import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from './service-error';
import { type ProcessOptions, type RunningProcess, startProcess } from './start-process';

const root = join(__dirname, '../../..');
const startTimeoutMs = 60_000;
const controlTimeoutMs = 330_000;

/** Environment variables for one program. */
export type Values = Readonly<Record<string, string>>;

/** An app of the bridge as a process. */
export interface RunningApp {
  readonly process: RunningProcess;
  /** The public side; undefined for an app that has none. */
  readonly url: string | undefined;
}

/** A simulator as a process, and its control. */
export interface RunningSimulator {
  readonly process: RunningProcess;
  readonly control: SimulatorControl;
}

type Listening = Pick<ProcessOptions, 'onLine'>;

/** The event types for which a person registers the bridge's endpoint at Stripe: what the flow `invoices` wants. */
export const wantedEvents = [
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'checkout.session.expired',
  'payment_intent.succeeded',
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
  'charge.dispute.closed',
];

/**
 * What every app has to be told to work with these: databases that are empty at first, and simulators as they stand at
 * their start, with the script kit's log and hand-off. What a test is about it adds or overrides.
 */
export function appValues(parts: { databaseUrl: string; redisUrl: string; stripeUrl: string; filemakerUrl: string }) {
  return {
    DATABASE_URL: parts.databaseUrl,
    REDIS_URL: parts.redisUrl,
    MIGRATE_ON_START: 'true',
    OPS_PORT: '0',
    STRIPE_API_KEY: 'sk_test_simulator',
    STRIPE_API_BASE: parts.stripeUrl,
    FILEMAKER_URL: parts.filemakerUrl,
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
    FILEMAKER_PASSWORD: 'bridge',
    FILEMAKER_LOG_LAYOUT: 'bridge_log',
    FILEMAKER_HANDOFF_LAYOUT: 'bridge_handoff',
  };
}

/** The control side of a simulator: JSON in, JSON out, an error for anything but 2xx. */
export class SimulatorControl {
  constructor(readonly url: string) {}

  async ask<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(`${this.url}/_simulator${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(controlTimeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return JSON.parse(text) as Answer;
  }
}

/** An app of the bridge as it was built last, as a process of its own that listens. */
export async function startApp(
  app: 'ingress' | 'worker' | 'scheduler',
  values: Values,
  listening: Listening = {},
): Promise<RunningApp> {
  const process = await startProgram(`apps/${app}`, values, '"listening"', listening);
  return { process, url: announced(process, '"listening"').url };
}

/** A simulator as it was built last, on a free port. */
export async function startSimulator(name: 'stripe' | 'filemaker', values: Values): Promise<RunningSimulator> {
  const process = await startProgram(`testing/${name}-simulator`, { PORT: '0', ...values }, '"simulator"', {});
  return { process, control: new SimulatorControl(announced(process, '"simulator"').url ?? '') };
}

/** The environment is made anew: nothing of the machine's own configuration may reach the program. */
function startProgram(folder: string, values: Values, ready: string, listening: Listening): Promise<RunningProcess> {
  const file = join(root, folder, 'dist/main.js');
  if (!existsSync(file)) throw new ServiceError('PROCESS_DID_NOT_START', `${folder} is not built; run: npm run build`);
  return startProcess(process.execPath, [file], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...values },
    cwd: root,
    readyWhen: (line) => line.includes(ready),
    readyTimeoutMs: startTimeoutMs,
    ...listening,
  });
}

function announced(process: RunningProcess, ready: string): { url?: string } {
  return JSON.parse(process.lines.find((line) => line.includes(ready)) ?? '{}') as { url?: string };
}
