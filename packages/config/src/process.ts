import { z } from 'zod';
import { list, oneOf, text, wholeNumber } from './parsers';
import { variable } from './variable';

const port = wholeNumber(0, 65_535);
const host = text.refine((value) => /^[A-Za-z0-9.:_-]{1,253}$/.test(value), {
  message: 'must be a host name or an IP address to listen on',
});

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

export const processVariables = z.object({
  NODE_ENV: variable(text, {
    default: 'development',
    meaning: '`production` makes FILEMAKER_TOKEN_KEY a must.',
  }),
  MODE: variable(oneOf('live', 'observe'), {
    default: 'live',
    meaning:
      '`observe` decides and records, and performs nothing at any peer. What was recorded before the bridge first performed runs only after `./bridge golive`.',
  }),
  FLOWS: variable(
    list((name) => (/^[a-z][a-z0-9-]{0,39}$/.test(name) ? undefined : 'is not the name of a flow')),
    {
      default: 'invoices',
      accepts: 'names of flows, comma-separated',
      meaning: 'The flows that are on, comma-separated.',
    },
  ),
  HOST: variable(host, {
    default: '0.0.0.0',
    accepts: 'host name or IP address',
    meaning: 'Address the public side listens on.',
    roles: ['ingress', 'scheduler'],
  }),
  PORT: variable(port, {
    default: 'ingress 3000, scheduler 3002',
    meaning: 'Port of the public side. 0: any free port, printed in the `listening` line.',
    roles: ['ingress', 'scheduler'],
  }),
  OPS_HOST: variable(host, {
    default: '127.0.0.1',
    accepts: 'host name or IP address',
    meaning: 'Address of /healthz, /readyz and /metrics. They have no login: keep them off the public side.',
    roles: ['ingress', 'worker', 'scheduler'],
  }),
  OPS_PORT: variable(port, {
    default: 'ingress 9464, worker 9465, scheduler 9466',
    meaning: 'Port of /healthz, /readyz and /metrics. 0: any free port, printed in the `listening` line.',
    roles: ['ingress', 'worker', 'scheduler'],
  }),
  SHUTDOWN_SECONDS: variable(wholeNumber(1, 3_600), {
    default: 'worker: FILEMAKER_TIMEOUT_SECONDS + 10, others 25',
    meaning:
      'Seconds from SIGTERM to the end. Give the platform more (stop_grace_period, terminationGracePeriodSeconds). Less than FILEMAKER_TIMEOUT_SECONDS + 10 on a worker is a fault: a script would be cut off and become unknown.',
    roles: ['ingress', 'worker', 'scheduler'],
  }),
  WORKER_CONCURRENCY: variable(wholeNumber(1, 1_000), {
    default: '50',
    meaning: 'Jobs in hand per worker. Not a limit on FileMaker: FILEMAKER_MAX_SESSIONS is.',
    roles: ['worker'],
  }),
  LOG_LEVEL: variable(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), {
    default: 'info',
    meaning: 'The least severe log line that is written.',
  }),
  TIMEZONE: variable(
    text.refine(isTimezone, { message: 'must be a time zone name, for example UTC or America/Chicago' }),
    {
      default: 'UTC',
      accepts: 'name of a time zone, such as `America/Chicago`',
      meaning: 'Zone of days and times in reports, the close of a day, and maintenance windows.',
    },
  ),
  CLOSE_DAY_AFTER_MINUTES: variable(wholeNumber(0, 1_439), {
    default: '30',
    meaning:
      'Minutes after midnight, by the clock of TIMEZONE, at which the day before is closed and mailed. Money that is seen later is a correction of the next day.',
    roles: ['worker'],
  }),
  INBOX_BODY_DAYS: variable(wholeNumber(1, 3_650), {
    default: '90',
    meaning:
      "Days the body of an event, the bytes sent for an effect and FileMaker's answer are kept; each night what is older and settled is erased, since it holds customer data. Rows stay, with ids, amounts, states and digests, and so does the record of who did what and why.",
  }),
});

/** Where a server listens. */
export interface ListenConfig {
  readonly host: string;
  /** 0 means any free port. */
  readonly port: number;
}
