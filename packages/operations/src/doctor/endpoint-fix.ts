import type { Database } from '@bridge/database';
import { createWebhookEndpointEditor, StripeCallError, type WebhookEndpoint } from '@bridge/stripe-client';
import { audited } from '../audit/audit';
import { compareTypes, MARK, pickOurs } from './webhook-endpoint';

/** What `doctor --fix` would change at Stripe. */
export interface EndpointFix {
  endpointId: string;
  url: string;
  /** It is disabled. */
  enable: boolean;
  add: string[];
  remove: string[];
  /** Event types that it gets afterwards: exactly those that the flows want. */
  enabledEvents: string[];
  /** Written beside, so that this bridge knows its endpoint again. */
  mark: { name: string; value: string };
}

/** Null where nothing can or need be changed. Pure. */
export function planEndpointFix(
  endpoints: readonly WebhookEndpoint[],
  { wants, url, installationId }: { wants: readonly string[]; url: string | undefined; installationId: string },
): EndpointFix | null {
  const ours = pickOurs(endpoints, { url, installationId });
  if (ours.kind !== 'ours') return null;
  const { endpoint } = ours;
  const { missing, unneeded } = compareTypes(endpoint.enabledEvents, wants);
  const enable = endpoint.status !== 'enabled';
  if (!enable && missing.length === 0 && unneeded.length === 0) return null;
  return {
    endpointId: endpoint.id,
    url: endpoint.url,
    enable,
    add: endpoint.enabledEvents.includes('*') ? [...wants] : missing,
    remove: unneeded,
    enabledEvents: [...wants],
    mark: { name: MARK, value: installationId },
  };
}

/** `refused`: Stripe said no, or was not heard. Setting the same once more is harmless. */
export type EndpointFixed = { kind: 'done' } | { kind: 'refused'; code: string; reason: string };

/** Changes the endpoint as planned; the act stands in the audit table whatever comes of it. */
export async function applyEndpointFix(
  database: Database,
  stripe: { apiKey: string; apiBase: string },
  fix: EndpointFix,
  by: string,
): Promise<EndpointFixed> {
  const editor = createWebhookEndpointEditor({ apiKey: stripe.apiKey, apiBase: stripe.apiBase });
  const act = { who: by, action: 'endpoint.fix', object: `endpoint:${fix.endpointId}`, why: 'doctor --fix' };
  try {
    return await audited(
      database,
      act,
      async (): Promise<EndpointFixed> => {
        try {
          await editor.update(fix.endpointId, {
            ...(fix.enable ? { enable: true } : {}),
            enabledEvents: fix.enabledEvents,
            metadata: { [fix.mark.name]: fix.mark.value },
          });
          return { kind: 'done' };
        } catch (error) {
          if (!(error instanceof StripeCallError)) throw error;
          return { kind: 'refused', code: error.code, reason: sentenceOf(error) };
        }
      },
      (fixed) =>
        fixed.kind === 'done' ? { outcome: 'done', detail: sumOf(fix) } : { outcome: 'refused', detail: fixed.code },
    );
  } finally {
    editor.close();
  }
}

const sumOf = ({ enable, add, remove }: EndpointFix): string =>
  [...(enable ? ['enabled'] : []), `${add.length} types added`, `${remove.length} removed`].join(', ');

function sentenceOf(error: StripeCallError): string {
  if (error.code === 'STRIPE_PERMISSION') {
    return `The key may not change webhook endpoints${error.permission === undefined ? '' : ` (${error.permission})`}. Give it the permission "Webhook Endpoints: Write" for this once, or make the change in the Stripe dashboard: Developers, Webhooks.`;
  }
  return `Stripe did not take the change: ${error.message}`;
}
