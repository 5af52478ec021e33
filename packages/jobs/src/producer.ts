import { type Job, type JobState, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { catalogue, type NewJob, type QueueName, queueNames, RETENTION } from './catalogue';
import { connectForCommands, disconnect } from './redis-connection';

/** The queue cannot be reached or does not answer; the rows wait in PostgreSQL and the sweep makes up for it. */
export class QueueUnavailableError extends Error {
  readonly code = 'QUEUE_UNAVAILABLE';
  constructor(cause: unknown) {
    super(`Redis did not take the jobs: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'QueueUnavailableError';
  }
}

/** The one way by which jobs get into Redis, with a time-out on every question. */
export interface Producer {
  /** Adds jobs; one that is held already (in any state) is left as it is. Rejects with QueueUnavailableError within the time-out. */
  enqueue(jobs: readonly NewJob[]): Promise<void>;
  /** Which of these ids stand for work to come; the others are gone, in hand, finished or failed. */
  live(queue: QueueName, ids: readonly string[]): Promise<Set<string>>;
  /** Brings delayed jobs forward. */
  promote(queue: QueueName, ids: readonly string[]): Promise<void>;
  queue(name: QueueName): Queue;
  /** Any other question to Redis or BullMQ, with the same bound and the same error. */
  ask<T>(work: () => Promise<T>): Promise<T>;
  readonly redis: Redis;
  ready(): boolean;
  close(): Promise<void>;
}

/**
 * An active job is not among them: while it is at work its row is claimed and nobody asks; a row that is due although its
 * job is "active" belongs to a worker that lost its connection, and BullMQ would notice only half a minute later.
 */
const LIVE: ReadonlySet<JobState | 'unknown'> = new Set(['waiting', 'delayed', 'prioritized']);

/** The one place that adds jobs. `prefix` comes from `queuePrefix`. */
export function createProducer(options: {
  redisUrl: string;
  prefix: string;
  commandTimeoutMs?: number;
  onError?: (error: Error) => void;
}): Producer {
  const commandTimeoutMs = options.commandTimeoutMs ?? 1_500;
  const onError = options.onError ?? (() => undefined);
  const redis = connectForCommands(options.redisUrl, { commandTimeoutMs, onError });
  const queues = new Map<QueueName, Queue>();
  for (const name of queueNames) {
    const queue = new Queue(name, {
      connection: redis,
      prefix: options.prefix,
      defaultJobOptions: { ...RETENTION, attempts: 1 },
      // BullMQ asks for the version once. On a Redis that hangs at that moment the question times out, and the Queue
      // would repeat that error to everybody until the process is restarted.
      skipVersionCheck: true,
    });
    queue.on('error', onError);
    queues.set(name, queue);
  }
  const queueOf = (name: QueueName): Queue => {
    const queue = queues.get(name);
    if (queue === undefined) throw new Error(`No queue named ${name}`);
    return queue;
  };

  async function ask<T>(work: () => Promise<T>): Promise<T> {
    if (redis.status !== 'ready') throw new QueueUnavailableError('not connected');
    return bounded(work());
  }

  async function promoteIfDelayed(name: QueueName, id: string): Promise<void> {
    const job = (await queueOf(name).getJob(id)) as Job | undefined;
    if (job === undefined || !(await job.isDelayed())) return;
    await job.promote().catch(async (error: unknown) => {
      // It came due by itself in between: that is what was wanted.
      if (await job.isDelayed()) throw error;
    });
  }

  /** BullMQ waits for a connection that was never ready; nobody may wait longer than this. */
  async function bounded<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${commandTimeoutMs} ms`)), commandTimeoutMs);
    });
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      throw new QueueUnavailableError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  let closed: Promise<void> | undefined;
  return {
    redis,
    queue: queueOf,
    ready: () => redis.status === 'ready',
    ask,
    enqueue: async (jobs) => {
      if (jobs.length === 0) return;
      const byQueue = Map.groupBy(jobs, (job) => job.queue);
      await ask(() =>
        Promise.all(
          [...byQueue].map(([name, some]) =>
            queueOf(name).addBulk(
              some.map((job) => ({ name: catalogue[name].job, data: job.data, opts: { jobId: job.id } })),
            ),
          ),
        ),
      );
    },
    live: async (name, ids) => {
      if (ids.length === 0) return new Set();
      const states = await ask(() => Promise.all(ids.map((id) => queueOf(name).getJobState(id))));
      return new Set(ids.filter((_, index) => LIVE.has(states[index] ?? 'unknown')));
    },
    promote: async (name, ids) => {
      if (ids.length > 0) await ask(() => Promise.all(ids.map((id) => promoteIfDelayed(name, id))));
    },
    close: () => {
      closed ??= (async () => {
        // Closing asks Redis nothing but waits for its connection; one that is away gets the time-out only.
        if (redis.status === 'ready')
          await Promise.allSettled([...queues.values()].map((queue) => bounded(queue.close())));
        await disconnect(redis);
      })();
      return closed;
    },
  };
}
