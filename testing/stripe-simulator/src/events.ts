import type { Ids } from './ids';
import { toJson } from './json';
import type { Random } from './random';
import type { StripeSimulatorSettings } from './settings';
import type { Embedded, EventRecord, Owner, Store } from './store';
import type { Charge, EventType, PaymentIntent } from './wire';

export interface EventDraft {
  type: EventType;
  object: object;
  previousAttributes?: object;
  /** Set when an API request made the change; null for what Stripe does by itself. */
  request?: EventRecord['request'];
}

/** What the log needs of the world; replaced as a whole when the world is reset. */
export interface EventSurroundings {
  readonly settings: StripeSimulatorSettings;
  readonly random: Random;
  readonly ids: Ids;
  readonly store: Store;
}

/** Writes events into the log and tells whoever delivers them. */
export class EventLog {
  #listener: (record: EventRecord, owner: Owner, deliver: boolean | null) => void = () => undefined;
  #deliver: boolean | null = null;

  constructor(private readonly world: EventSurroundings) {}

  /** `deliver` is null where nobody decided, so that the settings do. */
  onEvent(listener: (record: EventRecord, owner: Owner, deliver: boolean | null) => void): void {
    this.#listener = listener;
  }

  /** Runs `change`; the events it makes are sent at once (true), kept (false) or left to the settings. */
  delivering<T>(deliver: boolean | undefined, change: () => T): T {
    const before = this.#deliver;
    this.#deliver = deliver ?? before;
    try {
      return change();
    } finally {
      this.#deliver = before;
    }
  }

  /**
   * Records that something happened, at `created` (s). Returns the new events' ids: usually one; none when the settings
   * say that Stripe fails to make it; two when they ask for a twin.
   */
  record(draft: EventDraft, owner: Owner, created: number): string[] {
    const { random } = this.world;
    const { typesNeverGenerated, neverGeneratedFraction, twinFraction } = this.world.settings.delivery;
    if (typesNeverGenerated.includes(draft.type) || random.chance(neverGeneratedFraction)) return [];
    const count = random.chance(twinFraction) ? 2 : 1;
    return Array.from({ length: count }, () => this.#write(draft, owner, created));
  }

  #write(draft: EventDraft, owner: Owner, created: number): string {
    const record: EventRecord = {
      id: this.world.ids.numbered('evt', 1),
      type: draft.type,
      created,
      apiVersion: this.world.settings.accountApiVersion,
      object: toJson(draft.object),
      previousAttributes: draft.previousAttributes === undefined ? null : toJson(draft.previousAttributes),
      embedded: embeddedNow(this.world, draft.object),
      request: draft.request ?? { id: null, idempotency_key: null },
    };
    this.world.store.events.add(record, owner, created);
    this.#listener(record, owner, this.#deliver);
    return record.id;
  }
}

/** What older API shapes carry inside this object, copied so that the event does not change later. */
export function embeddedNow(world: EventSurroundings, object: object): Embedded {
  const { store } = world;
  const kind = (object as { object?: string }).object;
  const charges = kind === 'payment_intent' ? chargesOf(world, object as PaymentIntent) : [];
  const chargeIds = new Set(kind === 'charge' ? [(object as Charge).id] : charges.map(({ id }) => id));
  const refunds = store.refunds.newestFirst().filter(({ value }) => chargeIds.has(value.charge ?? ''));
  return { charges: charges.map(toJson), refunds: refunds.map(({ value }) => toJson(value)) };
}

function chargesOf(world: EventSurroundings, intent: PaymentIntent): Charge[] {
  const charge = world.store.charges.get(intent.latest_charge ?? '');
  return charge === undefined ? [] : [charge];
}
