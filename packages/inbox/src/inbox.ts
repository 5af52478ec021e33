import { changed, type Database, type Executor, oneRow, quickCommit, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';

export type EventState = 'received' | 'processing' | 'processed' | 'ignored' | 'parked';
export type EventSource = 'webhook' | 'pull' | 'operator' | 'reconciliation';

/** One arrival at the door, verified and described, its body as the bytes that came. */
export interface Delivery {
  source: EventSource;
  peer: 'stripe' | 'amberflo' | 'bridge';
  eventId: string;
  eventType: string;
  /** The connected account that Stripe names; null for the bridge's own. */
  account: string | null;
  livemode: boolean;
  apiVersion: string | null;
  objectId: string | null;
  eventCreatedAt: Date | null;
  body: Buffer;
  /** A reason code stores the row as ignored, for instance `UNWANTED_TYPE` or `OTHER_LIVEMODE`. */
  ignoredBecause: string | null;
}

export interface Recorded {
  id: string;
  eventId: string;
  outcome: 'new' | 'duplicate';
  state: EventState;
}

/** An event in hand. Only the holder of the latest claim number can finish or release it. */
export interface ClaimedEvent {
  id: string;
  eventId: string;
  eventType: string;
  source: EventSource;
  account: string | null;
  livemode: boolean;
  apiVersion: string | null;
  objectId: string | null;
  eventCreatedAt: Date | null;
  receivedAt: Date;
  starts: number;
  /** Whose claim it is, and its number: both, since a number may come again after a crash of PostgreSQL. */
  worker: string;
  claimNo: string;
  body: Buffer;
}

export type ClaimResult =
  | { kind: 'claimed'; event: ClaimedEvent }
  | { kind: 'parked'; reasonCode: string; reason: string }
  | { kind: 'nothing'; because: 'finished' | 'in hand' | 'not due' | 'unknown id'; dueInMs?: number };

export type Finish =
  | { state: 'processed' }
  | { state: 'ignored'; reasonCode: string; reason: string }
  | { state: 'parked'; reasonCode: string; reason: string };

/** Another worker has taken the row meanwhile; whatever this one did in the same transaction must be undone. */
export class EventClaimLostError extends Error {
  readonly code = 'EVENT_CLAIM_LOST';
  constructor(id: string) {
    super(`Inbox row ${id} was claimed by another worker meanwhile`);
    this.name = 'EventClaimLostError';
  }
}

/** Eight starts without an end: something about this event kills its worker or never succeeds. A person looks. */
export const STARTS_MAX = 8;
const REJECTIONS_KEPT = 1_000;

export interface DueEvent {
  id: string;
  eventId: string;
  run: number;
  /** False: no job was ever seen for this run, so one can be added without asking the queue. */
  queued: boolean;
}

export interface EventSummary {
  id: string;
  eventId: string;
  eventType: string;
  source: EventSource;
  state: EventState;
  livemode: boolean;
  objectId: string | null;
  deliveries: number;
  starts: number;
  reasonCode: string | null;
  reason: string | null;
  receivedAt: Date;
  finishedAt: Date | null;
}

/** What to list; a row must fit everything that is given. */
export interface EventFilter {
  state?: EventState;
  /** Exactly, or the beginning when it ends with `*`. */
  type?: string;
  objectId?: string;
  source?: EventSource;
  /** Arrived at or after. */
  since?: Date;
  /** Arrived before. */
  until?: Date;
  /** The beginning of Stripe's event id. */
  eventIdPrefix?: string;
  /** Rows older than this one: the `id` of the last row of the page before. */
  before?: string;
  limit: number;
}

/** A request that was refused at the door, without its body. */
export interface Rejection {
  id: string;
  receivedAt: Date;
  /** A code: `SIGNATURE_MISMATCH`, `BODY_TOO_LARGE`, … */
  reason: string;
  bytes: number;
  /** The address it came from. */
  remote: string | null;
}

export interface Inbox {
  /**
   * Stores deliveries in one statement. A repeated event id adds no row; if its row is unfinished it becomes due at once.
   * Resolves after the commit, in the order of the input.
   */
  record(deliveries: readonly Delivery[], executor?: Executor): Promise<Recorded[]>;
  recordRejection(rejection: { reason: string; bytes: number; remote?: string }): Promise<void>;
  /** Of these event ids, those that have no row, or one that was ignored for the configuration of its day. */
  missing(eventIds: readonly string[]): Promise<string[]>;
  /** Takes a row for work and counts the start. The ninth start parks it instead. */
  claim(id: string, worker: string): Promise<ClaimResult>;
  /** Ends the work, in the transaction that holds its results. Throws EventClaimLostError. */
  finish(executor: Executor, event: Pick<ClaimedEvent, 'id' | 'worker' | 'claimNo'>, finish: Finish): Promise<void>;
  /** Puts the row back until later. `costs: false` takes the start back: the event was not at fault. */
  release(
    event: Pick<ClaimedEvent, 'id' | 'worker' | 'claimNo'>,
    options: { afterMs: number; costs: boolean; reasonCode: string; reason: string },
  ): Promise<void>;
  /**
   * Frees what dead workers held, never the caller's own. Returns how many rows. `silentToo: false`: only of those known
   * to have ended, for a caller that may not judge by silence yet.
   */
  recoverDead(caller: string, judged?: { silentToo: boolean }): Promise<number>;
  /**
   * Frees what this living worker holds by its mark but not in its hand, because an answer of PostgreSQL was lost.
   * `inHand` is asked after the rows were read, so that a claim made meanwhile is never taken for a lost one.
   */
  recoverLost(worker: string, inHand: () => readonly string[]): Promise<number>;
  /** Due rows that have no job for sure or were last looked at longer ago than `lookedAtMs`; the oldest first. */
  due(limit: number, lookedAtMs: number): Promise<DueEvent[]>;
  /** A job stands for these rows. */
  markQueued(ids: readonly string[]): Promise<void>;
  /** The jobs of these rows are gone or used up: the next job gets a new id. Returns the rows with their new run. */
  replan(ids: readonly string[]): Promise<DueEvent[]>;
  /** After the queue was lost: every unfinished row needs a job again. */
  forgetQueued(): Promise<number>;
  /**
   * A person's word: a finished or parked row is worked on once more, as the operator's (what it leads to begins with a
   * question to the peer). False: it is in hand, not there, or its body is erased.
   */
  reprocess(id: string, within?: Executor): Promise<boolean>;
  /** By row id or event id. */
  find(idOrEventId: string): Promise<EventSummary | undefined>;
  /** The bytes as they came; undefined when there is no such row, null when they are erased. */
  bodyOf(id: string): Promise<Buffer | null | undefined>;
  /** Whether an event about this object is still to be worked on. */
  hasUnfinished(objectId: string): Promise<boolean>;
  /** Of these objects, the ones about which an event is still to be worked on. */
  unfinishedAmong(objectIds: readonly string[]): Promise<Set<string>>;
  /** The newest first. */
  list(filter: EventFilter): Promise<EventSummary[]>;
  /** Requests that were refused at the door, the newest first; the last 1,000 are kept. */
  rejections(filter: { before?: string; limit: number }): Promise<Rejection[]>;
  /**
   * Erases the bodies of rows that are finished and arrived before `before`, going on behind the row `after`. Keeps their
   * SHA-256. Returns how many, and the last row that was looked at: undefined when there are no more.
   */
  eraseBodies(batch: { before: Date; after: string; limit: number }): Promise<{ erased: number; last?: string }>;
  counts(): Promise<Record<EventState, number>>;
  /** Age of the oldest unfinished row in seconds; 0 when there is none. */
  oldestUnfinishedSeconds(): Promise<number>;
}

const idArray = (ids: readonly string[]): SQL => sql`${sql.param(ids)}::bigint[]`;

/** In `recordText`: e is the row that is there, excluded the delivery that came now. */
const wantedNow = `(e.state = 'ignored' and e.reason_code in ('UNWANTED_TYPE', 'OTHER_LIVEMODE') and excluded.state = 'received')`;
const waiting = `(e.state = 'received' and e.due_at > clock_timestamp())`;

/**
 * A batch comes as one array per column, so that the text is the same for one delivery and for a hundred: PostgreSQL
 * plans it once, and values row by row cost more to write here and to read there than the insert itself. The bodies
 * travel as one value, end to end, since an array of bytes would be written as text; the rows say where each begins.
 * The text is whole and not built by drizzle, which took 5 % of a webhook's CPU.
 */
const recordText = `
insert into inbox.events as e (source, peer, event_id, event_type, account, livemode, api_version, object_id,
  event_created_at, deliveries, body, state, reason_code, finished_at)
select source, peer, event_id, event_type, account, livemode, api_version, object_id,
  event_created_at, deliveries, substring($1::bytea from body_from for body_bytes),
  case when ignored_because is null then 'received' else 'ignored' end, ignored_because,
  case when ignored_because is null then null else clock_timestamp() end
from unnest($2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[],
    $10::text[], $11::text[], $12::timestamptz[], $13::integer[], $14::text[])
  as arrived (body_from, body_bytes, source, peer, event_id, event_type, account, livemode,
    api_version, object_id, event_created_at, deliveries, ignored_because)
on conflict (event_id) do update set
  deliveries = e.deliveries + excluded.deliveries,
  last_delivery_at = clock_timestamp(),
  -- Ignored for the configuration of that day (a flow that was off, a key of the other mode) and wanted now.
  state = case when ${wantedNow} then 'received' else e.state end,
  finished_at = case when ${wantedNow} then null else e.finished_at end,
  reason_code = case when ${wantedNow} then null else e.reason_code end,
  due_at = case when ${wantedNow} then clock_timestamp()
    when e.state in ('received', 'processing') then least(e.due_at, clock_timestamp()) else e.due_at end,
  -- A job that waits for later would swallow the resend, so the row gets a new run and with it a new job.
  run = case when ${wantedNow} or ${waiting} then e.run + 1 else e.run end,
  queued_at = case when ${wantedNow} or ${waiting} then null else e.queued_at end,
  -- Erased while nobody wanted it.
  body = coalesce(e.body, case when ${wantedNow} then excluded.body end)
returning id, event_id, state, (xmax = 0) as is_new`;

interface RecordedRow {
  id: string;
  event_id: string;
  state: EventState;
  is_new: boolean;
}

/** The values of `recordText`. */
function recordValues(batch: readonly { delivery: Delivery; times: number }[]): unknown[] {
  const deliveries = batch.map(({ delivery }) => delivery);
  let next = 1;
  const starts = deliveries.map(({ body }) => {
    const start = next;
    next += body.length;
    return start;
  });
  return [
    Buffer.concat(deliveries.map(({ body }) => body)),
    starts,
    deliveries.map(({ body }) => body.length),
    deliveries.map(({ source }) => source),
    deliveries.map(({ peer }) => peer),
    deliveries.map(({ eventId }) => eventId),
    deliveries.map(({ eventType }) => eventType),
    deliveries.map(({ account }) => account),
    deliveries.map(({ livemode }) => livemode),
    deliveries.map(({ apiVersion }) => apiVersion),
    deliveries.map(({ objectId }) => objectId),
    deliveries.map(({ eventCreatedAt }) => eventCreatedAt?.toISOString() ?? null),
    batch.map(({ times }) => times),
    deliveries.map(({ ignoredBecause }) => ignoredBecause),
  ];
}

interface EventRow {
  id: string;
  event_id: string;
  event_type: string;
  source: EventSource;
  account: string | null;
  livemode: boolean;
  api_version: string | null;
  object_id: string | null;
  event_created_at: string | null;
  received_at: string;
  starts: number;
  claim_no: string;
  body: Buffer | null;
}

interface SummaryRow {
  id: string;
  event_id: string;
  event_type: string;
  source: EventSource;
  state: EventState;
  livemode: boolean;
  object_id: string | null;
  deliveries: number;
  starts: number;
  reason_code: string | null;
  reason: string | null;
  received_at: string;
  finished_at: string | null;
}

const summaryColumns = sql`id, event_id, event_type, source, state, livemode, object_id, deliveries, starts, reason_code, reason,
  received_at, finished_at`;

function summaryOf(row: SummaryRow): EventSummary {
  return {
    id: row.id,
    eventId: row.event_id,
    eventType: row.event_type,
    source: row.source,
    state: row.state,
    livemode: row.livemode,
    objectId: row.object_id,
    deliveries: row.deliveries,
    starts: row.starts,
    reasonCode: row.reason_code,
    reason: row.reason,
    receivedAt: new Date(row.received_at),
    finishedAt: row.finished_at === null ? null : new Date(row.finished_at),
  };
}

/** The beginning of a text, taken literally. */
const beginningOf = (text: string): string => `${text.replace(/[\\%_]/g, '\\$&')}%`;

function conditionsOf(filter: EventFilter): SQL[] {
  const { state, type, objectId, source, since, until, eventIdPrefix, before } = filter;
  const conditions: SQL[] = [];
  if (state !== undefined) conditions.push(sql`state = ${state}`);
  if (type?.endsWith('*') === true) conditions.push(sql`event_type like ${beginningOf(type.slice(0, -1))}`);
  else if (type !== undefined) conditions.push(sql`event_type = ${type}`);
  if (objectId !== undefined) conditions.push(sql`object_id = ${objectId}`);
  if (source !== undefined) conditions.push(sql`source = ${source}`);
  if (since !== undefined) conditions.push(sql`received_at >= ${since.toISOString()}::timestamptz`);
  if (until !== undefined) conditions.push(sql`received_at < ${until.toISOString()}::timestamptz`);
  if (eventIdPrefix !== undefined) conditions.push(sql`event_id like ${beginningOf(eventIdPrefix)}`);
  if (before !== undefined) conditions.push(sql`id < ${before}::bigint`);
  return conditions;
}

export function createInbox(database: Database): Inbox {
  const { executor } = database;

  async function whyNotClaimed(id: string): Promise<ClaimResult> {
    const row = await oneRow<{
      state: EventState;
      starts: number;
      due_in_ms: number;
      reason_code: string | null;
      reason: string | null;
    }>(
      executor,
      sql`select state, starts, reason_code, reason, (extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as due_in_ms from inbox.events where id = ${id}`,
    );
    if (row === undefined) return { kind: 'nothing', because: 'unknown id' };
    if (row.state === 'parked') return { kind: 'parked', reasonCode: row.reason_code ?? '', reason: row.reason ?? '' };
    if (row.state === 'processing') return { kind: 'nothing', because: 'in hand' };
    if (row.state === 'received') return { kind: 'nothing', because: 'not due', dueInMs: Math.max(0, row.due_in_ms) };
    return { kind: 'nothing', because: 'finished' };
  }

  const recover = (lost: SQL): Promise<number> =>
    changed(
      executor,
      sql`update inbox.events set state = 'received', claimed_by = null, due_at = clock_timestamp(), queued_at = null, run = run + 1
          where state = 'processing' and ${lost}`,
    );

  return {
    record: async (deliveries, within) => {
      if (deliveries.length === 0) return [];
      // One statement cannot touch one row twice, so repeats inside the batch are counted here.
      const first = new Map<string, { delivery: Delivery; times: number }>();
      for (const delivery of deliveries) {
        const seen = first.get(delivery.eventId);
        if (seen === undefined) first.set(delivery.eventId, { delivery, times: 1 });
        else seen.times += 1;
      }
      const { $client } = within ?? executor;
      const { rows: stored } = await $client.query<RecordedRow>({
        name: 'bridge_inbox_record',
        text: recordText,
        values: recordValues([...first.values()]),
      });
      const byEventId = new Map(stored.map((row) => [row.event_id, row]));
      const told = new Set<string>();
      return deliveries.map(({ eventId }) => {
        const row = byEventId.get(eventId);
        if (row === undefined) throw new Error(`The inbox did not return event ${eventId}`);
        const outcome = row.is_new && !told.has(eventId) ? 'new' : 'duplicate';
        told.add(eventId);
        return { id: row.id, eventId, outcome, state: row.state };
      });
    },

    recordRejection: async ({ reason, bytes, remote }) => {
      await executor.execute(
        sql`insert into inbox.rejections (reason, bytes, remote) values (${reason}, ${bytes}, ${remote ?? null})`,
      );
      await executor.execute(
        sql`delete from inbox.rejections where id <= (select id from inbox.rejections order by id desc offset ${REJECTIONS_KEPT} limit 1)`,
      );
    },

    missing: async (eventIds) => {
      if (eventIds.length === 0) return [];
      const found = await rows<{ event_id: string }>(
        executor,
        sql`select wanted.event_id from unnest(${sql.param(eventIds)}::text[]) as wanted (event_id)
            left join inbox.events e on e.event_id = wanted.event_id
            where e.id is null or (e.state = 'ignored' and e.reason_code in ('UNWANTED_TYPE', 'OTHER_LIVEMODE'))`,
      );
      return found.map((row) => row.event_id);
    },

    claim: async (id, worker) => {
      const row = await oneRow<EventRow>(
        executor,
        sql`with ${quickCommit}
            update inbox.events set state = 'processing', starts = starts + 1, claimed_by = ${worker}, claim_no = nextval('claims.claim_no'),
              reason_code = null, reason = null
            from quick where id = ${id} and due_at <= clock_timestamp() and starts < ${STARTS_MAX}
              and (state = 'received' or (state = 'processing' and not claims.is_alive(claimed_by)))
            returning id, event_id, event_type, source, account, livemode, api_version, object_id, event_created_at, received_at, starts, claim_no, body`,
      );
      if (row === undefined) {
        const reason = `Started ${STARTS_MAX} times without an end`;
        const parked = await changed(
          executor,
          sql`update inbox.events set state = 'parked', claimed_by = null, reason_code = 'TOO_MANY_STARTS',
                reason = ${reason} || coalesce('; last: ' || reason, ''), finished_at = clock_timestamp()
              where id = ${id} and starts >= ${STARTS_MAX} and due_at <= clock_timestamp()
                and (state = 'received' or (state = 'processing' and not claims.is_alive(claimed_by)))`,
        );
        return parked === 1 ? { kind: 'parked', reasonCode: 'TOO_MANY_STARTS', reason } : whyNotClaimed(id);
      }
      return {
        kind: 'claimed',
        event: {
          id: row.id,
          eventId: row.event_id,
          eventType: row.event_type,
          source: row.source,
          account: row.account,
          livemode: row.livemode,
          apiVersion: row.api_version,
          objectId: row.object_id,
          eventCreatedAt: row.event_created_at === null ? null : new Date(row.event_created_at),
          receivedAt: new Date(row.received_at),
          starts: row.starts,
          worker,
          claimNo: row.claim_no,
          body: row.body ?? Buffer.alloc(0),
        },
      };
    },

    finish: async (within, event, finish) => {
      const count = await changed(
        within,
        sql`update inbox.events set state = ${finish.state}, claimed_by = null, finished_at = clock_timestamp(),
              reason_code = ${'reasonCode' in finish ? finish.reasonCode : null}, reason = ${'reason' in finish ? finish.reason : null}
            where id = ${event.id} and claim_no = ${event.claimNo} and claimed_by = ${event.worker} and state = 'processing'`,
      );
      if (count !== 1) throw new EventClaimLostError(event.id);
    },

    release: async (event, { afterMs, costs, reasonCode, reason }) => {
      await changed(
        executor,
        sql`update inbox.events set state = 'received', claimed_by = null, starts = starts - ${costs ? 0 : 1},
              due_at = clock_timestamp() + make_interval(secs => ${afterMs / 1000}::float8), reason_code = ${reasonCode}, reason = ${reason}
            where id = ${event.id} and claim_no = ${event.claimNo} and claimed_by = ${event.worker} and state = 'processing'`,
      );
    },

    recoverDead: (caller, { silentToo } = { silentToo: true }) => {
      const dead = silentToo ? sql`not claims.is_alive(claimed_by)` : sql`claims.has_ended(claimed_by)`;
      return recover(sql`claimed_by <> ${caller} and ${dead}`);
    },

    recoverLost: async (worker, inHand) => {
      const held = await rows<{ id: string; claim_no: string }>(
        executor,
        sql`select id, claim_no from inbox.events where state = 'processing' and claimed_by = ${worker}`,
      );
      const hand = new Set(inHand());
      const lost = held.filter((row) => !hand.has(row.id)).map((row) => row.claim_no);
      return lost.length === 0 ? 0 : recover(sql`claimed_by = ${worker} and claim_no = any(${idArray(lost)})`);
    },

    due: async (limit, lookedAtMs) => {
      const found = await rows<{ id: string; event_id: string; run: number; queued: boolean }>(
        executor,
        sql`select id, event_id, run, queued_at is not null as queued from inbox.events
            where state = 'received' and due_at <= clock_timestamp()
              and (queued_at is null or queued_at < clock_timestamp() - make_interval(secs => ${lookedAtMs / 1000}::float8))
            order by queued_at nulls first, id limit ${limit}`,
      );
      return found.map((row) => ({ id: row.id, eventId: row.event_id, run: row.run, queued: row.queued }));
    },

    markQueued: async (ids) => {
      if (ids.length === 0) return;
      await changed(
        executor,
        sql`with ${quickCommit}
            update inbox.events set queued_at = clock_timestamp() from quick where id = any(${idArray(ids)})`,
      );
    },

    replan: async (ids) => {
      if (ids.length === 0) return [];
      const found = await rows<{ id: string; event_id: string; run: number }>(
        executor,
        sql`update inbox.events set run = run + 1, queued_at = null where id = any(${idArray(ids)}) and state = 'received'
            returning id, event_id, run`,
      );
      return found.map((row) => ({ id: row.id, eventId: row.event_id, run: row.run, queued: false }));
    },

    forgetQueued: () =>
      changed(
        executor,
        sql`update inbox.events set queued_at = null where state in ('received', 'processing') and queued_at is not null`,
      ),

    reprocess: async (id, within) =>
      (await changed(
        within ?? executor,
        sql`update inbox.events set state = 'received', source = 'operator', starts = 0, due_at = clock_timestamp(),
              queued_at = null, run = run + 1, finished_at = null, reason_code = null, reason = null
            where id = ${id} and state in ('processed', 'ignored', 'parked') and body is not null`,
      )) === 1,

    find: async (idOrEventId) => {
      const by = /^\d{1,18}$/.test(idOrEventId) ? sql`id = ${idOrEventId}` : sql`event_id = ${idOrEventId}`;
      const row = await oneRow<SummaryRow>(executor, sql`select ${summaryColumns} from inbox.events where ${by}`);
      return row === undefined ? undefined : summaryOf(row);
    },

    bodyOf: async (id) => {
      const row = await oneRow<{ body: Buffer | null }>(executor, sql`select body from inbox.events where id = ${id}`);
      return row?.body;
    },

    hasUnfinished: async (objectId) => {
      const row = await oneRow<{ there: boolean }>(
        executor,
        sql`select exists (select 1 from inbox.events where object_id = ${objectId} and state in ('received', 'processing')) as there`,
      );
      return row?.there ?? false;
    },

    unfinishedAmong: async (objectIds) => {
      if (objectIds.length === 0) return new Set();
      const found = await rows<{ object_id: string }>(
        executor,
        sql`select distinct object_id from inbox.events
            where object_id = any(${sql.param(objectIds)}::text[]) and state in ('received', 'processing')`,
      );
      return new Set(found.map((row) => row.object_id));
    },

    list: async (filter) => {
      const conditions = conditionsOf(filter);
      const where = conditions.length === 0 ? sql`` : sql`where ${sql.join(conditions, sql` and `)}`;
      const found = await rows<SummaryRow>(
        executor,
        sql`select ${summaryColumns} from inbox.events ${where} order by id desc limit ${filter.limit}`,
      );
      return found.map(summaryOf);
    },

    rejections: async ({ before, limit }) => {
      const found = await rows<Omit<Rejection, 'receivedAt'> & { received_at: string }>(
        executor,
        sql`select id, received_at, reason, bytes, remote from inbox.rejections
            where ${before ?? null}::bigint is null or id < ${before ?? null}::bigint order by id desc limit ${limit}`,
      );
      return found.map(({ received_at, ...row }) => ({ ...row, receivedAt: new Date(received_at) }));
    },

    eraseBodies: async ({ before, after, limit }) => {
      const row = await oneRow<{ erased: number; last: string | null }>(
        executor,
        sql`with looked as (
              select id, body is not null and state in ('processed', 'ignored') as erasable from inbox.events
              where id > ${after}::bigint and received_at < ${before.toISOString()}::timestamptz order by id limit ${limit}),
            erased as (
              update inbox.events e set body = null, body_sha256 = sha256(e.body) from looked
              where e.id = looked.id and looked.erasable and e.body is not null and e.state in ('processed', 'ignored')
              returning 1)
            select (select count(*)::int from erased) as erased, (select max(id)::text from looked) as last`,
      );
      const last = row?.last ?? undefined;
      return { erased: row?.erased ?? 0, ...(last === undefined ? {} : { last }) };
    },

    counts: async () => {
      const counts: Record<EventState, number> = { received: 0, processing: 0, processed: 0, ignored: 0, parked: 0 };
      const found = await rows<{ state: EventState; n: number }>(
        executor,
        sql`select state, count(*)::int as n from inbox.events group by state`,
      );
      for (const row of found) counts[row.state] = row.n;
      return counts;
    },

    oldestUnfinishedSeconds: async () => {
      const row = await oneRow<{ seconds: number }>(
        executor,
        sql`select coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0)::float8 as seconds
            from inbox.events where state in ('received', 'processing')`,
      );
      return row?.seconds ?? 0;
    },
  };
}
