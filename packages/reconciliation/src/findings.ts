import { changed, type Database, type Executor, oneRow, rows, type Transaction } from '@bridge/database';
import type { FindingReplay } from '@bridge/flow';
import { type SQL, sql } from 'drizzle-orm';
import { lockFindings } from './findings-lock';

/** open: the books differ. fixed: they did, and do not any more. accepted: a person has said that it may stay so. */
export type FindingState = 'open' | 'fixed' | 'accepted';
/** All of them, in the order in which people look: for arguments of commands. */
export const FINDING_STATES = ['open', 'fixed', 'accepted'] as const satisfies FindingState[];

/** A difference between two books as it is stored. Holds ids and amounts, no customer data. */
export interface StoredFinding {
  id: string;
  flow: string;
  class: string;
  objectId: string;
  stripeValue: string | null;
  recordedValue: string | null;
  filemakerValue: string | null;
  /** Minor units at risk. */
  amount: number;
  currency: string;
  message: string;
  /** The event that would put it right; null: a person decides. */
  replay: FindingReplay | null;
  /** Money from before recovery's beginning: never acted on by itself. */
  beforeStart: boolean;
  state: FindingState;
  firstSeen: Date;
  lastSeen: Date;
  firstRun: string;
  lastRun: string;
  /** When its event was recorded, and as which inbox row. */
  actedAt: Date | null;
  inboxId: string | null;
  fixedHow: 'replayed' | 'by itself' | 'by a person' | null;
  fixedAt: Date | null;
  acceptedBy: string | null;
  acceptedWhy: string | null;
  acceptedAt: Date | null;
}

/** Findings of one class in one currency (lower case, as Stripe writes it). */
export interface FindingTotal {
  class: string;
  currency: string;
  findings: number;
  /** Minor units. */
  amount: number;
  /** Of these findings, the ones with an event that would put them right, and their money. */
  replayable: number;
  replayableAmount: number;
}

/** Which findings to list: all that are given must fit. `limit`: rows, the newest first. */
export interface FindingFilter {
  flow?: string;
  state?: FindingState;
  class?: string;
  objectId?: string;
  /** Seen by this run last. */
  run?: string;
  limit: number;
}

/** Findings for people. All methods reject with the database's errors only. */
export interface Findings {
  /** Undefined: there is none, or `id` is no number. */
  find(id: string, within?: Executor): Promise<StoredFinding | undefined>;
  /** The newest first. */
  list(filter: FindingFilter): Promise<StoredFinding[]>;
  /**
   * Open findings by class and currency. With a run all that it saw and nobody has seen since, also those whose replay was done
   * before anyone asked: what a run found does not grow less by being repaired.
   */
  totals(filter: { run?: string; flow?: string }): Promise<FindingTotal[]>;
  /** A person's word that an open finding may stay so. False: it is not open. */
  accept(within: Executor, id: string, by: string, why: string): Promise<boolean>;
}

interface FindingRow {
  id: string;
  flow: string;
  class: string;
  object_id: string;
  stripe_value: string | null;
  recorded_value: string | null;
  filemaker_value: string | null;
  amount: string;
  currency: string;
  message: string;
  replay: (Omit<FindingReplay, 'createdAt'> & { createdAt: string }) | null;
  before_start: boolean;
  state: FindingState;
  first_seen: string;
  last_seen: string;
  first_run: string;
  last_run: string;
  acted_at: string | null;
  inbox_id: string | null;
  fixed_how: StoredFinding['fixedHow'];
  fixed_at: string | null;
  accepted_by: string | null;
  accepted_why: string | null;
  accepted_at: string | null;
}

const columns = sql`id, flow, class, object_id, stripe_value, recorded_value, filemaker_value, amount, currency, message, replay,
  before_start, state, first_seen, last_seen, first_run, last_run, acted_at, inbox_id, fixed_how, fixed_at, accepted_by,
  accepted_why, accepted_at`;
const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

