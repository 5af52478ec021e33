// A worker that leases sessions, begins a call on each, and then waits to be killed.
import { createDatabase } from '@bridge/database';
import { Redis } from 'ioredis';
import { createSessionPool } from '../src/session-pool';

interface HolderSettings {
  databaseUrl: string;
  redisUrl: string;
  fileMakerUrl: string;
  keyPrefix: string;
  tokenKey: string;
  owner: string;
  cap: number;
  leases: number;
}

async function main(): Promise<void> {
  const settings = JSON.parse(process.env.HOLDER_SETTINGS ?? '{}') as HolderSettings;
  const call = async (path: string, token = ''): Promise<string> => {
    const response = await fetch(`${settings.fileMakerUrl}${path}`, { method: 'POST', body: token });
    if (!response.ok) throw new Error(await response.text());
    return response.text();
  };
  const pool = createSessionPool({
    database: createDatabase({
      url: settings.databaseUrl,
      poolMax: 2,
      applicationName: 'holder',
      connectTimeoutMs: 30_000,
    }),
    redis: new Redis(settings.redisUrl),
    keyPrefix: settings.keyPrefix,
    opener: {
      open: async () => ({ token: await call('/open') }),
      close: async (token) => void (await call('/close', token)),
      validate: async (token) => (await call('/validate', token)) as 'free',
      classify: () => 'unheard',
    },
    cap: settings.cap,
    scriptMaxMs: 120_000,
    leaseMs: 90_000,
    tokenKeys: [Buffer.from(settings.tokenKey, 'base64')],
    owner: settings.owner,
    isOwnerAlive: async (owners) => new Set(owners),
    halts: { isHalted: async () => undefined, halt: async () => undefined },
    loginsPerSecond: 50,
    redisTimeoutMs: 30_000,
  });
  await pool.start();
  for (let at = 0; at < settings.leases; at += 1) {
    const lease = await pool.lease({ waitMs: 30_000 });
    if (await pool.stillMine(lease)) await call('/begin', lease.token);
  }
  console.log('holding');
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
