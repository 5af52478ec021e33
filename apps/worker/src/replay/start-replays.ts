import type { Database } from '@bridge/database';
import type { BoundFlow, Flow } from '@bridge/flow';
import { createJobWorker } from '@bridge/jobs';
import type { Logger } from '@bridge/observability';
import { createFindings } from '@bridge/reconciliation';
import type { StripeClient } from '@bridge/stripe-client';
import { createAskLog } from './ask-log';
import { createReplays, type ReplaysOptions } from './create-replays';

export interface StartReplaysOptions
  extends Pick<
    ReplaysOptions,
    'inbox' | 'effects' | 'registration' | 'recoverFrom' | 'performs' | 'judgeFailure' | 'enqueue'
  > {
  database: Database;
  redisUrl: string;
  prefix: string;
  flows: readonly BoundFlow[];
  records: readonly Pick<Flow<never>, 'records'>[];
  stripe: Pick<StripeClient, 'retrieveEvent'>;
  readLog: Parameters<typeof createAskLog>[0];
  filemakerSessionsMax: number;
  closedBecause(scopes: readonly string[]): Promise<{ cause: string; detail: string } | undefined>;
  logger: Logger;
  onError: (part: string) => (error: Error) => void;
}

const PAYMENT_ID = /^(pi|ch|py)_/;

/** Of five sessions three at most are on loan for replays, so that a live payment finds one. */
const underWayMax = (sessionsMax: number): number => Math.max(1, Math.floor((sessionsMax * 3) / 4));

/** The worker's part of replays: its queue, and the watch that needs none. */
export function startReplays(options: StartReplaysOptions): { stop(deadlineMs: number): Promise<void> } {
  const { database, logger, records } = options;
  const findings = createFindings(database);
  const replays = createReplays({
    ...options,
    retrieveEvent: (eventId) => options.stripe.retrieveEvent(eventId),
    findingEvent: async (findingId) => {
      const finding = await findings.find(findingId);
      if (finding === undefined) return undefined;
      const { objectId, replay } = finding;
      return replay === null ? null : { ...replay, objectId };
    },
    idsOf: async (objectId) => {
      for (const flow of records) {
        const [fact] = await flow.records.find(database.executor, objectId);
        if (fact !== undefined) return [fact.id, ...fact.relatedIds.filter((id) => PAYMENT_ID.test(id))];
      }
      return [objectId];
    },
    askLog: createAskLog(options.readLog),
    underWayMax: underWayMax(options.filemakerSessionsMax),
    closedBecause: async (scope) => {
      const closure = await options.closedBecause([scope]);
      return closure === undefined ? undefined : { code: closure.cause, message: closure.detail };
    },
    onEnded: (plan) => logger.info({ replay: plan }, 'replay.ended'),
    onError: options.onError('replays'),
  });
  const jobs = createJobWorker({
    queue: 'replays',
    redisUrl: options.redisUrl,
    prefix: options.prefix,
    // One piece of work at a time: large replays share the budget of one.
    concurrency: 1,
    onError: options.onError('replays'),
    handle: ({ planId }) => replays.turn(planId),
  });
  return {
    stop: async (deadlineMs) => {
      await Promise.all([replays.stop(), jobs.stop(deadlineMs)]);
    },
  };
}
