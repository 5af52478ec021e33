import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { startJobs } from '../tests/jobs-stand';
import { eventJob } from './catalogue';

test('adding a job is told before it leaves and after Redis has it, without its id; a question is not told', async () => {
  const told: string[] = [];
  const listen = (message: unknown): void => {
    const { at, label } = message as { at: string; label: string };
    // Each queue notes BullMQ's version once, some time after it was made: not what this is about.
    if (!label.startsWith('redis hset') || !label.endsWith(':meta')) told.push(`${at}: ${label}`);
  };
  // Before the connection is made: it asks once whether somebody listens.
  subscribe('bridge:outside-call', listen);
  const stand = await startJobs();
  try {
    const job = eventJob({ id: '1', eventId: 'evt_1NirD82eZvKYlo2C', run: 0 });
    await stand.producer.enqueue([job]);
    told.length = 0;
    await stand.producer.enqueue([eventJob({ id: '2', eventId: 'evt_2NirD82eZvKYlo2C', run: 0 })]);
    expect(told).toEqual([
      expect.stringMatching(/^before-first-byte: redis evalsha [0-9a-f]{8} on stripe-events:/),
      expect.stringMatching(/^after-answer: redis evalsha [0-9a-f]{8} on stripe-events:/),
    ]);
    expect(told.join()).not.toContain('evt_');
    told.length = 0;
    expect(await stand.producer.live('stripe-events', [job.id])).toEqual(new Set([job.id]));
    expect(told.filter((point) => !point.includes('evalsha'))).toEqual([]);
  } finally {
    unsubscribe('bridge:outside-call', listen);
    await stand.stop();
  }
});

test('nobody listens: the connection stays as ioredis made it', async () => {
  const stand = await startJobs();
  try {
    expect(Object.hasOwn(stand.producer.redis, 'sendCommand')).toBe(false);
  } finally {
    await stand.stop();
  }
});
