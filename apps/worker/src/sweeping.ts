import type { WorkerRegistration } from '@bridge/claims';
import type { EffectEngine, EffectStore } from '@bridge/effects';
import type { Road } from '@bridge/flow';
import type { Inbox } from '@bridge/inbox';
import { effectJob, eventJob, type Producer, type SweepCounts, type SweepSource, sweepOnce } from '@bridge/jobs';
import { type Repeating, repeat } from './repeat';

const SWEEP_EVERY_MS = 1_000;

export interface SweepingOptions {
  inbox: Inbox;
  effects: EffectStore;
  road: Road;
  engine: EffectEngine;
  producer: Producer;
  registration: WorkerRegistration;
  prefix: string;
  /** In MODE=observe effects get no jobs. */
  performs: boolean;
  onSwept: (counts: SweepCounts) => void;
  onError: (error: Error) => void;
}

/** The inbox and the effects as the sweep sees them. */
function sources({ inbox, effects, registration, performs }: SweepingOptions): SweepSource[] {
  const events: SweepSource<{ id: string; eventId: string; run: number; queued: boolean }> = {
    queue: 'stripe-events',
    recoverDead: () => inbox.recoverDead(registration.id, { silentToo: registration.mayJudge() }),
    due: (limit, lookedAtMs) => inbox.due(limit, lookedAtMs),
    markQueued: (ids) => inbox.markQueued(ids),
    replan: (ids) => inbox.replan(ids),
    forgetQueued: () => inbox.forgetQueued(),
    job: (row) => eventJob(row),
  };
  const scripts: SweepSource = {
    queue: 'filemaker-effects',
    recoverDead: async () => {
      const { unknown, freed } = await effects.recoverDead(registration.id, { silentToo: registration.mayJudge() });
      return unknown + freed;
    },
    due: (limit, lookedAtMs) => effects.due(limit, lookedAtMs),
    markQueued: (ids) => effects.markQueued(ids),
    replan: (ids) => effects.replan(ids),
    forgetQueued: () => effects.forgetQueued(),
    job: (row) => effectJob(row),
  };
  return performs ? [events as SweepSource, scripts] : [events as SweepSource];
}

/**
 * Every second: each process frees what it holds by mark but not in hand, and the one that has the duty makes the queue
 * agree with PostgreSQL. On a process timer, so that a lost Redis cannot stop it.
 */
export function startSweeping(options: SweepingOptions): Repeating {
  const swept = sources(options);
  return repeat(
    async () => {
      await options.effects.recoverLost(options.registration.id, () => options.engine.inHand());
      await options.inbox.recoverLost(options.registration.id, () => options.road.inHand());
      if (!(await options.registration.takeDuty('sweep'))) return;
      options.onSwept(await sweepOnce(options.producer, `${options.prefix}:marker`, swept));
    },
    SWEEP_EVERY_MS,
    options.onError,
  );
}
