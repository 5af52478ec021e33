import type { Delivery } from '@bridge/inbox';

export interface Recorded {
  /** Id of the inbox row. */
  id: string;
  eventId: string;
  outcome: 'new' | 'duplicate';
  state: string;
}

/** Where deliveries are kept. `record` resolves after the commit, in the order of its input. */
export interface DeliveryStore {
  record(deliveries: readonly Delivery[]): Promise<readonly Recorded[]>;
}

/** The delivery is not in the store, as far as we know: Stripe must send it again. */
export class NotStoredError extends Error {
  constructor(
    readonly code: 'OVERLOADED' | 'STORE_LATE' | 'STORE_FAILED',
    options?: { cause: unknown },
  ) {
    super(`the delivery was not stored: ${code}`, options);
    this.name = 'NotStoredError';
  }
}

export interface DeliveryBatcher {
  /** Resolves once the delivery is committed. Rejects with NotStoredError within `deadlineMs`. */
  record(delivery: Delivery): Promise<Recorded>;
  /** Resolves when nothing is in hand. */
  idle(): Promise<void>;
}

interface Entry {
  delivery: Delivery;
  resolve(recorded: Recorded): void;
  reject(error: NotStoredError): void;
  deadline: Deadline;
}

/** Outlives its entry in the queue of deadlines, so it holds the entry, and with it the body, only until the answer. */
interface Deadline {
  dueAt: number;
  /** Undefined: its sender has its answer. Storing it later would only cost others time. */
  entry: Entry | undefined;
}

/**
 * Groups deliveries that arrive together into one INSERT. While nothing is in flight a delivery goes at once, alone;
 * what arrives meanwhile goes together when that flight lands. A second flight starts only for a full batch. When a
 * batch fails for a reason that lies in a row, each row goes by itself, so that one bad row never fails its neighbours.
 */
