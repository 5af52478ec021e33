import type { Scenario } from '../scenario';

export const redisFlushed: Scenario = {
  name: 'redis-flushed',
  story: 'Redis was flushed three times',
  load: { payments: 200, overSeconds: 9 },
  blows: [
    { at: { applied: 0.15 }, blow: { kind: 'redis-flushed' } },
    { at: { applied: 0.4 }, blow: { kind: 'redis-flushed' } },
    { at: { applied: 0.7 }, blow: { kind: 'redis-flushed' } },
  ],
};
