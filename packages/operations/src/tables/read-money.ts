import { type Database, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import { hasTable } from './read-proof-tables';

// Sums of money for the status and the metrics, over tables of other owners. Reading only.

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

/** The same, with how many payments or findings it is. */
export interface CountedMoney extends MoneyAtRisk {
  count: number;
}

/**
 * Paid, and neither done nor cancelled by a person; then what reconciliation has found and nobody has closed. The same money
 * is counted once: what our own records show counts by how its effect stands. It begins with what is unfinished, so that its
 * cost does not grow with the history. An effect is planned in the transaction that writes its key, so a payment with a key
 * has an effect.
 */
const moneyNotDone = (oldEnough: SQL): SQL => sql`with unproved as (
    select p.checkout_session_id, p.currency, e.state as class, p.amount_total as amount, coalesce(p.paid_at, p.first_seen) as paid_at
    from effects.effects e
    join flow_invoices.payments p
      on p.checkout_session_id = e.subject ->> 'checkoutSessionId' and p.effect_key = e.key and p.status = 'paid'
    where e.state in ('planned', 'sending', 'unknown', 'parked')
    union all
    select checkout_session_id, currency, 'no-effect', amount_total, coalesce(paid_at, first_seen) from flow_invoices.payments
    where effect_key is null and status in ('paid', 'parked')),
  money as (
    select currency, class, amount from unproved where ${oldEnough}
    union all
    select currency, case when before_start then 'before-start' else class end, amount from reconciliation.findings f
    where state = 'open' and amount > 0 and class <> 'paid-not-applied'
      and not exists (select 1 from unproved u where u.checkout_session_id = f.object_id)
      -- Repaired since, and not looked at again yet.
      and not (class in ('paid-not-recorded', 'status-differs') and replay is not null and exists (
        select 1 from flow_invoices.payments p where p.checkout_session_id = f.object_id and p.status in ('paid', 'parked'))))
  select currency, class, count(*)::int as count, sum(amount)::float8 as amount from money
  group by currency, class order by currency, class`;

/** What has not reached FileMaker ten minutes after it was paid, by Stripe's time of payment or else when we first saw it. */
export async function readMoneyAtRisk(database: Database): Promise<MoneyAtRisk[]> {
  const found = await rows<CountedMoney>(
    database.executor,
    moneyNotDone(sql`paid_at < clock_timestamp() - interval '10 minutes'`),
  );
  return found.map(({ currency, class: standing, amount }) => ({ currency, class: standing, amount }));
}

const PAYMENTS = 'flow_invoices.payments';

/** The same from the first moment on: what is on its way, too. None where the flow has no tables. */
export async function readMoneyNotDone(database: Database): Promise<CountedMoney[]> {
  if (!(await hasTable(database.executor, PAYMENTS))) return [];
  return rows<CountedMoney>(database.executor, moneyNotDone(sql`true`));
}

/** Money of payments for which no effect could be planned, by the event that waits for a person because of it. */
export async function readParkedMoney(
  database: Database,
  eventIds: readonly string[],
): Promise<Map<string, { amount: number; currency: string }>> {
  if (eventIds.length === 0 || !(await hasTable(database.executor, PAYMENTS))) return new Map();
  const found = await rows<{ event: string; amount: number; currency: string }>(
    database.executor,
    sql`select parked_event as event, amount_total::float8 as amount, currency from flow_invoices.payments
        where parked_event = any(${sql.param([...eventIds])}::text[])`,
  );
  return new Map(found.map(({ event, ...money }) => [event, money]));
}
