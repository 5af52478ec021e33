import { type Job, type JobState, Worker } from 'bullmq';
import { catalogue, type NewJob, type QueueName, RETENTION } from './catalogue';
import type { Producer } from './producer';
import { connectForWorkers, disconnect } from './redis-connection';

/** A row that waits for a person, as it should stand among the failed jobs. */
export interface FailedEntry {
  job: NewJob;
  /** Shown as why it failed. No customer data in it. */
  reason: string;
  /** Shown as when the job was made. */
  since: Date;
}

/** Puts what waits for a person among the failed jobs, for Bull Board to show. */
export interface FailedBoard {
  /**
   * Makes sure that each of these stands as a failed job with its reason. One that stands there, or is in a worker's hand
   * at this moment, is left as it is. Returns how many were put there now. Rejects with QueueUnavailableError.
   */
  show(entries: readonly FailedEntry[]): Promise<number>;
  /** How many more failed jobs a queue takes before its retention would drop others for them. */
  room(queue: QueueName): Promise<number>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/** Below the retention's own limit: what is put here must not push out what stands here. */
const SHOWN_MAX = Math.floor(RETENTION.removeOnFail.count * 0.8);
/** A job in hand longer than this goes back to wait by itself. Each is held for milliseconds. */
const LOCK_MS = 10_000;
/** Only for this handling by hand; BullMQ asks for a word that tells holders apart. */
const TOKEN = 'failed-board';
/** These stand for work to come that has not been taken: replaced by an entry that is. */
const UNTAKEN: ReadonlySet<JobState | 'unknown'> = new Set(['waiting', 'delayed', 'prioritized', 'completed']);

/**
 * Puts jobs of parked rows straight among the failed ones, without the worker that would find them parked. The board is
 * then right as well while workers are paused, behind in a long backlog, or not performing effects at all (observe mode).
 * It uses the queue as any worker does (add, take, fail), so that one that dies half-way leaves a job which the next
 * worker takes, finds parked, and fails with the same reason: a job here can never run anything.
 */
export function createFailedBoard(options: {
  producer: Producer;
  redisUrl: string;
  prefix: string;
  onError: (error: Error) => void;
}): FailedBoard {
  const { producer } = options;
  // Usually nothing has to be put here, so the connections are made when something has.
  let connection: ReturnType<typeof connectForWorkers> | undefined;
  const takers = new Map<QueueName, Worker>();

  function takerOf(name: QueueName): Worker {
    const known = takers.get(name);
    if (known !== undefined) return known;
    connection ??= connectForWorkers(options.redisUrl, { onError: options.onError });
    const taker = new Worker(name, null, {
      connection,
      prefix: options.prefix,
      lockDuration: LOCK_MS,
      skipVersionCheck: true,
    });
    taker.on('error', options.onError);
    takers.set(name, taker);
    return taker;
  }

  /** The entries that no job stands for yet. */
  async function missing(name: QueueName, entries: readonly FailedEntry[]): Promise<FailedEntry[]> {
    const queue = producer.queue(name);
    const states = await producer.ask(() => Promise.all(entries.map(({ job }) => queue.getJobState(job.id))));
    const untaken = entries.filter((_, index) => UNTAKEN.has(states[index] ?? 'unknown'));
    // Taken by a worker since: then it is failed in a moment by itself.
    const removed = await Promise.all(untaken.map(({ job }) => producer.ask(() => queue.remove(job.id))));
    const gone = new Set(untaken.filter((_, index) => removed[index] === 1).map(({ job }) => job.id));
    return entries.filter(({ job }, index) => states[index] === 'unknown' || gone.has(job.id));
  }

  async function showIn(name: QueueName, entries: readonly FailedEntry[]): Promise<number> {
    const absent = new Map((await missing(name, entries)).map((entry) => [entry.job.id, entry]));
    if (absent.size === 0) return 0;
    // In front of the work that waits, so that they are the next to be taken; the last one added is taken first.
    await producer.ask(() =>
      producer.queue(name).addBulk(
        [...absent.values()].reverse().map(({ job, since }) => ({
          name: catalogue[name].job,
          data: job.data,
          opts: { jobId: job.id, lifo: true, timestamp: since.getTime() },
        })),
      ),
    );
    const taker = takerOf(name);
    let shown = 0;
    for (let taken = 0; taken < absent.size; taken += 1) {
      const next: Job | undefined = await producer.ask(() => taker.getNextJob(TOKEN, { block: false }));
      if (next === undefined) break;
      const entry = absent.get(next.id ?? '');
      if (entry === undefined) {
        // A worker took ours and this is real work: back to the front of the line.
        await producer.ask(() => next.moveToWait(TOKEN));
        break;
      }
      await producer.ask(() => next.moveToFailed(withoutStack(entry.reason), TOKEN, false));
      shown += 1;
    }
    return shown;
  }

  let closed: Promise<void> | undefined;
  return {
    show: async (entries) => {
      let shown = 0;
      for (const [name, some] of Map.groupBy(entries, ({ job }) => job.queue)) shown += await showIn(name, some);
      return shown;
    },
    room: async (name) => SHOWN_MAX - (await producer.ask(() => producer.queue(name).getFailedCount())),
    close: () => {
      closed ??= (async () => {
        // Without waiting: nothing is in hand between two calls, and a Redis that is away must not hold the end up.
        await Promise.allSettled([...takers.values()].map((taker) => taker.close(true)));
        if (connection !== undefined) await disconnect(connection);
      })();
      return closed;
    },
  };
}

/** Where in our code it was made says nothing about the row. */
function withoutStack(reason: string): Error {
  const error = new Error(reason);
  error.stack = '';
  return error;
}
