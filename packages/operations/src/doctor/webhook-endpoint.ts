import type { AddressSeen, StripeClient, WebhookEndpoint } from '@bridge/stripe-client';
import { StripeCallError } from '@bridge/stripe-client';
import { spell } from '../status/status-lines';
import { type Fault, fault, type Judged } from './fault';

/** Written to the endpoint by `--fix`: two bridges on one account can tell their endpoints apart. */
export const MARK = 'bridge_installation';
/** Where the ingress takes webhooks, whatever host and proxy stand before it. */
const PATH = '/webhooks/stripe';
/** Shapes of events from before are not tested. */
const OLDEST_VERSION = '2022-08-01';
/** A delivery is late after so long, as far as this check cares. */
const PENDING_AFTER_MS = 120_000;
const PULL_LATE_MS = 300_000;

/** One or two may be anybody's; a wrong secret refuses every one. */
const WRONGLY_SIGNED_MIN = 3;

export interface WebhookFacts {
  delivery: 'webhook' | 'pull';
  /** Event types of the flows that are on. */
  wants: readonly string[];
  observe: boolean;
  installationId: string;
  /** STRIPE_WEBHOOK_URL or --url. */
  url: string | undefined;
  /** Null where the key may not read them: that is told with the key. */
  endpoints: readonly WebhookEndpoint[] | null;
  /** What answers at the address of ours; null where there is none to look at. */
  look: AddressSeen | null;
  /** Events that Stripe could not deliver somewhere, and that are not in our inbox either. */
  pending: readonly { eventId: string; createdAt: Date }[];
  /** Webhooks of the last day with a wrong signature, since the last one that was taken. */
  wronglySigned: number;
  /** With pull: when events were last fetched to the end; null: never. */
  fetchedAt: Date | null;
  pullSeconds: number;
  at: Date;
}

export type Ours =
  | { kind: 'ours'; endpoint: WebhookEndpoint }
  | { kind: 'missing' | 'ambiguous' | 'foreign'; about: string };

/**
 * Which endpoint is ours: the one at the given address, else the one that bears our mark, else the only one with our path. One
 * with our path that bears another's mark is told of: a database that was set up anew stands behind the old one's endpoint.
 */
export function pickOurs(
  endpoints: readonly WebhookEndpoint[],
  { url, installationId }: Pick<WebhookFacts, 'url' | 'installationId'>,
): Ours {
  const foreign = ({ metadata }: WebhookEndpoint): boolean =>
    metadata[MARK] !== undefined && metadata[MARK] !== installationId;
  const foreignOne = ({ url: at, id }: WebhookEndpoint): Ours => ({ kind: 'foreign', about: `${at}, ${id}` });
  const oneOf = (some: readonly WebhookEndpoint[]): Ours | undefined => {
    const [first] = some;
    if (first === undefined) return undefined;
    if (some.length > 1) return { kind: 'ambiguous', about: some.map((one) => `${one.url} (${one.id})`).join(', ') };
    return foreign(first) ? foreignOne(first) : { kind: 'ours', endpoint: first };
  };
  if (url !== undefined) {
    const there = endpoints.filter((one) => sameAddress(one.url, url));
    // Of several at one address, those that are off are leftovers.
    const on = there.filter(({ status }) => status === 'enabled');
    return oneOf(on.length > 0 ? on : there) ?? { kind: 'missing', about: `none at ${url}` };
  }
  const marked = oneOf(endpoints.filter(({ metadata }) => metadata[MARK] === installationId));
  if (marked !== undefined) return marked;
  const likely = endpoints.filter((one) => pathOf(one.url) === PATH);
  const [other] = likely.filter(foreign);
  return (
    oneOf(likely.filter((one) => !foreign(one))) ??
    (other === undefined ? { kind: 'missing', about: `none whose path is ${PATH}` } : foreignOne(other))
  );
}

const parsed = (url: string): URL | undefined => (URL.canParse(url) ? new URL(url) : undefined);
const pathOf = (url: string): string => parsed(url)?.pathname ?? '';
const sameAddress = (one: string, other: string): boolean => parsed(one)?.href === parsed(other)?.href;

/** Pure. */
export function judgeWebhook(facts: WebhookFacts): Judged {
  const { delivery, endpoints, wants } = facts;
  if (delivery === 'pull') return judgePull(facts);
  const pending = pendingFaults(facts);
  if (endpoints === null) return { detail: 'not looked at: the key may not read webhook endpoints', faults: pending };
  const ours = pickOurs(endpoints, facts);
  if (ours.kind !== 'ours') {
    const code = (
      { missing: 'ENDPOINT_MISSING', ambiguous: 'ENDPOINT_AMBIGUOUS', foreign: 'ENDPOINT_OF_OTHER_BRIDGE' } as const
    )[ours.kind];
    return { detail: 'ours was not found', faults: [fault(code, ours.about), ...pending] };
  }
  const { endpoint } = ours;
  const types = compareTypes(endpoint.enabledEvents, wants);
  return {
    detail: `${endpoint.url}, ${endpoint.id}, ${endpoint.status}, ${endpoint.enabledEvents.includes('*') ? 'all' : endpoint.enabledEvents.length} event types`,
    faults: [
      ...(endpoint.status === 'enabled' ? [] : [fault('ENDPOINT_DISABLED', endpoint.url)]),
      ...(types.missing.length === 0 ? [] : [fault('ENDPOINT_TYPES_MISSING', types.missing.join(', '))]),
      ...(types.unneeded.length === 0 ? [] : [fault('ENDPOINT_TYPES_UNNEEDED', types.unneeded.join(', '))]),
      ...othersFaults(facts, endpoint.id),
      ...(endpoint.apiVersion !== null && endpoint.apiVersion < OLDEST_VERSION
        ? [fault('ENDPOINT_VERSION_OLD', endpoint.apiVersion)]
        : []),
      ...lookFaults(facts.look),
      ...pending,
    ],
  };
}

