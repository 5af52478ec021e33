import { changed, type Database, type Executor, rows } from '@bridge/database';
import type { ReplayEvent, ShownPlan } from '@bridge/flow';
import { sql } from 'drizzle-orm';
import { date, json } from './replay-sql';
import type { ReplayAct, ReplayVerdict, Verdict } from './verdict';

// Rows of operations.replay_items as the worker handles them: collected, looked at, sent, settled.

/**
 * How one payment of a plan ended. `on-its-way`: it waits for a locked record or an answer and goes on by itself.
 * `recorded`: our records follow what was done in FileMaker by hand; nothing was sent.
 */
export type ReplayOutcome =
  | 'applied'
  | 'already-applied'
  | 'changed-since'
  | 'parked'
  | 'on-its-way'
  | 'observed'
  | 'recorded'
  | 'not-sent';

/** How the effect stood on which a verdict rests. */
export interface RestsOn {
  state: string;
  attempts: number;
  reasonCode: string | null;
}

/** What a look at one payment brought. */
export interface ReplayLook extends ReplayVerdict {
  itemId: string;
  invoiceId: string | null;
  amount: number | null;
  currency: string | null;
  occurredAt: Date | null;
  effectKey: string | null;
  effectId: string | null;
  restsOn: RestsOn | null;
  /** What would go, with its bytes. */
  shown: readonly ShownPlan[];
  difference: readonly string[];
}

/** An item as a worker handles it. */
export interface ReplayWork {
  id: string;
  planId: string;
  objectId: string;
  eventType: string;
  object: Record<string, unknown>;
  livemode: boolean;
  createdAt: Date | null;
  acts: ReplayAct;
  verdict: Verdict | null;
  invoiceId: string | null;
  effectKey: string | null;
  effectId: string | null;
  restsOn: RestsOn | null;
}

interface WorkRow {
  id: string;
  plan_id: string;
  object_id: string;
  event_type: string;
  object: Record<string, unknown>;
  livemode: boolean;
  event_created_at: string | null;
  acts: ReplayAct;
  verdict: Verdict | null;
  invoice_id: string | null;
  effect_key: string | null;
  effect_id: string | null;
  rests_on: RestsOn | null;
}

const workColumns = sql`id, plan_id, object_id, event_type, object, livemode, event_created_at, acts, verdict, invoice_id,
  effect_key, effect_id, rests_on`;
const workOf = (row: WorkRow): ReplayWork => ({
  id: row.id,
  planId: row.plan_id,
  objectId: row.object_id,
  eventType: row.event_type,
  object: row.object,
  livemode: row.livemode,
  createdAt: date(row.event_created_at),
  acts: row.acts,
  verdict: row.verdict,
  invoiceId: row.invoice_id,
  effectKey: row.effect_key,
  effectId: row.effect_id,
  restsOn: row.rests_on,
});

/** A page of what the words name, and where the collecting goes on, in one statement: a kill loses neither. */
export async function addReplayItems(
  database: Database,
  planId: string,
  page: { items: readonly { word: string; event: ReplayEvent }[]; cursor: unknown },
): Promise<void> {
  await database.transaction(async (tx) => {
    if (page.items.length > 0) {
      const found = page.items.map(({ word, event }) => ({
        word,
        object_id: event.objectId,
        event_type: event.eventType,
        object: event.object,
        livemode: event.livemode,
        event_created_at: event.createdAt?.toISOString() ?? null,
      }));
      await changed(
        tx,
        sql`insert into operations.replay_items (plan_id, word, object_id, event_type, object, livemode, event_created_at)
            select ${planId}::bigint, word, object_id, event_type, object, livemode, event_created_at
            from jsonb_to_recordset(${json(found)}) as found (word text, object_id text, event_type text, object jsonb,
              livemode boolean, event_created_at timestamptz)
            on conflict (plan_id, object_id, event_type) do nothing`,
      );
    }
    await changed(
      tx,
      sql`update operations.replay_plans set cursor = ${json(page.cursor)}, state = 'planning', touched_at = clock_timestamp()
          where id = ${planId} and state in ('wanted', 'planning')`,
    );
  });
}

