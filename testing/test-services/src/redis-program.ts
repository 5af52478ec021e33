import { join } from 'node:path';
import { redisCommand } from './redis-command';
import type { RedisHost } from './redis-host';
import { ServerProcess } from './server-process';

export interface RedisProgramOptions {
  readonly program: string;
  readonly port: number;
  readonly folder: string;
  readonly settings: readonly string[];
}

/** `redis-server` or `valkey-server` as a child; nothing of a system-wide redis.conf is read. */
export async function startRedisProgram({ program, port, folder, settings }: RedisProgramOptions): Promise<RedisHost> {
  const server = await ServerProcess.start({
    label: 'Redis',
    file: program,
    args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no', ...settings],
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
    logFile: join(folder, 'server.log'),
    stopSignal: 'SIGTERM',
    stopGraceMs: 10_000,
    // Not PING: if the port is taken, somebody else's Redis would answer before ours has given up.
    answers: async (pid) => {
      await redisCommand(port, 'INFO server', `process_id:${pid}\r\n`);
      // Refused while an append-only file is still being read.
      await redisCommand(port, 'PING', '+PONG');
    },
    startTimeoutMs: 60_000,
  });
  return {
    get isRunning() {
      return server.isRunning;
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    async pause() {
      server.signal('SIGSTOP');
    },
    async resume() {
      server.signal('SIGCONT');
    },
  };
}
