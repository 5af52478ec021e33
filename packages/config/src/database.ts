import { z } from 'zod';
import { address, trueOrFalse, wholeNumber } from './parsers';
import { variable } from './variable';

export const databaseVariables = z.object({
  DATABASE_URL: variable(address('postgresql:', 'postgres:'), {
    default: 'none, required',
    meaning:
      'PostgreSQL 15 or newer, as postgresql://user:password@host:port/database. It owns every fact. Behind PgBouncer only in session mode: named statements and settings of the connection are used.',
    secret: true,
  }),
  DATABASE_POOL_MAX: variable(wholeNumber(1, 200), {
    default: 'worker 5, ingress 10, scheduler 5, cli 2',
    meaning:
      'Connections this process may hold. Too few: webhooks and jobs wait for each other; too many: the sum over all processes passes max_connections of the server.',
  }),
  MIGRATE_ON_START: variable(trueOrFalse, {
    default: 'false',
    meaning: 'true: bring the database up to date before starting. Otherwise run `bridge migrate` at each deployment.',
  }),
});

/** `DATABASE_URL` and `DATABASE_POOL_MAX`. */
export interface DatabaseConfig {
  /** Secret. */
  readonly url: string;
  /** Connections. */
  readonly poolMax: number;
}
