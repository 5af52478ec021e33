import { changed, type Database, type Executor, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';

/**
 * A run is one pass over one window.
 *
 *   wanted ── claim ──► running ── finish ──► finished
 *     ▲                    │ └── fail ──────► failed
 *     └── release ─────────┘
 *     wanted ── supersede ──────────────────► superseded
 *
 * A run whose worker died is claimed again and goes on from its cursor. `wanted` with a cursor waits for a peer.
 */
export type RunState = 'wanted' | 'running' | 'finished' | 'failed' | 'superseded';
/** act: what was missed is brought back. dry-run: findings are stored, and nothing follows of them. */
export type RunMode = 'act' | 'dry-run';
/** All of them, for arguments of commands. */
export const RUN_STATES = ['wanted', 'running', 'finished', 'failed', 'superseded'] as const satisfies RunState[];

/** A run as it is stored. Counts are of objects at Stripe unless they say otherwise; times are PostgreSQL's. */
export interface Run {
  id: string;
  flow: string;
  pass: string;
  /** `schedule`, or a person: `cli:ada`. */
  askedBy: string;
  mode: RunMode;
  since: Date;
  /** Not included. */
  until: Date;
  state: RunState;
  /** How far the window is through, 0 to 1. */
  share: number;
  /** Objects that the source named so far. */
  listed: number;
  /** Of those, the ones that were compared; the rest was too young or an event about it was in hand. */
  checked: number;
  /** Of those compared, the ones that FileMaker could not be asked about. */
  unasked: number;
  pages: number;
  /** Findings seen, new ones and known ones. */
  found: number;
  /** Of those, the new ones. */
  opened: number;
  /** Open findings that were not found again. */
  fixed: number;
  /** Events recorded for what was missed. */
  acted: number;
  stripeCalls: number;
  filemakerFinds: number;
  reasonCode: string | null;
  reason: string | null;
  wantedAt: Date;
  beganAt: Date | null;
  movedAt: Date | null;
  endedAt: Date | null;
}

/** A run in hand. Only the holder of the latest claim number can move or end it. */
export interface ClaimedRun extends Run {
  cursor: unknown;
  /** Failures of ours in a row. */
  failures: number;
  worker: string;
  claimNo: string;
}

/** What came of asking for a run; `dueInMs`: when a new try can help, where that is known. */
export type RunClaim =
  | { kind: 'claimed'; run: ClaimedRun }
  | {
      kind: 'nothing';
      because: 'ended' | 'in hand' | 'another run of this pass' | 'not due' | 'unknown id';
      dueInMs?: number;
    };

/** Another process has taken the run meanwhile; what this one did in the same transaction must be undone. */
export class RunClaimLostError extends Error {
  readonly code = 'RUN_CLAIM_LOST';
  constructor(id: string) {
    super(`Run ${id} was claimed by another worker meanwhile`);
    this.name = 'RunClaimLostError';
  }
}

/** A run that a person asks for; the window is one of births at Stripe. */
export interface WantedRun {
  flow: string;
  pass: string;
  askedBy: string;
  mode: RunMode;
  since: Date;
  until: Date;
}

/**
 * The life of runs. What a holder does throws or does nothing once another process has claimed the run; all methods reject with
 * the database's errors besides.
 */
export interface Runs {
  /** A person's run. Waits for its turn when the pass is at work. */
  want(run: WantedRun, within?: Executor): Promise<Run>;
  /**
   * The run that the clock asks for: from the last one that finished, less the look-back, up to `leaveMs` ago by
   * PostgreSQL's clock, so that time in which nothing ran is made up. One that is unfinished is told instead.
   */
  wantScheduled(pass: { flow: string; pass: string; lookBackMs: number; leaveMs: number }): Promise<{
    run: Run;
    created: boolean;
  }>;
  /** Takes a run in hand, on the heartbeat of `worker` (an id of `claims.workers`): at most one of a pass at a time. */
  claim(id: string, worker: string): Promise<RunClaim>;
  /** Puts it back, with its place, until later. `failed`: an error of ours, counted. */
  release(run: Held, options: { afterMs: number; reasonCode: string; reason: string; failed?: boolean }): Promise<void>;
  /** The whole window was looked at: the next one begins at its end. Throws RunClaimLostError. */
  finish(run: Held): Promise<void>;
  /** It was not: the next one begins where the last finished one ended. Throws RunClaimLostError. */
  fail(run: Held, reasonCode: string, reason: string): Promise<void>;
  /** A run that nobody has in hand will not be done. False: it is in hand or ended. */
  supersede(id: string, reasonCode: string, reason: string): Promise<boolean>;
  /** Runs that are due and have had no job for a while; each gets a new job number. */
  takeJobless(limit: number): Promise<{ id: string; jobRun: number }[]>;
  /** Undefined: there is none, or `id` is no number. */
  find(id: string): Promise<Run | undefined>;
  /** The newest first; `limit`: rows. */
  list(filter: { flow?: string; state?: RunState; limit: number }): Promise<Run[]>;
  /** When the clock's last finished run of each pass reached its end, and when any of its runs began last. */
  lastOf(flow: string, pass: string): Promise<{ finishedUntil: Date | null; wantedAt: Date | null }>;
}

/** What proves that a run is still in a process's hand. */
export type Held = Pick<ClaimedRun, 'id' | 'worker' | 'claimNo'>;

interface RunRow {
  id: string;
  flow: string;
  pass: string;
  asked_by: string;
  mode: RunMode;
  since: string;
  until: string;
  state: RunState;
  share: number;
  listed: string;
  checked: string;
  unasked: string;
  pages: number;
  found: number;
  opened: number;
  fixed: number;
  acted: number;
  stripe_calls: string;
  filemaker_finds: string;
  reason_code: string | null;
  reason: string | null;
  wanted_at: string;
  began_at: string | null;
  moved_at: string | null;
  ended_at: string | null;
}

const columns = sql`id, flow, pass, asked_by, mode, since, until, state, share::float8 as share, listed, checked, unasked, pages,
  found, opened, fixed, acted, stripe_calls, filemaker_finds, reason_code, reason, wanted_at, began_at, moved_at, ended_at`;
const date = (text: string | null): Date | null => (text === null ? null : new Date(text));
const seconds = (ms: number) => sql`make_interval(secs => ${ms / 1000}::float8)`;

/** Between two jobs for one run: the first may still be waiting in the queue. */
const JOB_AGAIN_MS = 15_000;
/** Runs by the clock that found nothing are kept so long; the last one of each pass for good, since the next begins there. */
const KEEP_EMPTY_DAYS = 14;

function runOf(row: RunRow): Run {
  return {
    id: row.id,
    flow: row.flow,
    pass: row.pass,
    askedBy: row.asked_by,
    mode: row.mode,
    since: new Date(row.since),
    until: new Date(row.until),
    state: row.state,
    share: row.share,
    listed: Number(row.listed),
    checked: Number(row.checked),
    unasked: Number(row.unasked),
    pages: row.pages,
    found: row.found,
    opened: row.opened,
    fixed: row.fixed,
    acted: row.acted,
    stripeCalls: Number(row.stripe_calls),
    filemakerFinds: Number(row.filemaker_finds),
    reasonCode: row.reason_code,
    reason: row.reason,
    wantedAt: new Date(row.wanted_at),
    beganAt: date(row.began_at),
    movedAt: date(row.moved_at),
    endedAt: date(row.ended_at),
  };
}

/** Still ours: nobody has claimed it since. */
export const heldRun = ({ id, worker, claimNo }: Held) =>
  sql`id = ${id} and state = 'running' and claimed_by = ${worker} and claim_no = ${claimNo}`;

const isUniqueViolation = (error: unknown): boolean => {
  for (let cause = error; typeof cause === 'object' && cause !== null; cause = Reflect.get(cause, 'cause'))
    if (Reflect.get(cause, 'code') === '23505') return true;
  return false;
};

/** Runs over the tables of this package. */
export function createRuns(database: Database): Runs {
  const { executor } = database;

  async function whyNotClaimed(id: string): Promise<RunClaim> {
    const row = await oneRow<{ state: RunState; due_in_ms: number; held: boolean }>(
      executor,
      sql`select state, (extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as due_in_ms,
            claimed_by is not null as held from reconciliation.runs where id = ${id}`,
    );
    if (row === undefined) return { kind: 'nothing', because: 'unknown id' };
    if (row.state === 'running') return { kind: 'nothing', because: 'in hand' };
    if (row.state !== 'wanted') return { kind: 'nothing', because: 'ended' };
    if (row.due_in_ms > 0) return { kind: 'nothing', because: 'not due', dueInMs: row.due_in_ms };
    return { kind: 'nothing', because: 'another run of this pass' };
  }

  async function claimRow(id: string, worker: string) {
    try {
      return await oneRow<RunRow & { cursor: unknown; failures: number; claim_no: string }>(
        executor,
        sql`update reconciliation.runs r set state = 'running', claimed_by = ${worker}, claim_no = nextval('claims.claim_no'),
              began_at = coalesce(began_at, clock_timestamp()), moved_at = clock_timestamp(), queued_at = null,
              reason_code = null, reason = null
            where id = ${id} and due_at <= clock_timestamp()
              and (state = 'wanted' or (state = 'running' and not claims.is_alive(claimed_by)))
              and not exists (select 1 from reconciliation.runs o
                where o.flow = r.flow and o.pass = r.pass and o.id <> r.id and o.state = 'running')
            returning ${columns}, cursor, failures, claim_no`,
      );
    } catch (error) {
      // Two runs of one pass at the same instant: the index lets one of them through.
      if (isUniqueViolation(error)) return undefined;
      throw error;
    }
  }

  const unfinishedScheduled = (within: Executor, flow: string, pass: string): Promise<RunRow | undefined> =>
    oneRow<RunRow>(
      within,
      sql`select ${columns} from reconciliation.runs
          where flow = ${flow} and pass = ${pass} and asked_by = 'schedule' and state in ('wanted', 'running')`,
    );

  async function end(held: Held, state: RunState, reasonCode: string | null, reason: string | null): Promise<void> {
    const count = await changed(
      executor,
      sql`update reconciliation.runs set state = ${state}, claimed_by = null, ended_at = clock_timestamp(),
            share = case when ${state} = 'finished' then 1 else share end, reason_code = ${reasonCode}, reason = ${reason}
          where ${heldRun(held)}`,
    );
    if (count !== 1) throw new RunClaimLostError(held.id);
  }

  return {
    want: async (wanted, within) => {
      const row = await oneRow<RunRow>(
        within ?? executor,
        sql`insert into reconciliation.runs (flow, pass, asked_by, mode, since, until)
            values (${wanted.flow}, ${wanted.pass}, ${wanted.askedBy}, ${wanted.mode},
              ${wanted.since.toISOString()}::timestamptz, ${wanted.until.toISOString()}::timestamptz)
            returning ${columns}`,
      );
      if (row === undefined) throw new Error('PostgreSQL did not return the run that was inserted');
      return runOf(row);
    },

    wantScheduled: async ({ flow, pass, lookBackMs, leaveMs }) => {
      // Whole seconds, as Stripe counts them.
      const inserted = await oneRow<RunRow>(
        executor,
        sql`insert into reconciliation.runs (flow, pass, asked_by, mode, since, until)
            select ${flow}, ${pass}, 'schedule', 'act', least(n.until, l.until) - ${seconds(lookBackMs)}, n.until
            from (select date_trunc('second', clock_timestamp() - ${seconds(leaveMs)}) as until) n
            left join lateral (select until from reconciliation.runs
              where flow = ${flow} and pass = ${pass} and state = 'finished' and asked_by = 'schedule' and mode = 'act'
              order by until desc limit 1) l on true
            on conflict do nothing returning ${columns}`,
      );
      if (inserted !== undefined) return { run: runOf(inserted), created: true };
      const unfinished = await unfinishedScheduled(executor, flow, pass);
      // It ended between the two statements: the clock comes again.
      if (unfinished === undefined) throw new Error(`The run of ${flow} ${pass} ended while it was looked for`);
      return { run: runOf(unfinished), created: false };
    },

    claim: async (id, worker) => {
      const row = await claimRow(id, worker);
      if (row === undefined) return whyNotClaimed(id);
      const { cursor, failures, claim_no } = row;
      return {
        kind: 'claimed',
        run: { ...runOf(row), cursor: cursor ?? undefined, failures, worker, claimNo: claim_no },
      };
    },

    release: async (held, { afterMs, reasonCode, reason, failed }) => {
      await changed(
        executor,
        sql`update reconciliation.runs set state = 'wanted', claimed_by = null, due_at = clock_timestamp() + ${seconds(afterMs)},
              queued_at = null, reason_code = ${reasonCode}, reason = ${reason}, failures = failures + ${failed === true ? 1 : 0}
            where ${heldRun(held)}`,
      );
    },

    finish: async (held) => {
      await end(held, 'finished', null, null);
      await changed(
        executor,
        sql`delete from reconciliation.runs r
            where state = 'finished' and asked_by = 'schedule' and found = 0 and fixed = 0
              and ended_at < clock_timestamp() - make_interval(days => ${KEEP_EMPTY_DAYS})
              and exists (select 1 from reconciliation.runs o
                where o.flow = r.flow and o.pass = r.pass and o.asked_by = 'schedule' and o.state = 'finished' and o.id > r.id)`,
      );
    },

    fail: (held, reasonCode, reason) => end(held, 'failed', reasonCode, reason),

    supersede: async (id, reasonCode, reason) =>
      (await changed(
        executor,
        sql`update reconciliation.runs set state = 'superseded', ended_at = clock_timestamp(), claimed_by = null,
              reason_code = ${reasonCode}, reason = ${reason}
            where id = ${id} and (state = 'wanted' or (state = 'running' and not claims.is_alive(claimed_by)))`,
      )) === 1,

    takeJobless: async (limit) => {
      const found = await rows<{ id: string; job_run: number }>(
        executor,
        sql`update reconciliation.runs set job_run = job_run + 1, queued_at = clock_timestamp()
            where id in (select id from reconciliation.runs
              where state in ('wanted', 'running') and due_at <= clock_timestamp()
                and (state = 'wanted' or not claims.is_alive(claimed_by))
                and (queued_at is null or queued_at < clock_timestamp() - ${seconds(JOB_AGAIN_MS)})
              order by id limit ${limit} for update skip locked)
            returning id, job_run`,
      );
      return found.map((row) => ({ id: row.id, jobRun: row.job_run }));
    },

    find: async (id) => {
      if (!/^\d{1,18}$/.test(id)) return undefined;
      const row = await oneRow<RunRow>(executor, sql`select ${columns} from reconciliation.runs where id = ${id}`);
      return row === undefined ? undefined : runOf(row);
    },

    list: async ({ flow, state, limit }) => {
      const found = await rows<RunRow>(
        executor,
        sql`select ${columns} from reconciliation.runs
            where (${flow ?? null}::text is null or flow = ${flow ?? null})
              and (${state ?? null}::text is null or state = ${state ?? null}) order by id desc limit ${limit}`,
      );
      return found.map(runOf);
    },

    lastOf: async (flow, pass) => {
      const row = await oneRow<{ finished_until: string | null; wanted_at: string | null }>(
        executor,
        sql`select max(until) filter (where state = 'finished' and mode = 'act') as finished_until, max(wanted_at) as wanted_at
            from reconciliation.runs where flow = ${flow} and pass = ${pass} and asked_by = 'schedule'`,
      );
      return { finishedUntil: date(row?.finished_until ?? null), wantedAt: date(row?.wanted_at ?? null) };
    },
  };
}
