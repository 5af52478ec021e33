import type { Database } from '@bridge/database';
import type { BoundFlow, BoundPass, PeerFailure } from '@bridge/flow';
import { FileMakerNotAskedError } from '@bridge/flows';
import type { Inbox } from '@bridge/inbox';
import type { JobData, JobEnding } from '@bridge/jobs';
import {
  type ClaimedRun,
  commitPage,
  listUnseenObjects,
  type Run,
  RunClaimLostError,
  type Runs,
} from '@bridge/reconciliation';
import { countingCalls, type RunCalls } from './run-calls';

/** The newest minute belongs to the webhooks, which are on their way. */
const LEAVE_TO_WEBHOOKS_MS = 60_000;
/** While Stripe is closed a run looks again so seldom. */
const AGAIN_MS = 5_000;
/** Stripe's allowance counts over thirty days: it frees itself by the day. */
const REST_MS = 3_600_000;
/** Between two looks at the allowance. */
const ALLOWANCE_PAGES = 50;
/** Failures of ours in a row, without a page in between, that end a run. */
const FAILURES_MAX = 5;
const FAILURE_STEP_MS = 2_000;

export interface ReconcileRunsOptions {
  database: Database;
  runs: Runs;
  inbox: Pick<Inbox, 'record' | 'unfinishedAmong'>;
  /** Bound with the peers of the recovery path. */
  flows: readonly BoundFlow[];
  worker: string;
  /** The moment from which on recovery acts. */
  recoverFrom(): Date;
  /** MODE=observe. */
  observing: boolean;
  closedBecause(): Promise<{ cause: string; detail: string; afterMs: number } | undefined>;
  judgeStripe(error: unknown, about: string): Promise<PeerFailure | undefined>;
  /** Why a run of the clock should rest now; undefined: Stripe's allowance has room. */
  restBecause(): Promise<string | undefined>;
  /** Jobs for inbox rows; failing is no harm, since the sweep makes up for it. */
  enqueueEvents(events: readonly { id: string; eventId: string }[]): Promise<void>;
  /** A run of the clock came to its end. */
  onScheduleSuccess(schedule: string): Promise<void>;
  onRun(told: { run: Run; ended: 'finished' | 'failed' | 'waits'; because?: string }): void;
}

/** The name of a pass's schedule, in metrics and in the queue. */
export const scheduleOf = (flow: string, pass: string): string => `reconcile-${flow}-${pass}`;

/** The process is asked to end: the run waits for another. */
class StoppingError extends Error {
  readonly code = 'WORKER_STOPS';
  constructor() {
    super('This worker is being stopped');
    this.name = 'StoppingError';
  }
}

/** A pass must not be at work now, and it is nobody's failure. */
class RunHeldBackError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly afterMs: number,
  ) {
    super(message);
    this.name = 'RunHeldBackError';
  }
}

export interface ReconcileRuns {
  /** A tick of the clock, or a run that a person wants or that was left by its worker. */
  handle(data: JobData<'reconciliations'>): Promise<JobEnding>;
  /** The clock's run of a pass, made and not yet begun; for what the clock has missed. */
  want(flow: string, pass: BoundPass): Promise<void>;
  /** Runs in hand end at their next page. */
  stop(): void;
}

