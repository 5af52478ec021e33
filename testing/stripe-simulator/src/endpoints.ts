import { SimulatorError } from './simulator-error';
import type { Owner } from './store';
import type { EventType, WebhookEndpoint } from './wire';
import type { World } from './world';

/** Whose events an endpoint gets: the platform's own, those of connected accounts, or (only here) both. */
export type EndpointAudience = 'own' | 'connected' | 'both';

/** A webhook endpoint as Stripe shows it, and what Stripe keeps to itself. */
export interface Endpoint {
  value: WebhookEndpoint;
  /** Every secret signs; two are alive while one is being rolled. */
  secrets: string[];
  audience: EndpointAudience;
}

/** A webhook endpoint to be made; what is left out has a default. */
export interface EndpointDraft {
  url: string;
  secrets?: string[] | undefined;
  enabledEvents?: string[] | undefined;
  apiVersion?: string | null | undefined;
  audience?: EndpointAudience | undefined;
  description?: string | null | undefined;
  metadata?: Record<string, string> | undefined;
}

/** An endpoint's API version is fixed when it is made; everything else can change. Metadata are joined; an empty text takes a key away. */
export type EndpointChange = Omit<EndpointDraft, 'url' | 'apiVersion'> & {
  url?: string | undefined;
  disabled?: boolean | undefined;
};

/** The registered webhook endpoints, oldest first. They outlive a reset. */
export class Endpoints {
  readonly #endpoints = new Map<string, Endpoint>();

  constructor(private readonly world: World) {}

  add(draft: EndpointDraft): Endpoint {
    const secrets = draft.secrets ?? [this.world.ids.next('whsec', 32)];
    const endpoint: Endpoint = {
      value: {
        id: this.world.ids.numbered('we', 1),
        object: 'webhook_endpoint',
        api_version: draft.apiVersion ?? null,
        application: null,
        created: this.world.clock.nowSeconds(),
        description: draft.description ?? null,
        enabled_events: draft.enabledEvents ?? ['*'],
        livemode: false,
        metadata: draft.metadata ?? {},
        status: 'enabled',
        url: draft.url,
      },
      secrets,
      audience: draft.audience ?? 'both',
    };
    this.#endpoints.set(endpoint.value.id, endpoint);
    return endpoint;
  }

  change(id: string, change: EndpointChange): Endpoint {
    const endpoint = this.get(id);
    if (endpoint === undefined) throw new SimulatorError(`No webhook endpoint ${id}`, 404);
    if (change.url !== undefined) endpoint.value.url = change.url;
    if (change.enabledEvents !== undefined) endpoint.value.enabled_events = change.enabledEvents;
    if (change.secrets !== undefined) endpoint.secrets = change.secrets;
    if (change.audience !== undefined) endpoint.audience = change.audience;
    if (change.description !== undefined) endpoint.value.description = change.description;
    if (change.metadata !== undefined) {
      const joined = { ...endpoint.value.metadata, ...change.metadata };
      endpoint.value.metadata = Object.fromEntries(Object.entries(joined).filter(([, value]) => value !== ''));
    }
    if (change.disabled !== undefined) endpoint.value.status = change.disabled ? 'disabled' : 'enabled';
    return endpoint;
  }

  remove(id: string): boolean {
    return this.#endpoints.delete(id);
  }

  get(id: string): Endpoint | undefined {
    return this.#endpoints.get(id);
  }

  all(): Endpoint[] {
    return [...this.#endpoints.values()];
  }

  /** The endpoints an event of this type and owner is meant for. */
  wanting(type: EventType, owner: Owner): Endpoint[] {
    return this.all().filter(
      ({ value, audience }) =>
        value.status === 'enabled' &&
        (value.enabled_events.includes('*') || value.enabled_events.includes(type)) &&
        (audience === 'both' || (audience === 'own') === (owner.account === null)),
    );
  }
}
