import { changed, type Database, type Executor, oneRow, rows } from '@bridge/database';
import type { ReplayEvent, ShownPlan } from '@bridge/flow';
import { type SQL, sql } from 'drizzle-orm';
import { z } from 'zod';
import type { ReplayAct, ReplayVerdict, Verdict } from './verdict';

/**
 * The rows of a replay. Its plan goes wanted -> planning -> ready -> sending -> finished, and from ready to cancelled; a
 * fault that another try would meet again makes it failed, from where a person resumes it.
 */
export type ReplayState = 'wanted' | 'planning' | 'ready' | 'sending' | 'finished' | 'failed' | 'cancelled';

/** What a person asked to be replayed; kept as it was typed. */
const replayArgs = z.object({
  /** Ids at Stripe, invoice numbers, `finding:12`. */
  words: z.array(z.string()),
  invoice: z.string().optional(),
  override: z.boolean().optional(),
  /** ISO 8601; both or neither. The moment the money succeeded. */
  since: z.string().optional(),
  until: z.string().optional(),
});
export type ReplayArgs = z.output<typeof replayArgs>;

export interface ReplayPlan {
  id: string;
  state: ReplayState;
  askedBy: string;
  why: string;
  args: ReplayArgs;
  cursor: unknown;
  collected: boolean;
  sentBy: string | null;
  sendWhy: string | null;
  askedAt: Date;
  readyAt: Date | null;
  sentAt: Date | null;
  finishedAt: Date | null;
  reasonCode: string | null;
  reason: string | null;
}

/** How one payment of a plan ended. `on-its-way`: it waits for a locked record or an answer and goes on by itself. */
export type ReplayOutcome =
  | 'applied'
  | 'already-applied'
  | 'changed-since'
  | 'parked'
  | 'on-its-way'
  | 'observed'
  | 'not-sent';

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
  effectId: string | null;
  restsOn: RestsOn | null;
}

const PREFIX = 'replay';
/** The id of the event that an item becomes; nobody else makes such ids, and no item makes two. */
export const replayEventId = (item: { id: string; planId: string }): string => `${PREFIX}_${item.planId}_${item.id}`;
const itemOfEvent = (eventId: string): string | undefined => /^replay_\d{1,18}_(\d{1,18})$/.exec(eventId)?.[1];

/** Whether this is the id of an event of ours. */
export const isReplayEvent = (eventId: string): boolean => itemOfEvent(eventId) !== undefined;

interface PlanRow {
  id: string;
  state: ReplayState;
  asked_by: string;
  why: string;
  args: unknown;
  cursor: unknown;
  collected: boolean;
  sent_by: string | null;
  send_why: string | null;
  asked_at: string;
  ready_at: string | null;
  sent_at: string | null;
  finished_at: string | null;
  reason_code: string | null;
  reason: string | null;
}

const planColumns = sql`id, state, asked_by, why, args, cursor, collected, sent_by, send_why, asked_at, ready_at, sent_at, finished_at,
  reason_code, reason`;
const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

const planOf = (row: PlanRow): ReplayPlan => ({
  id: row.id,
  state: row.state,
  askedBy: row.asked_by,
  why: row.why,
  args: replayArgs.parse(row.args),
  cursor: row.cursor ?? undefined,
  collected: row.collected,
  sentBy: row.sent_by,
  sendWhy: row.send_why,
  askedAt: new Date(row.asked_at),
  readyAt: date(row.ready_at),
  sentAt: date(row.sent_at),
  finishedAt: date(row.finished_at),
  reasonCode: row.reason_code,
  reason: row.reason,
});

interface WorkRow {
  id: string;
  plan_id: string;
  object_id: string;
  event_type: string;
  object: Record<string, unknown>;
  livemode: boolean;
  event_created_at: string | null;
  acts: ReplayAct;
  effect_id: string | null;
  rests_on: RestsOn | null;
}

const workColumns = sql`id, plan_id, object_id, event_type, object, livemode, event_created_at, acts, effect_id, rests_on`;
const workOf = (row: WorkRow): ReplayWork => ({
  id: row.id,
  planId: row.plan_id,
  objectId: row.object_id,
  eventType: row.event_type,
  object: row.object,
  livemode: row.livemode,
  createdAt: date(row.event_created_at),
  acts: row.acts,
  effectId: row.effect_id,
  restsOn: row.rests_on,
});

const json = (value: unknown): SQL => sql`${JSON.stringify(value)}::jsonb`;
/** An empty list cannot be joined. */
const textArray = (values: readonly string[]): SQL =>
  values.length === 0
    ? sql`'{}'::text[]`
    : sql`array[${sql.join(
        values.map((value) => sql`${value}`),
        sql`, `,
      )}]::text[]`;

export async function insertReplayPlan(
  tx: Executor,
  plan: { askedBy: string; why: string; args: ReplayArgs },
): Promise<string> {
  const row = await oneRow<{ id: string }>(
    tx,
    sql`insert into operations.replay_plans (state, asked_by, why, args)
        values ('wanted', ${plan.askedBy}, ${plan.why}, ${json(plan.args)}) returning id`,
  );
  if (row === undefined) throw new Error('PostgreSQL gave no id for the replay');
  return row.id;
}

