import {
  type Database,
  MigrationError,
  type MigrationSource,
  oneRow,
  pendingMigrations,
  readMigrations,
  rows,
} from '@bridge/database';
import { sql } from 'drizzle-orm';
import { readLedger, readProcesses } from '../tables/read-processes';
import { fault, type Judged } from './fault';

export interface PostgresqlFacts {
  /** `server_version_num`: 160004. */
  versionNumber: number;
  version: string;
  readOnly: boolean;
  /** At server level; the bridge relaxes it for single claims by itself. */
  synchronousCommit: string;
  migrations: { pending: readonly string[]; newer: readonly string[]; changed: string | null };
  connections: ConnectionFacts;
}

export interface ConnectionFacts {
  /** `max_connections` without what is reserved for superusers. */
  most: number;
  /** In use now by anybody but the bridge's apps. */
  others: number;
  /** In use now, by app. */
  used: Readonly<Record<App, number>>;
  /** What one process of an app may hold. */
  poolMax: Readonly<Record<App, number>>;
  /** Processes whose heartbeat is heard. The ingress has none: it is counted by its connections. */
  alive: Readonly<Record<'worker' | 'scheduler', number>>;
}

type App = 'ingress' | 'worker' | 'scheduler';
const APPS = ['ingress', 'worker', 'scheduler'] as const satisfies readonly App[];
const VERSION_MIN = 150_000;

/** Pure. */
export function judgePostgresql(facts: PostgresqlFacts): Judged {
  const { versionNumber, version, readOnly, synchronousCommit, migrations } = facts;
  const { pending, newer, changed } = migrations;
  const { needed, sentence } = connectionsNeeded(facts.connections);
  return {
    detail: `version ${version}; connections: ${sentence}`,
    faults: [
      ...(versionNumber < VERSION_MIN ? [fault('POSTGRESQL_TOO_OLD', version)] : []),
      ...(readOnly ? [fault('POSTGRESQL_READ_ONLY', 'transactions are read-only, or it is a standby')] : []),
      ...(changed === null ? [] : [fault('MIGRATIONS_CHANGED', changed)]),
      ...(newer.length === 0 ? [] : [fault('MIGRATIONS_NEWER', named(newer))]),
      ...(pending.length === 0 ? [] : [fault('MIGRATIONS_PENDING', named(pending))]),
      ...(synchronousCommit === 'off' ? [fault('COMMITS_NOT_SYNCED', 'synchronous_commit is off')] : []),
      ...(needed > facts.connections.most ? [fault('CONNECTIONS_SCARCE', sentence)] : []),
    ],
  };
}

/** What all processes together may come to hold. Processes that use more than a full pool are more than we know of. */
function connectionsNeeded({ most, others, used, poolMax, alive }: ConnectionFacts): {
  needed: number;
  sentence: string;
} {
  const full = (app: App, processes: number): number =>
    Math.max(processes, Math.ceil(used[app] / poolMax[app])) * poolMax[app];
  const ours = full('ingress', 1) + full('worker', alive.worker) + full('scheduler', alive.scheduler);
  const needed = ours + others;
  return { needed, sentence: `${needed} of ${most} (our processes ${ours} at most, others ${others} now)` };
}

const named = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;

/** Each question is bounded by the database's own time-outs. */
export async function collectPostgresql(
  database: Database,
  options: { sources: readonly MigrationSource[]; poolMax: ConnectionFacts['poolMax'] },
): Promise<PostgresqlFacts> {
  const server = await oneRow<{
    version: string;
    number: number;
    read_only: boolean;
    synchronous_commit: string;
    most: number;
  }>(
    database.executor,
    // The session's own value may be set per user or database; that is what every process of ours gets as well.
    sql`select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
          pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as read_only,
          current_setting('synchronous_commit') as synchronous_commit,
          current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most`,
  );
  if (server === undefined) throw new Error('PostgreSQL did not answer a plain question');
  const migrations = await compareMigrations(database, options.sources);
  return {
    versionNumber: server.number,
    version: server.version.split(' ')[0] ?? server.version,
    readOnly: server.read_only,
    synchronousCommit: server.synchronous_commit,
    migrations,
    connections: {
      most: server.most,
      poolMax: options.poolMax,
      ...(await countConnections(database)),
      alive: migrations.pending.length > 0 ? { worker: 0, scheduler: 0 } : await countAlive(database),
    },
  };
}

async function compareMigrations(
  database: Database,
  sources: readonly MigrationSource[],
): Promise<PostgresqlFacts['migrations']> {
  const known = readMigrations(sources);
  const ledger = await readLedger(database);
  const here = new Set(known.map(({ owner, name }) => `${owner}/${name}`));
  const newer = ledger.map(({ owner, name }) => `${owner}/${name}`).filter((name) => !here.has(name));
  const shared = ledger.filter(({ owner, name }) => here.has(`${owner}/${name}`));
  try {
    const pending = pendingMigrations(known, shared).map(({ owner, name }) => `${owner}/${name}`);
    return { pending, newer, changed: null };
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    return { pending: [], newer, changed: error.message };
  }
}

async function countConnections(database: Database): Promise<Pick<ConnectionFacts, 'others' | 'used'>> {
  const found = await rows<{ app: string; n: number }>(
    database.executor,
    sql`select coalesce(application_name, '') as app, count(*)::int as n from pg_stat_activity
        where backend_type = 'client backend' group by 1`,
  );
  const used = { ingress: 0, worker: 0, scheduler: 0 };
  let others = 0;
  for (const { app, n } of found) {
    const owner = APPS.find((name) => app === `bridge-${name}` || app.startsWith(`bridge-${name}-`));
    if (owner === undefined) others += n;
    else used[owner] += n;
  }
  return { others, used };
}

async function countAlive(database: Database): Promise<ConnectionFacts['alive']> {
  const { living } = await readProcesses(database);
  const count = (app: string): number => living.filter((process) => process.app === app).length;
  return { worker: count('worker'), scheduler: count('scheduler') };
}
