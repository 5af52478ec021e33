import { changed, type Database, type Executor, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { readReplaysInHand } from '../tables/read-replay-tables';
import { date, json } from './replay-sql';

// Rows of operations.replay_plans: what a person asked for, and how far it has come.

/**
 * The rows of a replay. Its plan goes wanted -> planning -> ready -> sending -> finished, and from ready to cancelled; a
 * fault that another try would meet again makes it failed, from where a person resumes it.
 */
export type ReplayState = 'wanted' | 'planning' | 'ready' | 'sending' | 'finished' | 'failed' | 'cancelled';

/** What a person asked to be replayed; kept as it was typed. */
const replayArgs = z.object({
  /** Ids at Stripe, invoice numbers, `finding:12`. */
  words: z.array(z.string()),
  invoice: z.string().optional(),
  override: z.boolean().optional(),
  /** With `--why`: what our records hold may be corrected. */
  reasoned: z.boolean().optional(),
  /** FileMaker was put right by hand: only our records follow. */
  byHand: z.boolean().optional(),
  /** ISO 8601; both or neither. The moment the money succeeded. */
  since: z.string().optional(),
  until: z.string().optional(),
});
/** What a person asked for, as it is kept with the plan. */
export type ReplayArgs = z.output<typeof replayArgs>;

/** A person's replay, from the wish to its end. */
export interface ReplayPlan {
  id: string;
  state: ReplayState;
  askedBy: string;
  why: string;
  args: ReplayArgs;
  cursor: unknown;
  collected: boolean;
  sentBy: string | null;
  sendWhy: string | null;
  askedAt: Date;
  readyAt: Date | null;
  sentAt: Date | null;
  finishedAt: Date | null;
  reasonCode: string | null;
  reason: string | null;
}

interface PlanRow {
  id: string;
  state: ReplayState;
  asked_by: string;
  why: string;
  args: unknown;
  cursor: unknown;
  collected: boolean;
  sent_by: string | null;
  send_why: string | null;
  asked_at: string;
  ready_at: string | null;
  sent_at: string | null;
  finished_at: string | null;
  reason_code: string | null;
  reason: string | null;
}

const planColumns = sql`id, state, asked_by, why, args, cursor, collected, sent_by, send_why, asked_at, ready_at, sent_at, finished_at,
  reason_code, reason`;

export const readReplayArgs = (args: unknown): ReplayArgs => replayArgs.parse(args);

const planOf = (row: PlanRow): ReplayPlan => ({
  id: row.id,
  state: row.state,
  askedBy: row.asked_by,
  why: row.why,
  args: readReplayArgs(row.args),
  cursor: row.cursor ?? undefined,
  collected: row.collected,
  sentBy: row.sent_by,
  sendWhy: row.send_why,
  askedAt: new Date(row.asked_at),
  readyAt: date(row.ready_at),
  sentAt: date(row.sent_at),
  finishedAt: date(row.finished_at),
  reasonCode: row.reason_code,
  reason: row.reason,
});

export async function insertReplayPlan(
  tx: Executor,
  plan: { askedBy: string; why: string; args: ReplayArgs },
): Promise<string> {
  const row = await oneRow<{ id: string }>(
    tx,
    sql`insert into operations.replay_plans (state, asked_by, why, args)
        values ('wanted', ${plan.askedBy}, ${plan.why}, ${json(plan.args)}) returning id`,
  );
  if (row === undefined) throw new Error('PostgreSQL gave no id for the replay');
  return row.id;
}

/** By its number; undefined: there is none, or it is no number. */
export async function findReplayPlan(executor: Executor, id: string): Promise<ReplayPlan | undefined> {
  if (!/^\d{1,18}$/.test(id)) return undefined;
  const row = await oneRow<PlanRow>(executor, sql`select ${planColumns} from operations.replay_plans where id = ${id}`);
  return row === undefined ? undefined : planOf(row);
}

/** Until the transaction ends, nobody else changes the plan. */
export async function lockReplayPlan(tx: Executor, id: string): Promise<ReplayPlan | undefined> {
  if (!/^\d{1,18}$/.test(id)) return undefined;
  const row = await oneRow<PlanRow>(
    tx,
    sql`select ${planColumns} from operations.replay_plans where id = ${id} for update`,
  );
  return row === undefined ? undefined : planOf(row);
}

/** The duty of the worker that has a plan in hand. */
export const replayDuty = (planId: string): string => `replay:${planId}`;

/** Plans that no living worker has in hand or has touched for `untouchedMs`; each with the run of its next job. */
export async function takeUntouchedReplays(
  database: Database,
  untouchedMs: number,
): Promise<{ id: string; run: number }[]> {
  // One that is taken up in between gets a job too many, which finds it in hand and ends.
  const inHand = await readReplaysInHand(database.executor);
  return rows<{ id: string; run: number }>(
    database.executor,
    sql`update operations.replay_plans p set run = run + 1, touched_at = clock_timestamp()
        where state in ('wanted', 'planning', 'sending')
          and (touched_at is null or touched_at < clock_timestamp() - make_interval(secs => ${untouchedMs / 1000}::float8))
          and not ('replay:' || p.id = any(${sql.param(inHand)}::text[]))
        returning id, run`,
  );
}

/** It goes on: whoever watches sees that a worker is at it. */
export async function touchReplay(executor: Executor, id: string): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_plans set touched_at = clock_timestamp(), reason_code = null, reason = null
        where id = ${id} and state in ('wanted', 'planning', 'sending')`,
  );
}

/** Why it does not go on just now. */
export async function noteReplayWait(executor: Executor, id: string, code: string, reason: string): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_plans set touched_at = clock_timestamp(), reason_code = ${code}, reason = ${reason}
        where id = ${id} and state in ('wanted', 'planning', 'sending')`,
  );
}

