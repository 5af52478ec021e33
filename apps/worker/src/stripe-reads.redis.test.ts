import { createProducer, type Producer } from '@bridge/jobs';
import { type RedisService, startRedis } from '@bridge/test-services';
import { createStripeReads, type ReadUrgency, type StripeReads } from './stripe-reads';

let redis: RedisService;
let producer: Producer;
const all: StripeReads[] = [];
beforeAll(async () => {
  redis = await startRedis();
  producer = createProducer({ redisUrl: redis.url, prefix: '{reads}' });
  if (!producer.ready()) await new Promise<void>((resolve) => producer.redis.once('ready', () => resolve()));
});
beforeEach(() => redis.flush());
afterEach(() => {
  for (const reads of all.splice(0)) reads.stop();
});
afterAll(async () => {
  await producer.close();
  await redis.stop();
});

const BUDGET = 20;
function reads(): StripeReads {
  const made = createStripeReads(producer.redis, { keyPrefix: '{reads}', readsPerSecond: BUDGET });
  all.push(made);
  return made;
}

/** Asks for reads one after the other and notes the second, by Redis's clock, in which each came. */
async function spend(from: StripeReads, urgency: ReadUrgency, until: () => boolean): Promise<Map<number, number>> {
  const gate = from.gate(urgency);
  const perSecond = new Map<number, number>();
  while (!until()) {
    await gate();
    const [second] = await producer.redis.time();
    if (until()) break;
    perSecond.set(Number(second), (perSecond.get(Number(second)) ?? 0) + 1);
  }
  return perSecond;
}
/** Resolves at the beginning of the n-th second from now, by Redis's clock. */
async function seconds(count: number): Promise<void> {
  const [now] = await producer.redis.time();
  for (;;) {
    const [at] = await producer.redis.time();
    if (Number(at) >= Number(now) + count) return;
  }
}
const counts = (spent: Map<number, number>): number[] => [...spent.values()];

test('all workers together keep to one budget, and each second brings a new one', async () => {
  let over = false;
  const spending = [spend(reads(), 'live', () => over), spend(reads(), 'live', () => over)];
  await seconds(3);
  over = true;
  for (const one of all) one.stop();
  const spent = new Map<number, number>();
  for (const one of await Promise.all(spending))
    for (const [second, n] of one) spent.set(second, (spent.get(second) ?? 0) + n);
  // One more may be counted into the next second than was taken there.
  expect(Math.max(...counts(spent))).toBeLessThanOrEqual(BUDGET + 2);
  expect(counts(spent).reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(BUDGET * 2);
});

test('recovery alone takes half and no more', async () => {
  let over = false;
  const one = reads();
  const spending = spend(one, 'recovery', () => over);
  await seconds(4);
  over = true;
  one.stop();
  const spent = counts(await spending);
  expect(Math.max(...spent)).toBeLessThanOrEqual(BUDGET / 2 + 1);
  expect(Math.max(...spent)).toBeGreaterThanOrEqual(BUDGET / 2 - 1);
});

test('live work that needs the whole budget leaves recovery nothing; recovery goes on when the rush is over', async () => {
  let rush = true;
  let over = false;
  const [busy, patient] = [reads(), reads()];
  const live = spend(busy, 'live', () => !rush);
  await seconds(2);
  const recovery = spend(patient, 'recovery', () => over);
  await seconds(3);
  const [rushEnd] = (await producer.redis.time()).map(Number);
  rush = false;
  await seconds(4);
  over = true;
  busy.stop();
  patient.stop();
  await live;
  const spent = await recovery;
  const before = [...spent].filter(([second]) => second < (rushEnd ?? 0)).map(([, n]) => n);
  const after = [...spent].filter(([second]) => second > (rushEnd ?? 0) + 1).map(([, n]) => n);
  expect(before).toEqual([]);
  expect(Math.max(...after)).toBeGreaterThanOrEqual(BUDGET / 2 - 1);
}, 20_000);

test('without Redis live reads go on slowly, recovery waits, and what was let through is counted', async () => {
  const one = reads();
  const [live, recovery] = [one.gate('live'), one.gate('recovery')];
  await live();
  expect(one.takeCount()).toBe(1);
  await redis.stop();
  let recovered = false;
  const waiting = recovery().then(() => {
    recovered = true;
  });
  await live();
  await live();
  expect(recovered).toBe(false);
  expect(one.takeCount()).toBe(2);
  expect(one.takeCount()).toBe(0);
  await redis.start();
  await waiting;
  expect(recovered).toBe(true);
}, 20_000);
