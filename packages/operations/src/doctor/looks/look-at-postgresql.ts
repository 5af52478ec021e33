import { type Installation, readInstallation } from '@bridge/installation';
import { readProcesses } from '../../tables/read-processes';
import { fault, type Judged } from '../fault';
import { type ConnectionFacts, collectPostgresql, judgePostgresql } from '../postgresql';
import type { Looked } from '../report';
import { asApp, type WithDatabase } from './examination';

/** Version, migrations and connections; a server that cannot be reached is one fault that says how. */
export async function lookAtPostgresql({ options, database }: WithDatabase): Promise<Looked> {
  const { env, migrationSources } = options;
  const poolMax: ConnectionFacts['poolMax'] = {
    ingress: asApp(env, 'ingress').database.poolMax,
    worker: asApp(env, 'worker').database.poolMax,
    scheduler: asApp(env, 'scheduler').database.poolMax,
  };
  const look = async (): Promise<Judged> =>
    judgePostgresql(await collectPostgresql(database, { sources: migrationSources, poolMax }));
  try {
    // A connection that breaks under our hands says little about a server that answers the next time.
    return await look().catch(() => look());
  } catch (error) {
    const answers = await database.ping().then(
      () => true,
      () => false,
    );
    // Whatever went wrong, it was not the way there: that is told as what it is.
    if (answers) throw error;
    return { detail: 'not reached', faults: [connectionFault(error)] };
  }
}

/** Undefined while the database is not ours to read: no tables, or not reached. */
export async function readOwnInstallation({ database }: WithDatabase): Promise<Installation | undefined> {
  try {
    await database.ping();
    const known = await readInstallation(database);
    await readProcesses(database);
    return known;
  } catch {
    // Why stands with PostgreSQL: away, or not migrated.
    return undefined;
  }
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
