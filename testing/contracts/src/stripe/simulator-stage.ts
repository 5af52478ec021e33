import type { ArrangeStep } from '../contract-case';
import type { Variables } from '../placeholders';
import type { Control } from '../simulator-control';
import { CannotArrange, type Stage } from '../stage';
import type { Arrangement } from './arrangements';

const TWELVE = Array.from({ length: 12 }, (_, index) => ({
  name: `Part ${index + 1}`,
  unitAmount: 250,
  quantity: 2,
  tax: 40,
}));
const SHIPPING = { shipping: { amount: 900, tax: 72 } };

/** Sells, refunds and disputes at the simulator what an account would have had before. */
export function createStripeSimulatorStage(control: Control, restrictedKey: string): Stage {
  const sell = (order: Record<string, unknown> = {}): Promise<{ sessionId: string }> =>
    control('POST', '/sales', order);
  const arrangements: Record<Arrangement, (variables: Variables) => Promise<unknown>> = {
    'two paid sales': async () => [await sell(), await sell(SHIPPING)],
    'a sale with twelve lines, shipping and tax': () => sell({ lines: TWELVE, ...SHIPPING }),
    'a sale that is paid days later': () => sell({ delayed: true }),
    'a sale that is authorised and not captured': () => sell({ manualCapture: true }),
    'a sale that nobody has paid yet': () => sell({ open: true }),
    'a refund': async () => control('POST', `/sales/${(await sell()).sessionId}/refund`, { amount: 100 }),
    'a dispute': async () => control('POST', `/sales/${(await sell()).sessionId}/dispute`, {}),
    'a limit on calls': () => control('POST', '/settings', { rateLimits: { globalPerSecond: 5 } }),
    'the secret is rolled': ({ endpoint, webhookSecret }) =>
      control('POST', `/endpoints/${String(endpoint)}`, { secrets: [webhookSecret, 'whsec_theNewOne'] }),
  };
  return {
    patienceMs: { long: 3_000, short: 100 },
    prepare: async () => {
      await control('POST', '/reset', {});
      await control('POST', '/settings', {
        rateLimits: { globalPerSecond: null },
        restrictedKeys: { [restrictedKey]: ['checkout_sessions:read'] },
      });
    },
    arrange: async ({ what }: ArrangeStep, variables) => {
      const perform = (arrangements as Record<string, ((given: Variables) => Promise<unknown>) | undefined>)[what];
      if (perform === undefined) throw new CannotArrange(`the simulator's stage cannot arrange: ${what}`);
      await perform(variables);
    },
  };
}
