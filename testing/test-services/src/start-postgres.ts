import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from './free-port';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries';
import { ServerProcess } from './server-process';
import { ServiceError } from './service-error';
import { isUsableBy, type ServerUser, temporaryFolder } from './temporary-folder';

/** Everything has a default: a throw-away server on a free port. */
export interface PostgresOptions {
  /** Where the data lives. Default: a temporary folder that is deleted when this process ends. */
  readonly directory?: string;
  /** Default: a free one. A given port is used as it is, or the start fails. */
  readonly port?: number;
  /**
   * Keep the data and sync every commit to disk. Default: true with a directory, false without. As root the server
   * runs as another user; a directory which that user cannot enter is answered with a temporary one.
   */
  readonly persistent?: boolean;
}

/** An empty database. */
export interface TestDatabase {
  readonly url: string;
  /** Ends its connections and deletes it. */
  drop(): Promise<void>;
}

/** A real PostgreSQL server on 127.0.0.1. The address stays the same over stop, kill and start. */
export interface PostgresService {
  /** Superuser's connection string to the database `postgres`. */
  readonly url: string;
  readonly port: number;
  /** False when nothing of the data will be there after this process. */
  readonly persistent: boolean;
  /** A fresh, empty UTF-8 database. One that already has the given name is replaced. */
  createDatabase(name?: string): Promise<TestDatabase>;
  /** Fast shutdown: open transactions are rolled back, clients are cut off. The data stays for `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  restart(): Promise<void>;
  /** SIGKILL to the postmaster, as a crashed machine would do it; `start` then runs crash recovery. */
  kill(): Promise<void>;
  /** Stops for good, and deletes the data unless they are persistent. */
  discard(): Promise<void>;
}

const startTimeoutMs = 60_000;
/** Writing the files of a new server; half a minute on a machine that is busy with other things. */
const initialiseTimeoutMs = 180_000;
const statementTimeoutMs = 60_000;
const stopGraceMs = 30_000;
const startTriesMax = 5;
/** What a killed server has left behind may need so long to notice. */
const startAgainWithinMs = 30_000;

/** Resolves when the server takes connections; rejects with ServiceError. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresService> {
  const user = serverUser();
  const binaries = findPostgresBinaries(user);
  const { folder, persistent, remove } = dataFolder(options, user);
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  if (!existsSync(join(data, 'PG_VERSION'))) initialise(binaries, user, data, passwordFile, persistent);
  const password = readFileSync(passwordFile, 'utf8').trim();

  let port = options.port ?? (await freePort());
  const urlOf = (database: string) => `postgresql://postgres:${password}@127.0.0.1:${port}/${database}`;
  const spawnServer = () =>
    ServerProcess.start({
      label: 'PostgreSQL',
      file: binaries.postgres,
      args: ['-D', data, ...settings({ port, persistent })],
      cwd: data,
      env: serverEnvironment,
      uid: user?.uid,
      gid: user?.gid,
      logFile: join(folder, 'server.log'),
      stopSignal: 'SIGINT',
      stopGraceMs,
      answers: () => runSql(urlOf('postgres'), 'select 1', 2_000),
      startTimeoutMs,
    });

  let server: ServerProcess | undefined;
  const start = async () => {
    if (server?.isRunning) return;
    // After a kill the old server processes need a moment to notice, and the new one refuses to start beside them.
    const giveUpAt = performance.now() + startAgainWithinMs;
    for (let tries = 1; ; tries++) {
      try {
        server = await spawnServer();
        return;
      } catch (error) {
        if (server === undefined ? tries >= startTriesMax : performance.now() > giveUpAt) throw error;
        await delay(Math.min(100 * tries, 1_000));
        if (options.port === undefined && server === undefined) port = await freePort();
      }
    }
  };
  const stop = async () => {
    await server?.stop();
  };
  await start();

  return {
    get url() {
      return urlOf('postgres');
    },
    get port() {
      return port;
    },
    persistent,
    createDatabase: (name) => createDatabase(urlOf('postgres'), name),
    stop,
    start,
    async restart() {
      await stop();
      await start();
    },
    async kill() {
      await server?.kill();
    },
    async discard() {
      await stop();
      removeSharedMemory(data);
      remove();
      binaries.release();
    },
  };
}

/** Makes a database on the server behind `adminUrl` (its superuser's connection string). */
export async function createDatabase(adminUrl: string, name?: string): Promise<TestDatabase> {
  const database = name ?? `db_${randomBytes(8).toString('hex')}`;
  const quoted = `"${database.replaceAll('"', '""')}"`;
  if (name !== undefined) await runSql(adminUrl, `drop database if exists ${quoted} with (force)`, statementTimeoutMs);
  await runSql(adminUrl, `create database ${quoted} template template0`, statementTimeoutMs);
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  return {
    url: url.toString(),
    drop: () => runSql(adminUrl, `drop database if exists ${quoted} with (force)`, statementTimeoutMs),
  };
}

