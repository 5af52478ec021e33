import type { Scenario } from '../scenario';

export const capacityStorm: Scenario = {
  name: 'capacity-storm',
  story:
    'FileMaker disconnected us and refused every login for 10 s, twice, since others had taken all its places (956)',
  load: { payments: 200, overSeconds: 30 },
  blows: [
    { at: { sold: 0.15 }, blow: { kind: 'filemaker-full', seconds: 10 } },
    { at: { sold: 0.6 }, blow: { kind: 'filemaker-full', seconds: 10 } },
  ],
  expects: { resumedWithinSeconds: 12, callsAtMost: 160 },
};
