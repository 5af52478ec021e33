import type { Scenario } from '../scenario';

export const filemakerDown: Scenario = {
  name: 'filemaker-down',
  story: 'FileMaker took no connections for 20 s',
  load: { payments: 200, overSeconds: 24 },
  blows: [{ at: { sold: 0.2 }, blow: { kind: 'filemaker-away', mode: 'refuse', seconds: 20 } }],
  expects: { resumedWithinSeconds: 3, callsAtMost: 100 },
};
