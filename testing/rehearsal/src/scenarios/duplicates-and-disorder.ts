import type { Scenario } from '../scenario';

export const duplicatesAndDisorder: Scenario = {
  name: 'duplicates-and-disorder',
  story: 'Stripe sent half of its webhooks twice, told a fifth of the changes in two events, and mixed up the order',
  load: { payments: 200, overSeconds: 8 },
  delivery: { duplicateFraction: 0.5, twinFraction: 0.2, shuffleWindowMs: 4_000 },
  blows: [],
};
