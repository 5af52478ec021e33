import { changed, type Database, type Executor, oneRow, quickCommit, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import type { ClaimedEffect, EffectPlan, EffectState, EffectSubject } from './effect';
import type { DueEffect } from './effect-sweep';
import { isHead } from './lane-head';
import { storableJson } from './storable-json';

/** Another worker has the effect now, or a person settled it; what this one was about to do must not happen. */
export class EffectClaimLostError extends Error {
  readonly code = 'EFFECT_CLAIM_LOST';
  constructor(id: string) {
    super(`Effect ${id} is no longer in this worker's hand`);
    this.name = 'EffectClaimLostError';
  }
}

/**
 * Another effect of the lane is on its way: a person released this one while a later one was in hand, and PostgreSQL lets
 * only one of them begin. Nothing was sent; it may begin when the other one has ended.
 */
export class EffectLaneBusyError extends Error {
  readonly code = 'LANE_BUSY';
  constructor(id: string) {
    super(`Another effect of the lane of effect ${id} is on its way`);
    this.name = 'EffectLaneBusyError';
  }
}

/** The index that lets one effect of a lane be on its way. */
function isLaneGuard(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return (cause as { constraint?: unknown } | null)?.constraint === 'effects_one_unsettled_per_lane';
}

/** What came of claiming an effect. `dueInMs` stands beside `not due`. */
export type EffectClaimResult =
  | { kind: 'claimed'; effect: ClaimedEffect }
  | { kind: 'parked'; reasonCode: string; reason: string }
  | {
      kind: 'nothing';
      because: 'settled' | 'in hand' | 'not due' | 'behind in its lane' | 'unknown id';
      dueInMs?: number;
    };

/** How an attempt ended: how far it got, the peer's or our code, what it means, and a sentence for people. */
export interface AttemptRecord {
  stage: 'not-sent' | 'refused' | 'unheard' | 'answered' | null;
  code: string | null;
  verdict: 'done' | 'refused' | 'unknown' | 'there' | 'not-there' | 'parked' | 'wait';
  detail: string | null;
}

type Claim = Pick<ClaimedEffect, 'id' | 'worker' | 'claimNo'>;

/** An attempt's end, written in the same statement as what it means for the effect. */
export interface EndedAttempt {
  attemptId: string;
  record: AttemptRecord;
}

/** `lost`: another one's word counts. `next`: somebody waits in the lane, as seen a moment before. */
export type Settled = { lost: true } | { lost: false; next: boolean };

/** Every move that a flow or the worker with the claim makes with an effect, from planned to its end. */
export interface EffectLife {
  /** Inside the flow's transaction. `planned: false`: an effect with this key is there already and stays as it is. */
  plan(tx: Executor, plan: EffectPlan): Promise<{ id: string; planned: boolean; state: EffectState }>;
  /** Parks effects that have not begun; one on its way is left to finish. Returns those that were parked, with the run of their next job. */
  parkUnsent(tx: Executor, key: string, reasonCode: string, reason: string): Promise<DueEffect[]>;
  /**
   * Takes a due head of its lane for work. `parked`: it waits for a person. `nothing`: why not; a row that is not due says in
   * how many ms it will be.
   */
  claim(id: string, worker: string): Promise<EffectClaimResult>;
  /** Writes `sending` and the attempt's row before the first byte leaves. Throws EffectClaimLostError, EffectLaneBusyError. */
  begin(
    effect: ClaimedEffect,
    worker: string,
    sessionId: string | null,
  ): Promise<{ attemptId: string; sending: number }>;
  /** Notes a question put to the peer, to be ended by `endAttempt`. */
  beginCrossCheck(effect: ClaimedEffect, worker: string): Promise<{ attemptId: string }>;
  /** Ends an attempt that has no end yet, whatever became of the effect. */
  endAttempt(attemptId: string, record: AttemptRecord): Promise<void>;
  /** The endings. Each returns false when the claim is lost: then another one's word counts. */
  settleDone(claim: Claim, done: { verified: boolean; result: unknown }, attempt?: EndedAttempt): Promise<Settled>;
  /**
   * The peer's own word that came after the claim was lost: proof is never dropped. Settles an unknown or parked effect
   * that nobody has in hand, if the word is about its last sending. True when it did.
   */
  settleLate(id: string, sending: number, done: { verified: boolean; result: unknown }): Promise<boolean>;
  /**
   * "It has run, and asking would not show it", come after the claim was lost: parks it unless it was sent again or settled. Of one
   * that is parked already this is the reason from now on: another one might let a person have it asked about and sent again.
   */
  parkLate(id: string, sending: number, parked: { code: string; message: string }): Promise<boolean>;
  settleRefused(
    claim: Claim,
    refused: { code: string; message: string; afterMs: number; costs: boolean },
    attempt?: EndedAttempt,
  ): Promise<boolean>;
  settleUnknown(claim: Claim, unknown: { code: string; message: string }, attempt?: EndedAttempt): Promise<boolean>;
  park(claim: Claim, parked: { code: string; message: string }, attempt?: EndedAttempt): Promise<boolean>;
  /** Unknown and proved not to have happened: back to planned, due at once, still in this worker's hand. */
  provedNotThere(claim: Claim, attempt?: EndedAttempt): Promise<boolean>;
  /** Gives an unsent or unknown effect back until later. Costs nothing. */
  release(
    claim: Claim,
    wait: { afterMs: number; code: string; message: string },
    attempt?: EndedAttempt,
  ): Promise<boolean>;
}

const seconds = (ms: number): SQL => sql`make_interval(secs => ${ms / 1000}::float8)`;
/**
 * The claim counts until somebody else has claimed. Also after it was taken back for dead: the answer of a worker that
 * was only slow is as good as any.
 */
const inHandOf = ({ id, worker, claimNo }: Claim): SQL =>
  sql`id = ${id} and claim_no = ${claimNo} and (claimed_by is null or claimed_by = ${worker})`;
interface ClaimedRow {
  id: string;
  kind: string;
  flow: string;
  key: string;
  lane: string | null;
  title: string;
  target: unknown;
  body: Buffer | null;
  subject: EffectSubject;
  state: 'planned' | 'unknown';
  check_first: boolean;
  ask_only: boolean;
  attempts: number;
  refusals: number;
  planned_at: string;
  first_sent_at: string | null;
  last_sent_at: string | null;
  since_sent_ms: number | null;
  since_planned_ms: number;
  unknown_since_ms: number | null;
  last_session_id: string | null;
  last_answered: boolean | null;
  claim_no: string;
}

const date = (text: string | null): Date | null => (text === null ? null : new Date(text));

export function createEffectLife(database: Database): EffectLife {
  const { executor } = database;
  const one = async (query: SQL): Promise<boolean> => (await changed(executor, query)) === 1;

  const endOf = ({ attemptId, record }: EndedAttempt): SQL =>
    sql`update effects.attempts set ended_at = clock_timestamp(), stage = ${record.stage}, code = ${record.code}, verdict = ${record.verdict},
          detail = ${record.detail}, duration_ms = (extract(epoch from clock_timestamp() - began_at) * 1000)::integer
        where id = ${attemptId} and ended_at is null`;
  /** The attempt ends whether or not the effect is still in this worker's hand: it is a fact of its own. */
  const ending = (attempt: EndedAttempt | undefined, update: SQL): SQL =>
    attempt === undefined ? update : sql`with ended as (${endOf(attempt)}) ${update}`;
  const settle = (attempt: EndedAttempt | undefined, update: SQL): Promise<boolean> => one(ending(attempt, update));

  async function whyNotClaimed(id: string): Promise<EffectClaimResult> {
    const row = await oneRow<{
      state: EffectState;
      due: boolean;
      due_in_ms: number;
      held: boolean;
      head: boolean;
      reason_code: string | null;
      reason: string | null;
    }>(
      executor,
      sql`select e.state, e.due_at <= clock_timestamp() as due,
            (extract(epoch from e.due_at - clock_timestamp()) * 1000)::float8 as due_in_ms, e.claimed_by is not null as held, ${isHead} as head, e.reason_code, e.reason
          from effects.effects e where e.id = ${id}`,
    );
    if (row === undefined) return { kind: 'nothing', because: 'unknown id' };
    if (row.state === 'parked') return { kind: 'parked', reasonCode: row.reason_code ?? '', reason: row.reason ?? '' };
    if (row.state === 'done' || row.state === 'cancelled') return { kind: 'nothing', because: 'settled' };
    if (row.held) return { kind: 'nothing', because: 'in hand' };
    if (!row.head) return { kind: 'nothing', because: 'behind in its lane' };
    return { kind: 'nothing', because: 'not due', dueInMs: Math.max(0, row.due_in_ms) };
  }
  return {
    plan: async (tx, plan) => {
      const inserted = await oneRow<{ id: string; state: EffectState }>(
        tx,
        sql`insert into effects.effects (kind, flow, key, lane, title, target, body, subject, origin, check_first, ask_only, state, reason_code, reason)
            values (${plan.kind}, ${plan.flow}, ${plan.key}, ${plan.lane}, ${plan.title}, ${JSON.stringify(plan.target)}::jsonb,
              ${Buffer.from(plan.body, 'utf8')}, ${JSON.stringify(plan.subject)}::jsonb, ${plan.origin},
              ${plan.checkFirst || plan.askOnly === true}, ${plan.askOnly ?? false}, ${plan.parked === undefined ? 'planned' : 'parked'}, ${plan.parked?.reasonCode ?? null}, ${plan.parked?.reason ?? null})
            on conflict (key) do nothing returning id, state`,
      );
      if (inserted !== undefined) return { id: inserted.id, planned: true, state: inserted.state };
      const existing = await oneRow<{ id: string; state: EffectState }>(
        tx,
        sql`select id, state from effects.effects where key = ${plan.key}`,
      );
      if (existing === undefined) throw new Error(`Effect ${plan.key} was neither inserted nor found`);
      return { id: existing.id, planned: false, state: existing.state };
    },

    parkUnsent: (tx, key, reasonCode, reason) =>
      rows<DueEffect>(
        tx,
        sql`update effects.effects set state = 'parked', claimed_by = null, reason_code = ${reasonCode}, reason = ${reason},
              run = run + 1, queued_at = null
            where key = ${key} and state = 'planned' returning id, run, false as queued`,
      ),

    claim: async (id, worker) => {
      const row = await oneRow<ClaimedRow>(
        executor,
        sql`with ${quickCommit}
            update effects.effects e set claimed_by = ${worker}, claim_no = nextval('claims.claim_no') from quick
            where id = ${id} and state in ('planned', 'unknown') and due_at <= clock_timestamp()
              and (claimed_by is null or not claims.is_alive(claimed_by)) and ${isHead}
            returning id, kind, flow, key, lane, title, target, body, subject, state, check_first, ask_only, attempts, refusals, planned_at,
              first_sent_at, last_sent_at, claim_no,
              (extract(epoch from clock_timestamp() - last_sent_at) * 1000)::float8 as since_sent_ms,
              (extract(epoch from clock_timestamp() - planned_at) * 1000)::float8 as since_planned_ms,
              (extract(epoch from clock_timestamp() - unknown_since) * 1000)::float8 as unknown_since_ms,
              (select a.session_id from effects.attempts a where a.effect_id = e.id and a.purpose = 'send' order by a.id desc limit 1) as last_session_id,
              (select a.stage = 'answered' from effects.attempts a where a.effect_id = e.id and a.purpose = 'send' order by a.id desc limit 1) as last_answered`,
      );
      if (row === undefined) return whyNotClaimed(id);
      return {
        kind: 'claimed',
        effect: {
          id: row.id,
          kind: row.kind,
          flow: row.flow,
          key: row.key,
          lane: row.lane,
          title: row.title,
          target: row.target,
          body: row.body?.toString('utf8') ?? '',
          subject: row.subject,
          state: row.state,
          checkFirst: row.check_first,
          askOnly: row.ask_only,
          attempts: row.attempts,
          refusals: row.refusals,
          plannedAt: new Date(row.planned_at),
          firstSentAt: date(row.first_sent_at),
          lastSentAt: date(row.last_sent_at),
          sinceSentMs: row.since_sent_ms,
          sincePlannedMs: row.since_planned_ms,
          unknownSinceMs: row.unknown_since_ms,
          lastSessionId: row.last_session_id,
          lastAnswered: row.last_answered ?? false,
          worker,
          claimNo: row.claim_no,
        },
      };
    },

    begin: async (effect, worker, sessionId) => {
      const begun = await oneRow<{ id: string; number: number }>(
        executor,
        sql`with begun as (
              update effects.effects set state = 'sending', attempts = attempts + 1, reason_code = null, reason = null,
                first_sent_at = coalesce(first_sent_at, clock_timestamp()), last_sent_at = clock_timestamp()
              where id = ${effect.id} and claim_no = ${effect.claimNo} and state = 'planned' and claimed_by = ${worker} and not ask_only
              returning id, attempts)
            insert into effects.attempts (effect_id, purpose, number, worker, claim_no, session_id)
            select id, 'send', attempts, ${worker}, ${effect.claimNo}, ${sessionId} from begun returning id, number`,
      ).catch((error: unknown) => {
        throw isLaneGuard(error) ? new EffectLaneBusyError(effect.id) : error;
      });
      if (begun === undefined) throw new EffectClaimLostError(effect.id);
      return { attemptId: begun.id, sending: begun.number };
    },

    beginCrossCheck: async (effect, worker) => {
      const begun = await oneRow<{ id: string }>(
        executor,
        sql`insert into effects.attempts (effect_id, purpose, number, worker, claim_no)
            values (${effect.id}, 'cross-check', ${effect.attempts}, ${worker}, ${effect.claimNo}) returning id`,
      );
      if (begun === undefined) throw new EffectClaimLostError(effect.id);
      return { attemptId: begun.id };
    },

    endAttempt: async (attemptId, record) => {
      await changed(executor, endOf({ attemptId, record }));
    },

    settleDone: async (claim, { verified, result }, attempt) => {
      const row = await oneRow<{ next: boolean }>(
        executor,
        ending(
          attempt,
          sql`update effects.effects e set state = 'done', claimed_by = null, unknown_since = null, reason_code = null, reason = null,
                verified = ${verified}, result = ${storableJson(result)}::jsonb, settled_at = clock_timestamp(), refusals = 0
              where ${inHandOf(claim)} and state in ('planned', 'sending', 'unknown')
              returning exists (select 1 from effects.effects o where o.lane = e.lane and o.id <> e.id and o.state = 'planned') as next`,
        ),
      );
      return row === undefined ? { lost: true } : { lost: false, next: row.next };
    },

    settleLate: (id, sending, { verified, result }) =>
      one(
        sql`update effects.effects set state = 'done', unknown_since = null, reason_code = null, reason = null,
              verified = ${verified}, result = ${storableJson(result)}::jsonb, settled_at = clock_timestamp(), refusals = 0
            where id = ${id} and attempts = ${sending} and state in ('unknown', 'parked') and claimed_by is null`,
      ),

    parkLate: (id, sending, { code, message }) =>
      one(
        sql`update effects.effects set state = 'parked', claimed_by = null, unknown_since = null, reason_code = ${code}, reason = ${message}
            where id = ${id} and attempts = ${sending} and state in ('planned', 'sending', 'unknown', 'parked')`,
      ),

    settleRefused: (claim, { code, message, afterMs, costs }, attempt) =>
      settle(
        attempt,
        sql`update effects.effects set state = 'planned', claimed_by = null, unknown_since = null, reason_code = ${code}, reason = ${message},
              refusals = refusals + ${costs ? 1 : 0}::integer, due_at = clock_timestamp() + ${seconds(afterMs)}
            where ${inHandOf(claim)} and state in ('sending', 'unknown')`,
      ),

    settleUnknown: (claim, { code, message }, attempt) =>
      settle(
        attempt,
        sql`update effects.effects set state = 'unknown', claimed_by = null, unknown_since = coalesce(unknown_since, clock_timestamp()),
              reason_code = ${code}, reason = ${message}, due_at = clock_timestamp() + interval '1 second'
            where ${inHandOf(claim)} and state in ('sending', 'unknown')`,
      ),

    park: (claim, { code, message }, attempt) =>
      settle(
        attempt,
        sql`update effects.effects set state = 'parked', claimed_by = null, unknown_since = null, reason_code = ${code}, reason = ${message}
            where ${inHandOf(claim)} and state in ('planned', 'sending', 'unknown')`,
      ),

    provedNotThere: (claim, attempt) =>
      settle(
        attempt,
        sql`update effects.effects set state = 'planned', unknown_since = null, reason_code = null, reason = null, check_first = false
            where ${inHandOf(claim)} and state in ('planned', 'unknown') and not ask_only`,
      ),

    release: (claim, { afterMs, code, message }, attempt) =>
      settle(
        attempt,
        sql`update effects.effects set claimed_by = null, reason_code = ${code}, reason = ${message},
              due_at = clock_timestamp() + ${seconds(afterMs)}
            where ${inHandOf(claim)} and state in ('planned', 'unknown')`,
      ),
  };
}
