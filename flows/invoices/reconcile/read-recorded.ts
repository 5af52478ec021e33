import { type Executor, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import type { RecordedPayment, RecordedReversal } from './books';

/** What our records hold about a Checkout Session, for a comparison. */
export interface Recorded {
  payment: RecordedPayment | undefined;
  reversals: RecordedReversal[];
  /** Other payments of the same invoice with money that was not given back. */
  others: { sessionId: string; paidAt: Date }[];
  /** It was written a moment ago: a difference may be no more than a question that was asked before. */
  fresh: boolean;
}

interface RecordedRow {
  id: string;
  status: RecordedPayment['status'] | null;
  parked_code: string | null;
  invoice_id: string | null;
  amount_total: string;
  currency: string;
  paid_at: string | null;
  first_seen: string;
  session_created_at: string;
  reversals: RecordedReversal[] | null;
  others: { sessionId: string; paidAt: string }[] | null;
  fresh: boolean;
}

/** More payments of one invoice say no more. */
const OTHERS_MAX = 20;
const textArray = (values: readonly string[]): SQL => sql`${sql.param(values)}::text[]`;

/** Whether the object with this id has its turn in this look: once in `turns`. */
const isTurn = (id: SQL, turn: number, turns: number): SQL =>
  sql`(hashtextextended(${id}, 0) & 1048575) % ${turns}::integer = ${turn}::bigint % ${turns}::integer`;

const paymentColumns = sql`p.status, p.parked_code, p.invoice_id, p.amount_total, p.currency, p.paid_at, p.first_seen, p.session_created_at`;

type PaymentColumns = Omit<RecordedRow, 'reversals' | 'others' | 'fresh'>;

function paymentOf(row: PaymentColumns): RecordedPayment | undefined {
  if (row.status === null) return undefined;
  return {
    sessionId: row.id,
    status: row.status,
    parkedCode: row.parked_code ?? undefined,
    invoiceId: row.invoice_id ?? undefined,
    amountTotal: Number(row.amount_total),
    currency: row.currency,
    paidAt: row.paid_at === null ? undefined : new Date(row.paid_at),
    firstSeen: new Date(row.first_seen),
    sessionCreatedAt: new Date(row.session_created_at),
  };
}

/** Everything about these Sessions in one question. One about which nothing is recorded is among them all the same. */
export async function readRecorded(executor: Executor, sessionIds: readonly string[]): Promise<Map<string, Recorded>> {
  if (sessionIds.length === 0) return new Map();
  const found = await rows<RecordedRow>(
    executor,
    sql`select s.id, ${paymentColumns}, r.reversals, o.others,
          coalesce(greatest(p.updated_at, r.updated_at) > clock_timestamp() - interval '10 minutes', false) as fresh
        from unnest(${textArray(sessionIds)}) as s (id)
        left join flow_invoices.payments p on p.checkout_session_id = s.id
        left join lateral (
          select jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'amount', amount, 'currency', currency, 'status', status) order by id) as reversals,
            max(updated_at) as updated_at
          from flow_invoices.reversals where checkout_session_id = s.id) r on true
        left join lateral (
          select jsonb_agg(jsonb_build_object('sessionId', checkout_session_id, 'paidAt', came_at) order by came_at, checkout_session_id) as others
          from (select q.checkout_session_id, coalesce(q.paid_at, q.session_created_at) as came_at
            from flow_invoices.payments q
            where q.invoice_id = p.invoice_id and q.checkout_session_id <> s.id and q.status in ('paid', 'parked')
              and q.amount_total > coalesce((select sum(amount) from flow_invoices.reversals b
                where b.checkout_session_id = q.checkout_session_id and b.kind = 'refund' and b.status not in ('failed', 'canceled')), 0)
            order by came_at limit ${OTHERS_MAX}) q) o on p.invoice_id is not null`,
  );
  return new Map(
    found.map((row) => [
      row.id,
      {
        payment: paymentOf(row),
        reversals: row.reversals ?? [],
        others: (row.others ?? []).map(({ sessionId, paidAt }) => ({ sessionId, paidAt: new Date(paidAt) })),
        fresh: row.fresh,
      },
    ]),
  );
}

/** Refunds and disputes of ours by their ids, and the payments that they could belong to. */
export async function readReversals(
  executor: Executor,
  wanted: { ids: readonly string[]; paymentIntentIds: readonly string[] },
): Promise<{
  reversals: Map<string, RecordedReversal & { fresh: boolean }>;
  payments: Map<string, { livemode: boolean; bornAt: Date }>;
}> {
  const [reversals, payments] = await Promise.all([
    rows<Omit<RecordedReversal, 'amount'> & { amount: string; fresh: boolean }>(
      executor,
      sql`select id, kind, amount, currency, status, updated_at > clock_timestamp() - interval '10 minutes' as fresh
          from flow_invoices.reversals where id = any(${textArray(wanted.ids)})`,
    ),
    rows<{ payment_intent_id: string; livemode: boolean; session_created_at: string }>(
      executor,
      sql`select payment_intent_id, livemode, session_created_at from flow_invoices.payments
          where payment_intent_id = any(${textArray(wanted.paymentIntentIds)})`,
    ),
  ]);
  return {
    reversals: new Map(reversals.map((row) => [row.id, { ...row, amount: Number(row.amount) }])),
    payments: new Map(
      payments.map((row) => [
        row.payment_intent_id,
        { livemode: row.livemode, bornAt: new Date(row.session_created_at) },
      ]),
    ),
  };
}

/** A place among our refunds and disputes, in the order of their making. */
export interface MadePlace extends Place {
  kind: 'refund' | 'dispute';
}

const madePlace = sql`to_char(coalesce(r.made_at, r.first_seen) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "bornAt", r.id, r.kind`;
/** The key belongs to one mode, and a payment that is not recorded says nothing about its own. */
const ofMode = (livemode: boolean): SQL =>
  sql`coalesce((select p.livemode from flow_invoices.payments p where p.checkout_session_id = r.checkout_session_id), ${livemode}) = ${livemode}`;

/** Refunds, or disputes, of ours that were made after `after` and not after `upTo`, without the ones named; as `readUnlisted`. */
export function readUnlistedReversals(
  executor: Executor,
  range: {
    kind: 'refund' | 'dispute';
    after: Date;
    upTo: Date;
    named: readonly string[];
    behind: Place | undefined;
    livemode: boolean;
    limit: number;
  },
): Promise<MadePlace[]> {
  const behind = range.behind ?? { bornAt: range.after.toISOString(), id: '' };
  return rows<MadePlace>(
    executor,
    sql`select ${madePlace} from flow_invoices.reversals r
        where r.kind = ${range.kind} and r.made_at > ${range.after.toISOString()}::timestamptz
          and coalesce(r.made_at, r.first_seen) <= ${range.upTo.toISOString()}::timestamptz
          and (coalesce(r.made_at, r.first_seen), r.id) > (${behind.bornAt}::timestamptz, ${behind.id})
          and not r.id = any(${textArray(range.named)}) and ${ofMode(range.livemode)}
        order by coalesce(r.made_at, r.first_seen), r.id limit ${range.limit}`,
  );
}

/**
 * Refunds and disputes of ours that were made before a window and may still change, the oldest first: what is under way once in
 * `turns` looks; a refund of the last 60 days, which can still fail, once in `olderTurns`. Which turn it is, the caller says.
 */
export function readOlderReversals(
  executor: Executor,
  look: {
    before: Date;
    refundsUnderWay: readonly string[];
    disputesEnded: readonly string[];
    turn: number;
    turns: number;
    olderTurns: number;
    behind: Place | undefined;
    livemode: boolean;
    limit: number;
  },
): Promise<MadePlace[]> {
  const before = sql`${look.before.toISOString()}::timestamptz`;
  const behind = look.behind ?? { bornAt: '-infinity', id: '' };
  return rows<MadePlace>(
    executor,
    sql`select ${madePlace} from flow_invoices.reversals r
        where coalesce(r.made_at, r.first_seen) < ${before}
          and (coalesce(r.made_at, r.first_seen), r.id) > (${behind.bornAt}::timestamptz, ${behind.id})
          and ((${isTurn(sql`r.id`, look.turn, look.turns)}
              and ((r.kind = 'refund' and r.status = any(${textArray(look.refundsUnderWay)}))
                or (r.kind = 'dispute' and not r.status = any(${textArray(look.disputesEnded)}))))
            or (${isTurn(sql`r.id`, look.turn, look.olderTurns)}
              and r.kind = 'refund' and r.status = 'succeeded' and coalesce(r.made_at, r.first_seen) > ${before} - interval '60 days'))
          and ${ofMode(look.livemode)}
        order by coalesce(r.made_at, r.first_seen), r.id limit ${look.limit}`,
  );
}

/** A place among our payments, in the order of their Sessions' birth. */
export interface Place {
  /** ISO 8601. */
  bornAt: string;
  id: string;
}

/**
 * Payments whose Sessions were born after `after` and not after `upTo`, without the ones named: the peer's list did not
 * bring these. The oldest first, from behind a place on.
 */
export function readUnlisted(
  executor: Executor,
  range: {
    after: Date;
    upTo: Date;
    named: readonly string[];
    behind: Place | undefined;
    livemode: boolean;
    limit: number;
  },
): Promise<Place[]> {
  const behind = range.behind ?? { bornAt: range.after.toISOString(), id: '' };
  return rows<Place>(
    executor,
    sql`select to_char(session_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "bornAt", checkout_session_id as id
        from flow_invoices.payments
        where session_created_at > ${range.after.toISOString()}::timestamptz and session_created_at <= ${range.upTo.toISOString()}::timestamptz
          and (session_created_at, checkout_session_id) > (${behind.bornAt}::timestamptz, ${behind.id})
          and livemode = ${range.livemode} and not checkout_session_id = any(${textArray(range.named)})
        order by session_created_at, checkout_session_id limit ${range.limit}`,
  );
}

/**
 * Payments that wait for their money, the oldest first. Those born in the last hour each time, the others in turns: each
 * of a day once in `turns` looks, each older one once in `olderTurns`. Which turn it is, the caller says.
 */
export function readPending(
  executor: Executor,
  look: {
    until: Date;
    turn: number;
    turns: number;
    olderTurns: number;
    behind: Place | undefined;
    livemode: boolean;
    limit: number;
  },
): Promise<Place[]> {
  const until = sql`${look.until.toISOString()}::timestamptz`;
  const isPaymentsTurn = (turns: number): SQL => isTurn(sql`checkout_session_id`, look.turn, turns);
  const behind = look.behind ?? { bornAt: '-infinity', id: '' };
  return rows<Place>(
    executor,
    sql`select to_char(session_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "bornAt", checkout_session_id as id
        from flow_invoices.payments
        where status = 'pending' and livemode = ${look.livemode} and session_created_at < ${until}
          and (session_created_at, checkout_session_id) > (${behind.bornAt}::timestamptz, ${behind.id})
          and (session_created_at > ${until} - interval '1 hour'
            or (session_created_at > ${until} - interval '1 day' and ${isPaymentsTurn(look.turns)})
            or (session_created_at <= ${until} - interval '1 day' and ${isPaymentsTurn(look.olderTurns)}))
        order by session_created_at, checkout_session_id limit ${look.limit}`,
  );
}

/** Our payments of these Sessions, as they stand now. */
export async function readPayments(
  executor: Executor,
  sessionIds: readonly string[],
): Promise<Map<string, RecordedPayment>> {
  const found = await readRecorded(executor, sessionIds);
  return new Map([...found].flatMap(([id, { payment }]) => (payment === undefined ? [] : [[id, payment]])));
}

/** The Checkout Sessions that these objects are or belong to, as far as we know. */
export async function readSessionsOf(executor: Executor, objectIds: readonly string[]): Promise<string[]> {
  const found = await rows<{ checkout_session_id: string }>(
    executor,
    sql`select distinct checkout_session_id from flow_invoices.reversals where id = any(${textArray(objectIds)})`,
  );
  const sessions = objectIds.filter((id) => id.startsWith('cs_'));
  return [...new Set([...sessions, ...found.map((row) => row.checkout_session_id)])];
}

/** Of these Sessions, refunds and disputes those that belong to a payment of the other mode: our key cannot ask about them. */
export async function readOfOtherMode(
  executor: Executor,
  objectIds: readonly string[],
  livemode: boolean,
): Promise<Set<string>> {
  const found = await rows<{ id: string }>(
    executor,
    sql`select checkout_session_id as id from flow_invoices.payments
          where checkout_session_id = any(${textArray(objectIds)}) and livemode <> ${livemode}
        union all
        select r.id from flow_invoices.reversals r join flow_invoices.payments p on p.checkout_session_id = r.checkout_session_id
          where r.id = any(${textArray(objectIds)}) and p.livemode <> ${livemode}`,
  );
  return new Set(found.map(({ id }) => id));
}
