import type { Delivery } from '@bridge/inbox';
import {
  createDeliveryBatcher,
  type DeliveryStore,
  isStoreAway,
  NotStoredError,
  type Recorded,
} from './delivery-batcher';

function delivery(eventId: string, bytes = 2): Delivery {
  return {
    source: 'webhook',
    peer: 'stripe',
    eventId,
    eventType: 'checkout.session.completed',
    account: null,
    livemode: false,
    apiVersion: null,
    objectId: null,
    eventCreatedAt: null,
    body: Buffer.alloc(bytes, 'x'),
    ignoredBecause: null,
  };
}

const recordedOf = (eventId: string): Recorded => ({
  id: `row-${eventId}`,
  eventId,
  outcome: 'new',
  state: 'received',
});

/** A store whose every call waits for the test to let it land. */
function heldStore() {
  const calls: { ids: string[]; land(): void; fail(error: unknown): void }[] = [];
  let wake: () => void = () => undefined;
  const store: DeliveryStore = {
    record: (deliveries) =>
      new Promise((resolve, reject) => {
        const ids = deliveries.map(({ eventId }) => eventId);
        calls.push({ ids, land: () => resolve(ids.map(recordedOf)), fail: reject });
        wake();
      }),
  };
  return {
    store,
    calls,
    /** Resolves when the store has been called `count` times in all. */
    called: async (count: number): Promise<void> => {
      while (calls.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `evt_${String(from + index).padStart(4, '0')}`);

describe('createDeliveryBatcher', () => {
  test('an idle batcher stores a delivery at once and alone', () => {
    const { store, calls } = heldStore();
    createDeliveryBatcher(store)
      .record(delivery('evt_1'))
      .catch(() => undefined);
    expect(calls.map(({ ids }) => ids)).toEqual([['evt_1']]);
    calls[0]?.land();
  });

  test('what arrives while a flight is out goes together when it lands, and each sender hears of its own row', async () => {
    const { store, calls, called } = heldStore();
    const batcher = createDeliveryBatcher(store);
    const results = numbered(51).map((id) => batcher.record(delivery(id)));
    expect(calls).toHaveLength(1);
    calls[0]?.land();
    await called(2);
    expect(calls[1]?.ids).toEqual(numbered(50, 1));
    calls[1]?.land();
    expect(await Promise.all(results)).toEqual(numbered(51).map(recordedOf));
  });

  test('at most 100 go in one flight, a second flight starts only for a full batch, and never a third', async () => {
    const { store, calls, called } = heldStore();
    const batcher = createDeliveryBatcher(store);
    const results = numbered(350).map((id) => batcher.record(delivery(id)));
    expect(calls.map(({ ids }) => ids.length)).toEqual([1, 100]);
    calls[1]?.land();
    await called(3);
    calls[0]?.land();
    await called(4);
    expect(calls.map(({ ids }) => ids.length)).toEqual([1, 100, 100, 100]);
    calls[2]?.land();
    calls[3]?.land();
    await called(5);
    expect(calls[4]?.ids).toHaveLength(49);
    calls[4]?.land();
    expect(new Set((await Promise.all(results)).map(({ id }) => id)).size).toBe(350);
  });

  test('a batch is bounded in bytes too, and one large delivery still goes', async () => {
    const { store, calls, called } = heldStore();
    const batcher = createDeliveryBatcher(store, { batchBytesMax: 100 });
    const results = [2, 60, 60, 500].map((bytes, index) => batcher.record(delivery(`evt_${index}`, bytes)));
    for (let count = 1; count <= 4; count += 1) {
      await called(count);
      calls[count - 1]?.land();
    }
    await Promise.all(results);
    expect(calls.map(({ ids }) => ids)).toEqual([['evt_0'], ['evt_1'], ['evt_2'], ['evt_3']]);
  });

  test('one bad row never fails its neighbours', async () => {
    const { store: held, calls, called } = heldStore();
    const rowFault = Object.assign(new Error('Failed query'), {
      cause: Object.assign(new Error('bad'), { code: '22021' }),
    });
    const tried: string[][] = [];
    const store: DeliveryStore = {
      record: (deliveries) => {
        const ids = deliveries.map(({ eventId }) => eventId);
        if (ids[0] === 'evt_first') return held.record(deliveries);
        tried.push(ids);
        return ids.includes('evt_bad') ? Promise.reject(rowFault) : Promise.resolve(ids.map(recordedOf));
      },
    };
    const batcher = createDeliveryBatcher(store);
    const first = batcher.record(delivery('evt_first'));
    const rest = Promise.allSettled(['evt_c', 'evt_bad', 'evt_a'].map((id) => batcher.record(delivery(id))));
    await called(1);
    calls[0]?.land();
    await first;
    expect((await rest).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(tried).toEqual([['evt_a', 'evt_bad', 'evt_c'], ['evt_a'], ['evt_bad'], ['evt_c']]);
    await batcher.idle();
  });

  test('when the store is away nobody is tried singly, and the next delivery is tried again', async () => {
    const { store, calls, called } = heldStore();
    const batcher = createDeliveryBatcher(store);
    const results = Promise.allSettled(numbered(4).map((id) => batcher.record(delivery(id))));
    const away = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    calls[0]?.fail(away);
    await called(2);
    calls[1]?.fail(away);
    for (const result of await results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FAILED' } });
    }
    expect(calls).toHaveLength(2);
    const next = batcher.record(delivery('evt_next'));
    calls[2]?.land();
    expect(await next).toEqual(recordedOf('evt_next'));
  });

  test('a store that hangs is given up in time, and what nobody waits for is not stored later', async () => {
    const { store, calls } = heldStore();
    const batcher = createDeliveryBatcher(store, { deadlineMs: 10 });
    const results = await Promise.allSettled(numbered(3).map((id) => batcher.record(delivery(id))));
    expect(results.map((result) => (result.status === 'rejected' ? result.reason : result))).toEqual(
      Array(3).fill(expect.objectContaining({ code: 'STORE_LATE' })),
    );
    calls[0]?.land();
    await batcher.idle();
    expect(calls.map(({ ids }) => ids)).toEqual([['evt_0000']]);
  });

  test('a delivery that hangs is given up in time although others before and after it are answered', async () => {
    const { store, calls, called } = heldStore();
    const batcher = createDeliveryBatcher(store, { deadlineMs: 30 });
    const first = batcher.record(delivery('evt_1'));
    const second = batcher.record(delivery('evt_2'));
    calls[0]?.land();
    await first;
    await called(2);
    await expect(second).rejects.toMatchObject({ code: 'STORE_LATE' });
    calls[1]?.land();
    await batcher.idle();
    const third = batcher.record(delivery('evt_3'));
    await expect(third).rejects.toMatchObject({ code: 'STORE_LATE' });
    calls[2]?.land();
    await batcher.idle();
  });

  test('a full waiting room refuses at once', async () => {
    const { store, calls, called } = heldStore();
    const batcher = createDeliveryBatcher(store, { waitingMax: 2 });
    const [first, second, third] = numbered(3).map((id) => batcher.record(delivery(id)));
    const fourth = batcher.record(delivery('evt_4'));
    await expect(fourth).rejects.toEqual(new NotStoredError('OVERLOADED'));
    calls[0]?.land();
    await called(2);
    calls[1]?.land();
    expect(await Promise.all([first, second, third])).toHaveLength(3);
  });

  test('an answer for other deliveries is not believed', async () => {
    const batcher = createDeliveryBatcher({ record: async () => [recordedOf('evt_other')] });
    await expect(batcher.record(delivery('evt_1'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  test('idle waits for everything in hand', async () => {
    const { store, calls, called } = heldStore();
    const batcher = createDeliveryBatcher(store);
    const order: string[] = [];
    const results = numbered(2).map((id) => batcher.record(delivery(id)).then(() => order.push('stored')));
    const idle = batcher.idle().then(() => order.push('idle'));
    calls[0]?.land();
    await called(2);
    calls[1]?.land();
    await Promise.all([...results, idle]);
    expect(order).toEqual(['stored', 'stored', 'idle']);
  });
});

describe('isStoreAway', () => {
  const withCode = (code: string): Error => Object.assign(new Error('x'), { code });
  test.each([
    ['ECONNREFUSED', withCode('ECONNREFUSED'), true],
    ['EPIPE', withCode('EPIPE'), true],
    ['connection failure', withCode('08006'), true],
    ['too many connections', withCode('53300'), true],
    ['shutdown', withCode('57P01'), true],
    ['statement time-out', withCode('57014'), true],
    ['no table yet', withCode('42P01'), true],
    ['a standby', withCode('25006'), true],
    ['pool time-out', new Error('timeout exceeded when trying to connect'), true],
    ['cut connection', new Error('Connection terminated unexpectedly'), true],
    ['wrapped', new Error('Failed query', { cause: withCode('ECONNRESET') }), true],
    ['bad text', withCode('22021'), false],
    ['a constraint', withCode('23514'), false],
    ['a deadlock', withCode('40P01'), false],
    ['a bug', new TypeError('x is not a function'), false],
    ['wrapped row fault', new Error('Failed query: connect', { cause: withCode('22P02') }), false],
    ['no error at all', 'away', false],
  ])('%s', (_what, error, away) => {
    expect(isStoreAway(error)).toBe(away);
  });
});
