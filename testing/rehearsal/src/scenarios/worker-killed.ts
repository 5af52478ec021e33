import type { Scenario } from '../scenario';

export const workerKilled: Scenario = {
  name: 'worker-killed',
  story: 'a worker was killed (kill -9) in mid-script twice, once before and once after the scripts had committed',
  load: { payments: 150, overSeconds: 20 },
  filemaker: { scriptMs: 100 },
  blows: [
    { at: { sold: 0.15 }, blow: { kind: 'worker-killed', scriptsStand: 'before-commit' } },
    { at: { sold: 0.65 }, blow: { kind: 'worker-killed', scriptsStand: 'after-commit' } },
  ],
};
