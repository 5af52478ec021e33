import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint, Endpoints } from './endpoints';
import { renderEvent } from './event-body';
import { postWebhook } from './post-webhook';
import { signatureHeader } from './signature';
import { SimulatorError } from './simulator-error';
import type { Entry, EventRecord } from './store';
import type { World } from './world';

/**
 * One event on its way to one endpoint.
 *
 *   kept ──deliver──► waiting ──attempt──► delivered (2xx)
 *   lost ──deliver──►    ▲  └─ not 2xx ─► waiting (next delay) … failed (no delay left)
 *
 * `kept`: nobody asked to send it yet. `lost`: chance dropped it. `copy`: a repeat beside the real delivery, which does
 * not count for pending_webhooks.
 */
export interface Delivery {
  id: number;
  eventId: string;
  endpointId: string;
  state: 'kept' | 'lost' | 'waiting' | 'delivered' | 'failed';
  copy: boolean;
  attempts: number;
}

/** One webhook as it was sent, and its answer. `status` is null where none came; then `error` says why. */
export interface Attempt {
  deliveryId: number;
  eventId: string;
  eventType: string;
  endpointId: string;
  /** By the simulator's clock. */
  at: string;
  status: number | null;
  error: string | null;
  ms: number;
}

/** Which events to send now, and with what trouble. */
export interface DeliverOptions {
  /** Default: every event that is not delivered and not waiting. */
  eventIds?: string[] | undefined;
  /** Part (0 to 1) of them sent twice. */
  duplicates?: number | undefined;
  shuffle?: boolean | undefined;
  concurrency?: number | undefined;
  ratePerSecond?: number | undefined;
  /** Sign as if that long ago: older than 300 s is an old delivery replayed. */
  signatureAgeSeconds?: number | undefined;
  /** Sign with these secrets instead of the endpoint's. */
  secrets?: string[] | undefined;
}

/** How the first try of each went. */
export interface DeliverResult {
  attempts: number;
  acknowledged: number;
  /** How often each HTTP status (or error code) was the answer. */
  answers: Record<string, number>;
}

type Signing = Pick<DeliverOptions, 'signatureAgeSeconds' | 'secrets'>;

export class Deliveries {
  #deliveries: Delivery[] = [];
  #byEvent = new Map<string, Delivery[]>();
  #attempts: Attempt[] = [];
  #acknowledged = new Set<string>();
  #ready: Delivery[] = [];
  #running = 0;
  #dueBySimulatedTime: { atMs: number; delivery: Delivery }[] = [];
  #stop = new AbortController();
  readonly #watchers = new Set<() => void>();

