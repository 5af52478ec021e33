import type { Scenario } from '../scenario';

export const sessionStorm: Scenario = {
  name: 'session-storm',
  story: 'FileMaker restarted twice, so that running scripts were cut off and all tokens were void (952)',
  load: { payments: 200, overSeconds: 15 },
  filemaker: { scriptMs: 120 },
  blows: [
    { at: { sold: 0.3 }, blow: { kind: 'filemaker-restarts', awaySeconds: 2 } },
    { at: { sold: 0.7 }, blow: { kind: 'filemaker-restarts', awaySeconds: 2 } },
  ],
  expects: { resumedWithinSeconds: 5 },
};
