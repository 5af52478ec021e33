import { z } from 'zod';

const rowId = z.string().regex(/^\d+$/);

/**
 * Every queue, the jobs it carries and what their data is. Jobs carry ids, never payloads: what they mean stands in
 * PostgreSQL, and a queue that is lost is made again from there.
 */
export const catalogue = {
  'stripe-events': { job: 'process-event', data: z.strictObject({ inboxId: rowId }) },
  'filemaker-effects': { job: 'perform-effect', data: z.strictObject({ effectId: rowId }) },
  /** By the clock a flow's pass; otherwise a run that a person wants or that its worker has left. */
  reconciliations: {
    job: 'reconcile',
    data: z.union([z.strictObject({ flow: z.string(), pass: z.string() }), z.strictObject({ runId: rowId })]),
  },
  /** What comes back by the clock and belongs to no flow; apart, so that it never stands behind a long reconciliation. */
  rounds: {
    job: 'round',
    data: z.strictObject({ task: z.enum(['fetch-events', 'compare-observed', 'erase-bodies', 'close-day']) }),
  },
  replays: { job: 'replay', data: z.strictObject({ planId: rowId }) },
} as const;

/** A queue of the catalogue. */
export type QueueName = keyof typeof catalogue;

/** What a job of this queue carries: ids. */
export type JobData<Name extends QueueName> = z.infer<(typeof catalogue)[Name]['data']>;

/** In the order of the catalogue. */
export const queueNames = Object.keys(catalogue) as QueueName[];

/** A job to be: its id names the row and the run, so that adding it twice is adding it once. */
export interface NewJob<Name extends QueueName = QueueName> {
  queue: Name;
  id: string;
  data: JobData<Name>;
}

/**
 * An id that can be a job's as it stands. The underscore keeps clear of numbers, which BullMQ refuses, and of the names
 * of its own keys (`wait`, `meta`, `stalled-check`), which a job's hash would overwrite; without a dot it cannot be
 * mistaken for a later run of another.
 */
const PLAIN_ID = /^[A-Za-z0-9]+_[\w-]{1,200}$/;

/** Event jobs are keyed by the Stripe event id; a later run of the same row gets a suffix, since BullMQ ignores an id it holds. */
export function eventJob(row: { id: string; eventId: string; run: number }): NewJob<'stripe-events'> {
  const id = PLAIN_ID.test(row.eventId) ? row.eventId : `inbox-${row.id}`;
  return { queue: 'stripe-events', id: row.run === 0 ? id : `${id}.${row.run}`, data: { inboxId: row.id } };
}

/** One run of an effect: the row's id and its run. */
export function effectJob(row: { id: string; run: number }): NewJob<'filemaker-effects'> {
  return { queue: 'filemaker-effects', id: `${row.id}.${row.run}`, data: { effectId: row.id } };
}

/** A new number for each time that a run has to be taken up. */
export function runJob(run: { id: string; jobRun: number }): NewJob<'reconciliations'> {
  return { queue: 'reconciliations', id: `run-${run.id}.${run.jobRun}`, data: { runId: run.id } };
}

/** A new run for each time that a plan has to be taken up. */
export function replayJob(plan: { id: string; run: number }): NewJob<'replays'> {
  return { queue: 'replays', id: `replay-${plan.id}.${plan.run}`, data: { planId: plan.id } };
}

/** All keys of one bridge lie in one hash slot, so that a Redis Cluster can run the scripts. */
export function queuePrefix(prefix: string, installationId: string): string {
  return `{${prefix}:${installationId}}`;
}

/** Kept in Redis for Bull Board only; PostgreSQL remembers for good. */
export const RETENTION = {
  removeOnComplete: { age: 3_600, count: 1_000 },
  removeOnFail: { age: 14 * 86_400, count: 5_000 },
} as const;
