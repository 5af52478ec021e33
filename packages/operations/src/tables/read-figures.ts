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

/** Money that a customer has paid and FileMaker does not hold, for one currency and one state. */
export interface MoneyAtRisk {
  currency: string;
  /**
   * How the effect stands: `planned`, `sending`, `unknown`, `parked`; `no-effect`: none could be planned, and the event that
   * told of it is parked. Otherwise the class of an open finding, such as `paid-not-recorded`; `before-start`: findings about
   * money from before recovery was to act.
   */
  class: string;
  /** Minor units. */
  amount: number;
}

/**
 * Paid longer than ten minutes ago, by Stripe's time of payment or else when we first saw it, and neither done nor
 * cancelled by a person; then what reconciliation has found and nobody has closed. The same money is counted once: what our
 * own records show counts by how its effect stands. It begins with what is unfinished, so that its cost does not grow with
 * the history. An effect is planned in the transaction that writes its key, so a payment with a key has an effect.
 */
export function readMoneyAtRisk(database: Database): Promise<MoneyAtRisk[]> {
  return rows<MoneyAtRisk>(
    database.executor,
    sql`with unproved as (
          select p.checkout_session_id, p.currency, e.state as class, p.amount_total as amount, coalesce(p.paid_at, p.first_seen) as paid_at
          from effects.effects e
          join flow_invoices.payments p
            on p.checkout_session_id = e.subject ->> 'checkoutSessionId' and p.effect_key = e.key and p.status = 'paid'
          where e.state in ('planned', 'sending', 'unknown', 'parked')
          union all
          select checkout_session_id, currency, 'no-effect', amount_total, coalesce(paid_at, first_seen) from flow_invoices.payments
          where effect_key is null and status in ('paid', 'parked')),
        money as (
          select currency, class, amount from unproved where paid_at < clock_timestamp() - interval '10 minutes'
          union all
          select currency, case when before_start then 'before-start' else class end, amount from reconciliation.findings f
          where state = 'open' and amount > 0 and class <> 'paid-not-applied'
            and not exists (select 1 from unproved u where u.checkout_session_id = f.object_id)
            -- Repaired since, and not looked at again yet.
            and not (class in ('paid-not-recorded', 'status-differs') and replay is not null and exists (
              select 1 from flow_invoices.payments p where p.checkout_session_id = f.object_id and p.status in ('paid', 'parked'))))
        select currency, class, sum(amount)::float8 as amount from money group by currency, class order by currency, class`,
  );
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
