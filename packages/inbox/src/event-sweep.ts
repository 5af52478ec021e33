import { changed, type Database, quickCommit, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';

/** An inbox row that needs a job; `run` is part of the job's id. */
export interface DueEvent {
  id: string;
  eventId: string;
  run: number;
  /** False: no job was ever seen for this run, so one can be added without asking the queue. */
  queued: boolean;
}

/** What the sweep asks and notes: rows whose worker is gone, and those that need a job. */
export interface EventSweep {
  /**
   * Frees what dead workers held, never the caller's own. Returns how many rows. `silentToo: false`: only of those known
   * to have ended, for a caller that may not judge by silence yet.
   */
  recoverDead(caller: string, judged?: { silentToo: boolean }): Promise<number>;
  /**
   * Frees what this living worker holds by its mark but not in its hand, because an answer of PostgreSQL was lost.
   * `inHand` is asked after the rows were read, so that a claim made meanwhile is never taken for a lost one.
   */
  recoverLost(worker: string, inHand: () => readonly string[]): Promise<number>;
  /** Due rows that have no job for sure or were last looked at longer ago than `lookedAtMs`; the oldest first. */
  due(limit: number, lookedAtMs: number): Promise<DueEvent[]>;
  /** A job stands for these rows. */
  markQueued(ids: readonly string[]): Promise<void>;
  /** The jobs of these rows are gone or used up: the next job gets a new id. Returns the rows with their new run. */
  replan(ids: readonly string[]): Promise<DueEvent[]>;
  /** After the queue was lost: every unfinished row needs a job again. */
  forgetQueued(): Promise<number>;
}

const idArray = (ids: readonly string[]): SQL => sql`${sql.param(ids)}::bigint[]`;

export function createEventSweep(database: Database): EventSweep {
  const { executor } = database;

  const recover = (lost: SQL): Promise<number> =>
    changed(
      executor,
      sql`update inbox.events set state = 'received', claimed_by = null, due_at = clock_timestamp(), queued_at = null, run = run + 1
          where state = 'processing' and ${lost}`,
    );

  return {
    recoverDead: (caller, { silentToo } = { silentToo: true }) => {
      const dead = silentToo ? sql`not claims.is_alive(claimed_by)` : sql`claims.has_ended(claimed_by)`;
      return recover(sql`claimed_by <> ${caller} and ${dead}`);
    },

    recoverLost: async (worker, inHand) => {
      const held = await rows<{ id: string; claim_no: string }>(
        executor,
        sql`select id, claim_no from inbox.events where state = 'processing' and claimed_by = ${worker}`,
      );
      const hand = new Set(inHand());
      const lost = held.filter((row) => !hand.has(row.id)).map((row) => row.claim_no);
      return lost.length === 0 ? 0 : recover(sql`claimed_by = ${worker} and claim_no = any(${idArray(lost)})`);
    },

    due: async (limit, lookedAtMs) => {
      const found = await rows<{ id: string; event_id: string; run: number; queued: boolean }>(
        executor,
        sql`select id, event_id, run, queued_at is not null as queued from inbox.events
            where state = 'received' and due_at <= clock_timestamp()
              and (queued_at is null or queued_at < clock_timestamp() - make_interval(secs => ${lookedAtMs / 1000}::float8))
            order by queued_at nulls first, id limit ${limit}`,
      );
      return found.map((row) => ({ id: row.id, eventId: row.event_id, run: row.run, queued: row.queued }));
    },

    markQueued: async (ids) => {
      if (ids.length === 0) return;
      await changed(
        executor,
        sql`with ${quickCommit}
            update inbox.events set queued_at = clock_timestamp() from quick where id = any(${idArray(ids)})`,
      );
    },

    replan: async (ids) => {
      if (ids.length === 0) return [];
      const found = await rows<{ id: string; event_id: string; run: number }>(
        executor,
        sql`update inbox.events set run = run + 1, queued_at = null where id = any(${idArray(ids)}) and state = 'received'
            returning id, event_id, run`,
      );
      return found.map((row) => ({ id: row.id, eventId: row.event_id, run: row.run, queued: false }));
    },

    forgetQueued: () =>
      changed(
        executor,
        sql`update inbox.events set queued_at = null where state in ('received', 'processing') and queued_at is not null`,
      ),
  };
}
