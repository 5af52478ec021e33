import { type RedisService, startRedis } from '@bridge/test-services';
import { Redis } from 'ioredis';
import { redisKeys } from './redis-keys';
import { type Asking, SessionLender } from './session-lender';

const keys = redisKeys('{bridge:test}:filemaker');
/** Nothing runs out by itself while a test runs, however slowly; where something has to, the test gives it no time at all. */
const LONG_MS = 60_000;
let service: RedisService;
let redis: Redis;
beforeAll(async () => {
  service = await startRedis();
  redis = new Redis(service.url);
});
afterEach(() => service.flush());
afterAll(async () => {
  redis.disconnect();
  await service.stop();
});

function setup(options: { leaseMs?: number; quarantineMs?: number } = {}) {
  return new SessionLender({
    redis,
    keys,
    redisTimeoutMs: LONG_MS,
    leaseMs: LONG_MS,
    turnMs: LONG_MS,
    letGoAfterMs: 100,
    lineStaleMs: LONG_MS,
    idleMs: LONG_MS,
    quarantineMs: LONG_MS,
    ...options,
  });
}

const ask = (leaseId: string, instance = 'one', waitedMs = 0, nextWaitedMs = -1): [string, string, Asking] => [
  leaseId,
  `owner-of-${instance}`,
  { instance, waitedMs, nextWaitedMs },
];

test('a session is lent to one lease at a time', async () => {
  const lender = setup();
  await lender.admit('1');
  expect(await lender.lease(...ask('one.1'))).toEqual({ lent: true, others: 0, sessionId: '1', returnedLeaseId: '' });
  expect(await lender.lease(...ask('one.2'))).toEqual({ lent: false, others: 0, turnInMs: undefined });
  expect(await lender.list()).toEqual({
    idle: [],
    leased: [{ sessionId: '1', leaseId: 'one.1', owner: 'owner-of-one' }],
    quarantined: [],
  });
});

test('admitted late, a session that was lent since and given back unheard stays in quarantine', async () => {
  const lender = setup();
  await lender.admit('1');
  await lender.lease(...ask('one.1'));
  await lender.giveBack('1', 'one.1', 'quarantine', 'test');
  await lender.admit('1');
  expect(await lender.list()).toEqual({ idle: [], leased: [], quarantined: ['1'] });
});

test('a session that a keeper saw before it was admitted is idle at once', async () => {
  const lender = setup();
  const seen = { which: 'missing', firstLookMs: 0, callMayRun: false, answeredAgoMs: 0, reason: 'lost-idle' } as const;
  await lender.quarantine({ sessionId: '1', ...seen, leaseId: undefined });
  await lender.admit('1');
  expect(await lender.list()).toEqual({ idle: ['1'], leased: [], quarantined: [] });
});

test('only the holder renews, gives back or drops a session; a lease id that merely begins alike does not', async () => {
  const lender = setup();
  await lender.admit('1');
  await lender.lease(...ask('one.11'));
  for (const stranger of ['one.1', 'one.111', 'two.11', '']) {
    expect(await lender.stillMine('1', stranger)).toBe(false);
    for (const how of ['idle', 'unused', 'quarantine', 'gone'] as const) {
      expect(await lender.giveBack('1', stranger, how, 'test')).toBe('refused');
    }
  }
  expect(await lender.stillMine('1', 'one.11')).toBe(true);
});

test('the next lease learns which lease was given back last', async () => {
  const lender = setup();
  await lender.admit('1');
  await lender.lease(...ask('one.1'));
  await lender.giveBack('1', 'one.1', 'idle', 'test');
  expect(await lender.lease(...ask('one.2'))).toMatchObject({ lent: true, returnedLeaseId: 'one.1' });
});

test('only the holder hands a session on, and not after its deadline', async () => {
  const lender = setup();
  await lender.admit('1');
  await lender.lease(...ask('one.11'));
  const asking = { instance: 'one', waitedMs: 10, nextWaitedMs: -1 };
  for (const stranger of ['one.1', 'one.111', 'two.11', '']) {
    expect(await lender.handOn('1', stranger, asking)).toMatchObject({ outcome: 'refused' });
  }
  expect(await lender.handOn('1', 'one.11', asking)).toEqual({ outcome: 'renewed', others: 0 });
  await setup({ leaseMs: -1 }).handOn('1', 'one.11', asking);
  expect(await lender.handOn('1', 'one.11', asking)).toMatchObject({ outcome: 'refused' });
});