function findingOf(row: FindingRow): StoredFinding {
  return {
    id: row.id,
    flow: row.flow,
    class: row.class,
    objectId: row.object_id,
    stripeValue: row.stripe_value,
    recordedValue: row.recorded_value,
    filemakerValue: row.filemaker_value,
    amount: Number(row.amount),
    currency: row.currency,
    message: row.message,
    replay: row.replay === null ? null : { ...row.replay, createdAt: new Date(row.replay.createdAt) },
    beforeStart: row.before_start,
    state: row.state,
    firstSeen: new Date(row.first_seen),
    lastSeen: new Date(row.last_seen),
    firstRun: row.first_run,
    lastRun: row.last_run,
    actedAt: date(row.acted_at),
    inboxId: row.inbox_id,
    fixedHow: row.fixed_how,
    fixedAt: date(row.fixed_at),
    acceptedBy: row.accepted_by,
    acceptedWhy: row.accepted_why,
    acceptedAt: date(row.accepted_at),
  };
}

/** Reads and accepts findings; written they are by `commitPage` and `closeRepaired` alone. */
export function createFindings(database: Database): Findings {
  const { executor } = database;
  return {
    find: async (id, within) => {
      if (!/^\d{1,18}$/.test(id)) return undefined;
      const row = await oneRow<FindingRow>(
        within ?? executor,
        sql`select ${columns} from reconciliation.findings where id = ${id}`,
      );
      return row === undefined ? undefined : findingOf(row);
    },

    list: async (filter) => {
      const equals = (column: SQL, value: string | undefined): SQL =>
        value === undefined ? sql`true` : sql`${column} = ${value}`;
      const found = await rows<FindingRow>(
        executor,
        sql`select ${columns} from reconciliation.findings
            where ${equals(sql`flow`, filter.flow)} and ${equals(sql`state`, filter.state)}
              and ${equals(sql`class`, filter.class)} and ${equals(sql`object_id`, filter.objectId)}
              and ${equals(sql`last_run`, filter.run)}
            order by id desc limit ${filter.limit}`,
      );
      return found.map(findingOf);
    },

    totals: async ({ run, flow }) => {
      const found = await rows<{
        class: string;
        currency: string;
        findings: number;
        amount: string;
        replayable: number;
        replayable_amount: string;
      }>(
        executor,
        sql`select class, currency, count(*)::int as findings, sum(amount)::text as amount,
              count(replay)::int as replayable, coalesce(sum(amount) filter (where replay is not null), 0)::text as replayable_amount
            from reconciliation.findings
            where ${run === undefined ? sql`state = 'open'` : sql`state <> 'accepted' and last_run = ${run}::bigint`}
              and (${flow ?? null}::text is null or flow = ${flow ?? null})
            group by class, currency order by class, currency`,
      );
      return found.map(({ replayable_amount, ...row }) => ({
        ...row,
        amount: Number(row.amount),
        replayableAmount: Number(replayable_amount),
      }));
    },

    accept: async (within, id, by, why) =>
      (await changed(
        within,
        sql`update reconciliation.findings set state = 'accepted', accepted_by = ${by}, accepted_why = ${why},
              accepted_at = clock_timestamp() where id = ${id} and state = 'open'`,
      )) === 1,
  };
}

/**
 * Objects with open findings of a flow that a run has not seen, the longest unseen first. Where there are more than the limit,
 * half of the places go by a draw that each run makes anew: what a flow has no way to look up stays unseen for ever, and must not
 * keep all the others from being looked at.
 */
export async function listUnseenObjects(
  executor: Executor,
  { flow, run, limit }: { flow: string; run: string; limit: number },
): Promise<string[]> {
  const found = await rows<{ object_id: string }>(
    executor,
    sql`select object_id from (
          select object_id, by_age from (
            select object_id, row_number() over (order by max(last_seen), object_id) as by_age,
              row_number() over (order by hashtextextended(object_id, ${run}::bigint), object_id) as by_draw
            from reconciliation.findings where state = 'open' and flow = ${flow}
            group by object_id having max(last_run) <> ${run}::bigint) unseen
          order by least(by_age, by_draw), by_age limit ${limit}) told
        order by by_age`,
  );
  return found.map(({ object_id }) => object_id);
}

/** Erases why people have accepted findings about these objects: it is free text. Returns how many. */
export async function forgetAcceptedWhys(tx: Transaction, objectIds: readonly string[]): Promise<number> {
  await lockFindings(tx);
  return changed(
    tx,
    sql`update reconciliation.findings set accepted_why = null where accepted_why is not null and object_id = any(${sql.param(objectIds)}::text[])`,
  );
}
