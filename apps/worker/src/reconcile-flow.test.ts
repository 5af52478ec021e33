import type { WorkerRegistration } from '@bridge/claims';
import type { Database } from '@bridge/database';
import type { BoundFlow, Finding } from '@bridge/flow';
import type { Delivery, Inbox } from '@bridge/inbox';
import { reconcileFlow } from './reconcile-flow';

const NOW = new Date('2026-11-22T12:00:00Z');
const HOUR = 3_600_000;
const finding = (n: number): Finding => ({
  class: 'paid-unseen',
  objectId: `cs_${n}`,
  amount: 100,
  currency: 'eur',
  message: 'paid at Stripe, unknown here',
  replay: {
    eventId: `bridge_cs_${n}`,
    eventType: 'checkout.session.completed',
    object: { id: `cs_${n}` },
    livemode: true,
    createdAt: NOW,
  },
});

function setup(
  options: { from?: Date; duty?: boolean; findings?: () => AsyncGenerator<Finding>; unfinished?: string[] } = {},
) {
  const recorded: Delivery[] = [];
  const windows: { since: Date; until: Date }[] = [];
  const duties: string[] = [];
  const inbox = {
    hasUnfinished: async (objectId: string) => options.unfinished?.includes(objectId) ?? false,
    record: async (deliveries: readonly Delivery[]) =>
      deliveries.map((delivery) => {
        const known = recorded.some(({ eventId }) => eventId === delivery.eventId);
        recorded.push(delivery);
        return { id: '1', eventId: delivery.eventId, outcome: known ? 'duplicate' : 'new', state: 'received' };
      }),
  } as unknown as Inbox;
  const flow = {
    name: 'invoices',
    reconcile: (window: { since: Date; until: Date }) => {
      windows.push(window);
      return (
        options.findings ??
        async function* () {
          yield* [finding(1), finding(2)];
        }
      )();
    },
  } as unknown as BoundFlow;
  const registration = {
    takeDuty: async (name: string) => {
      duties.push(`take ${name}`);
      return options.duty ?? true;
    },
    dropDuty: async (name: string) => void duties.push(`drop ${name}`),
  } as unknown as WorkerRegistration;
  const run = (name = 'invoices') =>
    reconcileFlow(name, {
      database: {} as Database,
      inbox,
      flows: [flow],
      registration,
      from: options.from ?? new Date('2026-01-01'),
      now: () => NOW,
    });
  return { run, recorded, windows, duties };
}

test('what was missed becomes an inbox row of its own source, readable as the event it would have been', async () => {
  const { run, recorded, windows } = setup();
  expect(await run()).toEqual({ found: 2, recorded: 2 });
  expect(windows).toEqual([{ since: new Date(NOW.getTime() - 26 * HOUR), until: new Date(NOW.getTime() - 60_000) }]);
  expect(recorded[0]).toMatchObject({
    source: 'reconciliation',
    peer: 'bridge',
    eventId: 'bridge_cs_1',
    objectId: 'cs_1',
  });
  expect(JSON.parse(String(recorded[0]?.body))).toEqual({
    id: 'bridge_cs_1',
    object: 'event',
    type: 'checkout.session.completed',
    livemode: true,
    data: { object: { id: 'cs_1' } },
  });
});

test('a payment whose event waits to be worked on is not missed, and no second row is made for it', async () => {
  const { run, recorded } = setup({ unfinished: ['cs_1'] });
  expect(await run()).toEqual({ found: 1, recorded: 1 });
  expect(recorded.map(({ objectId }) => objectId)).toEqual(['cs_2']);
});

test('what an earlier pass has recorded is found again and not counted as recorded', async () => {
  const { run } = setup();
  await run();
  expect(await run()).toEqual({ found: 2, recorded: 0 });
});

test('money from before the start of recovery is not looked at', async () => {
  const from = new Date(NOW.getTime() - HOUR);
  const { run, windows } = setup({ from });
  await run();
  expect(windows[0]?.since).toEqual(from);
  const future = setup({ from: new Date(NOW.getTime() + HOUR) });
  expect(await future.run()).toEqual({ found: 0, recorded: 0 });
  expect(future.windows).toEqual([]);
});

test('one process at a time is at it, and lays the duty down when it is done, also after a failure', async () => {
  const other = setup({ duty: false });
  expect(await other.run()).toBeUndefined();
  expect([other.windows, other.duties]).toEqual([[], ['take reconcile:invoices']]);
  const failing = setup({
    findings: async function* () {
      yield finding(1);
      throw new Error('Stripe is away');
    },
  });
  await expect(failing.run()).rejects.toThrow('Stripe is away');
  expect(failing.duties).toEqual(['take reconcile:invoices', 'drop reconcile:invoices']);
  expect(failing.recorded).toHaveLength(1);
});

test('a flow that is switched off finds nothing and takes no duty', async () => {
  const { run, duties } = setup();
  expect(await run('bookings')).toEqual({ found: 0, recorded: 0 });
  expect(duties).toEqual([]);
});