export async function findReplayPlan(executor: Executor, id: string): Promise<ReplayPlan | undefined> {
  if (!/^\d{1,18}$/.test(id)) return undefined;
  const row = await oneRow<PlanRow>(executor, sql`select ${planColumns} from operations.replay_plans where id = ${id}`);
  return row === undefined ? undefined : planOf(row);
}

/** Until the transaction ends, nobody else changes the plan. */
export async function lockReplayPlan(tx: Executor, id: string): Promise<ReplayPlan | undefined> {
  if (!/^\d{1,18}$/.test(id)) return undefined;
  const row = await oneRow<PlanRow>(
    tx,
    sql`select ${planColumns} from operations.replay_plans where id = ${id} for update`,
  );
  return row === undefined ? undefined : planOf(row);
}

/** The duty of the worker that has a plan in hand. */
export const replayDuty = (planId: string): string => `replay:${planId}`;

/** Plans that no living worker has in hand or has touched for `untouchedMs`; each with the run of its next job. */
export function takeUntouchedReplays(database: Database, untouchedMs: number): Promise<{ id: string; run: number }[]> {
  return rows<{ id: string; run: number }>(
    database.executor,
    sql`update operations.replay_plans p set run = run + 1, touched_at = clock_timestamp()
        where state in ('wanted', 'planning', 'sending')
          and (touched_at is null or touched_at < clock_timestamp() - make_interval(secs => ${untouchedMs / 1000}::float8))
          and not exists (select 1 from claims.duties d where d.name = 'replay:' || p.id and claims.is_alive(d.held_by))
        returning id, run`,
  );
}

export async function touchReplay(executor: Executor, id: string): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_plans set touched_at = clock_timestamp(), reason_code = null, reason = null
        where id = ${id} and state in ('wanted', 'planning', 'sending')`,
  );
}

/** Why it does not go on just now. */
export async function noteReplayWait(executor: Executor, id: string, code: string, reason: string): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_plans set touched_at = clock_timestamp(), reason_code = ${code}, reason = ${reason}
        where id = ${id} and state in ('wanted', 'planning', 'sending')`,
  );
}

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

