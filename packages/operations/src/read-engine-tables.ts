import { type Database, type Executor, oneRow, rows } from '@bridge/database';
import type { EffectState } from '@bridge/effects';
import type { EventState } from '@bridge/inbox';
import { type SQL, sql } from 'drizzle-orm';

// Questions to tables of other owners that their packages do not answer yet. Reading only; all of them stand here, so
// that a change of such a table finds its reader.

export interface EffectRow {
  id: string;
  kind: string;
  title: string;
  state: EffectState;
  target: unknown;
  attempts: number;
  /** It came from recovery and the peer has not been asked yet: it may have run before the bridge knew of it. */
  checkFirst: boolean;
  reasonCode: string | null;
  reason: string | null;
}

const effectRowColumns = sql`id, kind, title, state, target, attempts, check_first as "checkFirst", reason_code as "reasonCode", reason`;
const idArray = (ids: readonly string[]): SQL =>
  sql`array[${sql.join(
    ids.map((id) => sql`${id}`),
    sql`, `,
  )}]::text[]::bigint[]`;

/** Reads an effect that is about to be decided; nobody else changes it until the transaction ends. */
export function lockEffect(tx: Executor, id: string): Promise<EffectRow | undefined> {
  return oneRow<EffectRow>(tx, sql`select ${effectRowColumns} from effects.effects where id = ${id} for update`);
}

export async function readEffectRows(database: Database, ids: readonly string[]): Promise<EffectRow[]> {
  if (ids.length === 0) return [];
  return rows<EffectRow>(
    database.executor,
    sql`select ${effectRowColumns} from effects.effects where id = any(${idArray(ids)}) order by id`,
  );
}

/** An effect with the bytes that were frozen for it; null once they are erased. Customer data. */
export interface FrozenEffect extends EffectRow {
  key: string;
  verified: boolean | null;
  body: string | null;
}

export async function readFrozenEffects(executor: Executor, keys: readonly string[]): Promise<FrozenEffect[]> {
  if (keys.length === 0) return [];
  const found = await rows<EffectRow & { key: string; verified: boolean | null; body: Buffer | null }>(
    executor,
    sql`select ${effectRowColumns}, key, verified, body from effects.effects where key = any(array[${sql.join(
      keys.map((key) => sql`${key}`),
      sql`, `,
    )}]::text[])`,
  );
  return found.map((row) => ({ ...row, body: row.body?.toString('utf8') ?? null }));
}

/** Reads how an event that is about to be decided stands; nobody else changes it until the transaction ends. */
export async function lockEvent(tx: Executor, id: string): Promise<EventState | undefined> {
  const row = await oneRow<{ state: EventState }>(tx, sql`select state from inbox.events where id = ${id} for update`);
  return row?.state;
}

export interface EventRow {
  id: string;
  eventId: string;
  eventType: string;
  state: EventState;
  /** Its body is gone: it cannot be read again. */
  erased: boolean;
}

export async function readEventRows(database: Database, ids: readonly string[]): Promise<EventRow[]> {
  if (ids.length === 0) return [];
  return rows<EventRow>(
    database.executor,
    sql`select id, event_id as "eventId", event_type as "eventType", state, body is null as erased from inbox.events
        where id = any(${idArray(ids)}) order by id`,
  );
}

/** What a list does not show of an effect. */
export interface EffectDetails {
  /** Where and how, as it was frozen when planned. */
  target: unknown;
  /** The peer is asked before it is sent. */
  checkFirst: boolean;
  /** The peer is only asked: it is never sent without a person's word. */
  askOnly: boolean;
  dueAt: Date;
  firstSentAt: Date | null;
  lastSentAt: Date | null;
  unknownSince: Date | null;
  /** A worker is at it now. */
  inHand: boolean;
  /** What the peer answered, or who decided and why. */
  result: unknown;
}

const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

export async function readEffectDetails(database: Database, id: string): Promise<EffectDetails | undefined> {
  const row = await oneRow<{
    target: unknown;
    check_first: boolean;
    ask_only: boolean;
    due_at: string;
    first_sent_at: string | null;
    last_sent_at: string | null;
    unknown_since: string | null;
    in_hand: boolean;
    result: unknown;
  }>(
    database.executor,
    sql`select target, check_first, ask_only, due_at, first_sent_at, last_sent_at, unknown_since, result,
          claimed_by is not null and claims.is_alive(claimed_by) as in_hand
        from effects.effects where id = ${id}`,
  );
  if (row === undefined) return undefined;
  return {
    target: row.target,
    checkFirst: row.check_first,
    askOnly: row.ask_only,
    dueAt: new Date(row.due_at),
    firstSentAt: date(row.first_sent_at),
    lastSentAt: date(row.last_sent_at),
    unknownSince: date(row.unknown_since),
    inHand: row.in_hand,
    result: row.result,
  };
}

