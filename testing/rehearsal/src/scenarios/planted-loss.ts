import type { Scenario } from '../scenario';

export const plantedLoss: Scenario = {
  name: 'planted-loss',
  story: 'we deleted one payment behind the bridge’s back',
  load: { payments: 30, overSeconds: 3 },
  // Before the first sale: on a slow machine all of them may be applied between two looks.
  blows: [{ at: { sold: 0 }, blow: { kind: 'payment-forgotten' } }],
  mustFail: true,
};
