import type { Database } from '@bridge/database';
import type { EffectStore } from '@bridge/effects';
import type { PeerFailure } from '@bridge/flow';
import type { Inbox } from '@bridge/inbox';
import type { JobData, JobEnding } from '@bridge/jobs';
import type { Logger } from '@bridge/observability';
import { recordScheduleSuccess } from '@bridge/operations';
import { type EventWatermarks, recordComparison } from '@bridge/reconciliation';
import { StripeCallError } from '@bridge/stripe-client';
import { type ComparedEnding, compareObserved } from './compare-observed';
import { eraseBodies } from './erase-bodies';
import { type FetchEventsOptions, fetchEvents } from './fetch-events';

type Task = JobData<'rounds'>['task'];

export interface RoundsOptions {
  database: Database;
  inbox: Inbox;
  effects: EffectStore;
  watermarks: EventWatermarks;
  logger: Logger;
  /** All but what changes from run to run. */
  fetch: Omit<FetchEventsOptions, 'database' | 'inbox' | 'watermarks' | 'from'>;
  /** The moment from which on recovery acts. */
  from(): Date;
  find: Parameters<typeof compareObserved>[0]['find'];
  /** Undefined: a peer is open. */
  closedBecause(scope: 'stripe' | 'filemaker'): Promise<{ cause: string; detail: string } | undefined>;
  judgeStripe(error: unknown, about: string): Promise<PeerFailure | undefined>;
  /** Age in days at which bodies are erased. */
  bodyDays: number;
  /** Closes the days that are due and sends the mails that are owed. */
  closeDays(): Promise<JobEnding>;
}

/** FileMaker is closed or in trouble: the comparison of the night has time. */
const COMPARE_AGAIN_MS = 60_000;
const MORE_MS = 1;

/** What comes back by the clock and belongs to no flow. Each ends within a bounded time and tells how it went. */
export function createRounds(options: RoundsOptions): (data: { task: Task }) => Promise<JobEnding> {
  const { database, logger, watermarks } = options;
  const { delivery } = options.fetch;

  /** The duty is this process's: a second fetch beside the first would believe that it has it. */
  let fetching = false;
  async function fetchOnce(): Promise<JobEnding> {
    if (fetching) return { kind: 'finished' };
    fetching = true;
    try {
      return await fetchNow();
    } finally {
      fetching = false;
    }
  }

  async function fetchNow(): Promise<JobEnding> {
    const closed = await options.closedBecause('stripe');
    if (closed !== undefined) {
      await watermarks.fail(delivery, { code: closed.cause, message: closed.detail });
      return { kind: 'finished' };
    }
    try {
      const fetched = await fetchEvents({
        ...options.fetch,
        database,
        inbox: options.inbox,
        watermarks,
        from: options.from(),
      });
      if (fetched === undefined) return { kind: 'finished' };
      if (fetched.missed !== null) {
        logger.error(
          { ...fetched.missed },
          "events older than 30 days are gone from Stripe's list: payments of that time are left to reconciliation",
        );
      }
      if (fetched.recorded > 0 || fetched.more) logger.info({ delivery, ...fetched }, 'events.fetched');
      if (fetched.more) return { kind: 'later', afterMs: MORE_MS };
      await recordScheduleSuccess(database.executor, 'fetch-events');
      return { kind: 'finished' };
    } catch (error) {
      const failure = await judgeFetch(error);
      const code = failure?.code ?? 'FETCH_FAILED';
      await watermarks.fail(delivery, {
        code,
        message: failure?.message ?? (error instanceof Error ? error.name : 'unknown error'),
      });
      if (failure === undefined) throw error;
      logger.warn({ delivery, ...failure }, 'events.not-fetched');
      // The next tick of the clock comes soon enough; a question that is refused for good would come back for ever.
      return { kind: 'finished' };
    }
  }

  /** A key that may not list events may well read payments: what webhooks bring goes on, and nothing is halted. */
  async function judgeFetch(error: unknown): Promise<Pick<PeerFailure, 'code' | 'message'> | undefined> {
    const refused = error instanceof StripeCallError && error.code === 'STRIPE_PERMISSION';
    return refused ? { code: error.code, message: error.message } : options.judgeStripe(error, 'fetch-events');
  }

  async function compare(): Promise<JobEnding> {
    if ((await options.closedBecause('filemaker')) !== undefined) return { kind: 'later', afterMs: COMPARE_AGAIN_MS };
    const ending: ComparedEnding = await compareObserved({ database, find: options.find });
    if (ending.kind === 'held-back') {
      logger.warn({ ...ending.held }, 'comparison.held-back');
      return { kind: 'later', afterMs: COMPARE_AGAIN_MS };
    }
    await recordComparison(database, ending.comparison);
    await recordScheduleSuccess(database.executor, 'compare-observed');
    const { differing: _differing, ...counts } = ending.comparison;
    logger.info(counts, 'comparison.finished');
    return { kind: 'finished' };
  }

  async function erase(): Promise<JobEnding> {
    const { inbox, effects, bodyDays: days } = options;
    const erased = await eraseBodies({ inbox, effects, days });
    await recordScheduleSuccess(database.executor, 'erase-bodies');
    logger.info(erased, 'bodies.erased');
    return { kind: 'finished' };
  }

  const rounds: Readonly<Record<Task, () => Promise<JobEnding>>> = {
    'fetch-events': fetchOnce,
    'compare-observed': compare,
    'erase-bodies': erase,
    'close-day': options.closeDays,
  };
  return ({ task }) => rounds[task]();
}
