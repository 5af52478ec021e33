import type { Database } from '@bridge/database';
import { catalogue } from '@bridge/jobs';
import { explainEffectRetries, explainEventRetries, runbookOf } from '@bridge/operations';

/** A job as the board's API answers it, as far as it is put into words. */
interface ShownJob {
  name?: unknown;
  data?: unknown;
  stacktrace?: unknown;
  failedReason?: unknown;
}

interface Words {
  name: string;
  /** What a retry would do. */
  next: string;
}

/**
 * Puts an answer of the board's API into words for people: a job is named by what it does ("Mark invoice 18637 paid"), a
 * failed one says below its reason what a retry would do, and stacks are left out (paths are nobody's business). A look at
 * PostgreSQL that fails leaves the jobs as they are: the board is still of use.
 */
export async function putIntoWords<Body>(database: Database, body: Body): Promise<Body> {
  const jobs: ShownJob[] = [];
  collectJobs(body, jobs);
  for (const job of jobs) job.stacktrace = [];
  const words = await wordsOf(database, jobs).catch(() => new Map<ShownJob, Words>());
  for (const [job, { name, next }] of words) {
    job.name = name;
    if (typeof job.failedReason !== 'string' || job.failedReason === '') continue;
    const page = runbookOf(/^[\w-]+(?=: )/.exec(job.failedReason)?.[0] ?? '');
    job.failedReason += `\n\n${next}${page === undefined ? '' : `\nWhat to do: /runbooks/${page}`}`;
  }
  return body;
}

/** Everything with a `stacktrace` is a job, wherever the answer holds it. */
function collectJobs(part: unknown, found: ShownJob[]): void {
  if (typeof part !== 'object' || part === null) return;
  if ('stacktrace' in part) found.push(part);
  else for (const inner of Object.values(part)) collectJobs(inner, found);
}

async function wordsOf(database: Database, jobs: readonly ShownJob[]): Promise<Map<ShownJob, Words>> {
  const effectOf = new Map(
    jobs.map((job) => [job, catalogue['filemaker-effects'].data.safeParse(job.data).data?.effectId]),
  );
  const eventOf = new Map(jobs.map((job) => [job, catalogue['stripe-events'].data.safeParse(job.data).data?.inboxId]));
  const [effects, events] = await Promise.all([
    explainEffectRetries(database, idsIn(effectOf)),
    explainEventRetries(database, idsIn(eventOf)),
  ]);
  const words = new Map<ShownJob, Words>();
  for (const [job, id] of effectOf) {
    const effect = effects.find((one) => one.id === id);
    if (effect === undefined) continue;
    const { title, retry } = effect;
    const asks =
      retry.kind === 'releases' && retry.checkFirst ? '; FileMaker is asked first whether it has happened' : '';
    words.set(job, {
      name: title,
      next: retry.kind === 'releases' ? `Retry releases it${asks}.` : `Retry is refused: ${retry.reason}`,
    });
  }
  for (const [job, id] of eventOf) {
    const event = events.find((one) => one.id === id);
    if (event === undefined) continue;
    const { eventType, retry } = event;
    words.set(job, {
      name: `Read ${eventType}`,
      next: retry.kind === 'releases' ? 'Retry reads it again.' : `Retry is refused: ${retry.reason}`,
    });
  }
  return words;
}

const idsIn = (rowOf: ReadonlyMap<ShownJob, string | undefined>): string[] => [
  ...new Set([...rowOf.values()].filter((id) => id !== undefined)),
];
