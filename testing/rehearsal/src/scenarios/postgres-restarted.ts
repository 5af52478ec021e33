import type { Scenario } from '../scenario';

export const postgresRestarted: Scenario = {
  name: 'postgres-restarted',
  story: 'PostgreSQL was stopped for 3 s, and later killed and away for 3 s',
  load: { payments: 200, overSeconds: 20 },
  filemaker: { scriptMs: 120 },
  blows: [
    { at: { sold: 0.2 }, blow: { kind: 'postgres-restarts', how: 'stop', awaySeconds: 3 } },
    { at: { sold: 0.6 }, blow: { kind: 'postgres-restarts', how: 'kill', awaySeconds: 3 } },
  ],
  expects: { resumedWithinSeconds: 8 },
};
