import { changed, type Database, oneRow, quickCommit, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import { isHead } from './lane-head';

/** An effect that needs a job; `run` is part of the job's id. */
export interface DueEffect {
  id: string;
  run: number;
  /** False: no job was ever seen for this run, so one can be added without asking the queue. */
  queued: boolean;
}

/** What the sweep asks and notes: effects whose worker is gone, and those that need a job. */
export interface EffectSweep {
  /**
   * Effects whose worker died: those that were sending become unknown, the others are free. Returns both counts.
   * Never the caller's own: after a stall of PostgreSQL its heartbeat is late too, and its answers are still to come.
   * `silentToo: false`: only those known to have ended, for a caller that may not judge by silence yet.
   */
  recoverDead(caller: string, judged?: { silentToo: boolean }): Promise<{ unknown: number; freed: number }>;
  /**
   * The same for rows that this living worker holds by its own mark but not in its hand: an answer of PostgreSQL that was
   * lost on the way back must not keep a row for ever. `inHand` lists every id it has begun to claim and not finished;
   * it is asked after the rows were read, so that a claim made meanwhile is never taken for a lost one.
   */
  recoverLost(worker: string, inHand: () => readonly string[]): Promise<{ unknown: number; freed: number }>;
  /** The heads of lanes that are due and have no job for sure, or were looked at longer ago than `lookedAtMs`. */
  due(limit: number, lookedAtMs: number): Promise<DueEffect[]>;
  /** A job stands for these effects. */
  markQueued(ids: readonly string[]): Promise<void>;
  /** The jobs of these effects are gone or used up: the next job gets a new id. Returns those unfinished, with their new run. */
  replan(ids: readonly string[]): Promise<DueEffect[]>;
  /** After the queue was lost: every unfinished effect needs a job again. Returns how many. */
  forgetQueued(): Promise<number>;
  /** The effect that may go next in a lane, if it is due. */
  head(lane: string): Promise<DueEffect | undefined>;
}

const idArray = (ids: readonly string[]): SQL => sql`${sql.param(ids)}::bigint[]`;
const seconds = (ms: number): SQL => sql`make_interval(secs => ${ms / 1000}::float8)`;

export function createEffectSweep(database: Database): EffectSweep {
  const { executor } = database;

  async function recover(lost: SQL, code: string, reason: string): Promise<{ unknown: number; freed: number }> {
    const unknown = await changed(
      executor,
      sql`update effects.effects set state = 'unknown', unknown_since = clock_timestamp(), claimed_by = null, due_at = clock_timestamp(),
            reason_code = ${code}, reason = ${reason}, run = run + 1, queued_at = null
          where state = 'sending' and ${lost}`,
    );
    const freed = await changed(
      executor,
      sql`update effects.effects set claimed_by = null, due_at = clock_timestamp(), run = run + 1, queued_at = null
          where state in ('planned', 'unknown') and claimed_by is not null and ${lost}`,
    );
    return { unknown, freed };
  }

  return {
    recoverDead: (caller, { silentToo } = { silentToo: true }) =>
      recover(
        sql`claimed_by <> ${caller} and ${silentToo ? sql`not claims.is_alive(claimed_by)` : sql`claims.has_ended(claimed_by)`}`,
        'WORKER_DIED',
        'Its worker died while sending',
      ),

    recoverLost: async (holder, inHand) => {
      const held = await rows<{ id: string; claim_no: string }>(
        executor,
        sql`select id, claim_no from effects.effects where state in ('planned', 'sending', 'unknown') and claimed_by = ${holder}`,
      );
      const hand = new Set(inHand());
      const lost = held.filter((row) => !hand.has(row.id));
      if (lost.length === 0) return { unknown: 0, freed: 0 };
      return recover(
        sql`claimed_by = ${holder} and claim_no = any(${idArray(lost.map((row) => row.claim_no))})`,
        'ENDING_LOST',
        'It was sent, but how it ended could not be written down',
      );
    },

    due: (limit, lookedAtMs) =>
      rows<DueEffect>(
        executor,
        sql`select e.id, e.run, e.queued_at is not null as queued from effects.effects e
            where e.state in ('planned', 'unknown') and e.claimed_by is null and e.due_at <= clock_timestamp()
              and (e.queued_at is null or e.queued_at < clock_timestamp() - ${seconds(lookedAtMs)}) and ${isHead}
            order by e.queued_at nulls first, e.id limit ${limit}`,
      ),

    markQueued: async (ids) => {
      if (ids.length === 0) return;
      await changed(
        executor,
        sql`with ${quickCommit}
            update effects.effects set queued_at = clock_timestamp() from quick where id = any(${idArray(ids)})`,
      );
    },

    replan: async (ids) => {
      if (ids.length === 0) return [];
      return rows<DueEffect>(
        executor,
        sql`update effects.effects set run = run + 1, queued_at = null where id = any(${idArray(ids)}) and state in ('planned', 'unknown')
            returning id, run, false as queued`,
      );
    },

    forgetQueued: () =>
      changed(
        executor,
        sql`update effects.effects set queued_at = null where state in ('planned', 'unknown') and queued_at is not null`,
      ),

    head: (lane) =>
      oneRow<DueEffect>(
        executor,
        sql`select e.id, e.run, e.queued_at is not null as queued from effects.effects e
            where e.lane = ${lane} and e.state in ('planned', 'unknown') and e.claimed_by is null and e.due_at <= clock_timestamp() and ${isHead}
            order by e.id limit 1`,
      ),
  };
}