test('a session is handed on to an equal here, and let go for one that has clearly waited longer elsewhere', async () => {
  const lender = setup();
  await lender.admit('1');
  await lender.lease(...ask('one.1'));
  await lender.lease(...ask('two.1', 'two', 5_000));
  const asking = { instance: 'one', waitedMs: 4_950, nextWaitedMs: 10 };
  expect(await lender.handOn('1', 'one.1', asking)).toEqual({ outcome: 'renewed', others: 1 });
  expect(await lender.handOn('1', 'one.1', { ...asking, waitedMs: 4_000 })).toEqual({
    outcome: 'given-back',
    others: 1,
  });
  expect(await lender.handOn('1', 'one.1', asking)).toMatchObject({ outcome: 'refused' });
  expect(await lender.lease(...ask('two.2', 'two', 5_010))).toMatchObject({ lent: true, returnedLeaseId: 'one.1' });
});

test('a session is kept when another is idle for the one that waits longer elsewhere', async () => {
  const lender = setup();
  await lender.admit('1');
  await lender.lease(...ask('one.1'));
  await lender.lease(...ask('two.1', 'two', 5_000));
  await lender.admit('2');
  const asking = { instance: 'one', waitedMs: 0, nextWaitedMs: -1 };
  expect(await lender.handOn('1', 'one.1', asking)).toEqual({ outcome: 'renewed', others: 1 });
});

test('who joins the line is told to all, who stands in it already is not', async () => {
  const lender = setup();
  const listener = redis.duplicate();
  const heard: string[] = [];
  await listener.subscribe(keys.channel);
  const told = new Promise<void>((resolve) => {
    listener.on('message', (_channel, message) => {
      heard.push(message);
      if (message === 'room') resolve();
    });
  });
  await lender.lease(...ask('one.1'));
  await lender.lease(...ask('one.2'));
  await lender.lease(...ask('two.1', 'two'));
  await lender.tellRoom();
  await told;
  listener.disconnect();
  expect(heard).toEqual(['waiting one', 'waiting two', 'room']);
});

test('the next look is told in ms, and a case begun anew is held off in full', async () => {
  const lender = setup();
  expect(await lender.nextLookInMs()).toBe(undefined);
  await lender.admit('1');
  await lender.lease(...ask('one.1'));
  await lender.giveBack('1', 'one.1', 'quarantine', 'unanswered');
  const inMs = await lender.nextLookInMs();
  expect(inMs).toBeGreaterThan(50_000);
  expect(inMs).toBeLessThanOrEqual(60_000);
  const now = setup({ quarantineMs: 0 });
  await now.giveBack('1', 'one.1', 'quarantine', 'unanswered');
  await redis.zadd(keys.quarantine, 0, '1');
  expect(await lender.nextLookInMs()).toBe(0);
  const [entry] = await lender.claimDueCases(1);
  expect(entry).toMatchObject({ leaseId: 'one.1', reason: 'unanswered' });
  expect(await lender.beginAnew({ sessionId: '1', look: 7 }, 'two.1')).toBe(false);
  expect(await lender.beginAnew({ sessionId: '1', look: 1 }, 'two.1')).toBe(true);
  await redis.zadd(keys.quarantine, 0, '1');
  const [again] = await lender.claimDueCases(1);
  expect(again).toMatchObject({ leaseId: 'two.1', look: 1, callMayRun: true, reason: 'contradiction' });
  expect(again?.notBeforeMs).toBeGreaterThan(50_000);
});

test('a lease past its deadline is lost: not renewed, and giving it back only reaches quarantine', async () => {
  const lender = setup({ leaseMs: -1 });
  await lender.admit('1');
  await lender.lease(...ask('one.1'));
  expect(await lender.stillMine('1', 'one.1')).toBe(false);
  expect(await lender.giveBack('1', 'one.1', 'idle', 'test')).toBe('late');
  expect(await lender.list()).toMatchObject({ idle: [], leased: [], quarantined: ['1'] });
});

