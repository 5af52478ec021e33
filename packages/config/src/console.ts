import { z } from 'zod';
import { address, list, text, verbatim, wholeNumber } from './parsers';
import { type Role, variable } from './variable';

const senders: readonly Role[] = ['worker', 'scheduler'];

export const consoleVariables = z.object({
  CONSOLE_URL: variable(address('https:', 'http:'), {
    default: 'none',
    meaning: 'Address of the status page as people see it; links in alerts and mails begin with it.',
    roles: senders,
  }),
  CONSOLE_ADMIN: variable(
    verbatim.refine((value) => /^[^\s:]{1,64}:\S+$/.test(value.trim()), {
      message: 'must be name:password-hash; `bridge user add` makes one',
    }),
    {
      default: 'none: nobody can log in',
      accepts: '`name:password-hash`',
      meaning: 'Seeds the first operator as name:password-hash. The others live in PostgreSQL.',
      secret: true,
      roles: ['scheduler', 'cli'],
    },
  ),
});

export const billingApiVariables = z.object({
  API_KEYS: variable(list(), {
    default: 'none: the billing API is off',
    notYet: 'The billing API is not built yet.',
    meaning: 'Keys that callers of /v1 present, comma-separated.',
    secret: true,
    roles: ['ingress'],
  }),
  API_PORT: variable(wholeNumber(0, 65_535), {
    default: 'none: the billing API shares PORT',
    notYet: 'The billing API is not built yet.',
    meaning: 'A port of its own for /v1.',
    roles: ['ingress'],
  }),
});

export const noticeVariables = z.object({
  SMTP_URL: variable(address('smtp:', 'smtps:'), {
    default: 'none: no mail',
    meaning: 'Mail server as smtps://user:password@host:port; `smtp:` takes TLS as soon as the server offers it.',
    secret: true,
    roles: senders,
  }),
  MAIL_FROM: variable(text, {
    default: 'none',
    meaning: 'Sender of every mail: an address, or a name with an address in angle brackets.',
    roles: senders,
  }),
  ALERT_EMAIL_TO: variable(list(), {
    default: 'none',
    notYet: 'Not built yet.',
    meaning: 'Who gets alerts by mail, comma-separated.',
    roles: senders,
  }),
  REPORT_EMAIL_TO: variable(list(), {
    default: 'none',
    meaning: 'Who gets the mail about each closed day, comma-separated. Needs SMTP_URL and MAIL_FROM.',
    roles: senders,
  }),
  SLACK_WEBHOOK_URL: variable(address('https:', 'http:'), {
    default: 'none',
    notYet: 'Not built yet.',
    meaning: 'Incoming webhook of Slack that gets alerts.',
    secret: true,
    roles: senders,
  }),
  ALERT_WEBHOOK_URL: variable(address('https:', 'http:'), {
    default: 'none',
    notYet: 'Not built yet.',
    meaning: 'Address that gets every alert as a JSON POST.',
    secret: true,
    roles: senders,
  }),
  HEARTBEAT_URL: variable(address('https:', 'http:'), {
    default: 'none',
    notYet: 'Not built yet.',
    meaning: 'Address fetched while all is well, so that an outside watcher notices silence.',
    secret: true,
    roles: senders,
  }),
});

/** `CONSOLE_URL` and `CONSOLE_ADMIN`. Undefined: unset. */
export interface ConsoleConfig {
  readonly url: string | undefined;
  /** Secret: `name:password-hash`. */
  readonly admin: string | undefined;
}

/** `API_KEYS` and `API_PORT`. Undefined: unset. */
export interface BillingApiConfig {
  /** Secret. Empty: the API is off. */
  readonly keys: readonly string[];
  readonly port: number | undefined;
}

/** Where mail and alerts go. Undefined or empty: off. */
export interface NoticesConfig {
  /** Secret. */
  readonly smtpUrl: string | undefined;
  readonly mailFrom: string | undefined;
  readonly alertEmailTo: readonly string[];
  readonly reportEmailTo: readonly string[];
  /** Secret. */
  readonly slackWebhookUrl: string | undefined;
  /** Secret. */
  readonly alertWebhookUrl: string | undefined;
  /** Secret. */
  readonly heartbeatUrl: string | undefined;
}
