import { z } from 'zod';
import { list, origin, text, verbatim, wholeNumber } from './parsers';
import { type Role, variable } from './variable';

const roles: readonly Role[] = ['worker', 'scheduler', 'cli'];

const tokenKeyFault = (part: string): string | undefined =>
  /^[A-Za-z0-9+/]{43}=$/.test(part)
    ? undefined
    : 'must be base64 of exactly 32 bytes; make one with `openssl rand -base64 32`';

export const filemakerVariables = z.object({
  FILEMAKER_URL: variable(origin('loopback'), {
    default: 'none, required by the worker while the invoices flow is on',
    meaning:
      'Scheme, host and port of the FileMaker Server whose Data API is used, for example https://fm.example.com.',
    roles,
  }),
  FILEMAKER_DATABASE: variable(text, {
    default: 'none',
    meaning: 'Name of the one FileMaker file, without .fmp12.',
    roles,
  }),
  FILEMAKER_USERNAME: variable(verbatim, {
    default: 'none',
    meaning: 'Account in that file with the extended privilege fmrest.',
    roles,
  }),
  FILEMAKER_PASSWORD: variable(verbatim, {
    default: 'none',
    meaning: 'Its password, taken as it stands, spaces included.',
    secret: true,
    roles,
  }),
  FILEMAKER_CA_FILE: variable(text, {
    default: 'none',
    accepts: 'path of a file',
    meaning: 'PEM file with the certificates to trust for FILEMAKER_URL, for a server with a private certificate.',
    roles,
  }),
  FILEMAKER_MAX_SESSIONS: variable(wholeNumber(1, 1_000), {
    default: '5',
    meaning:
      'FileMaker sessions the bridge may hold, all processes together: exactly this number. Leave the rest of the licence to people.',
    roles,
  }),
  FILEMAKER_LAYOUT: variable(text, {
    default: 'web_invoices',
    meaning: 'Layout in whose context the script of a paid Session runs. The BRIDGE_CONFIG file wins.',
    roles,
  }),
  FILEMAKER_SCRIPT: variable(text, {
    default: 'STRIPE_PAYMENTLINK_SUCCESS',
    meaning: 'Script a paid Session runs. The BRIDGE_CONFIG file wins.',
    roles,
  }),
  FILEMAKER_LOG_LAYOUT: variable(text, {
    default: 'none',
    meaning:
      "Layout of the script kit's log: where the cross-check looks. Set means that the scripts speak the kit's contract.",
    roles,
  }),
  FILEMAKER_LOG_KEY_FIELD: variable(text, {
    default: 'idempotency_key',
    meaning: 'Field of that log that holds the key of the effect.',
    roles,
  }),
  FILEMAKER_LOG_STATE_FIELD: variable(text, {
    default: 'state',
    meaning: 'Field of that log that holds started, done or failed.',
    roles,
  }),
  FILEMAKER_LOG_RESULT_FIELD: variable(text, {
    default: 'result',
    meaning: 'Field of that log that holds what the script answered.',
    roles,
  }),
  FILEMAKER_HANDOFF_LAYOUT: variable(text, {
    default: 'none',
    meaning: 'Set: every payload goes as a created record on this layout, with the script in the same request.',
    roles,
  }),
  FILEMAKER_TIMEOUT_SECONDS: variable(wholeNumber(1, 3_600), {
    default: '60',
    meaning: 'Seconds to wait for one answer of FileMaker. What is unheard by then is unknown and gets cross-checked.',
    roles,
  }),
  FILEMAKER_SCRIPT_MAX_SECONDS: variable(wholeNumber(1, 86_400), {
    default: '120',
    meaning:
      'Longest a script can run. "Not there" counts as proof only after this time. Too small: a script still at work is run again.',
    roles,
  }),
  FILEMAKER_TOKEN_KEY: variable(list(tokenKeyFault), {
    default: 'none, required when NODE_ENV is production',
    accepts: 'base64 of 32 bytes, comma-separated',
    meaning: 'base64 of 32 bytes that seals session tokens at rest; comma-separated for rotation, the first one seals.',
    secret: true,
    roles,
  }),
});

/** Where the script kit's log stands: its layout, and the names of three of its fields. */
export interface FilemakerLogConfig {
  readonly layout: string;
  readonly keyField: string;
  readonly stateField: string;
  readonly resultField: string;
}

/** The `FILEMAKER_…` variables. Undefined: unset. */
export interface FilemakerConfig {
  /** Origin, no trailing slash. */
  readonly url: string;
  readonly database: string;
  readonly username: string;
  /** Secret. */
  readonly password: string;
  /** The PEM text of FILEMAKER_CA_FILE. */
  readonly ca: string | undefined;
  readonly maxSessions: number;
  readonly layout: string;
  readonly script: string;
  readonly log: FilemakerLogConfig | undefined;
  readonly handoffLayout: string | undefined;
  readonly timeoutSeconds: number;
  readonly scriptMaxSeconds: number;
  /** Secret. 32 bytes each; the first one seals, all of them open. Undefined only outside production. */
  readonly tokenKeys: readonly Buffer[] | undefined;
}
