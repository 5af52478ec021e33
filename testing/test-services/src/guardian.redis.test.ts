import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startProcess } from './start-process';

// What would break without this: a test run or a demo killed by an impatient person or a CI time-out leaves servers
// and folders behind, and after a day the machine is full of them.

const hook = join(__dirname, '../../../tooling/require-typescript.cjs');

/** A process of its own that runs both servers and tells where; they are its children, not ours. */
async function parentWithServers() {
  const program = `
    const { startPostgres } = require('./start-postgres.ts');
    const { startRedis } = require('./start-redis.ts');
    const { startProcess } = require('./start-process.ts');
    Promise.all([startPostgres(), startRedis(), startProcess('/bin/sleep', ['600'])]).then(async ([postgres, redis, sleep]) => {
      const { Client } = require('pg');
      const client = new Client({ connectionString: postgres.url });
      await client.connect();
      const { rows } = await client.query("show data_directory");
      await client.end();
      console.log(JSON.stringify({ ports: [postgres.port, redis.port], pids: [sleep.pid], folder: rows[0].data_directory }));
      setInterval(() => {}, 1000);
      process.on('SIGUSR2', () => { throw new Error('uncaught'); });
      process.on('SIGHUP', () => process.exit(3));
    });`;
  const parent = await startProcess(process.execPath, ['-r', hook, '-e', program], {
    cwd: __dirname,
    readyWhen: (line) => line.startsWith('{'),
    readyTimeoutMs: 120_000,
  });
  const line = parent.lines.find((candidate) => candidate.startsWith('{')) ?? '';
  const told: { ports: number[]; pids: number[]; folder: string } = JSON.parse(line);
  return { parent, ports: told.ports, pids: told.pids, folder: dirname(told.folder) };
}

const accepts = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
const runs = (pid: number) => {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

it.each(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const)(
  'servers, children and folders of a parent that ends by %s end with it',
  async (signal) => {
    const { parent, ports, pids, folder } = await parentWithServers();
    expect(await Promise.all(ports.map(accepts))).toEqual([true, true]);
    expect(existsSync(folder)).toBe(true);

    parent.signal(signal);
    await parent.exited;

    const deadline = performance.now() + 60_000;
    const leftOver = async () =>
      existsSync(folder) || (await Promise.all(ports.map(accepts))).includes(true) || pids.some(runs);
    while (performance.now() < deadline && (await leftOver())) await delay(20);
    expect({
      folder: existsSync(folder),
      servers: await Promise.all(ports.map(accepts)),
      processes: pids.filter(runs),
    }).toEqual({ folder: false, servers: [false, false], processes: [] });
  },
  240_000,
);
