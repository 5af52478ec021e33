import type Stripe from 'stripe';
import { z } from 'zod';
import { createSdk } from './create-sdk';
import { StripeCallError, toStripeCallError } from './stripe-call-error';
import { toPlainJson } from './stripe-object';

/** Where Stripe sends events, as far as the bridge cares. */
export interface WebhookEndpoint {
  id: string;
  url: string;
  status: 'enabled' | 'disabled';
  /** Exact names, or `*`. */
  enabledEvents: string[];
  /** Fixed when the endpoint was made; null: the account's own version. */
  apiVersion: string | null;
  metadata: Readonly<Record<string, string>>;
}

/** What is not named stays as it is. */
export interface WebhookEndpointChange {
  enable?: true;
  /** All of them, not those to add. */
  enabledEvents?: readonly string[];
  /** Joined with what is there. */
  metadata?: Readonly<Record<string, string>>;
}

const webhookEndpoint = z.object({
  id: z.string().min(1),
  object: z.literal('webhook_endpoint'),
  url: z.string(),
  status: z.string(),
  enabled_events: z.array(z.string()),
  api_version: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
});

/** Null for what is no endpoint. A status that we do not know counts as disabled: only `enabled` gets events. */
export function asWebhookEndpoint(value: unknown): WebhookEndpoint | null {
  const { data } = webhookEndpoint.safeParse(value);
  if (data === undefined) return null;
  return {
    id: data.id,
    url: data.url,
    status: data.status === 'enabled' ? 'enabled' : 'disabled',
    enabledEvents: data.enabled_events,
    apiVersion: data.api_version ?? null,
    metadata: data.metadata ?? {},
  };
}

/**
 * The only thing that the bridge ever changes at Stripe, and only when a person asks for it. Kept apart from
 * {@link StripeClient}, which only reads.
 */
export interface WebhookEndpointEditor {
  /** Setting the same once more changes nothing. Throws {@link StripeCallError}. */
  update(id: string, change: WebhookEndpointChange): Promise<WebhookEndpoint>;
  close(): void;
}

/** `apiKey` needs write access to webhook endpoints. `timeoutMs` is for one call as a whole; default 20,000. */
export function createWebhookEndpointEditor(options: {
  apiKey: string;
  apiBase?: string;
  timeoutMs?: number;
}): WebhookEndpointEditor {
  const endpoint = 'webhookEndpoints.update';
  const { stripe, httpClient } = createSdk(options);
  return {
    update: async (id, { enable, enabledEvents, metadata }) => {
      if (!/^we_\w{1,250}$/.test(id)) throw new StripeCallError('STRIPE_REQUEST_INVALID', 'not-sent', { endpoint });
      let answer: unknown;
      try {
        answer = await stripe.webhookEndpoints.update(id, {
          ...(enable === undefined ? {} : { disabled: false }),
          ...(enabledEvents === undefined
            ? {}
            : { enabled_events: [...enabledEvents] as Stripe.WebhookEndpointUpdateParams.EnabledEvent[] }),
          ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
        });
      } catch (error) {
        throw toStripeCallError(error, endpoint);
      }
      const changed = asWebhookEndpoint(toPlainJson(answer));
      if (changed === null) throw new StripeCallError('STRIPE_ANSWER_UNEXPECTED', 'unheard', { endpoint });
      return changed;
    },
    close: () => httpClient.destroy(),
  };
}
