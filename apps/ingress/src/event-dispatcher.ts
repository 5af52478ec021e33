import type { Logger, Metrics } from '@bridge/observability';
import { rateLimitedLog } from '@bridge/observability';

/** A stored event that wants a job. */
export interface StoredEvent {
  /** Id of the inbox row. */
  id: string;
  eventId: string;
}

/** Adds jobs keyed by the event id. Rejects within a bounded time when Redis is away. */
export interface EventQueue {
  enqueue(events: readonly StoredEvent[]): Promise<void>;
}

export interface EventDispatcher {
  /** Returns at once: Stripe's answer never waits for Redis. */
  dispatch(events: readonly StoredEvent[]): void;
  /** Hands over what waits, as fast as Redis takes it; resolves when nothing is left. */
  idle(): Promise<void>;
}

/** How the dispatcher gives way to the storing of webhooks. Times in milliseconds. */
export interface DispatchPace {
  /** Jobs in one call. */
  callMax: number;
  /** From the start of one call to the next, at least: a call costs much whatever it carries. */
  callEveryMs: number;
  /** Events that wait for their call; more are left to the sweep. */
  waitingMax: number;
  /** While webhooks pour in: jobs a second, after a first `rushBurst` without delay. */
  rushPerSecond: number;
  rushBurst: number;
  /** Later jobs of a rush go this many at a time. */
  rushCall: number;
  /** No webhook for so long: the rush is over. */
  quietMs: number;
  now: () => number;
}

const defaultPace: DispatchPace = {
  callMax: 100,
  callEveryMs: 4,
  waitingMax: 50_000,
  rushPerSecond: 1_000,
  rushBurst: 250,
  rushCall: 50,
  quietMs: 50,
  now: () => performance.now(),
};

/**
 * Hands stored events to the queue, one call at a time, at once when nothing else is under way. What comes during a
 * call, or within `callEveryMs` of its start, goes together in the next one.
 *
 * Adding a job costs as much as a third of a whole webhook, and Stripe waits for the webhook only. So in a rush at most
 * `rushPerSecond` jobs a second are added, many times what workers can do in a second, and the rest follow when the rush
 * is over. What cannot be handed over (Redis away, too much waiting) is let go: the sweep finds every row without a job.
 */
export function createEventDispatcher(
  queue: EventQueue,
  parts: { logger: Logger; metrics: Metrics; pace?: Partial<DispatchPace> },
): EventDispatcher {
  const pace = { ...defaultPace, ...parts.pace };
  const dispatched = parts.metrics.counter(
    'bridge_webhook_enqueues_total',
    'Events handed to the queue by the ingress; those that failed are enqueued by the sweep.',
    ['outcome'],
  );
  const logFailure = rateLimitedLog(parts.logger, { message: 'not enqueued, the sweep will do it' });
  const waiting: StoredEvent[] = [];
  let allowance = pace.rushBurst;
  let allowedAt = pace.now();
  let lastDispatchAt = Number.NEGATIVE_INFINITY;
  let calledAt = Number.NEGATIVE_INFINITY;
  let calling = false;
  let hurried = false;
  let asked = false;
  let timer: NodeJS.Timeout | undefined;
  let idleWaiters: (() => void)[] = [];

  function gather(now: number): void {
    allowance = Math.min(pace.rushBurst, allowance + ((now - allowedAt) / 1_000) * pace.rushPerSecond);
    allowedAt = now;
  }

  function go(): void {
    if (calling) return;
    if (waiting.length === 0) {
      hurried = false;
      for (const wake of idleWaiters) wake();
      idleWaiters = [];
      return;
    }
    const now = pace.now();
    gather(now);
    const wanted = Math.min(waiting.length, pace.callMax);
    const free = hurried || now - lastDispatchAt >= pace.quietMs;
    const tooSoonMs = hurried ? 0 : calledAt + pace.callEveryMs - now;
    if (tooSoonMs > 0) goLater(tooSoonMs);
    else if (free || allowance >= Math.min(wanted, pace.rushCall)) start(free ? wanted : Math.floor(allowance), now);
    else goLater(pace.quietMs);
  }

  function goLater(ms: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      go();
    }, ms);
  }

  function start(countMax: number, now: number): void {
    clearTimeout(timer);
    timer = undefined;
    calling = true;
    calledAt = now;
    const events = waiting.splice(0, Math.min(countMax, pace.callMax));
    allowance -= Math.min(allowance, events.length);
    void call(events).then(() => {
      calling = false;
      go();
    });
  }

  /** Never rejects. */
  async function call(events: readonly StoredEvent[]): Promise<void> {
    try {
      await queue.enqueue(events);
      dispatched.inc({ outcome: 'enqueued' }, events.length);
    } catch (error) {
      dispatched.inc({ outcome: 'failed' }, events.length);
      logFailure({ err: error, events: events.length });
      // The rest would fail as slowly, one call after the other.
      letGo(waiting.splice(0));
    }
  }

  function letGo(events: readonly StoredEvent[]): void {
    if (events.length > 0) dispatched.inc({ outcome: 'left_to_sweep' }, events.length);
  }

  return {
    dispatch: (events) => {
      if (events.length === 0) return;
      const room = pace.waitingMax - waiting.length;
      waiting.push(...events.slice(0, room));
      letGo(events.slice(room));
      lastDispatchAt = pace.now();
      // After the answers, which are written in this turn of the loop.
      if (asked) return;
      asked = true;
      setImmediate(() => {
        asked = false;
        go();
      });
    },
    idle: () =>
      new Promise((resolve) => {
        hurried = true;
        idleWaiters.push(resolve);
        go();
      }),
  };
}