export function createDeliveryBatcher(
  store: DeliveryStore,
  options: {
    /** Told of each landed batch, before the senders are. Must not throw. */
    onRecorded?: (stored: readonly { delivery: Delivery; recorded: Recorded }[]) => void;
    batchMax?: number;
    batchBytesMax?: number;
    flightsMax?: number;
    /** Deliveries waiting for a flight; more are refused as OVERLOADED. */
    waitingMax?: number;
    deadlineMs?: number;
  } = {},
): DeliveryBatcher {
  const { batchMax = 100, batchBytesMax = 8 * 1024 * 1024, flightsMax = 2, waitingMax = 2_000 } = options;
  const deadlineMs = options.deadlineMs ?? 5_000;
  const onRecorded = options.onRecorded ?? (() => undefined);
  const waiting: Entry[] = [];
  /**
   * In their order; those answered leave when they come to the front. Not a Set: each time one grows, its old table
   * points at the new one, and once in the old generation keeps it alive with all that was ever in it, bodies included,
   * until the next full collection. That cost a quarter of the ingress's CPU.
   */
  const deadlines: Deadline[] = [];
  let timer: NodeJS.Timeout | undefined;
  let flights = 0;
  let idleWaiters: (() => void)[] = [];

  function answer(entry: Entry): Entry {
    entry.deadline.entry = undefined;
    while (deadlines.length > 0 && deadlines[0]?.entry === undefined) deadlines.shift();
    if (deadlines.length === 0) {
      clearTimeout(timer);
      timer = undefined;
    }
    return entry;
  }

  function rejectAll(batch: readonly Entry[], cause: unknown): void {
    for (const entry of batch) answer(entry).reject(new NotStoredError('STORE_FAILED', { cause }));
  }

  function takeBatch(): Entry[] {
    const batch: Entry[] = [];
    let bytes = 0;
    while (batch.length < batchMax) {
      const next = waiting[0];
      if (next === undefined || (batch.length > 0 && bytes + next.delivery.body.length > batchBytesMax)) break;
      waiting.shift();
      if (next.deadline.entry === undefined) continue;
      bytes += next.delivery.body.length;
      batch.push(next);
    }
    // One order for all batches: two flights that touch the same events cannot lock each other out.
    return batch.sort((a, b) => (a.delivery.eventId < b.delivery.eventId ? -1 : 1));
  }

  /** One timer for all, since each request with one of its own would pay for it. */
  function giveUpLater(): void {
    if (timer !== undefined) return;
    const [first] = deadlines;
    if (first === undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        giveUp();
      },
      Math.max(0, first.dueAt - performance.now()),
    );
  }

  function giveUp(): void {
    const now = performance.now();
    for (let first = deadlines[0]; first?.entry !== undefined && first.dueAt <= now; first = deadlines[0]) {
      answer(first.entry).reject(new NotStoredError('STORE_LATE'));
    }
    giveUpLater();
  }

  function startFlights(): void {
    while (waiting.length > 0 && (flights === 0 || (flights < flightsMax && waiting.length >= batchMax))) {
      const batch = takeBatch();
      if (batch.length === 0) continue;
      flights += 1;
      fly(batch).then(land, land);
    }
    if (flights === 0 && waiting.length === 0) {
      for (const wake of idleWaiters) wake();
      idleWaiters = [];
    }
  }

  function land(): void {
    flights -= 1;
    startFlights();
  }

  /** Never rejects: each entry hears of its own end. */
  async function fly(batch: readonly Entry[]): Promise<void> {
    try {
      await recordBatch(batch);
    } catch (error) {
      if (batch.length === 1 || isStoreAway(error)) return rejectAll(batch, error);
      await flySingly(batch);
    }
  }

  async function flySingly(batch: readonly Entry[]): Promise<void> {
    for (const [index, entry] of batch.entries()) {
      try {
        await recordBatch([entry]);
      } catch (error) {
        if (isStoreAway(error)) return rejectAll(batch.slice(index), error);
        rejectAll([entry], error);
      }
    }
  }

  async function recordBatch(batch: readonly Entry[]): Promise<void> {
    const results = await store.record(batch.map(({ delivery }) => delivery));
    const stored = batch.map(({ delivery }, index) => {
      const recorded = results[index];
      if (recorded?.eventId !== delivery.eventId) throw new Error('the store answered for other deliveries');
      return { delivery, recorded };
    });
    onRecorded(stored);
    for (const [index, { recorded }] of stored.entries()) {
      const entry = batch[index];
      if (entry !== undefined) answer(entry).resolve(recorded);
    }
  }

  return {
    record: (delivery) => {
      if (waiting.length >= waitingMax) return Promise.reject(new NotStoredError('OVERLOADED'));
      return new Promise((resolve, reject) => {
        const deadline: Deadline = { dueAt: performance.now() + deadlineMs, entry: undefined };
        const entry: Entry = { delivery, deadline, resolve, reject };
        deadline.entry = entry;
        waiting.push(entry);
        deadlines.push(deadline);
        giveUpLater();
        startFlights();
      });
    },
    idle: () =>
      flights === 0 && waiting.length === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            idleWaiters.push(resolve);
          }),
  };
}

/** SQLSTATE classes that speak of the values or of bad luck with a neighbour: data, integrity, rollback, limits. */
const rowFaultClass = /^(22|23|40|54)/;
const connectionWords = /connect|terminat|time-?out|not queryable|after calling end/i;

/**
 * Whether the store as a whole is away (or not ready for us), so that trying each row alone would only take longer.
 * Codes stand on the innermost cause: SQLSTATE from PostgreSQL, `E…` from Node; the pool's own errors have only words.
 */
export function isStoreAway(error: unknown): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < 5 && typeof current === 'object' && current !== null; depth += 1) {
    const code: unknown = Reflect.get(current, 'code');
    if (typeof code === 'string') {
      if (/^E[A-Z_]{3,}$/.test(code)) return true;
      if (/^[0-9A-Z]{5}$/.test(code)) return !rowFaultClass.test(code);
    }
    const cause: unknown = Reflect.get(current, 'cause');
    if (cause === undefined) return current instanceof Error && connectionWords.test(current.message);
    current = cause;
  }
  return false;
}
