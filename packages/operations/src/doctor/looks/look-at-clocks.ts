import { createFileMakerClient } from '@bridge/filemaker-client';
import { lookAtAddress } from '@bridge/stripe-client';
import { judgeClock, postgresqlTime, readClock } from '../clock';
import type { Looked } from '../report';
import type { Examination } from './examination';
import type { RedisLook } from './look-at-redis';

const LOOK_MS = 8_000;
const FILEMAKER_CLOCK_MS = 8_000;

/** How far the clocks of PostgreSQL, Redis, Stripe and FileMaker are from this machine's. */
export async function lookAtClocks(
  { config, database, sound }: Examination,
  redis: RedisLook | undefined,
): Promise<Looked> {
  const { stripe, filemaker } = config;
  const readings = await Promise.all([
    quiet(async () => (database === undefined ? null : readClock('PostgreSQL', () => postgresqlTime(database), 1))),
    quiet(async () => {
      if (redis === undefined || !(await redis.facts).reached) return null;
      return readClock(
        'Redis',
        async () => {
          const [seconds] = await redis.producer.redis.time();
          return new Date(Number(seconds) * 1_000);
        },
        1_000,
      );
    }),
    quiet(async () =>
      sound.hindranceBy('STRIPE_API_BASE') !== undefined
        ? null
        : readClock('Stripe', async () => (await lookAtAddress(stripe.apiBase, { timeoutMs: LOOK_MS })).date, 1_000),
    ),
    quiet(async () => {
      if (filemaker === undefined || sound.hindrance('filemaker') !== undefined) return null;
      const { url, database: file, username, password, ca } = filemaker;
      const client = createFileMakerClient({
        url,
        database: file,
        username,
        password,
        ca,
        timeoutMs: FILEMAKER_CLOCK_MS,
      });
      try {
        return await readClock('FileMaker', () => client.serverTime(), 1_000);
      } finally {
        await client.close();
      }
    }),
  ]);
  const judged = judgeClock(readings.filter((reading) => reading !== null));
  const unasked = [
    { whose: 'PostgreSQL', hindrance: sound.hindrance('postgresql') },
    { whose: 'Redis', hindrance: sound.hindrance('redis') },
    { whose: 'Stripe', hindrance: sound.hindranceBy('STRIPE_API_BASE') },
    { whose: 'FileMaker', hindrance: sound.hindrance('filemaker') },
  ].flatMap(({ whose, hindrance }) => (hindrance === undefined ? [] : [whose]));
  if (unasked.length === 0) return judged;
  return { ...judged, detail: `${judged.detail}; not asked: ${unasked.join(', ')}` };
}

/** A clock that cannot be asked is no difference: its owner's section says that it is away. */
async function quiet<T>(work: () => Promise<T | null>): Promise<T | null> {
  try {
    return await work();
  } catch {
    return null;
  }
}
