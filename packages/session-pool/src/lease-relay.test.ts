import type { Lease } from './lease';
import { createLeaseRelay, type LeaseTurn, TURN_WAIT_MS } from './lease-relay';
import { PoolError } from './pool-error';
import type { PoolCensus } from './session-pool';

/** A pool of so many sessions that keeps books of who has which; a caller without one waits for ever. */
class BookedPool {
  readonly free: string[];
  readonly returned: string[] = [];
  readonly confirmed: string[] = [];
  readonly waiting: ((lease: Lease) => void)[] = [];
  mine = true;
  #leases = 0;

  constructor(readonly cap: number) {
    this.free = Array.from({ length: cap }, (_, at) => `s${at + 1}`);
  }

  lease = (): Promise<Lease> => {
    const sessionId = this.free.shift();
    if (sessionId === undefined) return new Promise((resolve) => this.waiting.push(resolve));
    return Promise.resolve(this.#lend(sessionId));
  };

  #lend(sessionId: string): Lease {
    this.#leases += 1;
    return { leaseId: `l${this.#leases}`, sessionId, fence: String(this.#leases), epoch: '1', token: 'secret' };
  }

  stillMine = async (lease: Lease): Promise<boolean> => {
    this.confirmed.push(lease.leaseId);
    return this.mine;
  };

  giveBack = async (lease: Lease, how: string): Promise<boolean> => {
    this.returned.push(`${lease.sessionId} ${how}`);
    const next = this.waiting.shift();
    if (next === undefined) this.free.push(lease.sessionId);
    else next(this.#lend(lease.sessionId));
    return true;
  };

  census = async (): Promise<PoolCensus> => ({
    opening: 0,
    idle: this.free.length,
    leased: this.cap - this.free.length,
    quarantined: 0,
    closing: 0,
    cap: this.cap,
    effectiveCap: this.cap,
  });
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const REQUEST = { waitMs: 1_000, early: true };

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
});
afterEach(() => {
  jest.useRealTimers();
});

/** A relay whose sessions are all out, which has seen one short call, and knows both. */
async function busyRelay(cap = 1, passOnForMs?: number) {
  const pool = new BookedPool(cap);
  const relay = createLeaseRelay({ pool, ...(passOnForMs === undefined ? {} : { passOnForMs }) });
  const first = await relay.turn(REQUEST);
  await first.end('idle');
  pool.returned.splice(0);
  const turns: LeaseTurn[] = [];
  for (let at = 0; at < cap; at += 1) turns.push(await relay.turn(REQUEST));
  await jest.advanceTimersByTimeAsync(600);
  // Looks in the background; who asks now still waits in the pool's line.
  const waiting = relay.turn(REQUEST);
  await settled();
  return { pool, relay, turns, waiting };
}

const only = <T>(list: readonly T[]): T => {
  const [one] = list;
  if (one === undefined || list.length !== 1) throw new Error(`${list.length} where one was expected`);
  return one;
};

test('while sessions are idle every caller gets one of its own from the pool, and gives it back there', async () => {
  const pool = new BookedPool(2);
  const relay = createLeaseRelay({ pool });
  const [one, two] = [await relay.turn(REQUEST), await relay.turn(REQUEST)];
  expect(one.lease.sessionId).not.toBe(two.lease.sessionId);
  await one.end('idle');
  await two.end('quarantine');
  expect(pool.returned).toEqual(['s1 idle', 's2 quarantine']);
});

test('when all sessions are out, the next caller knows its session before the call before has ended, and begins right after it', async () => {
  const { pool, relay, turns } = await busyRelay();
  const current = only(turns);
  const next = await relay.turn(REQUEST);
  expect(next.lease).toBe(current.lease);
  let began = false;
  const mine = next.isMine().then((is) => {
    began = true;
    return is;
  });
  await settled();
  expect(began).toBe(false);
  await current.end('idle');
  expect(await mine).toBe(true);
  expect(pool.returned).toEqual([]);
  expect(pool.confirmed).toEqual([next.lease.leaseId]);
  await next.end('idle');
  expect(pool.returned).toEqual(['s1 idle']);
});

test.each(['quarantine', 'gone'] as const)('after a call that ended as %s nobody uses the lease again', async (how) => {
  const { pool, relay, turns } = await busyRelay();
  const next = await relay.turn(REQUEST);
  await only(turns).end(how);
  expect(await next.isMine()).toBe(false);
  await next.end('quarantine');
  expect(pool.returned).toEqual([`s1 ${how}`]);
  expect(pool.confirmed).toEqual([]);
});

test('a lease has one caller at work and one that waits; a third stands in the line of the pool', async () => {
  const { pool, relay } = await busyRelay();
  await relay.turn(REQUEST);
  const standing = pool.waiting.length;
  relay.turn(REQUEST).catch(() => undefined);
  await settled();
  expect(pool.waiting.length).toBe(standing + 1);
});

test('a turn that does not come within the time limit never comes, also when the call before ends later', async () => {
  const { pool, relay, turns } = await busyRelay();
  const next = await relay.turn(REQUEST);
  const mine = next.isMine();
  await jest.advanceTimersByTimeAsync(TURN_WAIT_MS);
  expect(await mine).toBe(false);
  await only(turns).end('idle');
  expect(pool.returned).toEqual(['s1 idle']);
  expect(await next.isMine()).toBe(false);
  await next.end('quarantine');
  expect(pool.returned).toEqual(['s1 idle']);
});

test('a caller that gives up before its turn leaves the lease as it is', async () => {
  const { pool, relay, turns } = await busyRelay();
  const next = await relay.turn(REQUEST);
  await next.end('idle');
  expect(pool.returned).toEqual([]);
  await only(turns).end('idle');
  expect(pool.returned).toEqual(['s1 idle']);
});

test('a caller whose turn has come and who sends nothing gives the lease back once', async () => {
  const { pool, relay, turns } = await busyRelay();
  const next = await relay.turn(REQUEST);
  await only(turns).end('idle');
  await next.end('idle');
  await next.end('quarantine');
  expect(pool.returned).toEqual(['s1 idle']);
});

test('a lease that Redis no longer confirms is not used, whoever it was passed on by', async () => {
  const { pool, relay, turns } = await busyRelay();
  const next = await relay.turn(REQUEST);
  await only(turns).end('idle');
  pool.mine = false;
  expect(await next.isMine()).toBe(false);
  await next.end('quarantine');
  expect(pool.returned).toEqual(['s1 quarantine']);
});

test('a lease goes back to the pool after its time, so that other processes get their turn', async () => {
  const { pool, relay, turns, waiting } = await busyRelay(1, 1_000);
  const next = await relay.turn(REQUEST);
  await jest.advanceTimersByTimeAsync(500);
  await only(turns).end('idle');
  // Older than its time now: the one that waits already is served, and nobody comes after it.
  await settled();
  const standing = pool.waiting.length;
  relay.turn(REQUEST).catch(() => undefined);
  await settled();
  expect(pool.waiting.length).toBe(standing + 1);
  await next.end('idle');
  expect(pool.returned).toEqual(['s1 idle']);
  expect((await waiting).lease.sessionId).toBe('s1');
});

test('a caller that did not ask for an early turn stands in the line of the pool', async () => {
  const { pool, relay } = await busyRelay();
  const standing = pool.waiting.length;
  relay.turn({ waitMs: 1_000 }).catch(() => undefined);
  await settled();
  expect(pool.waiting.length).toBe(standing + 1);
});

test('with long calls nobody waits for a turn beforehand', async () => {
  const pool = new BookedPool(1);
  const relay = createLeaseRelay({ pool, passOnForMs: 3_600_000 });
  const first = await relay.turn(REQUEST);
  await jest.advanceTimersByTimeAsync(5_000);
  await first.end('idle');
  await relay.turn(REQUEST);
  await jest.advanceTimersByTimeAsync(600);
  relay.turn(REQUEST).catch(() => undefined);
  await settled();
  relay.turn(REQUEST).catch(() => undefined);
  await settled();
  expect(pool.waiting).toHaveLength(2);
});

test('a pool that cannot be asked whether sessions are idle lends as if some were', async () => {
  const pool = new BookedPool(1);
  const failures: string[] = [];
  const relay = createLeaseRelay({
    pool: { ...pool, lease: pool.lease, census: () => Promise.reject(new PoolError('POOL_DATABASE_DOWN', 'away')) },
    onFailure: (error) => failures.push(error.message),
  });
  const first = await relay.turn(REQUEST);
  await first.end('idle');
  await relay.turn(REQUEST);
  await jest.advanceTimersByTimeAsync(600);
  relay.turn(REQUEST).catch(() => undefined);
  await settled();
  expect(pool.waiting).toHaveLength(1);
  expect(failures).toEqual(['away', 'away']);
});

test('of several leases the next caller gets the one whose call began first', async () => {
  const { relay, turns, pool } = await busyRelay(2);
  const [first, second] = turns;
  const next = await relay.turn(REQUEST);
  expect(next.lease).toBe(first?.lease);
  const after = await relay.turn(REQUEST);
  expect(after.lease).toBe(second?.lease);
  expect(pool.returned).toEqual([]);
});
