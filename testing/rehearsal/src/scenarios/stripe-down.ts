import type { Scenario } from '../scenario';

export const stripeDown: Scenario = {
  name: 'stripe-down',
  story: 'Stripe broke every connection for 15 s, and its webhooks still came',
  load: { payments: 200, overSeconds: 20 },
  blows: [{ at: { sold: 0.2 }, blow: { kind: 'stripe-away', seconds: 15 } }],
  expects: { resumedWithinSeconds: 5 },
};
