import type { WorkerRegistration } from '@bridge/claims';
import type { Database } from '@bridge/database';
import type { PeerFailure } from '@bridge/flow';
import { type JobEnding, type NewJob, replayJob } from '@bridge/jobs';
import {
  eraseReplayBodies,
  failReplay,
  findReplayPlan,
  markReady,
  noteReplayWait,
  REPLAY_PLAN_HOURS,
  type ReplayPlan,
  replayDuty,
  takeUntouchedReplays,
  touchReplay,
} from '@bridge/operations';
import { type Repeating, repeat } from '../repeat';
import { type CollectOptions, collectPayments } from './collect-payments';
import { type LookOptions, lookAtPayments, PeerAwayError } from './look-at-payments';
import { type SendOptions, sendPayments } from './send-payments';

export interface ReplaysOptions
  extends Omit<CollectOptions, 'hasTime' | 'inbox'>,
    Omit<LookOptions, 'hasTime' | 'failures' | 'stripeIsOpen'>,
    Omit<SendOptions, 'enqueue'> {
  database: Database;
  registration: Pick<WorkerRegistration, 'takeDuty' | 'dropDuty'>;
  /** Why nothing can be asked or sent now; undefined: it can. */
  closedBecause(scope: 'stripe' | 'filemaker'): Promise<{ code: string; message: string } | undefined>;
  judgeFailure(error: unknown, about: string): Promise<PeerFailure | undefined>;
  enqueue(jobs: readonly NewJob[]): Promise<void>;
  onEnded(plan: { id: string; state: 'ready' | 'finished' | 'failed' }): void;
  onError: (error: Error) => void;
  /** How long a turn keeps a plan in hand; default 3,000. */
  turnMs?: number;
}

export interface Replays {
  /** A piece of work on one plan: a few seconds, then the next job. */
  turn(planId: string): Promise<JobEnding>;
  stop(): Promise<void>;
}

/** A turn gives way after so long, so that a stop never waits for a large plan. */
const TURN_MS = 3_000;
/** Between two looks at what is under way. */
const SEND_AGAIN_MS = 50;
const CLOSED_AGAIN_MS = 1_000;
const WATCH_MS = 1_000;
/** No wait takes longer; a plan that nobody has in hand or has touched for so long has lost its job or its worker. */
const UNTOUCHED_MS = 6_000;
const WAIT_MS_MAX = 4_000;
const ERASE_EVERY_MS = 60_000;
/** Errors of ours in a row, a second apart: then a person looks. */
const FAULTS_MAX = 60;

/**
 * Works on replays. All that is to be done stands in PostgreSQL: a plan that is wanted or has lost its worker or its job is
 * found by the watch, whatever has become of the queue.
 */
export function createReplays(options: ReplaysOptions): Replays {
  const { database, registration } = options;
  const { executor } = database;

  const faults = new Map<string, number>();
  const failures = new Map<string, number>();
  const stripeIsOpen = async (): Promise<boolean> => (await options.closedBecause('stripe')) === undefined;

  async function work(plan: ReplayPlan): Promise<JobEnding> {
    const began = performance.now();
    const hasTime = (): boolean => performance.now() - began < (options.turnMs ?? TURN_MS);
    if (plan.state === 'sending') return send(plan, hasTime);
    if (await isHeldBack(plan, 'stripe')) return { kind: 'later', afterMs: CLOSED_AGAIN_MS };
    await touchReplay(executor, plan.id);
    const collected = plan.collected || (await collectPayments(plan, { ...options, hasTime }));
    if (!collected || !(await lookAtPayments(plan, { ...options, hasTime, failures, stripeIsOpen })))
      return { kind: 'later', afterMs: 1 };
    if (await markReady(executor, plan.id)) options.onEnded({ id: plan.id, state: 'ready' });
    return { kind: 'finished' };
  }

  async function send(plan: ReplayPlan, hasTime: () => boolean): Promise<JobEnding> {
    await touchReplay(executor, plan.id);
    for (;;) {
      const booksOnly = await isHeldBack(plan, 'filemaker');
      if (await sendPayments(plan, { ...options, booksOnly })) break;
      if (booksOnly) return { kind: 'later', afterMs: CLOSED_AGAIN_MS };
      if (!hasTime()) return { kind: 'later', afterMs: SEND_AGAIN_MS };
      await new Promise((resolve) => setTimeout(resolve, SEND_AGAIN_MS));
    }
    options.onEnded({ id: plan.id, state: 'finished' });
    return { kind: 'finished' };
  }

  async function isHeldBack(plan: ReplayPlan, peer: 'stripe' | 'filemaker'): Promise<boolean> {
    const closed = await options.closedBecause(peer);
    if (closed !== undefined) await noteReplayWait(executor, plan.id, closed.code, closed.message);
    return closed !== undefined;
  }

  async function judged(plan: ReplayPlan, error: unknown): Promise<JobEnding> {
    const failure =
      error instanceof PeerAwayError ? error.wait : await options.judgeFailure(error, `replay-${plan.id}`);
    if (failure === undefined) {
      const count = (faults.get(plan.id) ?? 0) + 1;
      faults.set(plan.id, count);
      if (count < FAULTS_MAX) throw error;
      faults.delete(plan.id);
      await failReplay(executor, plan.id, 'REPLAY_FAULT', error instanceof Error ? error.name : 'unknown error');
      options.onEnded({ id: plan.id, state: 'failed' });
      return { kind: 'failed', reason: 'REPLAY_FAULT' };
    }
    if (failure.kind === 'wait') {
      await noteReplayWait(executor, plan.id, failure.code, failure.message);
      return { kind: 'later', afterMs: Math.min(WAIT_MS_MAX, Math.max(SEND_AGAIN_MS, failure.afterMs)) };
    }
    await failReplay(executor, plan.id, failure.code, failure.message);
    options.onEnded({ id: plan.id, state: 'failed' });
    return { kind: 'failed', reason: `${failure.code}: ${failure.message}` };
  }

  async function turn(planId: string): Promise<JobEnding> {
    const duty = replayDuty(planId);
    if (!(await registration.takeDuty(duty))) return { kind: 'finished' };
    try {
      const plan = await findReplayPlan(executor, planId);
      if (plan === undefined || !UNFINISHED.has(plan.state)) return { kind: 'finished' };
      const ending = await work(plan).catch((error: unknown) => judged(plan, error));
      faults.delete(planId);
      return ending;
    } finally {
      await registration.dropDuty(duty);
    }
  }

  let erasedAt = Number.NEGATIVE_INFINITY;
  const watching: Repeating = repeat(
    async () => {
      const untouched = await takeUntouchedReplays(database, UNTOUCHED_MS);
      if (untouched.length > 0) await options.enqueue(untouched.map((plan) => replayJob(plan)));
      if (performance.now() - erasedAt < ERASE_EVERY_MS) return;
      erasedAt = performance.now();
      await eraseReplayBodies(executor, REPLAY_PLAN_HOURS * 3_600_000);
    },
    WATCH_MS,
    options.onError,
  );

  return { turn, stop: () => watching.stop() };
}

const UNFINISHED: ReadonlySet<ReplayPlan['state']> = new Set(['wanted', 'planning', 'sending']);
