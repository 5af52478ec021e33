import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { freePort } from './free-port';
import { redisCommand } from './redis-command';
import { startRedisContainer } from './redis-container';
import type { RedisHost } from './redis-host';
import { startRedisProgram } from './redis-program';
import { ensureRedisServer, type RedisServer } from './redis-server';
import { ServiceError } from './service-error';
import { temporaryFolder } from './temporary-folder';

/** Everything has a default: a Redis without persistence on a free port. */
export interface RedisOptions {
  /** Default: a free one. A given port is used as it is, or the start fails. */
  readonly port?: number;
  /** Where the server keeps its files. Default: a temporary folder. */
  readonly directory?: string;
  /** Keep the data over stop and start, each write synced. Default: false, a stop forgets everything. */
  readonly appendOnly?: boolean;
  /** How to run it. Default: what `ensureRedisServer` finds. */
  readonly server?: RedisServer;
}

/** A private Redis (or Valkey) on 127.0.0.1 without password. The address stays the same over stop and start. */
export interface RedisService {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** Clients are cut off. */
  stop(): Promise<void>;
  start(): Promise<void>;
  restart(): Promise<void>;
  /** SIGKILL: clients see the connection break. */
  kill(): Promise<void>;
  /** FLUSHALL. */
  flush(): Promise<void>;
  /** The server hangs: connections stay open and nothing is answered. `resume` ends it, and so does `stop`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

const startTriesMax = 5;
/** On a machine at its limit even a small server may answer late. */
const flushTimeoutMs = 8_000;

/** Resolves when the server answers; rejects with ServiceError. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisService> {
  const { appendOnly = false } = options;
  const server = options.server ?? ensureRedisServer();
  const files = fileKeeper(options);
  const settings = [
    ...['--save', '', '--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'always'],
    ...['--maxmemory-policy', 'noeviction'],
  ];
  let port = options.port ?? (await freePort());
  let host: RedisHost | undefined;

  const startHost = () =>
    'program' in server
      ? startRedisProgram({ ...server, port, settings, folder: files.open() })
      : startRedisContainer({ ...server, port, settings, folder: appendOnly ? files.open() : undefined });
  const start = async () => {
    if (host?.isRunning) return;
    for (let tries = 1; ; tries++) {
      try {
        host = await startHost();
        return;
      } catch (error) {
        // Another process may have taken the port between the look and the start.
        if (tries < startTriesMax && options.port === undefined && host === undefined) {
          port = await freePort();
          continue;
        }
        files.close();
        throw error;
      }
    }
  };
  const stop = async () => {
    await host?.stop();
    files.close();
  };
  const running = () => {
    if (host?.isRunning) return host;
    throw new ServiceError('SERVICE_STATE', 'This Redis is stopped; call start() first.');
  };
  await start();

  return {
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    stop,
    start,
    async restart() {
      await stop();
      await start();
    },
    async kill() {
      await host?.kill();
      files.close();
    },
    async flush() {
      running();
      await redisCommand(port, 'FLUSHALL', '+OK', flushTimeoutMs);
    },
    pause: () => running().pause(),
    resume: () => running().resume(),
  };
}

/** A temporary folder lives as long as the server, or as long as this process when its data must be found again. */
function fileKeeper({ directory, appendOnly = false }: RedisOptions) {
  let temporary: ReturnType<typeof temporaryFolder> | undefined;
  return {
    open(): string {
      if (directory !== undefined) {
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        return resolve(directory);
      }
      temporary ??= temporaryFolder('redis');
      return temporary.path;
    },
    close(): void {
      if (appendOnly) return;
      temporary?.remove();
      temporary = undefined;
    },
  };
}
