import type { Scenario } from '../scenario';

export const plantedDouble: Scenario = {
  name: 'planted-double',
  story: 'we made the bridge believe that one payment had not run, and emptied FileMaker’s log',
  load: { payments: 30, overSeconds: 3 },
  blows: [{ at: { applied: 0.9 }, blow: { kind: 'payment-run-again' } }],
  mustFail: true,
};
