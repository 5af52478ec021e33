import { setImmediate as turn } from 'node:timers/promises';
import { createLogger, createMetrics } from '@bridge/observability';
import { createEventDispatcher, type DispatchPace, type StoredEvent } from './event-dispatcher';

interface Call {
  ids: string[];
  land(): void;
  fail(error: Error): void;
}

/** A queue whose every call waits for the test, and a clock that the test moves; timers come after `pace.quietMs`. */
function setup(pace: Partial<DispatchPace> = {}) {
  const lines: string[] = [];
  const calls: Call[] = [];
  let time = 1_000;
  let wake: () => void = () => undefined;
  const metrics = createMetrics({ defaults: false });
  const logger = createLogger({ name: 'test', destination: { write: (line) => lines.push(line) } });
  const dispatcher = createEventDispatcher(
    {
      enqueue: (events) =>
        new Promise((land, fail) => {
          calls.push({ ids: events.map(({ id }) => id), land, fail });
          wake();
        }),
    },
    { logger, metrics, pace: { quietMs: 1, callEveryMs: 0, now: () => time, ...pace } },
  );
  return {
    dispatcher,
    lines,
    calls,
    pass: (ms: number) => {
      time += ms;
    },
    called: async (count: number): Promise<void> => {
      while (calls.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    count: async (outcome: string): Promise<number> =>
      Number(new RegExp(`_total\\{outcome="${outcome}"\\} (\\d+)`).exec(await metrics.registry.metrics())?.[1] ?? 0),
  };
}
const event = (id: string): StoredEvent => ({ id, eventId: `evt_${id}` });
const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => String(from + index));

describe('createEventDispatcher', () => {
  test('an idle dispatcher hands over at once, in the next turn of the loop', async () => {
    const { dispatcher, calls } = setup();
    dispatcher.dispatch([event('1')]);
    expect(calls).toEqual([]);
    await turn();
    expect(calls.map(({ ids }) => ids)).toEqual([['1']]);
  });

  test('what comes during a call goes together in the next one, in order and in calls of bounded size', async () => {
    const { dispatcher, calls, called, count } = setup({ callMax: 3, rushBurst: 100 });
    dispatcher.dispatch([event('0')]);
    await called(1);
    for (const id of numbered(5, 1)) dispatcher.dispatch([event(id)]);
    await turn();
    expect(calls).toHaveLength(1);
    calls[0]?.land();
    await called(2);
    calls[1]?.land();
    await called(3);
    calls[2]?.land();
    await dispatcher.idle();
    expect(calls.map(({ ids }) => ids)).toEqual([['0'], ['1', '2', '3'], ['4', '5']]);
    expect(await count('enqueued')).toBe(6);
  });

  test('calls keep their distance: what comes within it goes together, late by no more than that', async () => {
    const { dispatcher, calls, called, pass } = setup({ callEveryMs: 5, quietMs: 1_000 });
    dispatcher.dispatch([event('0')]);
    await called(1);
    calls[0]?.land();
    for (const id of ['1', '2']) {
      pass(2);
      dispatcher.dispatch([event(id)]);
      await turn();
    }
    expect(calls).toHaveLength(1);
    pass(1);
    await called(2);
    expect(calls[1]?.ids).toEqual(['1', '2']);
    calls[1]?.land();
    pass(5);
    dispatcher.dispatch([event('3')]);
    await turn();
    expect(calls[2]?.ids).toEqual(['3']);
  });

  test('a queue that is away is no exception: what waits is left to the sweep, logged once for the storm', async () => {
    const { dispatcher, lines, calls, called, count } = setup({ callMax: 2, rushBurst: 100 });
    dispatcher.dispatch(numbered(5).map(event));
    await called(1);
    calls[0]?.fail(new Error('Redis is away'));
    await dispatcher.idle();
    dispatcher.dispatch([event('6')]);
    await called(2);
    calls[1]?.fail(new Error('Redis is away'));
    await dispatcher.idle();
    expect([await count('failed'), await count('left_to_sweep'), await count('enqueued')]).toEqual([3, 3, 0]);
    expect(lines.filter((line) => line.includes('the sweep will do it'))).toHaveLength(1);
  });

  test('a queue that hangs holds one call and a bounded number of events; what comes meanwhile is left to the sweep', async () => {
    const { dispatcher, calls, called, count } = setup({ waitingMax: 2, rushBurst: 100 });
    dispatcher.dispatch([event('1')]);
    await called(1);
    for (const id of ['2', '3', '4', '5']) dispatcher.dispatch([event(id)]);
    await turn();
    expect(calls).toHaveLength(1);
    calls[0]?.land();
    await called(2);
    calls[1]?.land();
    await dispatcher.idle();
    expect(calls.map(({ ids }) => ids)).toEqual([['1'], ['2', '3']]);
    expect([await count('left_to_sweep'), await count('enqueued')]).toEqual([2, 3]);
  });

  test('in a rush jobs are added at the pace and no faster; the rest goes when no more webhooks come', async () => {
    const { dispatcher, calls, called, pass } = setup({ rushBurst: 10, rushPerSecond: 100, rushCall: 5, quietMs: 20 });
    const rush = numbered(100);
    let handed = 0;
    // 100 webhooks in 90 ms: the burst of 10 and, at 100 a second, 9 more may go meanwhile.
    for (const id of rush) {
      dispatcher.dispatch([event(id)]);
      if (Number(id) % 10 === 9) pass(10);
      await turn();
      for (const call of calls.slice(handed)) call.land();
      handed = calls.length;
      await turn();
    }
    const during = calls.flatMap(({ ids }) => ids);
    expect(during.length).toBeGreaterThanOrEqual(10);
    expect(during.length).toBeLessThanOrEqual(20);
    pass(20);
    await called(handed + 1);
    for (let landed = handed; calls.flatMap(({ ids }) => ids).length < 100; landed += 1) {
      calls[landed]?.land();
      await called(landed + 2);
    }
    calls.at(-1)?.land();
    await dispatcher.idle();
    expect(calls.flatMap(({ ids }) => ids)).toEqual(rush);
    // After the rush: no small calls.
    expect(calls.length - handed).toBe(1);
  });

  test('idle hands over what a rush has left, without waiting for its end', async () => {
    const { dispatcher, calls, called } = setup({ rushBurst: 1, rushPerSecond: 1, quietMs: 3_600_000, callMax: 10 });
    dispatcher.dispatch(numbered(15).map(event));
    await turn();
    const idle = dispatcher.idle();
    await called(1);
    calls[0]?.land();
    await called(2);
    calls[1]?.land();
    await idle;
    expect(calls.map(({ ids }) => ids.length)).toEqual([10, 5]);
  });

  test('nothing to hand over makes no call, and idle resolves', async () => {
    const { dispatcher, calls } = setup();
    dispatcher.dispatch([]);
    await turn();
    await dispatcher.idle();
    expect(calls).toEqual([]);
  });
});
