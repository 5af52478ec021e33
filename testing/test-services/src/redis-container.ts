import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { guard } from './guardian';
import { redisCommand } from './redis-command';
import type { RedisHost } from './redis-host';
import { ServiceError } from './service-error';

const run = promisify(execFile);

export interface RedisContainerOptions {
  readonly docker: string;
  readonly image: string;
  readonly port: number;
  /** Kept files of the server; undefined: inside the container, gone with it. */
  readonly folder: string | undefined;
  readonly settings: readonly string[];
}

const commandTimeoutMs = 60_000;
const readyTimeoutMs = 60_000;

/** Redis in a container whose port is published on 127.0.0.1 only; stopping removes the container. */
export async function startRedisContainer(options: RedisContainerOptions): Promise<RedisHost> {
  const name = `bridge-redis-${randomBytes(6).toString('hex')}`;
  const docker = (...args: string[]) => run(options.docker, args, { timeout: commandTimeoutMs });
  const release = guard({ command: [options.docker, 'rm', '--force', '--volumes', name] });
  let running = true;
  const remove = async () => {
    if (!running) return;
    running = false;
    await docker('rm', '--force', '--volumes', name);
    release();
  };
  try {
    await docker(
      ...['run', '--detach', '--name', name, '--publish', `127.0.0.1:${options.port}:6379`],
      ...(options.folder === undefined ? [] : ['--volume', `${options.folder}:/data`]),
      ...[options.image, 'redis-server', '--protected-mode', 'no', ...options.settings],
    );
    await untilItAnswers(options.port);
  } catch (error) {
    await remove();
    const why = error instanceof Error ? error.message : String(error);
    throw new ServiceError('SERVICE_DID_NOT_START', `Redis's container did not start: ${why}`, true);
  }
  return {
    get isRunning() {
      return running;
    },
    stop: remove,
    kill: remove,
    async pause() {
      await docker('pause', name);
    },
    async resume() {
      await docker('unpause', name);
    },
  };
}

async function untilItAnswers(port: number): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    try {
      await redisCommand(port, 'PING', '+PONG');
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(50);
    }
  }
}
