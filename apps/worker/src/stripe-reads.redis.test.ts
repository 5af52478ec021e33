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
function reads(redisOfReads = producer.redis): StripeReads {
  const made = createStripeReads(redisOfReads, { keyPrefix: '{reads}', readsPerSecond: BUDGET });
  all.push(made);
  return made;
}

/** Redis with a clock that the test moves. A refused read asks again after a millisecond. */
function redisWithClock() {
  const clock = { second: 1_800_000_000, refusals: 0 };
  const refused: { count: number; tell: () => void }[] = [];
  const stepped = {
    evalsha: () => Promise.reject(new Error('NOSCRIPT: the clock is the test’s')),
    eval: async (text: string, ...rest: [number, ...(string | number)[]]) => {
      const told = text.replace("redis.call('TIME')", `{'${clock.second}', '999000'}`);
      if (told === text) throw new Error('the script asks for the time in another way');
      const waitMs = Number(await producer.redis.eval(told, ...rest));
      if (waitMs > 0) clock.refusals += 1;
      for (const one of refused.filter(({ count }) => clock.refusals >= count)) one.tell();
      return waitMs;
    },
  };
  /** Resolves when so many more reads were refused: whoever still waits then has been told so, again and again. */
  const refusals = (more: number): Promise<void> =>
    new Promise((tell) => refused.push({ count: clock.refusals + more, tell }));
  return { redis: stepped as unknown as Producer['redis'], clock, refusals };
}

/** Asks for so many reads in one line, and counts those that were let through. */
function ask(from: StripeReads, urgency: ReadUrgency, count: number) {
  const asked = { through: 0, over: Promise.resolve() };
  const gate = from.gate(urgency);
  asked.over = Promise.all(
    Array.from({ length: count }, async () => {
      await gate();
      asked.through += 1;
    }),
  ).then(() => undefined);
  return asked;
}

test('all workers together keep to one budget, and each second brings a new one', async () => {
  const perSecond = new Map<string, number>();
  let left = 3 * BUDGET;
  const spend = async (from: StripeReads): Promise<void> => {
    const gate = from.gate('live');
    while (left > 0) {
      left -= 1;
      await gate();
      const [second] = await producer.redis.time();
      perSecond.set(String(second), (perSecond.get(String(second)) ?? 0) + 1);
    }
  };
  await Promise.all([spend(reads()), spend(reads())]);
  // One more each may be counted into the next second than was taken there.
  expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(BUDGET + 2);
});

test('recovery alone takes half of each second and no more', async () => {
  const { redis: stepped, clock, refusals } = redisWithClock();
  const asked = ask(reads(stepped), 'recovery', BUDGET + 3);
  await refusals(5);
  expect(asked.through).toBe(BUDGET / 2);
  clock.second += 1;
  await refusals(5);
  expect(asked.through).toBe(BUDGET);
  clock.second += 1;
  await asked.over;
});

test('live work that needs the whole budget leaves recovery nothing; recovery goes on when the rush is over', async () => {
  const { redis: stepped, clock, refusals } = redisWithClock();
  const live = ask(reads(stepped), 'live', 3 * BUDGET + 5);
  await refusals(3);
  const recovery = ask(reads(stepped), 'recovery', BUDGET);
  for (let second = 1; second <= 3; second += 1) {
    while (live.through < second * BUDGET) await refusals(1);
    await refusals(10);
    expect([live.through, recovery.through]).toEqual([second * BUDGET, 0]);
    clock.second += 1;
  }
  await live.over;
  // Nobody waits any more, but somebody did in the last second.
  await refusals(5);
  expect(recovery.through).toBe(0);
  clock.second += 1;
  await refusals(5);
  // Half, since live work of the last second left more than that.
  expect(recovery.through).toBe(BUDGET / 2);
  clock.second += 1;
  await recovery.over;
});

test('recovery leaves to live work what that took in this second or the last, and nothing is left to it where live work has waited', async () => {
  const { redis: stepped, clock, refusals } = redisWithClock();
  const one = reads(stepped);
  await ask(one, 'live', 15).over;
  const recovery = ask(one, 'recovery', 30);
  await refusals(5);
  expect(recovery.through).toBe(5);
  clock.second += 1;
  await refusals(5);
  expect(recovery.through).toBe(10);
  clock.second += 1;
  await refusals(5);
  expect(recovery.through).toBe(20);
  // Half is gone: live work gets the other half, and waits.
  const live = ask(one, 'live', 11);
  while (live.through < 10) await refusals(1);
  await refusals(10);
  expect(live.through).toBe(10);
  clock.second += 1;
  await live.over;
  await refusals(5);
  expect(recovery.through).toBe(20);
  clock.second += 1;
  await recovery.over;
});

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
});