/** What a list does not show of an event, without its body. */
export interface EventDetails {
  account: string | null;
  apiVersion: string | null;
  eventCreatedAt: Date | null;
  lastDeliveryAt: Date;
  dueAt: Date;
  /** Null once the body is erased. */
  bodyBytes: number | null;
}

export async function readEventDetails(database: Database, id: string): Promise<EventDetails | undefined> {
  const row = await oneRow<{
    account: string | null;
    api_version: string | null;
    event_created_at: string | null;
    last_delivery_at: string;
    due_at: string;
    body_bytes: number | null;
  }>(
    database.executor,
    sql`select account, api_version, event_created_at, last_delivery_at, due_at, octet_length(body) as body_bytes
        from inbox.events where id = ${id}`,
  );
  if (row === undefined) return undefined;
  return {
    account: row.account,
    apiVersion: row.api_version,
    eventCreatedAt: date(row.event_created_at),
    lastDeliveryAt: new Date(row.last_delivery_at),
    dueAt: new Date(row.due_at),
    bodyBytes: row.body_bytes,
  };
}

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

/** A row that waits for a person, with what its job on the queue board is made of. */
export interface ParkedRow {
  id: string;
  /** Part of its job's id, together with the row's or the event's. */
  run: number;
  /** Of events only. */
  eventId: string | null;
  reasonCode: string;
  reason: string | null;
  /** When the effect was planned, or the event arrived. */
  since: Date;
}

/** Those of these rows that are parked now, or the next `limit` parked ones after an id, in the order of their ids. */
export async function readParked(
  database: Database,
  of: 'effects' | 'events',
  which: { ids: readonly string[] } | { after: string; limit: number },
): Promise<ParkedRow[]> {
  if ('ids' in which && which.ids.length === 0) return [];
  const columns =
    of === 'effects'
      ? sql`id, run, null as event_id, reason_code, reason, planned_at as since from effects.effects`
      : sql`id, run, event_id, reason_code, reason, received_at as since from inbox.events`;
  const condition =
    'ids' in which
      ? sql`id = any(${idArray(which.ids)}) order by id`
      : sql`id > ${which.after}::bigint order by id limit ${which.limit}`;
  const found = await rows<{
    id: string;
    run: number;
    event_id: string | null;
    reason_code: string;
    reason: string | null;
    since: string;
  }>(database.executor, sql`select ${columns} where state = 'parked' and ${condition}`);
  return found.map(({ event_id, reason_code, since, ...row }) => ({
    ...row,
    eventId: event_id,
    reasonCode: reason_code,
    since: new Date(since),
  }));
}

export async function countUnverified(database: Database): Promise<number> {
  const row = await oneRow<{ n: number }>(
    database.executor,
    sql`select count(*)::int as n from effects.effects where state = 'done' and not verified`,
  );
  return row?.n ?? 0;
}

export interface LivingProcess {
  id: string;
  app: string;
  host: string;
  pid: number;
  startedAt: Date;
}

/** Processes whose heartbeat is heard, and which apps were ever heard of. */
export async function readProcesses(database: Database): Promise<{ living: LivingProcess[]; everSeen: string[] }> {
  const found = await rows<Omit<LivingProcess, 'startedAt'> & { started_at: string; alive: boolean }>(
    database.executor,
    sql`select id, app, host, pid, started_at, claims.is_alive(id) as alive from claims.workers order by app, started_at`,
  );
  const living = found
    .filter((row) => row.alive)
    .map(({ id, app, host, pid, started_at }) => ({ id, app, host, pid, startedAt: new Date(started_at) }));
  return { living, everSeen: [...new Set(found.map((row) => row.app))] };
}

/** FileMaker sessions by what PostgreSQL knows of them. All count against FILEMAKER_MAX_SESSIONS. */
export interface SessionCensus {
  opening: number;
  /** Open and not on loan. */
  idle: number;
  leased: number;
  closing: number;
}

export async function readSessionCensus(database: Database): Promise<SessionCensus> {
  const row = await oneRow<SessionCensus>(
    database.executor,
    sql`select count(*) filter (where state = 'opening')::int as opening,
          count(*) filter (where state = 'open' and lease_id is null)::int as idle,
          count(*) filter (where state = 'open' and lease_id is not null)::int as leased,
          count(*) filter (where state = 'closing')::int as closing
        from session_pool.sessions`,
  );
  return row ?? { opening: 0, idle: 0, leased: 0, closing: 0 };
}

