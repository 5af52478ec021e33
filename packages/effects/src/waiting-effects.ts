import { changed, type Database, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import type { EffectSubject } from './effect';
import { isHead } from './lane-head';

/** An effect that keeps others of its lane waiting, and itself waits for the peer. */
export interface LaneHold {
  id: string;
  lane: string;
  title: string;
  /** unknown: sent and unheard. refused: the peer said "not now" (a locked record), and it is tried again. */
  because: 'unknown' | 'refused';
  /** Of the last sending. */
  code: string | null;
  reason: string | null;
  /** Since when it is unknown, or was refused first in an unbroken row. */
  since: Date;
  sinceMs: number;
  /** When it is tried or asked about next. */
  dueAt: Date;
  /** Effects of the lane that wait behind it. */
  behind: number;
  target: unknown;
  subject: EffectSubject;
}

/** Effects that wait, found by what they wait for. Moves no state: only when they are due. */
export interface WaitingEffects {
  /**
   * Ids of effects that the peer has to be asked about (unknown, or asked first) and that have been due for
   * `overdueMs`, the longest first. Only those that may be claimed.
   */
  toAsk(limit: number, overdueMs: number): Promise<string[]>;
  /**
   * What waited because this scope was closed for this cause is due now, and the sweep's next round brings its job
   * forward. `scope` is `script:NAME` or `flow:NAME`; a peer's whole queue stands still and needs no such word.
   * Returns how many; 0 when another process was first.
   */
  makeDue(closure: { scope: string; cause: string }): Promise<number>;
  /** What holds its lane for at least `forMs`, the longest first; among these ids only, if any are given. */
  holds(filter: { ids?: readonly string[]; forMs: number; limit: number }): Promise<LaneHold[]>;
}

/** Reads the same rows as the store, and claims none. */
export function createWaitingEffects(database: Database): WaitingEffects {
  const { executor } = database;
  return {
    toAsk: async (limit, overdueMs) => {
      const found = await rows<{ id: string }>(
        executor,
        sql`select e.id from effects.effects e
            where (e.state = 'unknown' or (e.state = 'planned' and e.check_first)) and e.claimed_by is null
              and e.due_at <= clock_timestamp() - make_interval(secs => ${overdueMs / 1_000}::float8)
              and ${isHead}
            order by e.due_at limit ${limit}`,
      );
      return found.map(({ id }) => id);
    },

    holds: async ({ ids, forMs, limit }) => {
      if (ids !== undefined && ids.length === 0) return [];
      const among =
        ids === undefined
          ? sql`true`
          : sql`e.id in (${sql.join(
              ids.map((id) => sql`${id}::bigint`),
              sql`, `,
            )})`;
      const found = await rows<Omit<LaneHold, 'since' | 'dueAt'> & { since: string; dueAt: string }>(
        executor,
        sql`with holding as (
              select e.id, e.lane, e.title, e.target, e.subject, e.reason, e.due_at,
                case e.state when 'unknown' then 'unknown' else 'refused' end as because,
                (select a.code from effects.attempts a where a.effect_id = e.id and a.purpose = 'send' order by a.id desc limit 1) as code,
                case e.state when 'unknown' then e.unknown_since else (
                  select min(a.began_at) from effects.attempts a where a.effect_id = e.id and a.purpose = 'send'
                    and a.id > coalesce((select max(b.id) from effects.attempts b where b.effect_id = e.id
                      and b.purpose = 'send' and b.verdict is distinct from 'refused'), 0)) end as since
              from effects.effects e
              where e.lane is not null and (e.state = 'unknown' or (e.state = 'planned' and e.refusals > 0)) and ${among})
            select h.id, h.lane, h.title, h.target, h.subject, h.reason, h.because, h.code, h.since, h.due_at as "dueAt",
              (extract(epoch from clock_timestamp() - h.since) * 1000)::float8 as "sinceMs",
              (select count(*)::int from effects.effects o where o.lane = h.lane and o.id <> h.id and o.state = 'planned') as behind
            from holding h where h.since <= clock_timestamp() - make_interval(secs => ${forMs / 1_000}::float8)
            order by h.since, h.id limit ${limit}`,
      );
      return found.map(({ since, dueAt, ...row }) => ({ ...row, since: new Date(since), dueAt: new Date(dueAt) }));
    },

    makeDue: async ({ scope, cause }) => {
      const within = effectsIn(scope);
      if (within === undefined) return 0;
      return changed(
        executor,
        // The sweep looks only now and then at rows that have a job; an old mark makes it look in its next round.
        sql`update effects.effects set due_at = clock_timestamp(), queued_at = queued_at - interval '1 day'
            where state in ('planned', 'unknown') and claimed_by is null and due_at > clock_timestamp()
              and reason_code = ${cause} and ${within}`,
      );
    },
  };
}

function effectsIn(scope: string): SQL | undefined {
  const at = scope.indexOf(':');
  const name = scope.slice(at + 1);
  if (scope.startsWith('flow:')) return sql`flow = ${name}`;
  if (scope.startsWith('script:')) return sql`target ->> 'script' = ${name}`;
  return undefined;
}