export async function markCollected(executor: Executor, planId: string): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_plans set collected = true, state = 'planning', touched_at = clock_timestamp()
        where id = ${planId} and state in ('wanted', 'planning')`,
  );
}

export async function itemsToLook(executor: Executor, planId: string, limit: number): Promise<ReplayWork[]> {
  const found = await rows<WorkRow>(
    executor,
    sql`select ${workColumns} from operations.replay_items where plan_id = ${planId} and looked_at is null order by id limit ${limit}`,
  );
  return found.map(workOf);
}

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

/** Planning is over when everything is collected and looked at. */
export async function markReady(executor: Executor, planId: string): Promise<boolean> {
  return (
    (await changed(
      executor,
      sql`update operations.replay_plans p set state = 'ready', ready_at = clock_timestamp(), touched_at = null, reason_code = null, reason = null
          where id = ${planId} and state in ('wanted', 'planning') and collected
            and not exists (select 1 from operations.replay_items i where i.plan_id = p.id and i.looked_at is null)`,
    )) === 1
  );
}

export async function failReplay(executor: Executor, planId: string, code: string, reason: string): Promise<void> {
  await changed(
    executor,
    sql`update operations.replay_plans set state = 'failed', finished_at = clock_timestamp(), reason_code = ${code}, reason = ${reason}
        where id = ${planId} and state in ('wanted', 'planning', 'sending')`,
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

/** False: another process has sent it already; what was done in the same transaction must be undone. */
export async function markSent(tx: Executor, itemId: string): Promise<boolean> {
  return (
    (await changed(
      tx,
      sql`update operations.replay_items set sent_at = clock_timestamp() where id = ${itemId} and sent_at is null`,
    )) === 1
  );
}

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

/** An item under way with how its event and its effect stand. */
export interface UnderWay {
  id: string;
  acts: ReplayAct;
  /** Sendings of its effect before the replay. */
  attemptsBefore: number;
  objectId: string;
  sentMs: number;
  event: { state: string; reasonCode: string | null; reason: string | null } | null;
  effect: {
    id: string;
    state: string;
    attempts: number;
    reasonCode: string | null;
    reason: string | null;
    inHand: boolean;
  } | null;
}

export async function itemsUnderWay(executor: Executor, planId: string, limit: number): Promise<UnderWay[]> {
  const found = await rows<{
    id: string;
    acts: ReplayAct;
    attempts_before: number;
    object_id: string;
    sent_ms: number;
    event_state: string | null;
    event_code: string | null;
    event_reason: string | null;
    effect_id: string | null;
    effect_state: string | null;
    attempts: number | null;
    effect_code: string | null;
    effect_reason: string | null;
    in_hand: boolean | null;
  }>(
    executor,
    sql`select i.id, i.acts, coalesce((i.rests_on ->> 'attempts')::int, 0) as attempts_before, i.object_id, (extract(epoch from clock_timestamp() - i.sent_at) * 1000)::float8 as sent_ms,
          v.state as event_state, v.reason_code as event_code, v.reason as event_reason,
          e.id as effect_id, e.state as effect_state, e.attempts, e.reason_code as effect_code, e.reason as effect_reason,
          e.claimed_by is not null as in_hand
        from operations.replay_items i
        left join inbox.events v on i.acts = 'send' and v.event_id = 'replay_' || i.plan_id || '_' || i.id
        left join effects.effects e on e.key = i.effect_key
        where i.plan_id = ${planId} and i.sent_at is not null and i.settled_at is null order by i.id limit ${limit}`,
  );
  return found.map((row) => ({
    id: row.id,
    acts: row.acts,
    attemptsBefore: row.attempts_before,
    objectId: row.object_id,
    sentMs: row.sent_ms,
    event:
      row.event_state === null
        ? null
        : { state: row.event_state, reasonCode: row.event_code, reason: row.event_reason },
    effect:
      row.effect_id === null || row.effect_state === null
        ? null
        : {
            id: row.effect_id,
            state: row.effect_state,
            attempts: row.attempts ?? 0,
            reasonCode: row.effect_code,
            reason: row.effect_reason,
            inHand: row.in_hand ?? false,
          },
  }));
}

/** True: every item that is acted on has its outcome, and the plan is at its end. */
export async function finishReplay(executor: Executor, planId: string): Promise<boolean> {
  return (
    (await changed(
      executor,
      sql`update operations.replay_plans p set state = 'finished', finished_at = clock_timestamp(), reason_code = null, reason = null
          where id = ${planId} and state = 'sending'
            and not exists (select 1 from operations.replay_items i where i.plan_id = p.id and i.acts is not null and i.settled_at is null)`,
    )) === 1
  );
}

/** Moves a plan by a person's word, if it stands as it must for that. */
export async function moveReplay(
  tx: Executor,
  planId: string,
  move: { kind: 'send'; by: string; why: string } | { kind: 'cancel' } | { kind: 'resume' },
): Promise<void> {
  if (move.kind === 'send') {
    await changed(
      tx,
      sql`update operations.replay_plans set state = 'sending', sent_by = ${move.by}, send_why = ${move.why}, sent_at = clock_timestamp(), touched_at = null
          where id = ${planId} and state = 'ready'`,
    );
  } else if (move.kind === 'cancel') {
    await changed(
      tx,
      sql`update operations.replay_plans set state = 'cancelled', finished_at = clock_timestamp()
          where id = ${planId} and state in ('wanted', 'planning', 'ready', 'failed')`,
    );
  } else {
    await changed(
      tx,
      sql`update operations.replay_plans set state = case when sent_at is not null then 'sending' when cursor is not null or collected then 'planning' else 'wanted' end,
            finished_at = null, reason_code = null, reason = null, touched_at = null
          where id = ${planId} and state = 'failed'`,
    );
  }
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

export interface ReplayOrderRow {
  planId: string;
  args: ReplayArgs;
  shown: ShownPlan[];
}

/** The order behind an event, if it is one of ours; the road asks, for operators' events alone. */
export async function findReplayOrder(executor: Executor, eventId: string): Promise<ReplayOrderRow | undefined> {
  const itemId = itemOfEvent(eventId);
  if (itemId === undefined) return undefined;
  const row = await oneRow<{
    plan_id: string;
    args: unknown;
    shown: { key: string; digest: string }[];
    bodies: Record<string, string | null> | null;
  }>(
    executor,
    sql`select i.plan_id, p.args, i.shown, i.bodies from operations.replay_items i
        join operations.replay_plans p on p.id = i.plan_id
        where i.id = ${itemId} and i.acts = 'send' and 'replay_' || i.plan_id || '_' || i.id = ${eventId}`,
  );
  if (row === undefined) return undefined;
  return {
    planId: row.plan_id,
    args: replayArgs.parse(row.args),
    shown: row.shown.map(({ key, digest }) => ({ key, digest, body: row.bodies?.[key] ?? null })),
  };
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

/** Frozen bytes of before and shown bytes of today, by item; what is erased is left out. Customer data. */
export async function readReplayBodies(
  executor: Executor,
  itemIds: readonly string[],
): Promise<Map<string, { before: string; after: string }>> {
  const found = await rows<{ id: string; before: Buffer | null; after: string | null }>(
    executor,
    sql`select i.id, e.body as before, i.bodies ->> i.effect_key as after from operations.replay_items i
        join effects.effects e on e.id = i.effect_id
        where i.id = any(${textArray(itemIds)}::bigint[])`,
  );
  return new Map(
    found.flatMap(({ id, before, after }) =>
      before === null || after === null ? [] : [[id, { before: before.toString('utf8'), after }] as const],
    ),
  );
}

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
