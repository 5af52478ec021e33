import { join } from 'node:path';
import { startProcess } from '@bridge/test-services';
import { type FakeFileMakerServer, serveFakeFileMaker } from '../tests/fake-filemaker-server';
import { KEY_PREFIX, type PoolServices, startPoolServices } from '../tests/pool-services';

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
    { env: { ...process.env, HOLDER_SETTINGS: JSON.stringify(settings) }, readyWhen: (line) => line === 'holding' },
  );
}

test('the sessions of a worker killed in mid-call are used by another within seconds, and none is opened for it', async () => {
  services.alive.add('killed');
  const killed = await startHolder('killed');
  const pool = await services.pool('survivor', { cap: CAP, keepEveryMs: 100 });
  expect(await pool.census()).toMatchObject({ leased: CAP });
  const waiting = Array.from({ length: CAP }, () => pool.lease({ waitMs: 30_000 }));
  await killed.kill();
  services.alive.delete('killed');
  const deadAt = performance.now();
  // Its calls still run at FileMaker: nobody gets these sessions meanwhile, however often the keeper looks.
  await new Promise<void>((resolve) => {
    const looks = setInterval(() => {
      if (services.fileMaker.looks < 3) return;
      clearInterval(looks);
      resolve();
    }, 20);
  });
  expect(await pool.census()).toMatchObject({ quarantined: CAP, idle: 0, leased: 0 });
  wire.endCalls();
  const leases = await Promise.all(waiting);
  expect(performance.now() - deadAt).toBeLessThan(8_000);
  expect(new Set(leases.map((lease) => lease.sessionId)).size).toBe(CAP);
  expect(services.fileMaker.logins).toBe(CAP);
  expect(services.fileMaker.mostLive).toBe(CAP);
  expect(services.fileMaker.overlaps).toBe(0);
});
