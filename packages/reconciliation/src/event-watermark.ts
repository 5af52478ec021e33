import { changed, type Database, type Executor, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** `pull`: events come by fetching alone. `reconciliation`: webhooks bring them, and what they missed is fetched. */
export type EventDelivery = 'pull' | 'reconciliation';

/** How far the events at Stripe have been read into the inbox. */
export interface EventWatermark {
  delivery: EventDelivery;
  /** Every event made up to here, by Stripe's clock, is in the inbox; null: nothing was fetched yet. */
  reachedAt: Date | null;
  /** Counts the fetches that came to their end. */
  fetchNo: string;
  /** When the last one did, and how long ago that is; null: none ever did. */
  fetchedAt: Date | null;
  sinceFetchedMs: number | null;
  /** The first failure since the last fetch that came to its end. */
  failing: { since: Date; code: string; message: string } | null;
  /** What Stripe's list did not reach back to any more, when that was last met. */
  missed: { from: Date; until: Date; seenAt: Date } | null;
}

/** How far Stripe's list of events has been read, for whoever fetches it. Rejects with the database's errors only. */
export interface EventWatermarks {
  /** Undefined before the first fetch. */
  read(): Promise<EventWatermark | undefined>;
  /** Moves the mark forward, never back, in the transaction that stores the events up to it. */
  advance(tx: Executor, to: { reachedAt: Date; delivery: EventDelivery }): Promise<void>;
  /** A fetch came to its end. Returns its number. */
  finish(delivery: EventDelivery): Promise<string>;
  /** A fetch did not come to its end. `message`: for people, without customer data. */
  fail(delivery: EventDelivery, failure: { code: string; message: string }): Promise<void>;
  /** Events made in this time cannot be listed any more. */
  noteMissed(delivery: EventDelivery, missed: { from: Date; until: Date }): Promise<void>;
}

const SOURCE = 'stripe-events';
const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

interface Row {
  delivery: EventDelivery;
  reached_at: string | null;
  fetch_no: string;
  fetched_at: string | null;
  since_fetched_ms: number | null;
  failing_since: string | null;
  failure_code: string | null;
  failure: string | null;
  missed_from: string | null;
  missed_until: string | null;
  missed_seen_at: string | null;
}

/** The same for those who only look. Undefined before the first fetch. */
export async function readEventWatermark(executor: Executor): Promise<EventWatermark | undefined> {
  const row = await oneRow<Row>(
    executor,
    sql`select delivery, reached_at, fetch_no::text, fetched_at, failing_since, failure_code, failure,
          missed_from, missed_until, missed_seen_at,
          (extract(epoch from clock_timestamp() - fetched_at) * 1000)::float8 as since_fetched_ms
        from reconciliation.watermarks where source = ${SOURCE}`,
  );
  if (row === undefined) return undefined;
  const failingSince = date(row.failing_since);
  const [from, until, seenAt] = [date(row.missed_from), date(row.missed_until), date(row.missed_seen_at)];
  return {
    delivery: row.delivery,
    reachedAt: date(row.reached_at),
    fetchNo: row.fetch_no,
    fetchedAt: date(row.fetched_at),
    sinceFetchedMs: row.since_fetched_ms,
    failing:
      failingSince === null ? null : { since: failingSince, code: row.failure_code ?? '', message: row.failure ?? '' },
    missed: from === null || until === null || seenAt === null ? null : { from, until, seenAt },
  };
}

/** The one watermark of this installation: Stripe's list of events. */
export function createEventWatermarks(database: Database): EventWatermarks {
  const { executor } = database;
  return {
    read: () => readEventWatermark(executor),

    advance: async (tx, { reachedAt, delivery }) => {
      await changed(
        tx,
        sql`insert into reconciliation.watermarks as w (source, delivery, reached_at)
            values (${SOURCE}, ${delivery}, ${reachedAt.toISOString()}::timestamptz)
            on conflict (source) do update set delivery = excluded.delivery,
              reached_at = greatest(w.reached_at, excluded.reached_at)`,
      );
    },

    finish: async (delivery) => {
      const row = await oneRow<{ fetch_no: string }>(
        executor,
        sql`insert into reconciliation.watermarks as w (source, delivery, fetch_no, fetched_at)
            values (${SOURCE}, ${delivery}, 1, clock_timestamp())
            on conflict (source) do update set delivery = excluded.delivery, fetch_no = w.fetch_no + 1,
              fetched_at = clock_timestamp(), failing_since = null, failure_code = null, failure = null
            returning fetch_no::text`,
      );
      return row?.fetch_no ?? '';
    },

    fail: async (delivery, { code, message }) => {
      await changed(
        executor,
        sql`insert into reconciliation.watermarks as w (source, delivery, failing_since, failure_code, failure)
            values (${SOURCE}, ${delivery}, clock_timestamp(), ${code}, ${message})
            on conflict (source) do update set delivery = excluded.delivery,
              failing_since = coalesce(w.failing_since, clock_timestamp()),
              failure_code = excluded.failure_code, failure = excluded.failure`,
      );
    },

    noteMissed: async (delivery, { from, until }) => {
      await changed(
        executor,
        sql`insert into reconciliation.watermarks as w (source, delivery, missed_from, missed_until, missed_seen_at)
            values (${SOURCE}, ${delivery}, ${from.toISOString()}::timestamptz, ${until.toISOString()}::timestamptz, clock_timestamp())
            on conflict (source) do update set missed_from = excluded.missed_from, missed_until = excluded.missed_until,
              missed_seen_at = clock_timestamp()`,
      );
    },
  };
}