test('taking back moves what has run out and what is named, and nothing else', async () => {
  const lender = setup();
  for (const id of ['1', '2', '3']) await lender.admit(id);
  await setup({ leaseMs: -1 }).lease(...ask('one.1'));
  await lender.lease(...ask('one.2'));
  await lender.lease(...ask('one.3'));
  const { leased } = await lender.list();
  const sessionOf = (leaseId: string) => leased.find((lease) => lease.leaseId === leaseId)?.sessionId ?? '';
  const taken = await lender.takeBack([
    { sessionId: sessionOf('one.2'), leaseId: 'one.2', reason: 'owner-dead', holdMs: 0 },
    { sessionId: sessionOf('one.3'), leaseId: 'one.2', reason: 'owner-dead', holdMs: 0 },
  ]);
  expect(taken).toEqual([
    { sessionId: sessionOf('one.2'), reason: 'owner-dead' },
    { sessionId: sessionOf('one.1'), reason: 'expired' },
  ]);
  expect((await lender.list()).leased.map((lease) => lease.leaseId)).toEqual(['one.3']);
});

test('a due look is claimed by one keeper, and only its claim settles the case', async () => {
  const lender = setup({ quarantineMs: 0 });
  await lender.admit('1');
  await lender.lease(...ask('one.1'));
  await lender.giveBack('1', 'one.1', 'quarantine', 'unanswered');
  const [first] = await lender.claimDueCases(10);
  expect(first).toMatchObject({ sessionId: '1', look: 1, callMayRun: true, reason: 'unanswered' });
  expect(await lender.claimDueCases(10)).toEqual([]);
  await lender.settle({ sessionId: '1', look: 1 }, 'later', 0);
  const [second] = await lender.claimDueCases(10);
  expect(second?.look).toBe(2);
  expect(await lender.settle({ sessionId: '1', look: 1 }, 'idle')).toBe(false);
  expect(await lender.settle({ sessionId: '1', look: 2 }, 'idle')).toBe(true);
  expect((await lender.list()).idle).toEqual(['1']);
  expect(await lender.lease(...ask('one.2'))).toMatchObject({ lent: true, returnedLeaseId: '' });
});

test('a session that Redis knows is not restored over itself', async () => {
  const lender = setup();
  const restore = {
    which: 'missing',
    firstLookMs: 0,
    callMayRun: false,
    answeredAgoMs: 0,
    reason: 'lost',
    leaseId: undefined,
  } as const;
  await lender.admit('1');
  expect(await lender.quarantine({ sessionId: '1', ...restore })).toBe(false);
  await lender.lease(...ask('one.1'));
  expect(await lender.quarantine({ sessionId: '1', ...restore })).toBe(false);
  expect(await lender.stillMine('1', 'one.1')).toBe(true);
  expect(await lender.quarantine({ sessionId: '2', ...restore })).toBe(true);
});

test('a session whose last answer is too old is not lent, and is handed out for closing once', async () => {
  const lender = setup();
  const lost = {
    which: 'missing',
    firstLookMs: 0,
    callMayRun: false,
    answeredAgoMs: 60_000,
    reason: 'lost',
    leaseId: undefined,
  } as const;
  await lender.quarantine({ sessionId: '1', ...lost });
  await lender.claimDueCases(1);
  await lender.settle({ sessionId: '1', look: 1 }, 'idle');
  expect(await lender.lease(...ask('one.1'))).toEqual({ lent: false, others: 0, turnInMs: undefined });
  expect(await lender.takeOldIdle(60_000)).toEqual([{ sessionId: '1', returnedLeaseId: '' }]);
  expect(await lender.takeOldIdle(60_000)).toEqual([]);
});

test('a freshly freed session waits for the oldest waiter of all processes', async () => {
  const lender = setup();
  await lender.lease(...ask('two.1', 'two', 5_000));
  await lender.admit('1');
  const answer = await lender.lease(...ask('one.1', 'one', 10));
  expect(answer).toMatchObject({ lent: false });
  expect(await lender.lease(...ask('two.2', 'two', 5_001))).toMatchObject({ lent: true, sessionId: '1' });
});

test('every script works again after the server forgot it', async () => {
  const lender = setup();
  await redis.script('FLUSH');
  await lender.admit('1');
  await redis.script('FLUSH');
  expect(await lender.forget('1')).toBe(true);
});

test('a waiter hears of a freed session and of room without asking', async () => {
  const lender = setup();
  const listener = redis.duplicate();
  const heard: string[] = [];
  await listener.subscribe(keys.channel);
  const both = new Promise<void>((resolve) => {
    listener.on('message', (_channel, message) => {
      heard.push(message);
      if (heard.length === 2) resolve();
    });
  });
  await lender.admit('1');
  await lender.tellRoom();
  await both;
  listener.disconnect();
  expect(heard).toEqual(['freed', 'room']);
});