/** Carries passes out, page by page: what a page found is stored before the next one is asked for. */
export function createReconcileRuns(options: ReconcileRunsOptions): ReconcileRuns {
  const { database, runs, inbox, worker } = options;
  let stopping = false;

  const passOf = (flow: string, pass: string): BoundPass | undefined =>
    options.flows.find(({ name }) => name === flow)?.passes.find(({ name }) => name === pass);

  async function checkBudget(run: ClaimedRun): Promise<void> {
    // A person who asks gets an answer; the clock comes again.
    if (run.askedBy !== 'schedule') return;
    const because = await options.restBecause();
    if (because !== undefined) throw new RunHeldBackError('STRIPE_ALLOWANCE', because, REST_MS);
  }

  async function checkGates(): Promise<void> {
    if (stopping) throw new StoppingError();
    const closed = await options.closedBecause();
    if (closed !== undefined)
      throw new RunHeldBackError(closed.cause, closed.detail, Math.max(AGAIN_MS, closed.afterMs));
  }

  async function walk(run: ClaimedRun, pass: BoundPass, calls: RunCalls): Promise<void> {
    await checkGates();
    await checkBudget(run);
    const pages = pass.run(
      { since: run.since, until: run.until },
      {
        executor: database.executor,
        cursor: run.cursor,
        recoverFrom: options.recoverFrom(),
        observing: options.observing,
        inHand: (objectIds) => inbox.unfinishedAmong(objectIds),
        // A person has said which time they mean.
        ...(run.askedBy === 'schedule'
          ? {
              openObjects: (limit: number) =>
                listUnseenObjects(database.executor, { flow: run.flow, run: run.id, limit }),
            }
          : {}),
      },
    );
    let walked = 0;
    for await (const page of pages) {
      const { stripeCalls, filemakerFinds } = calls;
      calls.stripeCalls = 0;
      calls.filemakerFinds = 0;
      const { recorded } = await commitPage(database, inbox, run, { ...page, stripeCalls, filemakerFinds });
      if (recorded.length > 0) await options.enqueueEvents(recorded);
      await checkGates();
      walked += 1;
      if (walked % ALLOWANCE_PAGES === 0) await checkBudget(run);
    }
  }

  /** What a failure means for a run. It always keeps its place. */
  async function afterFailure(run: ClaimedRun, error: unknown): Promise<string> {
    const wait = async (code: string, message: string, afterMs: number): Promise<string> => {
      await runs.release(run, { afterMs, reasonCode: code, reason: message });
      return code;
    };
    if (error instanceof StoppingError) return wait(error.code, error.message, 0);
    if (error instanceof RunHeldBackError || error instanceof FileMakerNotAskedError)
      return wait(error.code, error.message, Math.max(AGAIN_MS, error.afterMs));
    const failure = await options.judgeStripe(error, `reconcile-${run.flow}-${run.pass}`);
    if (failure?.kind === 'wait') return wait(failure.code, failure.message, Math.max(AGAIN_MS, failure.afterMs));
    if (failure?.kind === 'park') {
      await runs.fail(run, failure.code, failure.message);
      return failure.code;
    }
    const name = error instanceof Error ? error.name : 'unknown error';
    if (run.failures + 1 >= FAILURES_MAX) {
      await runs.fail(run, 'RECONCILE_FAILED', name);
      throw error;
    }
    const afterMs = FAILURE_STEP_MS * (run.failures + 1);
    await runs.release(run, { afterMs, reasonCode: 'RECONCILE_FAILED', reason: name, failed: true });
    throw error;
  }

  async function tell(run: ClaimedRun, because: string | undefined): Promise<JobEnding> {
    const now = (await runs.find(run.id)) ?? run;
    if (now.state === 'failed') {
      options.onRun({ run: now, ended: 'failed', ...(because === undefined ? {} : { because }) });
      return { kind: 'failed', reason: `${now.reasonCode}: ${now.reason}` };
    }
    if (now.state === 'finished') options.onRun({ run: now, ended: 'finished' });
    else options.onRun({ run: now, ended: 'waits', ...(because === undefined ? {} : { because }) });
    // What waits gets a job of its own when it is due.
    return { kind: 'finished' };
  }

  async function carryOut(id: string): Promise<JobEnding> {
    const claim = await runs.claim(id, worker);
    if (claim.kind === 'nothing') {
      if (claim.because === 'another run of this pass') return { kind: 'later', afterMs: AGAIN_MS };
      return { kind: 'finished' };
    }
    const { run } = claim;
    const pass = passOf(run.flow, run.pass);
    if (pass === undefined) {
      await runs.fail(run, 'PASS_NOT_HERE', `There is no flow ${run.flow} with a pass ${run.pass} that is on`);
      return tell(run, 'PASS_NOT_HERE');
    }
    const calls: RunCalls = { stripeCalls: 0, filemakerFinds: 0 };
    try {
      await countingCalls(calls, () => walk(run, pass, calls));
      await runs.finish(run);
      if (run.askedBy === 'schedule') await options.onScheduleSuccess(scheduleOf(run.flow, run.pass));
      return await tell(run, undefined);
    } catch (error) {
      if (error instanceof RunClaimLostError) return { kind: 'finished' };
      return tell(run, await afterFailure(run, error));
    }
  }

  const wantScheduled = (flow: string, pass: BoundPass) =>
    runs.wantScheduled({ flow, pass: pass.name, lookBackMs: pass.lookBackMs, leaveMs: LEAVE_TO_WEBHOOKS_MS });

  return {
    handle: async (data) => {
      if ('runId' in data) return carryOut(data.runId);
      const pass = passOf(data.flow, data.pass);
      // Switched off since: the scheduler removes its schedule.
      if (pass === undefined) return { kind: 'finished' };
      const { run } = await wantScheduled(data.flow, pass);
      return carryOut(run.id);
    },
    want: async (flow, pass) => void (await wantScheduled(flow, pass)),
    stop: () => {
      stopping = true;
    },
  };
}
