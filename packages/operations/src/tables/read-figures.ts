import { type Database, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';

// Counts and sums for the status and the metrics, over tables of other owners. Reading only.

/** An effect that should have been settled by itself long ago. */
export interface OverdueEffect {
  id: string;
  title: string;
  /** unknown: sent and unheard. planned: it waits to ask the peer before it is sent. */
  state: 'unknown' | 'planned';
  reasonCode: string | null;
  reason: string | null;
  since: Date;
}

/** Effects that should have been settled by themselves, counted, and the oldest of them. */
export interface OverdueEffects {
  /** All of them. */
  unknown: number;
  checkFirst: number;
  /** The first `limit`, the oldest first. */
  oldest: OverdueEffect[];
}

/** Unknown, or waiting to ask first, for longer than `afterSeconds`; a person's latest word starts the time anew. */
export async function readOverdue(database: Database, afterSeconds: number, limit: number): Promise<OverdueEffects> {
  const found = await rows<
    Omit<OverdueEffect, 'since'> & { since: string; all_unknown: number; all_check_first: number }
  >(
    database.executor,
    sql`with waiting as (
          select id, title, state, reason_code as "reasonCode", reason, coalesce(unknown_since, greatest(planned_at, (
              select max(a.at) from operations.audit a where a.object = 'effect:' || e.id and a.outcome = 'done'))) as since
          from effects.effects e where state = 'unknown' or (state = 'planned' and check_first))
        select waiting.*, (count(*) filter (where state = 'unknown') over ())::int as all_unknown,
          (count(*) filter (where state = 'planned') over ())::int as all_check_first
        from waiting where since < clock_timestamp() - make_interval(secs => ${afterSeconds}::float8)
        order by since, id limit ${limit}`,
  );
  return {
    unknown: found[0]?.all_unknown ?? 0,
    checkFirst: found[0]?.all_check_first ?? 0,
    oldest: found.map(({ id, title, state, reasonCode, reason, since }) => ({
      id,
      title,
      state,
      reasonCode,
      reason,
      since: new Date(since),
    })),
  };
}

/** Payments of the last thirty days: what Stripe's allowance of reads is measured by. */
export async function readStripeTransactions(database: Database): Promise<number> {
  const row = await oneRow<{ n: number }>(
    database.executor,
    sql`select count(*)::int as n from flow_invoices.payments
        where status in ('paid', 'parked') and session_created_at > clock_timestamp() - interval '30 days'`,
  );
  return row?.n ?? 0;
}

/** Events of the other mode (live or test) that arrived in the last 24 hours: some endpoint at Stripe is pointed wrongly. */
export async function countOtherMode(database: Database): Promise<number> {
  const row = await oneRow<{ n: number }>(
    database.executor,
    sql`select count(*)::int as n from inbox.events
        where received_at > clock_timestamp() - interval '24 hours' and state = 'ignored' and reason_code = 'OTHER_LIVEMODE'`,
  );
  return row?.n ?? 0;
}

export async function countUnverified(database: Database): Promise<number> {
  const row = await oneRow<{ n: number }>(
    database.executor,
    sql`select count(*)::int as n from effects.effects where state = 'done' and not verified`,
  );
  return row?.n ?? 0;
}

/** Webhooks of the last 24 hours whose signature no secret of ours makes, since the last one that was taken. */
export async function countWronglySigned(database: Database): Promise<number> {
  const row = await oneRow<{ n: number }>(
    database.executor,
    sql`select count(*)::int as n from inbox.rejections
        where reason = 'SIGNATURE_WRONG' and received_at > clock_timestamp() - interval '24 hours'
          and received_at > coalesce((select received_at from inbox.events where source = 'webhook' order by id desc limit 1), '-infinity')`,
  );
  return row?.n ?? 0;
}
