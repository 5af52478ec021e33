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

const POSTGRESQL: Record<string, string> = {
  '28P01': 'PostgreSQL refuses the password in DATABASE_URL.',
  '28000': 'PostgreSQL refuses the user in DATABASE_URL.',
  '3D000': 'The database in DATABASE_URL does not exist.',
  '3F000': 'The database lacks tables. Run: ./bridge migrate',
  '42P01': 'The database lacks tables. Run: ./bridge migrate',
  '42501': 'The PostgreSQL user in DATABASE_URL lacks a privilege.',
  '57P03': 'PostgreSQL is starting up.',
  ENOTFOUND: 'The host in DATABASE_URL is not known.',
};
const AWAY = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE']);

export function describeFailure(error: unknown): Failure {
  if (error instanceof CommandError) return { code: error.code, message: error.message, exitCode: error.exitCode };
  const code = field(error, 'code');
  if (error instanceof Error && field(error, 'exitCode') === 78)
    return { code: typeof code === 'string' ? code : 'CONFIGURATION_FAULTY', message: error.message, exitCode: 78 };
  if (error instanceof Error && error.name === 'MigrationError' && typeof code === 'string')
    return { code, message: error.message, exitCode: 1 };
  const cause = firstCause(error);
  const causeCode = field(cause, 'code');
  const text = cause instanceof Error ? cause.message : '';
  if (typeof causeCode === 'string') {
    const known = POSTGRESQL[causeCode];
    if (known !== undefined) return { code: 'POSTGRESQL_REFUSED', message: known, exitCode: 1 };
    if (AWAY.has(causeCode))
      return { code: 'POSTGRESQL_AWAY', message: `PostgreSQL does not answer (${causeCode}).`, exitCode: 1 };
    return { code: 'FAILED', message: `Failed (${causeCode}): ${text}`, exitCode: 1 };
  }
  if (/timeout|terminated/i.test(text))
    return { code: 'POSTGRESQL_AWAY', message: 'PostgreSQL does not answer in time.', exitCode: 1 };
  return { code: 'FAILED', message: `Failed: ${text === '' ? 'no reason was given' : text}`, exitCode: 1 };
}
