import type { Database } from '@bridge/database';
import { readInstallation } from '@bridge/installation';
import { createProducer, eventJob, type Producer, queuePrefix } from '@bridge/jobs';
import type { EventQueue } from './event-dispatcher';

/** How long the start waits for Redis, so that the first webhooks need no sweep; without Redis it goes on. */
const firstConnectionMs = 1_000;

export interface InboxQueue extends EventQueue {
  /** Connects, so that the first webhook finds an open door. Rejects when PostgreSQL is away; may be called again. */
  open(): Promise<void>;
  /** Whether a job could be added now. */
  ready(): boolean;
  close(): Promise<void>;
}

/**
 * The queue of stored events. Its keys in Redis carry the installation id, which stands in PostgreSQL: the ingress
 * starts without PostgreSQL, so the id is read when it can be.
 */
export function createInboxQueue(options: {
  database: Database;
  redisUrl: string;
  prefix: string;
  onError: (error: Error) => void;
}): InboxQueue {
  let opening: Promise<Producer> | undefined;
  let producer: Producer | undefined;

  async function make(): Promise<Producer> {
    const { id } = await readInstallation(options.database);
    producer = createProducer({
      redisUrl: options.redisUrl,
      prefix: queuePrefix(options.prefix, id),
      commandTimeoutMs: 1_500,
      onError: options.onError,
    });
    await readyWithin(producer, firstConnectionMs);
    return producer;
  }

  function opened(): Promise<Producer> {
    opening ??= make().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  return {
    open: async () => {
      await opened();
    },
    ready: () => producer?.ready() ?? false,
    // Only new rows come here, and a new row is in its run 0; resends of older rows are found by the sweep.
    enqueue: async (events) => {
      await (await opened()).enqueue(events.map(({ id, eventId }) => eventJob({ id, eventId, run: 0 })));
    },
    close: async () => {
      await producer?.close();
    },
  };
}

async function readyWithin(producer: Producer, timeoutMs: number): Promise<void> {
  if (producer.ready()) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    producer.redis.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
