import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq';
import { catalogue, type JobData, type QueueName } from './catalogue';
import { connectForWorkers, disconnect } from './redis-connection';

/** How a job ended. What it means for the row stands in PostgreSQL already; this is for the queue and for Bull Board. */
export type JobEnding =
  | { kind: 'finished' }
  /** Look again later; costs no attempt. */
  | { kind: 'later'; afterMs: number }
  /** A person has to look: the job stands as failed with this reason. No customer data in it. */
  | { kind: 'failed'; reason: string };

/** Takes the jobs of one queue. Runs from its creation until `stop`. */
export interface JobWorker {
  /** Stops fetching; jobs in hand go on. A read that is waiting already may still bring one more job. */
  pause(): Promise<void>;
  resume(): void;
  /** Takes no new jobs and waits for those in hand, at most `deadlineMs`. Resolves to how many were left. */
  stop(deadlineMs: number): Promise<number>;
  inHand(): number;
  /** Jobs begun since the start; stands still in a worker that looks alive and takes nothing. */
  begun(): number;
  paused(): boolean;
  ready(): boolean;
}

/** A job that throws goes back to wait so long; the row's own counter decides when it has been tried often enough. */
const AFTER_THROW_MS = 1_000;
/** While stopping with nothing in hand, Redis counts as away after so long. */
const IDLE_AWAY_MS = 1_000;
const LOOK_MS = 250;

/**
 * Begins to fetch at once, also while Redis is away. Data that the catalogue does not know fails the job; a `handle`
 * that throws is reported to `onError`, and its job comes again a second later.
 */
export function createJobWorker<Name extends QueueName>(options: {
  queue: Name;
  redisUrl: string;
  prefix: string;
  concurrency: number;
  handle(data: JobData<Name>): Promise<JobEnding>;
  onError: (error: Error) => void;
}): JobWorker {
  const connection = connectForWorkers(options.redisUrl, { onError: options.onError });
  const schema = catalogue[options.queue].data;
  let inHand = 0;
  let begun = 0;

  async function handle(data: JobData<Name>): Promise<JobEnding> {
    try {
      return await options.handle(data);
    } catch (error) {
      options.onError(error instanceof Error ? error : new Error(String(error)));
      return { kind: 'later', afterMs: AFTER_THROW_MS };
    }
  }

  async function process(job: Job, token?: string): Promise<void> {
    inHand += 1;
    begun += 1;
    try {
      const data = schema.safeParse(job.data);
      if (!data.success) throw new UnrecoverableError(`This job's data is not what ${options.queue} carries`);
      const ending = await handle(data.data as JobData<Name>);
      if (ending.kind === 'failed') throw new UnrecoverableError(ending.reason);
      if (ending.kind === 'later') {
        await job.moveToDelayed(Date.now() + Math.max(1, ending.afterMs), token);
        throw new DelayedError();
      }
    } finally {
      inHand -= 1;
    }
  }

  const worker = new Worker(options.queue, process, {
    connection,
    prefix: options.prefix,
    concurrency: options.concurrency,
    // Our claims decide who works on what; BullMQ may hand a job out as often as it likes.
    maxStalledCount: 1_000_000,
    lockDuration: 30_000,
    stalledInterval: 15_000,
    drainDelay: 2,
  });
  worker.on('error', options.onError);

  let stopped: Promise<number> | undefined;
  return {
    pause: () => worker.pause(true),
    resume: () => void worker.resume(),
    inHand: () => inHand,
    begun: () => begun,
    paused: () => worker.isPaused(),
    ready: () => connection.status === 'ready',
    stop: (deadlineMs) => {
      stopped ??= (async () => {
        let timer: NodeJS.Timeout | undefined;
        let look: NodeJS.Timeout | undefined;
        let idleAwayMs = 0;
        const late = new Promise<'late'>((resolve) => {
          timer = setTimeout(() => resolve('late'), deadlineMs);
          // BullMQ's own read waits for Redis without limit: while that is away there is nothing else to wait for.
          look = setInterval(() => {
            idleAwayMs = inHand === 0 && connection.status !== 'ready' ? idleAwayMs + LOOK_MS : 0;
            if (idleAwayMs >= IDLE_AWAY_MS) resolve('late');
          }, LOOK_MS);
        });
        const closed = worker.close().catch(options.onError);
        const ended = await Promise.race([closed, late]);
        clearTimeout(timer);
        clearInterval(look);
        const left = inHand;
        // BullMQ waits for its jobs without limit and cannot be told to hurry: what is left runs on without a queue, and
        // its rows are freed by the end of our heartbeat.
        if (ended === 'late') worker.disconnect().catch(options.onError);
        await disconnect(connection);
        return left;
      })();
      return stopped;
    },
  };
}