/** All payments that the plan is about are its items now. */
export async function markCollected(executor: Executor, planId: string): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_plans set collected = true, state = 'planning', touched_at = clock_timestamp()
        where id = ${planId} and state in ('wanted', 'planning')`,
  );
}

/** Planning is over when everything is collected and looked at. */
export async function markReady(executor: Executor, planId: string): Promise<boolean> {
  return (
    (await changed(
      executor,
      sql`update operations.replay_plans p set state = 'ready', ready_at = clock_timestamp(), touched_at = null, reason_code = null, reason = null
          where id = ${planId} and state in ('wanted', 'planning') and collected
            and not exists (select 1 from operations.replay_items i where i.plan_id = p.id and i.looked_at is null)`,
    )) === 1
  );
}

/** The plan stops with a reason; `resumeReplay` goes on with it. A plan that is over stays as it is. */
export async function failReplay(executor: Executor, planId: string, code: string, reason: string): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_plans set state = 'failed', finished_at = clock_timestamp(), reason_code = ${code}, reason = ${reason}
        where id = ${planId} and state in ('wanted', 'planning', 'sending')`,
  );
}

/** True: every item that is acted on has its outcome, and the plan is at its end. */
export async function finishReplay(executor: Executor, planId: string): Promise<boolean> {
  return (
    (await changed(
      executor,
      sql`update operations.replay_plans p set state = 'finished', finished_at = clock_timestamp(), reason_code = null, reason = null
          where id = ${planId} and state = 'sending'
            and not exists (select 1 from operations.replay_items i where i.plan_id = p.id and i.acts is not null and i.settled_at is null)`,
    )) === 1
  );
}

/** Moves a plan by a person's word, if it stands as it must for that. */
export async function moveReplay(
  tx: Executor,
  planId: string,
  move: { kind: 'send'; by: string; why: string } | { kind: 'cancel' } | { kind: 'resume' },
): Promise<void> {
  if (move.kind === 'send') {
    await changed(
      tx,
      sql`update operations.replay_plans set state = 'sending', sent_by = ${move.by}, send_why = ${move.why}, sent_at = clock_timestamp(), touched_at = null
          where id = ${planId} and state = 'ready'`,
    );
  } else if (move.kind === 'cancel') {
    await changed(
      tx,
      sql`update operations.replay_plans set state = 'cancelled', finished_at = clock_timestamp()
          where id = ${planId} and (state in ('wanted', 'planning', 'ready', 'failed') or (state = 'sending'
            and not exists (select 1 from operations.replay_items i where i.plan_id = ${planId}::bigint and i.sent_at is not null)))`,
    );
  } else {
    await changed(
      tx,
      sql`update operations.replay_plans set state = case when sent_at is not null then 'sending' when cursor is not null or collected then 'planning' else 'wanted' end,
            finished_at = null, reason_code = null, reason = null, touched_at = null
          where id = ${planId} and state = 'failed'`,
    );
  }
}
