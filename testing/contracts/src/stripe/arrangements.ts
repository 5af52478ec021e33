import type { ArrangeStep } from '../contract-case';
import type { RealArrangement } from '../stage';

/** What a case may ask for; at a real account the sales are what is there, and a case is skipped when there is none. */
export const ARRANGEMENTS = {
  'two paid sales': { by: 'itself' },
  'a sale with twelve lines, shipping and tax': { by: 'itself' },
  'a sale that is paid days later': { by: 'itself' },
  'a sale that is authorised and not captured': { by: 'itself' },
  'a sale that nobody has paid yet': { by: 'itself' },
  'a refund': { by: 'itself' },
  'a dispute': { by: 'itself' },
  'a limit on calls': { by: 'itself' },
  'the secret is rolled': {
    by: 'operator',
    please:
      'In the Dashboard, Developers, Webhooks: roll the signing secret of the endpoint whose description begins with "contract-", and keep the old one for an hour.',
  },
} as const satisfies Record<string, RealArrangement>;

export type Arrangement = keyof typeof ARRANGEMENTS;

export function arrange(what: Arrangement): ArrangeStep {
  return { do: 'arrange', what, how: {} };
}
