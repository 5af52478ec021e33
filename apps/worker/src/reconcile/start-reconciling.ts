import type { Database } from '@bridge/database';
import type { BoundFlow } from '@bridge/flow';
import { createJobWorker, type Producer, runJob } from '@bridge/jobs';
import type { Logger } from '@bridge/observability';
import { readStripeTransactions, recordScheduleSuccess } from '@bridge/operations';
import { createRuns, createStripeReadCounts, stripeAllowance } from '@bridge/reconciliation';
import { type Repeating, repeat } from '../repeat';
import type { StripeReads } from '../stripe-reads';
import { isLate } from './late-pass';
import { createReconcileRuns, type ReconcileRunsOptions, scheduleOf } from './reconcile-runs';

export interface StartReconcilingOptions
  extends Pick<
    ReconcileRunsOptions,
    'inbox' | 'flows' | 'worker' | 'recoverFrom' | 'observing' | 'judgeStripe' | 'closedBecause'
  > {
  database: Database;
  producer: Producer;
  redisUrl: string;
  prefix: string;
  reads: StripeReads;
  /** Reads that Stripe allows in thirty days; undefined: as many as Stripe's own rule gives. */
  readsInThirtyDays: number | undefined;
  /** Schedules that the configuration names: those nights are its own. */
  schedules: Readonly<Record<string, unknown>>;
  enqueueEvents(events: readonly { id: string; eventId: string }[]): Promise<void>;
  logger: Logger;
  onError: (part: string) => (error: Error) => void;
}

const WATCH_EVERY_MS = 2_000;
/** The count of reads is written down so often: a killed worker forgets no more. */
const COUNT_EVERY_MS = 10_000;
/** Runs that get a job at a time. */
const JOBLESS_MAX = 20;
/** Recovery rests when so much of the allowance is used: the rest is for live work. */
const ALLOWANCE_USED_MAX = 0.9;
const LATE_EVERY_MS = 60_000;

/** The passes that are on: more would never be at work at the same time. */
const passCount = (flows: readonly BoundFlow[]): number => flows.reduce((sum, flow) => sum + flow.passes.length, 0);

/**
 * The worker's part of reconciliation: its queue, and the watch that gives a job to every run that is due and has none,
 * whatever Redis has forgotten. Nights in which the bridge stood still are made up when it is back.
 */
export function startReconciling(options: StartReconcilingOptions): { stop(deadlineMs: number): Promise<void> } {
  const { database, producer, logger, onError, flows } = options;
  const runs = createRuns(database);
  const counts = createStripeReadCounts(database);

  async function restBecause(): Promise<string | undefined> {
    await countReads();
    const allowed = options.readsInThirtyDays ?? stripeAllowance(await readStripeTransactions(database));
    const used = await counts.inThirtyDays();
    if (used < allowed * ALLOWANCE_USED_MAX) return undefined;
    return `${used} of the ${allowed} reads that Stripe allows in 30 days are used: the rest is left to live work`;
  }

  async function countReads(): Promise<void> {
    await counts.add(options.reads.takeCount());
  }

  const reconcile = createReconcileRuns({
    ...options,
    runs,
    restBecause,
    onScheduleSuccess: (schedule) => recordScheduleSuccess(database.executor, schedule),
    onRun: ({ run, ended, because }) => {
      const { id, flow, pass, askedBy, mode, listed, checked, unasked, found, opened, fixed, acted } = run;
      const told = { id, flow, pass, askedBy, mode, listed, checked, unasked, found, opened, fixed, acted };
      const calls = { stripeCalls: run.stripeCalls, filemakerFinds: run.filemakerFinds };
      if (ended === 'finished') logger.info({ run: { ...told, ...calls } }, 'reconcile.finished');
      else logger.warn({ run: { ...told, ...calls, because, reason: run.reason } }, `reconcile.${ended}`);
    },
  });

  const jobs = createJobWorker({
    queue: 'reconciliations',
    redisUrl: options.redisUrl,
    prefix: options.prefix,
    concurrency: passCount(flows) + 1,
    onError: onError('reconciliations'),
    handle: (data) => reconcile.handle(data),
  });

  async function giveJobs(): Promise<void> {
    const jobless = await runs.takeJobless(JOBLESS_MAX);
    if (jobless.length > 0) await producer.enqueue(jobless.map(runJob));
  }

  /** A pass of the night, by its own schedule's clock, that did not come to its end in time. */
  async function makeUp(): Promise<void> {
    for (const flow of flows) {
      for (const pass of flow.passes) {
        if (!('cron' in pass.schedule) || scheduleOf(flow.name, pass.name) in options.schedules) continue;
        const last = await runs.lastOf(flow.name, pass.name);
        if (isLate(last, new Date())) await reconcile.want(flow.name, pass);
      }
    }
  }

  const duties: Repeating[] = [
    repeat(giveJobs, WATCH_EVERY_MS, onError('reconciliation watch')),
    repeat(makeUp, LATE_EVERY_MS, onError('reconciliation watch')),
    repeat(countReads, COUNT_EVERY_MS, onError('count of reads')),
  ];
  return {
    stop: async (deadlineMs) => {
      reconcile.stop();
      await Promise.all([...duties.map((duty) => duty.stop()), jobs.stop(deadlineMs)]);
      await countReads().catch(onError('count of reads'));
    },
  };
}
