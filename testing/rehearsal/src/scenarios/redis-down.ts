import type { Scenario } from '../scenario';

export const redisDown: Scenario = {
  name: 'redis-down',
  story: 'Redis was away for 10 s and came back empty',
  load: { payments: 200, overSeconds: 16 },
  blows: [{ at: { sold: 0.25 }, blow: { kind: 'redis-away', seconds: 10 } }],
  expects: { resumedWithinSeconds: 8 },
};