async function runSql(connectionString: string, sql: string, timeoutMs: number): Promise<void> {
  const client = new Client({ connectionString, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
  // A connection that breaks after its last answer must not bring the process down.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/**
 * PostgreSQL refuses to run as root. The machine's `postgres` user is taken if there is one, else `nobody`, which
 * every system has: a test run must not add users to somebody's machine.
 */
function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const ask = (flag: string) => Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
      return { uid: ask('-u'), gid: ask('-g') };
    } catch {
      // No such user here: the next one.
    }
  }
  throw new ServiceError('SERVICE_DID_NOT_START', 'PostgreSQL cannot run as root, and there is no user nobody.');
}

function dataFolder({ directory, persistent = directory !== undefined }: PostgresOptions, user: ServerUser) {
  if (directory !== undefined) {
    const folder = resolve(directory);
    const isNew = !existsSync(folder);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (user) chownSync(folder, user.uid, user.gid);
    if (isUsableBy(folder, user)) {
      const remove = () => (persistent ? undefined : rmSync(folder, { recursive: true, force: true }));
      return { folder, persistent, remove };
    }
    if (isNew) rmSync(folder, { recursive: true, force: true });
  }
  const temporary = temporaryFolder('postgres', user);
  return { folder: temporary.path, persistent: false, remove: temporary.remove };
}

function initialise(
  binaries: PostgresBinaries,
  user: ServerUser,
  data: string,
  passwordFile: string,
  persistent: boolean,
): void {
  // Left behind by an initialisation that was cut off: it has no PG_VERSION and initdb would refuse it.
  rmSync(data, { recursive: true, force: true });
  writeFileSync(passwordFile, `${randomBytes(18).toString('hex')}\n`, { mode: 0o600 });
  if (user) chownSync(passwordFile, user.uid, user.gid);
  const { status, error, stderr } = spawnSync(
    binaries.initdb,
    [
      `--pgdata=${data}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
      ...(persistent ? [] : ['--no-sync']),
    ],
    { ...user, cwd: dirname(data), encoding: 'utf8', env: serverEnvironment, timeout: initialiseTimeoutMs },
  );
  if (status === 0) return;
  rmSync(data, { recursive: true, force: true });
  throw new ServiceError('SERVICE_DID_NOT_START', `PostgreSQL's initdb failed: ${error?.message ?? stderr}`.trim());
}

/** Nothing of the caller's environment: a stray PGDATA or PGOPTIONS would change what the tests run against. */
const serverEnvironment: NodeJS.ProcessEnv = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

function settings({ port, persistent }: { port: number; persistent: boolean }): string[] {
  const values: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '64MB',
    // In the data folder instead of /dev/shm, which is small in containers and keeps what a killed server left.
    dynamic_shared_memory_type: 'mmap',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Commits still reach the operating system before they are answered, so that a killed server has them.
    ...(persistent ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** A killed server leaves its System V segment (a few bytes); the seventh line of its pid file names it. */
function removeSharedMemory(data: string): void {
  const pidFile = join(data, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const segment = readFileSync(pidFile, 'utf8').split('\n')[6]?.trim().split(/\s+/)[1];
  if (segment !== undefined) spawnSync('ipcrm', ['-m', segment], { stdio: 'ignore', timeout: 5_000 });
}
