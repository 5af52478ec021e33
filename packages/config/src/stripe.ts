import { z } from 'zod';
import { address, list, oneOf, origin, text, wholeNumber } from './parsers';
import { variable } from './variable';

const apiKey = text.refine((value) => /^(sk|rk)_(live|test)_[A-Za-z0-9_]+$/.test(value), {
  message:
    'must be a secret or restricted key (sk_live_, sk_test_, rk_live_, rk_test_); publishable and webhook keys cannot read',
});

/** A webhook secret is any text of Stripe's, but a key of another kind in its place is a mistake people make. */
function webhookSecretFault(secret: string): string | undefined {
  if (/^(sk|rk|pk)_/.test(secret)) return 'is an API key; the secret of a webhook endpoint begins with whsec_';
  return /\s/.test(secret) ? 'contains white space' : undefined;
}

export const stripeVariables = z.object({
  STRIPE_API_KEY: variable(apiKey, {
    default: 'none, required by the worker',
    accepts: '`sk_…` or `rk_…` key',
    meaning:
      'Secret or restricted key of the one Stripe account. The ingress uses it only to know whether live or test events are expected.',
    secret: true,
  }),
  STRIPE_API_BASE: variable(origin('anywhere'), {
    default: 'https://api.stripe.com',
    meaning: 'Base address of a stand-in for Stripe. A live key is refused over http:// to another machine.',
    roles: ['worker', 'scheduler', 'cli'],
  }),
  STRIPE_WEBHOOK_SECRETS: variable(list(webhookSecretFault), {
    default: 'none, required by the ingress unless STRIPE_DELIVERY=pull',
    meaning:
      'Signing secrets of the webhook endpoints (whsec_…), comma-separated; each is accepted, so that a roll loses nothing.',
    secret: true,
    roles: ['ingress'],
  }),
  STRIPE_WEBHOOK_URL: variable(address('https:', 'http:'), {
    default: 'none: `doctor` takes the only endpoint whose path is /webhooks/stripe',
    meaning: 'Address that Stripe sends events to, as it stands at Stripe: `bridge doctor` checks the endpoint there.',
    roles: ['cli'],
  }),
  STRIPE_DELIVERY: variable(oneOf('webhook', 'pull'), {
    default: 'webhook',
    meaning:
      '`pull`: no open port; the workers fetch events from Stripe every STRIPE_PULL_SECONDS. No webhook secret is needed then; where one is set, webhooks are taken as well.',
  }),
  STRIPE_PULL_SECONDS: variable(wholeNumber(1, 3_600), {
    default: '60',
    meaning:
      'With STRIPE_DELIVERY=pull the seconds from one fetch of events to the next. One a minute is 43,200 reads in 30 days; Stripe allows 500 for each payment of these days, and never less than 10,000 a month: 300 keeps within that without any sale.',
    roles: ['worker', 'scheduler'],
  }),
  STRIPE_READS_PER_SECOND: variable(wholeNumber(1, 10_000), {
    default: 'live key 40, test key 12',
    meaning:
      'One budget of reads for all workers, live work first. Stripe allows an account 100 a second live, 25 in a sandbox, for all its programs together; a stand-in may take more.',
    roles: ['worker', 'scheduler', 'cli'],
  }),
  STRIPE_READS_PER_MONTH: variable(wholeNumber(1, 1_000_000_000), {
    default: "none: Stripe's own rule, 500 for each payment of these days, at least 10,000",
    meaning:
      'Reads that Stripe allows the account in 30 days. Reconciliation by the clock rests when nine tenths are used, so that the rest is left to live work.',
    roles: ['worker'],
  }),
});

/** The `STRIPE_…` variables. */
export interface StripeConfig {
  /** Secret. Unset only where the role does without. */
  readonly apiKey: string | undefined;
  /** What the key says about `livemode`; undefined without a key. */
  readonly livemode: boolean | undefined;
  /** Origin, no trailing slash. */
  readonly apiBase: string;
  /** Secret. Empty outside the ingress. */
  readonly webhookSecrets: readonly string[];
  /** Where Stripe sends events, for the command line alone. */
  readonly webhookUrl: string | undefined;
  /** `pull`: the workers fetch events, every `pullSeconds`. */
  readonly delivery: 'webhook' | 'pull';
  readonly pullSeconds: number;
  readonly readsPerSecond: number;
  /** Undefined: as Stripe's own rule gives. */
  readonly readsInThirtyDays: number | undefined;
}
