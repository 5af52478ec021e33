import type { WorkerRegistration } from '@bridge/claims';
import type { ConfigByRole } from '@bridge/config';
import type { Database } from '@bridge/database';
import type { EffectStore } from '@bridge/effects';
import { wantedEventTypes } from '@bridge/flows';
import type { Inbox } from '@bridge/inbox';
import { createJobWorker, eventJob, type Producer } from '@bridge/jobs';
import type { Logger } from '@bridge/observability';
import { listScheduleRuns } from '@bridge/operations';
import { createEventWatermarks } from '@bridge/reconciliation';
import type { StripeClient } from '@bridge/stripe-client';
import { missedNights } from './missed-nights';
import { repeat } from './repeat';
import { createRounds, type RoundsOptions } from './rounds';

export interface StartRoundsOptions {
  config: Pick<ConfigByRole['worker'], 'mode' | 'redis' | 'stripe' | 'flows' | 'inboxBodyDays'>;
  prefix: string;
  database: Database;
  inbox: Inbox;
  effects: EffectStore;
  registration: Pick<WorkerRegistration, 'takeDuty' | 'dropDuty'>;
  producer: Pick<Producer, 'redis' | 'ask' | 'enqueue'>;
  stripe: Pick<StripeClient, 'listEvents'>;
  find: RoundsOptions['find'];
  /** The moment from which on recovery acts. */
  from(): Date;
  closedBecause(scopes: readonly string[]): Promise<{ cause: string; detail: string } | undefined>;
  judgeStripe: RoundsOptions['judgeStripe'];
  closeDays: RoundsOptions['closeDays'];
  logger: Logger;
  onError(part: string): (error: Error) => void;
}

const FETCH_DUTY = 'fetch-events';
const MISSED_EVERY_MS = 600_000;

/** What comes back by the clock: fetching events, the comparison while observing, erasing old bodies. */
export function startRounds(options: StartRoundsOptions): { stop(deadlineMs: number): Promise<unknown> } {
  const { config, database, inbox, effects, producer, registration } = options;
  const { delivery, livemode } = config.stripe;
  const witnessKey = `${options.prefix}:fetched`;
  const rounds = createRounds({
    database,
    inbox,
    effects,
    watermarks: createEventWatermarks(database),
    logger: options.logger,
    fetch: {
      delivery: delivery === 'pull' ? 'pull' : 'reconciliation',
      listEvents: (query) => options.stripe.listEvents(query),
      wants: wantedEventTypes(config.flows),
      livemode,
      witness: {
        read: () => producer.ask(() => producer.redis.get(witnessKey)),
        write: async (fetchNo) => {
          await producer.ask(() => producer.redis.set(witnessKey, fetchNo));
        },
      },
      takeDuty: () => registration.takeDuty(FETCH_DUTY),
      dropDuty: () => registration.dropDuty(FETCH_DUTY),
      // The sweep finds what is not enqueued here.
      onRecorded: (stored) =>
        producer
          .enqueue(
            stored
              .filter(({ outcome, state }) => outcome === 'new' && state === 'received')
              .map(({ id, eventId }) => eventJob({ id, eventId, run: 0 })),
          )
          .catch(options.onError('enqueue')),
    },
    from: options.from,
    find: options.find,
    closedBecause: (scope) => options.closedBecause([scope]),
    judgeStripe: options.judgeStripe,
    bodyDays: config.inboxBodyDays,
    closeDays: options.closeDays,
  });
  const jobs = createJobWorker({
    queue: 'rounds',
    redisUrl: config.redis.url,
    prefix: options.prefix,
    // One for each kind, so that a fetch does not wait for a night's work.
    concurrency: 4,
    onError: options.onError('rounds'),
    handle: rounds,
  });
  const makingUp = repeat(
    async () => producer.enqueue(missedNights(await listScheduleRuns(database), config.mode, new Date())),
    MISSED_EVERY_MS,
    options.onError('missed rounds'),
  );
  return {
    stop: async (deadlineMs) => {
      await Promise.all([makingUp.stop(), jobs.stop(deadlineMs)]);
    },
  };
}
