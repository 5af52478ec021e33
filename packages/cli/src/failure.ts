import type { Output } from './output';
import { fold } from './table';

/** Ends a command with a sentence for people and a stable code for machines. */
export class CommandError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly exitCode: 1 | 2 | 78 = 1,
  ) {
    super(message);
    this.name = 'CommandError';
  }
}

export interface Failure {
  code: string;
  message: string;
  exitCode: number;
}

/** For standard error. A table begins below the name, which would shift its first row. */
export function failureText({ message }: Pick<Failure, 'message'>, { sentenceWidth }: Output): string {
  return fold(`bridge:${/^\S.*\S {2}.*\n/.test(message) ? '\n' : ' '}${message}`, sentenceWidth);
}

const field = (error: unknown, name: string): unknown =>
  typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;

/** The first cause: the query builder's own message holds the query with its values, which nobody should see. */
function firstCause(error: unknown): unknown {
  let current = error;
  for (let depth = 0; depth < 10; depth += 1) {
    const cause = field(current, 'cause');
    if (cause === undefined || cause === null) break;
    current = cause;
  }
  return current;
}

/** What, and what to do about it. */
const POSTGRESQL: Record<string, string> = {
  '28P01': 'PostgreSQL refuses the password in DATABASE_URL. Put the right one there.',
  '28000': 'PostgreSQL refuses the user in DATABASE_URL. Look at the user there, and at pg_hba.conf of the server.',
  '3D000': 'The database in DATABASE_URL does not exist. Make it (createdb), then run: ./bridge migrate',
  '3F000': 'The database lacks tables. Run: ./bridge migrate',
  '42P01': 'The database lacks tables. Run: ./bridge migrate',
  '42501':
    'The PostgreSQL user in DATABASE_URL lacks a privilege. It must own the database, or have what its owner grants.',
  '53300': 'PostgreSQL has no connection free. Look at max_connections: ./bridge runbook postgresql',
  '57P03': 'PostgreSQL is starting up. Try again in a moment.',
  ENOTFOUND: 'The host in DATABASE_URL is not known. Mend the name there, or the name service of this machine.',
};
const UNTIL_THEN =
  'Nothing can be looked up or recorded until it does; Stripe sends again what comes meanwhile. Start it, or look at DATABASE_URL. More: ./bridge runbook postgresql';
const MIGRATIONS: Record<string, string> = {
  MIGRATION_MISSING:
    'A newer version of the bridge has been at this database. Run that version, or restore the backup from before the upgrade. ',
};
const SETTINGS =
  'Settings come from the environment, else from .env in this folder. ./bridge init asks for them and writes it. More: ./bridge runbook configuration';
const AWAY = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE']);

export function describeFailure(error: unknown): Failure {
  if (error instanceof CommandError) return { code: error.code, message: error.message, exitCode: error.exitCode };
  const code = field(error, 'code');
  if (error instanceof Error && field(error, 'exitCode') === 78)
    return {
      code: typeof code === 'string' ? code : 'CONFIGURATION_FAULTY',
      message: `${error.message}\n${SETTINGS}`,
      exitCode: 78,
    };
  if (error instanceof Error && error.name === 'MigrationError' && typeof code === 'string')
    return {
      code,
      // What is only not applied yet names its command already.
      message:
        code === 'MIGRATION_PENDING'
          ? error.message
          : `${error.message}. ${MIGRATIONS[code] ?? ''}More: ./bridge runbook migrations`,
      exitCode: 1,
    };
  const cause = firstCause(error);
  const causeCode = field(cause, 'code');
  const text = cause instanceof Error ? cause.message : '';
  if (typeof causeCode === 'string') {
    const known = POSTGRESQL[causeCode];
    if (known !== undefined) return { code: 'POSTGRESQL_REFUSED', message: known, exitCode: 1 };
    if (AWAY.has(causeCode))
      return {
        code: 'POSTGRESQL_AWAY',
        message: `PostgreSQL does not answer (${causeCode}). ${UNTIL_THEN}`,
        exitCode: 1,
      };
    return { code: 'FAILED', message: `Failed (${causeCode}): ${text}`, exitCode: 1 };
  }
  if (/timeout|terminated/i.test(text))
    return { code: 'POSTGRESQL_AWAY', message: `PostgreSQL does not answer in time. ${UNTIL_THEN}`, exitCode: 1 };
  return { code: 'FAILED', message: `Failed: ${text === '' ? 'no reason was given' : text}`, exitCode: 1 };
}
