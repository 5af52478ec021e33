import { type Database, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { hasTable } from './read-proof-tables';

// Questions to the tables of reconciliation and of the day's close, for the status page and the doctor. The status asks
// them only of a database that is up to date.

/** One pass of reconciliation, as it last came to its end. */
export interface FinishedPass {
  flow: string;
  pass: string;
  endedAt: Date;
  /** Objects that were compared. */
  checked: number;
}

/** A pass whose newest run has waited or failed; whatever else runs well does not do its work. */
export interface StandingPass {
  flow: string;
  pass: string;
  /** When that run was wanted. */
  since: Date;
  reason: string;
}

/** Money of findings that nobody has put right, for one currency. */
export interface OpenFindings {
  currency: string;
  count: number;
  /** Minor units at risk. */
  amount: number;
}

/** What looks for missed webhooks, what it found, and how the closed days stand. */
export interface RecoveryFigures {
  /** The last finished run of each pass. */
  passes: FinishedPass[];
  /** Passes of which no run came to its end for an hour and whose newest one says why. */
  standing: StandingPass[];
  openFindings: OpenFindings[];
  /** Where events come by fetching alone (STRIPE_DELIVERY=pull): when they last were; null: webhooks bring them. */
  pulledAt: Date | null;
  /** `2026-11-22`; null: none was closed yet. */
  lastClosedDay: string | null;
  /** The newest letter about a closed day that did not reach anybody for sure, of the last week; null: there is none. */
  unsentLetter: { day: string; code: string | null; detail: string | null } | null;
}

export async function readRecoveryFigures(database: Database): Promise<RecoveryFigures> {
  const [passes, standing, openFindings, fetched, lastClosedDay, unsentLetter] = await Promise.all([
    readPasses(database),
    readStanding(database),
    readOpenFindings(database),
    readFetch(database),
    readLastClosedDay(database),
    readUnsentLetter(database),
  ]);
  return {
    passes,
    standing,
    openFindings,
    pulledAt: fetched?.delivery === 'pull' ? fetched.at : null,
    lastClosedDay,
    unsentLetter,
  };
}

async function readPasses(database: Database): Promise<FinishedPass[]> {
  const found = await rows<{ flow: string; pass: string; ended_at: string; checked: number }>(
    database.executor,
    sql`select distinct on (flow, pass) flow, pass, ended_at, checked::float8 as checked from reconciliation.runs
        where state = 'finished' order by flow, pass, ended_at desc`,
  );
  return found.map(({ flow, pass, ended_at, checked }) => ({ flow, pass, endedAt: new Date(ended_at), checked }));
}

/** A run that waits for a peer for so long is told; one that failed, when the pass has not come to its end since. */
const STANDING_MINUTES = 60;
/** Every pass comes once a day or more often: an older failure is of one that was switched off. */
const FAILED_TOLD_HOURS = 50;

async function readStanding(database: Database): Promise<StandingPass[]> {
  const found = await rows<{ flow: string; pass: string; since: string; reason: string }>(
    database.executor,
    sql`select flow, pass, wanted_at as since, reason from (
          select distinct on (flow, pass) flow, pass, state, wanted_at, ended_at, reason from reconciliation.runs
          where mode = 'act' and state <> 'superseded' order by flow, pass, id desc) newest
        where reason is not null
          and ((state = 'failed' and ended_at > clock_timestamp() - make_interval(hours => ${FAILED_TOLD_HOURS}))
            or (state in ('wanted', 'running')
            and wanted_at < clock_timestamp() - make_interval(mins => ${STANDING_MINUTES})))
          and not exists (select from reconciliation.runs r
            where r.flow = newest.flow and r.pass = newest.pass and r.state = 'finished'
              and r.ended_at > clock_timestamp() - make_interval(mins => ${STANDING_MINUTES}))
        order by flow, pass`,
  );
  return found.map(({ since, ...pass }) => ({ ...pass, since: new Date(since) }));
}

async function readOpenFindings(database: Database): Promise<OpenFindings[]> {
  return rows<OpenFindings>(
    database.executor,
    // A payment with two findings is at risk once.
    sql`select currency, sum(findings)::int as count, sum(amount)::float8 as amount from (
          select currency, object_id, count(*) as findings, max(amount) as amount from reconciliation.findings
          where state = 'open' group by currency, object_id) o
        group by currency order by currency`,
  );
}

async function readFetch(database: Database): Promise<{ delivery: string; at: Date | null } | undefined> {
  const row = await oneRow<{ delivery: string; at: string | null }>(
    database.executor,
    sql`select delivery, fetched_at as at from reconciliation.watermarks where source = 'stripe-events'`,
  );
  return row === undefined ? undefined : { delivery: row.delivery, at: row.at === null ? null : new Date(row.at) };
}

/** When the events at Stripe were last read to the end, by pull or by reconciliation; null: never, or not migrated yet. */
export async function readLastFetch(database: Database): Promise<Date | null> {
  // The doctor looks at a database in the middle of an update, too.
  if (!(await hasTable(database.executor, 'reconciliation.watermarks'))) return null;
  return (await readFetch(database))?.at ?? null;
}

async function readLastClosedDay(database: Database): Promise<string | null> {
  const row = await oneRow<{ day: string | null }>(
    database.executor,
    sql`select max(day)::text as day from operations.days`,
  );
  return row?.day ?? null;
}

/** A letter that waits for a mail server is tried again for hours; then people should know. */
const LETTER_LATE_MINUTES = 120;

async function readUnsentLetter(database: Database): Promise<RecoveryFigures['unsentLetter']> {
  const row = await oneRow<{ day: string; code: string | null; detail: string | null }>(
    database.executor,
    sql`select day::text as day, code, detail from operations.day_mails
        where owed_at > clock_timestamp() - interval '7 days'
          and (state in ('refused', 'unheard')
            or (state = 'owed' and owed_at < clock_timestamp() - make_interval(mins => ${LETTER_LATE_MINUTES})))
        order by day desc, recipients limit 1`,
  );
  return row ?? null;
}
