import { createLateness } from './loop-watch';

test('a loop on time is healthy, one long pause is forgiven, and pause upon pause is a fault until it ends', () => {
  const lateness = createLateness(1_000, 2_000, 3);
  let now = 0;
  const tickAfter = (ms: number): void => {
    now += ms;
    lateness.tick(now);
  };
  tickAfter(0);
  tickAfter(1_000);
  tickAfter(60_000);
  expect(lateness.fault(now)).toBeUndefined();
  tickAfter(1_000);
  tickAfter(4_000);
  tickAfter(4_000);
  expect(lateness.fault(now)).toBeUndefined();
  tickAfter(4_000);
  expect(lateness.fault(now)).toBe('the event loop is late by 3000 ms');
  tickAfter(1_000);
  expect(lateness.fault(now)).toBeUndefined();
});