/** A word that names nothing is told as such and not passed over. */
export async function addUnfoundWord(executor: Executor, planId: string, word: string, reason: string): Promise<void> {
  await changed(
    executor,
    sql`insert into operations.replay_items (plan_id, word, object_id, event_type, object, livemode, looked_at, verdict, reason_code, reason)
        values (${planId}, ${word}, ${word}, '', '{}', false, clock_timestamp(), 'not-found', 'NOT_FOUND', ${reason})
        on conflict (plan_id, object_id, event_type) do nothing`,
  );
}

/** Items of a plan that nobody has looked at yet, in order, `limit` at most. */
export async function itemsToLook(executor: Executor, planId: string, limit: number): Promise<ReplayWork[]> {
  const found = await rows<WorkRow>(
    executor,
    sql`select ${workColumns} from operations.replay_items where plan_id = ${planId} and looked_at is null order by id limit ${limit}`,
  );
  return found.map(workOf);
}

/** Writes down what was seen of each payment, with the verdict. */
export async function storeLooks(executor: Executor, looks: readonly ReplayLook[]): Promise<void> {
  if (looks.length === 0) return;
  const found = looks.map((look) => ({
    id: look.itemId,
    verdict: look.verdict,
    acts: look.acts,
    reason_code: look.reasonCode,
    reason: look.reason,
    invoice_id: look.invoiceId,
    amount: look.amount,
    currency: look.currency,
    occurred_at: look.occurredAt?.toISOString() ?? null,
    effect_key: look.effectKey,
    effect_id: look.effectId,
    rests_on: look.restsOn,
    shown: look.shown.map(({ key, digest }) => ({ key, digest })),
    bodies: look.shown.length === 0 ? null : Object.fromEntries(look.shown.map(({ key, body }) => [key, body])),
    difference: look.difference,
  }));
  await changed(
    executor,
    sql`update operations.replay_items i set looked_at = clock_timestamp(), verdict = f.verdict, acts = f.acts,
          reason_code = f.reason_code, reason = f.reason, invoice_id = f.invoice_id, amount = f.amount, currency = f.currency,
          occurred_at = f.occurred_at, effect_key = f.effect_key, effect_id = f.effect_id, rests_on = f.rests_on,
          shown = f.shown, bodies = f.bodies, difference = array(select jsonb_array_elements_text(f.difference))
        from jsonb_to_recordset(${json(found)}) as f (id bigint, verdict text, acts text, reason_code text, reason text,
          invoice_id text, amount bigint, currency text, occurred_at timestamptz, effect_key text, effect_id bigint,
          rests_on jsonb, shown jsonb, bodies jsonb, difference jsonb)
        where i.id = f.id and i.looked_at is null`,
  );
}

/** The next items to act on. Unsent ones only. */
export async function itemsToSend(executor: Executor, planId: string, limit: number): Promise<ReplayWork[]> {
  const found = await rows<WorkRow>(
    executor,
    sql`select ${workColumns} from operations.replay_items
        where plan_id = ${planId} and acts is not null and sent_at is null order by id limit ${limit}`,
  );
  return found.map(workOf);
}

/**
 * False: another process has sent it already, or a person has cancelled its plan; what was done in the same transaction must
 * be undone.
 */
export async function markSent(tx: Executor, itemId: string): Promise<boolean> {
  // Shared with other items, and held against a cancelling.
  const [plan] = await rows<{ state: string }>(
    tx,
    sql`select state from operations.replay_plans where id = (select plan_id from operations.replay_items where id = ${itemId}) for share`,
  );
  if (plan?.state !== 'sending') return false;
  return (
    (await changed(
      tx,
      sql`update operations.replay_items set sent_at = clock_timestamp() where id = ${itemId} and sent_at is null`,
    )) === 1
  );
}

/** Writes down how an item ended, and erases the bytes that were shown of it. */
export async function settleItem(
  executor: Executor,
  itemId: string,
  end: { outcome: ReplayOutcome; code: string | null; reason: string | null },
): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_items set outcome = ${end.outcome}, outcome_code = ${end.code}, outcome_reason = ${end.reason},
          settled_at = clock_timestamp(), sent_at = coalesce(sent_at, clock_timestamp()), bodies = null
        where id = ${itemId} and settled_at is null`,
  );
}