  constructor(
    private readonly world: World,
    private readonly endpoints: Endpoints,
  ) {
    world.events.onEvent((record, owner, deliver) => this.#announce(record, owner, deliver));
    world.clock.onChange(() => this.#releaseDue());
  }

  /** Endpoints that still owe a 2xx for this event. */
  pendingWebhooks(eventId: string): number {
    return this.deliveriesOf(eventId).filter(({ copy, state }) => !copy && state !== 'delivered').length;
  }

  deliveriesOf(eventId: string): Delivery[] {
    return this.#byEvent.get(eventId) ?? [];
  }

  attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  /** Ids of events that got a 2xx at least once. */
  acknowledged(): ReadonlySet<string> {
    return this.#acknowledged;
  }

  /** Deliveries that will be tried by themselves. */
  outstanding(): number {
    return this.#deliveries.filter(({ state }) => state === 'waiting').length;
  }

  /** Sends events now, and returns when each was tried once. Failures go on to the ordinary retries. */
  async deliver(options: DeliverOptions): Promise<DeliverResult> {
    const { random, settings } = this.world;
    let turn = this.#choose(options.eventIds);
    const doubles = turn.filter(() => random.chance(options.duplicates ?? 0)).map((delivery) => this.#copyOf(delivery));
    turn = options.shuffle === true ? random.shuffle([...turn, ...doubles]) : [...turn, ...doubles];
    const result: DeliverResult = { attempts: 0, acknowledged: 0, answers: {} };
    const started = performance.now();
    let next = 0;
    const sender = async (): Promise<void> => {
      for (let place = next++; place < turn.length; place = next++) {
        const delivery = turn[place];
        if (delivery === undefined || this.#stop.signal.aborted) return;
        const dueMs = options.ratePerSecond === undefined ? 0 : (place * 1000) / options.ratePerSecond;
        const earlyMs = dueMs - (performance.now() - started);
        if (earlyMs > 0) await pause(earlyMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
        const attempt = await this.#try(delivery, options);
        if (attempt === null) continue;
        const answer = String(attempt.status ?? attempt.error);
        result.attempts += 1;
        result.answers[answer] = (result.answers[answer] ?? 0) + 1;
        if (isSuccess(attempt.status)) result.acknowledged += 1;
      }
    };
    const senders = Math.max(1, Math.min(options.concurrency ?? settings.delivery.concurrency, turn.length));
    await Promise.all(Array.from({ length: senders }, sender));
    return result;
  }

  /** A person's resend from the Dashboard: one more attempt at every endpoint; automatic retries go on beside it. */
  async resend(eventId: string, signing: Signing = {}): Promise<DeliverResult> {
    return this.deliver({ ...signing, eventIds: [eventId] });
  }

  /** Resolves true when `done()` holds, false after `timeoutMs`. Looks again after every attempt. */
  async waitUntil(done: () => boolean, timeoutMs: number): Promise<boolean> {
    if (done()) return true;
    return new Promise((resolve) => {
      const finish = (result: boolean) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(result);
      };
      const look = () => {
        if (this.#stop.signal.aborted) finish(false);
        else if (done()) finish(true);
      };
      const timer = setTimeout(() => finish(done()), timeoutMs);
      this.#watchers.add(look);
    });
  }

  /** Forgets every delivery and stops those under way. */
  reset(): void {
    this.#stop.abort();
    for (const look of [...this.#watchers]) look();
    this.#stop = new AbortController();
    this.#deliveries = [];
    this.#byEvent = new Map();
    this.#attempts = [];
    this.#acknowledged = new Set();
    this.#ready = [];
    this.#running = 0;
    this.#dueBySimulatedTime = [];
  }

  /** Stops for good: no attempt starts afterwards. */
  close(): void {
    this.#stop.abort();
    for (const look of [...this.#watchers]) look();
  }

  #announce(record: EventRecord, owner: { account: string | null; livemode: boolean }, deliver: boolean | null): void {
    const { delivery: settings } = this.world.settings;
    for (const endpoint of this.endpoints.wanting(record.type, owner)) {
      const delivery = this.#register(record.id, endpoint, false);
      if (!(deliver ?? settings.atOnce)) continue;
      if (this.world.random.chance(settings.lossFraction)) {
        delivery.state = 'lost';
        continue;
      }
      this.#sendLater(delivery);
      if (this.world.random.chance(settings.duplicateFraction)) this.#sendLater(this.#copyOf(delivery));
    }
  }

  #register(eventId: string, endpoint: Endpoint, copy: boolean): Delivery {
    const delivery: Delivery = {
      id: this.#deliveries.length + 1,
      eventId,
      endpointId: endpoint.value.id,
      state: 'kept',
      copy,
      attempts: 0,
    };
    this.#deliveries.push(delivery);
    this.#byEvent.set(eventId, [...this.deliveriesOf(eventId), delivery]);
    return delivery;
  }

  #copyOf({ eventId, endpointId }: Delivery): Delivery {
    const endpoint = this.endpoints.get(endpointId);
    if (endpoint === undefined) throw new SimulatorError(`No webhook endpoint ${endpointId}`, 404);
    return this.#register(eventId, endpoint, true);
  }

  #choose(eventIds: string[] | undefined): Delivery[] {
    const idle = (delivery: Delivery) => delivery.state !== 'delivered' && delivery.state !== 'waiting';
    if (eventIds === undefined) {
      const ids = this.world.store.events.oldestFirst().map(({ value }) => value.id);
      return ids.flatMap((id) => this.#owed(id).filter((delivery) => !delivery.copy && idle(delivery)));
    }
    return eventIds.flatMap((id) =>
      this.#owed(id)
        .filter(({ copy }) => !copy)
        .map((delivery) => (idle(delivery) ? delivery : this.#copyOf(delivery))),
    );
  }

  /** The event's deliveries, made now for endpoints that were added after it. */
  #owed(eventId: string): Delivery[] {
    const entry = this.world.store.events.entry(eventId);
    if (entry === undefined) throw new SimulatorError(`No event ${eventId}`, 404);
    for (const endpoint of this.endpoints.wanting(entry.value.type, entry)) {
      const known = this.deliveriesOf(eventId).some(({ endpointId }) => endpointId === endpoint.value.id);
      if (!known) this.#register(eventId, endpoint, false);
    }
    return this.deliveriesOf(eventId).filter(({ endpointId }) => this.endpoints.get(endpointId) !== undefined);
  }

  #sendLater(delivery: Delivery): void {
    const { delayMs, shuffleWindowMs } = this.world.settings.delivery;
    delivery.state = 'waiting';
    this.#after(delayMs + this.world.random.next() * shuffleWindowMs, delivery);
  }

  #after(delayMs: number, delivery: Delivery): void {
    const stop = this.#stop;
    const timer = setTimeout(() => {
      stop.signal.removeEventListener('abort', cancel);
      this.#enqueue(delivery);
    }, delayMs);
    const cancel = () => clearTimeout(timer);
    stop.signal.addEventListener('abort', cancel, { once: true });
  }

  #enqueue(delivery: Delivery): void {
    this.#ready.push(delivery);
    this.#pump();
  }

  #pump(): void {
    while (this.#running < this.world.settings.delivery.concurrency && !this.#stop.signal.aborted) {
      const delivery = this.#ready.shift();
      if (delivery === undefined) return;
      const stop = this.#stop;
      this.#running += 1;
      void this.#try(delivery, {}).finally(() => {
        if (stop !== this.#stop) return;
        this.#running -= 1;
        this.#pump();
      });
    }
  }

  /** One attempt, with a timestamp and a signature of its own, as at Stripe. Null when there is nobody to send to. */
  async #try(delivery: Delivery, signing: Signing): Promise<Attempt | null> {
    const stop = this.#stop;
    const endpoint = this.endpoints.get(delivery.endpointId);
    const entry = this.world.store.events.entry(delivery.eventId);
    if (endpoint === undefined || entry === undefined || endpoint.value.status === 'disabled') {
      delivery.state = 'failed';
      return null;
    }
    delivery.attempts += 1;
    const body = this.#body(entry, endpoint);
    const signature = signatureHeader(
      body,
      signing.secrets ?? endpoint.secrets,
      Math.floor(Date.now() / 1000) - (signing.signatureAgeSeconds ?? 0),
    );
    const at = new Date(this.world.clock.nowMs()).toISOString();
    const { timeoutMs } = this.world.settings.delivery;
    const answer = await postWebhook(endpoint.value.url, body, signature, timeoutMs, stop.signal);
    const attempt: Attempt = {
      deliveryId: delivery.id,
      eventId: delivery.eventId,
      eventType: entry.value.type,
      endpointId: delivery.endpointId,
      at,
      ...answer,
    };
    if (stop !== this.#stop || stop.signal.aborted) return attempt;
    this.#attempts.push(attempt);
    this.#conclude(delivery, attempt);
    for (const look of [...this.#watchers]) look();
    return attempt;
  }

  #body(entry: Entry<EventRecord>, endpoint: Endpoint): string {
    const version = endpoint.value.api_version ?? this.world.settings.accountApiVersion;
    const pending = this.pendingWebhooks(entry.value.id);
    return JSON.stringify(renderEvent(entry, version, Math.max(1, pending)), null, 2);
  }

  #conclude(delivery: Delivery, attempt: Attempt): void {
    if (isSuccess(attempt.status)) {
      delivery.state = 'delivered';
      this.#acknowledged.add(delivery.eventId);
      return;
    }
    const { retryDelaysMs, retryTime } = this.world.settings.delivery;
    const delayMs = retryDelaysMs[delivery.attempts - 1];
    if (delayMs === undefined) {
      delivery.state = 'failed';
      return;
    }
    delivery.state = 'waiting';
    if (retryTime === 'real') this.#after(delayMs, delivery);
    else this.#dueBySimulatedTime.push({ atMs: this.world.clock.nowMs() + delayMs, delivery });
  }

  #releaseDue(): void {
    const now = this.world.clock.nowMs();
    const due = this.#dueBySimulatedTime.filter(({ atMs }) => atMs <= now);
    this.#dueBySimulatedTime = this.#dueBySimulatedTime.filter(({ atMs }) => atMs > now);
    for (const { delivery } of due) this.#enqueue(delivery);
  }
}

function isSuccess(status: number | null): boolean {
  return status !== null && status >= 200 && status < 300;
}
