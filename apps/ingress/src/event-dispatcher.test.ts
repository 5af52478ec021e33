import { createLogger, createMetrics } from '@bridge/observability';
import { createEventDispatcher, type StoredEvent } from './event-dispatcher';

function setup(enqueue: (events: readonly StoredEvent[]) => Promise<void>, callsMax = 2) {
  const lines: string[] = [];
  const metrics = createMetrics({ defaults: false });
  const logger = createLogger({ name: 'test', destination: { write: (line) => lines.push(line) } });
  const dispatcher = createEventDispatcher({ enqueue }, { logger, metrics, callsMax });
  return { dispatcher, lines, text: () => metrics.registry.metrics() };
}
const event = (id: string): StoredEvent => ({ id, eventId: `evt_${id}` });

describe('createEventDispatcher', () => {
  test('a queue that is away is no exception: the events are counted and logged once for the storm', async () => {
    const { dispatcher, lines, text } = setup(() => Promise.reject(new Error('Redis is away')));
    dispatcher.dispatch([event('1'), event('2')]);
    dispatcher.dispatch([event('3')]);
    await dispatcher.idle();
    expect(await text()).toContain('bridge_webhook_enqueues_total{outcome="failed"} 3');
    expect(lines.filter((line) => line.includes('the sweep will do it'))).toHaveLength(1);
  });

  test('a queue that hangs holds a bounded number of calls; what comes meanwhile is left to the sweep', async () => {
    const releases: (() => void)[] = [];
    const { dispatcher, text } = setup(() => new Promise((resolve) => releases.push(resolve)));
    for (const id of ['1', '2', '3', '4']) dispatcher.dispatch([event(id)]);
    expect(releases).toHaveLength(2);
    for (const release of releases) release();
    await dispatcher.idle();
    dispatcher.dispatch([event('5')]);
    expect(releases).toHaveLength(3);
    releases[2]?.();
    await dispatcher.idle();
    expect(await text()).toContain('bridge_webhook_enqueues_total{outcome="left_to_sweep"} 2');
    expect(await text()).toContain('bridge_webhook_enqueues_total{outcome="enqueued"} 3');
  });

  test('nothing to hand over makes no call', () => {
    let calls = 0;
    const { dispatcher } = setup(async () => {
      calls += 1;
    });
    dispatcher.dispatch([]);
    expect(calls).toBe(0);
  });
});
