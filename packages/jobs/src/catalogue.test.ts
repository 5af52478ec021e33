import fc from 'fast-check';
import { catalogue, effectJob, eventJob, queuePrefix } from './catalogue';

test('an event of Stripe is keyed by its own id, and a later run by that id and the run', () => {
  expect(eventJob({ id: '7', eventId: 'evt_1Nx', run: 0 })).toEqual({
    queue: 'stripe-events',
    id: 'evt_1Nx',
    data: { inboxId: '7' },
  });
  expect(eventJob({ id: '7', eventId: 'evt_1Nx', run: 3 }).id).toBe('evt_1Nx.3');
  expect(effectJob({ id: '9', run: 0 })).toEqual({ queue: 'filemaker-effects', id: '9.0', data: { effectId: '9' } });
});

test.each([
  'wait',
  'meta',
  'id',
  '12',
  '-5',
  '0:1:2',
  'a:b',
  '',
  'evt_1.2',
  'inbox-4',
  'stalled-check',
  'evt 1',
  'ü_1',
])('the odd event id %j gives a job id made of the row', (eventId) => {
  expect(eventJob({ id: '4', eventId, run: 0 }).id).toBe('inbox-4');
});

test('two rows, or two runs of one, never share a job id', () => {
  const row = fc.record({
    id: fc.nat({ max: 50 }).map(String),
    eventId: fc.oneof(
      fc.string({ maxLength: 12 }),
      fc
        .tuple(fc.constantFrom('evt_', 'inbox-', 'a_'), fc.nat({ max: 9 }), fc.constantFrom('', '.1', '.2'))
        .map((p) => p.join('')),
    ),
    run: fc.nat({ max: 3 }),
  });
  fc.assert(
    fc.property(row, row, (one, other) => {
      fc.pre(one.id !== other.id && one.eventId !== other.eventId);
      expect(eventJob(one).id).not.toBe(eventJob(other).id);
    }),
  );
  fc.assert(
    fc.property(row, fc.nat({ max: 9 }), (one, run) => {
      fc.pre(run !== one.run);
      expect(eventJob(one).id).not.toBe(eventJob({ ...one, run }).id);
    }),
  );
});

test('jobs carry ids of rows and nothing else', () => {
  expect(catalogue['stripe-events'].data.safeParse({ inboxId: '7' }).success).toBe(true);
  expect(catalogue['stripe-events'].data.safeParse({ inboxId: '7', email: 'a@b.example' }).success).toBe(false);
  expect(catalogue['filemaker-effects'].data.safeParse({ effectId: '7; drop' }).success).toBe(false);
});

test('all keys of one bridge lie in one hash slot, and two bridges in one Redis keep apart', () => {
  expect(queuePrefix('bridge', 'abc')).toBe('{bridge:abc}');
  expect(queuePrefix('bridge', 'abc')).not.toBe(queuePrefix('bridge', 'abd'));
});
