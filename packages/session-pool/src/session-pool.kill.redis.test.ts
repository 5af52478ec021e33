import { join } from 'node:path';
import { startProcess } from '@bridge/test-services';
import { type FakeFileMakerServer, serveFakeFileMaker } from '../tests/fake-filemaker-server';
import { KEY_PREFIX, type PoolServices, startPoolServices, until } from '../tests/pool-services';

let services: PoolServices;
let wire: FakeFileMakerServer;
beforeAll(async () => {
  services = await startPoolServices();
  wire = await serveFakeFileMaker(services.fileMaker);
});
afterAll(async () => {
  await wire.close();
  await services.close();
});

const CAP = 3;

function startHolder(owner: string) {
  const settings = {
    databaseUrl: services.databaseUrl,
    redisUrl: services.redisService.url,
    fileMakerUrl: wire.url,
    keyPrefix: KEY_PREFIX,
    tokenKey: services.tokenKeys[0]?.toString('base64'),
    owner,
    cap: CAP,
    leases: CAP,
  };
  const hooks = [
    join(__dirname, '../../../tooling/require-typescript.cjs'),
    join(__dirname, '../tests/source-packages.cjs'),
  ];
  return startProcess(
    process.execPath,
    [...hooks.flatMap((hook) => ['-r', hook]), join(__dirname, '../tests/holder-program.ts')],
    {
      env: { ...process.env, HOLDER_SETTINGS: JSON.stringify(settings) },
      readyWhen: (line) => line === 'holding',
      readyTimeoutMs: 60_000,
    },
  );
}

test('the sessions of a worker killed in mid-call are used by another within seconds, and none is opened for it', async () => {
  services.alive.add('killed');
  const killed = await startHolder('killed');
  const pool = await services.pool('survivor', { cap: CAP, keepEveryMs: 100, quarantineMs: 2_000 });
  expect(await pool.census()).toMatchObject({ leased: CAP });
  const waiting = Array.from({ length: CAP }, () => pool.lease({ waitMs: 60_000 }));
  await killed.kill();
  services.alive.delete('killed');
  const deadAt = performance.now();
  // Its calls still run at FileMaker: nobody gets these sessions meanwhile, however often the keeper looks.
  await until(() => services.fileMaker.looks >= 3);
  expect(await pool.census()).toMatchObject({ quarantined: CAP, idle: 0, leased: 0 });
  wire.endCalls();
  const leases = await Promise.all(waiting);
  // Two or three seconds here; a machine that is many times slower still needs far less than a session's quarter of an hour.
  expect(performance.now() - deadAt).toBeLessThan(60_000);
  expect(new Set(leases.map((lease) => lease.sessionId)).size).toBe(CAP);
  expect(services.fileMaker.logins).toBe(CAP);
  expect(services.fileMaker.mostLive).toBe(CAP);
  expect(services.fileMaker.overlaps).toBe(0);
}, 180_000);