/** A right to a FileMaker session as it stands in PostgreSQL; the token stays sealed there. */
export interface SessionRow {
  id: string;
  /** `opening` before the login is answered, `idle` open and not on loan, `leased`, `closing` before the logout is answered. */
  state: 'opening' | 'idle' | 'leased' | 'closing';
  openedAt: Date;
  /** The last call that FileMaker answered, as far as PostgreSQL was told; null while it is opening. */
  answeredAt: Date | null;
  /** Who has it on loan, since when: a process as `app host:pid`, or its number when it is not known any more. */
  leasedBy: string | null;
  leasedAt: Date | null;
  /** False: its holder is dead, and the session is about to be taken back. */
  holderAlive: boolean | null;
}

export async function readSessionRows(database: Database): Promise<SessionRow[]> {
  const found = await rows<{
    id: string;
    state: SessionRow['state'];
    opened_at: string;
    answered_at: string | null;
    leased_by: string | null;
    leased_at: string | null;
    holder_alive: boolean | null;
  }>(
    database.executor,
    sql`select s.id::text, case when s.state = 'open' then case when s.lease_id is null then 'idle' else 'leased' end
            else s.state end as state,
          s.opened_at, s.answered_at, case when s.lease_id is null then null else s.leased_at end as leased_at,
          coalesce(w.app || ' ' || w.host || ':' || w.pid, s.leased_by) as leased_by,
          case when s.leased_by is null then null else claims.is_alive(s.leased_by) end as holder_alive
        from session_pool.sessions s left join claims.workers w on w.id = s.leased_by
        order by s.id`,
  );
  return found.map((row) => ({
    id: row.id,
    state: row.state,
    openedAt: new Date(row.opened_at),
    answeredAt: date(row.answered_at),
    leasedBy: row.leased_by,
    leasedAt: date(row.leased_at),
    holderAlive: row.holder_alive,
  }));
}

/** Why nobody may log in to FileMaker just now, and how many places a full server has taken away for a while. */
export interface PoolHold {
  heldUntil: Date | null;
  heldBecause: string | null;
  placesTaken: number;
  placesTakenAt: Date | null;
}

export async function readPoolHold(database: Database): Promise<PoolHold> {
  const row = await oneRow<{
    held_until: string | null;
    held_because: string | null;
    shrunk_by: number;
    shrunk_at: string | null;
  }>(
    database.executor,
    sql`select case when held_until > clock_timestamp() then held_until end as held_until,
          case when held_until > clock_timestamp() then held_because end as held_because,
          shrunk_by, shrunk_at from session_pool.pool`,
  );
  return {
    heldUntil: date(row?.held_until ?? null),
    heldBecause: row?.held_because ?? null,
    placesTaken: row?.shrunk_by ?? 0,
    placesTakenAt: date(row?.shrunk_at ?? null),
  };
}

/** The fingerprint of the peer this database belongs to; null before the first worker has met it. */
export async function readPeerFingerprint(database: Database, peer: 'stripe' | 'filemaker'): Promise<string | null> {
  const column = peer === 'stripe' ? sql`stripe_fingerprint` : sql`filemaker_fingerprint`;
  const row = await oneRow<{ print: string | null }>(
    database.executor,
    sql`select ${column} as print from installation.installation`,
  );
  return row?.print ?? null;
}

/** Which of these Stripe events are in the inbox, in any state. */
export async function readKnownEvents(database: Database, eventIds: readonly string[]): Promise<Set<string>> {
  if (eventIds.length === 0) return new Set();
  const found = await rows<{ eventId: string }>(
    database.executor,
    sql`select event_id as "eventId" from inbox.events where event_id = any(array[${sql.join(
      eventIds.map((id) => sql`${id}`),
      sql`, `,
    )}]::text[])`,
  );
  return new Set(found.map(({ eventId }) => eventId));
}

/** What the ledger of migrations says was applied; empty on a database that never saw the bridge. */
export async function readLedger(database: Database): Promise<{ owner: string; name: string; sha256: string }[]> {
  const ledger = await oneRow<{ name: string | null }>(
    database.executor,
    sql`select to_regclass('bridge.migrations')::text as name`,
  );
  if (ledger?.name == null) return [];
  return rows(
    database.executor,
    sql`select owner, name, sha256 from bridge.migrations order by applied_at, owner, name`,
  );
}

export async function readServerVersion(database: Database): Promise<string> {
  const row = await oneRow<{ server_version: string }>(database.executor, sql`show server_version`);
  return row?.server_version.split(' ')[0] ?? 'unknown';
}
