import { setTimeout as delay } from 'node:timers/promises';
import { type RedisService, startRedis } from '@bridge/test-services';
import type { JobData, QueueName } from '../src/catalogue';
import { createJobWorker, type JobEnding, type JobWorker } from '../src/job-worker';
import { createProducer, type Producer } from '../src/producer';

export interface JobsStand {
  redis: RedisService;
  prefix: string;
  producer: Producer;
  /** Another producer on the same queues. Where Redis hangs in a test, that gives a shorter time. */
  connect(commandTimeoutMs?: number): Promise<Producer>;
  work<Name extends QueueName>(
    queue: Name,
    handle: (data: JobData<Name>) => Promise<JobEnding>,
    concurrency?: number,
  ): JobWorker & { errors: Error[] };
  stop(): Promise<void>;
}

/** A queue that lives answers within this, however busy the machine. */
const ANSWER_MS = 30_000;
const UNTIL_MS = 30_000;

/** Waits until the answer is yes. Bounded by time and not by looks: the other side may be slow while this one is quick. */
export async function until(yes: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + UNTIL_MS;
  while (!(await yes())) {
    if (performance.now() > deadline) throw new Error(`Not true within ${UNTIL_MS / 1_000} s: ${String(yes)}`);
    await delay(5);
  }
}

export async function untilReady(producer: Producer): Promise<Producer> {
  if (!producer.ready()) await new Promise<void>((resolve) => producer.redis.once('ready', () => resolve()));
  return producer;
}

let sequence = 0;
/** A Redis of its own, or that of another test under another prefix. */
export async function startJobs(shared?: RedisService): Promise<JobsStand> {
  const redis = shared ?? (await startRedis());
  sequence += 1;
  const prefix = `{jobs-test:${sequence}}`;
  const producers: Producer[] = [];
  const workers: JobWorker[] = [];
  const connect: JobsStand['connect'] = (commandTimeoutMs = ANSWER_MS) => {
    const producer = createProducer({ redisUrl: redis.url, prefix, commandTimeoutMs });
    producers.push(producer);
    return untilReady(producer);
  };
  return {
    redis,
    prefix,
    producer: await connect(),
    connect,
    work: (queue, handle, concurrency = 5) => {
      const errors: Error[] = [];
      const onError = (error: Error): void => void errors.push(error);
      const worker = createJobWorker({ queue, redisUrl: redis.url, prefix, concurrency, handle, onError });
      workers.push(worker);
      return Object.assign(worker, { errors });
    },
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.stop(10_000)));
      await Promise.all(producers.map((producer) => producer.close()));
      if (shared === undefined) await redis.stop();
    },
  };
}

/** Resolves when `open` is called. */
export function gate<Value = void>(): { opened: Promise<Value>; open: (value: Value) => void } {
  let open: (value: Value) => void = () => undefined;
  const opened = new Promise<Value>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

export async function timed(work: Promise<unknown>): Promise<{ ms: number; error: unknown }> {
  const began = performance.now();
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { ms: performance.now() - began, error };
}
