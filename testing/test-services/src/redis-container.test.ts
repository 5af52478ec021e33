import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port';
import { startRedisContainer } from './redis-container';
import { startRedis } from './start-redis';

/** Stands in for Docker: writes its calls down; `run` succeeds, and a real Redis on that port plays the container. */
function setup(exitCode: number) {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-docker-'));
  const docker = join(folder, 'docker');
  writeFileSync(docker, `#!/bin/sh\necho "$*" >> ${folder}/calls\nexit ${exitCode}\n`);
  chmodSync(docker, 0o755);
  return {
    docker,
    calls: () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

it('publishes the port on the loopback address only, and stopping removes the container', async () => {
  const { docker, calls, remove } = setup(0);
  const inside = await startRedis();
  const host = await startRedisContainer({
    docker,
    image: 'redis:8',
    port: inside.port,
    folder: undefined,
    settings: ['--save', 'no'],
  });
  await host.pause();
  await host.resume();
  await host.stop();
  await host.stop();

  const name = /bridge-redis-[0-9a-f]{12}/.exec(calls()[0] ?? '')?.[0];
  expect(calls()).toEqual([
    `run --detach --name ${name} --publish 127.0.0.1:${inside.port}:6379 redis:8 redis-server --protected-mode no --save no`,
    `pause ${name}`,
    `unpause ${name}`,
    `rm --force --volumes ${name}`,
  ]);
  expect(host.isRunning).toBe(false);
  await inside.stop();
  remove();
});

it('a container that cannot be started is removed and reported', async () => {
  const { docker, calls, remove } = setup(1);
  const port = await freePort();
  await expect(
    startRedisContainer({ docker, image: 'redis:8', port, folder: undefined, settings: [] }),
  ).rejects.toThrow();
  expect(calls().map((call) => call.split(' ')[0])).toEqual(['run', 'rm']);
  remove();
});
