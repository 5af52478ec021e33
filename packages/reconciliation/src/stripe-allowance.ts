import { changed, type Database, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** Stripe counts over so many days (its page on rate limits, "read allocations"). */
const DAYS = 30;
/** So many reads every account has in them, however little it sells. */
export const READS_LEAST = 10_000;
/** And so many for each transaction of the same days, where that is more. */
export const READS_PER_TRANSACTION = 500;

/** What Stripe lets an account read in thirty days. `transactions`: payments in the same time. */
export const stripeAllowance = (transactions: number): number =>
  Math.max(READS_LEAST, transactions * READS_PER_TRANSACTION);

/** How many reads were asked of Stripe. A killed worker forgets those of its last seconds. */
export interface StripeReadCounts {
  /** Adds reads to today's. */
  add(reads: number): Promise<void>;
  /** All of the last thirty days, this one included. */
  inThirtyDays(): Promise<number>;
}

/** Requests to Stripe by day, of all processes together. */
export function createStripeReadCounts(database: Database): StripeReadCounts {
  return {
    add: async (reads) => {
      if (reads === 0) return;
      await changed(
        database.executor,
        sql`insert into reconciliation.stripe_reads as r (day, reads) values ((clock_timestamp() at time zone 'UTC')::date, ${reads})
            on conflict (day) do update set reads = r.reads + excluded.reads`,
      );
    },
    inThirtyDays: async () => {
      const row = await oneRow<{ reads: string }>(
        database.executor,
        sql`select coalesce(sum(reads), 0)::text as reads from reconciliation.stripe_reads
            where day > (clock_timestamp() at time zone 'UTC')::date - ${DAYS}::integer`,
      );
      return Number(row?.reads ?? 0);
    },
  };
}
