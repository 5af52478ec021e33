import { fingerprint } from '@bridge/installation';
import { StripeCallError, type StripeClient, type StripeRead } from '@bridge/stripe-client';
import { type Fault, fault, type Judged } from './fault';

/** What reading one kind of object came to. `untold`: Stripe said something that has nothing to do with permissions. */
export interface ReadTried {
  kind: StripeRead;
  outcome: 'allowed' | 'missing' | 'untold';
  /** The permission as Stripe names it, when it does. */
  permission: string | null;
}

export interface StripeKeyFacts {
  livemode: boolean;
  /** `sk_…`: a key that may do everything. */
  unrestricted: boolean;
  production: boolean;
  /** Why nothing could be asked at all. */
  failed: { refused: boolean; because: string } | null;
  /** Null where the key may not read its own account. */
  account: { id: string } | null;
  /** Fingerprint of the account this database belongs to; null before the first worker has met it. */
  stored: string | null;
  reads: readonly ReadTried[];
  /** Flows that need a kind of object, by the events they want. */
  needed: ReadonlyMap<StripeRead, readonly string[]>;
}

/** What a flow reads follows from the events that it wants. */
const READS: readonly (readonly [prefix: string, reads: readonly StripeRead[]])[] = [
  ['', ['events']],
  ['checkout.session.', ['checkout_sessions', 'payment_intents', 'charges', 'products']],
  ['payment_intent.', ['checkout_sessions', 'payment_intents', 'charges']],
  ['refund.', ['refunds', 'charges', 'checkout_sessions']],
  ['charge.dispute.', ['disputes', 'charges', 'checkout_sessions']],
];

/** Good to have: the name of a shipping, and this check of the endpoint. */
const WANTED: readonly StripeRead[] = ['shipping_rates', 'webhook_endpoints'];

/** As the Stripe dashboard calls them. */
const NAMES: Readonly<Record<StripeRead, string>> = {
  checkout_sessions: 'Checkout Sessions',
  payment_intents: 'PaymentIntents',
  charges: 'Charges',
  refunds: 'Refunds',
  disputes: 'Disputes',
  events: 'Events',
  products: 'Products',
  shipping_rates: 'Shipping Rates (the name of a shipping)',
  webhook_endpoints: 'Webhook Endpoints (this check cannot look at yours)',
};

/** Which kinds of objects these flows read, and which of the flows. Pure. */
export function neededReads(
  flows: readonly { name: string; wants: readonly string[] }[],
): Map<StripeRead, readonly string[]> {
  const needed = new Map<StripeRead, string[]>();
  for (const { name, wants } of flows) {
    for (const [prefix, reads] of READS) {
      if (!wants.some((type) => type.startsWith(prefix))) continue;
      for (const kind of reads) {
        const names = needed.get(kind) ?? [];
        if (!names.includes(name)) names.push(name);
        needed.set(kind, names);
      }
    }
  }
  return needed;
}

/** Pure. */
export function judgeStripeKey(facts: StripeKeyFacts): Judged {
  const { livemode, failed, account } = facts;
  const mode = livemode ? 'live' : 'test';
  if (failed !== null)
    return {
      detail: `${mode} key, not asked`,
      faults: [fault(failed.refused ? 'STRIPE_KEY_REFUSED' : 'STRIPE_AWAY', failed.because)],
    };
  const untold = facts.reads.filter(({ outcome }) => outcome === 'untold');
  return {
    detail: `${facts.unrestricted ? 'secret' : 'restricted'} ${mode} key${account === null ? '' : ` of ${account.id}`}`,
    faults: [
      ...accountFaults(facts),
      ...facts.reads.filter(({ outcome }) => outcome === 'missing').map((read) => missingRead(read, facts.needed)),
      ...(untold.length === 0 ? [] : [fault('CHECK_NOT_ANSWERED', untold.map(({ kind }) => NAMES[kind]).join(', '))]),
      ...(livemode && facts.unrestricted ? [fault('STRIPE_KEY_UNRESTRICTED')] : []),
      ...(facts.production && !livemode ? [fault('STRIPE_TEST_KEY_IN_PRODUCTION')] : []),
    ],
  };
}

function accountFaults({ account, stored, livemode }: StripeKeyFacts): Fault[] {
  if (account === null) return [fault('STRIPE_ACCOUNT_UNTOLD', 'refused')];
  const print = (mode: 'live' | 'test'): string => fingerprint(account.id, mode);
  const [ours, other] = livemode ? (['live', 'test'] as const) : (['test', 'live'] as const);
  if (stored === null || stored === print(ours)) return [];
  return [stored === print(other) ? fault('STRIPE_OTHER_MODE', ours) : fault('STRIPE_OTHER_ACCOUNT', account.id)];
}

function missingRead({ kind, permission }: ReadTried, needed: StripeKeyFacts['needed']): Fault {
  const flows = needed.get(kind);
  const named = `${NAMES[kind]}${permission === null ? '' : ` (${permission})`}`;
  return flows === undefined
    ? fault('STRIPE_READ_WANTED', named)
    : fault('STRIPE_READ_MISSING', `${named}, which the flow ${flows.join(' and ')} needs`);
}

/** About a dozen reads, none of which can bring a customer's data. Each is bounded by the client's time-out. */
export async function collectStripeKey(
  stripe: Pick<StripeClient, 'retrieveAccount' | 'tryRead'>,
  options: Pick<StripeKeyFacts, 'needed' | 'stored' | 'production'> & { apiKey: string; livemode: boolean },
): Promise<StripeKeyFacts> {
  const { apiKey, ...known } = options;
  const facts = { ...known, unrestricted: apiKey.startsWith('sk_') };
  let account: StripeKeyFacts['account'] = null;
  try {
    const { id } = await stripe.retrieveAccount();
    account = { id };
  } catch (error) {
    if (!(error instanceof StripeCallError)) throw error;
    const permitted = error.stage === 'refused' && error.code !== 'STRIPE_KEY_REFUSED' && error.action !== 'wait';
    if (!permitted)
      return {
        ...facts,
        failed: { refused: error.code === 'STRIPE_KEY_REFUSED', because: error.message },
        account,
        reads: [],
      };
  }
  const kinds = [...new Set([...options.needed.keys(), ...WANTED])];
  const reads = await Promise.all(kinds.map((kind) => tryOne(stripe, kind)));
  return { ...facts, failed: null, account, reads };
}

async function tryOne(stripe: Pick<StripeClient, 'tryRead'>, kind: StripeRead): Promise<ReadTried> {
  try {
    await stripe.tryRead(kind);
    return { kind, outcome: 'allowed', permission: null };
  } catch (error) {
    if (!(error instanceof StripeCallError)) throw error;
    const missing = error.code === 'STRIPE_PERMISSION';
    return { kind, outcome: missing ? 'missing' : 'untold', permission: error.permission ?? null };
  }
}
