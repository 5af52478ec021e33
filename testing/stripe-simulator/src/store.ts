import type { JsonObject } from './json';
import type { SessionDraft } from './objects/session';
import type { SaleOrder } from './sale-order';
import type {
  Charge,
  Customer,
  Dispute,
  EventType,
  LineItem,
  PaymentIntent,
  PaymentLink,
  Price,
  Product,
  Refund,
  Session,
  ShippingRate,
} from './wire';

/** Where an object belongs: Stripe shows a caller only the objects of its account and mode. */
export interface Owner {
  /** A connected account's id; null is the platform itself. */
  account: string | null;
  livemode: boolean;
}

export interface Entry<T> extends Owner {
  value: T;
  created: number;
  deleted: boolean;
}

/** Objects of one kind, in the order of `created`, then of arrival. */
export class Collection<T extends { id: string }> {
  readonly #byId = new Map<string, Entry<T>>();
  readonly #ordered: Entry<T>[] = [];

  add(value: T, owner: Owner, created: number): Entry<T> {
    const entry = { value, account: owner.account, livemode: owner.livemode, created, deleted: false };
    this.#byId.set(value.id, entry);
    let place = this.#ordered.length;
    while (place > 0 && (this.#ordered[place - 1]?.created ?? 0) > created) place -= 1;
    this.#ordered.splice(place, 0, entry);
    return entry;
  }

  entry(id: string): Entry<T> | undefined {
    return this.#byId.get(id);
  }

  get(id: string): T | undefined {
    return this.#byId.get(id)?.value;
  }

  oldestFirst(): readonly Entry<T>[] {
    return this.#ordered;
  }

  newestFirst(): Entry<T>[] {
    return this.#ordered.toReversed();
  }

  get size(): number {
    return this.#byId.size;
  }
}

/** What an event said when it was made. Its body never changes afterwards. */
export interface EventRecord {
  id: string;
  type: EventType;
  created: number;
  /** The account's default API version at that moment: the shape in which the API gives the event back. */
  apiVersion: string;
  object: JsonObject;
  previousAttributes: JsonObject | null;
  /** What older shapes embed: a PaymentIntent's charges, a charge's refunds, as they were then. */
  embedded: Embedded;
  request: { id: string | null; idempotency_key: string | null };
}

export interface Embedded {
  charges: JsonObject[];
  refunds: JsonObject[];
}

/** What the simulator knows about a sale beside Stripe's own objects. */
export interface Sale {
  sessionId: string;
  paymentIntentId: string | null;
  chargeId: string | null;
  invoiceId: string | null;
  /** ms since 1970; null while unpaid. */
  paidAtMs: number | null;
  owner: Owner;
  /** The order it came from; an open Session is completed from it later. */
  order: SaleOrder;
  draft: SessionDraft;
}

/** Everything Stripe would remember. */
export class Store {
  readonly sessions: Collection<Session> = new Collection();
  readonly lineItems: Map<string, LineItem[]> = new Map();
  readonly paymentIntents: Collection<PaymentIntent> = new Collection();
  readonly charges: Collection<Charge> = new Collection();
  readonly refunds: Collection<Refund> = new Collection();
  readonly disputes: Collection<Dispute> = new Collection();
  readonly products: Collection<Product> = new Collection();
  readonly prices: Collection<Price> = new Collection();
  readonly customers: Collection<Customer> = new Collection();
  readonly paymentLinks: Collection<PaymentLink> = new Collection();
  readonly shippingRates: Collection<ShippingRate> = new Collection();
  readonly events: Collection<EventRecord> = new Collection();
  readonly sales = new Map<string, Sale>();
  /** Products by name and metadata, prices by product and terms: a catalogue sells one article many times. */
  readonly productKeys = new Map<string, string>();
  readonly priceKeys = new Map<string, string>();
}
