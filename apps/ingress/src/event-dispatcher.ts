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
  /** Resolves when no call is in flight. */
  idle(): Promise<void>;
}

/**
 * Hands stored events to the queue, and lets go of what it cannot hand over: the sweep finds every row without a job.
 * At most `callsMax` calls are in flight, so that a hung Redis costs no memory.
 */
export function createEventDispatcher(
  queue: EventQueue,
  parts: { logger: Logger; metrics: Metrics; callsMax?: number },
): EventDispatcher {
  const callsMax = parts.callsMax ?? 50;
  const calls = new Set<Promise<void>>();
  const dispatched = parts.metrics.counter(
    'bridge_webhook_enqueues_total',
    'Events handed to the queue by the ingress; those that failed are enqueued by the sweep.',
    ['outcome'],
  );
  const logFailure = rateLimitedLog(parts.logger, { message: 'not enqueued, the sweep will do it' });

  return {
    dispatch: (events) => {
      if (events.length === 0) return;
      if (calls.size >= callsMax) {
        dispatched.inc({ outcome: 'left_to_sweep' }, events.length);
        return;
      }
      const call = queue
        .enqueue(events)
        .then(
          () => dispatched.inc({ outcome: 'enqueued' }, events.length),
          (error: unknown) => {
            dispatched.inc({ outcome: 'failed' }, events.length);
            logFailure({ err: error, events: events.length });
          },
        )
        .finally(() => {
          calls.delete(call);
        });
      calls.add(call);
    },
    idle: async () => {
      await Promise.all(calls);
    },
  };
}