/** `*` brings every type that is wanted, and many that are not. */
export function compareTypes(
  enabled: readonly string[],
  wants: readonly string[],
): { missing: string[]; unneeded: string[] } {
  const all = enabled.includes('*');
  return {
    missing: all ? [] : wants.filter((type) => !enabled.includes(type)),
    unneeded: all ? ['*'] : enabled.filter((type) => !wants.includes(type)),
  };
}

function judgePull(facts: WebhookFacts): Judged {
  const { fetchedAt, at, pullSeconds } = facts;
  const sinceMs = fetchedAt === null ? null : at.getTime() - fetchedAt.getTime();
  const late = sinceMs === null || sinceMs > Math.max(PULL_LATE_MS, 3_000 * pullSeconds);
  const when = sinceMs === null ? 'never' : `${spell(sinceMs / 1_000)} ago`;
  return {
    detail: `none needed: events are fetched; last ${when}`,
    faults: [...(late ? [fault('PULL_LATE', when)] : []), ...othersFaults(facts, undefined)],
  };
}

/** Beside an observing bridge an older handler is what one expects. */
function othersFaults({ endpoints, wants, observe }: WebhookFacts, ourId: string | undefined): Fault[] {
  const others = (endpoints ?? []).filter(
    ({ id, status, enabledEvents }) =>
      id !== ourId &&
      status === 'enabled' &&
      (enabledEvents.includes('*') || enabledEvents.some((type) => wants.includes(type))),
  );
  if (others.length === 0) return [];
  const found = fault('ENDPOINT_NOT_ALONE', others.map(({ id, url }) => `${url} (${id})`).join(', '));
  return [observe ? { ...found, weight: 'note' } : found];
}

function lookFaults(look: AddressSeen | null): Fault[] {
  if (look === null) return [];
  if (look.outcome === 'certificate') return [fault('ENDPOINT_CERTIFICATE', look.cause)];
  if (look.outcome === 'unreachable') return [fault('ENDPOINT_UNREACHABLE', look.cause)];
  const status = look.status ?? 0;
  if (status >= 300 && status < 400)
    return [fault('ENDPOINT_REDIRECTS', `${status}${look.location === null ? '' : ` to ${look.location}`}`)];
  // The ingress says 405 to a GET, and 503 while it cannot store; a proxy without it says 502.
  return status === 405 ? [] : [fault('ENDPOINT_NOT_OURS', `HTTP ${status}`)];
}

function pendingFaults({ pending, wronglySigned, at }: WebhookFacts): Fault[] {
  const refused =
    wronglySigned < WRONGLY_SIGNED_MIN
      ? []
      : [fault('SIGNATURES_REFUSED', `${wronglySigned} in the last 24 hours, and none was taken since`)];
  const [first] = pending;
  if (first === undefined) return refused;
  const oldest = Math.min(...pending.map(({ createdAt }) => createdAt.getTime()));
  const count = `${pending.length === 100 ? 'at least 100' : pending.length}, the oldest ${spell((at.getTime() - oldest) / 1_000)} old`;
  return [...refused, fault('DELIVERIES_PENDING', `${count}, for instance ${first.eventId}`)];
}

/** Stripe lists at most so many types at once. */
const TYPES_AT_ONCE = 20;
const PENDING_DAYS = 3;

/** Events of the wanted types that some endpoint has not taken, as Stripe tells; the first hundred. */
export async function listPending(
  stripe: Pick<StripeClient, 'listEvents'>,
  options: { wants: readonly string[]; since: Date; at: Date },
): Promise<{ eventId: string; createdAt: Date }[]> {
  const { wants, at } = options;
  const from = Math.max(options.since.getTime(), at.getTime() - PENDING_DAYS * 86_400_000);
  const created = { gte: Math.ceil(from / 1_000), lte: Math.floor((at.getTime() - PENDING_AFTER_MS) / 1_000) };
  if (created.lte < created.gte) return [];
  const found: { eventId: string; createdAt: Date }[] = [];
  for (let start = 0; start < wants.length; start += TYPES_AT_ONCE) {
    const types = wants.slice(start, start + TYPES_AT_ONCE);
    for await (const { items } of stripe.listEvents({ types, deliverySuccess: false, created, pagesMax: 1 })) {
      for (const { id, created: seconds } of items)
        found.push({ eventId: id, createdAt: new Date((typeof seconds === 'number' ? seconds : 0) * 1_000) });
    }
  }
  return found;
}

/** Null where the key may not read them. */
export async function listEndpoints(
  stripe: Pick<StripeClient, 'listWebhookEndpoints'>,
): Promise<WebhookEndpoint[] | null> {
  try {
    return await stripe.listWebhookEndpoints();
  } catch (error) {
    if (error instanceof StripeCallError && error.code === 'STRIPE_PERMISSION') return null;
    throw error;
  }
}
