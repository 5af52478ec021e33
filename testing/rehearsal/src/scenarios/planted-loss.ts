import type { Scenario } from '../scenario';

export const plantedLoss: Scenario = {
  name: 'planted-loss',
  story: 'we deleted one payment behind the bridge’s back',
  load: { payments: 30, overSeconds: 3 },
  blows: [{ at: { applied: 0.2 }, blow: { kind: 'payment-forgotten' } }],
  mustFail: true,
};
