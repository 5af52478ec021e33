import { type Executor, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { ReplayAct, Verdict } from '../replay/verdict';

// Questions of replays to tables of other owners, joined with their own. Reading only; like those of read-engine-tables.ts
// they stand together, so that a change of such a table finds its reader.

/** An item under way with how its event and its effect stand. */
export interface UnderWay {
  id: string;
  acts: ReplayAct;
  verdict: Verdict | null;
  /** Sendings of its effect before the replay. */
  attemptsBefore: number;
  objectId: string;
  sentMs: number;
  event: { state: string; reasonCode: string | null; reason: string | null } | null;
  effect: {
    id: string;
    state: string;
    attempts: number;
    reasonCode: string | null;
    reason: string | null;
    inHand: boolean;
    /** The effect that has to go first in its lane. */
    behind: {
      id: string;
      state: string;
      reasonCode: string | null;
      /** This plan has sent it too, and its own end is awaited. */
      ofThisPlan: boolean;
    } | null;
  } | null;
}

/** Items that were sent and have no outcome yet, with how their event and effect stand, `limit` at most. */
export async function itemsUnderWay(executor: Executor, planId: string, limit: number): Promise<UnderWay[]> {
  const found = await rows<{
    id: string;
    acts: ReplayAct;
    verdict: Verdict | null;
    attempts_before: number;
    object_id: string;
    sent_ms: number;
    event_state: string | null;
    event_code: string | null;
    event_reason: string | null;
    effect_id: string | null;
    effect_state: string | null;
    attempts: number | null;
    effect_code: string | null;
    effect_reason: string | null;
    in_hand: boolean | null;
    behind: NonNullable<UnderWay['effect']>['behind'];
  }>(
    executor,
    sql`select i.id, i.acts, i.verdict, coalesce((i.rests_on ->> 'attempts')::int, 0) as attempts_before, i.object_id, (extract(epoch from clock_timestamp() - i.sent_at) * 1000)::float8 as sent_ms,
          v.state as event_state, v.reason_code as event_code, v.reason as event_reason,
          e.id as effect_id, e.state as effect_state, e.attempts, e.reason_code as effect_code, e.reason as effect_reason,
          e.claimed_by is not null as in_hand, h.behind
        from operations.replay_items i
        left join inbox.events v on i.acts = 'send' and v.event_id = 'replay_' || i.plan_id || '_' || i.id
        left join effects.effects e on e.key = i.effect_key
        left join lateral (select jsonb_build_object('id', o.id::text, 'state', o.state, 'reasonCode', o.reason_code, 'ofThisPlan',
            exists (select 1 from operations.replay_items s where s.plan_id = i.plan_id and s.effect_key = o.key
              and s.sent_at is not null and s.settled_at is null)) as behind
          from effects.effects o
          where e.state = 'planned' and o.lane = e.lane and o.id <> e.id
            and (o.state in ('sending', 'unknown') or (o.state = 'planned' and o.id < e.id))
          order by o.state = 'planned', o.id limit 1) h on true
        where i.plan_id = ${planId} and i.sent_at is not null and i.settled_at is null order by i.id limit ${limit}`,
  );
  return found.map((row) => ({
    id: row.id,
    acts: row.acts,
    verdict: row.verdict,
    attemptsBefore: row.attempts_before,
    objectId: row.object_id,
    sentMs: row.sent_ms,
    event:
      row.event_state === null
        ? null
        : { state: row.event_state, reasonCode: row.event_code, reason: row.event_reason },
    effect:
      row.effect_id === null || row.effect_state === null
        ? null
        : {
            id: row.effect_id,
            state: row.effect_state,
            attempts: row.attempts ?? 0,
            reasonCode: row.effect_code,
            reason: row.effect_reason,
            inHand: row.in_hand ?? false,
            behind: row.behind,
          },
  }));
}

/** Frozen bytes of before and shown bytes of today, by item; what is erased is left out. Customer data. */
export async function readReplayBodies(
  executor: Executor,
  itemIds: readonly string[],
): Promise<Map<string, { before: string; after: string }>> {
  const found = await rows<{ id: string; before: Buffer | null; after: string | null }>(
    executor,
    sql`select i.id, e.body as before, i.bodies ->> i.effect_key as after from operations.replay_items i
        join effects.effects e on e.id = i.effect_id
        where i.id = any(${sql.param(itemIds)}::bigint[])`,
  );
  return new Map(
    found.flatMap(({ id, before, after }) =>
      before === null || after === null ? [] : [[id, { before: before.toString('utf8'), after }] as const],
    ),
  );
}

/** The duties of the plans that a living worker has in hand. */
export async function readReplaysInHand(executor: Executor): Promise<string[]> {
  const found = await rows<{ name: string }>(
    executor,
    sql`select name from claims.duties where name like 'replay:%' and claims.is_alive(held_by)`,
  );
  return found.map(({ name }) => name);
}
