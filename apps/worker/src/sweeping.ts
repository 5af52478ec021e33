import type { WorkerRegistration } from '@bridge/claims';
import type { EffectEngine, EffectStore } from '@bridge/effects';
import type { Road } from '@bridge/flow';
import type { Inbox } from '@bridge/inbox';
import { effectJob, eventJob, type Producer, type SweepCounts, type SweepSource, sweepOnce } from '@bridge/jobs';
import { type Repeating, repeat, settledWithin } from './repeat';

const SWEEP_EVERY_MS = 1_000;
const DUTY = 'sweep';
/** After a round that failed: others look once a second too, and one of them must find the duty free. */
const SIT_OUT_ROUNDS = 2;
/** PostgreSQL may be away; the end of the process lays the duty down too. */
const LAY_DOWN_MS = 2_000;

export interface SweepingOptions {
  inbox: Inbox;
  effects: EffectStore;
  road: Pick<Road, 'inHand'>;
  engine: Pick<EffectEngine, 'inHand'>;
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
 * agree with PostgreSQL. On a process timer, so that a lost Redis cannot stop it. A round that fails lays the duty down:
 * whoever cannot reach the queue must not keep the sweep from a process that can.
 */
export function startSweeping(options: SweepingOptions): Repeating {
  const swept = sources(options);
  const { effects, inbox, registration, onError } = options;
  let roundsToSitOut = 0;
  const sweeping = repeat(
    async () => {
      await effects.recoverLost(registration.id, () => options.engine.inHand());
      await inbox.recoverLost(registration.id, () => options.road.inHand());
      if (roundsToSitOut > 0) {
        roundsToSitOut -= 1;
        return;
      }
      if (!(await registration.takeDuty(DUTY))) return;
      try {
        options.onSwept(await sweepOnce(options.producer, `${options.prefix}:marker`, swept));
      } catch (error) {
        roundsToSitOut = SIT_OUT_ROUNDS;
        await registration.dropDuty(DUTY).catch(onError);
        throw error;
      }
    },
    SWEEP_EVERY_MS,
    onError,
  );
  return {
    stop: async () => {
      await sweeping.stop();
      // A script in hand may keep this process alive for a minute and more.
      await settledWithin(registration.dropDuty(DUTY).catch(onError), LAY_DOWN_MS);
    },
  };
}
