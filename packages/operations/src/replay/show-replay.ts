import { changed, type Executor, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { ReplayOutcome } from './replay-items';
import { date } from './replay-sql';
import type { ReplayAct, Verdict } from './verdict';

// What a person is shown of a replay, and how long the bytes for it are kept.

/** One payment of a plan: its verdict, and what became of it. No customer data. */
export interface ReplayItem {
  id: string;
  word: string;
  objectId: string;
  eventType: string;
  verdict: Verdict | null;
  acts: ReplayAct;
  reasonCode: string | null;
  reason: string | null;
  invoiceId: string | null;
  /** Minor units. */
  amount: number | null;
  currency: string | null;
  occurredAt: Date | null;
  effectKey: string | null;
  effectId: string | null;
  /** Paths of the fields that differ from the bytes of before. */
  difference: string[];
  sentAt: Date | null;
  outcome: ReplayOutcome | null;
  outcomeCode: string | null;
  outcomeReason: string | null;
}

/** How far a plan has come, for a progress bar and a forecast. */
export interface ReplayProgress {
  /** All payments found so far. */
  items: number;
  looked: number;
  /** Those that sending acts on. */
  acting: number;
  sent: number;
  settled: number;
  byVerdict: Partial<Record<Verdict, number>>;
  byOutcome: Partial<Record<ReplayOutcome, number>>;
  /** By PostgreSQL's clock, since sending began; null before. */
  sendingMs: number | null;
}

interface ItemRow {
  id: string;
  word: string;
  object_id: string;
  event_type: string;
  verdict: Verdict | null;
  acts: ReplayAct;
  reason_code: string | null;
  reason: string | null;
  invoice_id: string | null;
  amount: string | null;
  currency: string | null;
  occurred_at: string | null;
  effect_key: string | null;
  effect_id: string | null;
  difference: string[];
  sent_at: string | null;
  outcome: ReplayOutcome | null;
  outcome_code: string | null;
  outcome_reason: string | null;
}

/** In the order in which they were found, from behind an item on. */
export async function listReplayItems(
  executor: Executor,
  planId: string,
  page: { after?: string; limit: number },
): Promise<ReplayItem[]> {
  const found = await rows<ItemRow>(
    executor,
    sql`select id, word, object_id, event_type, verdict, acts, reason_code, reason, invoice_id, amount, currency, occurred_at,
          effect_key, effect_id, difference, sent_at, outcome, outcome_code, outcome_reason
        from operations.replay_items where plan_id = ${planId} and id > ${page.after ?? '0'}::bigint order by id limit ${page.limit}`,
  );
  return found.map((row) => ({
    id: row.id,
    word: row.word,
    objectId: row.object_id,
    eventType: row.event_type,
    verdict: row.verdict,
    acts: row.acts,
    reasonCode: row.reason_code,
    reason: row.reason,
    invoiceId: row.invoice_id,
    amount: row.amount === null ? null : Number(row.amount),
    currency: row.currency,
    occurredAt: date(row.occurred_at),
    effectKey: row.effect_key,
    effectId: row.effect_id,
    difference: row.difference,
    sentAt: date(row.sent_at),
    outcome: row.outcome,
    outcomeCode: row.outcome_code,
    outcomeReason: row.outcome_reason,
  }));
}

/** How far a plan is, counted by verdict and outcome. */
export async function readReplayProgress(executor: Executor, planId: string): Promise<ReplayProgress> {
  const counted = await rows<{
    verdict: Verdict | null;
    outcome: ReplayOutcome | null;
    acts: boolean;
    sent: boolean;
    count: number;
  }>(
    executor,
    sql`select verdict, outcome, acts is not null as acts, sent_at is not null as sent, count(*)::int as count
        from operations.replay_items where plan_id = ${planId} group by 1, 2, 3, 4`,
  );
  const since = await oneRow<{ ms: number | null }>(
    executor,
    sql`select (extract(epoch from coalesce(finished_at, clock_timestamp()) - sent_at) * 1000)::float8 as ms
        from operations.replay_plans where id = ${planId}`,
  );
  const progress: ReplayProgress = {
    items: 0,
    looked: 0,
    acting: 0,
    sent: 0,
    settled: 0,
    byVerdict: {},
    byOutcome: {},
    sendingMs: since?.ms ?? null,
  };
  for (const { verdict, outcome, acts, sent, count } of counted) {
    progress.items += count;
    if (verdict !== null) {
      progress.looked += count;
      progress.byVerdict[verdict] = (progress.byVerdict[verdict] ?? 0) + count;
    }
    if (acts) progress.acting += count;
    if (acts && sent) progress.sent += count;
    if (outcome !== null) {
      progress.settled += count;
      progress.byOutcome[outcome] = (progress.byOutcome[outcome] ?? 0) + count;
    }
  }
  return progress;
}

/** Bytes that nobody needs any more: of plans at their end, and of those that were shown longer ago. Returns how many. */
export function eraseReplayBodies(executor: Executor, keptMs: number): Promise<number> {
  return changed(
    executor,
    sql`update operations.replay_items i set bodies = null
        where bodies is not null and (looked_at < clock_timestamp() - make_interval(secs => ${keptMs / 1000}::float8)
          or exists (select 1 from operations.replay_plans p where p.id = i.plan_id and p.state in ('finished', 'cancelled')))`,
  );
}
