import { changed, type Database, type Executor, oneRow, rows, type Transaction } from '@bridge/database';
import type { Compared, Finding, FindingReplay } from '@bridge/flow';
import type { Inbox } from '@bridge/inbox';
import { type SQL, sql } from 'drizzle-orm';
import { type ClaimedRun, heldRun, RunClaimLostError } from './runs';

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

/**
 * What a page of a run led to, as its pass yielded it (`ReconcilePage` of `@bridge/flow` says what each field means), beside
 * the questions that it cost. Its `cursor` is JSON of the flow's own. Counts are of objects.
 */
export interface PageCommit {
  findings: readonly Finding[];
  compared: readonly Compared[];
  cursor: unknown;
  listed: number;
  checked: number;
  unasked: number;
  share: number;
  stripeCalls: number;
  filemakerFinds: number;
}

/** What storing a page has changed: findings that are new, and open ones that are right by now. */
export interface CommittedPage {
  opened: number;
  fixed: number;
  /** Inbox rows that were recorded for what was missed, and that want a job. */
  recorded: { id: string; eventId: string }[];
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
const texts = (values: readonly string[]): SQL => sql`${sql.param(values)}::text[]`;

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

interface Seen {
  id: string;
  class: string;
  object_id: string;
  is_new: boolean;
  acted: boolean;
}

const nameOf = (finding: Pick<Finding, 'class' | 'objectId'>): string => `${finding.class} ${finding.objectId}`;

/** One finding per class and object: a page that names one twice has seen the second state of it. */
const distinct = (findings: PageCommit['findings']): PageCommit['findings'] => [
  ...new Map(findings.map((finding) => [nameOf(finding), finding])).values(),
];

/** Any number that no other lock of this database has. */
const FINDINGS_LOCK = 7_402_311;

/**
 * Whoever changes several findings at once does so alone, until the transaction ends. What a page finds and what it closes lie
 * in no order that two pages could share: one may find what the other closes, and the other way round. A page is written in
 * milliseconds; one that waited for another has lost nothing.
 */
const lockFindings = (tx: Executor): Promise<unknown> =>
  tx.execute(sql`select pg_advisory_xact_lock(${FINDINGS_LOCK})`);

/** PostgreSQL's JSON takes neither U+0000 nor halves of surrogate pairs; one such text must not stop a whole page. */
const storable = (text: string | null): string | null => text?.replaceAll('\u0000', '\ufffd').toWellFormed() ?? null;

/**
 * What is accepted stays accepted as long as nothing about it changes. A pass that does not ask FileMaker says nothing about
 * its value, and so does not change it.
 */
async function storeFindings(tx: Executor, run: ClaimedRun, findings: PageCommit['findings']): Promise<Seen[]> {
  if (findings.length === 0) return [];
  const given = JSON.stringify(
    findings.map((finding) => ({
      class: finding.class,
      object_id: finding.objectId,
      stripe_value: storable(finding.stripeValue),
      recorded_value: storable(finding.recordedValue),
      filemaker_value: storable(finding.filemakerValue),
      amount: finding.amount,
      currency: finding.currency,
      message: storable(finding.message),
      replay: finding.replay,
      before_start: finding.beforeStart ?? false,
    })),
  );
  const isAccepted = sql`a.flow = ${run.flow} and a.state = 'accepted' and a.class = g.class and a.object_id = g.object_id
    and a.stripe_value is not distinct from g.stripe_value and a.recorded_value is not distinct from g.recorded_value
    and (a.filemaker_value is null or g.filemaker_value is null or a.filemaker_value = g.filemaker_value)
    and a.amount = g.amount and a.currency = g.currency`;
  // Another run may have looked before the replay recorded it, and writes its page only now.
  const isJustRepaired = sql`z.flow = ${run.flow} and z.class = g.class and z.object_id = g.object_id and z.state = 'fixed'
    and z.fixed_run is null and z.fixed_at > clock_timestamp() - interval '10 minutes'`;
  const asRows = sql`jsonb_to_recordset(${given}::jsonb) as g (class text, object_id text, stripe_value text, recorded_value text,
    filemaker_value text, amount bigint, currency text, message text, replay jsonb, before_start boolean)`;
  await changed(
    tx,
    sql`update reconciliation.findings a set last_seen = clock_timestamp(), last_run = ${run.id},
          filemaker_value = coalesce(g.filemaker_value, a.filemaker_value) from ${asRows} where ${isAccepted}`,
  );
  return rows<Seen>(
    tx,
    sql`insert into reconciliation.findings as f (flow, class, object_id, stripe_value, recorded_value, filemaker_value, amount,
          currency, message, replay, before_start, first_run, last_run)
        select ${run.flow}, g.class, g.object_id, g.stripe_value, g.recorded_value, g.filemaker_value, g.amount,
          g.currency, g.message, nullif(g.replay, 'null'::jsonb), g.before_start, ${run.id}::bigint, ${run.id}::bigint
        from ${asRows} where not exists (select 1 from reconciliation.findings a where ${isAccepted})
          and not exists (select 1 from reconciliation.findings z where ${isJustRepaired})
        on conflict (flow, class, object_id) where state = 'open' do update set
          stripe_value = excluded.stripe_value, recorded_value = excluded.recorded_value,
          filemaker_value = coalesce(excluded.filemaker_value, f.filemaker_value), amount = excluded.amount,
          currency = excluded.currency, message = excluded.message, replay = excluded.replay,
          before_start = excluded.before_start, last_seen = clock_timestamp(), last_run = excluded.last_run
        returning id, class, object_id, (xmax = 0) as is_new, acted_at is not null as acted`,
  );
}

/** Whatever was compared and not found again is right by now. */
async function closeFindings(tx: Executor, run: ClaimedRun, compared: readonly Compared[], seen: readonly Seen[]) {
  const open = sql`${sql.param(seen.map(({ id }) => id))}::bigint[]`;
  let fixed = 0;
  for (const { objectIds, classes, byPerson = [] } of compared) {
    if (objectIds.length === 0) continue;
    fixed += await changed(
      tx,
      sql`update reconciliation.findings set state = 'fixed', fixed_at = clock_timestamp(), fixed_run = ${run.id}::bigint,
            fixed_how = case when object_id = any(${texts(byPerson)}) then 'by a person'
              when acted_at is not null then 'replayed' else 'by itself' end
          where state = 'open' and flow = ${run.flow} and object_id = any(${texts(objectIds)})
            and class = any(${texts(classes)}) and not id = any(${open})`,
    );
  }
  return fixed;
}

/**
 * Records the events that the missed webhooks would have been. Each finding has one of its own, so that a payment that is
 * lost twice is found and repaired twice, and one that is found again while its event is on its way is not repeated.
 */
async function recordMissed(
  tx: Executor,
  inbox: Pick<Inbox, 'record'>,
  findings: PageCommit['findings'],
  seen: readonly Seen[],
): Promise<{ id: string; eventId: string }[]> {
  const byKey = new Map(findings.map((finding) => [nameOf(finding), finding]));
  const due = seen.flatMap((row) => {
    const finding = byKey.get(`${row.class} ${row.object_id}`);
    if (row.acted || finding === undefined || finding.replay === null) return [];
    return [{ findingId: row.id, objectId: finding.objectId, replay: finding.replay }];
  });
  if (due.length === 0) return [];
  const recorded = await inbox.record(
    due.map(({ findingId, objectId, replay }) => {
      const eventId = `${replay.eventId}.${findingId}`;
      const body = {
        id: eventId,
        object: 'event',
        type: replay.eventType,
        livemode: replay.livemode,
        data: { object: replay.object },
      };
      return {
        source: 'reconciliation',
        peer: 'bridge',
        eventId,
        eventType: replay.eventType,
        account: null,
        livemode: replay.livemode,
        apiVersion: null,
        objectId,
        eventCreatedAt: replay.createdAt,
        body: Buffer.from(JSON.stringify(body), 'utf8'),
        ignoredBecause: null,
      };
    }),
    tx,
  );
  await changed(
    tx,
    sql`update reconciliation.findings f set acted_at = clock_timestamp(), inbox_id = r.inbox_id
        from unnest(${sql.param(due.map(({ findingId }) => findingId))}::bigint[],
          ${sql.param(recorded.map(({ id }) => id))}::bigint[]) as r (id, inbox_id)
        where f.id = r.id`,
  );
  return recorded.map(({ id, eventId }) => ({ id, eventId }));
}

/**
 * A page's findings, the events for what was missed, the counters and the cursor, all together or not at all. Throws
 * RunClaimLostError.
 */
export function commitPage(
  database: Database,
  inbox: Pick<Inbox, 'record'>,
  run: ClaimedRun,
  page: PageCommit,
): Promise<CommittedPage> {
  return database.transaction(async (tx) => {
    await lockFindings(tx);
    const findings = distinct(page.findings);
    const seen = await storeFindings(tx, run, findings);
    const fixed = await closeFindings(tx, run, page.compared, seen);
    const recorded = run.mode === 'act' ? await recordMissed(tx, inbox, findings, seen) : [];
    const opened = seen.filter((row) => row.is_new).length;
    const count = await changed(
      tx,
      sql`update reconciliation.runs set cursor = ${JSON.stringify(page.cursor ?? null)}::jsonb, share = ${page.share},
            listed = listed + ${page.listed}, checked = checked + ${page.checked}, unasked = unasked + ${page.unasked},
            pages = pages + 1, found = found + ${seen.length}, opened = opened + ${opened}, fixed = fixed + ${fixed},
            acted = acted + ${recorded.length}, stripe_calls = stripe_calls + ${page.stripeCalls},
            filemaker_finds = filemaker_finds + ${page.filemakerFinds}, failures = 0, moved_at = clock_timestamp()
          where ${heldRun(run)}`,
    );
    if (count !== 1) throw new RunClaimLostError(run.id);
    return { opened, fixed, recorded };
  });
}

/** A change that a replay has brought to its end. */
export interface Repair {
  flow: string;
  /** The object's id at Stripe. */
  objectId: string;
  /** When the change was planned, by PostgreSQL's clock: in the same commit our records took up what they had missed. */
  plannedAt: Date;
}

/**
 * Closes the findings that said that our records had missed this object, now that a replay has recorded it and its change is
 * done: no further comparison has to show that. Only those that an event puts right, and that nobody has seen since it was
 * planned; all others wait for the next comparison. Returns how many.
 */
export async function closeRepaired(database: Database, { flow, objectId, plannedAt }: Repair): Promise<number> {
  const repaired = sql`state = 'open' and flow = ${flow} and object_id = ${objectId}
    and (replay is not null or before_start) and last_seen < ${plannedAt.toISOString()}::timestamptz`;
  // Nearly always there is none, and then nobody else has to wait.
  const any = await oneRow(
    database.executor,
    sql`select 1 as one from reconciliation.findings where ${repaired} limit 1`,
  );
  if (any === undefined) return 0;
  return database.transaction(async (tx) => {
    await lockFindings(tx);
    return changed(
      tx,
      sql`update reconciliation.findings set state = 'fixed', fixed_at = clock_timestamp(), fixed_how = 'replayed' where ${repaired}`,
    );
  });
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
    sql`update reconciliation.findings set accepted_why = null where accepted_why is not null and object_id = any(${texts(objectIds)})`,
  );
}
