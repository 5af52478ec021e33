import type { Database } from '@bridge/database';
import { catalogue, type QueueName } from '@bridge/jobs';
import { type RefusalCode, type Refused, retryEffect, retryEvent } from '@bridge/operations';
import type { Job, Queue } from 'bullmq';

export interface RetryAnswer {
  status: 200 | 204 | 404 | 409;
  body: object;
}

/** Failed jobs that one "retry all" takes on; the person presses again for more. */
export const RETRY_ALL_MAX = 1_000;
const AT_ONCE = 4;
/** Reasons shown after a "retry all"; the rest stands in the audit table. */
const REASONS_SHOWN = 2;

/** The row does not wait any more, so the failed job tells something that is not true. */
const STALE: ReadonlySet<RefusalCode> = new Set([
  'EFFECT_DONE',
  'EFFECT_CANCELLED',
  'EFFECT_ON_ITS_WAY',
  'EFFECT_NOT_FOUND',
  'EVENT_ON_ITS_WAY',
  'EVENT_SETTLED',
  'EVENT_NOT_FOUND',
]);

interface Refusal {
  kind: 'refused';
  code: string;
  reason: string;
}
type Retried = { kind: 'retried' } | Refusal;

/**
 * What "retry" means here: the row behind the failed job is released through the engine, with the operator's name in the
 * audit table, and the sweep makes its next job. The failed job itself never runs again; it is taken off the board. What
 * may have run, and what was parked because of its money, is refused: those are decided one at a time, with a look.
 */
async function retryJob(database: Database, queue: QueueName, job: Job, operator: string): Promise<Retried> {
  const asked = { by: operator, why: 'retry on the queue board' };
  let answer: { kind: 'resolved' | 'reprocessed' } | Refused;
  if (queue === 'filemaker-effects') {
    const data = catalogue[queue].data.safeParse(job.data);
    if (!data.success) return unreadable(queue);
    answer = await retryEffect(database, data.data.effectId, asked);
  } else if (queue === 'stripe-events') {
    const data = catalogue[queue].data.safeParse(job.data);
    if (!data.success) return unreadable(queue);
    answer = await retryEvent(database, data.data.inboxId, asked);
  } else {
    return {
      kind: 'refused',
      code: 'COMES_BY_THE_CLOCK',
      reason: 'This work comes by the clock and runs again within minutes by itself.',
    };
  }
  if (answer.kind !== 'refused') {
    await takeOff(job);
    return { kind: 'retried' };
  }
  if (!STALE.has(answer.code)) return answer;
  await takeOff(job);
  return { kind: 'refused', code: answer.code, reason: `${answer.reason} This entry was out of date and is removed.` };
}

/** The decision stands in PostgreSQL. Should Redis go away at this moment, the board's keeper takes the entry off later. */
const takeOff = (job: Job): Promise<boolean> =>
  job.remove().then(
    () => true,
    () => false,
  );

const unreadable = (queue: QueueName): Retried => ({
  kind: 'refused',
  code: 'JOB_UNREADABLE',
  reason: `This job's data is not what ${queue} carries, so no row can be found for it.`,
});

export async function retryOne(
  parts: { database: Database; queue: Queue; operator: string },
  name: QueueName,
  jobId: string,
): Promise<RetryAnswer> {
  const job: Job | undefined = await parts.queue.getJob(jobId);
  if (job === undefined)
    return answer(404, 'Not there', 'This job is not on the board any more. Load the page again.', 'JOB_NOT_FOUND');
  const state = await job.getState();
  if (state !== 'failed')
    return answer(409, 'Not retried', `Only failed jobs can be retried; this one is ${state}.`, 'JOB_NOT_FAILED');
  const retried = await retryJob(parts.database, name, job, parts.operator);
  return retried.kind === 'retried'
    ? { status: 204, body: {} }
    : answer(409, 'Not retried', retried.reason, retried.code);
}

export async function retryAllFailed(
  parts: { database: Database; queue: Queue; operator: string },
  name: QueueName,
): Promise<RetryAnswer> {
  const jobs: Job[] = await parts.queue.getJobs(['failed'], 0, RETRY_ALL_MAX - 1);
  const refusals: Refusal[] = [];
  let retried = 0;
  for (let start = 0; start < jobs.length; start += AT_ONCE) {
    const some = jobs.slice(start, start + AT_ONCE);
    for (const one of await Promise.all(some.map((job) => retryJob(parts.database, name, job, parts.operator)))) {
      if (one.kind === 'retried') retried += 1;
      else refusals.push(one);
    }
  }
  const skipped = refusals.length;
  if (skipped === 0) return { status: 200, body: { retried, skipped } };
  const told = answer(409, `${retried} released, ${skipped} refused`, summary(refusals), 'SOME_REFUSED');
  return { status: told.status, body: { ...told.body, retried, skipped } };
}

/** Short enough for a message that is on the screen for seconds; each job says its own reason on its card. */
function summary(refusals: readonly Refusal[]): string {
  const alone = refusals.filter(({ code }) => code === 'EFFECT_NEEDS_DECISION').length;
  const others = refusals.filter(({ code }) => code !== 'EFFECT_NEEDS_DECISION').map(({ reason }) => reason);
  const more = others.length - REASONS_SHOWN;
  return [
    alone === 0
      ? null
      : alone === 1
        ? 'One is decided alone, since it may have run or its money is in question; its entry says how.'
        : `${alone} are decided alone, since they may have run or their money is in question; each entry says how.`,
    ...others.slice(0, REASONS_SHOWN),
    more > 0 ? `And ${more} more.` : null,
  ]
    .filter((sentence) => sentence !== null)
    .join(' ');
}

const answer = (status: RetryAnswer['status'], error: string, message: string, code: string): RetryAnswer => ({
  status,
  body: { error, message, code },
});
